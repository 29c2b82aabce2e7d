"""Layers: `Dense`, a description of a layer, and `Layer`, a layer of a network.

A description holds no parameters, and many networks can use the same one. The engine of a network
holds the parameters; a `Layer` reads and writes them there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks
from cygrad.network.activations import ACTIVATIONS, NAMES
from cygrad.network.initializers import Constant, Given, VarianceScaling, resolve, zeros
from cygrad.seeding import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.engine import Engine
    from cygrad.network.initializers import Initializer
    from cygrad.seeding import Seeds

    Trainable = bool | Literal["weights", "biases"]


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """A dense layer: z = W a + b, then the activation σ(z); a is the output of the layer below.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : {<activations>}
        `cygrad.network.ACTIVATIONS` has the formulas. softmax is for the last layer only.
    use_bias : bool
        False leaves b out: z = W a.
    trainable : bool or {"weights", "biases"}
        Train all parameters of the layer, none, or only these.
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
    activation: str = "identity"
    _: KW_ONLY
    use_bias: bool = True
    trainable: Trainable = True
    weights_init: str | ArrayLike | Initializer | None = None
    bias_init: str | ArrayLike | Initializer = "zeros"

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # because the class is frozen
        set_field(self, "units", checks.whole_number(self.units, "units"))
        checks.one_of(self.activation, "activation", ACTIVATIONS)
        set_field(self, "use_bias", checks.flag(self.use_bias, "use_bias"))
        set_field(self, "trainable", _check_trainable(self.trainable, self.use_bias))

        weights = resolve(self.initial_weights, "weights_init")
        biases = resolve(self.bias_init, "bias_init")
        if isinstance(biases, VarianceScaling):
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

    @property
    def initial_weights(self) -> str | ArrayLike | Initializer:
        """`weights_init`, or the default of the activation if it is None."""
        if self.weights_init is None:
            return ACTIVATIONS[self.activation].weights_init
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
    and their values must be finite.
    """

    __slots__ = ("_dense", "_engine", "_index", "_inputs")

    def __init__(self, dense: Dense, inputs: int, index: int, engine: Engine) -> None:
        self._dense = dense
        self._inputs = inputs
        self._index = index
        self._engine = engine
        engine.set_trained(index, self.train_weights, self.train_biases)

    @property
    def inputs(self) -> int:
        """Number of inputs: the units of the layer below, or the inputs of the network."""
        return self._inputs

    @property
    def units(self) -> int:
        """Number of outputs."""
        return self._dense.units

    @property
    def activation(self) -> str:
        """Name of the activation."""
        return self._dense.activation

    @property
    def use_bias(self) -> bool:
        """True if the layer has biases."""
        return self._dense.use_bias

    @property
    def trainable(self) -> Trainable:
        """The parameters to train: True, False, "weights" or "biases". Can be assigned."""
        return self._dense.trainable

    @trainable.setter
    def trainable(self, trainable: Trainable) -> None:
        self._dense = replace(self._dense, trainable=trainable)
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
    def weights(self) -> NDArray[Any]:
        """W, shape (units, inputs): a read-only copy. Can be assigned."""
        weights = self._engine.weights(self._index)
        weights.flags.writeable = False
        return weights

    @weights.setter
    def weights(self, weights: ArrayLike) -> None:
        self._set_weights(weights, "weights")

    @property
    def biases(self) -> NDArray[Any]:
        """b, shape (units,): a read-only copy, zeros without `use_bias`. Can be assigned."""
        biases = self._engine.biases(self._index)
        biases.flags.writeable = False
        return biases

    @biases.setter
    def biases(self, biases: ArrayLike) -> None:
        if not self.use_bias:
            raise ValueError(f"layers[{self._index}].biases: the layer has use_bias=False")
        self._set_biases(biases, "biases")

    @property
    def weights_shape(self) -> tuple[int, int]:
        """Shape of the weights, (units, inputs)."""
        return self.units, self.inputs

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self.units * (self.inputs + self.use_bias)

    def initialize(self, seeds: Seeds, *, only_trained: bool = False) -> None:
        """Draw the weights, then the biases, with the layer's initialisers.

        All are 0 before; or, with `only_trained`, anything, and only those are set that are
        trained. The values drawn are the same.
        """
        dense, rng = self._dense, generator(seeds)
        weights = resolve(dense.initial_weights, "weights_init")(rng, self.weights_shape)
        if self.train_weights or not only_trained:
            self._set_weights(weights, "weights_init")
        biases = resolve(dense.bias_init, "bias_init")
        wanted = self.train_biases if only_trained else self.use_bias and biases is not zeros
        if wanted:
            self._set_biases(biases(rng, (self.units,)), "bias_init")

    def __repr__(self) -> str:
        return f"<layer of {self.inputs} inputs: {self._dense!r}>"

    def _set_weights(self, weights: ArrayLike, name: str) -> None:
        if not self._engine.set_weights(self._index, weights, finite=True):
            checked = self._checked(weights, name, self.weights_shape)
            self._engine.set_weights(self._index, checked)

    def _set_biases(self, biases: ArrayLike, name: str) -> None:
        if not self._engine.set_biases(self._index, biases, finite=True):
            self._engine.set_biases(self._index, self._checked(biases, name, (self.units,)))

    def _checked(self, value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        name = f"layers[{self._index}].{name}"
        return checks.parameters(value, name, shape, np.dtype(self._engine.dtype))


def check_layers(layers: Iterable[Dense]) -> list[Dense]:
    """Check `layers` and return them as a list of descriptions."""
    if isinstance(layers, Dense) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {layers!r}, expected a list of Dense")
    descriptions = list(layers)
    if not descriptions:
        raise ValueError("layers is empty, expected at least one Dense")
    for index, dense in enumerate(descriptions):
        if not isinstance(dense, Dense):
            raise TypeError(f"layers[{index}] is {dense!r}, expected a Dense")
        if not ACTIVATIONS[dense.activation].output_only:
            continue
        if index < len(descriptions) - 1:
            raise ValueError(
                f"layers[{index}] is {dense!r}, but {dense.activation} is for the last layer only; "
                "expected another activation, such as 'relu' or 'tanh'"
            )
        if dense.units == 1:
            raise ValueError(
                f"layers[{index}] is {dense!r}, but {dense.activation} of a single unit is "
                "always 1; expected Dense(1, 'sigmoid'), or Dense(2, 'softmax')"
            )
    return descriptions


def _check_trainable(trainable: Trainable, use_bias: bool) -> Trainable:
    if isinstance(trainable, (bool, np.bool_)):
        return bool(trainable)
    if not isinstance(trainable, str) or trainable not in ("weights", "biases"):
        raise ValueError(f"trainable is {trainable!r}, expected True, False, 'weights' or 'biases'")
    if trainable == "biases" and not use_bias:
        raise ValueError("trainable is 'biases' with use_bias=False, expected False")
    return trainable
