"""`Gradients`: the results of one backward pass over a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Gradients:
    """The results of one backward pass, layer by layer from the first to the last.

    Arrays are in the network's dtype. With reduction "mean", C is the mean of the samples'
    losses and all derivatives are of that mean.

    Attributes
    ----------
    loss : float
        C, summed or averaged over the samples according to the network's reduction.
    weights : tuple of ndarray, shape (units, inputs)
        ∂C/∂W = δᵀ a, with a of the layer below.
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
