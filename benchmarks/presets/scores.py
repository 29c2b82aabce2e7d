"""Scores of predictions, their differences over the splits, and ranks.

Differences are taken split by split. Their interval is Student's with 95 % over the splits, whose
training rows overlap: it is rather too narrow than too wide, so that a difference is said to be
one too often rather than too seldom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import numpy as np

from ..programs import Array
from .data import Task

MEASURES: dict[Task, str] = {"classification": "accuracy", "regression": "R²"}
ROUNDING = 1e-9  # of a score


def score(task: Task, actual: Array, predicted: Array) -> float:
    """Return the accuracy of classes, the coefficient of determination of quantities."""
    if np.shape(predicted) != np.shape(actual):
        raise ValueError(f"predictions have shape {predicted.shape}, expected {actual.shape}")
    if task == "classification":
        return float(np.mean(predicted == actual))
    squares = np.sum((actual - predicted) ** 2)
    return float(1 - squares / np.sum((actual - actual.mean()) ** 2))


def standard_error(values: Sequence[float]) -> float:
    error: float = stdev(values) / len(values) ** 0.5
    return error


def difference(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the differences of each split, and half the width of their interval."""
    from scipy.stats import t

    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    quantile = float(t.ppf(0.975, len(differences) - 1))
    return mean(differences), quantile * standard_error(differences)


def verdict(difference: float, half: float) -> str:
    """Return what an interval says: all below 0, all above 0, or neither."""
    if difference + half < -ROUNDING:
        return "worse"
    return "better" if difference - half > ROUNDING else "as good"


def ranks(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the rank of each, 1 for the highest score; equal ones share the mean of theirs."""
    values = list(scores.values())
    return {
        name: 1 + sum(other > value for other in values) + (values.count(value) - 1) / 2
        for name, value in scores.items()
    }
