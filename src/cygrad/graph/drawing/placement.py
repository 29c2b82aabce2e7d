"""The placement of a circuit: the column of each part, and the cells that its wires cross.

A gate is one column to the right of its last operand, an input one column to the left of the first
gate that uses it. The gradients of branches have columns of their own before the gates.
"""

from __future__ import annotations

from cygrad.graph.drawing import measures
from cygrad.graph.drawing.circuit import Circuit, Part, Wire
from cygrad.graph.drawing.layout import Cell, Kind, Link, arrange
from cygrad.graph.drawing.texts import text_width


class Placement:
    """A circuit with its columns, cells and wires.

    Attributes
    ----------
    columns : list of list of Cell
        From left to right, each from top to bottom.
    cells : dict of Part to Cell
    links : dict of Wire to Link
        The last link of each wire.
    routes : dict of Wire to list of Cell
        The cells that a wire crosses, from its source or from the point where it branches off.
    left, text_start, right : list of float
        The x of each column where wires arrive, where gates end and texts begin, and where wires
        leave.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.cells: dict[Part, Cell] = {}
        self.links: dict[Wire, Link] = {}
        self.routes: dict[Wire, list[Cell]] = {}
        ranks = _ranks(circuit.parts)
        branches = {2 * ranks[wire.target] - 1 for wire in circuit.wires if wire.labelled}
        keys = sorted({2 * rank for rank in ranks.values()} | branches)
        column_of = {key: index for index, key in enumerate(keys)}
        self.columns: list[list[Cell]] = [[] for _ in keys]
        heights = _first_heights(circuit.parts)
        for part in circuit.parts:
            cell = self._add_cell("part", column_of[2 * ranks[part]], heights[part])
            cell.ordered = part.ordered
            self.cells[part] = cell
        for part in circuit.parts:
            self._add_wires(part, heights)
        for part, cell in self.cells.items():
            cell.arriving = [self.links[wire] for wire in part.arriving]
        for column in self.columns:
            column.sort(key=lambda cell: cell.y)
        arrange(self.columns, measures.CELL_GAP, measures.WIRE_SPACING, measures.MAX_WIRE_SPREAD)
        self._set_widths()

    def _add_cell(self, kind: Kind, column: int, height: float) -> Cell:
        cell = Cell(
            kind,
            column,
            measures.WIRE_HALF_HEIGHT if kind == "wire" else measures.GATE_HALF_HEIGHT,
            height,
        )
        self.columns[column].append(cell)
        return cell

    def _add_wires(self, part: Part, heights: dict[Part, float]) -> None:
        """Add the wires of a part: they share one line of cells and branch off one by one."""
        line = [self.cells[part]]
        leaves_at = 0
        last_column = {
            wire: self.cells[wire.target].column - 1 - wire.labelled for wire in part.leaving
        }
        for wire in sorted(part.leaving, key=last_column.__getitem__):
            while line[-1].column < last_column[wire]:
                cell = self._add_cell("wire", line[-1].column + 1, heights[part])
                Link(line[-1], cell)
                line.append(cell)
            route, leaves_at = line[leaves_at:], len(line) - 1
            if wire.labelled:
                cell = self._add_cell("branch", last_column[wire] + 1, heights[wire.target])
                Link(route[-1], cell)
                route.append(cell)
            self.links[wire] = Link(route[-1], self.cells[wire.target])
            self.routes[wire] = [*route, self.cells[wire.target]]

    def _set_widths(self) -> None:
        """Compute the widths of columns from their gates, texts and curves."""
        shapes = [0.0] * len(self.columns)
        texts = [0.0] * len(self.columns)
        for part, cell in self.cells.items():
            shapes[cell.column] = max(shapes[cell.column], part_width(part))
            texts[cell.column] = max(texts[cell.column], label_width(part))
        for wire, link in self.links.items():
            if wire.labelled:
                branch = link.source.column
                texts[branch] = max(texts[branch], text_width(wire.gradient, measures.TEXT))
        self.left, self.text_start, self.right = [], [], []
        x = measures.MARGIN
        for column, shape, text in zip(self.columns, shapes, texts, strict=True):
            self.left.append(x)
            self.text_start.append(x + shape)
            self.right.append(x + shape + text + 2 * measures.PAD)
            steepest = max(
                (_height_difference(link) for cell in column for link in cell.leaving), default=0.0
            )
            curves = measures.MIN_CURVE_WIDTH + measures.CURVE_WIDTH_PER_HEIGHT * steepest
            x = self.right[-1] + min(curves, measures.MAX_CURVE_WIDTH)


def part_width(part: Part) -> float:
    """Return the width of a part without the texts on its wire."""
    if part.is_gate:
        symbol = text_width(part.symbol, measures.NAME) + 2 * measures.PAD
        return max(symbol, 2 * measures.RADIUS)
    return name_width(part)


def name_width(part: Part) -> float:
    """Return the width of the name of an input or the output."""
    return text_width(part.name, measures.NAME, bold=True)


def label_width(part: Part) -> float:
    """Return the width of the texts on a part's wire: caption and value, or gradient."""
    above = text_width(part.caption + part.value, measures.TEXT)
    return max(above, text_width(part.gradient, measures.TEXT))


def _height_difference(link: Link) -> float:
    return abs(link.target.y + link.offset - link.source.y)


def _ranks(parts: list[Part]) -> dict[Part, int]:
    """Return the rank of each part, counted from the left."""
    ranks: dict[Part, int] = {}
    for part in parts:
        ranks[part] = max((ranks[wire.source] for wire in part.arriving), default=-1) + 1
    for part in parts:
        if not part.is_gate and part.leaving:
            ranks[part] = min(ranks[wire.target] for wire in part.leaving) - 1
    return ranks


def _first_heights(parts: list[Part]) -> dict[Part, float]:
    """Return initial heights: inputs in the order of the expression, gates between operands."""
    heights: dict[Part, float] = {}
    inputs = 0
    for part in parts:
        if part.arriving:
            total = sum(heights[wire.source] for wire in part.arriving)
            heights[part] = total / len(part.arriving)
        else:
            heights[part] = inputs
            inputs += 1
    return heights
