"""JAX: a whole epoch is one compiled ``lax.scan`` over the batches, in donated buffers.

The order of the samples comes from NumPy, whose permutation is faster; a single batch that is not
shuffled is not gathered. Gathering all rows before
the scan, unrolling the scan, and XLA's flags for other matrix products and for the width of vectors
gained nothing or made it slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import log
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters

Tree = Any  # [(weights (in, out), biases (out,)) per layer]
State = tuple[Tree, tuple[Tree, ...], Any]  # parameters, the optimiser's state, the steps done


class JaxScan:
    name = "JAX"
    adjustable = False  # the number is fixed when XLA starts
    exact = True

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        jax.config.update("jax_enable_x64", dtype == "float64")
        self.case = case
        self.threads = threads
        self.rng = np.random.default_rng(0)
        self.epoch = jax.jit(partial(_epoch, case), donate_argnums=0)
        self.outputs = jax.jit(partial(_probabilities if case.classification else _outputs, case))

    def start(self, parameters: Parameters) -> None:
        trained = [(jnp.array(weights.T), jnp.array(biases)) for weights, biases in parameters]
        states = 2 if self.case.optimizer == "adam" else 1
        zeros = tuple(jax.tree.map(jnp.zeros_like, trained) for _ in range(states))
        self.state: State = trained, zeros, jnp.zeros((), trained[0][1].dtype)

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        inputs = jnp.asarray(X)
        targets = jnp.asarray(y.astype(np.int32) if self.case.classification else y)
        losses = []
        for _ in range(epochs):
            batches = None
            if shuffle or len(X) > self.case.batch:
                order = self.rng.permutation(len(X)) if shuffle else np.arange(len(X))
                batches = order.astype(np.int32).reshape(-1, self.case.batch)
            self.state, loss = self.epoch(self.state, inputs, targets, batches)
            losses.append(loss)
        return [float(loss) for loss in losses]

    def forward(self, X: Array) -> Array:
        return np.asarray(self.outputs(self.state[0], X))

    def parameters(self) -> Parameters:
        return [(np.array(weights).T, np.array(biases)) for weights, biases in self.state[0]]


def _epoch(case: Case, state: State, X: jax.Array, y: jax.Array, batches: jax.Array | None) -> Any:
    """Do all steps of an epoch; `batches` holds the row numbers, (steps, batch).

    Without `batches` there is one step, on all rows.
    """

    def step(state: State, rows: jax.Array | None) -> tuple[State, jax.Array]:
        trained, states, count = state
        batch = (X, y) if rows is None else (X[rows], y[rows])
        loss, gradients = jax.value_and_grad(_loss)(trained, case, *batch)
        count = count + 1
        update = _adam if case.optimizer == "adam" else _momentum
        return (*update(trained, gradients, states, count), count), loss

    if batches is None:
        return step(state, None)
    state, losses = lax.scan(step, state, batches)
    return state, losses.mean()


def _outputs(case: Case, trained: Tree, x: jax.Array) -> jax.Array:
    *hidden, (weights, biases) = trained
    activate = getattr(jax.nn, case.hidden)
    for w, b in hidden:
        x = activate(x @ w + b)
    return x @ weights + biases


def _probabilities(case: Case, trained: Tree, x: jax.Array) -> jax.Array:
    return jax.nn.softmax(_outputs(case, trained, x))


def _loss(trained: Tree, case: Case, x: jax.Array, y: jax.Array) -> jax.Array:
    z = _outputs(case, trained, x)
    if case.classification:
        chosen = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(z, axis=1) - chosen).mean()
    return ((z - y) ** 2).mean()


def _adam(trained: Tree, gradients: Tree, states: tuple[Tree, ...], count: jax.Array) -> Any:
    m, v = states
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
    # 1 − βᵗ without the cancellation of the difference in float32
    rate = LEARNING_RATE / -jnp.expm1(count * log(BETA1))
    root = lax.rsqrt(-jnp.expm1(count * log(BETA2)))
    trained = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + EPSILON), trained, m, v
    )
    return trained, (m, v)


def _momentum(trained: Tree, gradients: Tree, states: tuple[Tree, ...], count: jax.Array) -> Any:
    velocity = jax.tree.map(
        lambda velocity, g: MOMENTUM * velocity - LEARNING_RATE * g, *states, gradients
    )
    return jax.tree.map(jnp.add, trained, velocity), (velocity,)
