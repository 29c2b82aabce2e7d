from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cygrad._engine.samples import Samples

ACTIVATIONS: tuple[str, ...]
LOSSES: tuple[str, ...]
RULES: tuple[str, ...]

def permute(order: NDArray[np.int64], seed: int) -> None: ...

@final
class Engine:
    def __init__(
        self,
        dtype: str,
        sizes: Sequence[int],
        activations: Sequence[str],
        use_bias: Sequence[bool],
        loss: str,
        reduction: str,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def storage(self) -> NDArray[Any]: ...
    def weights(self, layer: int) -> NDArray[Any]: ...
    def set_weights(self, layer: int, weights: NDArray[Any]) -> None: ...
    def biases(self, layer: int) -> NDArray[Any]: ...
    def set_biases(self, layer: int, biases: NDArray[Any]) -> None: ...
    def forward(self, X: ArrayLike) -> NDArray[Any]: ...
    def evaluate(self, X: Samples, targets: NDArray[np.int64] | Samples) -> tuple[float, float]: ...
    def backward(
        self, X: Samples, targets: NDArray[np.int64] | Samples, input_gradient: bool
    ) -> tuple[
        float,
        list[NDArray[Any]],
        list[NDArray[Any]],
        list[NDArray[Any]],
        list[NDArray[Any]],
        list[NDArray[Any]],
        NDArray[Any] | None,
    ]: ...

@final
class Training:
    step: int
    def __init__(
        self,
        engine: Engine,
        rule: str,
        batch_size: int,
        *,
        momentum: float = 0,
        beta1: float = 0,
        beta2: float = 0,
        epsilon: float = 0,
        weight_decay: float = 0,
        train_weights: Sequence[bool],
        train_biases: Sequence[bool],
    ) -> None: ...
    @property
    def state(self) -> list[NDArray[Any]]: ...
    def epoch(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples,
        order: NDArray[np.int64],
        learning_rates: NDArray[np.float64],
        poll: Callable[[int, float], None] | None = None,
    ) -> tuple[float, float, int, bool]: ...
