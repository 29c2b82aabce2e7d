from typing import final

from numpy.typing import ArrayLike

@final
class Samples:
    def __init__(self, array: ArrayLike, name: str = "X", columns: int | None = None) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
