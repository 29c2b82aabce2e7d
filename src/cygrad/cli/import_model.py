"""``cygrad import``: make a model of the file of another program."""

from __future__ import annotations

import inspect
from argparse import Namespace

from cygrad.cli.arguments_as_options import translated
from cygrad.cli.outputs import output_path
from cygrad.cli.summary import describe, layer_texts, print_json, print_summary
from cygrad.exchange import formats

#: Options that not every format has, by the arguments of the functions that read it.
OPTIONS = (
    "activations",
    "order",
    "eps",
    "norm",
    "config",
    "loss",
    "classes",
    "dtype",
    "scale",
    "lossy",
)


def run(arguments: Namespace) -> None:
    """Read the file, save the model, and describe it."""
    path = output_path("MODEL", arguments.model, {"file": arguments.file})
    read = formats.reader(arguments.file)
    parameters = inspect.signature(read).parameters
    options = {}
    for name in OPTIONS:
        value = getattr(arguments, name)
        if value is None:
            continue
        if name not in parameters:
            raise ValueError(f"--{name}: not for {arguments.file}, which leaves no choice of it")
        options[name] = value
    try:
        net = read(arguments.file, **options)
    except ValueError as error:
        text = translated(str(error))
        named = text if arguments.file in text else f"{arguments.file}: {text}"
        raise ValueError(named) from error
    net.save(path)
    summary = {"file": arguments.file, **describe(net), "classes": net.classes, "output": str(path)}
    if arguments.json:
        print_json(summary)
        return
    summary["layers"] = layer_texts(net)
    print_summary(summary)
