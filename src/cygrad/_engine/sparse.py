"""Sparse samples in compressed rows (CSR), as SciPy has them, recognised by their attributes.

What the engine reads in place, the numbers and their columns, is checked by `Samples.read_sparse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def is_sparse(X: object) -> bool:
    """Return whether an object is a sparse matrix or array, of any format."""
    return hasattr(X, "tocsr") or (hasattr(X, "indptr") and hasattr(X, "indices"))


def compressed_rows(X: Any, name: str) -> tuple[NDArray[np.int64], Array, Array, tuple[int, int]]:
    """Return starts (a copy), columns, numbers and shape of a matrix in compressed rows.

    Raises
    ------
    TypeError
        If `X` has another format, or its numbers or indices another dtype.
    ValueError
        If it is not two-dimensional, or the starts of its rows are not those of its numbers.
    """
    kind = getattr(X, "format", "csr")
    if kind != "csr" or not hasattr(X, "indptr"):
        raise TypeError(
            f"{name} is a sparse matrix in format {kind!r}, expected 'csr', as from {name}.tocsr()"
        )
    shape = tuple(int(n) for n in X.shape)
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}, expected two dimensions")
    columns, numbers = np.asarray(X.indices), np.asarray(X.data)
    given = np.asarray(X.indptr)
    for part, array in (("indptr", given), ("indices", columns)):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise TypeError(f"{name}.{part} has dtype {array.dtype}, expected integers")
    if numbers.dtype.kind not in "biuf" or numbers.ndim != 1:
        raise TypeError(
            f"{name} has dtype {numbers.dtype}, "
            "expected real numbers (floats, integers or booleans)"
        )
    starts = np.array(given, np.int64)
    if len(starts) != shape[0] + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ValueError(f"{name}.indptr is not increasing from 0 with {shape[0] + 1} numbers")
    total = int(starts[-1])
    if len(columns) < total or len(numbers) < total:
        raise ValueError(
            f"{name} has {len(columns)} indices and {len(numbers)} numbers, expected {total}"
        )
    if columns.dtype not in (np.int32, np.int64):
        columns = columns.astype(np.int64)
    return starts, as_native(columns[:total]), as_native(numbers[:total]), (shape[0], shape[1])


def as_native(array: Array) -> Array:
    """Return an array that the engine can read in place: contiguous, aligned, of a native type."""
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        with np.errstate(over="ignore"):  # infinite numbers raise an error later
            array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.require(native, requirements=["A", "C"])


def in_order(
    starts: NDArray[np.int64], columns: Array, numbers: Array
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return a copy whose columns increase in each row; numbers of the same place are added.

    They are added in their order, and in their dtype, as when SciPy makes a dense array of them.
    """
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((columns, rows))
    rows, columns, numbers = rows[order], columns[order], numbers[order]
    is_new = np.ones(len(columns), bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    sums = np.zeros(int(is_new.sum()), numbers.dtype)
    np.add.at(sums, np.cumsum(is_new) - 1, numbers)
    counts = np.bincount(rows[is_new], minlength=len(starts) - 1)
    return np.concatenate(([0], np.cumsum(counts))), columns[is_new], sums
