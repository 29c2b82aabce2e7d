"""Metrics of classes: functions of classes (n,), predictions (n,), scores (n, classes) and weights.

The scores of a single output a are 1 − a and a.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Weights = NDArray[np.float64] | None


def accuracy(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    return float(np.average(guess == y, weights=weights))


def balanced_accuracy(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    """Average the recall of the classes that `y` has."""
    counts = _confusion(y, guess, scores.shape[1], weights)
    rows = counts.sum(axis=1)
    present = rows > 0
    return float((counts.diagonal()[present] / rows[present]).mean())


def f1(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    """Return F1 of class 1 for two classes, else `f1_macro`."""
    if scores.shape[1] > 2:
        return f1_macro(y, guess, scores, weights)
    values, _ = _f1_of_classes(y, guess, scores.shape[1], weights)
    return float(values[1])


def f1_macro(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    """Average F1 over the classes that the targets or the predictions have."""
    values, present = _f1_of_classes(y, guess, scores.shape[1], weights)
    return float(values[present].mean())


def roc_auc(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    """Return the area for class 1 of two, else the mean over the classes, each against the rest."""
    classes = scores.shape[1]
    if classes == 2:
        return _binary_auc(y == 1, scores[:, 1], weights)
    return float(np.mean([_binary_auc(y == c, scores[:, c], weights) for c in range(classes)]))


def log_loss(y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
    """Average −ln p of the targets' probabilities, which are kept ε away from 0 and 1."""
    epsilon = np.finfo(scores.dtype if scores.dtype.kind == "f" else np.float64).eps
    right = np.take_along_axis(scores, y[:, np.newaxis], axis=1)[:, 0].astype(np.float64)
    return float(np.average(-np.log(np.clip(right, epsilon, 1 - epsilon)), weights=weights))


class TopK:
    """The share of rows whose class is among the k with the largest scores.

    Among equal scores the lower class comes first, so that k = 1 is the accuracy; in scikit-learn
    the higher one does.
    """

    def __init__(self, k: int) -> None:
        self.k = k

    def __call__(self, y: Labels, guess: Labels, scores: NDArray[Any], weights: Weights) -> float:
        own = np.take_along_axis(scores, y[:, np.newaxis], axis=1)
        lower = np.arange(scores.shape[1]) < y[:, np.newaxis]
        before = ((scores > own) | ((scores == own) & lower)).sum(axis=1)
        return float(np.average(before < self.k, weights=weights))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopK) and other.k == self.k

    def __hash__(self) -> int:
        return hash((TopK, self.k))

    def __repr__(self) -> str:
        return f"TopK({self.k})"


def _confusion(y: Labels, guess: Labels, classes: int, weights: Weights) -> NDArray[np.float64]:
    """Return the weight of the rows of each class (rows) and prediction (columns)."""
    cells = np.bincount(y * classes + guess, weights, classes * classes)
    return cells.astype(np.float64).reshape(classes, classes)


def _f1_of_classes(
    y: Labels, guess: Labels, classes: int, weights: Weights
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return 2 TP / (2 TP + FP + FN) of each class, 0 for 0/0, and whether there is such a row."""
    counts = _confusion(y, guess, classes, weights)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    values = np.divide(2 * counts.diagonal(), both, out=np.zeros(classes), where=both > 0)
    present = np.bincount(y, minlength=classes) + np.bincount(guess, minlength=classes) > 0
    return values, present


def _binary_auc(positive: NDArray[np.bool_], scores: NDArray[Any], weights: Weights) -> float:
    """Return the probability that a positive row has a larger score than another; ties count half.

    NaN if all rows are of one class. This is the area under the curve of true against false
    positives (D. Bamber, 1975).
    """
    if positive.all() or not positive.any():
        return nan
    w = np.ones(len(scores)) if weights is None else weights
    _, place = np.unique(scores, return_inverse=True)
    good = np.bincount(place, w * positive)
    bad = np.bincount(place, w * ~positive)
    pairs = good.sum() * bad.sum()
    if pairs == 0:
        return nan
    return float((good * (np.cumsum(bad) - 0.5 * bad)).sum() / pairs)
