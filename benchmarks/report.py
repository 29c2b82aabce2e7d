"""Tables for a terminal, printed row by row during the measurements, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def columns_in(columns: Iterable[Column], sample: Row) -> tuple[Column, ...]:
    """Return the columns whose keys are in the row `sample`."""
    return tuple(column for column in columns if column.key in sample)


def heading(title: str, columns: Iterable[Column], sample: Row) -> str:
    """Return title, column headings (aligned like the cells of `sample`) and a rule."""
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


def notes(row: Row) -> list[str]:
    """Return the remarks on a row, one line each."""
    remarks = row.get("notes")
    return list(remarks) if isinstance(remarks, list) else []


def markdown(title: str, columns: Iterable[Column], rows: Sequence[Row]) -> str:
    """Return the table in Markdown, with the notes below it."""
    columns = columns_in(columns, rows[0])
    right = [not isinstance(rows[0].get(column.key), str) for column in columns]
    lines = [
        [column.heading for column in columns],
        ["---:" if aligned else "---" for aligned in right],
        *([column.cell(row).strip() for column in columns] for row in rows),
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    remarks = [f"- {row['network']}: {remark}" for row in rows for remark in notes(row)]
    return "\n\n".join([f"### {title}", table, *(["\n".join(remarks)] if remarks else [])])
