"""Dropout and Gaussian noise, and the counter-based random numbers of both.

Every number is a function of seed, step, layer, row and unit: the generator Philox4x32-10 turns the
four words of a counter into four random words, by ten rounds of multiplications, keyed by the seed.
Nothing is remembered, so the numbers do not depend on the order in which they are drawn.

Sources: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011; N. Srivastava et al., "Dropout", JMLR 15 (2014); G. E. P. Box and M. E. Muller,
"A note on the generation of random normal deviates", 1958.
"""

import math
from dataclasses import dataclass

from .vectors import Vector

WORD = 2**32


@dataclass(frozen=True)
class Dropout:
    """Description of dropout: each number is 0 with probability `rate`, in training."""

    rate: float


@dataclass(frozen=True)
class GaussianNoise:
    """Description of noise of a standard deviation that is added in training."""

    deviation: float


@dataclass(frozen=True)
class Counter:
    """The place of a random number, besides its unit."""

    seed: int
    step: int
    layer: int
    row: int


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10: four random words from a counter of four words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, WORD)
        high2, low2 = divmod(0xCD9E8D57 * c2, WORD)
        c0, c1, c2, c3 = high2 ^ c1 ^ k0, low2, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return [c0, c1, c2, c3]


def random_word(at: Counter, unit: int) -> int:
    """Return the random word of a unit.

    32 units share 8 calls: unit i of them has word i / 8 of call i mod 8.
    """
    call = unit // 32 * 8 + unit % 8
    high_row, row = divmod(at.row, WORD)
    high_seed, seed = divmod(at.seed, WORD)
    counter = [call, row, at.step % WORD, (at.layer + (high_row << 16)) % WORD]
    return philox(counter, [seed, high_seed])[unit % 32 // 8]


def dropout_factors(rate: float, at: Counter, units: int) -> Vector:
    """Return the factor of each unit: 0 with probability `rate`, else 1 / (1 − rate)."""
    threshold = math.floor(rate * WORD)
    return [0.0 if random_word(at, unit) < threshold else 1 / (1 - rate) for unit in range(units)]


def normal_numbers(at: Counter, units: int) -> Vector:
    """Return a standard normal number for each unit, two from two words, each of 24 bits.

    With u and t uniform, √(−2 ln u) cos 2πt and √(−2 ln u) sin 2πt are normal and independent.
    """
    numbers = []
    for unit in range(units):
        first = unit - unit % 16 + unit % 8
        u = ((random_word(at, first) >> 8) + 1) / 2**24
        angle = 2 * math.pi * ((random_word(at, first + 8) >> 8) / 2**24 - 0.5)
        radius = math.sqrt(-2 * math.log(u))
        numbers.append(radius * (math.cos(angle) if unit % 16 < 8 else math.sin(angle)))
    return numbers
