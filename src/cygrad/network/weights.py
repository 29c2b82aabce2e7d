"""Weights of samples and classes, converted for the engine.

A sample of weight w counts w times, in the loss, its gradient and the metric. With reduction "mean"
the divisor is the sum of the batch's weights, for every loss and every form of the targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    #: (n,) of float64, each a number of the network's dtype
    Weights = NDArray[np.float64]

CLASS_WEIGHT = 'a dict {class: weight} or "balanced"'


def read_weights(
    sample_weight: ArrayLike, n: int, dtype: np.dtype[Any], name: str = "sample_weight"
) -> Weights:
    """Return the weights of n samples, rounded to the dtype; denormal numbers become 0.

    Raises
    ------
    TypeError, ValueError
        If `sample_weight` is not n finite numbers of at least 0.
    """
    expected = f"{n} finite numbers of at least 0, shape ({n},)"
    given = checks.array(sample_weight, name)
    if given.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {given.dtype}, expected {expected}")
    if given.shape != (n,):
        raise ValueError(f"{name} has shape {given.shape}, expected {expected}")
    with np.errstate(over="ignore"):
        weights: Weights = given.astype(dtype).astype(np.float64)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"{name} holds {given[row]} in row {row}, expected {expected}")
    return rounded(weights, dtype)


def rounded(weights: Weights, dtype: np.dtype[Any]) -> Weights:
    """Return weights as numbers of the dtype, without denormal ones; check their sum."""
    limits = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        weights = weights.astype(dtype).astype(np.float64)
    weights[weights < float(limits.tiny)] = 0.0
    # Its inverse has to be a normal number too.
    if not weights.sum() <= 1 / float(limits.tiny):
        raise ValueError(
            f"the weights sum to {weights.sum()}, expected at most {1 / float(limits.tiny):.3g}"
        )
    return weights


def check_not_all_zero(weights: Weights, name: str = "sample_weight") -> None:
    """Raise a ValueError if no sample counts."""
    if not weights.any():
        raise ValueError(f"{name} is 0 for all samples, expected a weight above 0")


def weights_of_classes(
    class_weight: Any,
    labels: NDArray[np.int64],
    classes: int,
    names: tuple[str, ...] | None,
    rows: NDArray[np.int64] | None,
) -> Weights:
    """Return the weight of each sample by its class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        The weights of classes, by index or by name; 1 for a class that is not in it. "balanced":
        n / (k · count) for a class with so many of n samples, and k classes that have any.
    labels : ndarray of int64, shape (n,)
    classes : int
        Number of classes.
    names : tuple of str or None
    rows : ndarray of int64 or None
        The samples that "balanced" counts; None: all.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        counted = labels if rows is None else labels[rows]
        counts = np.bincount(counted, minlength=classes)
        present = np.maximum(counts, 1) * np.count_nonzero(counts)
        of_classes = np.where(counts > 0, len(counted) / present, 1.0)
    elif isinstance(class_weight, Mapping):
        of_classes = np.ones(classes)
        for key, value in class_weight.items():
            of_classes[_index(key, classes, names)] = checks.number(
                value, f"class_weight[{key!r}]", least=0
            )
    else:
        raise TypeError(f"class_weight is {class_weight!r}, expected {CLASS_WEIGHT}")
    return of_classes[labels]


def _index(key: object, classes: int, names: tuple[str, ...] | None) -> int:
    if isinstance(key, str):
        if names is None or key not in names:
            known = "none are set" if names is None else ", ".join(map(repr, names))
            raise ValueError(f"class_weight has {key!r}, expected names of classes: {known}")
        return names.index(key)
    return checks.whole_number(key, "a class in class_weight", 0, classes - 1)
