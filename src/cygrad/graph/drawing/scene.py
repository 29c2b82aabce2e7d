"""A circuit with coordinates: the shapes, wires and texts of a drawing, in pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cygrad.graph.drawing import measures
from cygrad.graph.drawing.circuit import Circuit, Part, Wire
from cygrad.graph.drawing.placement import Placement, label_width, name_width, part_width
from cygrad.graph.drawing.texts import text_width

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Text:
    """A text with its baseline at y, and its left end, middle or right end (`anchor`) at x."""

    text: str
    kind: str  # "name", "symbol", "caption", "value" or "gradient"
    x: float
    y: float
    anchor: str = "middle"

    @property
    def size(self) -> float:
        """The font size."""
        return measures.NAME if self.kind in ("name", "symbol") else measures.TEXT

    @property
    def box(self) -> Box:
        """The range of x and the range of y that it can cover."""
        width = text_width(self.text, self.size, bold=self.kind == "name")
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return left, left + width, self.y - 0.8 * self.size, self.y + 0.24 * self.size


@dataclass(frozen=True)
class Shape:
    """A gate: a circle, or a box with round ends if it is wider than high."""

    x: float
    y: float
    width: float

    @property
    def box(self) -> Box:
        """The range of x and the range of y."""
        half = self.width / 2
        return self.x - half, self.x + half, self.y - measures.RADIUS, self.y + measures.RADIUS


@dataclass(frozen=True)
class Dot:
    """The point where a wire splits, or where the wire of an unnamed input begins."""

    x: float
    y: float
    kind: str  # "split" or "input"


@dataclass(frozen=True)
class Path:
    """A wire through points: horizontal at each, with smooth curves between different heights."""

    points: tuple[tuple[float, float], ...]


class Scene:
    """The contents of a drawing.

    Attributes
    ----------
    title : str
    width, height : float
    paths : list of Path
    shapes : list of Shape
    dots : list of Dot
    texts : list of Text
    """

    def __init__(self, circuit: Circuit) -> None:
        self.paths: list[Path] = []
        self.shapes: list[Shape] = []
        self.dots: list[Dot] = []
        self.texts: list[Text] = []
        placement = self._placement = Placement(circuit)
        for wire in circuit.wires:
            self._add_wire(wire)
        for part in circuit.parts:
            self._add_part(part)
        for cell in (cell for column in placement.columns for cell in column):
            if len(cell.leaving) > 1:
                self.dots.append(Dot(placement.right[cell.column], self._y(cell.y), "split"))
        self._add_end(circuit.parts[-1])
        bottom = max(cell.y + cell.half_height for column in placement.columns for cell in column)
        self.height = self._y(bottom) + measures.MARGIN
        self.title = f"The computational graph of {circuit.parts[-1].name or 'an expression'}"

    def _y(self, y: float) -> float:
        return y + measures.MARGIN

    def _add_wire(self, wire: Wire) -> None:
        placement = self._placement
        first, *between, last = placement.routes[wire]
        points = [(placement.right[first.column], self._y(first.y))]
        if first is placement.cells[wire.source]:
            points.insert(0, (self._exit(wire.source), self._y(first.y)))
        for cell in between:
            points.append((placement.left[cell.column], self._y(cell.y)))
            points.append((placement.right[cell.column], self._y(cell.y)))
        y = last.y + placement.links[wire].offset
        points.append((placement.left[last.column], self._y(y)))
        points.append((self._entry(wire), self._y(y)))
        self.paths.append(Path(tuple(points)))
        if wire.labelled:
            branch = between[-1]
            middle = (placement.left[branch.column] + placement.right[branch.column]) / 2
            self._add_gradient(wire.gradient, middle, branch.y)

    def _add_part(self, part: Part) -> None:
        placement = self._placement
        cell = placement.cells[part]
        y = self._y(cell.y)
        start = placement.text_start[cell.column]
        if part.is_gate:
            self.shapes.append(Shape(self._middle(part), y, part_width(part)))
            self.texts.append(
                Text(part.symbol, "symbol", self._middle(part), y + measures.NAME_LINE)
            )
        elif part.name:
            self.texts.append(Text(part.name, "name", start, y + measures.NAME_LINE, "end"))
        else:
            self.dots.append(Dot(start, y, "input"))
        begin = start + measures.PAD
        middle = begin + label_width(part) / 2
        above = y + measures.VALUE_LINE
        caption = text_width(part.caption, measures.TEXT)
        value = text_width(part.value, measures.TEXT)
        if part.caption:
            split = middle + (caption - value) / 2
            self.texts.append(Text(part.caption.rstrip(), "caption", split - 4, above, "end"))
            self.texts.append(Text(part.value, "value", split, above, "start"))
        else:
            self.texts.append(Text(part.value, "value", middle, above))
        self._add_gradient(part.gradient, middle, cell.y)

    def _add_gradient(self, text: str, x: float, y: float) -> None:
        if text:
            self.texts.append(Text(text, "gradient", x, self._y(y) + measures.GRADIENT_LINE))

    def _add_end(self, output: Part) -> None:
        """Add the wire from the output to the right edge, and its name."""
        cell = self._placement.cells[output]
        y = self._y(cell.y)
        end = self._placement.right[cell.column] + measures.PAD
        self.paths.append(Path(((self._exit(output), y), (end, y))))
        self.width = end + measures.MARGIN
        if output.is_gate and output.name:
            self.texts.append(
                Text(output.name, "name", end + measures.PAD, y + measures.NAME_LINE, "start")
            )
            self.width += measures.PAD + name_width(output)

    def _middle(self, part: Part) -> float:
        """Return the x of a gate's centre: the middle of the gates of its column."""
        column = self._placement.cells[part].column
        return (self._placement.left[column] + self._placement.text_start[column]) / 2

    def _exit(self, part: Part) -> float:
        """Return the x where a part's wire begins."""
        if part.is_gate:
            return self._middle(part) + part_width(part) / 2
        start = self._placement.text_start[self._placement.cells[part].column]
        return start + (measures.PAD / 2 if part.name else 0.0)

    def _entry(self, wire: Wire) -> float:
        """Return the x where a wire reaches the round end of its gate."""
        offset = self._placement.links[wire].offset
        round_end = measures.RADIUS - math.sqrt(measures.RADIUS**2 - offset**2)
        return self._middle(wire.target) - part_width(wire.target) / 2 + round_end
