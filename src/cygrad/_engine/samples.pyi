from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

def class_indices(array: ArrayLike, classes: int) -> NDArray[np.int64] | None: ...

@final
class Samples:
    def __init__(
        self,
        array: ArrayLike,
        name: str = "X",
        columns: int | None = None,
        dtype: str = "float64",
        check: bool = True,
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
    def within(self, least: float, most: float) -> bool: ...
    def first_row_not_summing_to(
        self, expected: float, tolerance: float
    ) -> tuple[int, float] | None: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
