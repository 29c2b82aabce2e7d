"""Small networks for tests."""

from typing import Any

from cygrad import Dense, Network
from cygrad.network import LOSSES


def fitting(loss: str, default: str = "identity") -> str:
    """Return the output activation that a loss requires, or else the default."""
    return LOSSES[loss].activation or default


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
