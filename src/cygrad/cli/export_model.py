"""``cygrad export``: write a model in the format of another program."""

from __future__ import annotations

import inspect
import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cygrad.cli.arguments_as_options import translated
from cygrad.cli.outputs import output_path
from cygrad.cli.reading import given, print_notes
from cygrad.cli.summary import print_lines
from cygrad.exchange import formats
from cygrad.network.network import load_network

if TYPE_CHECKING:
    from cygrad.network import Network


def run(arguments: Namespace) -> None:
    """Write the file, and print the result of its self-test."""
    reserved = {"model": arguments.model}
    reserved |= {} if arguments.data is None else {"data": arguments.data}
    path = output_path("FILE", arguments.file, reserved)
    write = formats.writer(path)
    net = load_network(arguments.model)
    options: dict[str, Any] = {}
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
    options |= _quantization(arguments, net, path, parameters)
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


def _quantization(
    arguments: Namespace, net: Network, path: Path, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of an export in integers, with the samples of --data."""
    if arguments.quantize is None:
        if arguments.data is not None or arguments.target is not None or given(arguments):
            raise ValueError("options of --data are only for --quantize, which is not given")
        return {}
    if "quantize" not in parameters:
        raise ValueError(f"--quantize: not for {path}, only for plain C")
    if arguments.data is None:
        raise ValueError("--quantize: expected --data, samples whose ranges give the scales")
    from cygrad.cli import known

    samples = known.read(net, arguments)
    print_notes(samples.notes)
    return {"quantize": arguments.quantize, "X": samples.X}
