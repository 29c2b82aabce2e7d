"""The losses of networks: their output layers, and the conversion of targets for the engine.

The engine computes the losses; the rest of the package reads this table.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad import checks
from cygrad._engine import kernels
from cygrad._engine.samples import Samples, class_indices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Targets = NDArray[np.int64] | Samples
    KinkDistances = Callable[[NDArray[Any], NDArray[np.int64]], NDArray[Any]]

# Largest distance from 1 of the sum of a row of probabilities: float32 softmax outputs pass.
PROBABILITY_TOLERANCE = 1e-5


class Loss(NamedTuple):
    """A loss, one row of the table `LOSSES`.

    Attributes
    ----------
    formula : str
        The loss of one sample, with outputs a and targets y.
    metric : str
        The metric reported next to the loss: "accuracy", or "mae" (mean absolute error).
    outputs : {"numbers", "scores", "probabilities"}
        The meaning of the outputs.
    targets : {"numbers", "fractions", "probabilities"} or None
        The rows of numbers that targets can be, one for each output: any numbers, numbers from 0
        to 1, or numbers of at least 0 that sum to 1. None: no rows.
    activation : str or None
        The activation required of the output layer. None: any except those in `refused`.
    refused : tuple of str
        Activations that the output layer cannot have.
    least_units : int
        Smallest number of units of the output layer.
    labels : bool
        True if targets can be one class index per sample.
    decides_at_half : bool
        True if each output predicts 1 where it is at least 0.5, else 0.
    rows : bool
        True if targets can be a row of numbers per sample, of the kind that `targets` says.
    kink_distances : function of (a, y) or None
        Distances from the points where the loss has no derivative, for outputs a, shape (n, out),
        and class indices y. None: there is no such point.
    """

    formula: str
    metric: str
    outputs: str
    targets: str | None
    activation: str | None
    refused: tuple[str, ...]
    least_units: int
    labels: bool
    decides_at_half: bool
    rows: bool
    kink_distances: KinkDistances | None


def _row(
    name: str,
    formula: str,
    metric: str,
    outputs: str,
    targets: str | None,
    activation: str | None = None,
    *,
    refused: tuple[str, ...] = (),
    least_units: int = 1,
    kink_distances: KinkDistances | None = None,
) -> tuple[str, Loss]:
    """Make a row; the other properties are those that csrc/losses.h says."""
    properties = kernels.LOSSES[name]
    return name, Loss(
        formula,
        metric,
        outputs,
        targets,
        activation,
        refused,
        least_units,
        labels="takes_classes" in properties,
        rows="takes_rows" in properties,
        decides_at_half="decides_at_half" in properties,
        kink_distances=kink_distances,
    )


def _margins(a: NDArray[Any], y: NDArray[np.int64]) -> NDArray[Any]:
    """Return a_j − a_y + 1 of every output, shape (n, out)."""
    margins: NDArray[Any] = a - np.take_along_axis(a, y[:, np.newaxis], axis=1) + 1
    return margins


LOSSES = dict(
    (
        _row("quadratic", "½ ‖a − y‖²", "mae", "numbers", "numbers"),
        _row("mse", "‖a − y‖² / outputs", "mae", "numbers", "numbers"),
        _row(
            "binary_cross_entropy",
            "−Σ y ln a + (1 − y) ln(1 − a)",
            "accuracy",
            "probabilities",
            "fractions",
            "sigmoid",
        ),
        _row(
            "cross_entropy",
            "−Σ y ln a",
            "accuracy",
            "probabilities",
            "probabilities",
            "softmax",
            least_units=2,
        ),
        _row(
            "hinge",
            "Σ_{j≠y} max(0, a_j − a_y + 1)",
            "accuracy",
            "scores",
            None,
            refused=("softmax",),
            least_units=2,
            kink_distances=_margins,
        ),
    )
)

#: For docstrings: the names, and a line for each with its formula.
NAMES = ", ".join(f'"{name}"' for name in LOSSES)
FORMULAS = ";\n        ".join(f"{name} {loss.formula}" for name, loss in LOSSES.items())


def takes_labels() -> tuple[str, ...]:
    """Return the names of the losses whose targets can be class indices."""
    return tuple(name for name, loss in LOSSES.items() if loss.labels)


def check_output(loss: str, activation: str, units: int) -> None:
    """Check that an output layer fits a loss.

    Raises
    ------
    ValueError
        If it does not; the message names layers and losses that do.
    """
    needs = LOSSES[loss]
    layer = f"Dense({units}, {activation!r})"
    if needs.activation is not None and activation != needs.activation:
        fitting = [name for name, other in LOSSES.items() if _accepts(other, activation, units)]
        raise ValueError(
            f"loss {loss!r} needs a {needs.activation} output layer, and the last layer is "
            f"{layer}; expected Dense({max(units, needs.least_units)}, {needs.activation!r}), "
            f"or loss {' or '.join(map(repr, fitting))}"
        )
    if activation in needs.refused:
        raise ValueError(
            f"loss {loss!r} is of scores, not of probabilities, and the last layer is {layer}; "
            f"expected Dense({units}, 'identity'), or loss 'cross_entropy'"
        )
    if units < needs.least_units:
        raise ValueError(
            f"loss {loss!r} needs at least {needs.least_units} outputs, one for each class, and "
            f"the last layer is {layer}; for two classes expected "
            f"Dense({needs.least_units}, {activation!r}), "
            "or Dense(1, 'sigmoid') with loss 'binary_cross_entropy'"
        )


def _accepts(loss: Loss, activation: str, units: int) -> bool:
    return (
        loss.activation in (None, activation)
        and activation not in loss.refused
        and units >= loss.least_units
    )


def encode_targets(
    loss: str, y: ArrayLike, n: int, outputs: int, name: str = "y", dtype: str = "float64"
) -> Targets:
    """Check targets and convert them for the engine.

    Parameters
    ----------
    loss : str
        Name of the loss.
    y : array_like
        Class indices, shape (n,), for losses with `labels`; or numbers, shape (n, outputs), of the
        kind that the loss has in `targets`. Numbers for a single output can have shape (n,).
    n : int
        Number of samples.
    outputs : int
        Number of outputs of the network.
    name : str
        Name of `y` in error messages.
    dtype : {"float32", "float64"}
        The type in which numbers must be finite.

    Returns
    -------
    ndarray of int64, shape (n,), or Samples
        Class indices, always copied: the engine relies on their range, even if the caller changes
        `y` later. Or numbers, not copied.

    Raises
    ------
    TypeError, ValueError
        If `y` is not as described.
    """
    taken = LOSSES[loss]
    array = y if type(y) is np.ndarray else checks.array(y, name)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {array.dtype}, expected {_wanted(loss, outputs)}")
    if array.ndim != 0 and len(array) != n:
        raise ValueError(f"{name} has {len(array)} targets for {n} samples, expected {n}")
    if taken.labels and array.ndim == 1:
        return _class_indices(array, name, outputs, loss)
    if array.ndim == 1 and outputs == 1:
        array = array[:, np.newaxis]
    if not taken.rows or array.shape != (n, outputs):
        raise ValueError(f"{name} has shape {array.shape}, expected {_wanted(loss, outputs)}")
    rows = Samples(array, name, outputs, dtype)
    if taken.targets == "probabilities":
        if not rows.within(0, inf):
            raise _outside(array, name, array < 0, "probabilities, of at least 0")
        wrong = rows.first_row_not_summing_to(1, PROBABILITY_TOLERANCE)
        if wrong is not None:
            raise ValueError(
                f"{name} sums to {wrong[1]} in row {wrong[0]}, expected probabilities that sum to 1"
            )
    if taken.targets == "fractions" and not rows.within(0, 1):
        raise _outside(array, name, (array < 0) | (array > 1), "numbers from 0 to 1")
    return rows


def _wanted(name: str, outputs: int) -> str:
    """Describe the expected `y` for an error message."""
    loss = LOSSES[name]
    kinds = []
    if loss.labels:
        kinds.append(f"integer class indices from 0 to {outputs - 1} of shape (n,)")
    if loss.rows:
        what = "probabilities" if loss.labels else "numbers"
        shape = "(n,) or (n, 1)" if outputs == 1 else f"(n, {outputs})"
        kinds.append(f"{what} of shape {shape}")
    return f"{' or '.join(kinds)} for loss {name!r}"


def _class_indices(array: NDArray[Any], name: str, outputs: int, loss: str) -> NDArray[np.int64]:
    if array.dtype.kind == "f":
        raise TypeError(
            f"{name} has dtype {array.dtype} and shape {array.shape}, "
            f"expected {_wanted(loss, outputs)}; {name}.astype(int) where it holds whole numbers"
        )
    indices = class_indices(array, outputs)
    if indices is None:
        raise _outside(array, name, (array < 0) | (array >= outputs), _wanted(loss, outputs))
    return indices


def _outside(array: NDArray[Any], name: str, wrong: NDArray[np.bool_], expected: str) -> ValueError:
    """Return an error that names the first wrong number and its place."""
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    column = "" if len(where) == 1 else f", column {where[1]}"
    return ValueError(f"{name} holds {array[where]} in row {where[0]}{column}, expected {expected}")
