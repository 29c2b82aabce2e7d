"""Find a column of a table by its name or number."""

from __future__ import annotations

from collections.abc import Sequence


def target_column(
    path: object, target: str | int, width: int, names: Sequence[str] | None = None
) -> int:
    """Return the position, counted from 0, of the column with the name or number `target`.

    A name is tried first, because a column may be named by a number.
    """
    if isinstance(target, str) and names is not None:
        positions = [position for position, name in enumerate(names) if name == target]
        if len(positions) > 1:
            raise ValueError(f"{path} has {len(positions)} columns named {target!r}, expected one")
        if positions:
            return positions[0]
    try:
        number = int(target)
    except ValueError:
        known = "no header" if names is None else f"the columns {_shortened(names)}"
        raise ValueError(f"{path} has {known}, and so no column {target!r}") from None
    if number == 0 or abs(number) > width:
        raise ValueError(
            f"target is {number}, expected a column of {path}: 1 to {width}, or -{width} to -1"
        )
    return number - 1 if number > 0 else width + number


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown}, ... ({len(names)} in all)"
