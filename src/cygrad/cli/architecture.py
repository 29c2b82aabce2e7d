"""Options of ``cygrad train`` on the network, and the network that they stand for."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cygrad.checks import DTYPES
from cygrad.cli import values
from cygrad.network import Network
from cygrad.network.activations import ACTIVATIONS, default_weights
from cygrad.network.layers import Dense
from cygrad.network.loss_functions import pinball
from cygrad.network.losses import LOSSES, Loss, row_of
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.residual import Residual
from cygrad.network.scaling import Scaling

if TYPE_CHECKING:
    from cygrad.cli.dataset import Dataset
    from cygrad.network.activations import ChosenActivation
    from cygrad.network.layers import Description


def _default_first(default: str, is_suitable: Callable[[Loss], bool]) -> tuple[str, ...]:
    """Return the names of all suitable losses."""
    others = (name for name, loss in LOSSES.items() if is_suitable(loss) and name != default)
    return default, *others


# The losses of each task, the default first.
CLASSIFICATION_LOSSES = _default_first("cross_entropy", lambda loss: loss.labels)
REGRESSION_LOSSES = _default_first(
    "mse", lambda loss: loss.outputs in ("numbers", "rates", "moments")
)
NORMS = {"batch": BatchNorm, "layer": LayerNorm}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the groups of these options to the parser of ``cygrad train``."""
    network = parser.add_argument_group("network")
    network.add_argument(
        "--hidden",
        metavar="UNITS",
        type=values.hidden,
        default=(64,),
        help="units of the hidden layers, as in 64,32, or none (default: 64)",
    )
    names = ", ".join(name for name, row in ACTIVATIONS.items() if not row.output_only)
    network.add_argument(
        "--activation",
        metavar="NAME",
        type=values.activation,
        default="relu",
        help=f"activation of the hidden layers: {names}; with a parameter as in 'leaky_relu(0.2)' "
        "(default: relu)",
    )
    network.add_argument(
        "--norm",
        choices=tuple(NORMS),
        help="normalise each hidden layer before its activation, over the batch or over the layer",
    )
    network.add_argument(
        "--residual",
        action="store_true",
        help="add the inputs of each hidden layer to its outputs, where it has as many of both",
    )
    network.add_argument(
        "--loss",
        metavar="NAME",
        type=values.loss(("auto", *CLASSIFICATION_LOSSES, *REGRESSION_LOSSES)),
        default="auto",
        help=f"for classes {', '.join(CLASSIFICATION_LOSSES)}; for quantities "
        f"{', '.join(REGRESSION_LOSSES)}; with parameters as in 'focal(1)', 'huber(0.5)' (in "
        "standard deviations of the target) or 'pinball(0.1,0.5,0.9)' (default: cross_entropy for "
        "classes, mse for quantities)",
    )
    network.add_argument(
        "--parametrization",
        choices=("standard", "ntk"),
        default="standard",
        help="ntk: the neural tangent parametrisation, for adam; weights are drawn from N(0, 1 / "
        "inputs), biases from N(0, 1), those of the last layer are 0; the learning rate of weights "
        "is divided by the root of the layer's inputs, that of biases by 10 (default: standard)",
    )
    network.add_argument(
        "--scaling-rate",
        metavar="X",
        type=values.number(),
        help="begin with a layer that multiplies each input by a factor of its own, learned at X "
        "times the learning rate (default: no such layer)",
    )
    network.add_argument("--dtype", choices=DTYPES, default="float32", help="default: float32")
    noise = parser.add_argument_group("noise in training, against overfitting")
    share = values.number(below=1.0)
    noise.add_argument(
        "--dropout",
        metavar="RATE",
        type=share,
        default=0.0,
        help="share of the outputs of each hidden layer to drop in each step (default: 0)",
    )
    noise.add_argument(
        "--input-dropout", metavar="RATE", type=share, default=0.0, help="the same of the inputs"
    )
    noise.add_argument(
        "--noise",
        metavar="X",
        type=values.number(),
        default=0.0,
        help="standard deviation of normal noise on the inputs, which are standardised (default: "
        "0)",
    )


def check(parser: argparse.ArgumentParser, arguments: Namespace) -> None:
    """End with an error if these options contradict each other."""
    if not arguments.hidden:
        for option in ("norm", "residual", "dropout"):
            if getattr(arguments, option):
                parser.error(f"argument --{option}: only with hidden layers, and --hidden is none")


def network(arguments: Namespace, dataset: Dataset) -> Network:
    """Return the network for a data set, not trained yet.

    Raises
    ------
    ValueError
        If the loss is not for the task, or no layer can have a residual sum.
    """
    if dataset.classes is None:
        allowed = REGRESSION_LOSSES
        outputs = 1 if dataset.y.ndim == 1 else dataset.y.shape[1]
    else:
        allowed = CLASSIFICATION_LOSSES
        outputs = len(dataset.classes)
    loss = allowed[0] if arguments.loss == "auto" else arguments.loss
    name = loss if isinstance(loss, str) else loss.name
    if name not in allowed:
        task = "regression" if dataset.classes is None else "classification"
        raise ValueError(f"--loss is {loss}, expected {' or '.join(allowed)} for {task}")
    row = row_of(loss)
    if row.outputs == "moments":
        outputs *= 2  # means, then logarithms of variances
    elif isinstance(loss, pinball) and loss.repeats_targets and outputs == 1:
        outputs = len(loss.parameters)
    inputs = dataset.X.shape[1]
    layers = _hidden(arguments, inputs)
    width = arguments.hidden[-1] if arguments.hidden else inputs
    layers.append(_dense(arguments, outputs, row.activation or "identity", width, is_last=True))
    net = Network(inputs, layers, loss=loss, dtype=arguments.dtype, rng=arguments.seed)
    net.classes = dataset.classes
    return net


def _hidden(arguments: Namespace, inputs: int) -> list[Description]:
    """Return the layers before the output layer."""
    layers: list[Description] = []
    if arguments.noise:
        layers.append(GaussianNoise(arguments.noise))
    if arguments.input_dropout:
        layers.append(Dropout(arguments.input_dropout))
    if arguments.scaling_rate is not None:
        layers.append(Scaling(learning_rate_factor=arguments.scaling_rate))
    for units in arguments.hidden:
        block = _block(arguments, units, inputs, first=not layers)
        if arguments.residual and units == inputs:
            layers.append(Residual(block))
        else:
            layers += block
        inputs = units
    if arguments.residual and not any(isinstance(layer, Residual) for layer in layers):
        raise ValueError("--residual: no hidden layer has as many inputs as units, see --hidden")
    return layers


def _block(arguments: Namespace, units: int, inputs: int, first: bool) -> list[Description]:
    """Return a hidden layer with its norm and its dropout."""
    activation = arguments.activation
    block: list[Description]
    if arguments.norm is None:
        block = [_dense(arguments, units, activation, inputs)]
    else:
        # A batch norm subtracts any bias again. The weights begin as they would without a norm.
        use_bias = arguments.norm != "batch"
        weights = default_weights(activation, first)
        dense = _dense(arguments, units, "identity", inputs, use_bias=use_bias, weights=weights)
        block = [dense, NORMS[arguments.norm](activation)]
    if arguments.dropout:
        block.append(Dropout(arguments.dropout))
    return block


def _dense(
    arguments: Namespace,
    units: int,
    activation: str | ChosenActivation,
    inputs: int,
    *,
    use_bias: bool = True,
    weights: Any = None,
    is_last: bool = False,
) -> Dense:
    """Return a dense layer in the parametrisation of the options."""
    if arguments.parametrization == "ntk":
        from cygrad.presets import ntk_dense

        return ntk_dense(units, activation, inputs=inputs, zero=is_last, use_bias=use_bias)
    return Dense(units, activation, use_bias=use_bias, weights_init=weights)
