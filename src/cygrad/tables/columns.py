"""Find columns of a table by their names or numbers, and the rows without gaps in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cygrad.tables.table import Table

SHOWN_NAMES = 20


def column_position(
    source: object,
    column: str | int,
    width: int,
    names: Sequence[str] | None = None,
    argument: str = "target",
) -> int:
    """Return the position, counted from 0, of the column with a name or number.

    A name is tried first, because a column may be named by a number. The error names the argument.
    """
    if isinstance(column, str) and names is not None:
        positions = [position for position, name in enumerate(names) if name == column]
        if len(positions) > 1:
            raise ValueError(
                f"{source} has {len(positions)} columns named {column!r}, expected one"
            )
        if positions:
            return positions[0]
    try:
        number = int(column)
    except ValueError:
        has = "no header" if names is None else f"the columns {shortened(names)}"
        raise ValueError(
            f"{argument} is {column!r}, expected a column of {source}, which has {has}"
        ) from None
    if number == 0 or abs(number) > width:
        raise ValueError(
            f"{argument} is {number}, expected a column of {source}: 1 to {width}, or -{width} to "
            "-1"
        )
    return number - 1 if number > 0 else width + number


def column_names(table: Table, columns: Iterable[str | int], argument: str) -> list[str]:
    """Return the names of columns that are given by name or number, each once."""
    found: list[str] = []
    for column in columns:
        position = column_position(table.source, column, len(table.names), table.names, argument)
        name = table.names[position]
        if name in found:
            raise ValueError(f"{argument} has column {name!r} twice")
        found.append(name)
    return found


def check_names(given: Any, argument: str) -> tuple[str | int, ...]:
    """Return names and numbers of columns, checked."""
    if isinstance(given, str | int) or not isinstance(given, Iterable):
        raise TypeError(f"{argument} is {given!r}, expected a sequence of names or numbers")
    names = tuple(given)
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise TypeError(f"{argument} has {name!r}, expected names or numbers of columns")
    return names


def shortened(names: Sequence[str]) -> str:
    """Return names for a message, of many the first."""
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown}, … ({len(names)} in all)"


def complete_rows(table: Table, names: Iterable[str]) -> Table:
    """Return the rows of a table without gaps in some columns."""
    gaps = np.zeros(len(table), bool)
    for name in names:
        gaps |= table.column(name).is_gap
    return table.take(~gaps) if gaps.any() else table
