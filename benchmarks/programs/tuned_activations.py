"""Hidden activations of the tuned NumPy program: in place, with the buffers that each needs.

A scalar operand of ``maximum`` and a boolean operand of ``multiply`` are slow paths of NumPy; the
logistic function is faster by ``exp`` than by ``tanh``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from . import Array


class Activation(Protocol):
    """The activation of one layer, whose z are in the array `a` that a forward pass fills."""

    def __init__(self, a: Array) -> None: ...

    def apply(self) -> None:
        """Replace z in `a` by σ(z)."""

    def times_slope(self, delta: Array) -> None:
        """Multiply `delta` by σ′(z), which is computed from σ(z) in `a`."""


class Relu:
    def __init__(self, a: Array) -> None:
        self.a = a
        self.zeros = np.zeros_like(a)
        self.positive = np.empty(a.shape, np.bool_)
        self.slope = np.empty_like(a)

    def apply(self) -> None:
        np.maximum(self.a, self.zeros, out=self.a)

    def times_slope(self, delta: Array) -> None:
        np.greater(self.a, self.zeros, out=self.positive)
        np.copyto(self.slope, self.positive)
        np.multiply(delta, self.slope, out=delta)


class Tanh:
    def __init__(self, a: Array) -> None:
        self.a = a
        self.slope = np.empty_like(a)
        self.one = np.array(1, a.dtype)

    def apply(self) -> None:
        np.tanh(self.a, out=self.a)

    def times_slope(self, delta: Array) -> None:
        np.multiply(self.a, self.a, out=self.slope)
        np.subtract(self.one, self.slope, out=self.slope)
        np.multiply(delta, self.slope, out=delta)


class Sigmoid:
    def __init__(self, a: Array) -> None:
        self.a = a
        self.slope = np.empty_like(a)
        self.one = np.array(1, a.dtype)

    def apply(self) -> None:
        a = self.a
        np.negative(a, out=a)
        np.exp(a, out=a)
        np.add(a, self.one, out=a)
        np.reciprocal(a, out=a)

    def times_slope(self, delta: Array) -> None:
        np.subtract(self.one, self.a, out=self.slope)
        np.multiply(self.slope, self.a, out=self.slope)
        np.multiply(delta, self.slope, out=delta)


ACTIVATIONS: dict[str, type[Activation]] = {"relu": Relu, "tanh": Tanh, "sigmoid": Sigmoid}
