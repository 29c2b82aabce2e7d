"""Graphs in the DOT language of Graphviz, with values and gradients beside the edges."""

from __future__ import annotations

from xml.sax.saxutils import escape

from cygrad.graph.drawing import colours
from cygrad.graph.drawing.circuit import Circuit, Part, Wire


def dot(circuit: Circuit) -> str:
    """Return the circuit as a directed graph from left to right."""
    ids = {part: f"n{index}" for index, part in enumerate(circuit.parts)}
    lines = [
        "digraph {",
        "  rankdir=LR",
        f'  node [shape=ellipse, fontname="Helvetica", fontcolor="{colours.INK}"]',
        f'  edge [fontname="Helvetica", color="{colours.WIRE}", arrowsize=0.6]',
    ]
    for part in circuit.parts:
        shape = "" if part.is_gate else ", shape=plaintext"
        lines.append(f"  {ids[part]} [label={_quoted(part.symbol or part.name)}{shape}]")
        if len(part.leaving) > 1:
            lines.append(f"  {ids[part]}s [shape=point]")
            lines.append(f"  {ids[part]} -> {ids[part]}s [label={_label(part)}, arrowhead=none]")
    for wire in circuit.wires:
        split = len(wire.source.leaving) > 1
        source = ids[wire.source] + "s" * split
        label = _branch_label(wire) if split else _label(wire.source)
        lines.append(f"  {source} -> {ids[wire.target]} [label={label}{_operand_label(wire)}]")
    output = circuit.parts[-1]
    lines.append(f"  end [shape=plaintext, label={_quoted(output.name if output.is_gate else '')}]")
    lines.append(f"  {ids[output]} -> end [label={_label(output)}]")
    return "\n".join([*lines, "}\n"])


def _operand_label(wire: Wire) -> str:
    """Return the number of the operand if order matters: Graphviz may draw wires in any order."""
    arriving = wire.target.arriving
    if not wire.target.ordered or len(arriving) == 1:
        return ""
    return f", headlabel={arriving.index(wire) + 1}"


def _label(part: Part) -> str:
    """Return the label of a wire: the value above the gradient."""
    value = f'{escape(part.caption)}<font color="{colours.VALUE}">{escape(part.value)}</font>'
    if not part.gradient:
        return f"<{value}>"
    return f'<{value}<br/><font color="{colours.GRADIENT}">{escape(part.gradient)}</font>>'


def _branch_label(wire: Wire) -> str:
    if not wire.gradient:
        return '""'
    return f'<<font color="{colours.GRADIENT}">{escape(wire.gradient)}</font>>'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
