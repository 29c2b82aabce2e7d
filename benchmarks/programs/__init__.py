"""The programs that are timed against each other, one per module, with one face.

Each, plain NumPy aside, is the fastest that we could write with the public names of its library,
for exactly the networks of :mod:`benchmarks.cases`; what was tried is said where it is not obvious.
All get the same parameters, data, loss and numbers of the optimiser. A further library joins by a
module with a :class:`Program` and a line in :data:`PEERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..cases import Case

Array = NDArray[Any]
Parameters = Sequence[tuple[Array, Array]]  # (weights (out, in), biases (out,)) per layer


class Program(Protocol):
    """Training and use of one network, in one library."""

    name: str
    threads: int  # that it may use
    adjustable: bool  # whether `threads` can be set between two fits, and fewer may be faster
    exact: bool  # whether it does what the others do, but for rounding

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        """Raises :class:`Unavailable` where it cannot take part."""

    def start(self, parameters: Parameters) -> None:
        """Take these parameters and forget the optimiser's state."""

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        """Train on mini-batches, shuffled anew in every epoch or in the order of X; the mean loss
        of every epoch."""

    def forward(self, X: Array) -> Array:
        """Outputs for `case.batch` rows."""

    def parameters(self) -> Parameters: ...


class Unavailable(Exception):
    """A program cannot take part, for the reason given."""


# Packages to import, module here, class.
PEERS = (
    ("sklearn", "sklearn_mlp", "SklearnMLP"),
    ("torch", "torch_eager", "TorchEager"),
    ("torch", "torch_compiled", "TorchCompiled"),
    ("jax", "jax_scan", "JaxScan"),
)


def programs(peers: bool = False) -> dict[str, type[Program]]:
    """cygrad first, then NumPy's tuned and plain program, then installed peers if wanted."""
    from .cygrad_program import CygradProgram
    from .plain_numpy import PlainNumpy
    from .tuned_numpy import TunedNumpy

    chosen: list[type[Program]] = [CygradProgram, TunedNumpy, PlainNumpy]
    if peers:
        chosen += [
            getattr(import_module(f".{module}", __name__), name)
            for package, module, name in PEERS
            if find_spec(package) is not None
        ]
    return {program.name: program for program in chosen}


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
    The labels are shuffled so that every k in a row hold all k classes: scikit-learn must see all.
    """
    rng = np.random.default_rng(11)
    X = rng.standard_normal((case.samples, case.sizes[0]), dtype=np.dtype(dtype).type)
    if case.classification:
        classes = case.sizes[-1]
        blocks = np.tile(np.arange(classes), (-(-case.samples // classes), 1))
        return X, rng.permuted(blocks, axis=1).ravel()[: case.samples]
    return X, rng.standard_normal((case.samples, 1), dtype=np.dtype(dtype).type)
