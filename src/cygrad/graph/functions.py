"""The elementary functions that gates are made of, over numbers and arrays of any shape.

The engine computes them: with the same bits on every machine, alone or in an array, in graphs
evaluated by Python and in compiled ones. Arguments outside of a function's domain give NaN or
infinity without a warning; the gate raises the error.
"""

from __future__ import annotations

from typing import Any

from cygrad._engine.tape import evaluate_gate


def exp(a: Any) -> Any:
    """Return eᵃ."""
    return evaluate_gate("exp", a)


def log(a: Any) -> Any:
    """Return the natural logarithm."""
    return evaluate_gate("log", a)


def sin(a: Any) -> Any:
    """Return the sine of an angle in radians."""
    return evaluate_gate("sin", a)


def cos(a: Any) -> Any:
    """Return the cosine of an angle in radians."""
    return evaluate_gate("cos", a)


def tanh(a: Any) -> Any:
    """Return the hyperbolic tangent."""
    return evaluate_gate("tanh", a)


def sigmoid(a: Any) -> Any:
    """Return 1 / (1 + e⁻ᵃ)."""
    return evaluate_gate("sigmoid", a)


def gaussian(a: Any) -> Any:
    """Return exp(−a²)."""
    return evaluate_gate("gaussian", a)


def power(a: Any, b: Any) -> Any:
    """Return aᵇ."""
    return evaluate_gate("power", a, b)
