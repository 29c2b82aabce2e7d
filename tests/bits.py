"""Comparing arrays bit by bit."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bits(array: ArrayLike) -> NDArray[np.unsignedinteger]:
    """View floats as integers, so that only equal bits are equal."""
    array = np.ascontiguousarray(array)
    return array.view(f"u{array.itemsize}")


def assert_same_bits(actual: ArrayLike, expected: ArrayLike, name: str = "array") -> None:
    """Assert that two arrays have the same dtype, shape and bits."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), name
    assert np.array_equal(bits(actual), bits(expected)), f"{name} differs in its bits"
