"""Networks with layers that are not dense, for the tests of these layers."""

from typing import Any

import numpy as np

import cygrad as cg

INPUTS = 5

# Panels have 32 columns in float32 and 16 in float64: 33 units are more than one panel of either.
LAYERS: dict[str, list[Any]] = {
    "batch norm": [cg.Dense(37, "tanh"), cg.BatchNorm("relu"), cg.Dense(3, "softmax")],
    "batch norm of inputs": [cg.BatchNorm(), cg.Dense(9, "relu"), cg.Dense(3, "softmax")],
    "layer norm": [
        cg.Dense(37, "relu"),
        cg.LayerNorm("tanh"),
        cg.Dense(7, use_bias=False),
        cg.LayerNorm(eps=1e-3),
        cg.Dense(3, "softmax"),
    ],
    "dropout": [
        cg.Dropout(0.2),
        cg.Dense(37, "relu"),
        cg.Dropout(0.5),
        cg.Dense(3, "softmax"),
    ],
    "noise": [
        cg.GaussianNoise(0.2),
        cg.Dense(37, "relu"),
        cg.GaussianNoise(0.1),
        cg.Dense(3, "softmax"),
    ],
    "residual of inputs": [cg.Residual([cg.Dense(8, "relu"), cg.Dense(5)]), cg.Dense(3, "softmax")],
    "residual": [
        cg.Dense(33, "relu"),
        cg.Residual([cg.Dense(12, "tanh"), cg.Residual([cg.Dense(12)]), cg.Dense(33)], "relu"),
        cg.Dense(3, "softmax"),
    ],
    "frozen norms": [
        cg.Dense(17, "relu", trainable=False),
        cg.BatchNorm(trainable=False),
        cg.Dense(9),
        cg.LayerNorm("tanh", trainable="biases"),
        cg.BatchNorm(trainable="weights"),
        cg.Dense(3, "softmax"),
    ],
    "scaling of inputs": [
        cg.Scaling(learning_rate_factor=6.0),
        cg.Dense(37, "tanh"),
        cg.Dense(3, "softmax"),
    ],
    "scaling": [
        cg.Dense(33, "relu"),
        cg.Scaling("tanh", learning_rate_factor=0.5),
        cg.Residual([cg.Scaling(), cg.Dense(33, "relu"), cg.Scaling(trainable=False)], "relu"),
        cg.Scaling(),
        cg.Dense(3, "softmax"),
    ],
    "scaling beside others": [
        cg.Residual([cg.Scaling()]),
        cg.Dropout(0.1),
        cg.Scaling("sigmoid"),
        cg.GaussianNoise(0.1),
        cg.Dense(9, use_bias=False),
        cg.BatchNorm(learning_rate_factor=(2.0, 0.5)),
        cg.Scaling("relu"),
        cg.LayerNorm(learning_rate_factor=3.0),
        cg.Dense(3, "softmax"),
    ],
    "all": [
        cg.Dropout(0.1),
        cg.Dense(33, "relu"),
        cg.BatchNorm("tanh", momentum=0.3),
        cg.Dropout(0.1),
        cg.Residual([cg.Dense(33), cg.LayerNorm("relu"), cg.Dropout(0.2), cg.Dense(33)]),
        cg.GaussianNoise(0.1),
        cg.Residual([cg.BatchNorm(), cg.Dense(33)], "tanh"),
        cg.Dense(3, "softmax"),
    ],
}


def network(name: str, dtype: str = "float64") -> cg.Network:
    """Return a network whose norms have scales that are not 1."""
    net = cg.Network(INPUTS, LAYERS[name], loss="cross_entropy", dtype=dtype, rng=1)
    net.parameters = net.parameters + np.linspace(-0.3, 0.3, net.n_parameters)
    return net


def samples(rows: int = 67, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, INPUTS)), rng.integers(0, 3, rows)
