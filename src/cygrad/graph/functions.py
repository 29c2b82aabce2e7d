"""The elementary functions that gates are made of, over numbers and arrays of any shape.

Where an argument lies outside of a function's domain the result is NaN or infinite, without a
warning: the gate that asked says what is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def exp(a: Any) -> Any:
    """eᵃ"""
    return np.exp(a)


def log(a: Any) -> Any:
    """The natural logarithm."""
    return np.log(a)


def sin(a: Any) -> Any:
    """The sine of an angle in radians."""
    return np.sin(a)


def cos(a: Any) -> Any:
    """The cosine of an angle in radians."""
    return np.cos(a)


def tanh(a: Any) -> Any:
    """The hyperbolic tangent."""
    return np.tanh(a)


def sigmoid(a: Any) -> Any:
    """1 / (1 + e⁻ᵃ)"""
    return np.where(a >= 0, 1 / (1 + np.exp(-np.abs(a))), 1 - 1 / (1 + np.exp(-np.abs(a))))


def gaussian(a: Any) -> Any:
    """exp(−a²)"""
    return np.exp(-a * a)


def power(a: Any, b: Any) -> Any:
    """aᵇ"""
    return np.power(a, b)
