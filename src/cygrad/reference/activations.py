"""Activations: a = σ(z), and the backward pass through them.

The table `ACTIVATIONS` has one record for each function and its derivative.
`cygrad.reference.backpropagation` uses them. `leaky_relu`, `elu` and `sine` make the record for
another parameter than the default.
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
    parameter : float or None
        The parameter of σ, if it has one.
    """

    name: str
    value: Callable[[Vector], Vector]
    backward: Callable[[Vector, Vector, Vector], Vector]
    parameter: float | None = None


def elementwise(
    name: str,
    sigma: Callable[[float], float],
    slope: Callable[[float, float], float],
    parameter: float | None = None,
) -> Activation:
    """Make the activation aⱼ = σ(zⱼ) from σ(z) and its slope σ′, a function of z and a."""

    def value(z: Vector) -> Vector:
        """a = σ(z)."""
        return [sigma(z_j) for z_j in z]

    def backward(z: Vector, a: Vector, gradient: Vector) -> Vector:
        """∂C/∂z = ∂C/∂a ⊙ σ′(z)."""
        return [g_j * slope(z_j, a_j) for z_j, a_j, g_j in zip(z, a, gradient, strict=True)]

    return Activation(name, value, backward, parameter)


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


def leaky_relu(slope: float = 0.01) -> Activation:
    """σ(z) = z where z > 0, else slope · z; at the kink σ′ is the slope."""

    def value(z: float) -> float:
        return z if z > 0 else slope * z

    def derivative(z: float, a: float) -> float:
        return 1.0 if z > 0 else slope

    return elementwise("leaky_relu", value, derivative, slope)


def elu(alpha: float = 1.0) -> Activation:
    """σ(z) = z where z > 0, else α (eᶻ − 1); σ′(z) = α eᶻ = a + α there, at 0 too."""

    def value(z: float) -> float:
        return z if z > 0 else alpha * math.expm1(z)

    def derivative(z: float, a: float) -> float:
        return 1.0 if z > 0 else alpha * math.exp(z)

    return elementwise("elu", value, derivative, alpha)


SELU_SCALE = 1.0507009873554804934193349852946  # λ
SELU_ALPHA = 1.6732632423543772848170429916717  # α


def selu(z: float) -> float:
    """σ(z) = λ z where z > 0, else λ α (eᶻ − 1)."""
    return SELU_SCALE * (z if z > 0 else SELU_ALPHA * math.expm1(z))


def selu_slope(z: float, a: float) -> float:
    """σ′(z) = λ where z > 0, else λ α eᶻ."""
    return SELU_SCALE if z > 0 else SELU_SCALE * SELU_ALPHA * math.exp(z)


def normal_distribution(z: float) -> float:
    """Φ(z) = erfc(−z / √2) / 2."""
    return math.erfc(-z / math.sqrt(2)) / 2


def gelu(z: float) -> float:
    """σ(z) = z Φ(z)."""
    return z * normal_distribution(z)


def gelu_slope(z: float, a: float) -> float:
    """σ′(z) = Φ(z) + z φ(z), with the density φ(z) = exp(−z²/2) / √(2π)."""
    return normal_distribution(z) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(z: float) -> float:
    """σ(z) = z (1 + tanh(x / 2)) / 2 = z / (1 + e⁻ˣ) with x = √(8/π) (z + 0.044715 z³)."""
    return z * sigmoid(math.sqrt(8 / math.pi) * (z + 0.044715 * z**3))


def gelu_tanh_slope(z: float, a: float) -> float:
    """σ′(z) = s + z s (1 − s) dx/dz with s = 1 / (1 + e⁻ˣ)."""
    s = sigmoid(math.sqrt(8 / math.pi) * (z + 0.044715 * z**3))
    return s + z * s * (1 - s) * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * z * z)


def silu(z: float) -> float:
    """σ(z) = z / (1 + e⁻ᶻ)."""
    return z * sigmoid(z)


def silu_slope(z: float, a: float) -> float:
    """σ′(z) = s + z s (1 − s) with s = 1 / (1 + e⁻ᶻ)."""
    return sigmoid(z) + a * (1 - sigmoid(z))


def softplus(z: float) -> float:
    """σ(z) = ln(1 + eᶻ) = max(0, z) + ln(1 + exp(−|z|))."""
    return max(0.0, z) + math.log1p(math.exp(-abs(z)))


def softplus_slope(z: float, a: float) -> float:
    """σ′(z) = 1 / (1 + e⁻ᶻ)."""
    return sigmoid(z)


def mish(z: float) -> float:
    """σ(z) = z tanh(ln(1 + eᶻ))."""
    return z * math.tanh(softplus(z))


def mish_slope(z: float, a: float) -> float:
    """σ′(z) = t + z (1 − t²) / (1 + e⁻ᶻ) with t = tanh(ln(1 + eᶻ))."""
    t = math.tanh(softplus(z))
    return t + z * (1 - t * t) * sigmoid(z)


def softsign(z: float) -> float:
    """σ(z) = z / (1 + |z|)."""
    return z / (1 + abs(z))


def softsign_slope(z: float, a: float) -> float:
    """σ′(z) = 1 / (1 + |z|)²."""
    return 1 / (1 + abs(z)) ** 2


def hard_tanh(z: float) -> float:
    """σ(z) = max(−1, min(1, z))."""
    return max(-1.0, min(1.0, z))


def hard_tanh_slope(z: float, a: float) -> float:
    """σ′(z) = 1 where −1 < z < 1, else 0, at the kinks too."""
    return 1.0 if -1 < z < 1 else 0.0


def hard_sigmoid(z: float) -> float:
    """σ(z) = max(0, min(1, z/6 + 1/2))."""
    return max(0.0, min(6.0, z + 3)) / 6


def hard_sigmoid_slope(z: float, a: float) -> float:
    """σ′(z) = 1/6 where −3 < z < 3, else 0, at the kinks too."""
    return 1 / 6 if -3 < z < 3 else 0.0


def sine(omega: float = 1.0) -> Activation:
    """σ(z) = sin(ω z), σ′(z) = ω cos(ω z)."""

    def value(z: float) -> float:
        return math.sin(omega * z)

    def derivative(z: float, a: float) -> float:
        return omega * math.cos(omega * z)

    return elementwise("sine", value, derivative, omega)


def exp(z: float) -> float:
    """σ(z) = eᶻ, infinite where it would overflow."""
    return math.exp(z) if z < 709.75 else math.inf


def exp_slope(z: float, a: float) -> float:
    """σ′(z) = a."""
    return a


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
        leaky_relu(),
        elu(),
        elementwise("selu", selu, selu_slope),
        elementwise("gelu", gelu, gelu_slope),
        elementwise("gelu_tanh", gelu_tanh, gelu_tanh_slope),
        elementwise("silu", silu, silu_slope),
        elementwise("mish", mish, mish_slope),
        elementwise("softplus", softplus, softplus_slope),
        elementwise("softsign", softsign, softsign_slope),
        elementwise("hard_tanh", hard_tanh, hard_tanh_slope),
        elementwise("hard_sigmoid", hard_sigmoid, hard_sigmoid_slope),
        sine(),
        elementwise("exp", exp, exp_slope),
        Activation("softmax", softmax, softmax_backward),
    )
}


def activation_of(given: str | Activation) -> Activation:
    """Return the record for the activation of a layer: a name, or a record itself."""
    return ACTIVATIONS[given] if isinstance(given, str) else given
