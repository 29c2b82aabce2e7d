"""Files of numbers, read slowly and simply: what `cygrad.tables` must find in them."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import Any

import numpy as np

NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
PAIR = re.compile(rb"([0-9]+):(.*)")
LARGEST_COLUMN = 2**31 - 2
IDX_TYPES = {8: "B", 9: "b", 11: "h", 12: "i", 13: "f", 14: "d"}


def array(data: bytes) -> Any:
    """Return the rows of a .npy or IDX file, or None for another format."""
    if data.startswith(b"\x93NUMPY"):
        values = np.load(io.BytesIO(data))
    elif data.startswith(b"\0\0"):
        _, _, code, dimensions = data[:4]
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        values = struct.unpack_from(
            f">{math.prod(shape)}{IDX_TYPES[code]}", data, 4 + 4 * dimensions
        )
        values = np.array(values, np.float64).reshape(shape)
    else:
        return None
    if values.dtype.kind not in "biuf":
        return None
    return values.astype(np.float64).reshape(len(values), -1)


Lines = tuple[list[float], list[int] | None, list[list[tuple[int, float]]]]


def svmlight(data: bytes) -> Lines | None:
    """Return targets, groups and pairs of column and number; None: the file cannot be read."""
    targets, groups, rows = [], [], []
    for line in data.split(b"\n"):
        words = line.partition(b"#")[0].split()
        if not words:
            continue
        target = number(words.pop(0))
        if words and words[0].startswith(b"qid:"):
            group = words.pop(0).removeprefix(b"qid:")
            if not re.fullmatch(rb"[0-9]{1,18}", group):
                return None
            groups.append(int(group))
        pairs = [PAIR.fullmatch(word) for word in words]
        if target is None or not all(pairs):
            return None
        row = [(column(pair[1]), number(pair[2])) for pair in pairs if pair]
        columns = [place for place, _ in row]
        if any(value is None for _, value in row) or columns != sorted(set(columns)):
            return None
        if columns and columns[-1] > LARGEST_COLUMN:
            return None
        targets.append(target)
        rows.append(row)
    if not rows or (groups and len(groups) != len(rows)):
        return None
    first = 0 if any(place == 0 for row in rows for place, _ in row) else 1
    counted = [[(place - first, value) for place, value in row] for row in rows]
    return targets, groups or None, counted


def number(text: bytes) -> float | None:
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def column(digits: bytes) -> int:
    return int(digits.lstrip(b"0")[:20] or b"0")
