"""Clipping: the gradient of a batch, made smaller where it is too large, before the update.

With the gradient g = ∂C/∂P of all trained parameters, or of those of one layer, and the limit c::

    value         gᵢ ← max(−c, min(c, gᵢ))
    norm          g ← g c / ‖g‖    where ‖g‖ > c, for the weights and biases of each layer
    global norm   the same for all layers together

A gradient whose norm is at most c stays as it is.

Source: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
networks", ICML 2013.
"""

import math
from collections.abc import Iterable, Sequence

from .layers import Layer
from .network import Gradients
from .vectors import Matrix, Vector

KINDS = ("value", "norm", "global_norm")


def trained_rows(layer: Layer, weights: Matrix, biases: Vector) -> list[Vector]:
    """Return the rows of a layer's gradient that belong to trained parameters."""
    rows = list(weights) if layer.trains_weights else []
    return [*rows, biases] if layer.trains_biases else rows


def norm(rows: Iterable[Vector]) -> float:
    """‖g‖ = √Σ g², without overflow of the squares."""
    return math.hypot(*(number for row in rows for number in row))


def factor(norm: float, limit: float) -> float:
    """Return c / ‖g‖ where the norm is above the limit c, else 1."""
    return limit / norm if norm > limit else 1.0


def clip(layers: Sequence[Layer], gradients: Gradients, kind: str, limit: float) -> None:
    """Clip the gradients of trained parameters in place.

    Raises
    ------
    ArithmeticError
        If one of them is NaN or infinite; then none is changed.
    """
    rows = [
        trained_rows(layer, weights, biases)
        for layer, weights, biases in zip(layers, gradients.weights, gradients.biases, strict=True)
    ]
    if not all(math.isfinite(number) for each in rows for row in each for number in row):
        raise ArithmeticError("the gradient is not finite")
    parts = rows if kind == "norm" else [[row for each in rows for row in each]]
    for part in parts:
        scale = 1.0 if kind == "value" else factor(norm(part), limit)
        for row in part:
            row[:] = [
                max(-limit, min(limit, number)) if kind == "value" else scale * number
                for number in row
            ]
