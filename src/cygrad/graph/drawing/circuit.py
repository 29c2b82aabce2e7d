"""Circuits: the parts of a drawn graph, the wires between them, and the texts of both.

An operand of ``+ - * / **``, `max` or `min` that is a number without a name becomes part of the
gate's symbol, such as "+1" or "x²". If several gates use a value, its wire splits into branches:
the part shows the gradient, each branch the contribution of its gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cygrad.graph import rules
from cygrad.graph.drawing.texts import exponent_text, number_text, printable, value_text
from cygrad.graph.node import Constant

if TYPE_CHECKING:
    from cygrad.graph.node import Node

#: Gates whose operands may be drawn in any order.
COMMUTATIVE = frozenset({"add", "mul", "max", "min"})


@dataclass(eq=False)
class Part:
    """An input or a gate, and the texts on its outgoing wire."""

    name: str  # of an input or the output; else empty
    caption: str  # "name = " before the value, for other gates with a name
    symbol: str  # in the gate; empty for an input
    value: str
    gradient: str
    ordered: bool  # whether the order of the arriving wires matters
    is_gate: bool
    arriving: list[Wire] = field(default_factory=list)
    leaving: list[Wire] = field(default_factory=list)


@dataclass(eq=False)
class Wire:
    """A wire from a part to one operand of a gate."""

    source: Part
    target: Part
    gradient: str  # contribution of the target to the gradient of the source

    @property
    def labelled(self) -> bool:
        """True if the wire is a branch that shows its contribution."""
        return len(self.source.leaving) > 1 and self.gradient != ""


class Circuit:
    """The parts of a node's graph, each after its operands; the last one is the output."""

    def __init__(self, output: Node, digits: int) -> None:
        self.parts: list[Part] = []
        tape = output.tape
        merged_constant = {node: _merged_constant(node) for node in tape}
        used = {
            each
            for node in tape
            for index, each in enumerate(node.operands)
            if index != merged_constant[node]
        }
        parts: dict[Node, Part] = {}
        for node in tape:
            if node is not output and node not in used:
                continue
            name = printable(node.name or "")
            between = node.gate is not None and node is not output
            part = parts[node] = Part(
                name="" if between else name,
                caption=f"{name} = " if between and name else "",
                symbol=_symbol(node, merged_constant[node], digits),
                value=value_text(node.value, digits),
                # If the output has no gradient, those of variables come from another graph.
                gradient=_gradient_text(node, digits) if output.gradient is not None else "",
                ordered=node.gate is not None and node.gate.name not in COMMUTATIVE,
                is_gate=node.gate is not None,
            )
            self.parts.append(part)
            for index, operand in enumerate(node.operands):
                if index != merged_constant[node]:
                    text = _contribution_text(node, index, digits)
                    wire = Wire(parts[operand], part, text)
                    part.arriving.append(wire)
                    wire.source.leaving.append(wire)

    @property
    def wires(self) -> list[Wire]:
        """All wires, in the order of their target gates."""
        return [wire for part in self.parts for wire in part.arriving]


def _merged_constant(node: Node) -> int | None:
    """Return the index of the operand that becomes part of the gate's symbol, or None."""
    if node.gate is None or node.gate.name not in _SYMBOLS:
        return None
    numbers = [
        isinstance(each, Constant) and each.name is None and each.shape == ()
        for each in node.operands
    ]
    return numbers.index(True) if sum(numbers) == 1 else None


def _symbol(node: Node, merged_constant: int | None, digits: int) -> str:
    if node.gate is None:
        return ""
    if merged_constant is None:
        return node.gate.symbol
    write = _SYMBOLS[node.gate.name][merged_constant]
    return write(float(node.operands[merged_constant].value), digits)


def _in_brackets(number: float, digits: int) -> str:
    text = number_text(number, digits)
    return f"({text})" if number < 0 else text


def _plus(number: float, digits: int) -> str:
    return f"{'+' if number >= 0 else ''}{number_text(number, digits)}"


# Symbols of gates with a number as the first operand, and as the second one.
_SYMBOLS: dict[str, tuple[Callable[[float, int], str], ...]] = {
    "add": (_plus, _plus),
    "sub": (
        lambda c, digits: f"{number_text(c, digits)} − x",
        lambda c, digits: _plus(-c, digits) if c else "−0",
    ),
    "mul": (
        lambda c, digits: f"×{_in_brackets(c, digits)}",
        lambda c, digits: f"×{_in_brackets(c, digits)}",
    ),
    "div": (
        lambda c, digits: f"{number_text(c, digits)}/x",
        lambda c, digits: f"÷{_in_brackets(c, digits)}",
    ),
    "power": (
        lambda c, digits: f"{_in_brackets(c, digits)}ˣ",
        lambda c, digits: f"x{exponent_text(c, digits)}",
    ),
    "max": (
        lambda c, digits: f"max({number_text(c, digits)}, x)",
        lambda c, digits: f"max(x, {number_text(c, digits)})",
    ),
    "min": (
        lambda c, digits: f"min({number_text(c, digits)}, x)",
        lambda c, digits: f"min(x, {number_text(c, digits)})",
    ),
}


def _gradient_text(node: Node, digits: int) -> str:
    if node.gradient is None or not node._depends_on_variable:
        return ""
    return value_text(node.gradient, digits)


def _contribution_text(node: Node, index: int, digits: int) -> str:
    """Format the contribution of a gate to the gradient of an operand."""
    operand = node.operands[index]
    if node.gradient is None or operand.gradient is None or not operand._depends_on_variable:
        return ""
    contribution, _ = rules.contribution(node, index, node._gradient)
    return value_text(contribution, digits)
