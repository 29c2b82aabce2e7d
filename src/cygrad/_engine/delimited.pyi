from collections.abc import Sequence
from typing import Any, final

NUMBERS: int
TEXT: int
NUMBERS_SO_FAR: int
SKIPPED: int
PADDING: int

def set_powers() -> None: ...
def number(text: bytes, point: bytes = b".") -> float | None: ...

@final
class RowParser:
    def __init__(
        self,
        separator: bytes,
        quote: bytes,
        point: bytes,
        comments: bytes,
        kinds: bytes,
        gaps: Sequence[bytes],
        gap_values: Sequence[float],
        line: int = 1,
    ) -> None: ...
    def feed(self, block: bytearray, start: int, stop: int, is_last: bool) -> int: ...
    def finish(self) -> None: ...
    @property
    def found_gaps(self) -> bytes: ...
    rows: int
    empty_tail: int
    line: int
    words: list[list[str]]
    numbers: bytearray
    codes: bytearray
    jumps: bytearray
    other: dict[int, tuple[int, bytes]]
    rounded: dict[int, tuple[int, bytes]]
    zeros: dict[int, tuple[int, bytes]]
    infinite: dict[int, tuple[int, bytes]]
    failure: Any
