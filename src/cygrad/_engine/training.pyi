from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cygrad._engine.engine import Engine
from cygrad._engine.passes import InTurn
from cygrad._engine.samples import Samples

RULES: tuple[str, ...]

def permute(order: NDArray[np.int64], seed: int) -> None: ...

@final
class Training(InTurn):
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
        threads: int = 1,
    ) -> tuple[float, float, int, bool]: ...
