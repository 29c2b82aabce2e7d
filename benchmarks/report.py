"""Tables for a terminal, written row by row while the measurements come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Row = Mapping[str, object]


@dataclass(frozen=True)
class Column:
    """One column: the key in a row, its heading, its width and a format specification."""

    key: str
    heading: str
    width: int
    spec: str = ""

    def cell(self, row: Row) -> str:
        value = row.get(self.key)
        if value is None:
            return "-".rjust(self.width)
        text = format(value, self.spec)
        return text.ljust(self.width) if isinstance(value, str) else text.rjust(self.width)


def heading(title: str, columns: Iterable[Column], sample: Row) -> str:
    """Title, column headings (aligned as the cells of `sample` are) and a rule."""
    cells = [
        column.heading.ljust(column.width)
        if isinstance(sample.get(column.key), str)
        else column.heading.rjust(column.width)
        for column in columns
    ]
    line = "  ".join(cells).rstrip()
    return f"\n{title}\n{line}\n{'─' * len(line)}"


def line(columns: Iterable[Column], row: Row) -> str:
    return "  ".join(column.cell(row) for column in columns).rstrip()
