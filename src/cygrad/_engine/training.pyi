from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias, final

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import ArrayLike, NDArray

from cygrad._engine.engine import Engine
from cygrad._engine.passes import SequentialPasses
from cygrad._engine.plan import CustomTargets
from cygrad._engine.samples import Samples

# The largest number of threads, or a function for it, called only if more than one would pay.
_Threads: TypeAlias = int | Callable[[], int]

def permute(order: NDArray[np.int64], seed: int) -> None: ...
def is_permutation(order: NDArray[np.int64]) -> bool: ...
def layer_statistics(
    engine: Engine,
    X: Samples,
    targets: NDArray[np.int64] | Samples | CustomTargets,
    order: NDArray[np.int64],
    change: NDArray[Any],
    step: int,
    threads: _Threads = 1,
    weights: NDArray[np.float64] | None = None,
) -> list[tuple[int, float, float, float, float | None, float | None]]: ...

HYPERPARAMETERS: frozenset[str]
RATES_AHEAD: int

@final
class Training(SequentialPasses):
    steps: int
    rate: float
    @property
    def epoch_steps(self) -> int: ...
    @property
    def sums(self) -> tuple[float, float, float]: ...
    @sums.setter
    def sums(self, numbers: tuple[float, float, float]) -> None: ...
    @property
    def seed(self) -> int: ...
    @seed.setter
    def seed(self, seed: int) -> None: ...
    def __init__(
        self,
        engine: Engine,
        rule: str,
        batch_size: int,
        learning_rate: float | Callable[[int], float] = 0.0,
        *,
        learning_rates: Callable[[int, int], NDArray[np.float64]] | None = None,
        clip: str | None = None,
        clip_limit: float = 0,
        max_block: int = 0,
        seed: int = 0,
        **hyperparameters: float,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    @property
    def record(self) -> NDArray[np.float64]: ...
    @record.setter
    def record(self, numbers: NDArray[np.float64]) -> None: ...
    @property
    def state(self) -> list[NDArray[Any]]: ...
    @property
    def division(self) -> tuple[int, int, int]: ...
    @property
    def workspace_size(self) -> int: ...
    def join(self, link: Any) -> None: ...
    def divide(self, bounds: NDArray[np.int64] | None, most: int) -> None: ...
    def forget_rates(self) -> None: ...
    def reset(self) -> None: ...
    def epoch(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        order: NDArray[np.int64] | None,
        learning_rates: NDArray[np.float64] | None = None,
        poll: Callable[[int, float], None] | None = None,
        threads: _Threads = 1,
        seconds: float | None = None,
        weights: NDArray[np.float64] | None = None,
        continues: bool = False,
        first: int = 0,
        last: int | None = None,
    ) -> tuple[float, float, int, bool]: ...
    def epochs(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        rows: NDArray[np.int64] | None,
        stream: BitGenerator | None,
        count: int,
        before: NDArray[Any],
        found: list[tuple[float, ...]],
        learning_rates: NDArray[np.float64] | None = None,
        threads: _Threads = 1,
    ) -> tuple[int, bool]: ...
    def step(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        threads: _Threads = 1,
        weights: NDArray[np.float64] | None = None,
    ) -> float: ...
    def learn_one(self, x: ArrayLike, y: ArrayLike) -> float: ...
