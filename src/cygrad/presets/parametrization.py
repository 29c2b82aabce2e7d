"""The neural tangent parametrisation of dense layers, by initial values and learning rates."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from cygrad import checks
from cygrad.network.initializers import normal
from cygrad.network.layers import Dense

if TYPE_CHECKING:
    from cygrad.network.activations import ChosenActivation

BIAS_RATE = 0.1


def ntk_dense(
    units: int,
    activation: str | ChosenActivation = "identity",
    *,
    inputs: int,
    bias_rate: float = BIAS_RATE,
    zero: bool = False,
    use_bias: bool = True,
) -> Dense:
    """Return a dense layer that trains as one in the neural tangent parametrisation (NTK).

    There the layer computes z = V a / √inputs + b, with V and b drawn from N(0, 1). Here
    W = V / √inputs is the parameter, drawn from N(0, 1 / inputs), and its learning rate is divided
    by √inputs.

    Parameters
    ----------
    units : int
    activation : str or ChosenActivation
    inputs : int
        Number of inputs of the layer.
    bias_rate : float
        Factor of the learning rate of the biases.
    zero : bool
        Begin with weights and biases of 0, as for a last layer.
    use_bias : bool

    Notes
    -----
    The steps of Adam are the same in both forms. The gradient of W is √inputs times that of V, and
    so are its running mean and the root of its running square; their quotient is that of V, and a
    step of W is that of V divided by √inputs. Only ε counts less by the factor √inputs: the layer
    trains as V would with ε / √inputs. For `SGD` the factor would be 1 / inputs.

    References
    ----------
    A. Jacot, F. Gabriel, C. Hongler, "Neural tangent kernel: convergence and generalization in
    neural networks", NeurIPS 2018.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.presets.ntk_dense(8, "selu", inputs=4).learning_rate_factor
    (0.5, 0.1)
    """
    inputs = checks.whole_number(inputs, "inputs")
    return Dense(
        units,
        activation,
        use_bias=use_bias,
        weights_init="zeros" if zero else "lecun_normal",
        bias_init="zeros" if zero or not use_bias else normal(1.0),
        learning_rate_factor=(1 / sqrt(inputs), bias_rate),
    )
