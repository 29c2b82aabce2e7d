"""Backpropagation in pure Python: lists, ``math``, and nothing else.

These modules compute the same as the compiled engine, one sample and one number at a time, to be
read and to test the engine against. They are never made faster if that makes them harder to read.
Classes and methods have the names of the package.

Start with `cygrad.reference.backpropagation`, which holds the equations in the order in which they
are computed. Around it: the activations and losses with their derivatives, the layers, the network
over a batch, the optimisers, the training loop, and the numerical gradients that the exact ones are
checked against. Initialisers, files and data are not here: all parameters of a network start at 0,
until other values are assigned.

>>> from cygrad import reference
>>> neuron = reference.Network(2, [reference.Dense(1, "relu")], loss="quadratic")
>>> neuron.layers[0].weights = [[2.0, -3.0]]
>>> neuron.layers[0].biases = [-3.0]
>>> neuron.forward([[-1.0, -2.0]])
[[1.0]]
>>> neuron.backward([[-1.0, -2.0]], [[0.5]]).weights
[[[-0.5, -1.0]]]
"""

from . import activations, optimizers
from .activations import ACTIVATIONS, Activation
from .layers import Dense, Layer, Residual
from .losses import LOSSES, Loss
from .network import Gradients, Network
from .noise import Dropout, GaussianNoise
from .normalization import BatchNorm, LayerNorm
from .numerical import NumericalGradients, numerical_gradients
from .optimizers import *  # noqa: F403
from .passes import Mode
from .scaling import Scaling
from .statistics import LayerStatistics, layer_statistics
from .training import DivergenceError, History, Trainer

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "BatchNorm",
    "Dense",
    "DivergenceError",
    "Dropout",
    "GaussianNoise",
    "Gradients",
    "History",
    "Layer",
    "LayerNorm",
    "LayerStatistics",
    "Loss",
    "Mode",
    "Network",
    "NumericalGradients",
    "Residual",
    "Scaling",
    "Trainer",
    "activations",
    "layer_statistics",
    "numerical_gradients",
]
__all__ += optimizers.__all__
