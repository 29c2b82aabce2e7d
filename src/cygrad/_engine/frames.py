"""Data frames of pandas and polars as arrays, recognised by their attributes.

NumPy makes an array of objects of columns with different types, and NaN of the gaps in a column.
Here each column is read with its own type, and a gap is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

EXPECTED = "expected real numbers (floats, integers or booleans)"


def as_array(X: Any, name: str) -> Any:
    """Return a data frame or a series as an array; anything else as it is.

    Columns of one type are not copied where the library needs no copy. Columns of several types are
    copied to the type that NumPy finds for all of them. Series that hold no numbers are returned as
    they are.

    Raises
    ------
    TypeError
        If a column of a frame holds no numbers; the message names it.
    ValueError
        If there is a gap; the message names its row and its column.
    """
    if hasattr(X, "get_columns") and hasattr(X, "null_count"):  # a polars.DataFrame
        return _table(X, list(X.get_columns()), [column.name for column in X.get_columns()], name)
    if hasattr(X, "iloc") and hasattr(X, "dtypes"):  # of pandas
        if X.ndim == 1:
            return _series(X, name)
        columns = [X.iloc[:, index] for index in range(X.shape[1])]
        return _table(X, columns, list(X.columns), name)
    if hasattr(X, "null_count") and hasattr(X, "is_null"):  # a polars.Series
        return _series(X, name)
    return X


def _table(X: Any, columns: list[Any], labels: list[Any], name: str) -> Array:
    types = {column.dtype for column in columns}
    if len(types) == 1 and isinstance(columns[0].dtype, np.dtype):
        return np.asarray(X)
    for column, label in zip(columns, labels, strict=True):
        _check_gaps(column, name, f", column {label!r}")
    if len(types) == 1 and not hasattr(X, "iloc"):
        return _numbers(np.asarray(X), columns[0].dtype, name, f" in column {labels[0]!r}")
    arrays = [
        _numbers(_values(column), column.dtype, name, f" in column {label!r}")
        for column, label in zip(columns, labels, strict=True)
    ]
    dtype = np.result_type(*arrays) if arrays else np.dtype(np.float64)
    table = np.empty((len(X), len(arrays)), dtype)
    for index, array in enumerate(arrays):
        table[:, index] = array
    return table


def _series(column: Any, name: str) -> Any:
    if isinstance(column.dtype, np.dtype):
        return column
    _check_gaps(column, name, "")
    values = _values(column)
    return values if values.dtype.kind in "biuf" else column


def _check_gaps(column: Any, name: str, where: str) -> None:
    """Raise an error if a value is missing; NaN in a column of floats is none."""
    if isinstance(column.dtype, np.dtype):
        return
    if hasattr(column, "null_count"):
        gaps = column.is_null().to_numpy() if column.null_count() else np.empty(0, bool)
    else:
        gaps = np.asarray(column.isna(), bool)
    if gaps.any():
        row = int(np.argmax(gaps))
        raise ValueError(f"{name} has a gap in row {row}{where}, expected a number")


def _values(column: Any) -> Array:
    """Return the values of a column without gaps, in their own type."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(column)
    numpy_dtype = getattr(dtype, "numpy_dtype", None)  # of the nullable types of pandas
    if isinstance(numpy_dtype, np.dtype) and numpy_dtype.kind in "biuf":
        return np.asarray(column.to_numpy(dtype=numpy_dtype))
    return np.asarray(column)


def _numbers(array: Array, dtype: Any, name: str, where: str) -> Array:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {dtype}{where}, {EXPECTED}")
    return array
