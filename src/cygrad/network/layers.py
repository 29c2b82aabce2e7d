"""Layers: `Dense`, a description of a layer, and `Layer`, a layer of a network.

A description holds no parameters, and many networks can use the same one. The engine of a network
holds the parameters; a `Layer` reads and writes them there. Other descriptions are in
`normalization`, `scaling`, `noise` and `residual`; their attribute `kind` is the kind of layer in
the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from cygrad import checks
from cygrad.network.activations import (
    NAMES,
    ChosenActivation,
    checked,
    default_weights,
    name_of,
    parameter_of,
    row_of,
)
from cygrad.network.initializers import (
    Constant,
    Given,
    Siren,
    VarianceScaling,
    draws,
    resolve,
    zeros,
)
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.residual import Residual, ResidualSum
from cygrad.network.scaling import Scaling
from cygrad.records import dataclass
from cygrad.seeding import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.engine import Engine
    from cygrad.network.initializers import Initializer
    from cygrad.seeding import Seeds

    Trainable = bool | Literal["weights", "biases"]
    Flat: TypeAlias = (
        "Dense | BatchNorm | LayerNorm | Scaling | Dropout | GaussianNoise | ResidualSum"
    )
    Description: TypeAlias = "Flat | Residual"


_ones = Constant(1.0)
_NO_FACTOR = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """A dense layer: z = W a + b, then the activation σ(z); a is the output of the layer below.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : {<activations>} or ChosenActivation
        `cygrad.network.ACTIVATIONS` has the formulas. `cygrad.activations` has a function for each
        name, for those with a parameter: ``cg.activations.leaky_relu(0.2)``. softmax is for the
        last layer only.
    use_bias : bool
        False leaves b out: z = W a.
    trainable : bool or {"weights", "biases"}
        Train all parameters of the layer, none, or only these.
    learning_rate_factor : float or (float, float)
        Multiplies the optimiser's learning rate for the layer, or for its weights and for its
        biases; 0 or more. Decay and l1, which go by the learning rate, change with it.
    weights_init : str, float, array (units, inputs), function of (rng, shape) or None
        Initial weights, see `cygrad.initializers`. None takes the default that
        `cygrad.network.ACTIVATIONS` has for the activation: He for relu, Glorot for most others.
    bias_init : str, float, array (units,) or function of (rng, shape)
        Initial biases.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or contradicts another.
    """

    units: int
    activation: str | ChosenActivation = "identity"
    _: KW_ONLY
    use_bias: bool = True
    trainable: Trainable = True
    learning_rate_factor: float | tuple[float, float] = _NO_FACTOR
    weights_init: str | ArrayLike | Initializer | None = None
    bias_init: str | ArrayLike | Initializer = "zeros"

    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # because the class is frozen
        set_field(self, "units", checks.whole_number(self.units, "units"))
        set_field(self, "activation", checked(self.activation))
        set_field(self, "use_bias", checks.flag(self.use_bias, "use_bias"))
        set_field(self, "trainable", checks.trainable(self.trainable))
        if self.trainable == "biases" and not self.use_bias:
            raise ValueError("trainable is 'biases' with use_bias=False, expected False")
        factor = checks.rate_factor(self.learning_rate_factor)
        # `repr` compares with the default by identity, since fields can be arrays.
        set_field(self, "learning_rate_factor", _NO_FACTOR if factor == 1 else factor)

        weights = resolve(self.initial_weights(), "weights_init")
        biases = resolve(self.bias_init, "bias_init")
        if isinstance(biases, (VarianceScaling, Siren)):
            raise ValueError(
                f"bias_init is {self.bias_init!r}, which is for weights; "
                "expected 'zeros', a number, normal(std), an array or a function of (rng, shape)"
            )
        if not self.use_bias and biases != Constant(0.0):
            raise ValueError(
                f"bias_init is {self.bias_init!r} with use_bias=False, expected 'zeros'"
            )
        # Keep the copy of an array: the caller may change the original later.
        if isinstance(weights, Given):
            set_field(self, "weights_init", weights)
        if isinstance(biases, Given):
            set_field(self, "bias_init", biases)

    def initial_weights(self, first: bool = False) -> str | ArrayLike | Initializer:
        """Return `weights_init`, or the activation's default; `first`: for the first layer."""
        if self.weights_init is None:
            return default_weights(self.activation, first)
        return self.weights_init

    def __repr__(self) -> str:
        text = f"Dense({self.units}, {self.activation!r}"
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            if value is not field.default:
                text += f", {field.name}={value!r}"
        return text + ")"


if Dense.__doc__ is not None:  # python -OO leaves docstrings out
    Dense.__doc__ = Dense.__doc__.replace("<activations>", NAMES)


class Layer:
    """One layer of a network. `Network` makes them; they are in `Network.layers`.

    Reading its parameters gives read-only copies; assignment changes them: ``layer.weights = W``.
    Assigned arrays may have any real dtype and are rounded to the network's; their shape must fit
    and their values must be finite. Dropout, noise and residual sums have no parameters.
    """

    __slots__ = ("_description", "_engine", "_index", "_inputs")

    def __init__(self, description: Flat, inputs: int, index: int, engine: Engine) -> None:
        self._description = description
        self._inputs = inputs
        self._index = index
        self._engine = engine
        if self.trainable is not True:
            engine.set_trained(index, self.train_weights, self.train_biases)
        if self.learning_rate_factor != 1:
            engine.set_rate_factors(index, *self.rate_factors)

    @property
    def description(self) -> Flat:
        """The description that the layer was made from."""
        return self._description

    @property
    def kind(self) -> str:
        """Kind of the layer.

        "dense", "batch_norm", "layer_norm", "scaling", "dropout", "noise" or "residual_sum".
        """
        return self._description.kind

    @property
    def inputs(self) -> int:
        """Number of inputs: the units of the layer below, or the inputs of the network."""
        return self._inputs

    @property
    def units(self) -> int:
        """Number of outputs."""
        return units_of(self._description, self._inputs)

    @property
    def activation(self) -> str | ChosenActivation:
        """Name of the activation; a `ChosenActivation` if its parameter is not the default."""
        return self._description.activation

    @property
    def activation_name(self) -> str:
        """Name of the activation."""
        return name_of(self._description.activation)

    @property
    def activation_parameter(self) -> float:
        """Parameter of the activation; 0 if it has none."""
        return parameter_of(self._description.activation)

    @property
    def use_bias(self) -> bool:
        """True if the layer has biases."""
        return self._description.use_bias

    @property
    def has_weights(self) -> bool:
        """True if the layer has parameters: a dense layer, a norm, or scaling."""
        return isinstance(self._description, (Dense, BatchNorm, LayerNorm, Scaling))

    @property
    def trainable(self) -> Trainable:
        """The parameters to train: True, False, "weights" or "biases". Can be assigned."""
        return self._description.trainable

    @trainable.setter
    def trainable(self, trainable: Trainable) -> None:
        if not self.has_weights:
            raise self._without_parameters("trainable")
        description: Any = self._description
        self._description = replace(description, trainable=trainable)
        self._engine.set_trained(self._index, self.train_weights, self.train_biases)

    @property
    def train_weights(self) -> bool:
        """True if training changes the weights."""
        return self.trainable in (True, "weights")

    @property
    def train_biases(self) -> bool:
        """True if training changes the biases."""
        return self.use_bias and self.trainable in (True, "biases")

    @property
    def learning_rate_factor(self) -> float | tuple[float, float]:
        """The factor of the learning rate, or of those of weights and biases.

        Can be assigned; 1 in layers without parameters.
        """
        description: Any = self._description
        return description.learning_rate_factor if self.has_weights else 1.0

    @learning_rate_factor.setter
    def learning_rate_factor(self, factor: float | tuple[float, float]) -> None:
        if not self.has_weights:
            raise self._without_parameters("learning_rate_factor")
        description: Any = self._description
        self._description = replace(description, learning_rate_factor=factor)
        self._engine.set_rate_factors(self._index, *self.rate_factors)

    @property
    def rate_factors(self) -> tuple[float, float]:
        """The factors of the learning rates of weights and biases."""
        factor = self.learning_rate_factor
        return factor if isinstance(factor, tuple) else (factor, factor)

    @property
    def weights(self) -> NDArray[Any]:
        """W, shape (units, inputs), or γ of a norm or scaling, shape (units,): a read-only copy.

        Can be assigned.
        """
        return self._read_only(self._engine.weights(self._index), "weights")

    @weights.setter
    def weights(self, weights: ArrayLike) -> None:
        self._set_weights(weights, "weights")

    @property
    def biases(self) -> NDArray[Any]:
        """b, or β of a norm, shape (units,): a read-only copy, zeros without `use_bias`.

        Can be assigned.
        """
        return self._read_only(self._engine.biases(self._index), "biases")

    @biases.setter
    def biases(self, biases: ArrayLike) -> None:
        if self.has_weights and not self.use_bias:
            raise ValueError(f"layers[{self._index}].biases: the layer has use_bias=False")
        self._set_biases(biases, "biases")

    @property
    def running_mean(self) -> NDArray[Any]:
        """Running mean of a batch norm, shape (units,): a read-only copy. Can be assigned."""
        return self._read_only(self._statistics("running_mean")[0].copy(), "running_mean")

    @running_mean.setter
    def running_mean(self, mean: ArrayLike) -> None:
        running = self._statistics("running_mean")[0]
        running[:] = self._checked(mean, "running_mean", (self.units,))

    @property
    def running_variance(self) -> NDArray[Any]:
        """Running variance of a batch norm, shape (units,): a read-only copy. Can be assigned."""
        return self._read_only(self._statistics("running_variance")[1].copy(), "running_variance")

    @running_variance.setter
    def running_variance(self, variance: ArrayLike) -> None:
        running = self._statistics("running_variance")[1]
        checked = self._checked(variance, "running_variance", (self.units,))
        if (checked < 0).any():
            raise ValueError(
                f"layers[{self._index}].running_variance holds {checked.min()}, "
                "expected numbers of at least 0"
            )
        running[:] = checked

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (units, inputs), (units,) of a norm or scaling."""
        if isinstance(self._description, Dense):
            return self.units, self.inputs
        return (self.units,)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        if not self.has_weights:
            return 0
        return self.units * ((self.inputs if self.kind == "dense" else 1) + self.use_bias)

    def initialize(self, seeds: Seeds, *, only_trained: bool = False) -> None:
        """Draw the weights, then the biases, with the layer's initialisers.

        All are 0 before; or, with `only_trained`, anything, and only those are set that are
        trained. The values drawn are the same. γ becomes 1 and β 0, the running mean of a norm 0
        and its running variance 1. Each layer has its own stream of `seeds`, so a change of one
        layer leaves the others as they were.
        """
        description = self._description
        if not self.has_weights:
            return
        weights: Initializer = _ones
        biases: Initializer = zeros
        if isinstance(description, Dense):
            weights = resolve(description.initial_weights(self._index == 0), "weights_init")
            biases = resolve(description.bias_init, "bias_init")
        rng: Any = None
        if draws(weights) or draws(biases):
            rng = generator(seeds.child(self._index))
        wanted = self.train_weights if only_trained else weights is not zeros
        if wanted or draws(weights):
            drawn = weights(rng, self.weights_shape)
            if wanted:
                self._set_weights(drawn, "weights_init")
        if self.train_biases if only_trained else self.use_bias and biases is not zeros:
            self._set_biases(biases(rng, (self.units,)), "bias_init")
        if self.kind == "batch_norm":
            self.running_mean, self.running_variance = np.zeros(self.units), np.ones(self.units)

    def __repr__(self) -> str:
        return f"<layer of {self.inputs} inputs: {self._description!r}>"

    def _set_weights(self, weights: ArrayLike, name: str) -> None:
        if not self.has_weights:
            raise self._without_parameters(name)
        if not self._engine.set_weights(self._index, weights, finite=True):
            checked = self._checked(weights, name, self.weights_shape)
            self._engine.set_weights(self._index, checked)

    def _set_biases(self, biases: ArrayLike, name: str) -> None:
        if not self.has_weights:
            raise self._without_parameters(name)
        if not self._engine.set_biases(self._index, biases, finite=True):
            self._engine.set_biases(self._index, self._checked(biases, name, (self.units,)))

    def _checked(self, value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        name = f"layers[{self._index}].{name}"
        return checks.parameters(value, name, shape, np.dtype(self._engine.dtype))

    def _read_only(self, array: NDArray[Any] | None, name: str) -> NDArray[Any]:
        if array is None:
            raise self._without_parameters(name)
        array.flags.writeable = False
        return array

    def _statistics(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        statistics = self._engine.running_statistics(self._index)
        if statistics is None:
            raise self._without_parameters(name)
        return statistics

    def _without_parameters(self, name: str) -> AttributeError:
        return AttributeError(
            f"layers[{self._index}] is {self._description!r}, which has no {name}"
        )


def units_of(description: Flat, inputs: int) -> int:
    """Return the number of outputs of a layer with so many inputs."""
    return description.units if isinstance(description, Dense) else inputs


def check_descriptions(layers: Iterable[Description]) -> list[Description]:
    """Check that `layers` are descriptions of layers, and return them as a list."""
    kinds = (Dense, BatchNorm, LayerNorm, Scaling, Dropout, GaussianNoise, Residual)
    if isinstance(layers, kinds) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {layers!r}, expected a list of layers, such as Dense")
    descriptions = list(layers)
    if not descriptions:
        raise ValueError("layers is empty, expected at least one layer, such as Dense")
    for index, description in enumerate(descriptions):
        if not isinstance(description, kinds):
            raise TypeError(f"layers[{index}] is {description!r}, expected a layer, such as Dense")
    return descriptions


class FlatLayer(NamedTuple):
    """A layer in the flat list of a network's layers.

    Attributes
    ----------
    description : Flat
    inputs, units : int
    """

    description: Flat
    inputs: int
    units: int


def flatten(layers: Iterable[Description], inputs: int) -> list[FlatLayer]:
    """Return the layers of a network one after another, residual blocks with their sums.

    Parameters
    ----------
    layers : iterable of descriptions
    inputs : int
        Number of inputs of the first one.

    Raises
    ------
    ValueError
        If the layers of a residual block have another number of outputs than inputs, a hidden layer
        has softmax, or the last one is no output layer.
    """
    flat: list[FlatLayer] = []
    _append(flat, layers, inputs)
    for index, layer in enumerate(flat):
        if not row_of(layer.description.activation).output_only:
            continue
        activation = layer.description.activation
        if index < len(flat) - 1:
            raise ValueError(
                f"layers[{index}] is {layer.description!r}, but {activation} is for the last layer "
                "only; expected another activation, such as 'relu' or 'tanh'"
            )
        if layer.units == 1:
            raise ValueError(
                f"layers[{index}] is {layer.description!r}, but {activation} of a single unit is "
                "always 1; expected Dense(1, 'sigmoid'), or Dense(2, 'softmax')"
            )
    if isinstance(flat[-1].description, (Dropout, GaussianNoise)):
        raise ValueError(
            f"layers[{len(flat) - 1}] is {flat[-1].description!r}, which disturbs its inputs; "
            "expected an output layer after it, such as Dense"
        )
    return flat


def _append(flat: list[FlatLayer], layers: Iterable[Description], inputs: int) -> int:
    """Append layers with so many inputs to the flat list, and return the units of the last."""
    for description in layers:
        if isinstance(description, Residual):
            source = len(flat)
            units = _append(flat, description.layers, inputs)
            if units != inputs:
                raise ValueError(
                    f"{description!r} has {inputs} inputs and {units} outputs, expected as many "
                    f"outputs: a last layer of {inputs} units"
                )
            flat.append(FlatLayer(ResidualSum(source, description.activation), units, units))
        else:
            flat.append(FlatLayer(description, inputs, units_of(description, inputs)))
            inputs = flat[-1].units
    return inputs
