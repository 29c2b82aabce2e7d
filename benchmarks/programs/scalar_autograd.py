"""Reverse-mode differentiation in plain Python, number by number, to compare with graphs.

Every number is an object with a closure that propagates its gradient. The expression is built anew
for every point, and the objects are sorted before the backward pass. Small teaching programs work
like this; nothing here makes it slower than necessary.
"""

from __future__ import annotations

import math
from collections.abc import Callable


class Value:
    """A number with the operands from which it was computed."""

    __slots__ = ("data", "grad", "operands", "propagate")

    def __init__(self, data: float, operands: tuple[Value, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.operands = operands
        self.propagate: Callable[[], None] | None = None

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def propagate() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.propagate = propagate
        return out

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def propagate() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.propagate = propagate
        return out

    def __truediv__(self, other: Value) -> Value:
        out = Value(self.data / other.data, (self, other))

        def propagate() -> None:
            self.grad += out.grad / other.data
            other.grad -= out.data / other.data * out.grad

        out.propagate = propagate
        return out

    def __pow__(self, exponent: float) -> Value:
        return _unary(self, self.data**exponent, lambda y, a: exponent * a ** (exponent - 1))

    def __neg__(self) -> Value:
        return _unary(self, -self.data, lambda y, a: -1.0)

    def backward(self) -> None:
        """Compute the gradient with respect to every value that this one depends on."""
        order: list[Value] = []
        seen: set[Value] = set()

        def visit(value: Value) -> None:
            if value not in seen:
                seen.add(value)
                for operand in value.operands:
                    visit(operand)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            if value.propagate is not None:
                value.propagate()


def _unary(a: Value, data: float, derivative: Callable[[float, float], float]) -> Value:
    out = Value(data, (a,))

    def propagate() -> None:
        a.grad += derivative(out.data, a.data) * out.grad

    out.propagate = propagate
    return out


def exp(a: Value) -> Value:
    return _unary(a, math.exp(a.data), lambda y, a: y)


def tanh(a: Value) -> Value:
    return _unary(a, math.tanh(a.data), lambda y, a: 1 - y * y)


def sin(a: Value) -> Value:
    return _unary(a, math.sin(a.data), lambda y, a: math.cos(a))


def cos(a: Value) -> Value:
    return _unary(a, math.cos(a.data), lambda y, a: -math.sin(a))


def sigmoid(a: Value) -> Value:
    return _unary(a, 1 / (1 + math.exp(-a.data)), lambda y, a: y * (1 - y))
