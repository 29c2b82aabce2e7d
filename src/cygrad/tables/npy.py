"""Read NumPy's own files, ``.npy`` and ``.npz``, without ever unpickling.

Headers are checked against the size of the file before any memory is allocated.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from cygrad.tables.columns import column_position
from cygrad.tables.samples import Samples, Task, check_finite, targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUTS = ("X", "x")
TARGETS = "y"


def read_npy(
    path: Path, target: str | int | None, task: Task, classes: Sequence[str] | None
) -> Samples:
    """Read a ``.npy`` file; see `cygrad.datasets.read`."""
    X = _inputs(mapped(path), str(path))
    if target is None:
        return Samples(X)
    column = column_position(path, target, X.shape[1])
    if X.shape[1] == 1:
        raise ValueError(f"{path} has no column beside the target, expected at least one input")
    values = np.array(X[:, column])
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    y, class_names = targets(
        values, task, classes, lambda row: f"{path}, row {row + 1}, column {column + 1}"
    )
    # Slices keep the file mapped; without a column in the middle, the rest must be copied.
    if column == 0:
        inputs = X[:, 1:]
    elif column == X.shape[1] - 1:
        inputs = X[:, :-1]
    else:
        inputs = np.delete(X, column, axis=1)
    return Samples(inputs, y, classes=class_names)


def read_npz(
    path: Path, target: str | int | None, task: Task, classes: Sequence[str] | None
) -> Samples:
    """Read a ``.npz`` file; see `cygrad.datasets.read`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            inputs = next((name for name in INPUTS if name in names), None)
            if inputs is None:
                raise ValueError(f"{path} has the arrays {', '.join(names)}, expected one named X")
            label = TARGETS if target is None else str(target)
            if target is not None and label not in names:
                raise ValueError(f"{path} has the arrays {', '.join(names)}, and so no {label!r}")
            X = _inputs(member(archive, inputs, path), f"{path}, array {inputs}")
            if label not in names:
                return Samples(X)
            values = member(archive, label, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"{path} is a damaged .npz file: {error}") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != len(X):
        raise ValueError(
            f"{path}, array {label} has shape {values.shape}, expected {len(X)} targets"
        )
    y, class_names = targets(
        values, task, classes, lambda row: f"{path}, array {label}, row {row + 1}"
    )
    return Samples(X, y, target=label, classes=class_names)


def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, mapped from it."""
    with path.open("rb") as file:
        shape, fortran, dtype = _header(file, str(path), path.stat().st_size)
        offset = file.tell()
    if 0 in shape or dtype.itemsize == 0:  # nothing can be mapped
        return np.empty(shape, dtype)
    array = np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    _check_text(array, str(path))
    return array


def member(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    """Return an array of a ``.npz`` file."""
    location = f"{path}, array {name}"
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file, location, info.file_size)
        data = np.frombuffer(bytearray(file.read()), dtype)
    _check_text(data, location)
    return data.reshape(shape, order="F" if fortran else "C")


def _header(
    file: IO[bytes], location: str, size: int
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header and return the shape, True for Fortran order, and the dtype."""
    try:
        version = npy_format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = npy_format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = npy_format.read_array_header_2_0(file)
        else:
            raise ValueError(f"format version {version[0]}.{version[1]} is not one of 1.0 and 2.0")
    except (ValueError, SyntaxError, TypeError, OverflowError, TokenError) as error:
        raise ValueError(f"{location} is not a readable .npy array: {error}") from None
    if dtype.kind not in "biufUS":
        raise ValueError(f"{location} holds values of type {dtype}, expected numbers or text")
    expected = file.tell() + math.prod(shape) * dtype.itemsize
    if size != expected:
        raise ValueError(
            f"{location} ends at byte {size}, expected byte {expected} "
            f"for {dtype} values of shape {shape}"
        )
    return shape, fortran, dtype


def _check_text(array: NDArray[Any], location: str) -> None:
    """Raise a ValueError if text has numbers that are no characters."""
    if array.dtype.kind != "U" or array.dtype.itemsize == 0:
        return
    letters = np.ascontiguousarray(array).reshape(-1).view(f"{array.dtype.byteorder}u4")
    if ((letters > 0x10FFFF) | ((letters >= 0xD800) & (letters < 0xE000))).any():
        raise ValueError(f"{location} holds text that is not Unicode")


def _inputs(array: NDArray[Any], location: str) -> NDArray[Any]:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{location} holds values of type {array.dtype}, expected numbers")
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{location} has shape {array.shape}, expected rows of numbers")
    X = array if array.ndim == 2 else array.reshape(array.shape[0], -1)
    check_finite(X, location)
    return X
