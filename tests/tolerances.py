"""Tolerances for rounding, as a function of the dtype and the depth of the sums.

The engine is compared with the reference with these tolerances and no others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def tolerance(dtype: str, depth: float) -> float:
    """Return the largest relative error after `depth` rounded operations in a row.

    Each operation is off by up to half a unit in the last place, a function by up to 2 units, and
    in the worst case all errors have the same sign. One unit for each operation leaves room for the
    functions and for terms that partly cancel.
    """
    return depth * float(np.finfo(dtype).eps)


def depth_of(sizes: Sequence[int], samples: int) -> int:
    """Return the number of operations in the longest chain of a pass forward and backward.

    These are each layer's sum over its inputs and bias, its activation and slope, each layer's sum
    over its outputs, and the sum over the samples.
    """
    forward = sum(inputs + 3 for inputs in sizes[:-1])
    backward = sum(outputs + 3 for outputs in sizes[1:])
    return forward + backward + samples


def assert_close(
    actual: ArrayLike,
    expected: ArrayLike,
    dtype: str,
    depth: float,
    name: str,
    terms: ArrayLike | None = None,
) -> None:
    """Assert that two arrays agree up to rounding.

    The tolerance is relative to the largest expected number; for sums that may cancel, it is
    relative to the largest of `terms`, the sums of the absolute values of their terms.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{name} has shape {actual.shape}, not {expected.shape}"
    error = np.abs(actual - expected).max()
    allowed = tolerance(dtype, depth) * np.abs(expected if terms is None else terms).max()
    assert error <= allowed, f"{name} is off by {error:.3g}, allowed are {allowed:.3g}"
