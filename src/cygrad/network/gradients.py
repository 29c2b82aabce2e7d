"""`Gradients`: the results of one backward pass over a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The attributes that `Network.backward` can leave out.
PARTS = ("weights", "biases", "deltas", "pre_activations", "activations")


@dataclass(frozen=True, eq=False, init=False)
class Gradients:
    """The results of one backward pass, layer by layer from the first to the last.

    Arrays are in the network's dtype. With reduction "mean", C is the mean of the samples'
    losses and all derivatives are of that mean. What the argument `keep` of `Network.backward` left
    out is None.

    Attributes
    ----------
    loss : float
        C, summed or averaged over the samples according to the network's reduction.
    weights : tuple of ndarray, shape (units, inputs)
        ∂C/∂W = δᵀ a, with a of the layer below. Of norms and scaling ∂C/∂γ, shape (units,).
    biases : tuple of ndarray, shape (units,)
        ∂C/∂b = Σ δ over the samples; zeros for a layer without biases.
    deltas : tuple of ndarray, shape (n, units)
        δ = ∂C/∂z: ∇ₐC ⊙ σ'(z) in the last layer, (Wᵀ δ) ⊙ σ'(z) below it.
    pre_activations : tuple of ndarray, shape (n, units)
        z = W a + b.
    activations : tuple of ndarray, shape (n, units)
        a = σ(z). The last equals the result of `cygrad.Network.forward`.
    inputs : ndarray, shape (n, inputs), or None
        ∂C/∂X; None if it was not requested.
    """

    loss: float
    weights: tuple[NDArray[Any], ...]
    biases: tuple[NDArray[Any], ...]
    deltas: tuple[NDArray[Any], ...]
    pre_activations: tuple[NDArray[Any], ...]
    activations: tuple[NDArray[Any], ...]
    inputs: NDArray[Any] | None

    def __init__(
        self,
        loss: float,
        weights: tuple[NDArray[Any], ...],
        biases: tuple[NDArray[Any], ...],
        deltas: tuple[NDArray[Any], ...],
        pre_activations: tuple[NDArray[Any], ...],
        activations: tuple[NDArray[Any], ...],
        inputs: NDArray[Any] | None,
    ) -> None:
        # The method that a frozen dataclass would have takes as long as a small pass.
        self.__dict__.update(
            loss=loss,
            weights=weights,
            biases=biases,
            deltas=deltas,
            pre_activations=pre_activations,
            activations=activations,
            inputs=inputs,
        )


def check_parts(keep: Iterable[str]) -> tuple[str, ...]:
    """Return the argument `keep` of `Network.backward` as a tuple of names in `PARTS`."""
    expected = f"expected names among {', '.join(map(repr, PARTS))}"
    if isinstance(keep, str) or not isinstance(keep, Iterable):
        raise TypeError(f"keep is {keep!r}, {expected}")
    names = tuple(keep)
    for name in names:
        if name not in PARTS:
            raise ValueError(f"keep has {name!r}, {expected}")
    return names
