"""The programs that are timed against each other, one per module, with the same methods.

Each program, except plain NumPy, is the fastest that we could write with the public names of its
library for the networks of `cases`; its module describes what was tried. All get the same
parameters, data, loss and hyperparameters. To add a library, add a module with a `Program` and a
line in `PEERS`; a library that cannot train has a `Forward` and a line in `INFERENCE`.
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


class Forward(Protocol):
    """Use of one network, in one library."""

    name: str

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        """Prepare the program; raise `Unavailable` if it cannot take part."""

    def start(self, parameters: Parameters) -> None:
        """Set the parameters."""

    def forward(self, X: Array) -> Array:
        """Return the outputs for `case.batch` rows."""


class Program(Forward, Protocol):
    """Training and use of one network, in one library."""

    threads: int  # the most that it may use
    adjustable: bool  # True if `threads` can be set between two fits, and fewer may be faster
    exact: bool  # True if it equals the others up to rounding

    def start(self, parameters: Parameters) -> None:
        """Set the parameters and reset the optimiser's state."""

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        """Train on mini-batches, shuffled in every epoch or in the order of X; return the mean
        loss of every epoch."""

    def parameters(self) -> Parameters: ...


class Unavailable(Exception):
    """A program cannot take part, for the reason given."""


# Package to import, module in this folder, class: those that train, and those of `forward`.
PEERS = (
    ("sklearn", "sklearn_mlp", "SklearnMLP"),
    ("torch", "torch_eager", "TorchEager"),
    ("torch", "torch_compiled", "TorchCompiled"),
    ("jax", "jax_scan", "JaxScan"),
)
INFERENCE = (PEERS[1], PEERS[3], ("onnx onnxruntime", "onnx_runtime", "OnnxRuntime"))


def programs(peers: bool = False) -> dict[str, type[Program]]:
    """Return cygrad and its plain loops, tuned and plain NumPy, and with `peers` the libraries."""
    from .cygrad_program import CygradProgram
    from .plain_loops import PlainLoops
    from .plain_numpy import PlainNumpy
    from .tuned_numpy import TunedNumpy

    chosen: list[type[Program]] = [CygradProgram, TunedNumpy, PlainNumpy, PlainLoops]
    return {program.name: program for program in chosen} | (installed(PEERS) if peers else {})


def installed(table: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Import the programs of a table, `PEERS` or `INFERENCE`, whose packages are installed."""
    chosen = [
        getattr(import_module(f".{module}", __name__), name)
        for packages, module, name in table
        if all(find_spec(package) for package in packages.split())
    ]
    return {program.name: program for program in chosen}


def initial_parameters(case: Case, dtype: str) -> Parameters:
    """Draw He's normal weights, N(0, 2/in), and biases N(0, 0.1²), which no program may ignore."""
    rng = np.random.default_rng(7)
    return [
        (
            (rng.standard_normal((outputs, inputs)) * (2 / inputs) ** 0.5).astype(dtype),
            (rng.standard_normal(outputs) * 0.1).astype(dtype),
        )
        for inputs, outputs in case.shapes
    ]


def training_data(case: Case, dtype: str) -> tuple[Array, Array]:
    """Draw standard normal inputs and targets without a pattern; return (X, y).

    y holds class indices or rows of floats. There is nothing to learn but single samples, so
    the loss stays far from zero; near zero, tiny gradients would change the speed of arithmetic.
    Of k classes, every k consecutive labels contain all, because scikit-learn needs all classes.
    """
    rng = np.random.default_rng(11)
    X = rng.standard_normal((case.samples, case.sizes[0]), dtype=np.dtype(dtype).type)
    if case.classification:
        classes = case.sizes[-1]
        blocks = np.tile(np.arange(classes), (-(-case.samples // classes), 1))
        return X, rng.permuted(blocks, axis=1).ravel()[: case.samples]
    return X, rng.standard_normal((case.samples, case.sizes[-1]), dtype=np.dtype(dtype).type)
