"""Statistics of the layers in training: sizes of gradients, weights and updates, dead units."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad._engine.training import layer_statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network import Network
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights


class LayerStatistics(NamedTuple):
    """The state of one trained layer after an epoch of `Trainer.fit`.

    The gradient and the activations are those of one batch, the last whole one of the epoch, with
    the parameters after the epoch and the layers in training. W of a norm or scaling is its γ. The
    gradient is that of the weighted samples, if there are weights; the shares count all samples
    alike.

    Attributes
    ----------
    layer : int
        The layer, counted from 0.
    gradient_norm : float
        ‖∂C/∂P‖ of the layer's trained parameters, before clipping and weight decay.
    weight_norm : float
        ‖W‖.
    update_ratio : float
        ‖ΔW‖ / ‖W‖, where ΔW is the change of W in the epoch.
    dead : float or None
        The share of the layer's relu units that are 0 for all samples of the batch: no gradient
        passes them. None for other activations.
    saturated : float or None
        The share of the activations at which the slope is less than 0.01 of the steepest,
        σ′(z) < 0.01 max σ′: |z| > 5.98 for sigmoid, |z| > 2.99 for tanh, |z| > 9 for softsign,
        |z| ≥ 1 for hard_tanh, |z| ≥ 3 for hard_sigmoid. None for other activations.

    Notes
    -----
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, draw these quantities by layer.
    """

    layer: int
    gradient_norm: float
    weight_norm: float
    update_ratio: float
    dead: float | None
    saturated: float | None


def last_batch(order: NDArray[np.int64] | None, rows: int, batch: int) -> NDArray[np.int64]:
    """Return the last `batch` of the `rows` row numbers of an epoch; None is their own order."""
    first = max(rows - batch, 0)
    return np.arange(first, rows) if order is None else order[first:rows]


def epoch_statistics(
    net: Network,
    samples: Samples,
    targets: Targets,
    rows: NDArray[np.int64],
    parameters_before: NDArray[Any],
    step: int,
    threads: int | Callable[[], int],
    weights: Weights | None = None,
) -> tuple[LayerStatistics, ...]:
    """Return the statistics of each trained layer.

    Parameters
    ----------
    rows : ndarray of int64
        The batch.
    parameters_before : ndarray
        The engine's storage before the epoch. It is overwritten.
    step : int
        Steps done: dropout and noise are those of the next one.
    weights : ndarray of float64 or None
        Of all samples.
    """
    change = np.subtract(net.engine.storage, parameters_before, out=parameters_before)
    found = layer_statistics(net.engine, samples, targets, rows, change, step, threads, weights)
    return tuple(
        LayerStatistics(layer, gradient, weight, ratio(moved, weight), dead, saturated)
        for layer, gradient, weight, moved, dead, saturated in found
    )


def ratio(moved: float, weight: float) -> float:
    """Return ‖ΔW‖ / ‖W‖; without any change it is 0."""
    if weight == 0:
        return 0.0 if moved == 0 else inf
    return moved / weight
