"""Check simple arguments: whole numbers, flags, names, arrays of parameters.

Every function takes a value and the name of the argument. It returns the value as a plain Python
or NumPy type, or raises an error with the name, the value and what was expected. Samples and
targets are checked elsewhere: by the engine's `Samples` and by `losses.encode_targets`.
"""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad._engine.frames import as_array

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, DTypeLike, NDArray

DTYPES = ("float32", "float64")  # of networks


def whole_number(value: object, name: str, least: int = 1, most: int | None = None) -> int:
    """Return `value` as an int from `least` to `most`; refuse booleans and floats."""
    if type(value) is int and value >= least and (most is None or value <= most):
        return value
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an integer {bounds}") from None
    if number < least or (most is not None and number > most):
        raise ValueError(f"{name} is {number}, expected an integer {bounds}")
    return number


def number(value: object, name: str, least: float = -math.inf) -> float:
    """Return `value` as a finite float of at least `least`; refuse booleans and text."""
    if type(value) is float and math.isfinite(value) and value >= least:
        return value
    bound = "" if least == -math.inf else f" of at least {least}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}, expected a number{bound}")
    try:
        as_float = float(value)
    except OverflowError:  # an integer or a fraction beyond the largest float
        as_float = -math.inf if value < 0 else math.inf
    if not (math.isfinite(as_float) and as_float >= least):
        raise ValueError(f"{name} is {as_float}, expected a finite number{bound}")
    return as_float


def flag(value: object, name: str) -> bool:
    """Return `value`, True or False, as a bool."""
    if value is True or value is False:
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}, expected True or False")
    return bool(value)


def trainable(value: object) -> bool | Literal["weights", "biases"]:
    """Return `value`, the argument `trainable` of a layer, if it is one."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if value == "weights":
        return "weights"
    if value == "biases":
        return "biases"
    raise ValueError(f"trainable is {value!r}, expected True, False, 'weights' or 'biases'")


def rate_factor(value: object) -> float | tuple[float, float]:
    """Return `value`, the argument `learning_rate_factor` of a layer with weights and biases.

    It is one factor, or a pair of different ones for weights and biases.
    """
    name = "learning_rate_factor"
    if not isinstance(value, (tuple, list)):
        return number(value, name, least=0)
    if len(value) != 2:
        raise ValueError(f"{name} is {value!r}, expected a number or two, for weights and biases")
    weights = number(value[0], f"{name}[0]", least=0)
    biases = number(value[1], f"{name}[1]", least=0)
    return weights if weights == biases else (weights, biases)


def one_of(value: object, name: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of the names in `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    expected = ", ".join(repr(choice) for choice in choices)
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{name} is {value!r}, expected one of {expected}")


def array(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return `value` as an array; refuse rows of different lengths, gaps and masked values."""
    value = as_array(value, name)
    try:
        converted = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is not a regular array: {error}") from None
    mask = getattr(value, "mask", None)
    if isinstance(mask, (np.ndarray, np.bool_)) and mask.any():
        raise ValueError(f"{name} has {np.sum(mask)} masked values, expected none")
    return converted


def parameters(
    value: ArrayLike, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return `value` as a C-ordered array of this shape and dtype, finite in that dtype."""
    given = array(value, name)
    if given.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {given.dtype}, expected real numbers")
    if given.shape != shape:
        raise ValueError(f"{name} has shape {given.shape}, expected {shape}")
    with np.errstate(over="ignore"):
        rounded = np.ascontiguousarray(given, dtype=dtype)
    finite = np.isfinite(rounded)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        place = where[0] if len(where) == 1 else where
        raise ValueError(
            f"{name} holds {given[where]} at {place}, expected numbers that are finite as {dtype}"
        )
    return rounded


def dtype_name(dtype: DTypeLike) -> str:
    """Return the name of `dtype`, which must be a dtype of networks."""
    if isinstance(dtype, str) and dtype in DTYPES:
        return str(dtype)
    try:
        name = None if dtype is None else np.dtype(dtype).name
    except TypeError:
        name = None
    if name not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}, expected 'float32' or 'float64'")
    return name
