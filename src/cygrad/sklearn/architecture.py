"""From the parameters of an estimator to a network, with the initial weights of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network import Dense, Dropout, Network
from cygrad.network.activations import ChosenActivation, name_of
from cygrad.network.initializers import resolve
from cygrad.sklearn.parameters import HIDDEN_ACTIVATIONS, SCIKIT_LEARN_ACTIVATIONS

if TYPE_CHECKING:
    from numpy.random import RandomState
    from numpy.typing import NDArray

    from cygrad.network.layers import Description, Layer
    from cygrad.sklearn.objective import Objective

#: The activations for which scikit-learn has initial weights.
DRAWN_AS_SCIKIT_LEARN = ("identity", "sigmoid", "tanh", "relu")


def hidden_sizes(sizes: Any) -> list[int]:
    """Return `hidden_layer_sizes` as a list."""
    found = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(size <= 0 for size in found):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {found}.")
    for index, size in enumerate(found):
        if not isinstance(size, (int, np.integer)):
            raise TypeError(f"hidden_layer_sizes[{index}] is {size!r}, expected a whole number")
    return [int(size) for size in found]


def hidden_activations(activation: Any, layers: int) -> list[str | ChosenActivation]:
    """Return the activation of each hidden layer."""
    several = isinstance(activation, (list, tuple))
    found = list(activation) if several else [activation] * layers
    if len(found) != layers:
        raise ValueError(
            f"activation has {len(found)} items, expected one for each of {layers} hidden layers"
        )
    for index, item in enumerate(found):
        if not isinstance(item, ChosenActivation) and item not in HIDDEN_ACTIVATIONS:
            names = ", ".join(sorted(HIDDEN_ACTIVATIONS))
            raise ValueError(f"activation[{index}] is {item!r}, expected one of {names}")
    return [SCIKIT_LEARN_ACTIVATIONS.get(a, a) if isinstance(a, str) else a for a in found]


def dropout_rates(dropout: Any, layers: int) -> list[float]:
    """Return the rate of dropout behind each hidden layer."""
    several = isinstance(dropout, (list, tuple))
    found = list(dropout) if several else [dropout] * layers
    if len(found) != layers:
        raise ValueError(
            f"dropout has {len(found)} items, expected one for each of {layers} hidden layers"
        )
    return found


def new_network(
    inputs: int,
    sizes: Sequence[int],
    activations: Sequence[str | ChosenActivation],
    rates: Sequence[float],
    objective: Objective,
    dtype: str,
) -> Network:
    """Return a network whose parameters are all 0."""
    layers: list[Description] = []
    for units, activation, rate in zip(sizes, activations, rates, strict=True):
        layers.append(Dense(units, activation, weights_init="zeros"))
        if rate:
            layers.append(Dropout(rate))
    layers.append(Dense(objective.units, objective.activation, weights_init="zeros"))
    # An integer, although nothing is drawn: None would ask the operating system for one.
    return Network(inputs, layers, loss=objective.loss, dtype=dtype, rng=0)


def dense_layers(net: Network) -> list[Layer]:
    """Return the layers that have weights and biases, first to last."""
    return [layer for layer in net.layers if layer.kind == "dense"]


def draw_parameters(
    net: Network, activations: Sequence[str | ChosenActivation], random: RandomState
) -> None:
    """Draw the initial parameters as scikit-learn does: uniform, with the bound of Glorot.

    The bound is √(6 / (in + out)), and √(2 / (in + out)) for logistic layers, for weights and
    biases. Other activations than scikit-learn's have the weights that `Dense` gives them.

    Parameters
    ----------
    activations : sequence of str or ChosenActivation
        One for each dense layer; that of the output layer decides on its bound only.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    layers = dense_layers(net)
    drawn: list[NDArray[np.float64]] = []
    for index, (layer, activation) in enumerate(zip(layers, activations, strict=True)):
        shape = layer.units, layer.inputs
        name = name_of(activation)
        if index < len(layers) - 1 and name not in DRAWN_AS_SCIKIT_LEARN:
            chosen = Dense(layer.units, activation).initial_weights(index == 0)
            stream = np.random.default_rng(random.randint(1 << 31))
            drawn += [resolve(chosen, "weights_init")(stream, shape).ravel(), np.zeros(shape[0])]
            continue
        bound = ((2.0 if name == "sigmoid" else 6.0) / sum(shape)) ** 0.5
        drawn.append(random.uniform(-bound, bound, shape[::-1]).T.ravel())
        drawn.append(random.uniform(-bound, bound, layer.units))
    net.parameters = np.concatenate(drawn).astype(net.dtype)


def same_sizes(one: Iterable[Layer], other: Iterable[Layer]) -> bool:
    """Return whether two lists of layers have weights of the same shapes."""
    return [(a.inputs, a.units) for a in one] == [(b.inputs, b.units) for b in other]


def check_describable(net: Network) -> None:
    """Raise a ValueError if the parameters of an estimator cannot describe the layers."""
    for index, layer in enumerate(net.layers):
        if layer.kind not in ("dense", "dropout"):
            raise ValueError(
                f"layer {index} of the network is {layer.kind}, which the parameters of the "
                "estimator do not describe; expected warm_start=True, or partial_fit, which go on "
                "with the network itself"
            )


def dropout_of(net: Network) -> float | list[float]:
    """Return the rates of dropout behind the hidden layers."""
    rates: list[float] = []
    for layer in net.layers[:-1]:
        if layer.kind == "dense":
            rates.append(0.0)
        elif isinstance(layer.description, Dropout) and rates:
            rates[-1] = layer.description.rate
    return rates if any(rates) else 0.0
