"""The NumPy program to compare cygrad with, as fast as NumPy can be.

A step allocates nothing: every array is a buffer, every call writes through ``out``. All parameters
are in one flat array, so that Adam is ten passes over it, one cache-sized block at a time, with the
bias corrections combined into two scalars. A large batch is cut into blocks of rows, whose
activations and deltas stay in a cache; their gradients are added, which takes three quarters of the
time on 4-32-16-4 with 10,000 rows. If NumPy has a slow path (a reduction over the rows, a scalar
operand of ``maximum``, a boolean operand of ``multiply``), a faster equivalent is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters, blas
from .tuned_activations import ACTIVATIONS

BLOCK = 65536  # values per array: Adam's four arrays take 1 MiB in float32, a second-level cache
BLOCK_BYTES = 2**20  # of the rows of a block: activations, deltas and slopes


class Adam:
    """Adam over flat arrays: parameters `p`, gradients `g` (overwritten by a step).

    The state is m/(1 − β₁) and v/(1 − β₂), which saves one pass each. The factors and the bias
    corrections are combined into the two scalars of a step:
    p ← p − η · m̂/(√v̂ + ε).
    """

    def __init__(self, p: Array, g: Array) -> None:
        self.state = (np.zeros_like(p), np.zeros_like(p))
        self.blocks = _blocks(p, g, *self.state)
        # With 0-d arrays NumPy need not convert a Python number in every call.
        self.beta1, self.beta2 = np.array(BETA1, p.dtype), np.array(BETA2, p.dtype)
        self.steps = 0

    def start(self) -> None:
        for state in self.state:
            state.fill(0)
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        root = ((1 - BETA2**self.steps) / (1 - BETA2)) ** 0.5  # √v̂ = √v / root
        dtype = self.beta1.dtype
        rate = np.array(LEARNING_RATE * (1 - BETA1) / (1 - BETA1**self.steps) * root, dtype)
        epsilon = np.array(EPSILON * root, dtype)
        beta1, beta2 = self.beta1, self.beta2
        add, multiply = np.add, np.multiply
        for p, g, m, v in self.blocks:
            multiply(m, beta1, out=m)
            add(m, g, out=m)
            multiply(v, beta2, out=v)
            multiply(g, g, out=g)
            add(v, g, out=v)
            np.sqrt(v, out=g)
            add(g, epsilon, out=g)
            np.divide(m, g, out=g)
            multiply(g, rate, out=g)
            np.subtract(p, g, out=p)


class Momentum:
    """SGD with momentum over flat arrays, like `Adam`: V ← μ V − η g; p ← p + V."""

    def __init__(self, p: Array, g: Array) -> None:
        self.velocity = np.zeros_like(p)
        self.blocks = _blocks(p, g, self.velocity)
        self.momentum, self.rate = np.array(MOMENTUM, p.dtype), np.array(LEARNING_RATE, p.dtype)

    def start(self) -> None:
        self.velocity.fill(0)

    def step(self) -> None:
        for p, g, velocity in self.blocks:
            np.multiply(velocity, self.momentum, out=velocity)
            np.multiply(g, self.rate, out=g)
            np.subtract(velocity, g, out=velocity)
            np.add(p, velocity, out=p)


def _blocks(*arrays: Array) -> list[tuple[Array, ...]]:
    """Cut flat arrays of one size into blocks that fit in a second-level cache together."""
    count = -(-arrays[0].size // BLOCK)
    edges = [arrays[0].size * block // count for block in range(count + 1)]
    return [tuple(array[first:last] for array in arrays) for first, last in pairwise(edges)]


class Layer:
    """Views of one layer's parameters and gradients, and its buffers for one batch."""

    def __init__(
        self, p: Array, g: Array, inputs: int, outputs: int, batch: int, activation: str
    ) -> None:
        split = inputs * outputs
        self.weights, self.biases = p[:split].reshape(inputs, outputs), p[split:]
        self.weights_t = self.weights.T
        self.weight_gradients, self.bias_gradients = g[:split].reshape(inputs, outputs), g[split:]
        shape = (batch, outputs)
        self.a = np.empty(shape, p.dtype)
        self.a_t = self.a.T
        self.delta = np.empty(shape, p.dtype)
        self.activation = ACTIVATIONS[activation](self.a)


def _block_rows(case: Case, dtype: str) -> int:
    """Return the largest number of rows that divides the batch and fits in `BLOCK_BYTES`.

    Blocks pay only where their gradients are small, and where they are not tiny themselves, as
    those of a prime number of rows.
    """
    itemsize = np.dtype(dtype).itemsize
    most = BLOCK_BYTES // (3 * sum(case.sizes[1:]) * itemsize)
    if case.batch <= most or case.parameters * itemsize > BLOCK_BYTES // 8:
        return case.batch
    largest = max(rows for rows in range(1, most + 1) if case.batch % rows == 0)
    return largest if 4 * largest >= most else case.batch


class TunedNumpy:
    name = "NumPy"
    adjustable = blas.ADJUSTABLE
    exact = True

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        self.case = case
        self.threads = threads
        self.rng = np.random.default_rng(0)
        p, self.g = np.zeros(case.parameters, dtype), np.zeros(case.parameters, dtype)
        self.optimizer = (Adam if case.optimizer == "adam" else Momentum)(p, self.g)
        self.rows = rows = _block_rows(case, dtype)
        self.block_g = g = self.g if rows == case.batch else np.zeros_like(self.g)
        self.layers = []
        first = 0
        for inputs, outputs in case.shapes:
            last = first + (inputs + 1) * outputs
            self.layers.append(
                Layer(p[first:last], g[first:last], inputs, outputs, rows, case.hidden)
            )
            first = last
        outputs = case.sizes[-1]
        self.x = np.empty((case.batch, case.sizes[0]), dtype)
        self.y = np.empty((case.batch, outputs), dtype)
        self.outputs = np.empty((case.batch, outputs), dtype)
        self.row_ones = np.ones(rows, dtype)
        self.output_ones = np.ones((outputs, 1), dtype)
        self.row_maxima = np.empty((rows, 1), dtype)
        self.row_sums = np.empty((rows, 1), dtype)
        slope = 1 if case.classification else 2
        self.scale = np.array(slope / (case.batch if slope == 1 else case.batch * outputs), dtype)

    def start(self, parameters: Parameters) -> None:
        for layer, (weights, biases) in zip(self.layers, parameters, strict=True):
            layer.weights[:] = weights.T
            layer.biases[:] = biases
        self.optimizer.start()

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        if self.case.classification:
            y = np.eye(self.case.sizes[-1], dtype=self.x.dtype)[y]
        with blas.limit_threads(self.threads):
            return [self._epoch(X, y, shuffle) for _ in range(epochs)]

    def _epoch(self, X: Array, y: Array, shuffle: bool) -> float:
        """Do all steps of an epoch; return the mean loss."""
        batch = self.case.batch
        if len(X) == batch and not shuffle:
            return self._step(X, y) / batch
        order = self.rng.permutation(len(X)) if shuffle else np.arange(len(X))
        total = 0.0
        for first in range(0, len(X), batch):
            rows = order[first : first + batch]
            X.take(rows, 0, self.x, "clip")  # any other mode gathers into a copy first
            y.take(rows, 0, self.y, "clip")
            total += self._step(self.x, self.y)
        return total / len(X)

    def forward(self, X: Array) -> Array:
        """Return the outputs for `case.batch` rows; the next call overwrites them."""
        if self.rows == len(X):
            return self._block_outputs(X)
        for first in range(0, len(X), self.rows):
            block = slice(first, first + self.rows)
            self.outputs[block] = self._block_outputs(X[block])
        return self.outputs

    def _block_outputs(self, X: Array) -> Array:
        outputs = self._logits(X)
        if not self.case.classification:
            return outputs
        np.maximum.reduce(outputs, axis=1, keepdims=True, out=self.row_maxima)
        np.subtract(outputs, self.row_maxima, out=outputs)
        np.exp(outputs, out=outputs)
        return np.divide(outputs, outputs.dot(self.output_ones, self.row_sums), out=outputs)

    def parameters(self) -> Parameters:
        return [(layer.weights.T.copy(), layer.biases.copy()) for layer in self.layers]

    def _logits(self, x: Array) -> Array:
        *hidden, output = self.layers
        for layer in hidden:
            a = layer.a
            x.dot(layer.weights, a)
            np.add(a, layer.biases, out=a)
            layer.activation.apply()
            x = a
        x.dot(output.weights, output.a)
        return np.add(output.a, output.biases, out=output.a)

    def _step(self, x: Array, y: Array) -> float:
        """Do one step; return the loss of the batch, summed over its samples."""
        if self.rows == len(x):
            loss = self._gradients(x, y)
        else:
            loss = 0.0
            self.g.fill(0)
            for first in range(0, len(x), self.rows):
                block = slice(first, first + self.rows)
                loss += self._gradients(x[block], y[block])
                np.add(self.g, self.block_g, out=self.g)
        self.optimizer.step()
        return loss

    def _gradients(self, x: Array, y: Array) -> float:
        """Write the gradients of a block of rows; return its loss, summed over the rows."""
        layers = self.layers
        z = self._logits(x)
        delta = layers[-1].delta
        loss = (self._cross_entropy if self.case.classification else self._mse)(z, y, delta)
        np.multiply(delta, self.scale, out=delta)
        for index in range(len(layers) - 1, 0, -1):
            layer, below = layers[index], layers[index - 1]
            delta.dot(layer.weights_t, below.delta)
            below.activation.times_slope(below.delta)
            below.a_t.dot(delta, layer.weight_gradients)
            self.row_ones.dot(delta, layer.bias_gradients)
            delta = below.delta
        x.T.dot(delta, layers[0].weight_gradients)
        self.row_ones.dot(delta, layers[0].bias_gradients)
        return loss

    def _cross_entropy(self, z: Array, y: Array, delta: Array) -> float:
        """Return Σ ln Σ exp(z) − z_y, with z relative to its row's maximum; δ = softmax(z) − y."""
        np.maximum.reduce(z, axis=1, keepdims=True, out=self.row_maxima)
        np.subtract(z, self.row_maxima, out=z)
        np.exp(z, out=delta)
        delta.dot(self.output_ones, self.row_sums)
        np.divide(delta, self.row_sums, out=delta)
        np.subtract(delta, y, out=delta)
        np.log(self.row_sums, out=self.row_sums)
        return float(np.add.reduce(self.row_sums, axis=None) - np.vdot(z, y))

    def _mse(self, z: Array, y: Array, delta: Array) -> float:
        """Return Σ (z − y)² / outputs; δ = z − y, and the scale has its factor 2/outputs."""
        np.subtract(z, y, out=delta)
        return float(np.vdot(delta, delta) / z.shape[1])
