"""Normalisation layers: `BatchNorm` and `LayerNorm`, z = γ ⊙ x̂ + β and an activation."""

from __future__ import annotations

from dataclasses import KW_ONLY, fields
from typing import TYPE_CHECKING, Any, ClassVar

from cygrad import checks
from cygrad.network.activations import ChosenActivation, checked, row_of
from cygrad.records import dataclass

if TYPE_CHECKING:
    from typing import Literal

    Trainable = bool | Literal["weights", "biases"]


@dataclass(frozen=True, repr=False)
class _Norm:
    """What both norms have."""

    activation: str | ChosenActivation = "identity"
    _: KW_ONLY
    eps: float = 1e-5
    trainable: Trainable = True
    learning_rate_factor: float | tuple[float, float] = 1.0

    kind: ClassVar[str]
    use_bias: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", checked_hidden(self.activation))
        object.__setattr__(self, "eps", checks.number(self.eps, "eps", least=0))
        if self.eps == 0:
            raise ValueError("eps is 0, expected a number above 0")
        object.__setattr__(self, "trainable", checks.trainable(self.trainable))
        factor = checks.rate_factor(self.learning_rate_factor)
        object.__setattr__(self, "learning_rate_factor", factor)

    def __repr__(self) -> str:
        return text_of(self)


@dataclass(frozen=True, repr=False)
class BatchNorm(_Norm):
    """Batch normalisation: each column is normalised over the rows of the batch.

    In training, with mean and (biased) variance of each column x of the batch::

        x̂ = (x − mean) / √(variance + ε),  z = γ x̂ + β,  a = σ(z)

    and the running statistics follow: r ← r + momentum (new − r), with the unbiased variance,
    n / (n − 1) times the biased one. Everywhere else (`Network.forward`, `evaluate`, `gradient`
    without ``training=True``) the running statistics take the place of the batch's. γ is in
    `weights`, β in `biases` of the layer, both of shape (units,); they start at 1 and 0, neither
    decays. Training needs batches of two rows or more.

    Parameters
    ----------
    activation : str or ChosenActivation
        σ, applied after the normalisation: ``[Dense(64), BatchNorm("relu")]``. Not softmax.
    momentum : float
        The weight of the new statistics, above 0 and at most 1.
    eps : float
        ε, above 0.
    trainable : bool or {"weights", "biases"}
        Train γ and β, neither, or only one of them. The running statistics follow in any case.
    learning_rate_factor : float or (float, float)
        Multiplies the optimiser's learning rate for γ and β, or for each of them; 0 or more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    Defaults and statistics are those of PyTorch. Keras stores the biased variance, has ε = 1e-3,
    and its momentum of 0.99 is the weight of the old statistics.

    The normalisation is not folded into the weights of the layer below for inference: that would
    round differently, and the outputs would not have the bits of the same network before.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.

    Examples
    --------
    >>> import cygrad as cg
    >>> layers = [cg.Dense(16, use_bias=False), cg.BatchNorm("relu"), cg.Dense(3, "softmax")]
    >>> net = cg.Network(4, layers, loss="cross_entropy", rng=0)
    >>> net.layers[1].running_mean.shape
    (16,)
    """

    momentum: float = 0.1
    kind: ClassVar[str] = "batch_norm"

    def __post_init__(self) -> None:
        super().__post_init__()
        momentum = checks.number(self.momentum, "momentum", least=0)
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum is {momentum}, expected a number above 0 and at most 1")
        object.__setattr__(self, "momentum", momentum)


@dataclass(frozen=True, repr=False)
class LayerNorm(_Norm):
    """Layer normalisation: each row is normalised over its columns.

    With mean and (biased) variance of each row x::

        x̂ = (x − mean) / √(variance + ε),  z = γ ⊙ x̂ + β,  a = σ(z)

    in training as everywhere else. γ is in `weights`, β in `biases` of the layer, both of shape
    (units,); they start at 1 and 0, neither decays.

    Parameters
    ----------
    activation : str or ChosenActivation
        σ, applied after the normalisation. Not softmax.
    eps : float
        ε, above 0; Keras has 1e-3.
    trainable : bool or {"weights", "biases"}
        Train γ and β, neither, or only one of them.
    learning_rate_factor : float or (float, float)
        Multiplies the optimiser's learning rate for γ and β, or for each of them; 0 or more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    J. Ba, J. Kiros, G. Hinton, "Layer Normalization", arXiv 1607.06450, 2016.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.LayerNorm("tanh", eps=1e-6)
    LayerNorm('tanh', eps=1e-06)
    """

    kind: ClassVar[str] = "layer_norm"


def text_of(description: Any) -> str:
    """Return the repr of a layer with an activation: what is not the default."""
    parts = [] if description.activation == "identity" else [repr(description.activation)]
    for field in fields(description)[1:]:
        value = getattr(description, field.name)
        if value != field.default:
            parts.append(f"{field.name}={value!r}")
    return f"{type(description).__name__}({', '.join(parts)})"


def checked_hidden(activation: object) -> str | ChosenActivation:
    """Return the activation of a layer that is not dense."""
    chosen = checked(activation)
    if row_of(chosen).output_only:
        raise ValueError(
            f"activation is {activation!r}, which needs a Dense layer; expected another"
        )
    return chosen
