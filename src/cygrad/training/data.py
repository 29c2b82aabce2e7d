"""The data of one `Trainer.fit`: samples, targets and weights, to train on and to validate with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad.network.losses import row_of, sides_of_half
from cygrad.network.weights import (
    check_not_all_zero,
    read_weights,
    rounded,
    weights_of_classes,
)
from cygrad.training import validation as validating
from cygrad.training.order import read_rows
from cygrad.training.targets import warn_of_targets
from cygrad.training.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network import Network
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.seeding import Seeds
    from cygrad.training.metrics import Metric


class GivenData(NamedTuple):
    """The data as `Trainer.fit` gets them; its docstring describes them."""

    X: Any
    y: ArrayLike | None
    sample_weight: ArrayLike | None = None
    X_val: ArrayLike | None = None
    y_val: ArrayLike | None = None
    sample_weight_val: ArrayLike | None = None
    rows: ArrayLike | None = None


class FitData(NamedTuple):
    """The data as the engine takes them.

    Attributes
    ----------
    samples, targets : Samples, and their targets for the engine
    weights : ndarray of float64 or None
        Of all samples.
    rows : ndarray of int64 or None
        The rows to train on; None: all of them.
    held_out : Validation or None
        The validation data.
    trained : Validation or None
        The training samples, if metrics are computed of them too.
    """

    samples: Samples
    targets: Targets
    weights: Weights | None
    rows: NDArray[np.int64] | None
    held_out: Validation | None
    trained: Validation | None


def read_fit_data(
    net: Network,
    given: GivenData,
    *,
    validation: float | None,
    seeds: Seeds,
    class_weight: Mapping[Any, float] | str | None,
    metrics: list[Metric],
    train_metrics: bool,
    stacklevel: int,
) -> FitData:
    """Check the data of a `fit` and convert them for the engine.

    Parameters
    ----------
    seeds : Seeds
        Those that draw the validation rows.
    stacklevel : int
        Of warnings, as for `warnings.warn`.
    """
    X, y, sample_weight, X_val, y_val, sample_weight_val, rows_given = given
    assert y is not None
    samples, targets = read_data(net, X, y)
    warn_of_targets(net, targets, y, stacklevel=stacklevel + 1)
    of_samples = read_sample_weights(net, sample_weight, samples.rows)
    own = read_validation(net, X_val, y_val, sample_weight_val)
    among = None if rows_given is None else read_rows(rows_given, samples.rows)
    held_out, rows = _validation(samples, targets, validation, own, of_samples, seeds, among)
    weights = of_samples
    if class_weight is not None:
        weights = _class_weighted(net, class_weight, of_samples, targets, y, rows)
    if weights is not None:
        check_not_all_zero(weights if rows is None else weights[rows])
    trained = None
    if train_metrics and metrics:
        trained = Validation(samples, targets, rows, of_samples)
        measure(net, trained, metrics, y)
    if held_out is not None or trained is None:
        measure(net, held_out, metrics, y if y_val is None else y_val)
    return FitData(samples, targets, weights, rows, held_out, trained)


def read_data(
    net: Network, X: ArrayLike, y: ArrayLike, suffix: str = ""
) -> tuple[Samples, Targets]:
    """Check samples and targets and convert them; errors call them X and y with a suffix."""
    samples = net.read_samples(X, f"X{suffix}")
    return samples, net.read_targets(y, samples.rows, f"y{suffix}")


def read_sample_weights(
    net: Network, sample_weight: ArrayLike | None, n: int, name: str = "sample_weight"
) -> Weights | None:
    """Check the weights of n samples, if there are any."""
    return None if sample_weight is None else read_weights(sample_weight, n, net.dtype, name)


def read_validation(
    net: Network,
    X_val: ArrayLike | None,
    y_val: ArrayLike | None,
    sample_weight_val: ArrayLike | None,
) -> Validation | None:
    """Return the validation data that were given, or None."""
    if (X_val is None) != (y_val is None):
        missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
        raise ValueError(f"{missing} is None and {given} is given, expected both or neither")
    name = "sample_weight_val"
    if X_val is None or y_val is None:
        if sample_weight_val is not None:
            raise ValueError(f"{name} is given and X_val is None, expected X_val and y_val")
        return None
    samples, targets = read_data(net, X_val, y_val, "_val")
    weights = read_sample_weights(net, sample_weight_val, samples.rows, name)
    if weights is not None:
        check_not_all_zero(weights, name)
    return Validation(samples, targets, weights=weights)


def measure(
    net: Network, data: Validation | None, metrics: Sequence[Metric], y: ArrayLike | None
) -> None:
    """Have metrics computed of some data, whose targets are `y`; there must be such data."""
    if data is not None and y is not None:
        data.measure(metrics, y, net)
    elif metrics:
        raise ValueError(
            f"metrics is {[metric.name for metric in metrics]}, and there are no samples to "
            "compute them of; expected validation, X_val and y_val, or train_metrics=True"
        )


def _validation(
    samples: Samples,
    targets: Targets,
    validation: float | None,
    own: Validation | None,
    weights: Weights | None,
    seeds: Seeds,
    among: NDArray[np.int64] | None,
) -> tuple[Validation | None, NDArray[np.int64] | None]:
    """Return the validation data, and the rows to train on, or None for all of them.

    among: the rows that take part, or None for all of them.
    """
    if own is not None:
        if validation is not None:
            raise ValueError(f"validation is {validation} and X_val is given, expected one of them")
        return own, among
    if validation is None:
        return None, among
    n = samples.rows if among is None else len(among)
    count = validating.check_share(validation, n)
    labels = targets if isinstance(targets, np.ndarray) else None
    if labels is not None and among is not None:
        labels = labels[among]
    rows, held_out = validating.split(n, count, labels, seeds)
    if among is not None:
        rows, held_out = among[rows], among[held_out]
    if weights is not None:
        check_not_all_zero(weights[held_out], "sample_weight of the validation rows")
    return Validation(samples, targets, held_out, weights), rows


def _class_weighted(
    net: Network,
    class_weight: Mapping[Any, float] | str,
    of_samples: Weights | None,
    targets: Targets,
    y: ArrayLike,
    rows: NDArray[np.int64] | None,
) -> Weights:
    """Return the weights of the samples, times those of their classes."""
    if isinstance(targets, np.ndarray):
        labels, classes = targets, net.outputs
    elif row_of(net.loss).decides_at_half and net.outputs == 1:
        labels, classes = sides_of_half(y, net.classes), 2
    else:
        raise ValueError(
            f"class_weight is {class_weight!r} and the targets are no classes, expected "
            "class indices or names"
        )
    weights = weights_of_classes(class_weight, labels, classes, net.classes, rows)
    return rounded(weights if of_samples is None else weights * of_samples, net.dtype)
