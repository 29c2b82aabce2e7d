"""Activations: a = σ(z), and the backward pass through them.

The table `ACTIVATIONS` has one record for each function and its derivative.
`cygrad.reference.backpropagation` uses them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .vectors import Vector, dot


@dataclass(frozen=True)
class Activation:
    """The activation of a layer.

    Attributes
    ----------
    name : str
        Its name in `Dense`.
    value : callable
        z ↦ a = σ(z), vectors as long as the layer has units.
    backward : callable
        (z, a, ∂C/∂a) ↦ ∂C/∂z = (∂a/∂z)ᵀ ∂C/∂a. Where every aⱼ depends on its own zⱼ alone, the
        Jacobian ∂a/∂z is diagonal and this is ∂C/∂a ⊙ σ′(z).
    """

    name: str
    value: Callable[[Vector], Vector]
    backward: Callable[[Vector, Vector, Vector], Vector]


def elementwise(
    name: str, sigma: Callable[[float], float], slope: Callable[[float, float], float]
) -> Activation:
    """Make the activation aⱼ = σ(zⱼ) from σ(z) and its slope σ′, a function of z and a."""

    def value(z: Vector) -> Vector:
        """a = σ(z)."""
        return [sigma(z_j) for z_j in z]

    def backward(z: Vector, a: Vector, gradient: Vector) -> Vector:
        """∂C/∂z = ∂C/∂a ⊙ σ′(z)."""
        return [g_j * slope(z_j, a_j) for z_j, a_j, g_j in zip(z, a, gradient, strict=True)]

    return Activation(name, value, backward)


def identity(z: float) -> float:
    """σ(z) = z."""
    return z


def identity_slope(z: float, a: float) -> float:
    """σ′(z) = 1."""
    return 1.0


def sigmoid(z: float) -> float:
    """σ(z) = 1 / (1 + e⁻ᶻ), which is eᶻ / (1 + eᶻ) where e⁻ᶻ would overflow."""
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    e = math.exp(z)
    return e / (1 + e)


def sigmoid_slope(z: float, a: float) -> float:
    """σ′(z) = a (1 − a)."""
    return a * (1 - a)


def tanh_slope(z: float, a: float) -> float:
    """σ′(z) = 1 − a², for σ = tanh."""
    return 1 - a * a


def relu(z: float) -> float:
    """σ(z) = max(0, z)."""
    return 0.0 if z <= 0 else z


def relu_slope(z: float, a: float) -> float:
    """σ′(z) = 1 where a > 0, else 0; at the kink this takes the slope of the left side."""
    return 1.0 if a > 0 else 0.0


def gaussian(z: float) -> float:
    """σ(z) = exp(−z²), the radial basis function."""
    return math.exp(-z * z)


def gaussian_slope(z: float, a: float) -> float:
    """σ′(z) = −2 z a."""
    return -2 * z * a


def softmax(z: Vector) -> Vector:
    """aⱼ = exp(zⱼ) / Σₖ exp(zₖ), where max z is subtracted from every z first: it cancels."""
    largest = max(z)
    e = [math.exp(z_j - largest) for z_j in z]
    total = sum(e)
    return [e_j / total for e_j in e]


def softmax_backward(z: Vector, a: Vector, gradient: Vector) -> Vector:
    """∂C/∂z = a ⊙ (∂C/∂a − ⟨∂C/∂a, a⟩), since ∂aᵢ/∂zⱼ = aᵢ (1[i = j] − aⱼ)."""
    mean = dot(gradient, a)
    return [a_j * (g_j - mean) for a_j, g_j in zip(a, gradient, strict=True)]


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        elementwise("identity", identity, identity_slope),
        elementwise("sigmoid", sigmoid, sigmoid_slope),
        elementwise("tanh", math.tanh, tanh_slope),
        elementwise("relu", relu, relu_slope),
        elementwise("gaussian", gaussian, gaussian_slope),
        Activation("softmax", softmax, softmax_backward),
    )
}
