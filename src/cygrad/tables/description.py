"""`Description`: what an encoder made of each column, as rows and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

HEADINGS = ("column", "taken for", "inputs", "gaps", "distinct values")
WIDEST = 40


class DescribedColumn(NamedTuple):
    """A row of `Description`.

    Attributes
    ----------
    column : str
    taken_for : str
        "number", "boolean", "category", "date" or "gaps"; "left out: " and the reason; or
        "target: classes" or "target: quantity".
    inputs : int
        How many inputs it became.
    gaps : int
        In the training rows.
    distinct : int
        Different values in the training rows.
    """

    column: str
    taken_for: str
    inputs: int
    gaps: int
    distinct: int


class Description(Sequence[DescribedColumn]):
    """A table with a row for each column of the training; ``print`` shows it.

    Examples
    --------
    >>> print(Description([DescribedColumn("age", "number", 2, 3, 71)]))
    column  taken for  inputs  gaps  distinct values
    age     number          2     3               71
    """

    def __init__(self, rows: Sequence[DescribedColumn]) -> None:
        self._rows = tuple(rows)

    def __getitem__(self, index: int) -> DescribedColumn:  # type: ignore[override]
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DescribedColumn]:
        return iter(self._rows)

    def __str__(self) -> str:
        texts = [HEADINGS, *([_short(str(value)) for value in row] for row in self._rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = []
        for row in texts:
            cells = [
                text.ljust(width) if index < 2 else text.rjust(width)
                for index, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def one_line(text: str) -> str:
    """Return text with line ends and other characters that do not print as escapes."""
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() else repr(part)[1:-1] for part in text)


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
