from typing import Any, overload

from numpy.typing import ArrayLike, NDArray

GATES: dict[str, int]

@overload
def evaluate(name: str, a: float, b: float | None = None) -> float: ...
@overload
def evaluate(name: str, a: ArrayLike, b: ArrayLike | None = None) -> NDArray[Any]: ...
