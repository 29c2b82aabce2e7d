"""``cygrad verify``: repeat the self-test of a file that ``cygrad export`` has written."""

from __future__ import annotations

import warnings
from argparse import Namespace

from cygrad.cli.arguments_as_options import translated
from cygrad.cli.summary import print_lines
from cygrad.exchange import formats
from cygrad.network.network import load_network


def run(arguments: Namespace) -> None:
    """Print the largest difference; an error if rounding does not explain it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the error below says the same
        net = None if arguments.model is None else load_network(arguments.model)
        try:
            export = formats.verify(arguments.file, net)
        except ValueError as error:
            raise ValueError(translated(str(error))) from error
        except RuntimeError as error:  # of a compiler, in several lines
            raise ValueError(" ".join(str(error).split())) from error
    if export.test is not None and not export.test.passed:
        raise ValueError(f"{export}, more than rounding explains")
    print_lines([str(export)])
