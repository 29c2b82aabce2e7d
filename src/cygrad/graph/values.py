"""Values of nodes: floats, and read-only arrays of float64 numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = float | NDArray[np.float64]


class GraphError(ValueError):
    """A graph cannot be evaluated or differentiated; the message names gate and operands."""


def check_value(value: Any, name: str) -> Any:
    """Check a value and return it as a float, or as a new read-only array.

    Raises
    ------
    TypeError
        If it is not a number or an array of numbers; the message calls it `name`.
    GraphError
        If a number is not finite.
    """
    try:
        array = np.asarray(float(value) if isinstance(value, int) else value)
    except OverflowError:
        array = np.asarray(math.inf)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is {value!r}, expected a number or an array of numbers")
    array = array.astype(np.float64)
    if not is_finite(array):
        raise GraphError(f"{name} is {short_text(array)}, expected finite numbers")
    return as_value(array)


def as_value(array: Any) -> Any:
    """Convert a number or an array to a float, or to a read-only array of float64.

    Raises
    ------
    TypeError
        If it is not a real number or an array of real numbers.
    """
    if type(array) is float:
        return array
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"the output is {array!r}, expected a number or an array of numbers")
    if array.ndim == 0:
        return float(array)
    array = np.ascontiguousarray(array, np.float64)
    array.setflags(write=False)
    return array


def zeros_like(like: Any) -> Any:
    """Return zeros in the shape of a value."""
    return 0.0 if type(like) is float else np.zeros(np.shape(like))


def is_finite(value: Any) -> bool:
    """Return whether all numbers are finite."""
    return math.isfinite(value) if type(value) is float else bool(np.isfinite(value).all())


def short_text(value: Any) -> str:
    """Format a value for a message; long arrays are shortened."""
    if np.ndim(value) == 0:
        return repr(float(value))
    return np.array2string(np.asarray(value), precision=6, threshold=6, edgeitems=2)
