"""``cygrad info``: what a model is made of, or what is installed and in use."""

from __future__ import annotations

from argparse import Namespace

from cygrad.cli.facts import describe, print_facts, print_json
from cygrad.config import show_config
from cygrad.network.storage import load


def run(arguments: Namespace) -> None:
    """Print what a model is made of, or what is installed and in use."""
    if arguments.model is None:
        facts = show_config("dicts")
    else:
        net = load(arguments.model)
        facts = {
            "model": arguments.model,
            **describe(net),
            "classes": net.classes,
            "standardized": net.input_mean is not None,
        }
    if arguments.json:
        print_json(facts)
    else:
        print_facts(facts)
