"""`GraphSubject`: a computational graph for the check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.gradcheck.subject import Array
from cygrad.graph import GraphError, Variable, gates

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

    from cygrad.graph import Node

# Distance of a gate from its kink, with a sign for the side, for the gates that have one.
DISTANCES: dict[gates.Gate | None, Callable[..., Any]] = {
    gates.relu: lambda a: a,
    gates.abs: lambda a: a,
    gates.max: lambda a, b: a - b,
    gates.min: lambda a, b: a - b,
}


class GraphSubject:
    """A copy of a graph whose variables can be perturbed: C is Σ seed · f.

    Parameters
    ----------
    f : Node
    seed : array_like or None
        As for `Node.backward`; None takes random numbers if f is an array.
    rng : numpy.random.Generator
        Source of the random numbers.
    """

    name_of_all = "all variables"
    roundoff = float(np.finfo(np.float64).eps)

    def __init__(self, f: Node, seed: ArrayLike | None, rng: Generator) -> None:
        if seed is None and f.shape:
            seed = rng.choice([-1.0, 1.0], f.shape) * rng.uniform(0.5, 1.5, f.shape)
        self._f = copy.deepcopy(f)
        self._f.forward()  # values may be out of date
        self._f.backward(seed)
        self._seed: Any = 1.0 if seed is None else np.asarray(seed, np.float64)
        self.arrays = [
            _array(variable, f"variables[{place}]")
            for place, variable in enumerate(self._f.variables)
        ]
        if not self.arrays:
            raise ValueError(f"{f!r} depends on no variables, expected one at least")
        sizes = [float(np.linalg.norm(_gradient(node) * node.value)) for node in self._f.tape]
        self.rounding_scale = max(1.0, abs(self._weighted()), float(np.linalg.norm(sizes)))
        self.at_kink = any(bool(np.any(distance == 0)) for distance in self._distances())
        self.sides_at_p: object = self._sides()

    def _weighted(self) -> float:
        return float(np.sum(self._seed * self._f.value))

    def loss(self) -> float:
        try:
            self._f.forward()
        except GraphError:  # the step has left a gate's domain
            return float("nan")
        return self._weighted()

    def sides(self) -> object:
        try:
            self._f.forward()
        except GraphError:
            return object()  # equal to no other object
        return self._sides()

    def _sides(self) -> bytes:
        return b"".join((distance > 0).tobytes() for distance in self._distances())

    def _distances(self) -> list[NDArray[np.float64]]:
        """Return the distance from the kink of each gate that has one."""
        return [
            np.asarray(DISTANCES[node.gate](*(each.value for each in node.operands)))
            for node in self._f.tape
            if node.gate in DISTANCES
        ]


def _gradient(node: Node) -> Any:
    return 0.0 if node.gradient is None else node.gradient


def _array(variable: Variable, placeholder: str) -> Array:
    def set_values(values: NDArray[Any]) -> None:
        variable.value = values

    return Array(
        placeholder if variable.name is None else variable.name,
        None,
        np.array(_gradient(variable)),
        np.array(variable.value),
        set_values,
    )
