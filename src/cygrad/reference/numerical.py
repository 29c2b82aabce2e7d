"""Numerical gradients by central differences, to check the exact ones against.

They need two evaluations of the whole network for every parameter, while backpropagation needs one
forward and one backward pass for all of them; and they are inexact. But they do not use the
backward pass, so they can find its faults.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .network import Network, Rows, Targets
from .vectors import Matrix, Vector


@dataclass(frozen=True)
class NumericalGradients:
    """Approximations to the fields of `Gradients` of the same names and shapes."""

    weights: list[Matrix]
    biases: list[Vector]
    inputs: Matrix


def central_differences(values: Vector, cost: Callable[[], float], epsilon: float) -> Vector:
    """∂C/∂p ≈ (C(p + ε) − C(p − ε)) / 2ε, for each p in a list that `cost` depends on.

    The formula has an error of the order of ε² C‴ and rounding one of u C / ε, with u = 2⁻⁵³. Each
    value is changed in place and restored.
    """
    gradient = []
    for k, value in enumerate(values):
        values[k] = value + epsilon
        cost_right = cost()
        values[k] = value - epsilon
        cost_left = cost()
        values[k] = value
        gradient.append((cost_right - cost_left) / (2 * epsilon))
    return gradient


def numerical_gradients(
    network: Network, X: Rows, y: Targets, epsilon: float = 1e-5
) -> NumericalGradients:
    """Compute the gradients of the loss by weights, biases and inputs from the loss alone.

    Parameters
    ----------
    network : Network
    X, y : samples and targets, as `Network.backward` takes them
    epsilon : float
        ε. Near u^⅓ ≈ 5e-6, for parameters of the order of 1, the two errors are about equal.
    """
    samples = network.read_samples(X)
    network.read_targets(y, len(samples))

    def cost() -> float:
        return network.evaluate(samples, y)["loss"]

    return NumericalGradients(
        weights=[
            [central_differences(row, cost, epsilon) for row in layer.weights]
            for layer in network.layers
        ],
        biases=[
            central_differences(layer.biases, cost, epsilon)
            if layer.use_bias
            else [0.0] * len(layer.biases)
            for layer in network.layers
        ],
        inputs=[central_differences(x, cost, epsilon) for x in samples],
    )
