"""Expressions for several libraries, each with value and derivatives written by hand in NumPy.

`build` writes the expression with the functions of a library, for numbers or arrays. `numpy`
returns value and derivatives for arrays of points, and is written for speed: common subexpressions
are computed once, and arrays are reused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .programs import Array

STAGES = 6


@dataclass(frozen=True)
class Expression:
    """A function of some numbers: its expression, and its derivatives in NumPy."""

    name: str
    inputs: int
    build: Callable[..., Any]  # (library, *inputs)
    numpy: Callable[..., tuple[Array, tuple[Array, ...]]]  # arrays to value and gradients


def _chain(library: Any, x: Any, y: Any, z: Any) -> Any:
    """A recurrence with an output at every stage; each stage has 8 gates."""
    h, total = library.sin(x), library.cos(y)
    for _ in range(STAGES):
        h = library.tanh(h * x + y)
        total = total + library.exp(-(h * h)) * z
    return total


def _chain_by_hand(x: Array, y: Array, z: Array) -> tuple[Array, tuple[Array, ...]]:
    hs, es = [np.sin(x)], []
    e_sum = np.zeros_like(x)
    for _ in range(STAGES):
        h = hs[-1] * x
        h += y
        np.tanh(h, out=h)
        e = h * h
        np.negative(e, out=e)
        np.exp(e, out=e)
        e_sum += e
        hs.append(h)
        es.append(e)
    value = np.cos(y)
    value += e_sum * z
    by_x, by_y, by_h = np.zeros_like(x), -np.sin(y), np.zeros_like(x)
    for h, e, before in zip(hs[:0:-1], es[::-1], hs[-2::-1], strict=True):
        e *= z
        e *= h
        e *= -2
        by_h += e
        h *= h
        np.subtract(1, h, out=h)
        by_h *= h
        by_x += by_h * before
        by_y += by_h
        by_h *= x
    by_x += by_h * np.cos(x)
    return value, (by_x, by_y, e_sum)


def _neuron(library: Any, w0: Any, x0: Any, w1: Any, x1: Any, w2: Any) -> Any:
    return library.sigmoid(w0 * x0 + w1 * x1 + w2)


def _neuron_by_hand(
    w0: Array, x0: Array, w1: Array, x1: Array, w2: Array
) -> tuple[Array, tuple[Array, ...]]:
    value = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))
    slope = value * (1 - value)
    return value, (x0 * slope, w0 * slope, x1 * slope, w1 * slope, slope)


def _staged(library: Any, x: Any, y: Any) -> Any:
    return (x + library.sigmoid(y)) / (library.sigmoid(x) + (x + y) ** 2)


def _staged_by_hand(x: Array, y: Array) -> tuple[Array, tuple[Array, ...]]:
    sigmoid_x, sigmoid_y = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-y))
    both = x + y
    inverse = 1 / (sigmoid_x + both * both)
    value = (x + sigmoid_y) * inverse
    by_divisor = -value * inverse
    by_both = by_divisor * 2 * both
    by_x = inverse + by_divisor * sigmoid_x * (1 - sigmoid_x) + by_both
    by_y = inverse * sigmoid_y * (1 - sigmoid_y) + by_both
    return value, (by_x, by_y)


EXPRESSIONS = (
    Expression("chain", 3, _chain, _chain_by_hand),
    Expression("sigmoid neuron", 5, _neuron, _neuron_by_hand),
    Expression("staged", 2, _staged, _staged_by_hand),
)
