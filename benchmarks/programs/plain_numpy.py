"""A first NumPy program: vectorised, directly from the equations, without buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters, blas

# σ(z), and σ′(z) of a = σ(z).
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
}


class PlainNumpy:
    name = "plain NumPy"
    adjustable = blas.ADJUSTABLE
    exact = True

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        self.case = case
        self.threads = threads
        self.activation, self.slope = ACTIVATIONS[case.hidden]
        self.rng = np.random.default_rng(0)

    def start(self, parameters: Parameters) -> None:
        self.weights = [weights.T.copy() for weights, _ in parameters]  # (in, out)
        self.biases = [biases.copy() for _, biases in parameters]
        trained = self.weights + self.biases
        self.m = [np.zeros_like(array) for array in trained]
        self.v = [np.zeros_like(array) for array in trained]
        self.step = 0

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        with blas.limit_threads(self.threads):
            return [self._epoch(X, y, shuffle) for _ in range(epochs)]

    def _epoch(self, X: Array, y: Array, shuffle: bool) -> float:
        """Do all steps of an epoch; return the mean loss."""
        order = self.rng.permutation(len(X)) if shuffle else np.arange(len(X))
        total = 0.0
        for first in range(0, len(X), self.case.batch):
            rows = order[first : first + self.case.batch]
            total += self._step(X[rows], y[rows])
        return total / len(X)

    def forward(self, X: Array) -> Array:
        return self._activations(X)[-1]

    def parameters(self) -> Parameters:
        return [(weights.T, biases) for weights, biases in self._layers()]

    def _layers(self) -> list[tuple[Array, Array]]:
        return list(zip(self.weights, self.biases, strict=True))

    def _activations(self, X: Array) -> list[Array]:
        *hidden, output = self._layers()
        activations = [X]
        for weights, biases in hidden:
            activations.append(self.activation(activations[-1] @ weights + biases))
        weights, biases = output
        z = activations[-1] @ weights + biases
        if self.case.classification:
            z = np.exp(z - z.max(axis=1, keepdims=True))
            z /= z.sum(axis=1, keepdims=True)
        return [*activations, z]

    def _step(self, X: Array, y: Array) -> float:
        """Do one step; return the loss of the batch, summed over its samples."""
        activations = self._activations(X)
        outputs = activations[-1]
        if self.case.classification:
            rows = np.arange(len(X))
            loss = -np.log(outputs[rows, y]).sum()
            delta = outputs / len(X)
            delta[rows, y] -= 1 / len(X)
        else:
            difference = outputs - y
            loss = (difference**2).sum() / outputs.shape[1]
            delta = difference * (2 / difference.size)

        weight_gradients, bias_gradients = [], []
        for layer in reversed(range(len(self.weights))):
            weight_gradients.append(activations[layer].T @ delta)
            bias_gradients.append(delta.sum(axis=0))
            if layer > 0:
                delta = (delta @ self.weights[layer].T) * self.slope(activations[layer])
        update = self._adam if self.case.optimizer == "adam" else self._momentum
        update(weight_gradients[::-1] + bias_gradients[::-1])
        return float(loss)

    def _adam(self, gradients: list[Array]) -> None:
        self.step += 1
        correction1, correction2 = 1 - BETA1**self.step, 1 - BETA2**self.step
        trained = self.weights + self.biases
        for parameter, gradient, m, v in zip(trained, gradients, self.m, self.v, strict=True):
            m *= BETA1
            m += (1 - BETA1) * gradient
            v *= BETA2
            v += (1 - BETA2) * gradient**2
            parameter -= LEARNING_RATE * (m / correction1) / (np.sqrt(v / correction2) + EPSILON)

    def _momentum(self, gradients: list[Array]) -> None:
        trained = self.weights + self.biases
        for parameter, gradient, velocity in zip(trained, gradients, self.m, strict=True):
            velocity *= MOMENTUM
            velocity -= LEARNING_RATE * gradient
            parameter += velocity
