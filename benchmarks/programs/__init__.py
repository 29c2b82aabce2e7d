"""The programs that are timed against each other, one per module, with one face.

Each is what a good programmer would write with the library at hand, for exactly the networks of
:mod:`benchmarks.cases`. A further library joins by a module with a :class:`Program` and its name in
:func:`programs`, if it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..cases import Case

Array = NDArray[Any]
Parameters = Sequence[tuple[Array, Array]]  # (weights (out, in), biases (out,)) per layer


class Program(Protocol):
    """Training and use of one network, in one library."""

    name: str

    def __init__(self, case: Case, dtype: str) -> None: ...

    def start(self, parameters: Parameters) -> None:
        """Take these parameters and forget the optimiser's state."""

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        """Train on mini-batches, shuffled anew in every epoch or in the order of X; the mean loss
        of every epoch."""

    def forward(self, X: Array) -> Array:
        """Outputs for `case.batch` rows."""

    def parameters(self) -> Parameters: ...


def programs() -> dict[str, type[Program]]:
    """cygrad first, then its peers, the fastest first."""
    from .cygrad_program import CygradProgram
    from .plain_numpy import PlainNumpy
    from .tuned_numpy import TunedNumpy

    return {program.name: program for program in (CygradProgram, TunedNumpy, PlainNumpy)}


def initial_parameters(case: Case, dtype: str) -> Parameters:
    """He's normal weights, N(0, 2/in), and biases N(0, 0.1²), that would show if ignored."""
    rng = np.random.default_rng(7)
    return [
        (
            (rng.standard_normal((outputs, inputs)) * (2 / inputs) ** 0.5).astype(dtype),
            (rng.standard_normal(outputs) * 0.1).astype(dtype),
        )
        for inputs, outputs in case.shapes
    ]


def training_data(case: Case, dtype: str) -> tuple[Array, Array]:
    """Standard normal inputs with targets that carry no pattern: (X, y).

    y holds class indices or a column of floats. Nothing can be learnt beyond single samples, so
    the loss stays far from zero, where tiny gradients would change the speed of the arithmetic.
    """
    rng = np.random.default_rng(11)
    X = rng.standard_normal((case.samples, case.sizes[0]), dtype=np.dtype(dtype).type)
    if case.classification:
        return X, rng.integers(case.sizes[-1], size=case.samples)
    return X, rng.standard_normal((case.samples, 1), dtype=np.dtype(dtype).type)
