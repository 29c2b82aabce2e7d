from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cygrad._engine.plan import CustomTargets
from cygrad._engine.samples import Samples
from cygrad._engine.team import Team

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
        others: Mapping[int, tuple[str, float, float, int]] | None = None,
        activation_parameters: Sequence[float] | None = None,
        loss_parameters: Sequence[float] = (),
        target_columns: int | None = None,
        repeats_targets: bool = False,
    ) -> None: ...
    custom_loss: Callable[..., Any] | None
    @property
    def has_batch_norm(self) -> bool: ...
    @property
    def is_random(self) -> bool: ...
    def running_statistics(self, layer: int) -> tuple[NDArray[Any], NDArray[Any]] | None: ...
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
    def set_weights(self, layer: int, weights: ArrayLike, finite: bool = False) -> bool: ...
    def biases(self, layer: int) -> NDArray[Any]: ...
    def set_biases(self, layer: int, biases: ArrayLike, finite: bool = False) -> bool: ...
    def parameters(self) -> NDArray[Any]: ...
    def set_parameters(self, parameters: ArrayLike) -> bool: ...
    def set_trained(self, layer: int, weights: bool, biases: bool) -> None: ...
    def set_rate_factors(self, layer: int, weights: float, biases: float) -> None: ...
    def set_standardization(
        self, mean: NDArray[np.float64] | None, scale: NDArray[np.float64] | None
    ) -> None: ...
    def read_samples(self, X: ArrayLike, name: str = "X", check: bool = True) -> Samples: ...
    def copy_storage(self, out: NDArray[Any]) -> None: ...
    @property
    def finite(self) -> bool: ...
    def forward(self, X: ArrayLike | Samples, threads: _Threads = 1) -> NDArray[Any]: ...
    def predict(self, X: ArrayLike | Samples, threads: _Threads = 1) -> NDArray[Any]: ...
    def predict_one(
        self, x: ArrayLike, out: NDArray[Any] | None = None
    ) -> int | float | NDArray[Any]: ...
    def evaluate(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        threads: _Threads = 1,
        rows: NDArray[np.int64] | None = None,
        outputs: NDArray[Any] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[float, float]: ...
    def gradient(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        out: NDArray[Any] | None = None,
        threads: _Threads = 1,
        training: bool = False,
        step: int = 0,
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[float, NDArray[Any]]: ...
    def gradient_and_metric(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        out: NDArray[Any],
        threads: _Threads = 1,
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[float, float]: ...
    # What is not in `keep` is None.
    def backward(
        self,
        X: Samples,
        targets: NDArray[np.int64] | Samples | CustomTargets,
        input_gradient: bool,
        keep: Collection[str],
        threads: _Threads = 1,
        training: bool = False,
        step: int = 0,
        weights: NDArray[np.float64] | None = None,
    ) -> tuple[
        float,
        tuple[NDArray[Any], ...],
        tuple[NDArray[Any], ...],
        tuple[NDArray[Any], ...],
        tuple[NDArray[Any], ...],
        tuple[NDArray[Any], ...],
        NDArray[Any] | None,
    ]: ...

@final
class Inference: ...

@final
class Differentiation: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules

@final
class JacobianPasses(Team):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

def jacobian(
    engine: Engine, X: Samples, first: int, outputs: int, threads: _Threads = 1
) -> NDArray[Any]: ...
