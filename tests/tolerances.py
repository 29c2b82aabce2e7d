"""How far rounding may take a result from the exact one: a function of dtype and depth of the sums.

The engine is compared with the reference by these tolerances and by no others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def tolerance(dtype: str, depth: float) -> float:
    """Largest relative error of a number that `depth` rounded operations in a row went into.

    Each operation is off by up to half a unit in the last place, a function by up to 2 units, and
    at worst all errors have the same sign: one unit for each operation leaves room for the
    functions and for terms that partly cancel.
    """
    return depth * float(np.finfo(dtype).eps)


def depth_of(sizes: Sequence[int], samples: int) -> int:
    """Operations in the longest chain of a pass forward and back.

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

    What is allowed is relative to the largest number expected; where the numbers are sums that may
    cancel, to the largest of `terms`, the sums of the absolute values of what is summed.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{name} has shape {actual.shape}, not {expected.shape}"
    error = np.abs(actual - expected).max()
    allowed = tolerance(dtype, depth) * np.abs(expected if terms is None else terms).max()
    assert error <= allowed, f"{name} is off by {error:.3g}, allowed are {allowed:.3g}"
