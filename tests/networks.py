"""Small networks for tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad import Dense, Network
from cygrad.network import LOSSES
from cygrad.network.losses import target_columns


def fitting(loss: str, default: str = "identity") -> str:
    """Return the output activation that a loss requires, or else the default."""
    return LOSSES[loss].activation or default


def units_for(loss: str, units: int) -> int:
    """Return the number of outputs nearest to `units` that the loss accepts."""
    return units + units % 2 if loss == "gaussian_nll" else units


def targets_for(loss: str, rng: np.random.Generator, n: int, outputs: int) -> NDArray[Any]:
    """Draw n targets: class indices if the loss takes them, else rows of numbers from 0 to 1."""
    if LOSSES[loss].labels:
        return rng.integers(0, outputs, n)
    y = rng.uniform(size=(n, target_columns(loss, outputs)))
    return y / y.sum(axis=1, keepdims=True) if LOSSES[loss].targets == "probabilities" else y


def small_network(
    inputs: int,
    hidden: int,
    units: int,
    loss: str,
    activation: str | None = None,
    **options: Any,
) -> Network:
    """Make a network of one hidden layer; its output layer fits the loss, unless it is given."""
    output = Dense(units, activation or fitting(loss))
    return Network(inputs, [Dense(hidden, "tanh"), output], **{"loss": loss, "rng": 0, **options})
