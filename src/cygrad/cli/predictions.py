"""Predictions as columns of text with headers: of ``cygrad predict``, and of a cross-validation."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cygrad.atomic_write import atomic_write
from cygrad.network.loss_functions import pinball
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

#: Headers, and the text of the column below each.
TextColumns = tuple[list[str], list[Iterable[str]]]


def check_probabilities(loss: Any, model: str) -> None:
    """Raise a ValueError if a network with this loss has no probabilities."""
    if row_of(loss).outputs != "probabilities":
        raise ValueError(f"--probabilities: {model} was trained with {loss}")


def check_numbers(
    predicted: NDArray[Any], data: str, rows: NDArray[np.int64] | None = None
) -> None:
    """Raise a ValueError if a prediction is NaN or infinite: nothing is written then.

    The message has the number of the sample, which is in `rows` if they are not all of the data.
    """
    finite = np.isfinite(predicted).reshape(len(predicted), -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        sample = 1 + (row if rows is None else int(rows[row]))
        raise ValueError(
            f"{data}, sample {sample}: the prediction is {predicted[row]}, expected inputs whose "
            "sums do not overflow"
        )


def text_columns(net: Network, predicted: NDArray[Any]) -> TextColumns:
    """Return predictions as columns.

    Parameters
    ----------
    net : Network
    predicted : ndarray, shape (n,) or (n, outputs)
        Class indices; or quantities in their unit, as `known.predict` returns them.
    """
    if predicted.ndim == 1:
        if net.classes is None:
            return ["prediction"], [map(str, predicted)]
        return ["prediction"], [np.array(net.classes, object)[predicted]]
    return _headers(net, predicted.shape[1]), [map(str, column) for column in predicted.T]


def probability_columns(net: Network, outputs: NDArray[Any]) -> TextColumns:
    """Return a column with the probability of each class.

    A single output p is the probability of the second class, and 1 − p that of the first. Several
    outputs of binary_cross_entropy are decisions of their own, with a column for each.

    Parameters
    ----------
    net : Network
        One with `check_probabilities`.
    outputs : ndarray, shape (n, outputs)
    """
    if net.outputs == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    names: Sequence[object] = range(outputs.shape[1])
    if net.classes is not None and len(net.classes) == len(names):
        names = net.classes
    return [f"probability_{name}" for name in names], [map(str, column) for column in outputs.T]


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


def check_letters(what: str, names: Sequence[str]) -> None:
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


def output(path: str | Path | None) -> contextlib.AbstractContextManager[IO[str]]:
    """Return stdout, or a file that gets its name when it is complete."""
    if path is None:
        return contextlib.nullcontext(sys.stdout)
    return atomic_write(path, "--output", text=True)
