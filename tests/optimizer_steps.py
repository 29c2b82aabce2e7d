"""Steps of an optimiser with gradients that a test chooses."""

from typing import Any

import numpy as np

import cygrad as cg

GRADIENTS = (0.3, -0.2, 0.5, 0.1, 0.4, -0.7)


def weight_after_steps(
    optimizer: Any, dtype: str = "float64", limit: int = len(GRADIENTS)
) -> list[float]:
    """Return the weight after each step, with gradients that do not depend on it.

    C is the sum of x · w: a weight of one input, and the loss whose ∇ₐC is 1.
    """
    net = linear_network([[1.5]], dtype)
    trainer = cg.Trainer(net, optimizer)
    weights = []
    for gradient in GRADIENTS[:limit]:
        step_with(trainer, [[gradient]])
        weights.append(float(net.layers[0].weights[0, 0]))
    return weights


def linear_network(weights: Any, dtype: str = "float64", **arguments: Any) -> cg.Network:
    """A layer without biases, whose gradient `step_with` chooses."""
    weights = np.array(weights)
    layer = cg.Dense(len(weights), use_bias=False, weights_init=weights, **arguments)
    return cg.Network(weights.shape[1], [layer], loss="quadratic", dtype=dtype)


def step_with(trainer: cg.Trainer, gradient: Any) -> None:
    """Do a step with this gradient of the weights, (out, in): δ is a row of it for x = 1, 0, …"""
    net = trainer.net
    gradient, X = np.array(gradient), np.eye(net.inputs)
    outputs = X @ np.asarray(net.layers[0].weights, float).T
    trainer.step(X * 1.0, outputs - net.inputs * gradient.T)
