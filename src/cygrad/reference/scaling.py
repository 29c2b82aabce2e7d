"""Scaling: z = γ ⊙ x, one factor for each unit. It is batch norm without statistics and shift::

    ∂C/∂x = γ ⊙ δ
    ∂C/∂γ = Σ δ ⊙ x over the samples

Source: D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: Strong pre-tuned MLPs and
boosted trees on tabular data", NeurIPS 2024.
"""

from dataclasses import KW_ONLY, dataclass

from .activations import Activation
from .vectors import Vector


@dataclass(frozen=True)
class Scaling:
    """Description of scaling; `learning_rate_factor` multiplies the learning rate of γ."""

    activation: str | Activation = "identity"
    _: KW_ONLY
    trainable: bool | str = True
    learning_rate_factor: float = 1.0


def scaled(x: Vector, scale: Vector) -> Vector:
    """z = γ ⊙ x, and ∂C/∂x = γ ⊙ δ with δ as x."""
    return [g * x_k for g, x_k in zip(scale, x, strict=True)]
