"""Mean and scale of the columns of X, with which a network standardises its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Rows converted to float64 at a time: X itself may be larger than memory.
BLOCK_ROWS = 4096


def mean_and_scale(
    X: NDArray[Any], shared: bool = False, rows: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the reciprocal standard deviation of each column of X.

    The mean comes first, then the mean of (x − mean)², to avoid cancellation. Rows are added in
    order for any memory layout, so that equal arrays give equal bits.

    Parameters
    ----------
    X : ndarray, shape (n, columns)
        Finite numbers, at least one row.
    shared : bool
        Take mean and deviation of all numbers, for every column.
    rows : ndarray of int64 or None
        The row numbers that count, in their order, at least one; None: all.

    Returns
    -------
    mean, scale : ndarray of float64, shape (columns,)
        scale is 1 for a constant column: one whose deviation can come from rounding, by the rule
        of scikit-learn's StandardScaler, variance ≤ n ε variance + (n ε mean)².

    Raises
    ------
    ValueError
        If a column is so large that its mean or variance is not finite.
    """
    n, columns = X.shape if rows is None else (len(rows), X.shape[1])
    mean, variance = np.zeros(columns), np.zeros(columns)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in _blocks(X, rows):
            mean += block.sum(axis=0)
        mean /= n
        if shared:
            mean[:] = mean.mean()
        for block in _blocks(X, rows):
            variance += np.square(block - mean).sum(axis=0)
        variance /= n
        if shared:
            variance[:] = variance.mean()
        # An inner product of n terms is off by up to n ε: Chan, Golub, LeVeque, 1983.
        rounding = n * np.finfo(np.float64).eps
        constant = variance <= rounding * variance + (rounding * mean) ** 2
    too_large = ~(np.isfinite(mean) & np.isfinite(variance))
    if too_large.any():
        column = int(np.argmax(too_large))
        raise ValueError(f"X has values in column {column} whose variance is not finite")
    # The mean of equal numbers can be off by rounding; then these columns would not be exactly 0.
    for column in [] if shared else np.flatnonzero(constant).tolist():
        values = X[:, column] if rows is None else X[rows, column]
        if (values == values[0]).all():
            mean[column] = values[0]
    deviation = np.sqrt(variance)
    deviation[constant | (deviation < np.finfo(np.float64).tiny)] = 1
    return mean, 1 / deviation


def _blocks(X: NDArray[Any], rows: NDArray[np.int64] | None) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(X) if rows is None else len(rows), BLOCK_ROWS):
        part: Any = slice(start, start + BLOCK_ROWS)
        yield np.array(X[part if rows is None else rows[part]], dtype=np.float64, order="C")
