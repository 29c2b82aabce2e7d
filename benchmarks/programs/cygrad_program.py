"""cygrad through its public names, as a user calls it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import cygrad as cg

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters


class CygradProgram:
    name = "cygrad"
    adjustable = False  # it chooses the best number of threads itself
    exact = True

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        self.case = case
        self.threads = threads
        output = "softmax" if case.classification else "identity"
        loss = "cross_entropy" if case.classification else "mse"
        hidden = [cg.Dense(units, case.hidden) for units in case.sizes[1:-1]]
        layers = [*hidden, cg.Dense(case.sizes[-1], output)]
        self.network = cg.Network(case.sizes[0], layers, loss=loss, dtype=dtype, rng=0)
        self.forward = self.network.forward
        self.reset_trainer()

    def start(self, parameters: Parameters) -> None:
        self.network.parameters = np.concatenate(
            [part.ravel() for layer in parameters for part in layer]
        )
        self.reset_trainer()

    def reset_trainer(self) -> None:
        """Make a new trainer, whose optimiser has no state."""
        self.trainer = cg.Trainer(
            self.network,
            optimizer(self.case),
            batch_size=self.case.batch,
            rng=0,
            threads=self.threads,
        )

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        return self.trainer.fit(X, y, epochs=epochs, shuffle=shuffle).loss

    def parameters(self) -> Parameters:
        return [(layer.weights, layer.biases) for layer in self.network.layers]


def optimizer(case: Case) -> cg.Adam | cg.SGD:
    if case.optimizer == "adam":
        return cg.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
    return cg.SGD(LEARNING_RATE, MOMENTUM)
