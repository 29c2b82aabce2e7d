"""Statistics of the layers in training, of one batch and of the change of the weights in an epoch.

For each trained layer::

    gradient norm   ‖∂C/∂P‖ of its trained parameters
    weight norm     ‖W‖
    update ratio    ‖W − W before‖ / ‖W‖
    dead            the share of relu units that are 0 for all samples
    saturated       the share of activations with σ′ < 0.01 max σ′, of functions that saturate
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .activations import activation_of
from .clipping import norm, trained_rows
from .network import Network, Rows, Targets
from .vectors import Matrix, subtract

FLAT = 0.01
"""A slope below this share of the steepest one is flat."""

RELATIVE_SLOPES: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda a: 4 * a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "softsign": lambda a: (1 - abs(a)) ** 2,
    "hard_tanh": lambda a: float(abs(a) < 1),
    "hard_sigmoid": lambda a: float(0 < a < 1),
}
"""σ′ / max σ′ as a function of a = σ(z), of the activations that saturate."""


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
        activation = activation_of(layer.activation).name
        found.append(
            LayerStatistics(
                layer=index,
                gradient_norm=norm(rows),
                weight_norm=weight,
                update_ratio=moved / weight if weight > 0 else (math.inf if moved > 0 else 0.0),
                dead=dead_share(a) if activation == "relu" else None,
                saturated=saturated_share(activation, a),
            )
        )
    return found


def dead_share(a: Matrix) -> float:
    """Return the share of units, the columns of a, that are 0 in all rows."""
    units = list(zip(*a, strict=True))
    return sum(all(each == 0 for each in unit) for unit in units) / len(units)


def saturated_share(activation: str, a: Matrix) -> float | None:
    """Return the share of activations with a flat slope; None unless the function saturates."""
    if activation not in RELATIVE_SLOPES:
        return None
    slopes = [RELATIVE_SLOPES[activation](each) for row in a for each in row]
    return sum(slope < FLAT for slope in slopes) / len(slopes)
