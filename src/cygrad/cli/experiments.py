"""``cygrad experiments``: list and run the experiments of the package."""

from __future__ import annotations

import os
from argparse import Namespace

from cygrad import experiments
from cygrad.cli.options import ALL
from cygrad.cli.outputs import output_folder


def run(arguments: Namespace) -> None:
    """List the experiments, or run one or all of them."""
    if arguments.action == "list":
        width = max(map(len, experiments.EXPERIMENTS))
        for name, subject in experiments.EXPERIMENTS.items():
            print(f"{name:<{width}}  {subject}")
        return
    folder = output_folder("--output", arguments.output)
    os.environ.setdefault("MPLBACKEND", "agg")  # draws into files and needs no display
    names = experiments.EXPERIMENTS if arguments.name == ALL else [arguments.name]
    try:
        for name in names:
            experiments.run(name, folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"what was drawn until then is in {folder}") from None
