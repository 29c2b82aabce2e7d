from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cygrad._engine.samples import Samples

# The largest number of threads, or a function for it, called only if more than one would pay.
_Threads: TypeAlias = int | Callable[[], int]

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
    def set_trained(self, layer: int, weights: bool, biases: bool) -> None: ...
    def set_standardization(
        self, mean: NDArray[np.float64] | None, scale: NDArray[np.float64] | None
    ) -> None: ...
    @property
    def finite(self) -> bool: ...
    def predict_one(self, x: ArrayLike, out: NDArray[Any] | None = None) -> int | NDArray[Any]: ...
    def forward(self, X: ArrayLike, threads: _Threads = 1) -> NDArray[Any]: ...
    def evaluate(
        self, X: Samples, targets: NDArray[np.int64] | Samples, threads: _Threads = 1
    ) -> tuple[float, float]: ...
    def backward(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples,
        input_gradient: bool,
        threads: _Threads = 1,
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
class Inference: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
