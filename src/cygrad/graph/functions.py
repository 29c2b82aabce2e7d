"""The elementary functions that gates are made of, over numbers and arrays of any shape.

They are the engine's: the same bits on every machine, alone or in an array, in the graphs that
Python walks and in compiled ones. Where an argument lies outside of a function's domain the result
is NaN or infinite, without a warning: the gate that asked says what is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._engine.tape import evaluate


def _evaluate(name: str, *arguments: Any) -> Any:
    if all(np.ndim(each) == 0 for each in arguments):
        return evaluate(name, *map(float, arguments))
    return evaluate(name, *arguments)


def exp(a: Any) -> Any:
    """eᵃ"""
    return _evaluate("exp", a)


def log(a: Any) -> Any:
    """The natural logarithm."""
    return _evaluate("log", a)


def sin(a: Any) -> Any:
    """The sine of an angle in radians."""
    return _evaluate("sin", a)


def cos(a: Any) -> Any:
    """The cosine of an angle in radians."""
    return _evaluate("cos", a)


def tanh(a: Any) -> Any:
    """The hyperbolic tangent."""
    return _evaluate("tanh", a)


def sigmoid(a: Any) -> Any:
    """1 / (1 + e⁻ᵃ)"""
    return _evaluate("sigmoid", a)


def gaussian(a: Any) -> Any:
    """exp(−a²)"""
    return _evaluate("gaussian", a)


def power(a: Any, b: Any) -> Any:
    """aᵇ"""
    return _evaluate("power", a, b)
