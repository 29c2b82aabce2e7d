"""Two small systems from the tutorials that the package grew out of, with the numbers to reproduce.

The data come from NumPy's legacy generator with seed 1, drawn in the order of the tutorials: the
generator's stream is frozen, and so are the numbers. Weights are (out, in), samples are rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# One Gaussian hidden unit: h = exp(−(w_h x)²), y = σ(w_o h − 1), binary cross-entropy, summed.
RBF_HIDDEN_WEIGHT = 2.0
RBF_OUTPUT_WEIGHT = -5.0
RBF_OUTPUT_BIAS = -1.0  # frozen
RBF_STEPS = 50  # over all samples
RBF_FIRST_LOSS = 79.7971657191
RBF_LAST_LOSS = 9.5460670851
RBF_LAST_HIDDEN_WEIGHT = 1.0738456047
RBF_LAST_OUTPUT_WEIGHT = 5.0532239527

# 2-3-2 with sigmoid and softmax, cross-entropy, summed; momentum.
CIRCLES_MOMENTUM = 0.9
CIRCLES_LEARNING_RATE = 0.02
CIRCLES_STEPS = 300  # over all samples
CIRCLES_FIRST_LOSS = 108.3247069691
CIRCLES_LAST_LOSS = 0.2732949271


class CirclesStart(NamedTuple):
    """The parameters that the network of the circles starts from."""

    hidden_weights: Array  # (3, 2)
    hidden_biases: Array  # (3,)
    output_weights: Array  # (2, 3)
    output_biases: Array  # (2,)


def rbf_data() -> tuple[Array, Array]:
    """X and y, (40, 1): 20 samples around 0 with target 1, then 10 each around −2 and 2 with 0."""
    generator = np.random.RandomState(1)
    blue = generator.normal(0, 0.5, (20, 1))
    red = [generator.normal(center, 0.5, (10, 1)) for center in (-2, 2)]
    X = np.concatenate([blue, *red])
    y = np.concatenate([np.ones((20, 1)), np.zeros((20, 1))])
    return X, y


def rbf_learning_rate(step: int) -> float:
    """0.2, lowered by 0.2/50 before each step; steps are counted from 0."""
    return 0.2 - 0.2 / 50 * (step + 1)


def circles_data() -> tuple[Array, NDArray[np.int64]]:
    """X, (100, 2), and class indices, (100,): a noisy circle of radius 1 (0), one of 0.3 (1)."""
    X, labels, _ = _circles()
    return X, labels


def circles_start() -> CirclesStart:
    """The parameters drawn from the generator after the data."""
    return _circles()[2]


def _circles() -> tuple[Array, NDArray[np.int64], CirclesStart]:
    generator = np.random.RandomState(1)
    angles = 2 * np.pi * np.arange(50) / 50
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    X = np.concatenate([circle, 0.3 * circle]) + generator.normal(0, 0.1, (100, 2))
    labels = np.repeat(np.array([0, 1], dtype=np.int64), 50)
    # Biases come first, and the weights are drawn (in, out).
    hidden_biases = generator.normal(size=3)
    hidden_weights = generator.normal(size=(2, 3)).T
    output_biases = generator.normal(size=2)
    output_weights = generator.normal(size=(3, 2)).T
    return X, labels, CirclesStart(hidden_weights, hidden_biases, output_weights, output_biases)
