"""The two passes over a graph: forward for the values, and backward for the gradients.

Both follow the tape, the list of all nodes in which each comes after its operands. A graph can
therefore be deeper than the interpreter's stack. The forward pass goes from left to right:

    y = gate(operands)

The backward pass goes from right to left, and adds up the gradients of all paths to a node:

    ∂C/∂C = 1;  for each gate y:  ∂C/∂operand += ∂C/∂y · ∂y/∂operand
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.graph.rules import contribution, evaluate
from cygrad.graph.values import GraphError, is_finite, zeros_like

if TYPE_CHECKING:
    from cygrad.graph.node import Node


def topological_order(output: Node) -> tuple[Node, ...]:
    """Return `output` and all nodes that it depends on, each after its operands."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(each, False) for each in reversed(node.operands)]
    return tuple(order)


def by_name(tape: Iterable[Node]) -> dict[str, Node]:
    """Return the nodes that have names.

    Raises
    ------
    GraphError
        If two have the same name.
    """
    named: dict[str, Node] = {}
    for node in tape:
        if node.name is not None and named.setdefault(node.name, node) is not node:
            raise GraphError(f"two nodes of the graph have the name {node.name!r}")
    return named


def forward(tape: Sequence[Node], given: dict[Node, Any]) -> dict[Node, Any]:
    """Return the values of all nodes of the tape; `given` are new values of leaves."""
    values = dict(given)
    with np.errstate(all="ignore"):  # the errors of gates are more precise
        for node in tape:
            if node._gate is not None:
                operands = [values[each] for each in node._operands]
                values[node] = evaluate(node._gate, node._operands, operands, node._options)
            elif node not in values:
                values[node] = node._value
    return values


def backward(
    tape: Sequence[Node], seed: Any
) -> tuple[dict[Node, Any], dict[Node, tuple[Any, ...]]]:
    """Return ∂C/∂node of all nodes of the tape, and the local derivatives at its gates.

    `seed` is ∂C/∂(last node). The local derivative is None for an operand that depends on no
    variable, and for gates over whole arrays.

    Raises
    ------
    GraphError
        If a gradient is not finite, or the result of a gate's rule has the wrong shape.
    TypeError
        If the result of a rule is not made of real numbers.
    """
    gradients: dict[Node, Any] = {node: zeros_like(node._value) for node in tape}
    gradients[tape[-1]] = gradients[tape[-1]] + seed
    local_derivatives: dict[Node, tuple[Any, ...]] = {}
    with np.errstate(all="ignore"):
        for node in reversed(tape):
            if node._gate is not None:
                local_derivatives[node] = _add_contributions(node, gradients)
    return gradients, local_derivatives


def _add_contributions(node: Node, gradients: dict[Node, Any]) -> tuple[Any, ...]:
    """Add ∂C/∂y · ∂y/∂operand to the gradient of each operand; return the local derivatives."""
    assert node._gate is not None
    local_derivatives = []
    for index, operand in enumerate(node._operands):
        derivative = None
        if operand._depends_on_variable:
            passed, derivative = contribution(node, index, gradients[node])
            total = gradients[operand] + passed
            if not is_finite(total):
                raise GraphError(
                    f"gate {node._gate.name}: the gradient of {operand.described()} is not finite"
                )
            gradients[operand] = total
        local_derivatives.append(derivative)
    return tuple(local_derivatives)
