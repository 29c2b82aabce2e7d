"""Places for the parts of a drawing: columns of cells, ordered and lifted so that wires run well.

The drawing consists of columns. In each of them the cells, which may be a gate, a branch or merely
a wire that passes, lie above one another without overlaps; between columns there is nothing but
wires. So no wire can run through a cell, whatever the graph. What remains is to look good:

- order: as in the expression, changed where that saves crossings of wires;
- heights: so that wires are straight where they can be, those over several columns above all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

#: Sweeps over the columns for the order, and for the heights.
ORDER_SWEEPS = 8
HEIGHT_SWEEPS = 24


@dataclass(eq=False)
class Cell:
    """A place in a column: how far it reaches above and below its wire."""

    column: int
    above: float
    below: float
    ordered: bool = False  # whether its arriving links keep their order
    passing: bool = False  # whether it is only a wire that passes
    y: float = 0.0
    position: int = 0  # in its column, from the top
    arriving: list[Link] = field(default_factory=list)
    leaving: list[Link] = field(default_factory=list)


@dataclass(eq=False)
class Link:
    """A wire between neighbouring columns; it arrives `offset` below the middle of its target."""

    source: Cell
    target: Cell
    offset: float = 0.0

    def __post_init__(self) -> None:
        self.source.leaving.append(self)
        self.target.arriving.append(self)

    @property
    def weight(self) -> float:
        return (1.0, 3.0, 9.0)[self.source.passing + self.target.passing]


def arrange(columns: list[list[Cell]], gap: float, port: float) -> None:
    """Order the cells of each column, and give each its height.

    Parameters
    ----------
    columns : list of list of Cell
        The cells in a first order from top to bottom; the lists are put in order.
    gap : float
        The least space between two cells of a column.
    port : float
        The distance of wires that arrive at the same cell.
    """
    _order(columns)
    for cell in (cell for column in columns for cell in column):
        if not cell.ordered:
            cell.arriving.sort(key=lambda link: link.source.position)
        middle = (len(cell.arriving) - 1) / 2
        for index, link in enumerate(cell.arriving):
            link.offset = (index - middle) * port
    _lift(columns, gap)


# Order.


def _order(columns: list[list[Cell]]) -> None:
    """Sweep to and fro, each cell to the mean place of its neighbours; keep the best order seen."""
    _number(columns)
    best, fewest = [list(column) for column in columns], _crossings(columns)
    for sweep in range(ORDER_SWEEPS):
        if fewest == 0:
            break
        rightward = sweep % 2 == 0
        for column in columns[1:] if rightward else reversed(columns[:-1]):
            places = {cell: _mean_place(cell, rightward) for cell in column}
            column.sort(key=lambda cell, places=places: places[cell])
            _number([column])
        for column in columns:
            _exchange(column)
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    columns[:] = best
    _number(columns)


def _number(columns: list[list[Cell]]) -> None:
    for column in columns:
        for position, cell in enumerate(column):
            cell.position = position


def _mean_place(cell: Cell, rightward: bool) -> float:
    if rightward:
        places = [link.source.position for link in cell.arriving]
    else:
        places = [link.target.position + _port_place(link) for link in cell.leaving]
    return sum(places) / len(places) if places else float(cell.position)


def _port_place(link: Link) -> float:
    """Where among the links that arrive at an ordered cell this one comes, from 0 to below 1."""
    arriving = link.target.arriving
    return arriving.index(link) / len(arriving) if link.target.ordered else 0.0


def _exchange(column: list[Cell]) -> None:
    """Exchange neighbours in a column as long as that saves crossings."""
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
    """The crossings among the wires of two cells of a column, the one above the other."""
    return sum(
        _end(first) > _end(second) for first in upper.leaving for second in lower.leaving
    ) + sum(
        first.source.position > second.source.position
        for first in upper.arriving
        for second in lower.arriving
    )


def _end(link: Link) -> float:
    return link.target.position + _port_place(link)


def _crossings(columns: list[list[Cell]]) -> int:
    """The number of crossings of wires: pairs of links that begin in one order, end in another."""
    crossings = 0
    for column in columns:
        ends = [end for cell in column for end in sorted(_end(link) for link in cell.leaving)]
        crossings += sum(first > second for i, second in enumerate(ends) for first in ends[:i])
    return crossings


# Heights.


def _lift(columns: list[list[Cell]], gap: float) -> None:
    """Draw neighbours to one height: first all a little bent, then as many as can be straight."""
    for column in columns:
        for cell, depth in zip(column, _depths(column, gap), strict=True):
            cell.y = depth
    for sweep in range(HEIGHT_SWEEPS):
        middle = _median if 2 * sweep >= HEIGHT_SWEEPS else _mean
        for column in columns if sweep % 2 else reversed(columns):
            _settle(column, gap, middle)
    top = min(cell.y - cell.above for column in columns for cell in column)
    for cell in (cell for column in columns for cell in column):
        cell.y -= top


def _depths(column: list[Cell], gap: float) -> list[float]:
    """How far the wires of the cells lie below the first one's if they are stacked closely."""
    steps = (upper.below + gap + lower.above for upper, lower in pairwise(column))
    return list(accumulate(steps, initial=0.0))


Samples = list[tuple[float, float]]


def _settle(column: list[Cell], gap: float, middle: Callable[[Samples], float]) -> None:
    """Put each cell in the middle of the heights of its neighbours, and none on another.

    That is isotonic regression: cells that would overlap are joined to blocks, closely stacked,
    and a block stands in the middle of all that its cells want.
    """
    depths = _depths(column, gap)
    blocks: list[tuple[float, Samples, int]] = []  # height of its top wire, what is wanted, cells
    for cell, depth in zip(column, depths, strict=True):
        wanted = [(height - depth, weight) for height, weight in _wanted(cell)]
        block = middle(wanted), wanted, 1
        while blocks and blocks[-1][0] > block[0]:
            _, above, count = blocks.pop()
            wanted = above + block[1]
            block = middle(wanted), wanted, count + block[2]
        blocks.append(block)
    tops = [top for top, _, count in blocks for _ in range(count)]
    for cell, depth, top in zip(column, depths, tops, strict=True):
        cell.y = top + depth


def _wanted(cell: Cell) -> Samples:
    """The heights at which a wire of the cell would be straight, with their weights."""
    wanted = [(link.source.y - link.offset, link.weight) for link in cell.arriving]
    wanted += [(link.target.y + link.offset, link.weight) for link in cell.leaving]
    return wanted or [(cell.y, 1.0)]


def _mean(samples: Samples) -> float:
    return sum(value * weight for value, weight in samples) / sum(weight for _, weight in samples)


def _median(samples: Samples) -> float:
    """The weighted median; halfway between two values where half of the weight is on each side."""
    samples = sorted(samples)
    half = sum(weight for _, weight in samples) / 2
    below = 0.0
    for (value, weight), (next_value, _) in pairwise([*samples, samples[-1]]):
        below += weight
        if below == half:
            return (value + next_value) / 2
        if below > half:
            return value
    raise AssertionError("the weights are positive")
