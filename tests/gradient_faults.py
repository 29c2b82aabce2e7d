"""Networks with wrong gradients, to test the gradient checker.

A fault is a function of `Gradients` that returns the result of a wrong backward pass.
"""

import dataclasses

import numpy as np
from networks import fitting, targets_for, units_for

from cygrad import Dense, Network
from cygrad.network.losses import LOSSES


def problem(loss, n=5, outputs=3, seed=0):
    """Samples of 4 columns and targets for a loss."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, targets_for(loss, rng, n, units_for(loss, outputs))


def make(loss="cross_entropy", hidden="tanh", output=None, depth=1, **options):
    layers = [Dense(4, hidden) for _ in range(depth)]
    layers.append(Dense(units_for(loss, 3), output or fitting(loss)))
    return Network(4, layers, **{"loss": loss, "rng": 1, "dtype": "float64", **options})


def badly_scaled(seed):
    """Make a random network with weights four times too large, and samples up to ten times.

    In float32 it amplifies rounding, and is curved within a step.
    """
    rng = np.random.default_rng(seed)
    hidden = ["sigmoid", "tanh", "relu", "gaussian", "identity"]
    inputs, outputs, n = (int(rng.integers(2, most)) for most in (20, 6, 30))
    layers = [
        Dense(int(rng.integers(1, 24)), str(rng.choice(hidden)), use_bias=bool(rng.integers(2)))
        for _ in range(rng.integers(1, 4))
    ]
    loss = str(rng.choice(list(LOSSES)))
    outputs = units_for(loss, outputs)
    layers.append(Dense(outputs, fitting(loss, "tanh")))
    reduction = str(rng.choice(["mean", "sum"]))
    net = Network(inputs, layers, loss=loss, reduction=reduction, rng=seed)
    net.parameters = 4 * net.parameters
    X = rng.normal(size=(n, inputs)) * rng.choice([0.1, 1, 10]) + 5 * rng.integers(2)
    if rng.integers(2):
        net.standardize_inputs(X)
    return net, X, targets_for(loss, rng, n, outputs)


def replaced(g, name, layer, array):
    """Return the gradients with one array replaced."""
    arrays = getattr(g, name)
    if layer is None:
        return dataclasses.replace(g, **{name: array})
    return dataclasses.replace(g, **{name: (*arrays[:layer], array, *arrays[layer + 1 :])})


def scaled(name, layer, index, factor):
    """Fault: one entry of an array, or all with ..., has a wrong factor."""

    def fault(g):
        arrays = getattr(g, name)
        if arrays is None:
            return g
        array = (arrays if layer is None else arrays[layer]).copy()
        array[index] *= factor
        return replaced(g, name, layer, array)

    return fault


def without_a_sample(layer):
    """Fault: the sum over the samples in a bias' gradient lacks its first term."""

    def fault(g):
        return replaced(g, "biases", layer, g.biases[layer] - g.deltas[layer][0])

    return fault


def swapped(g):
    """Fault: the gradients of the weights of two layers of one shape are exchanged."""
    first, second, *others = g.weights
    return dataclasses.replace(g, weights=(second, first, *others))


def transposed(g):
    """Fault: the gradient of a square matrix of weights is transposed."""
    return replaced(g, "weights", 1, np.ascontiguousarray(g.weights[1].T))


# Each fault with the arrays that it makes wrong, in a network `make(depth=2)`.
FAULTS = {
    "1 % in an entry": (scaled("weights", 0, (2, 1), 1.01), ["layers[0].weights"]),
    "1 % in an array": (scaled("weights", 2, ..., 1.01), ["layers[2].weights"]),
    "no entry": (scaled("biases", 1, 3, 0.0), ["layers[1].biases"]),
    "sign of an entry": (scaled("weights", 1, (0, 3), -1.0), ["layers[1].weights"]),
    "sign of an array": (scaled("biases", 2, ..., -1.0), ["layers[2].biases"]),
    "NaN": (scaled("weights", 1, (3, 3), np.nan), ["layers[1].weights"]),
    "a missing term": (without_a_sample(0), ["layers[0].biases"]),
    "swapped arrays": (swapped, ["layers[0].weights", "layers[1].weights"]),
    "a transposed array": (transposed, ["layers[1].weights"]),
}
