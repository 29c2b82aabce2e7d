"""``cygrad info``: describe a model, or the installation."""

from __future__ import annotations

from argparse import Namespace

from cygrad.cli.summary import describe, layer_texts, print_json, print_summary
from cygrad.config import show_config
from cygrad.network.network import load_network


def run(arguments: Namespace) -> None:
    """Print the layers and settings of a model, or the versions and settings of the package."""
    net = None if arguments.model is None else load_network(arguments.model)
    if net is None:
        summary = show_config("dicts")
    else:
        encoder = net.encoder
        summary = {"model": arguments.model, **describe(net), "classes": net.classes}
        if encoder is not None:
            summary |= {"columns": encoder.columns, "target": encoder.target_names}
        by_encoder = encoder is not None and encoder.numbers != "none"
        summary["standardized"] = by_encoder or net.input_mean is not None
    if arguments.json:
        print_json(summary)
    else:
        if net is not None:
            summary["layers"] = layer_texts(net)
        print_summary(summary)
