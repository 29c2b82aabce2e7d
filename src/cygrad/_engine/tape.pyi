from collections.abc import Sequence
from typing import Any, final, overload

from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

GATES: dict[str, int]

@overload
def evaluate_gate(name: str, a: float, b: float | None = None) -> float: ...
@overload
def evaluate_gate(name: str, a: ArrayLike, b: ArrayLike | None = None) -> NDArray[Any]: ...

@final
class Workspace: ...

@disjoint_base
class Tape:
    def __init__(
        self,
        constants: Sequence[float],
        inputs: int,
        gates: Sequence[tuple[str, int, int | None]],
        result: int,
    ) -> None: ...
    @property
    def constants(self) -> tuple[float, ...]: ...
    @property
    def gates(self) -> list[tuple[str, int, int | None]]: ...
    @property
    def result(self) -> int: ...
    @property
    def isa(self) -> str: ...
    def __call__(self, *arguments: Any, **named: Any) -> Any: ...
    def value(self, *arguments: Any, **named: Any) -> Any: ...
    def call_with_arrays(
        self, arguments: tuple[Any, ...], named: dict[str, Any], differentiate: bool
    ) -> Any: ...
    def run(
        self, arrays: Sequence[NDArray[Any]], points: int, differentiate: bool
    ) -> tuple[NDArray[Any], NDArray[Any] | None]: ...
