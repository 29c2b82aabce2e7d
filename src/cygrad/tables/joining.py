"""Join the parts that columns became to the inputs of a network, dense or in compressed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.tables.sparse_rows import SparseRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.tables.encodings import Part


def dense_rows(parts: list[Part], shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array with the numbers of all parts side by side."""
    inputs = np.zeros(shape, dtype)
    start = 0
    for part in parts:
        if part.numbers is not None:
            inputs[:, start : start + part.width] = part.numbers
        else:
            assert part.positions is not None
            rows = np.flatnonzero(part.positions >= 0)
            inputs[rows, start + part.positions[rows]] = 1
        start += part.width
    return inputs


def compressed_rows(parts: list[Part], shape: tuple[int, int], dtype: np.dtype[Any]) -> SparseRows:
    """Return compressed rows: one place for each number and each category, zeros left out."""
    places = sum(1 if part.numbers is None else part.width for part in parts)
    columns = np.empty((shape[0], places), np.int32)
    numbers = np.zeros((shape[0], places), dtype)
    start = place = 0
    for part in parts:
        if part.numbers is not None:
            columns[:, place : place + part.width] = np.arange(start, start + part.width)
            numbers[:, place : place + part.width] = part.numbers
            place += part.width
        else:
            assert part.positions is not None
            columns[:, place] = start + part.positions
            numbers[:, place] = part.positions >= 0
            place += 1
        start += part.width
    stored = numbers != 0
    indptr = np.concatenate(([0], np.cumsum(stored.sum(axis=1, dtype=np.int64))))
    return SparseRows(numbers[stored], columns[stored], indptr, shape)
