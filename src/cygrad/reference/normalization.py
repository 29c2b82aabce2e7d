"""Batch and layer normalisation: x̂ = (x − mean) / √(variance + ε), z = γ ⊙ x̂ + β.

Batch norm takes mean and variance of each unit over the samples of a batch, layer norm those of
each sample over its units. With g = ∂C/∂x̂ = γ ⊙ δ, and means over the same numbers as in the norm::

    ∂C/∂x = (g − mean(g) − x̂ ⊙ mean(g ⊙ x̂)) / √(variance + ε)
    ∂C/∂γ = Σ δ ⊙ x̂ over the samples,  ∂C/∂β = Σ δ

because mean and variance depend on x too. Where batch norm has running statistics, which do not
depend on x, the two means are left out.

Sources: S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015; J. L. Ba, J. R. Kiros and G. E.
Hinton, "Layer normalization", arXiv 1607.06450 (2016).
"""

import math
from dataclasses import KW_ONLY, dataclass

from .activations import Activation
from .vectors import Matrix, Vector


@dataclass(frozen=True)
class BatchNorm:
    """Description of batch norm; `momentum` is the weight of the new running statistics.

    `learning_rate_factor` multiplies the learning rate of γ and β, or of each of them.
    """

    activation: str | Activation = "identity"
    _: KW_ONLY
    eps: float = 1e-5
    momentum: float = 0.1
    trainable: bool | str = True
    learning_rate_factor: float | tuple[float, float] = 1.0


@dataclass(frozen=True)
class LayerNorm:
    """Description of layer norm; `learning_rate_factor` as in batch norm."""

    activation: str | Activation = "identity"
    _: KW_ONLY
    eps: float = 1e-5
    trainable: bool | str = True
    learning_rate_factor: float | tuple[float, float] = 1.0


@dataclass(frozen=True)
class Moments:
    """Mean and (biased) variance of some numbers."""

    mean: float
    variance: float


def moments(x: Vector) -> Moments:
    """Return mean and variance, Σ (x − mean)² / n."""
    mean = math.fsum(x) / len(x)
    return Moments(mean, math.fsum((x_k - mean) ** 2 for x_k in x) / len(x))


def normalize(x: Vector, of: Moments, eps: float) -> Vector:
    """x̂ = (x − mean) / √(variance + ε)."""
    return [(x_k - of.mean) / math.sqrt(of.variance + eps) for x_k in x]


def normalize_backward(g: Vector, normalized: Vector, of: Moments, eps: float) -> Vector:
    """∂C/∂x = (g − mean(g) − x̂ ⊙ mean(g ⊙ x̂)) / √(variance + ε), with g = ∂C/∂x̂."""
    mean = math.fsum(g) / len(g)
    slope = math.fsum(g_k * x_k for g_k, x_k in zip(g, normalized, strict=True)) / len(g)
    deviation = math.sqrt(of.variance + eps)
    return [(g_k - mean - x_k * slope) / deviation for g_k, x_k in zip(g, normalized, strict=True)]


def scale_and_shift(normalized: Vector, scale: Vector, shift: Vector) -> Vector:
    """z = γ ⊙ x̂ + β."""
    return [g * x + b for g, x, b in zip(scale, normalized, shift, strict=True)]


def scale_gradient(delta: Matrix, normalized: Matrix) -> Vector:
    """∂C/∂γ = Σ δ ⊙ x̂ over the samples; of scaling with x in the place of x̂."""
    products = (
        [d * x for d, x in zip(delta_s, x_s, strict=True)]
        for delta_s, x_s in zip(delta, normalized, strict=True)
    )
    return [sum(column) for column in zip(*products, strict=True)]


def running(old: float, new: float, momentum: float) -> float:
    """Return the running statistic after a batch: r + momentum (new − r)."""
    return old + momentum * (new - old)


def unbiased(variance: float, samples: int) -> float:
    """Return the unbiased variance n / (n − 1) · variance, which the running statistics take."""
    return variance * samples / (samples - 1)
