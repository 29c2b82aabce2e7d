"""Values of the activations in NumPy, for numbers of a wider type than those that are measured.

Every function takes float64 or extended numbers that a narrower type holds exactly, and its
relative error is a few units in the last place of the wider type, in the tails too: where a product
is the argument of exp, its rounding error is computed and its effect multiplied on.
"""

from __future__ import annotations

import numpy as np

from .programs import Array

# √(8/π) and 0.044715 √(8/π), each as a sum of two float64
C1 = 1.5957691216057308, -9.9693088091109202e-17
C2 = 0.071354816272600249, -6.175149918155315e-19
SERIES_MOST = 2.5  # Φ(−t) by a power series up to here, then by a continued fraction


def product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a·b and its rounding error (Dekker 1971)."""
    digits = np.finfo(np.result_type(a, b)).nmant + 1
    factor = np.ldexp(np.ones_like(a), (digits + 1) // 2) + 1

    def halves(x: Array) -> tuple[Array, Array]:
        high = factor * x
        high = high - (high - x)
        return high, x - high

    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    rounded = a * b
    error = ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low
    return rounded, error


def gaussian(z: Array, factor: float = 1.0) -> Array:
    """exp(−factor z²) for a factor that is a power of two; 0 beyond 100."""
    square, error = product(*[np.clip(z, -100, 100)] * 2)
    y: Array = np.exp(-factor * square) * (1 - factor * error)
    return y


def sigmoid(z: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-z))
    return y


def elu(z: Array) -> Array:
    y: Array = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
    return y


def selu(z: Array) -> Array:
    scale = z.dtype.type("1.0507009873554804934193349852946")
    alpha = z.dtype.type("1.6732632423543772848170429916717")
    y: Array = scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))
    return y


def normal_tail(t: Array) -> Array:
    """Φ(−t) for t ≥ 0: ½ − φ(t) Σ t²ᵏ⁺¹ / (2k + 1)!!, or φ(t) / (t + 1 / (t + 2 / (t + …)))."""
    density = gaussian(t, 0.5) / np.sqrt(2 * np.arctan2(t.dtype.type(0), t.dtype.type(-1)))
    near, far = np.minimum(t, SERIES_MOST), np.maximum(t, SERIES_MOST)
    terms = 60 if t.dtype == np.float64 else 150
    term, total, fraction = near, near, far
    for k in range(1, terms):
        term = term * near * near / (2 * k + 1)
        total = total + term
    for k in range(terms, 0, -1):
        fraction = far + k / fraction
    y: Array = np.where(t <= SERIES_MOST, t.dtype.type(0.5) - density * total, density / fraction)
    return y


def gelu(z: Array) -> Array:
    """z Φ(z); near zero its first two terms, z/2 + z² φ(0), are enough and take less time."""
    size = np.abs(z)
    g = np.zeros_like(z)
    inside = (size < 40) & (size > 2.0**-34)
    g[inside] = size[inside] * normal_tail(size[inside])
    near = z / 2 + z * z * z.dtype.type("0.39894228040143267794")
    y: Array = np.where(size > 2.0**-34, np.maximum(z, 0) - g, near)
    return y


def gelu_tanh(z: Array) -> Array:
    """max(z, 0) − |z| / (1 + exp(x)) with x = |z| (c₁ + c₂ z²)."""
    (c1, c1_low), (c2, c2_low) = C1, C2
    size = np.minimum(np.abs(z), 30)
    square, square_low = product(size, size)
    part, part_low = product(np.full_like(size, c2), square)
    large, small = np.maximum(part, c1), np.minimum(part, c1)
    total = large + small
    total_low = small - (total - large) + part_low + c2 * square_low + c2_low * square + c1_low
    x, x_low = product(size, total)
    e = np.exp(-x) * (1 - x_low - size * total_low)
    y: Array = np.maximum(z, 0) - size * e / (1 + e)
    return y


def silu(z: Array) -> Array:
    return z * sigmoid(z)


def softplus(z: Array) -> Array:
    y: Array = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return y


def mish(z: Array) -> Array:
    y: Array = z * np.tanh(np.log1p(np.exp(np.minimum(z, 100))))
    return y


def leaky_relu(z: Array) -> Array:
    """For the slope 0.01."""
    y: Array = np.where(z > 0, z, z / 100)
    return y


def softsign(z: Array) -> Array:
    y: Array = z / (1 + np.abs(z))
    return y


def hard_sigmoid(z: Array) -> Array:
    y: Array = np.clip(z + 3, 0, 6) / 6
    return y
