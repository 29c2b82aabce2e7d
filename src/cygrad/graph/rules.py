"""Call the rules of a gate, check the results, and word the errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.graph.gates import Gate, sum_to
from cygrad.graph.values import GraphError, as_value, is_finite

if TYPE_CHECKING:
    from cygrad.graph.node import Node


def evaluate(
    gate: Gate, operands: Sequence[Node], values: Sequence[Any], options: dict[str, Any]
) -> Any:
    """Return the output of a gate for values of its operands.

    Raises
    ------
    GraphError
        If the shapes do not fit, or the output is not finite.
    TypeError
        If the output is not made of real numbers, or the gate has no such option.
    """
    try:
        y = as_value(gate.forward(*values, **options))
    except ArithmeticError:  # Python floats raise it, arrays have infinity
        if not _all_floats(values):
            raise
        y = math.inf
    except (ValueError, IndexError) as error:
        raise GraphError(_shape_message(gate, operands, values, error)) from error
    except TypeError as error:
        raise TypeError(f"gate {gate.name}: {error}") from error
    if gate.elementwise and not (type(y) is float and _all_floats(values)):
        shape, shapes = np.shape(y), [np.shape(value) for value in values]
        if shape not in shapes and shape != (common := np.broadcast_shapes(*shapes)):
            raise GraphError(f"gate {gate.name}: the output has shape {shape}, expected {common}")
    if not is_finite(y):
        raise GraphError(_nonfinite_message(gate, operands, values, np.asarray(y)))
    return y


def _all_floats(values: Sequence[Any]) -> bool:
    return all(type(value) is float for value in values)


def _shape_message(
    gate: Gate, operands: Sequence[Node], values: Sequence[Any], error: Exception
) -> str:
    """Word the error for operands that the forward rule refuses."""
    pairs = list(zip(operands, values, strict=True))
    if _all_floats(values):
        numbers = (f"{operand.described()} = {value!r}" for operand, value in pairs)
        return f"gate {gate.name} ({', '.join(numbers)}): {error}"
    shapes = (
        operand.described() + ("" if _is_unnamed_leaf(operand) else f" of shape {np.shape(value)}")
        for operand, value in pairs
    )
    return f"gate {gate.name}: {' and '.join(shapes)} do not fit: {error}"


def _is_unnamed_leaf(operand: Node) -> bool:
    """Return whether an operand is an input without a name: messages show its value."""
    return operand.gate is None and operand.name is None


def _nonfinite_message(gate: Gate, operands: Sequence[Node], values: Sequence[Any], y: Any) -> str:
    """Word the error for the first element of the output that is not finite."""
    wrong = ~np.isfinite(y)
    position = np.unravel_index(int(wrong.argmax()), wrong.shape)
    position_text = f"[{', '.join(map(str, position))}]" if position else ""
    texts = []
    for operand, value in zip(operands, values, strict=True):
        text = operand.described()
        if gate.elementwise:
            number = repr(float(np.broadcast_to(value, wrong.shape)[position]))
            element = text + (position_text if np.ndim(value) else "")
            text = number if _is_unnamed_leaf(operand) else f"{element} = {number}"
        texts.append(text)
    where = f" at {position_text}" if position else ""
    output = float(y[position])
    expected = [gate.expects] if gate.expects else []
    if math.isinf(output) or not expected:
        expected.append("an output within the range of float64")
    return (
        f"gate {gate.name} ({', '.join(texts)}): the output is {output!r}{where}, "
        f"expected {' and '.join(expected)}"
    )


def contribution(node: Node, index: int, g: Any) -> tuple[Any, Any]:
    """Return the part of an operand's gradient that comes from g = ∂C/∂y, and ∂y/∂operand.

    A gate over whole arrays has None for ∂y/∂operand.
    """
    gate, y, like = node._gate, node._value, node._operands[index]._value
    assert gate is not None
    if not gate.elementwise:
        passed = _call_rule(node, index, g, y)
        if np.shape(passed) != np.shape(like):
            raise _shape_error(node, index, passed, like)
        return passed, None
    derivative = _call_rule(node, index, y)
    if type(y) is float and type(derivative) is float:
        return g * derivative, derivative
    if np.shape(derivative) not in ((), np.shape(y)):
        try:
            np.broadcast_to(derivative, np.shape(y))
        except ValueError:
            raise _shape_error(node, index, derivative, y) from None
    return sum_to(g * derivative, np.shape(like)), derivative


def _call_rule(node: Node, index: int, *arguments: Any) -> Any:
    """Call the backward rule for one operand; return a float or an array of numbers."""
    gate, values = node._gate, [each._value for each in node._operands]
    assert gate is not None
    try:
        result = gate.backward[index](*arguments, *values, **node._options)
    except ArithmeticError:  # Python floats raise it, arrays have infinity
        if not _all_floats(values):
            raise
        return math.inf
    if type(result) is float:
        return result
    array = np.asarray(result)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"gate {gate.name}: the rule backward to {node._operands[index].described()} gives "
            f"{result!r}, expected a number or an array of numbers"
        )
    return array


def _shape_error(node: Node, index: int, actual: Any, expected: Any) -> GraphError:
    assert node._gate is not None
    return GraphError(
        f"gate {node._gate.name}: the rule backward to {node._operands[index].described()} gives "
        f"the shape {np.shape(actual)}, expected {np.shape(expected)}"
    )
