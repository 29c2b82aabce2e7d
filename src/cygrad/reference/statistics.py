"""Statistics of the layers in training, of one batch and of the change of the weights in an epoch.

For each trained layer::

    gradient norm   ‖∂C/∂P‖ of its trained parameters
    weight norm     ‖W‖
    update ratio    ‖W − W before‖ / ‖W‖
    dead            the share of relu units that are 0 for all samples
    saturated       the share of activations of sigmoid or tanh with σ′ < 0.01 max σ′
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from .clipping import norm, trained_rows
from .network import Network, Rows, Targets
from .vectors import Matrix, subtract

FLAT = 0.01
"""A slope below this share of the steepest one is flat."""


class LayerStatistics(NamedTuple):
    """The statistics of one trained layer, counted from 0; None where it has no such units."""

    layer: int
    gradient_norm: float
    weight_norm: float
    update_ratio: float
    dead: float | None
    saturated: float | None


def layer_statistics(
    network: Network, X: Rows, y: Targets, weights_before: Sequence[Matrix]
) -> list[LayerStatistics]:
    """Describe each trained layer by a batch and by its weights before the epoch."""
    gradients = network.backward(X, y)
    found = []
    for index, layer in enumerate(network.layers):
        rows = trained_rows(layer, gradients.weights[index], gradients.biases[index])
        if not rows:
            continue
        moved = norm(map(subtract, layer.weights, weights_before[index]))
        weight = norm(layer.weights)
        a = gradients.activations[index]
        found.append(
            LayerStatistics(
                layer=index,
                gradient_norm=norm(rows),
                weight_norm=weight,
                update_ratio=moved / weight if weight > 0 else (math.inf if moved > 0 else 0.0),
                dead=dead_share(a) if layer.activation == "relu" else None,
                saturated=saturated_share(layer.activation, a),
            )
        )
    return found


def dead_share(a: Matrix) -> float:
    """Return the share of units, the columns of a, that are 0 in all rows."""
    units = list(zip(*a, strict=True))
    return sum(all(each == 0 for each in unit) for unit in units) / len(units)


def saturated_share(activation: str, a: Matrix) -> float | None:
    """Return the share of activations with a flat slope; None unless they are sigmoid or tanh."""
    values = [each for row in a for each in row]
    if activation == "sigmoid":  # σ′ = a (1 − a), at most 1/4
        return sum(4 * each * (1 - each) < FLAT for each in values) / len(values)
    if activation == "tanh":  # σ′ = 1 − a², at most 1
        return sum(1 - each * each < FLAT for each in values) / len(values)
    return None
