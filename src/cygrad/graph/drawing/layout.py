"""The layout of a drawing: the order and the heights of the cells in each column.

A cell is an input or a gate, a branch, or a wire that crosses the column. The cells of a column do
not overlap, and only wires are between columns, so no wire can cross a cell. The layout is chosen
for readability:

- order: as in the expression, changed where that saves crossings of wires;
- heights: wires are as straight as possible, above all those over several columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal

#: Numbers of sweeps over the columns.
ORDER_SWEEPS = 8
HEIGHT_SWEEPS = 12
STRAIGHTENING_SWEEPS = 4

#: The weight of a height that must hardly change.
FIXED_WEIGHT = 1e6

Kind = Literal["part", "branch", "wire"]  # "wire": a wire that crosses the column
DesiredHeight = tuple[float, float]  # a height, and its weight


@dataclass(eq=False)
class Cell:
    """A cell of a column."""

    kind: Kind
    column: int
    half_height: float  # from its wire to its top and bottom
    y: float  # of its wire
    ordered: bool = False  # whether its arriving links keep their order
    position: int = 0  # in its column, from the top
    arriving: list[Link] = field(default_factory=list)
    leaving: list[Link] = field(default_factory=list)


@dataclass(eq=False)
class Link:
    """A wire between neighbouring columns; it ends `offset` below the wire of its target."""

    source: Cell
    target: Cell
    offset: float = 0.0

    def __post_init__(self) -> None:
        self.source.leaving.append(self)
        self.target.arriving.append(self)

    @property
    def weight(self) -> float:
        return (1.0, 3.0, 9.0)[(self.source.kind == "wire") + (self.target.kind == "wire")]


def arrange(columns: list[list[Cell]], gap: float, spacing: float, max_spread: float) -> None:
    """Compute the order of the cells in each column, and their heights.

    Parameters
    ----------
    columns : list of list of Cell
        The cells in an initial order from top to bottom; the lists are sorted in place.
    gap : float
        The smallest distance between two cells of a column.
    spacing : float
        The distance between wires that arrive at the same cell, unless there are too many.
    max_spread : float
        The largest distance between the first and the last of them.
    """
    _order(columns)
    for cell in (cell for column in columns for cell in column):
        if not cell.ordered:
            cell.arriving.sort(key=lambda link: link.source.position)
        steps = len(cell.arriving) - 1
        step = min(spacing, max_spread / max(steps, 1))
        for index, link in enumerate(cell.arriving):
            link.offset = (index - steps / 2) * step
    _assign_heights(columns, gap)


# Order.


def _order(columns: list[list[Cell]]) -> None:
    """Order the columns, from the given order and, if wires then cross, from its reverse."""
    mirrored = [column[::-1] for column in columns]
    best, fewest = _best_order(columns)
    if fewest:
        other, crossings = _best_order(mirrored)
        if crossings < fewest:
            best = other
    columns[:] = best
    _assign_positions(columns)


def _best_order(columns: list[list[Cell]]) -> tuple[list[list[Cell]], int]:
    """Return the order with the fewest crossings, and their number.

    Sweeps alternate in direction and sort each column by the mean position of the neighbours.
    """
    columns = [list(column) for column in columns]
    _assign_positions(columns)
    best, fewest = [list(column) for column in columns], _crossings(columns)
    for sweep in range(ORDER_SWEEPS):
        if fewest == 0:
            break
        rightward = sweep % 2 == 0
        for column in columns[1:] if rightward else reversed(columns[:-1]):
            means = {cell: _mean_neighbour(cell, rightward) for cell in column}
            column.sort(key=means.__getitem__)
            _assign_positions([column])
        for column in columns:
            _swap_neighbours(column)
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best, fewest


def _assign_positions(columns: list[list[Cell]]) -> None:
    for column in columns:
        for position, cell in enumerate(column):
            cell.position = position


def _mean_neighbour(cell: Cell, rightward: bool) -> float:
    if rightward:
        positions = [float(link.source.position) for link in cell.arriving]
    else:
        positions = [_end_position(link) for link in cell.leaving]
    return sum(positions) / len(positions) if positions else float(cell.position)


def _arrival_fraction(link: Link) -> float:
    """Return the position among the links that arrive at an ordered cell, from 0 to below 1."""
    arriving = link.target.arriving
    return arriving.index(link) / len(arriving) if link.target.ordered else 0.0


def _swap_neighbours(column: list[Cell]) -> None:
    """Swap neighbours in a column as long as that saves crossings."""
    improved = True
    while improved:
        improved = False
        for index in range(len(column) - 1):
            upper, lower = column[index : index + 2]
            if _pair_crossings(upper, lower) > _pair_crossings(lower, upper):
                column[index : index + 2] = lower, upper
                upper.position, lower.position = index + 1, index
                improved = True


def _pair_crossings(upper: Cell, lower: Cell) -> int:
    """Return the number of crossings between the wires of two cells of a column."""
    return sum(
        _end_position(first) > _end_position(second)
        for first in upper.leaving
        for second in lower.leaving
    ) + sum(
        first.source.position > second.source.position
        for first in upper.arriving
        for second in lower.arriving
    )


def _end_position(link: Link) -> float:
    return link.target.position + _arrival_fraction(link)


def _crossings(columns: list[list[Cell]]) -> int:
    """Return the number of crossings: pairs of links whose order is reversed at their ends."""
    crossings = 0
    for column in columns:
        ends = [
            end for cell in column for end in sorted(_end_position(link) for link in cell.leaving)
        ]
        crossings += sum(first > second for i, second in enumerate(ends) for first in ends[:i])
    return crossings


# Heights.


def _assign_heights(columns: list[list[Cell]], gap: float) -> None:
    """Move each cell towards the height of its neighbours, then straighten wires."""
    for column in columns:
        for cell, depth in zip(column, _stacked_depths(column, gap), strict=True):
            cell.y = depth
    for sweep in range(HEIGHT_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            _isotonic_heights(column, gap, _between_neighbours)
    for _ in range(STRAIGHTENING_SWEEPS):
        for column in columns:
            _isotonic_heights(column, gap, _after_sources)
        for column in reversed(columns):
            _isotonic_heights(column, gap, _before_targets)
    top = min(cell.y - cell.half_height for column in columns for cell in column)
    for cell in (cell for column in columns for cell in column):
        cell.y -= top


def _stacked_depths(column: list[Cell], gap: float) -> list[float]:
    """Return the distances of wires below the first one if cells are stacked at distance `gap`."""
    steps = (upper.half_height + gap + lower.half_height for upper, lower in pairwise(column))
    return list(accumulate(steps, initial=0.0))


def _isotonic_heights(
    column: list[Cell], gap: float, desired: Callable[[Cell], DesiredHeight]
) -> None:
    """Move each cell as close to its desired height as possible without overlaps.

    This is isotonic regression: cells that would overlap are merged into a block, stacked at
    distance `gap`, at the weighted mean of their desired heights.
    """
    depths = _stacked_depths(column, gap)
    blocks: list[tuple[float, float, int]] = []  # height of the top wire, weight, number of cells
    for cell, depth in zip(column, depths, strict=True):
        height, weight = desired(cell)
        block = height - depth, weight, 1
        while blocks and blocks[-1][0] > block[0]:
            block = _merge_blocks(blocks.pop(), block)
        blocks.append(block)
    tops = [top for top, _, count in blocks for _ in range(count)]
    for cell, depth, top in zip(column, depths, tops, strict=True):
        cell.y = top + depth


def _merge_blocks(
    upper: tuple[float, float, int], lower: tuple[float, float, int]
) -> tuple[float, float, int]:
    weight = upper[1] + lower[1]
    height = (upper[0] * upper[1] + lower[0] * lower[1]) / weight
    return height, weight, upper[2] + lower[2]


def _between_neighbours(cell: Cell) -> DesiredHeight:
    """Return the height at which the wires of both sides bend least, by least squares."""
    desired = [(link.source.y - link.offset, link.weight) for link in cell.arriving]
    desired += [(link.target.y + link.offset, link.weight) for link in cell.leaving]
    weight = sum(weight for _, weight in desired)
    if not weight:
        return cell.y, 1.0
    return sum(height * weight for height, weight in desired) / weight, weight


def _after_sources(cell: Cell) -> DesiredHeight:
    """Return the mean height of the sources; inputs and branches keep their height."""
    if _starts_line(cell):
        return cell.y, 1.0
    heights = [link.source.y - link.offset for link in cell.arriving]
    return sum(heights) / len(heights), FIXED_WEIGHT if cell.kind == "wire" else 1.0


def _before_targets(cell: Cell) -> DesiredHeight:
    """Return the mean height of the targets for inputs and branches; others keep their height."""
    if not _starts_line(cell) or not cell.leaving:
        return cell.y, FIXED_WEIGHT
    heights = [link.target.y + link.offset for link in cell.leaving]
    return sum(heights) / len(heights), 1.0


def _starts_line(cell: Cell) -> bool:
    """Return whether no straight wire from the left is possible: for an input or a branch."""
    return cell.kind == "branch" or not cell.arriving
