"""Tables from files of arrays: ``.npy``, ``.npz`` and IDX. Nothing in them is ever unpickled.

An array with rows of several numbers becomes a column for each; other dimensions are flattened.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.tables import arrays, idx, npy
from cygrad.tables.layout import MOST_COLUMNS
from cygrad.tables.sources import EXPANSION, FREE_BYTES
from cygrad.tables.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pairs of arrays that divide the samples of a file into parts, the first one to be read.
PARTS = (("x_train", "y_train"), ("X_train", "y_train"), ("train_x", "train_y"))


def read_npy(path: Path) -> Table:
    """Read a ``.npy`` file; see `cygrad.tables.read`."""
    array = npy.mapped(path)
    notes: list[str] = []
    return table_of(path, array_columns(str(path), "column", array, notes), notes)


def read_npz(path: Path, chosen: Sequence[str] | None, max_bytes: int | None) -> Table:
    """Read arrays of a ``.npz`` file; see `cygrad.tables.read`."""
    notes: list[str] = []
    size = path.stat().st_size
    limit = FREE_BYTES + EXPANSION * size if max_bytes is None else max_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if chosen is None:
                chosen = next((pair for pair in PARTS if set(pair) <= set(names)), None)
                if chosen is not None:
                    notes.append(
                        f"guessed: arrays {', '.join(chosen)} of {', '.join(names)} (arrays=)"
                    )
            for name in chosen or ():
                if name not in names:
                    raise ValueError(f"{path} has the arrays {', '.join(names)}, and no {name!r}")
            chosen = names if chosen is None else chosen
            total = sum(archive.getinfo(f"{name}.npy").file_size for name in chosen)
            if total > limit:
                raise ValueError(
                    f"{path} expands to {total:,} bytes, more than {limit:,}; max_bytes= allows "
                    "more"
                )
            parts = {name: npy.member(archive, name, path) for name in chosen}
    except KeyError as error:
        raise ValueError(f"{path} has a member that is no array: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a damaged .npz file: {error}") from None
    columns: list[Column] = []
    for name, array in parts.items():
        columns += array_columns(f"{path}, array {name}", name, array, notes)
    if not columns:
        raise ValueError(f"{path} has no arrays")
    lengths = {name: len(array) for name, array in parts.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"{path} has arrays with other numbers of rows: {sizes}; expected arrays=")
    return table_of(path, columns, notes)


def read_idx(path: Path) -> Table:
    """Read a file of images, and of their labels if it is found; see `cygrad.tables.read`."""
    images = idx.read_array(path)
    notes: list[str] = []
    columns = array_columns(str(path), "column", images, notes)
    labels_path = idx.find_labels(path)
    if labels_path is not None:
        labels = idx.read_array(labels_path)
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"{labels_path} has dimensions {labels.shape}, expected {len(images)} labels for "
                f"{path}"
            )
        columns.append(arrays.column("label", labels, notes))
        notes.append(f"guessed: labels from {labels_path.name}")
    return table_of(path, columns, notes)


def table_of(path: Path, columns: list[Column], notes: list[str]) -> Table:
    """Return the table of the columns of a file of arrays."""
    if len(columns[0]) == 0:
        raise ValueError(f"{path} has no rows")
    numbers = [column.numbers for column in columns if column.numbers is not None]
    block = numbers[0].base if numbers else None
    is_block = isinstance(block, np.ndarray) and block.shape[1:] == (len(numbers),)
    is_block &= all(column.base is block for column in numbers)
    return Table(columns, notes=notes, source=str(path), block=block if is_block else None)


def array_columns(place: str, name: str, array: NDArray[Any], notes: list[str]) -> list[Column]:
    """Return the columns of an array, named by it and a number from 1 on."""
    if array.ndim == 0 or 0 in array.shape[1:]:
        raise ValueError(f"{place} has shape {array.shape}, expected rows")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.ndim > 2:
        notes.append(f"{place}: rows of shape {array.shape[1:]} as columns, in C order")
    width = math.prod(array.shape[1:])
    if width > MOST_COLUMNS:
        raise ValueError(f"{place} has {width:,} columns, expected at most {MOST_COLUMNS:,}")
    rows = array.reshape(len(array), width)
    if array.ndim == 1 and name != "column":
        names = [name]
    else:
        names = [f"{name}_{number}" for number in range(1, width + 1)]
    columns = []
    if array.dtype.kind not in "biuf":
        try:
            for number, one in enumerate(names):
                columns.append(arrays.column(one, rows[:, number], notes))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        return columns
    block = np.array(rows, np.float64, order="C")
    if np.isinf(block).any():
        row, number = map(int, np.argwhere(np.isinf(block))[0])
        raise ValueError(
            f"{place}, row {row + 1}, column {number + 1} is {rows[row, number]}, expected a "
            "finite number"
        )
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        largest = max(-int(array.min()), int(array.max()))
        if largest > arrays.EXACT:
            notes.append(f"{place}: whole numbers beyond 2**53 are rounded")
    return [Column(one, block[:, number]) for number, one in enumerate(names)]
