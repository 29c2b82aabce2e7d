"""Samples and targets as scikit-learn checks them, without its cost for plain arrays.

`sklearn.utils.validation.validate_data` decides on everything that is not obviously fine, so that
warnings, errors and conversions are its own. It takes as long as the training of a small network:
an array of the right type and shape whose numbers are finite needs none of it.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from cygrad.sklearn.labels import is_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPES = (np.float64, np.float32)


def is_simple(estimator: Any, X: Any, reset: bool) -> bool:
    """Return whether X needs no conversion, and has the columns that the estimator expects."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in TYPES
        and X.dtype.isnative
        and X.size > 0
        and (
            reset
            or (
                X.shape[1] == estimator.n_features_in_
                and "feature_names_in_" not in estimator.__dict__
            )
        )
    )


def _is_finite(array: NDArray[Any]) -> bool:
    """Return True if all numbers are certainly finite: then their sum is, unless it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return isfinite(array.sum())


def read_labelled(estimator: Any, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
    """Return the samples and the labels of a classifier."""
    return _read(estimator, X, y, reset, is_plain(y), y_numeric=False)


def read_numbers(estimator: Any, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
    """Return the samples and the targets of a regressor, which are one or more numbers each."""
    plain = (
        type(y) is np.ndarray
        and (y.ndim == 1 or (y.ndim == 2 and y.shape[1] > 1))
        and y.dtype.kind in "biuf"
        and y.dtype.isnative
        and _is_finite(y)
    )
    return _read(estimator, X, y, reset, plain, y_numeric=True)


def _read(
    estimator: Any, X: Any, y: Any, reset: bool, plain: bool, *, y_numeric: bool
) -> tuple[Any, Any]:
    """Return samples and targets; `plain`: the targets need no conversion."""
    if plain and is_simple(estimator, X, reset) and len(y) == len(X) and _is_finite(X):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
        return X, y
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        multi_output=True,
        y_numeric=y_numeric,
        dtype=TYPES,
        reset=reset,
    )
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X, y


def read_samples(estimator: Any, X: Any) -> Any:
    """Return the samples for a prediction."""
    return validate_data(estimator, X, accept_sparse="csr", dtype=TYPES, reset=False)


def read_weights(sample_weight: Any, X: Any, name: str = "sample_weight") -> Any:
    """Return weights of samples, or None: finite numbers of at least 0 that are not all 0."""
    if sample_weight is None:
        return None
    weights = sample_weight
    if not (
        type(weights) is np.ndarray
        and weights.dtype == np.float64
        and weights.dtype.isnative
        and weights.shape == (X.shape[0],)
        and _is_finite(weights)
    ):
        weights = _check_sample_weight(weights, X)
    if (weights < 0).any():
        raise ValueError(f"{name} has negative weights, expected numbers of at least 0")
    if not weights.any():
        raise ValueError(f"{name} is all zero, expected at least one weight above 0")
    return weights
