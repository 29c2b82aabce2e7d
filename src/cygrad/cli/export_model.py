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
    if arguments.lossy:
        if "lossy" in inspect.signature(write).parameters:
            options["lossy"] = True
        else:
            print_notes([f"--lossy changes nothing: {path} holds all of the model"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            result = write(net, path, **options)
        except ValueError as error:
            raise ValueError(f"{arguments.model}: {translated(str(error))}") from error
        except RuntimeError as error:  # of a compiler, in several lines
            reason = " ".join(str(error).split())
            raise ValueError(f"{path} is written, but its test failed: {reason}") from error
    print_notes(str(each.message) for each in caught)
    text = str(result)
    print_lines([text if text.startswith(f"{path}: ") else f"{path}: {text}"])
