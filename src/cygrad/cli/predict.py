"""``cygrad predict``: predict the samples in a file with a saved network."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cygrad.atomic_write import atomic_write
from cygrad.cli import known
from cygrad.cli.columns import print_notes
from cygrad.cli.summary import metric_text
from cygrad.network import Network, load
from cygrad.network.loss_functions import pinball
from cygrad.network.losses import row_of


def run(arguments: Namespace) -> None:
    """Write the predictions to stdout or a file, and their accuracy or error to stderr."""
    _check_output(arguments)
    net = load(arguments.model)
    has_probabilities = row_of(net.loss).outputs == "probabilities"
    if arguments.probabilities and not has_probabilities:
        raise ValueError(f"--probabilities: {arguments.model} was trained with {net.loss}")
    samples = known.read(net, arguments)
    metrics = None if samples.y is None else known.evaluate(net, samples)
    if arguments.output is None:
        _check_letters("class", net.classes or ())
        _check_letters("value", samples.ids)
    predicted = known.predict(net, samples)
    _check_numbers(predicted, arguments.data)
    header, columns = _predicted_columns(net, predicted)
    if arguments.probabilities:
        header += [f"probability_{name}" for name in _output_names(net)]
        columns += [map(str, column) for column in net.forward(samples.X).T]
    if arguments.id is not None:
        header.insert(0, samples.id_name)
        columns.insert(0, samples.ids)
    with _output(arguments.output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))
    print_notes(samples.notes)
    if metrics is not None:
        text = metric_text(net.metric, metrics[net.metric])
        print(f"{net.metric} {text} ({samples.X.shape[0]} samples)", file=sys.stderr)


def _check_output(arguments: Namespace) -> None:
    """Raise a ValueError if the output file is the model or the data."""
    if arguments.output is None or not os.path.exists(arguments.output):
        return
    for role in ("model", "data"):
        path = getattr(arguments, role)
        if os.path.exists(path) and os.path.samefile(path, arguments.output):
            raise ValueError(f"--output {arguments.output} is the {role}, expected another file")


def _check_letters(what: str, names: Sequence[str]) -> None:
    """Raise a ValueError if stdout cannot encode a name.

    Escapes such as ``\\xe9`` would be wrong here: other programs read the predictions.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    errors = getattr(sys.stdout, "errors", None) or "strict"
    for name in names:
        try:
            name.encode(encoding, errors)
        except UnicodeEncodeError:
            raise ValueError(
                f"{what} {name!r} cannot be written in {encoding}, the encoding of stdout: "
                "expected --output, or PYTHONIOENCODING=utf-8"
            ) from None


def _check_numbers(predicted: NDArray[Any], data: str) -> None:
    """Raise a ValueError if a prediction is NaN or infinite: nothing is written then."""
    finite = np.isfinite(predicted).reshape(len(predicted), -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"{data}, sample {row + 1}: the prediction is {predicted[row]}, expected inputs whose "
            "sums do not overflow"
        )


def _predicted_columns(
    net: Network, predicted: NDArray[Any]
) -> tuple[list[str], list[Iterable[str]]]:
    """Return the headers and the text of the columns of predictions."""
    if predicted.ndim == 1:
        if net.classes is None:
            return ["prediction"], [map(str, predicted)]
        return ["prediction"], [np.array(net.classes, object)[predicted]]
    return _headers(net, predicted.shape[1]), [map(str, column) for column in predicted.T]


def _headers(net: Network, columns: int) -> list[str]:
    """Return the headers of several outputs."""
    if isinstance(net.loss, pinball) and net.loss.repeats_targets:
        return [f"quantile_{share:g}" for share in net.loss.parameters]
    moments = row_of(net.loss).outputs == "moments"
    names = ("prediction", "log_variance") if moments else ("prediction",)
    count = columns // len(names)
    encoder = net.encoder
    if encoder is not None and len(encoder.target_names) == count > 1:
        return [f"{name}_{target}" for name in names for target in encoder.target_names]
    ends = [""] if count == 1 else [f"_{number}" for number in range(1, count + 1)]
    return [name + end for name in names for end in ends]


def _output_names(net: Network) -> Sequence[str]:
    if net.classes is None:
        return [str(index) for index in range(net.outputs)]
    return net.classes[-net.outputs :]  # a single output is the probability of the second class


def _output(path: str | None) -> contextlib.AbstractContextManager[IO[str]]:
    """Return stdout, or a file that gets its name when it is complete."""
    if path is None:
        return contextlib.nullcontext(sys.stdout)
    return atomic_write(path, "--output", text=True)
