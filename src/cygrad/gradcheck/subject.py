"""Subjects of the check: arrays of parameters, a number C that depends on them, and its gradient.

A `Subject` is the interface of a network or a graph to the check. A direction consists of parts of
its arrays and the change of each entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cygrad.gradcheck.report import array_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Array:
    """An array of parameters of C, and the gradient to check."""

    parameter: str
    layer: int | None
    gradient: NDArray[Any]
    values: NDArray[Any]  # in C order
    set_values: Callable[[NDArray[Any]], None]  # makes the subject compute with `values`
    given_magnitudes: NDArray[np.float64] | None = None  # for all entries; max(1, |p|) if None

    @property
    def size(self) -> int:
        return prod(self.values.shape)

    @property
    def name(self) -> str:
        return array_name(self.parameter, self.layer)

    def magnitudes(self, part: slice) -> NDArray[np.float64]:
        """Return the magnitudes of some parameters; their steps are multiples of them."""
        if self.given_magnitudes is not None:
            return self.given_magnitudes.reshape(-1)[part]
        return np.maximum(1.0, np.abs(self.values.reshape(-1)[part].astype(np.float64)))


class Subject(Protocol):
    """A network or a graph to check."""

    name_of_all: str  # name of all arrays together
    roundoff: float  # u, the unit of rounding
    rounding_scale: float  # ‖z ∂C/∂z‖, at least |C|
    at_kink: bool  # True if C has a kink at p itself
    sides_at_p: object  # `sides` at p

    @property
    def arrays(self) -> Sequence[Array]: ...

    def loss(self) -> float:
        """Return C for the current values; NaN outside its domain."""

    def sides(self) -> object:
        """Return the sides of all kinks as an object; equal objects mean equal sides."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of one array with the direction in which it moves."""

    array: Array
    start: int
    along: NDArray[np.float64]

    @property
    def part(self) -> slice:
        return slice(self.start, self.start + len(self.along))

    @property
    def values(self) -> NDArray[Any]:
        """The values of the part, to read and to write."""
        return self.array.values.reshape(-1)[self.part]

    @property
    def gradient(self) -> NDArray[np.float64]:
        part: NDArray[Any] = self.array.gradient.reshape(-1)[self.part]
        return part.astype(np.float64)


Direction = tuple[Piece, ...]


def entry(array: Array, flat_index: int) -> Direction:
    """Return the direction that changes one parameter."""
    return (Piece(array, flat_index, array.magnitudes(slice(flat_index, flat_index + 1))),)


def is_entry(direction: Direction) -> bool:
    """Return True if the direction moves a single parameter."""
    return len(direction) == 1 and len(direction[0].along) == 1
