from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HYPERPARAMETERS: frozenset[str]

class Layer:
    weights: NDArray[Any]
    biases: NDArray[Any]
    activation: int
    parameter: float
    train_weights: bool
    train_biases: bool
    weight_states: list[NDArray[Any]]
    bias_states: list[NDArray[Any]]
    def __init__(
        self,
        weights: NDArray[Any],
        biases: NDArray[Any],
        activation: str,
        rule: str = "sgd",
        train_weights: bool = True,
        train_biases: bool = True,
        parameter: float = 0.0,
        rate_factors: tuple[float, float] = (1.0, 1.0),
        initial: float = 0.0,
    ) -> None: ...

def gradient_norm(gradients: list[list[NDArray[Any]]]) -> tuple[float, int]: ...
def clipping_factors(
    gradients: list[list[NDArray[Any]]], clip: str, limit: float
) -> list[tuple[float, float]] | None: ...
def train_epoch(
    layers: list[Layer],
    X: NDArray[Any],
    y: NDArray[Any],
    order: NDArray[np.int64],
    *,
    loss: str,
    parameters: NDArray[np.float64] | None = None,
    weights: NDArray[np.float64] | None = None,
    mean: bool,
    batch_size: int,
    rule: str,
    rates: Sequence[float],
    steps: int = 0,
    clip: str | None = None,
    clip_limit: float = 0.0,
    **hyperparameters: float,
) -> tuple[float, float, int]: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
