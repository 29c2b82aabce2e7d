"""Residual blocks: `Residual`, some layers whose result is added to their input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from cygrad.network.activations import ChosenActivation, checked, row_of
from cygrad.records import dataclass

if TYPE_CHECKING:
    from cygrad.network.layers import Description


@dataclass(frozen=True, init=False, repr=False)
class Residual:
    """A residual block: z = x + f(x), a = σ(z), where f are the layers of the block.

    The last layer of the block has as many units as the block has inputs. Blocks can hold blocks.
    `Network.layers` has the layers of the block, then one for the sum.

    Parameters
    ----------
    layers : iterable of layers
        Dense, norms, scaling, dropout, noise or blocks; at least one.
    activation : str or ChosenActivation
        σ of the sum. Not softmax.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described. `Network` checks the number of units.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> import cygrad as cg
    >>> block = cg.Residual([cg.Dense(16, "relu"), cg.Dense(16)], "relu")
    >>> net = cg.Network(4, [cg.Dense(16, "relu"), block, cg.Dense(1)], loss="mse", rng=0)
    >>> len(net.layers)
    5
    """

    layers: tuple[Description, ...]
    activation: str | ChosenActivation = "identity"

    kind: ClassVar[str] = "residual"

    def __init__(
        self, layers: Iterable[Description], activation: str | ChosenActivation = "identity"
    ) -> None:
        from cygrad.network.layers import check_descriptions

        activation = checked(activation)
        if row_of(activation).output_only:
            raise ValueError(
                f"activation is {activation!r}, which needs a Dense layer; expected another"
            )
        object.__setattr__(self, "layers", tuple(check_descriptions(layers)))
        object.__setattr__(self, "activation", activation)

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        activation = "" if self.activation == "identity" else f", {self.activation!r}"
        return f"Residual([{layers}]{activation})"


@dataclass(frozen=True)
class ResidualSum:
    """The sum at the end of a block, in the flat list of a network's layers.

    Parameters
    ----------
    source : int
        The layer whose output is added, counted from 1; 0 for the samples.
    activation : str or ChosenActivation
    """

    source: int
    activation: str | ChosenActivation = "identity"

    kind: ClassVar[str] = "residual_sum"
    use_bias: ClassVar[bool] = False
    trainable: ClassVar[bool] = False
