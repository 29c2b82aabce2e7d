"""The losses of networks: their output layers, and the conversion of targets for the engine.

The engine computes the losses; the rest of the package reads this table.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad import checks
from cygrad._engine.samples import Samples, class_indices

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Targets = NDArray[np.int64] | Samples

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
    activation : str or None
        The activation required of the output layer. None: any except those in `refused`.
    refused : tuple of str
        Activations that the output layer cannot have.
    least_units : int
        Smallest number of units of the output layer.
    labels : bool
        True if targets can be one class index per sample.
    rows : bool
        True if targets can be a row of numbers per sample, one for each output.
    """

    formula: str
    metric: str
    activation: str | None = None
    refused: tuple[str, ...] = ()
    least_units: int = 1
    labels: bool = False
    rows: bool = True


LOSSES = {
    "quadratic": Loss("½ ‖a − y‖²", "mae"),
    "mse": Loss("‖a − y‖² / outputs", "mae"),
    "binary_cross_entropy": Loss("−Σ y ln a + (1 − y) ln(1 − a)", "accuracy", "sigmoid"),
    "cross_entropy": Loss("−Σ y ln a", "accuracy", "softmax", least_units=2, labels=True),
    "hinge": Loss(
        "Σ_{j≠y} max(0, a_j − a_y + 1)",
        "accuracy",
        refused=("softmax",),
        least_units=2,
        labels=True,
        rows=False,
    ),
}


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
        Class indices, shape (n,), for cross_entropy and hinge; or numbers, shape (n, outputs),
        for all losses but hinge: rows of probabilities for cross_entropy, numbers from 0 to 1 for
        binary_cross_entropy. Numbers for a single output can have shape (n,).
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
    array = checks.array(y, name)
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
    if loss == "cross_entropy":
        if not rows.within(0, inf):
            raise _outside(array, name, array < 0, "probabilities, of at least 0")
        wrong = rows.first_row_not_summing_to(1, PROBABILITY_TOLERANCE)
        if wrong is not None:
            raise ValueError(
                f"{name} sums to {wrong[1]} in row {wrong[0]}, expected probabilities that sum to 1"
            )
    if loss == "binary_cross_entropy" and not rows.within(0, 1):
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
