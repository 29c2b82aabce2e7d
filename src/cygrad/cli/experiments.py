"""``cygrad experiments``: the experiments of the package, listed and run."""

from __future__ import annotations

import os
from argparse import Namespace

from cygrad import experiments
from cygrad.cli.options import ALL


def run(arguments: Namespace) -> None:
    """List the experiments, or run one or all of them."""
    if arguments.action == "list":
        width = max(map(len, experiments.EXPERIMENTS))
        for name, subject in experiments.EXPERIMENTS.items():
            print(f"{name:<{width}}  {subject}")
        return
    os.environ.setdefault("MPLBACKEND", "agg")  # files alone: no windows, and no display needed
    names = experiments.EXPERIMENTS if arguments.name == ALL else [arguments.name]
    for name in names:
        experiments.run(name, arguments.output)
