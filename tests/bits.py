"""Comparing arrays bit by bit."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bits(array: ArrayLike) -> NDArray[np.unsignedinteger]:
    """View floats as integers, so that only equal bits are equal."""
    array = np.ascontiguousarray(array)
    return array.view(f"u{array.itemsize}")


def bits_with_nan(numbers: ArrayLike) -> bytes:
    """Return the bits of float64 numbers, with one form of NaN; ±0 are different."""
    array = np.array(numbers, np.float64)
    array[np.isnan(array)] = np.nan
    return array.tobytes()


def assert_same_numbers(actual: ArrayLike, expected: ArrayLike) -> None:
    """Assert that float64 numbers have the same bits, or are both NaN."""
    assert bits_with_nan(actual) == bits_with_nan(expected), (actual, expected)


def assert_same_bits(actual: ArrayLike, expected: ArrayLike, name: str = "array") -> None:
    """Assert that two arrays have the same dtype, shape and bits."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), name
    assert np.array_equal(bits(actual), bits(expected)), f"{name} differs in its bits"
