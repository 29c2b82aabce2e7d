"""Training on quantities: their targets are standardised, and the outputs scaled back after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.training import History, Trainer


#: The rounding error of a prediction that is accepted, in standard deviations of the targets.
ROUNDING = 1e-3


def are_standardised(net: Network) -> bool:
    """Return whether the targets are standardised: rates stay, since they are above 0."""
    return row_of(net.loss).outputs != "rates"


def mean_and_scale(
    net: Network, y: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each target; 1 in place of a deviation of 0.

    Raises
    ------
    ValueError
        If they are too large for the network's dtype.
    """
    rows = y.reshape(len(y), -1).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = rows.mean(axis=0), rows.std(axis=0)
        finite = np.isfinite(np.array([mean, scale], net.dtype)).all()
    if not finite:
        raise ValueError(f"the targets are too large for {net.dtype}")
    # A deviation that can come from rounding is none; see `network.standardization`.
    rounding = len(rows) * np.finfo(np.float64).eps
    scale[scale**2 <= rounding * scale**2 + (rounding * mean) ** 2] = 1.0
    return mean, scale


def needs_float64(net: Network, y: NDArray[Any]) -> bool:
    """Return whether rounding to the network's dtype would hide a thousandth of the deviation."""
    if not are_standardised(net):
        return False
    mean, scale = mean_and_scale(net, y)
    return bool((np.abs(mean) * np.finfo(net.dtype).eps > ROUNDING * scale).any())


def fit(
    trainer: Trainer,
    X: NDArray[Any],
    y: NDArray[Any],
    epochs: int,
    *,
    fit: Callable[..., History],
    y_val: NDArray[Any] | None = None,
    **options: Any,
) -> tuple[History, Network]:
    """Train on standardised targets, then scale the outputs back to the unit of `y`.

    `fit` is `Trainer.fit`, or goes on with a training.
    Return the history and the network: another one, in float64, if the mean of the targets is so
    large next to their deviation that the network's own dtype would lose digits of them.

    If a = W x + b predicts (y − m) / s, then s a + m = (s W) x + (s b + m) predicts y: mean and
    scale become part of the last layer, and the network needs no other step afterwards. The
    logarithm of a variance v of (y − m) / s becomes that of s² v: ln v + 2 ln s.
    """
    net = trainer.net
    if not are_standardised(net):
        return fit(X, y, epochs, y_val=y_val, **options), net
    rows = y.reshape(len(y), -1).astype(np.float64)
    mean, scale = mean_and_scale(net, y)
    is_wide = needs_float64(net, y)
    if y_val is not None:
        y_val = (y_val.reshape(len(y_val), -1) - mean) / scale
    y = (rows - mean) / scale
    history = fit(X, y, epochs, y_val=y_val, **options)
    if is_wide:
        net = net.as_dtype("float64")
    last = net.layers[-1]
    if row_of(net.loss).outputs == "moments":
        factor, offset = np.append(scale, np.ones_like(scale)), np.append(mean, 2 * np.log(scale))
    else:
        factor, offset = scale, mean
    last.weights = last.weights * factor[:, np.newaxis]
    last.biases = last.biases * factor + offset
    return history, net
