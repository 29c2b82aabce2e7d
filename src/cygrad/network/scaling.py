"""`Scaling`: one trainable factor for each unit, z = γ ⊙ x and an activation."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

from cygrad import checks
from cygrad.network.activations import ChosenActivation
from cygrad.network.normalization import checked_hidden, text_of
from cygrad.records import dataclass

if TYPE_CHECKING:
    from typing import Literal


@dataclass(frozen=True, repr=False)
class Scaling:
    """A scaling layer: each unit is multiplied by a factor of its own, z = γ ⊙ x, a = σ(z).

    As the first layer it learns how much each input counts, and inputs of little use become small.
    γ is in `weights` of the layer, shape (units,), and starts at 1; there are no biases. It does
    not decay, as the γ of norms: weight decay, l1, l2_penalty and max_norm leave it as it is.

    Parameters
    ----------
    activation : str or ChosenActivation
        σ. Not softmax.
    trainable : bool or "weights"
        Train γ, or not.
    learning_rate_factor : float
        Multiplies the optimiser's learning rate for γ; 0 or more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    As the first layer it needs one more product in a step than the dense layer after it would
    alone: the derivatives with respect to its outputs, (n, inputs). Sparse samples need a dense
    layer first.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: Strong pre-tuned MLPs and
    boosted trees on tabular data", NeurIPS 2024. The layer is the first one there, with 6 times
    the learning rate of the weights.

    Examples
    --------
    >>> import cygrad as cg
    >>> layers = [cg.Scaling(learning_rate_factor=6.0), cg.Dense(16, "selu"), cg.Dense(1)]
    >>> net = cg.Network(4, layers, loss="mse", rng=0)
    >>> net.layers[0].weights
    array([1., 1., 1., 1.], dtype=float32)
    """

    activation: str | ChosenActivation = "identity"
    _: KW_ONLY
    trainable: bool | Literal["weights"] = True
    learning_rate_factor: float = 1.0

    kind: ClassVar[str] = "scaling"
    use_bias: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", checked_hidden(self.activation))
        trainable = checks.trainable(self.trainable)
        if trainable == "biases":
            raise ValueError("trainable is 'biases', which a scaling layer has not; expected False")
        object.__setattr__(self, "trainable", trainable)
        factor = checks.number(self.learning_rate_factor, "learning_rate_factor", least=0)
        object.__setattr__(self, "learning_rate_factor", factor)

    def __repr__(self) -> str:
        return text_of(self)
