"""Networks: layers, activations, losses, initialisers, gradients, standardised inputs, files.

Training is in `cygrad.training`; the computations are in `cygrad._engine`, and in plain Python in
`cygrad.reference`. `storage` reads and writes a configuration and arrays, and does not import
`Network`.
"""

from cygrad.network.activations import ACTIVATIONS, Activation, ChosenActivation
from cygrad.network.gradients import Gradients
from cygrad.network.layers import Dense, Layer
from cygrad.network.losses import LOSSES, Loss
from cygrad.network.network import Network, load
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.residual import Residual
from cygrad.network.scaling import Scaling

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "BatchNorm",
    "ChosenActivation",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "Gradients",
    "Layer",
    "LayerNorm",
    "Loss",
    "Network",
    "Residual",
    "Scaling",
    "load",
]
