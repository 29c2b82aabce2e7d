"""Read sparse samples in the format of SVMlight and LIBSVM: lines ``target column:number …``.

Columns count from 1 in the format, but files that count from 0 are common too. A column 0 shows it;
where there is none, the first column may just be 0 everywhere, so what was taken is a note.
Source: T. Joachims, "Making Large-Scale SVM Learning Practical", 1999; C.-C. Chang, C.-J. Lin,
"LIBSVM", 2011.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from cygrad.records import dataclass
from cygrad.tables.layout import number_pattern
from cygrad.tables.sources import opened, regular_file
from cygrad.tables.sparse_rows import SparseRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = b"0123456789eE+-."
_ENTRY = re.compile(r"([0-9]+):(.*)", re.ASCII)
LARGEST_COLUMN = 2**31 - 2


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Sparse samples of a file.

    Attributes
    ----------
    X : SparseRows
    y : ndarray of float64, shape (rows,)
        Targets.
    groups : ndarray of int64, shape (rows,), or None
        The numbers behind ``qid:``, if the lines have them.
    notes : tuple of str
        What was guessed, with the argument that decides it.
    zero_based : bool
        Whether columns count from 0 in the file.
    lines : ndarray of int64, shape (rows,)
        The line of each row, from 1 on.
    """

    X: SparseRows
    y: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    notes: tuple[str, ...]
    zero_based: bool
    lines: NDArray[np.int64]


def read_svmlight(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    zero_based: bool | None = None,
    columns: int | None = None,
    max_bytes: int | None = None,
) -> SparseTable:
    """Read a file in the format of SVMlight and LIBSVM.

    Each line has a target, perhaps ``qid:`` and a number, and pairs ``column:number`` with
    increasing columns; a comment begins with ``#``. Numbers are those of `cygrad.tables.read`.

    Parameters
    ----------
    path : str, os.PathLike or binary file
        May be compressed, as for `cygrad.tables.read`.
    zero_based : bool or None
        Whether columns count from 0. None: if there is a column 0, else they count from 1, as the
        format says; which it was is in the notes.
    columns : int or None
        Number of columns. None takes the largest, with a note: a test part may have another one.
    max_bytes : int or None
        As for `cygrad.tables.read`.

    Returns
    -------
    SparseTable

    Raises
    ------
    ValueError
        If a line is malformed, with its number, the entry and what was expected, or a column is
        outside `columns`.
    OSError
        If the file cannot be read.
    """
    if columns is not None and (isinstance(columns, bool) or columns < 1):
        raise ValueError(f"columns is {columns!r}, expected a whole number of at least 1")
    if zero_based not in (None, True, False):
        raise TypeError(f"zero_based is {zero_based!r}, expected True, False or None")
    with regular_file(path, max_bytes) as file:
        return _read(file, zero_based, columns, max_bytes)


def _read(
    path: Path, zero_based: bool | None, columns: int | None, max_bytes: int | None
) -> SparseTable:
    targets, numbers = array("d"), array("d")
    indices, starts, lines = array("q"), array("q", [0]), array("q")
    groups = array("q")
    for line, text in _lines(path, max_bytes):
        content = text.partition(b"#")[0].strip()
        if not content:
            continue
        _read_line(f"{path}, line {line}", content, targets, groups, indices, numbers)
        starts.append(len(indices))
        lines.append(line)
        if groups and len(groups) != len(targets):
            raise ValueError(
                f"{path}, line {line}: qid is in some lines only, expected all or none"
            )
    if not lines:
        raise ValueError(f"{path} has no rows")
    places = np.frombuffer(indices, np.int64) if indices else np.empty(0, np.int64)
    indptr = np.array(starts, np.int64)
    _check_order(path, places, indptr, lines)
    places, notes, first = _from_zero(path, places, indptr, lines, zero_based)
    width = int(places.max(initial=-1)) + 1
    if columns is None:
        notes.append(f"guessed: {width} columns, the largest one (columns=)")
        columns = max(width, 1)
    elif width > columns:
        entry = int(np.argmax(places >= columns))
        row = int(np.searchsorted(indptr, entry, side="right")) - 1
        raise ValueError(
            f"{path}, line {lines[row]}: column {places[entry] + first} is outside "
            f"{first} to {columns - 1 + first}"
        )
    return SparseTable(
        SparseRows(
            np.array(numbers, np.float64),
            places.astype(np.int32),
            indptr,
            (len(lines), columns),
        ),
        np.array(targets, np.float64),
        np.array(groups, np.int64) if groups else None,
        tuple(notes),
        first == 0,
        np.array(lines, np.int64),
    )


def _lines(path: Path, max_bytes: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the number, from 1 on, and the bytes of each line."""
    with opened(path, max_bytes) as source:
        rest, line = b"", 0
        while True:
            block = source.read(1 << 20)
            *complete, rest = (rest + block).split(b"\n") if block else (rest,)
            for line, text in enumerate(complete, line + 1):  # noqa: B020
                yield line, text
            if not block:
                break
        yield line + 1, rest


def _read_line(
    place: str,
    content: bytes,
    targets: array[float],
    groups: array[int],
    indices: array[int],
    numbers: array[float],
) -> None:
    first, *tokens = content.split()
    is_number = number_pattern(".").fullmatch
    target = first.decode("ascii", "replace")
    if not is_number(target):
        raise ValueError(f"{place}: the target is {_cut(target)}, expected a number")
    targets.append(_finite(place, "the target", target))
    if tokens and tokens[0].startswith(b"qid:"):
        group = tokens.pop(0)[4:].decode("ascii", "replace")
        if not re.fullmatch(r"[0-9]{1,18}", group):
            raise ValueError(f"{place}: qid is {_cut(group)}, expected a whole number")
        groups.append(int(group))
    if not tokens:
        return
    pairs = b" ".join(tokens)
    if pairs.translate(None, _NUMBERS) == (b": " * len(tokens))[:-1]:  # a colon in each
        parts = pairs.replace(b":", b" ").split()
        try:
            if len(parts) == 2 * len(tokens) and b"".join(parts[0::2]).isdigit():
                values = list(map(float, parts[1::2]))
                columns = list(map(int, parts[0::2]))
                if all(0 <= one <= LARGEST_COLUMN for one in columns) and all(
                    value - value == 0 for value in values
                ):
                    indices.extend(columns)
                    numbers.extend(values)
                    return
        except ValueError:
            pass
    for token in tokens:  # one of them is wrong
        entry = token.decode("ascii", "replace")
        match = _ENTRY.fullmatch(entry)
        if match is None or not is_number(match[2]) or int(match[1][:20]) > LARGEST_COLUMN:
            raise ValueError(f"{place} has the entry {_cut(entry)}, expected column:number")
        _finite(place, f"column {match[1]}", match[2])
    raise ValueError(f"{place} cannot be read, expected column:number, separated by blanks")


def _finite(place: str, what: str, text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{place}: {what} is {_cut(text)}, expected a number below 1.8e308")
    return number


def _check_order(
    path: Path, places: NDArray[np.int64], indptr: NDArray[np.int64], lines: array[int]
) -> None:
    """Raise a ValueError if the columns of a row do not increase."""
    wrong = np.diff(places) <= 0
    ends = indptr[1:-1]
    wrong[ends[(ends > 0) & (ends < len(places))] - 1] = False
    if wrong.any():
        entry = int(np.argmax(wrong)) + 1
        row = int(np.searchsorted(indptr, entry, side="right")) - 1
        raise ValueError(
            f"{path}, line {lines[row]}: column {places[entry]} is behind column "
            f"{places[entry - 1]}, expected increasing columns"
        )


def _from_zero(
    path: Path,
    places: NDArray[np.int64],
    indptr: NDArray[np.int64],
    lines: array[int],
    zero_based: bool | None,
) -> tuple[NDArray[np.int64], list[str], int]:
    """Return columns that count from 0, what was guessed, and the first column in the file."""
    zeros = places == 0
    if zero_based is None:
        first = 0 if zeros.any() else 1
        reason = "as there is a column 0" if first == 0 else "as there is no column 0"
        note = f"guessed: columns count from {first}, {reason} (zero_based=)"
        return places - first, [note], first
    if zero_based:
        return places, [], 0
    if zeros.any():
        row = int(np.searchsorted(indptr, int(np.argmax(zeros)), side="right")) - 1
        raise ValueError(f"{path}, line {lines[row]}: column 0, expected columns from 1 on")
    return places - 1, [], 1


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
