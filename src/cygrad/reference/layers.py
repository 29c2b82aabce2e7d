"""Layers: their descriptions (`Dense`), and their parameters in a network (`Layer`).

The equations over weights and biases are in `cygrad.reference.backpropagation`, those of norms,
scaling, dropout and noise in `normalization`, `scaling` and `noise`, beside their descriptions.
"""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from .activations import ACTIVATIONS, Activation
from .noise import Dropout, GaussianNoise
from .normalization import BatchNorm, LayerNorm
from .scaling import Scaling
from .vectors import Matrix, Vector, read_matrix, read_vector, zeros


@dataclass(frozen=True)
class Dense:
    """Description of a layer in which every unit is connected to every input.

    Parameters
    ----------
    units : int
        Number of units: the length of the layer's z and a.
    activation : str or Activation
        A name of `ACTIVATIONS`, or a record such as ``leaky_relu(0.2)``.
    use_bias : bool
        False leaves b out: z = W a.
    trainable : bool or str
        False freezes all parameters, ``"weights"`` trains the weights alone, ``"biases"`` the
        biases. A gradient is computed for frozen parameters too.
    learning_rate_factor : float or (float, float)
        Multiplies the learning rate of the layer; or that of its weights, and that of its biases.

    Raises
    ------
    ValueError
        If `units` is below 1, or `activation` or `trainable` is not as described.
    """

    units: int
    activation: str | Activation = "identity"
    _: KW_ONLY
    use_bias: bool = True
    trainable: bool | str = True
    learning_rate_factor: float | tuple[float, float] = 1.0

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"units is {self.units}, expected an integer from 1")
        if not isinstance(self.activation, Activation) and self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is {self.activation!r}, expected one of {', '.join(ACTIVATIONS)}"
            )
        if self.trainable not in (True, False, "weights", "biases"):
            raise ValueError(
                f"trainable is {self.trainable!r}, expected True, False, 'weights' or 'biases'"
            )
        if not all(0 <= factor < math.inf for factor in self.rate_factors):
            raise ValueError(
                f"learning_rate_factor is {self.learning_rate_factor}, expected numbers from 0"
            )

    @property
    def rate_factors(self) -> tuple[float, float]:
        """The factors of the learning rates of weights and biases."""
        return pair_of(self.learning_rate_factor)


@dataclass(frozen=True)
class Residual:
    """Description of a residual block: σ(x + f(x)), where f are its layers, of as many outputs."""

    layers: "Sequence[Description]"
    activation: str | Activation = "identity"


@dataclass(frozen=True)
class ResidualSum:
    """Description of the sum at the end of a residual block."""

    activation: str | Activation


Description = (
    Dense | BatchNorm | LayerNorm | Scaling | Dropout | GaussianNoise | Residual | ResidualSum
)


def pair_of(factor: float | tuple[float, float]) -> tuple[float, float]:
    """Return the factors of the learning rates of weights and biases, which may be one number."""
    return factor if isinstance(factor, tuple) else (factor, factor)


class Layer:
    """A layer of a network: W, b and σ of a = σ(W x + b), where x is the output of the layer below.

    A norm has γ in the place of W, as a single row, and β in the place of b; scaling has γ and no
    bias; other layers have no parameters.

    Parameters
    ----------
    inputs : int
        Length of x.
    description : Dense, BatchNorm, …
        The rest of the description. All parameters start at 0, but γ and the running variance at 1.
    source : int or None
        Of a residual sum: the layer whose output is added, counted from 1, 0 for the samples.
    """

    def __init__(self, inputs: int, description: Description, source: int | None = None) -> None:
        self.inputs = inputs
        self.description = description
        self.source = source
        self.activation: str | Activation = getattr(description, "activation", "identity")
        factor: float | tuple[float, float] = getattr(description, "learning_rate_factor", 1.0)
        self.weights_rate_factor, self.biases_rate_factor = pair_of(factor)
        self.units = inputs
        self.use_bias = isinstance(description, (Dense, BatchNorm, LayerNorm))
        trainable: bool | str = getattr(description, "trainable", False)
        self._weights: Matrix = []
        self._biases: Vector = []
        if isinstance(description, Dense):
            self.units = description.units
            self.use_bias = description.use_bias
            self._weights = zeros(description.units, inputs)
            self._biases = [0.0] * description.units
        elif isinstance(description, (BatchNorm, LayerNorm, Scaling)):
            self._weights, self._biases = [[1.0] * inputs], [0.0] * inputs
        self.trains_weights = trainable in (True, "weights")
        self.trains_biases = self.use_bias and trainable in (True, "biases")
        self.running_mean = [0.0] * inputs
        self.running_variance = [1.0] * inputs

    @property
    def decays(self) -> bool:
        """True if weight decay applies to the weights: γ of norms and scaling does not decay."""
        return isinstance(self.description, Dense)

    @property
    def weights(self) -> Matrix:
        """W, (out, in): the layer's own lists; changing them changes the network.

        Rows of the right length can be assigned; they are copied.
        """
        return self._weights

    @weights.setter
    def weights(self, weights: Sequence[Sequence[float]]) -> None:
        if len(weights) != len(self._weights):
            raise ValueError(f"weights has {len(weights)} rows, expected {len(self._weights)}")
        self._weights = read_matrix("weights", weights, self.inputs)

    @property
    def biases(self) -> Vector:
        """b, (out,): the layer's own list, all 0 where the layer has no bias. Assigning copies."""
        return self._biases

    @biases.setter
    def biases(self, biases: Sequence[float]) -> None:
        if not self.use_bias:
            raise ValueError("biases cannot be set in a layer with use_bias=False")
        self._biases = read_vector("biases", biases, self.units)


def make_layers(inputs: int, descriptions: Sequence[Description]) -> list[Layer]:
    """Make the layers of a network, residual blocks one layer after another with their sums."""
    layers: list[Layer] = []
    append_layers(layers, inputs, descriptions)
    return layers


def append_layers(layers: list[Layer], inputs: int, descriptions: Sequence[Description]) -> int:
    """Append layers with so many inputs, and return the number of outputs of the last."""
    for description in descriptions:
        if isinstance(description, Residual):
            source = len(layers)
            units = append_layers(layers, inputs, description.layers)
            if units != inputs:
                raise ValueError(f"a residual block has {inputs} inputs and {units} outputs")
            layers.append(Layer(units, ResidualSum(description.activation), source))
        else:
            layers.append(Layer(inputs, description))
        inputs = layers[-1].units
    return inputs
