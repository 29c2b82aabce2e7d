"""Warnings of targets that a network cannot learn, although they are numbers of the right shape."""

from __future__ import annotations

import warnings
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks
from cygrad._engine.samples import Samples
from cygrad.network.activations import output_range
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cygrad.network import Network
    from cygrad.network.losses import Targets

# Rounding of a target, as a share of the targets' range, of which there is a warning.
COARSE = 0.01


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
        _warn_of_rounding(checks.array(y, "y"), stacklevel + 2)


def _warn_of_rounding(y: ArrayLike, stacklevel: int) -> None:
    """Warn if float32 has few numbers in the range of a column of targets."""
    numbers = np.asarray(y)
    if numbers.dtype == np.float32:
        return
    least, most = numbers.min(axis=0), numbers.max(axis=0)
    step = np.finfo(np.float32).eps * np.maximum(np.abs(least), np.abs(most), dtype=np.float64)
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
