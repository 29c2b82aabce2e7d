"""Read text with one sample per row and fields separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.records import dataclass
from cygrad.tables.columns import column_position
from cygrad.tables.compression import open_decompressed
from cygrad.tables.layout import has_leading_zero
from cygrad.tables.samples import Samples, Task, targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: In order of preference: between tabs or semicolons a comma may be a decimal point.
DELIMITERS = ("\t", ";", ",")

#: The line that a row begins on, counted from 1, and the fields of the row.
Record = tuple[int, list[str]]


def read_csv(
    path: Path, target: str | int | None, task: Task, classes: Sequence[str] | None
) -> Samples:
    """Read a CSV file; see `cygrad.datasets.read`."""
    try:
        with (
            open_decompressed(path) as file,
            io.TextIOWrapper(file, "utf-8-sig", newline="") as text,
        ):
            layout, records = _layout(path, _records(path, text), target)
            lines, X, labels = _body(layout, records)
    except UnicodeDecodeError:
        line, byte = _first_byte_outside_utf8(path)
        raise ValueError(f"{path}, line {line}, byte {byte} is not UTF-8 text") from None
    names, column = layout.names, layout.target
    if column is None:
        return Samples(X, features=names)

    def locate(row: int) -> str:
        return layout.locate(lines[row], column)

    y, class_names = targets(_target_values(labels, task, classes, locate), task, classes, locate)
    if names is None:
        return Samples(X, y, classes=class_names)
    return Samples(X, y, names[:column] + names[column + 1 :], names[column], class_names)


@dataclass(frozen=True)
class _Layout:
    """Number and names of the columns of a file, and the position of its target."""

    path: Path
    width: int
    names: tuple[str, ...] | None
    target: int | None

    def locate(self, line: int, column: int) -> str:
        name = "" if self.names is None else f" ({self.names[column]})"
        return f"{self.path}, line {line}, column {column + 1}{name}"

    def locate_input(self, line: int, position: int) -> str:
        # Inputs do not count the target, so those behind it are one column further right.
        return self.locate(line, position + (self.target is not None and position >= self.target))


def _layout(
    path: Path, records: Iterator[Record], target: str | int | None
) -> tuple[_Layout, Iterator[Record]]:
    """Return the layout, from the first row, and an iterator over the rows of data."""
    line, first = next(records, (0, []))
    if not first:
        raise ValueError(f"{path} has no rows")
    names = None
    if _is_header(first, target):
        names = tuple(field.strip() for field in first)
    else:
        records = chain([(line, first)], records)
    column = None if target is None else column_position(path, target, len(first), names)
    if column is not None and len(first) == 1:
        raise ValueError(f"{path} has no column beside the target, expected at least one input")
    return _Layout(path, len(first), names, column), records


def _body(layout: _Layout, records: Iterator[Record]) -> tuple[array[int], NDArray[Any], list[str]]:
    """Return the line number, the inputs, and the target as text of each row."""
    lines = array("q")
    inputs = array("d")
    labels: list[str] = []
    interned: dict[str, str] = {}  # stores the name of a class once, not once per row
    for line, fields in records:
        if len(fields) != layout.width:
            raise ValueError(
                f"{layout.path}, line {line}, column {min(len(fields), layout.width) + 1}: "
                f"the row has {len(fields)} columns, expected {layout.width}"
            )
        if layout.target is not None:
            label = fields.pop(layout.target).strip()
            labels.append(interned.setdefault(label, label))
        try:
            if not _is_plain("".join(fields)):
                raise ValueError
            inputs.extend(map(float, fields))
        except ValueError:
            position = next(i for i, field in enumerate(fields) if not _is_float(field))
            location = layout.locate_input(line, position)
            hint = "" if layout.target is not None else "; no target is named, which may be text"
            raise ValueError(
                f"{location} is {fields[position]!r}, expected a number{hint}"
            ) from None
        lines.append(line)
    if not lines:
        raise ValueError(f"{layout.path} has a header and no rows")
    X = np.frombuffer(inputs).reshape(len(lines), -1)
    if not np.isfinite(X).all():
        row, position = map(int, np.argwhere(~np.isfinite(X))[0])
        location = layout.locate_input(lines[row], position)
        raise ValueError(f"{location} is {X[row, position]}, expected a finite number")
    return lines, X, labels


def _target_values(
    labels: list[str], task: Task, classes: Sequence[str] | None, locate: Callable[[int], str]
) -> NDArray[Any]:
    """Return the targets as integers if all are integers, else as floats, else as text."""
    if "" in labels:
        raise ValueError(f"{locate(labels.index(''))} is empty, expected a target")
    if classes is not None and set(labels) <= set(classes):
        return np.array(labels, object)
    if classes is None and task != "regression" and any(map(has_leading_zero, labels)):
        return np.array(labels, object)  # 01 is the name of a class, and no number
    numeric = [_is_float(label) for label in labels]
    if all(numeric):
        with suppress(ValueError, OverflowError):
            return np.array([int(label) for label in labels], np.int64)
    if all(numeric):
        return np.array(labels, np.float64)
    if task == "regression" or (task == "auto" and any(numeric)):
        row = numeric.index(False)
        hint = "" if task == "regression" else " as in other rows (or task classification)"
        raise ValueError(f"{locate(row)} is {labels[row]!r}, expected a number{hint}")
    return np.array(labels, object)


def _is_header(first: list[str], target: str | int | None) -> bool:
    if not any(_is_float(field) for field in first):
        return True
    # Names may be numbers, too. Then only a target that is no number shows that this is a header.
    return isinstance(target, str) and not _is_float(target)


def _is_plain(text: str) -> bool:
    """Return whether text has nothing that only Python takes for a part of a number, as in 1_000.

    Spaces outside of ASCII, and digits of other alphabets, are such parts too.
    """
    return text.isascii() and "_" not in text


def _is_float(field: str) -> bool:
    if not _is_plain(field):
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _records(path: Path, text: io.TextIOWrapper) -> Iterator[Record]:
    """Yield the line number and the fields of each row; skip empty lines."""
    first = next((line for line in text if line.strip()), "")
    text.seek(0)
    outside_quotes = "".join(first.split('"')[::2])
    delimiter = next((mark for mark in DELIMITERS if mark in outside_quotes), ",")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    try:
        for fields in reader:
            if len(fields) > 1 or any(field.strip() for field in fields):
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {line}: {error}") from None


def _first_byte_outside_utf8(path: Path) -> tuple[int, int]:
    """Return the line of the byte and its position in that line, both counted from 1."""
    with open_decompressed(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return number, error.start + 1
    raise AssertionError(f"{path} changed while it was read")
