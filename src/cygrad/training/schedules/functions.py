"""Powers, logarithms and cosines with the same bits on every machine."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LN_2 = 0.6931471805599453


def integer_powers(base: float, exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return base ** exponents, by repeated squaring."""
    powers = np.ones(exponents.shape)
    while exponents.any():
        powers[exponents & 1 == 1] *= base
        base *= base
        exponents = exponents >> 1
    return powers


def real_power(bases: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Return bases ** exponent, for numbers of at least 0.

    Squares give the whole part of the exponent, and one square root each binary digit of the rest:
    x^0.75 = √x · √√x.
    """
    whole = int(exponent)
    powers = np.ones_like(bases)
    squares = bases
    while whole:
        if whole & 1:
            powers = powers * squares
        whole >>= 1
        if whole:
            squares = squares * squares
    rest = exponent - int(exponent)
    roots = bases
    while rest:
        rest *= 2
        roots = np.sqrt(roots)
        if rest >= 1:
            powers = powers * roots
            rest -= 1
    return powers


def octave_distances(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |log₂ x − k|, with the integer k nearest to log₂ x, for numbers above 0.

    Powers of 2 give 0, to the bit.
    """
    mantissas, _ = np.frexp(numbers)
    mantissas = np.where(mantissas < sqrt(0.5), 2 * mantissas, mantissas)  # from √½ to √2
    # ln m = 2 artanh((m − 1) / (m + 1)), by its series to power 21, exact up to rounding.
    ratios = (mantissas - 1) / (mantissas + 1)
    squares = ratios * ratios
    tail = np.zeros_like(ratios)
    for power in range(21, 0, -2):
        tail = 1 / power + squares * tail
    distances: NDArray[np.float64] = np.abs(ratios * tail) * (2 / LN_2)
    return np.minimum(distances, 0.5)


def cosine_weights(done: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (1 + cos(π x)) / 2 for x from 0 to 1; 1 and 0 at both ends, to the bit."""
    # It is 1 − sin²(π x / 2) = sin²(π (1 − x) / 2).
    squares = _sine(np.minimum(done, 1 - done) * (pi / 2)) ** 2
    return np.where(done < 0.5, 1 - squares, squares)


def _sine(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sin of angles from 0 to π/4: Taylor's series to power 17, exact up to rounding."""
    squares = angles * angles
    tail = np.ones_like(angles)
    for power in range(16, 0, -2):
        tail = 1 - squares / (power * (power + 1)) * tail
    return angles * tail
