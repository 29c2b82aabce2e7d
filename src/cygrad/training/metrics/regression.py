"""Metrics of numbers: functions of targets (n, outputs), outputs (n, outputs) and weights (n,).

Each is the mean over the outputs.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Weights = NDArray[np.float64] | None


def r2(y: Numbers, a: NDArray[Any], weights: Weights) -> float:
    """Return 1 − Σ (y − a)² / Σ (y − ȳ)².

    A constant column of targets has 1 if the outputs equal it, else 0; a single row has NaN.
    """
    if len(y) < 2:
        return nan
    w = np.ones((len(y), 1)) if weights is None else weights[:, np.newaxis]
    errors = (w * (y - a) ** 2).sum(axis=0)
    spread = (w * (y - np.average(y, axis=0, weights=weights)) ** 2).sum(axis=0)
    values = np.where(errors == 0, 1.0, 0.0)
    np.divide(errors, spread, out=values, where=(spread != 0) & (errors != 0))
    return float(np.where((spread != 0) & (errors != 0), 1 - values, values).mean())


def mae(y: Numbers, a: NDArray[Any], weights: Weights) -> float:
    return _mean(abs(y - a), weights)


def mse(y: Numbers, a: NDArray[Any], weights: Weights) -> float:
    return _mean((y - a) ** 2, weights)


def rmse(y: Numbers, a: NDArray[Any], weights: Weights) -> float:
    """Return the mean over the outputs of the root of their mean squared errors."""
    return float(np.sqrt(np.average((y - a) ** 2, axis=0, weights=weights)).mean())


def mape(y: Numbers, a: NDArray[Any], weights: Weights) -> float:
    """Average |y − a| / max(|y|, ε): a share, not a percentage; huge where y is 0."""
    return _mean(abs(y - a) / np.maximum(abs(y), np.finfo(np.float64).eps), weights)


def _mean(errors: NDArray[np.float64], weights: Weights) -> float:
    return float(np.average(errors, axis=0, weights=weights).mean())
