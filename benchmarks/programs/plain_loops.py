"""The plain loops over typed memoryviews that define the bits of the engine, on one thread.

They show what panels, tiles and vectors bring. Networks that would take minutes are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cygrad._engine import loops

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters, Unavailable
from .plain_numpy import PlainNumpy

MAX_FLOPS = 1e8  # of a step


class PlainLoops:
    name = "Cython, plain loops"
    adjustable = False
    exact = True
    threads = 1

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        if case.flops > MAX_FLOPS:
            raise Unavailable(f"{self.name} left out: a step of {case.flops:.1g} flop is too long")
        self.case = case
        self.rng = np.random.default_rng(0)
        self.evaluator = PlainNumpy(case, dtype, 1)

    def start(self, parameters: Parameters) -> None:
        rule = "adam" if self.case.optimizer == "adam" else "momentum"
        hidden = [self.case.hidden] * (len(parameters) - 1)
        output = "softmax" if self.case.classification else "identity"
        self.layers = [
            loops.Layer(np.array(weights.T, order="C"), biases.copy(), activation, rule)
            for (weights, biases), activation in zip(parameters, [*hidden, output], strict=True)
        ]
        self.rule = rule
        self.steps = 0

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        losses = []
        steps = -(-len(X) // self.case.batch)
        for _ in range(epochs):
            order = self.rng.permutation(len(X)) if shuffle else np.arange(len(X))
            loss, _, done = loops.train_epoch(
                self.layers,
                X,
                y,
                order,
                loss="cross_entropy" if self.case.classification else "mse",
                mean=True,
                batch_size=self.case.batch,
                rule=self.rule,
                rates=[LEARNING_RATE] * steps,
                steps=self.steps,
                momentum=MOMENTUM if self.rule == "momentum" else 0,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
            )
            self.steps += done
            losses.append(loss / len(X))
        return losses

    def forward(self, X: Array) -> Array:
        self.evaluator.start(self.parameters())
        return self.evaluator.forward(X)

    def parameters(self) -> Parameters:
        return [(layer.weights.T, layer.biases) for layer in self.layers]
