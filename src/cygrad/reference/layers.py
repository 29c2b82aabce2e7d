"""Layers: their descriptions (`Dense`), and their parameters in a network (`Layer`).

The equations over weights and biases are in `cygrad.reference.backpropagation`.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from .activations import ACTIVATIONS, Activation
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


class Layer:
    """A layer of a network: W, b and σ of a = σ(W x + b), where x is the output of the layer below.

    Parameters
    ----------
    inputs : int
        Length of x.
    dense : Dense
        The rest of the description. All parameters start at 0.
    """

    def __init__(self, inputs: int, dense: Dense) -> None:
        self.inputs = inputs
        self.units = dense.units
        self.activation = dense.activation
        self.use_bias = dense.use_bias
        self.trains_weights = dense.trainable in (True, "weights")
        self.trains_biases = dense.use_bias and dense.trainable in (True, "biases")
        self._weights = zeros(dense.units, inputs)
        self._biases = [0.0] * dense.units

    @property
    def weights(self) -> Matrix:
        """W, (out, in): the layer's own lists; changing them changes the network.

        Rows of the right length can be assigned; they are copied.
        """
        return self._weights

    @weights.setter
    def weights(self, weights: Sequence[Sequence[float]]) -> None:
        if len(weights) != self.units:
            raise ValueError(f"weights has {len(weights)} rows, expected {self.units}")
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
