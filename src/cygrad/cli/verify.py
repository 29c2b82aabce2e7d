"""``cygrad verify``: repeat the self-test of a file that ``cygrad export`` has written."""

from __future__ import annotations

import warnings
from argparse import Namespace

from cygrad.cli.summary import print_lines
from cygrad.exchange import formats


def run(arguments: Namespace) -> None:
    """Print the largest difference; an error if rounding does not explain it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the error below says the same
        test = formats.verify(arguments.file)
    if not test.passed:
        raise ValueError(f"{arguments.file}: {test}, more than rounding explains")
    print_lines([f"{arguments.file}: {test}"])
