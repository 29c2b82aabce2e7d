"""Read IDX files, the format of MNIST's images and labels.

A file consists of two zero bytes, one byte for the type of the values, one for the number of
dimensions, four bytes for each dimension, and the values in C order; all big-endian.
Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cygrad.tables.compression import open_decompressed
from cygrad.tables.samples import Samples, Task, check_finite, targets
from cygrad.tables.signatures import IDX_TYPES, is_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1 << 20


def read_idx(
    path: Path, target: str | int | None, task: Task, classes: Sequence[str] | None
) -> Samples:
    """Read a file of images and the file of their labels; see `cygrad.datasets.read`."""
    images = read_array(path)
    if images.ndim < 2 or 0 in images.shape:
        raise ValueError(f"{path} has dimensions {images.shape}, expected rows of numbers")
    X = images.reshape(images.shape[0], -1)
    check_finite(X, str(path))
    labels_path = find_labels(path) if target is None else Path(str(target))
    if labels_path is None:
        return Samples(X)
    labels = read_array(labels_path)
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path} has dimensions {labels.shape}, "
            f"expected {images.shape[0]} labels for {path}"
        )
    y, class_names = targets(labels, task, classes, lambda row: f"{labels_path}, label {row + 1}")
    return Samples(X, y, classes=class_names)


def find_labels(path: Path) -> Path | None:
    """Return the file of the labels in the folder of the images, or None."""
    name = re.sub(r"idx\d", "idx1", path.name.replace("images", "labels")).removesuffix(".gz")
    if name == path.name.removesuffix(".gz"):
        return None
    candidates = (path.with_name(name), path.with_name(f"{name}.gz"))
    return next((candidate for candidate in candidates if candidate.exists()), None)


def read_array(path: Path) -> NDArray[Any]:
    """Return the array of an IDX file."""
    with open_decompressed(path) as file:
        return _parse(file, path)


def _parse(file: IO[bytes], path: Path) -> NDArray[Any]:
    magic = file.read(4)
    if not is_idx(magic):
        raise ValueError(f"{path} is not an IDX file: it begins with {magic!r}")
    dimensions = file.read(4 * magic[3])
    if len(dimensions) < 4 * magic[3]:
        raise ValueError(
            f"{path} ends at byte {4 + len(dimensions)}, "
            f"expected {magic[3]} dimensions up to byte {4 + 4 * magic[3]}"
        )
    shape = struct.unpack(f">{magic[3]}I", dimensions)
    dtype = np.dtype(IDX_TYPES[magic[2]])
    offset = 4 + len(dimensions)
    expected = math.prod(shape) * dtype.itemsize
    # In chunks: a damaged header may give a size beyond the memory.
    data = bytearray()
    while len(data) <= expected and (chunk := file.read(min(CHUNK, expected + 1 - len(data)))):
        data += chunk
    if len(data) != expected:
        end = f"ends at byte {offset + len(data)}" if len(data) < expected else "goes on"
        raise ValueError(
            f"{path} {end}, expected its end at byte {offset + expected} "
            f"for values of shape {shape}"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
