"""Drawings of graphs: gates from left to right, values above the wires, gradients below.

- `circuit` turns a graph into parts and wires with their texts; some constants become part of a
  gate's symbol.
- `texts` formats numbers and estimates the widths of texts.
- `placement` assigns parts to columns; `layout` computes their order and heights in each column.
- `scene` turns the placement into shapes, wires and texts with coordinates, in pixels of
  `measures`; `svg` and `png` write it, in the colours of `colours`.
- `dot` writes the graph without coordinates, for Graphviz.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from cygrad.atomic_write import atomic_write
from cygrad.checks import whole_number
from cygrad.graph.drawing.circuit import Circuit
from cygrad.graph.drawing.dot import dot
from cygrad.graph.drawing.scene import Scene
from cygrad.graph.drawing.svg import svg

if TYPE_CHECKING:
    from cygrad.graph.node import Node

__all__ = ["draw", "to_dot", "to_svg"]

#: In drawings with more gates the wires cannot be followed.
MAX_GATES = 500


def draw(node: Node, path: str | os.PathLike[str], digits: int = 2) -> None:
    """Write a drawing of a node's graph; see `Node.draw`."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix == ".svg":
        text = to_svg(node, digits)
    elif suffix in (".dot", ".gv"):
        text = to_dot(node, digits)
    elif suffix == ".png":
        from cygrad.graph.drawing.png import png

        data = png(_scene(node, digits))
        with atomic_write(path) as binary:
            binary.write(data)
        return
    else:
        raise ValueError(f"path is {os.fspath(path)!r}, expected a name in .svg, .png, .dot or .gv")
    with atomic_write(path, text=True) as file:
        file.write(text)


def to_svg(node: Node, digits: int = 2) -> str:
    """Return the drawing of a node's graph as SVG."""
    return svg(_scene(node, digits))


def to_dot(node: Node, digits: int = 2) -> str:
    """Return a node's graph in the DOT language."""
    return dot(_circuit(node, digits))


def is_drawable(node: Node) -> bool:
    """Return whether the graph is small enough for a drawing."""
    return _gates(node) <= MAX_GATES


def _scene(node: Node, digits: int) -> Scene:
    if not is_drawable(node):
        raise ValueError(
            f"the graph has {_gates(node)} gates, expected at most {MAX_GATES} in a drawing: "
            "draw one of the nodes in it, or write all of it as .dot"
        )
    return Scene(_circuit(node, digits))


def _circuit(node: Node, digits: int) -> Circuit:
    digits = whole_number(digits, "digits", least=0, most=15)
    node._bring_up_to_date()
    with np.errstate(all="ignore"):  # as in backward
        return Circuit(node, digits)


def _gates(node: Node) -> int:
    return sum(each.gate is not None for each in node.tape)
