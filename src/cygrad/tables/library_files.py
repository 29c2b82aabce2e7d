"""Tables from files that other libraries read: Parquet, Feather, Arrow, Excel and MATLAB.

PyArrow, pandas and SciPy are imported only here, when such a file is read. The number of values is
held against the size of the file before they are read, since a few bytes can stand for billions.
"""

from __future__ import annotations

import datetime
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cygrad.tables import arrays as in_memory
from cygrad.tables import frames
from cygrad.tables.array_files import array_columns, table_of
from cygrad.tables.layout import GAPS
from cygrad.tables.sources import EXPANSION, FREE_BYTES
from cygrad.tables.table import Column, Table


def read_parquet(path: Path, max_bytes: int | None) -> Table:
    """Read a Parquet file; see `cygrad.tables.read`."""
    parquet = _library("pyarrow.parquet", "pyarrow", path)
    with _damage(path, "Parquet"):
        found = parquet.read_metadata(path)
    _check_size(path, found.num_rows, found.num_columns, max_bytes)
    with _damage(path, "Parquet"):
        frame = parquet.read_table(path)
    return frames.table(frame, str(path))


def read_arrow(path: Path, max_bytes: int | None) -> Table:
    """Read a Feather or Arrow file, or an Arrow stream; see `cygrad.tables.read`."""
    arrow = _library("pyarrow", "pyarrow", path)
    feather = _library("pyarrow.feather", "pyarrow", path)
    with _damage(path, "Arrow"), arrow.memory_map(os.fspath(path)) as file:
        if file.read(4) == b"\xff\xff\xff\xff":
            file.seek(0)
            frame = arrow.ipc.open_stream(file).read_all()
        else:
            frame = feather.read_table(path, memory_map=True)
    _check_size(path, frame.num_rows, frame.num_columns, max_bytes)
    return frames.table(frame, str(path))


def read_matlab(path: Path, chosen: Sequence[str] | None, max_bytes: int | None) -> Table:
    """Read arrays of a MATLAB file up to version 7; see `cygrad.tables.read`."""
    with path.open("rb") as file:
        if file.read(10).endswith(b"7.3"):
            raise ValueError(
                f"{path} has version 7.3 of MATLAB's files, expected version 7 or older, as from "
                "save -v7"
            )
    io = _library("scipy.io", "scipy", path)
    notes: list[str] = []
    with _damage(path, "MATLAB"):
        found = {name: (shape, kind) for name, shape, kind in io.whosmat(path)}
    other = ("struct", "cell", "object", "function", "opaque", "unknown", "sparse")
    readable = [name for name, (_, kind) in found.items() if kind not in other]
    names = readable if chosen is None else list(chosen)
    for name in names:
        if name not in found:
            raise ValueError(f"{path} has the arrays {', '.join(found)}, and no {name!r}")
        if name not in readable:
            raise ValueError(f"{path}, array {name} is a {found[name][1]}, expected numbers")
        _check_size(path, 1, math.prod(found[name][0]), max_bytes)
    left = [name for name in found if name not in readable]
    if chosen is None and left:
        notes.append(f"left out: {', '.join(left)}, as they are no arrays of numbers or text")
    if not names:
        raise ValueError(f"{path} has no arrays of numbers or text")
    with _damage(path, "MATLAB"):
        values = io.loadmat(path, variable_names=names, chars_as_strings=True)
        values = {name: np.atleast_2d(values[name]) for name in names}
    rows = max(len(values[name]) for name in names)
    columns: list[Column] = []
    for name in names:
        array = values[name]
        if array.shape == (1, rows) and rows > 1:  # a row vector beside a table
            array = array[0]
        elif array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.dtype.kind == "U":
            array = np.char.rstrip(array)  # MATLAB's texts have equal lengths
        if len(array) != rows:
            sizes = ", ".join(f"{name} {found[name][0]}" for name in names)
            raise ValueError(f"{path} has arrays of different lengths: {sizes}; expected arrays=")
        columns += array_columns(f"{path}, array {name}", name, array, notes)
    return table_of(path, columns, notes)


def read_excel(
    path: Path, sheet: str | int | None, header: bool | None, max_bytes: int | None
) -> Table:
    """Read a sheet of an Excel file through pandas; see `cygrad.tables.read`."""
    pandas = _library("pandas", "pandas and openpyxl", path)
    if zipfile.is_zipfile(path):
        with _damage(path, "Excel"), zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
        _check_size(path, 1, total // 8, max_bytes)
    notes: list[str] = []
    with _damage(path, "Excel"):
        book = pandas.ExcelFile(path)
    with book:
        names = list(book.sheet_names)
        if sheet is None and len(names) > 1:
            notes.append(f"guessed: sheet {names[0]!r} of {', '.join(names)} (sheet=)")
        if isinstance(sheet, str) and sheet not in names:
            raise ValueError(f"{path} has the sheets {', '.join(names)}, and no {sheet!r}")
        if isinstance(sheet, int) and not 1 <= sheet <= len(names):
            raise ValueError(f"sheet is {sheet}, expected 1 to {len(names)} for {path}")
        chosen = names[0] if sheet is None else sheet
        with _damage(path, "Excel"):
            frame = pandas.read_excel(
                book,
                sheet_name=chosen - 1 if isinstance(chosen, int) else chosen,
                header=None,
                dtype=object,
                keep_default_na=False,
                na_values=[],
            )
    rows = [[_cell(value) for value in row] for row in frame.to_numpy(object).tolist()]
    while rows and all(value is None for value in rows[-1]):
        rows.pop()
    if not rows:
        raise ValueError(f"{path}, sheet {chosen} has no rows")
    if header is None:
        header = all(isinstance(value, str | None) for value in rows[0]) and len(rows) > 1
        notes.append(f"guessed: {'header' if header else 'no header'} (header=)")
    given = rows.pop(0) if header else [None] * len(rows[0])
    if not rows:
        raise ValueError(f"{path}, sheet {chosen} has a header and no rows")
    columns: list[Column] = []
    taken: set[str] = set()
    for number, (name, *values) in enumerate(zip(given, *rows, strict=True), 1):
        unique = f"column_{number}" if name is None else str(name)
        if unique in taken:
            raise ValueError(f"{path}, sheet {chosen} has two columns named {unique!r}")
        taken.add(unique)
        columns.append(_excel_column(f"{path}, sheet {chosen}", unique, values, notes))
    return Table(columns, notes=notes, source=str(path))


def _excel_column(place: str, name: str, values: list[Any], notes: list[str]) -> Column:
    words = [value for value in values if value is not None]
    if words and all(isinstance(value, datetime.datetime) for value in words):
        return in_memory.column(name, np.array(values, "datetime64[us]"), notes)
    if any(isinstance(value, str) for value in words) and not all(
        isinstance(value, str) for value in words
    ):
        count = sum(isinstance(value, str) for value in words)
        notes.append(f"column {name!r} is text, as {count} of {len(words)} cells are")
        values = [None if value is None else str(value) for value in values]
    try:
        return in_memory.column(name, values or [None], notes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from None


def _cell(value: Any) -> Any:
    """Return a cell's value, None for a gap."""
    if isinstance(value, str):
        value = value.strip()
        return None if value in GAPS else value
    return None if value is None or value != value else value


def _check_size(path: Path, rows: int, columns: int, max_bytes: int | None) -> None:
    """Raise a ValueError if the numbers take far more memory than the file has bytes."""
    limit = 8 * FREE_BYTES + EXPANSION * path.stat().st_size if max_bytes is None else max_bytes
    if 8 * rows * columns > limit:
        raise ValueError(
            f"{path} has {rows * columns:,} values, which take more than {limit:,} bytes; "
            "max_bytes= allows more"
        )


@contextmanager
def _damage(path: Path, kind: str) -> Iterator[None]:
    """Make a ValueError with the path of whatever a library raises for a damaged file."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{path} needs a library that is not installed: {error}") from None
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is a damaged {kind} file: {error}") from None


def _library(module: str, package: str, path: Path) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise ImportError(f"{path} needs {package}, which is not installed") from None
