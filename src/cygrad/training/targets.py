"""Warnings of targets that a network cannot learn, although they are numbers of the right shape."""

from __future__ import annotations

import warnings
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad._engine.samples import Samples
from cygrad.network.activations import output_range
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.network.losses import Targets

# Rounding of a target, as a share of the targets' range, of which there is a warning.
COARSE = 0.01
EPSILON = 2.0**-23  # of float32


def warn_of_targets(net: Network, targets: Targets, y: ArrayLike, stacklevel: int) -> None:
    """Warn of numbers that the output layer cannot give, or that the dtype rounds too much.

    Parameters
    ----------
    net : Network
    targets : Samples or others
        The targets for the engine; only rows of numbers are looked at.
    y : array_like
        The targets as they were given.
    stacklevel : int
        As for `warnings.warn`, counted from the caller of this function.
    """
    # The other losses need an activation, and their targets are checked.
    if not isinstance(targets, Samples) or row_of(net.loss).targets != "numbers":
        return
    activation = net.layers[-1].activation
    low, high = output_range(activation)
    if (low, high) != (-inf, inf) and not targets.within(low, high):
        numbers = checks.array(y, "y").reshape(targets.rows, -1)
        outside = (numbers < low) | (numbers > high)
        row, column = np.argwhere(outside)[0].tolist()
        warnings.warn(
            f"y has {outside.sum()} of {outside.size} targets outside of {low:.4g} to {high:.4g}, "
            f"the range of the output layer's {activation}, such as {numbers[row, column]} in row "
            f"{row}; expected targets scaled to this range, or an output layer with 'identity'",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    elif net.dtype == np.float32:
        numbers = y if type(y) is np.ndarray else checks.array(y, "y")
        if numbers.dtype.itemsize > 2 and numbers.dtype != np.float32 and _may_be_coarse(numbers):
            _warn_of_rounding(numbers, stacklevel + 2)


def _may_be_coarse(numbers: NDArray[Any]) -> bool:
    """Return whether two rows are so near each other that all can be; most often they are not.

    This takes a microsecond, because a fit of a small network takes few of them.
    """
    first, other = numbers[0], numbers[len(numbers) // 2]
    if first.size > 1:
        nearest = zip(first.tolist(), other.tolist(), strict=True)
        return any(_are_near(a, b) for a, b in nearest)
    return _are_near(first.item(), other.item())


def _are_near(a: float, b: float) -> bool:
    return COARSE * abs(a - b) < EPSILON * max(abs(a), abs(b))


def _warn_of_rounding(numbers: NDArray[Any], stacklevel: int) -> None:
    """Warn if float32 has few numbers in the range of a column of targets."""
    least, most = numbers.min(axis=0), numbers.max(axis=0)
    step = EPSILON * np.maximum(np.abs(least), np.abs(most), dtype=np.float64)
    spread = np.subtract(most, least, dtype=np.float64)
    coarse = (step > COARSE * spread) & (spread > 0)
    if coarse.any():
        column = int(np.argmax(coarse))
        ends = [float(each.reshape(-1)[column]) for each in (least, most)]
        place = f" in column {column}" if numbers.ndim > 1 and numbers.shape[1] > 1 else ""
        warnings.warn(
            f"y has targets from {ends[0]!r} to {ends[1]!r}{place}, which float32 rounds to "
            f"multiples of about {step.reshape(-1)[column]:.1g}; expected targets without their "
            "mean, or dtype='float64' for the network",
            UserWarning,
            stacklevel=stacklevel,
        )
