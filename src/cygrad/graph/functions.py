"""The elementary functions that gates are made of, over numbers and arrays of any shape.

They are the engine's: the same bits on every machine, alone or in an array, in the graphs that
Python walks and in compiled ones. Where an argument lies outside of a function's domain the result
is NaN or infinite, without a warning: the gate that asked says what is wrong.
"""

from __future__ import annotations

from typing import Any

from cygrad._engine.tape import evaluate_gate


def exp(a: Any) -> Any:
    """eᵃ"""
    return evaluate_gate("exp", a)


def log(a: Any) -> Any:
    """The natural logarithm."""
    return evaluate_gate("log", a)


def sin(a: Any) -> Any:
    """The sine of an angle in radians."""
    return evaluate_gate("sin", a)


def cos(a: Any) -> Any:
    """The cosine of an angle in radians."""
    return evaluate_gate("cos", a)


def tanh(a: Any) -> Any:
    """The hyperbolic tangent."""
    return evaluate_gate("tanh", a)


def sigmoid(a: Any) -> Any:
    """1 / (1 + e⁻ᵃ)"""
    return evaluate_gate("sigmoid", a)


def gaussian(a: Any) -> Any:
    """exp(−a²)"""
    return evaluate_gate("gaussian", a)


def power(a: Any, b: Any) -> Any:
    """aᵇ"""
    return evaluate_gate("power", a, b)
