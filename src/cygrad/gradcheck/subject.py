"""What is checked: arrays of parameters, a number C that depends on them, and its gradient.

A `Subject` is a network or a graph as the check sees it. A direction is the parts of its arrays
that are moved together, and how far each entry.
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
    """An array of numbers that C depends on, and the gradient to be checked."""

    parameter: str
    layer: int | None
    gradient: NDArray[Any]
    values: NDArray[Any]  # in C order
    set_values: Callable[[NDArray[Any]], None]  # has the subject compute with `values`
    given_magnitudes: NDArray[np.float64] | None = None  # `magnitudes` of all; max(1, |p|) if None

    @property
    def size(self) -> int:
        return prod(self.values.shape)

    @property
    def name(self) -> str:
        return array_name(self.parameter, self.layer)

    def magnitudes(self, part: slice) -> NDArray[np.float64]:
        """What the steps of some parameters are multiples of."""
        if self.given_magnitudes is not None:
            return self.given_magnitudes.reshape(-1)[part]
        return np.maximum(1.0, np.abs(self.values.reshape(-1)[part].astype(np.float64)))


class Subject(Protocol):
    """What can be checked."""

    name_of_all: str  # what all arrays are
    roundoff: float  # u, the unit of rounding
    rounding_scale: float  # ‖z ∂C/∂z‖, at least |C|
    at_kink: bool  # whether C has a kink at p itself
    sides_at_p: object  # `sides` at p

    @property
    def arrays(self) -> Sequence[Array]: ...

    def loss(self) -> float:
        """C with the values that were set last; NaN where there is none."""

    def sides(self) -> object:
        """Which side of each kink C is on; equal objects for equal answers."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of one array with the direction in which it is moved."""

    array: Array
    start: int
    along: NDArray[np.float64]

    @property
    def part(self) -> slice:
        return slice(self.start, self.start + len(self.along))

    @property
    def values(self) -> NDArray[Any]:
        """The part itself, to read and to write."""
        return self.array.values.reshape(-1)[self.part]

    @property
    def gradient(self) -> NDArray[np.float64]:
        part: NDArray[Any] = self.array.gradient.reshape(-1)[self.part]
        return part.astype(np.float64)


Direction = tuple[Piece, ...]


def entry(array: Array, flat_index: int) -> Direction:
    """The direction that changes one parameter."""
    return (Piece(array, flat_index, array.magnitudes(slice(flat_index, flat_index + 1))),)


def is_entry(direction: Direction) -> bool:
    """Whether a single parameter is moved."""
    return len(direction) == 1 and len(direction[0].along) == 1
