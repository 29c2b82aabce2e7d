"""Checks of the gradients of graphs by central differences."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cygrad.graph import Node

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)


def numerical(f: Callable[[], float], x: np.ndarray) -> Iterator[tuple[tuple[int, ...], float]]:
    """Return the central difference of f by each element of an array that f uses."""
    for index in np.ndindex(x.shape):
        original = x[index]
        h = STEP * max(1.0, abs(original))
        x[index] = original + h
        above, right = f(), x[index]
        x[index] = original - h
        below, left = f(), x[index]
        x[index] = original
        yield index, (above - below) / (right - left)


def check(output: Node, *, seed: Any = None, allowed: float = 1e-8) -> None:
    """Compare the gradient of each variable with central differences."""
    weights = np.ones(output.shape) if seed is None else seed
    output.backward(seed)
    gradients = {each: np.array(each.gradient) for each in output.variables}
    values = {each: np.array(each.value) for each in output.variables}

    def evaluate() -> float:
        return float(np.sum(weights * output.forward(values)))

    size = abs(evaluate())
    for variable, gradient in gradients.items():
        assert gradient.shape == variable.shape
        for index, expected in numerical(evaluate, values[variable]):
            scale = max(1.0, abs(expected), size)
            assert abs(gradient[index] - expected) <= allowed * scale, (output, variable, index)
