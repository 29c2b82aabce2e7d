"""The losses of networks: their output layers, and the conversion of targets for the engine.

The engine computes the losses; the rest of the package reads this table. Losses with parameters are
in `loss_functions`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad import checks
from cygrad._engine import kernels
from cygrad._engine.plan import CustomTargets
from cygrad._engine.samples import Samples, class_indices
from cygrad.network.loss_functions import CUSTOM, LossFunction, with_defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.loss_functions import CustomLoss

    Targets = NDArray[np.int64] | Samples | CustomTargets
    KinkDistances = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

# The names that files had in the first version of their format.
FIRST_LOSSES = ("quadratic", "mse", "binary_cross_entropy", "cross_entropy", "hinge")

# Largest distance from 1 of the sum of a row of probabilities: float32 softmax outputs pass.
PROBABILITY_TOLERANCE = 1e-5


class Loss(NamedTuple):
    """A loss, one row of the table `LOSSES`.

    Attributes
    ----------
    formula : str
        The loss of one sample, with outputs a and targets y.
    metric : str
        The metric reported next to the loss: "accuracy", "mae" (mean absolute error), or
        "deviance" (mean Poisson deviance).
    outputs : {"numbers", "rates", "moments", "scores", "probabilities"}
        The meaning of the outputs.
    targets : {"numbers", "counts", "fractions", "probabilities"} or None
        The rows of numbers that targets can be: any numbers, numbers from 0 on, numbers from 0 to
        1, or numbers of at least 0 that sum to 1. None: no rows.
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
        Distances from the points where the loss or its derivative jumps, for outputs a, shape
        (n, out), and class indices or rows of targets y. None: there is no such point.
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


def _margins(a: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return a_j − a_y + 1 of every output, shape (n, out)."""
    labels = y.astype(np.intp)[:, np.newaxis]
    margins: NDArray[Any] = a - np.take_along_axis(a, labels, axis=1) + 1
    return margins


def _errors(a: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return a − y, shape (n, out)."""
    errors: NDArray[Any] = a - (y[:, np.newaxis] if y.ndim == 1 else y)
    return errors


LOSSES = dict(
    (
        _row("quadratic", "½ ‖a − y‖²", "mae", "numbers", "numbers"),
        _row("mse", "‖a − y‖² / outputs", "mae", "numbers", "numbers"),
        _row(
            "mae",
            "Σ |a − y| / outputs",
            "mae",
            "numbers",
            "numbers",
            kink_distances=_errors,
        ),
        _row("huber", "Σ h(a − y) / outputs, see `losses.huber`", "mae", "numbers", "numbers"),
        _row("log_cosh", "Σ ln cosh(a − y) / outputs", "mae", "numbers", "numbers"),
        _row(
            "pinball",
            "Σ max(q (y − a), (1 − q) (a − y)) / outputs, see `losses.pinball`",
            "mae",
            "numbers",
            "numbers",
            kink_distances=_errors,
        ),
        _row("poisson", "Σ a − y ln a, / outputs", "deviance", "rates", "counts", "exp"),
        _row(
            "gaussian_nll",
            "½ Σ ln v + (μ − y)² / v, / means, see `losses.gaussian_nll`",
            "mae",
            "moments",
            "numbers",
            refused=("softmax",),
            least_units=2,
        ),
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
            "focal",
            "−(1 − a_y)^γ ln a_y, see `losses.focal`",
            "accuracy",
            "probabilities",
            None,
            "softmax",
            least_units=2,
        ),
        _row(
            "kl_divergence",
            "Σ y ln(y / a)",
            "mae",
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
        _row(
            "squared_hinge",
            "Σ_{j≠y} max(0, a_j − a_y + 1)²",
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


# A loss that is a Python function.
_CUSTOM = Loss(
    "of a Python function",
    "mean_loss",
    "numbers",
    None,
    None,
    (),
    1,
    labels=False,
    decides_at_half=False,
    rows=False,
    kink_distances=None,
)


def loss_name(loss: str | LossFunction | CustomLoss) -> str:
    """Return the name of a loss, with or without parameters; "custom" for a function."""
    if isinstance(loss, str):
        return loss
    return loss.name if isinstance(loss, LossFunction) else CUSTOM


def row_of(loss: str | LossFunction | CustomLoss) -> Loss:
    """Return the row of the table for a loss, with or without parameters."""
    name = loss_name(loss)
    return _CUSTOM if name == CUSTOM else LOSSES[name]


def function_of(loss: str | LossFunction | CustomLoss) -> LossFunction | None:
    """Return a loss with its parameters, or with the defaults of a name; None if it has none."""
    if isinstance(loss, str):
        return with_defaults(loss)
    return loss if isinstance(loss, LossFunction) else None


def check_loss(loss: Any) -> str | LossFunction | CustomLoss:
    """Return a loss of `Network`: the name alone, if its parameters are the defaults."""
    if isinstance(loss, LossFunction):
        return loss.name if loss == with_defaults(loss.name) else loss
    if callable(loss) and not isinstance(loss, type):
        function: CustomLoss = loss
        return function
    return checks.one_of(loss, "loss", LOSSES)


def target_columns(loss: str | LossFunction | CustomLoss, outputs: int) -> int:
    """Return how many numbers a row of targets has."""
    function = function_of(loss)
    return outputs if function is None else function.target_columns(outputs)


def compared_outputs(
    loss: str | LossFunction | CustomLoss, y: NDArray[Any], outputs: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the targets and the outputs that predict them, both (n, k).

    Of `gaussian_nll` the outputs are the means. One target for several quantiles is repeated for
    each of them.
    """
    columns = target_columns(loss, outputs.shape[1])
    rows = y.reshape(len(outputs), -1)
    return np.broadcast_to(rows, (len(outputs), columns)), outputs[:, :columns]


def middle_quantile(
    loss: str | LossFunction | CustomLoss, y: NDArray[Any], outputs: int
) -> int | None:
    """Return the output whose quantile is the nearest to ½; None if outputs have own targets."""
    function = function_of(loss)
    if function is None or not function.repeats_targets or outputs == 1 or y[0].size != 1:
        return None
    return int(np.argmin([abs(quantile - 0.5) for quantile in function.parameters]))


def check_output(loss: str | LossFunction | CustomLoss, activation: str, units: int) -> None:
    """Check that an output layer fits a loss.

    Raises
    ------
    ValueError
        If it does not; the message names layers and losses that do.
    """
    function = function_of(loss)
    loss, needs = loss_name(loss), row_of(loss)
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
    if function is not None:
        function.check_units(units)


def _accepts(loss: Loss, activation: str, units: int) -> bool:
    return (
        loss.activation in (None, activation)
        and activation not in loss.refused
        and units >= loss.least_units
    )


def encode_targets(
    loss: str | LossFunction | CustomLoss,
    y: ArrayLike,
    n: int,
    outputs: int,
    name: str = "y",
    dtype: str = "float64",
    classes: Sequence[str] | None = None,
) -> Targets:
    """Check targets and convert them for the engine.

    Parameters
    ----------
    loss : str or LossFunction
        The loss.
    y : array_like
        Class indices, shape (n,) or (n, 1), for losses with `labels`; or numbers, shape
        (n, outputs), of the kind that the loss has in `targets`. Numbers for a single output can
        have shape (n,).
        Classes can also be given by their names, if the network has `classes`.
    n : int
        Number of samples.
    outputs : int
        Number of outputs of the network.
    name : str
        Name of `y` in error messages.
    dtype : {"float32", "float64"}
        The type in which numbers must be finite.
    classes : sequence of str or None
        Names of the classes.

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
    taken, function = row_of(loss), function_of(loss)
    columns = outputs if function is None else function.target_columns(outputs)
    array = y if type(y) is np.ndarray else checks.array(y, name)
    if taken is _CUSTOM:
        if array.ndim == 0 or len(array) != n:
            raise ValueError(f"{name} has shape {array.shape}, expected a target for each of {n}")
        return CustomTargets(array)
    if taken.labels and columns > 1 and array.shape == (n, 1) and array.dtype.kind != "f":
        array = array.reshape(n)  # a column of classes
    if classes is not None and array.dtype.kind in "OUT" and array.ndim == 1:
        array = _named_classes(array, name, classes)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {array.dtype}, expected {_wanted(loss, outputs)}")
    if array.ndim != 0 and len(array) != n:
        raise ValueError(f"{name} has {len(array)} targets for {n} samples, expected {n}")
    if taken.labels and array.ndim == 1:
        return _class_indices(array, name, outputs, loss)
    repeats = function is not None and function.repeats_targets
    if array.ndim == 1 and (columns == 1 or repeats):
        array = array[:, np.newaxis]
    if repeats and array.shape == (n, 1):
        array = np.broadcast_to(array, (n, columns))
    if not taken.rows or array.shape != (n, columns):
        raise ValueError(f"{name} has shape {np.shape(y)}, expected {_wanted(loss, outputs)}")
    rows = Samples(array, name, columns, dtype)
    if taken.targets == "probabilities":
        if not rows.within(0, inf):
            raise _outside(array, name, array < 0, "probabilities, of at least 0")
        wrong = rows.first_row_not_summing_to(1, PROBABILITY_TOLERANCE)
        if wrong is not None:
            raise ValueError(
                f"{name} sums to {wrong[1]} in row {wrong[0]}, expected probabilities that sum to 1"
            )
    if taken.targets == "counts" and not rows.within(0, inf):
        raise _outside(array, name, array < 0, "counts or rates, of at least 0")
    if taken.targets == "fractions" and not rows.within(0, 1):
        wanted = f"numbers from 0 to 1{_instead(array, name, 2)}"
        raise _outside(array, name, (array < 0) | (array > 1), wanted)
    return rows


def _wanted(loss: str | LossFunction | CustomLoss, outputs: int) -> str:
    """Describe the expected `y` for an error message."""
    row, columns, kinds = row_of(loss), target_columns(loss, outputs), []
    function = function_of(loss)
    if row.labels:
        kinds.append(f"integer class indices from 0 to {outputs - 1} of shape (n,)")
    if row.rows:
        what = "probabilities" if row.targets == "probabilities" else "numbers"
        shape = "(n,) or (n, 1)" if columns == 1 else f"(n, {columns})"
        if function is not None and function.repeats_targets and columns > 1:
            shape = f"(n,), (n, 1) or {shape}"
        kinds.append(f"{what} of shape {shape}")
    return f"{' or '.join(kinds)} for loss {loss!r}"


def _named_classes(array: NDArray[Any], name: str, classes: Sequence[str]) -> NDArray[Any]:
    """Return the index of each class name; the array itself, if it holds other objects."""
    values = array.tolist()
    if not all(isinstance(value, str) for value in values):
        return array
    indices = {each: index for index, each in enumerate(classes)}
    for row, value in enumerate(values):
        if value not in indices:
            raise ValueError(
                f"{name} holds {value!r} in row {row}, expected one of the network's classes: "
                f"{', '.join(map(repr, classes))}"
            )
    return np.array([indices[value] for value in values], np.int64)


def class_named(label: str, name: str, classes: Sequence[str]) -> int:
    """Return the index of one class name."""
    if label not in classes:
        raise ValueError(
            f"{name} is {label!r}, expected one of the network's classes: "
            f"{', '.join(map(repr, classes))}"
        )
    return classes.index(label)


def sides_of_half(y: ArrayLike, classes: Sequence[str] | None) -> NDArray[np.int64]:
    """Return the class, 0 or 1, of each target of a single output that decides at ½."""
    array = np.asarray(y)
    if classes is not None and array.dtype.kind in "OUT" and array.ndim == 1:
        array = _named_classes(array, "y", classes)
    return (array.reshape(len(array)).astype(np.float64) >= 0.5).astype(np.int64)


def _class_indices(
    array: NDArray[Any], name: str, outputs: int, loss: str | LossFunction | CustomLoss
) -> NDArray[np.int64]:
    if array.dtype.kind == "f":
        raise TypeError(
            f"{name} has dtype {array.dtype} and shape {array.shape}, "
            f"expected {_wanted(loss, outputs)}; {name}.astype(int) where it holds whole numbers"
        )
    indices = class_indices(array, outputs)
    if indices is None:
        wanted = f"{_wanted(loss, outputs)}{_instead(array, name, outputs)}"
        raise _outside(array, name, (array < 0) | (array >= outputs), wanted)
    return indices


def _instead(labels: NDArray[Any], name: str, classes: int) -> str:
    """Return a hint with the expression that makes class indices of other whole numbers."""
    distinct = np.unique(labels)
    if len(distinct) > classes or (distinct != np.floor(distinct)).any():
        return ""
    numbers = distinct.tolist()
    if numbers == [-1, 1]:
        text = f"({name} + 1) // 2"
    elif numbers[0] == 1 and numbers[-1] <= classes:
        text = f"{name} - 1"
    else:
        text = f"np.unique({name}, return_inverse=True)[1]"
    return f"; {text} has class indices"


def _outside(array: NDArray[Any], name: str, wrong: NDArray[np.bool_], expected: str) -> ValueError:
    """Return an error that names the first wrong number and its place."""
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    column = "" if len(where) == 1 else f", column {where[1]}"
    return ValueError(f"{name} holds {array[where]} in row {where[0]}{column}, expected {expected}")
