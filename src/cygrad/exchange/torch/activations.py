"""The activations that PyTorch has modules without arguments for."""

from __future__ import annotations

#: Their names here, by those of the modules.
PLAIN = {
    "ReLU": "relu",
    "SELU": "selu",
    "SiLU": "silu",
    "Mish": "mish",
    "Softsign": "softsign",
    "Hardsigmoid": "hard_sigmoid",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
