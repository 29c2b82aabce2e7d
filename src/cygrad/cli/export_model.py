"""``cygrad export``: write a model in the format of another program."""

from __future__ import annotations

import inspect
import warnings
from argparse import Namespace

from cygrad.cli.arguments_as_options import translated
from cygrad.cli.outputs import output_path
from cygrad.cli.reading import print_notes
from cygrad.cli.summary import print_lines
from cygrad.exchange import formats
from cygrad.network import load


def run(arguments: Namespace) -> None:
    """Write the file, and print the result of its self-test."""
    path = output_path("FILE", arguments.file, {"model": arguments.model})
    write = formats.writer(path)
    net = load(arguments.model)
    options = {}
    parameters = inspect.signature(write).parameters
    if arguments.lossy:
        if "lossy" in parameters:
            options["lossy"] = True
        else:
            print_notes([f"--lossy changes nothing: {path} holds all of the model"])
    if not arguments.verify:
        if "verify" not in parameters:
            raise ValueError(f"--no-verify: not for {path}, whose self-test runs no compiler")
        options["verify"] = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            result = write(net, path, **options)
        except ValueError as error:
            raise ValueError(f"{arguments.model}: {translated(str(error))}") from error
        except RuntimeError as error:  # of a compiler, in several lines
            reason = translated(" ".join(str(error).split()))
            raise ValueError(f"{path} is not written, its test failed: {reason}") from error
    print_notes(str(each.message) for each in caught)
    print_lines([str(result)])
