from typing import final

from numpy.typing import ArrayLike

@final
class Samples:
    def __init__(
        self,
        array: ArrayLike,
        name: str = "X",
        columns: int | None = None,
        dtype: str = "float64",
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
