"""Vectors and matrices as lists of floats: types, products and sums, and checked copies.

A vector is a list of floats, a matrix a list of its rows. `read_vector` and `read_matrix` check the
caller's values and return copies of the right shape, so the equations need no checks of their own.
"""

import math
from collections.abc import Iterable, Sequence

Vector = list[float]
Matrix = list[Vector]


def dot(u: Vector, v: Vector) -> float:
    """⟨u, v⟩ = Σₖ uₖ vₖ."""
    return sum(u_k * v_k for u_k, v_k in zip(u, v, strict=True))


def subtract(u: Vector, v: Vector) -> Vector:
    """u − v."""
    return [u_k - v_k for u_k, v_k in zip(u, v, strict=True)]


def add_vectors(vectors: Iterable[Vector]) -> Vector:
    """Σ u over vectors of one length, at least one."""
    return [sum(values) for values in zip(*vectors, strict=True)]


def add_matrices(matrices: Iterable[Matrix]) -> Matrix:
    """Σ M over matrices of one shape, at least one."""
    return [add_vectors(rows) for rows in zip(*matrices, strict=True)]


def column(matrix: Matrix, k: int) -> Vector:
    """Column k of a matrix, which is row k of its transpose."""
    return [row[k] for row in matrix]


def zeros(rows: int, columns: int) -> Matrix:
    """The zero matrix."""
    return [[0.0] * columns for _ in range(rows)]


def read_vector(name: str, values: Sequence[float], length: int) -> Vector:
    """Copy a sequence of `length` finite numbers; a `ValueError` calls it `name`."""
    vector = [float(value) for value in values]
    if len(vector) != length:
        raise ValueError(f"{name} has {len(vector)} values, expected {length}")
    for k, value in enumerate(vector):
        if not math.isfinite(value):
            raise ValueError(f"{name}[{k}] is {value}, expected a finite number")
    return vector


def read_matrix(name: str, rows: Sequence[Sequence[float]], columns: int) -> Matrix:
    """Copy rows of `columns` finite numbers each; a `ValueError` calls them `name`."""
    return [read_vector(f"{name}[{i}]", row, columns) for i, row in enumerate(rows)]
