"""Sections on the settings: network, hyperparameters, data, and the command to repeat the run."""

from __future__ import annotations

import copy
import os
import shlex
import string
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad.cli.options import DIGITS
from cygrad.cli.report.errors import MOST_OUTPUTS
from cygrad.cli.report.markup import Markup, columns_table, element, summary_table
from cygrad.cli.report.pictures import SIZE, picture
from cygrad.cli.report.run import Run
from cygrad.config import show_config
from cygrad.network import Network
from cygrad.network.activations import row_of
from cygrad.network.descriptions import kind_text
from cygrad.network.layers import Layer
from cygrad.network.losses import row_of as loss_row

# Limits that keep the page short and small.
MOST_CLASSES = 50
MOST_FEATURES = 50

SCALES = {"none": "as they are", "robust": "scaled by median and quartiles, smoothly clipped"}
PARAMETRIZATIONS = {"standard": "standard", "ntk": "neural tangent"}

MOST_UNITS = 6  # per layer in the diagram, so that its text is as large as in other pictures
LAYER_WIDTH = 1.3  # inches per layer in the diagram


def network(net: Network) -> Iterator[Markup]:
    """Yield the diagram of the network and a table of its layers."""
    from cygrad import plotting

    # Without class names: the font of the pictures lacks letters that the fonts of the page have.
    nameless = copy.deepcopy(net)
    nameless.encoder = None
    nameless.classes = None
    title = "Units, and weights between them: blue and solid above zero, orange and dashed below"
    draw = partial(plotting.network_diagram, nameless, most=MOST_UNITS)
    size = max(SIZE[0], LAYER_WIDTH * len(net.layers) + 0.8), SIZE[1]
    diagram = picture("network", title, draw, size)
    yield element("div", diagram, _layers(net), class_="row")


def _layers(net: Network) -> Markup:
    scale = "" if net.input_mean is None else "standardised"
    rows: list[tuple[object, ...]] = [("inputs", scale, f"{net.inputs:,}", "", "")]
    for number, layer in enumerate(net.layers, 1):
        rows.append(
            (
                number,
                _layer_text(layer),
                f"{layer.units:,}",
                " × ".join(f"{size:,}" for size in layer.weights_shape)
                if layer.has_weights
                else "",
                f"{layer.n_parameters:,}",
            )
        )
    caption = f"Layers, with {net.n_parameters:,} parameters in all"
    columns = ("layer", "activation", "units", "weights", "parameters")
    return columns_table(caption, columns, rows, texts=2)


def _layer_text(layer: Layer) -> str:
    """Return activation and formula of a dense layer, and of others also what they are."""
    activation = f"{layer.activation}, {row_of(layer.activation).formula}"
    if layer.kind == "dense":
        return activation
    kind = kind_text(layer.description)
    return kind if layer.activation == "identity" else f"{kind}, {activation}"


def hyperparameters(run: Run) -> Iterator[Markup]:
    """Yield all settings of the run, with defaults, and the versions of the software."""
    arguments, result = run.arguments, run.result
    summary = {
        "data": result["data"],
        "target": _target(run),
        "task": result["task"],
        "test part": _test_part(run),
        "validation part": _validation_part(run),
        "preset": _preset(run),
        "inputs": SCALES.get(arguments.standardize, "standardised"),
        "their factors": _factors(run),
        "hidden layers": ", ".join(map(str, arguments.hidden)) or "none",
        "their activation": str(arguments.activation) if arguments.hidden else "none",
        "their norm": arguments.norm or "none",
        "parametrisation": PARAMETRIZATIONS[arguments.parametrization],
        "residual sums": "where widths allow" if arguments.residual else "none",
        "dropout": f"{arguments.dropout:g}, of inputs {arguments.input_dropout:g}",
        "noise on inputs": f"{arguments.noise:g}",
        "loss": f"{result['loss']}, {loss_row(run.net.loss).formula} of a sample",
        "dtype": result["dtype"],
        "epochs": f"{result['epochs']:,}",
        "batch size": f"{result['batch_size']:,}",
        "batches per step": f"{arguments.accumulate:,}",
        "optimiser": result["optimizer"],
        "limit of gradients": _clipping(run),
        "weights of classes": _class_weight(run),
        "schedule": _schedule(run),
        "early stopping": _early_stopping(run),
        "parameters": _epoch_of_parameters(arguments),
        "limits": _limits(run),
        "further metrics": ", ".join(arguments.metrics) or "none",
        "seed": result["seed"],
    }
    yield summary_table("Training", summary.items())
    config = show_config("dicts")
    names = {"cygrad": "cygrad", "NumPy": "numpy", "Python": "python", "machine": "machine"}
    versions = {name: config[key] for name, key in names.items()}
    versions["instruction set"] = config["isa"]
    versions["threads"] = f"at most {config['threads']}"
    yield summary_table("Versions", versions.items())


def _preset(run: Run) -> str:
    """Return the name of the preset, and the options that it set."""
    if run.arguments.preset is None:
        return "none"
    options = ", ".join(f"--{name.replace('_', '-')}" for name in run.result["preset_options"])
    return f"{run.arguments.preset}, which sets {options or 'nothing'}"


def _factors(run: Run) -> str:
    rate = run.arguments.scaling_rate
    return "none" if rate is None else f"learned, at {rate:g} times the learning rate"


def _target(run: Run) -> str:
    """Return the name of the target, or the value of --target if the file names none."""
    if run.arguments.data == DIGITS:
        return "the digit"
    given = ", ".join(run.arguments.target or ())
    return run.dataset.target or given or "the labels beside the images"


def _test_part(run: Run) -> str:
    test = len(run.dataset.test)
    train = len(run.dataset.train) + len(run.dataset.validation)
    if not test:
        return "none"
    choice = "every fifth of each class" if run.arguments.data == DIGITS else "chosen by the seed"
    return f"{100 * test / (test + train):.3g} % of the samples, {choice}"


def _validation_part(run: Run) -> str:
    rows = len(run.dataset.validation)
    if not rows:
        return "none"
    share = 100 * rows / (rows + len(run.dataset.train))
    return f"{share:.3g} % of the other samples, chosen by the seed"


def _schedule(run: Run) -> str:
    arguments = run.arguments
    plural = "epoch" if arguments.warmup == 1 else "epochs"
    warmup = f", after a rise over {arguments.warmup} {plural}" if arguments.warmup else ""
    return f"{arguments.schedule}{warmup}"


def _clipping(run: Run) -> str:
    names = {"clip_value": "each number", "clip_norm": "norm of each layer"}
    names["clip_global_norm"] = "norm of all layers"
    for argument, what in names.items():
        limit = getattr(run.arguments, argument)
        if limit is not None:
            return f"{what}, at most {limit:g}"
    return "none"


def _class_weight(run: Run) -> str:
    weights = run.arguments.class_weight
    if isinstance(weights, dict):
        return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    return weights or "none"


def _early_stopping(run: Run) -> str:
    patience = run.arguments.early_stopping
    return "none" if patience is None else f"after {patience} epochs without improvement"


def _epoch_of_parameters(arguments: Namespace) -> str:
    """Return which epoch the parameters of the model are of."""
    is_best = arguments.best_epoch or arguments.early_stopping is not None
    return f"of the {'best' if is_best else 'last'} epoch"


def _limits(run: Run) -> str:
    limits = []
    if run.arguments.max_steps is not None:
        limits.append(f"{run.arguments.max_steps:,} steps")
    if run.arguments.max_seconds is not None:
        limits.append(f"{run.arguments.max_seconds:g} seconds")
    return ", ".join(limits) or "none"


def data(run: Run) -> Iterator[Markup]:
    """Yield a summary of the file and of the targets."""
    dataset = run.dataset
    summary = dict(run.data)
    summary["samples"] = f"{len(dataset.X):,}"
    summary["inputs"] = f"{dataset.X.shape[1]:,}, {dataset.X.dtype}"
    if dataset.features:
        summary["their names"] = _shortened(dataset.features)
    summary["target"] = _target(run)
    yield summary_table("Samples", summary.items())
    rows = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    parts = {part: dataset.y[chosen] for part, chosen in rows.items()}
    parts = {part: y for part, y in parts.items() if len(y)}
    yield _quantities(parts) if dataset.classes is None else _classes(dataset.classes, parts)


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - MOST_FEATURES
    return ", ".join(names[:MOST_FEATURES]) + (f" and {more:,} more" if more > 0 else "")


def _classes(names: Sequence[str], parts: dict[str, NDArray[Any]]) -> Markup:
    counts = [np.bincount(y, minlength=len(names)) for y in parts.values()]
    caption = "Samples of each class"
    if len(names) > MOST_CLASSES:
        caption += f", for the first {MOST_CLASSES} of {len(names):,}"
    rows = [
        (name, *(f"{count[index]:,}" for count in counts))
        for index, name in enumerate(names[:MOST_CLASSES])
    ]
    return columns_table(caption, ("class", *parts), rows)


def _quantities(parts: dict[str, NDArray[Any]]) -> Markup:
    rows = []
    for part, y in parts.items():
        outputs = y.reshape(len(y), -1).astype(np.float64).T
        for number, values in enumerate(outputs[:MOST_OUTPUTS], 1):
            label = part if len(outputs) == 1 else f"{part}, output {number}"
            statistics = values.min(), values.mean(), values.max(), values.std()
            rows.append((label, *(f"{statistic:.6g}" for statistic in statistics)))
    columns = ("part", "least", "mean", "greatest", "standard deviation")
    return columns_table("Values of the target", columns, rows)


def repeat(run: Run) -> Iterator[Markup]:
    """Yield the command that repeats the run, and the checksum of the model to compare."""
    words = (element("span", shell_quoted(word)) for word in ("cygrad", *run.arguments.argv))
    yield element("pre", element("code", Markup(" ".join(words))))
    text = "In the same folder, with the same data and versions, this gives the same parameters, "
    text += "bit for bit, on any instruction set and any number of threads"
    if run.model is None:
        yield element("p", f"{text}.")
        return
    yield element("p", f"{text}, and so the same file again:")
    summary = {"file": run.result["output"], "SHA-256": run.model}
    yield summary_table("The trained network, as it is saved", summary.items())


def shell_quoted(word: str) -> str:
    """Quote a word for a POSIX shell."""
    if word.isprintable():
        return shlex.quote(word)
    # Line ends, bytes that are not UTF-8, and characters that copying from a page would change.
    plain = set(string.ascii_letters + string.digits + "/._-")
    parts = (chr(byte) if chr(byte) in plain else f"\\x{byte:02x}" for byte in os.fsencode(word))
    return "$'" + "".join(parts) + "'"
