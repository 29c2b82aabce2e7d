"""The engine's random orders: permutations that depend only on the seed."""

import itertools
from collections import Counter

import numpy as np
import pytest

from cygrad._engine.training import permute


def permutation(n, seed):
    order = np.full(n, -1)
    permute(order, seed)
    return order.tolist()


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 100, 5003])
def test_every_number_comes_once(n, seed):
    assert sorted(permutation(n, seed)) == list(range(n))


def test_the_seed_decides():
    assert permutation(1000, 2) == permutation(1000, 2)
    assert permutation(1000, 2) != permutation(1000, 3)


def test_a_seed_gives_the_same_order_in_every_version():
    mixed = []
    for i in range(1, 9):  # the same generator and algorithm, in Python integers
        counter = (7 + i * 0x9E3779B97F4A7C15) % 2**64
        counter = (counter ^ counter >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        counter = (counter ^ counter >> 27) * 0x94D049BB133111EB % 2**64
        mixed.append(counter ^ counter >> 31)
    expected = []
    for i, random in enumerate(mixed):
        expected.insert(i, i)
        j = random * (i + 1) >> 64
        expected[i], expected[j] = expected[j], i
    assert permutation(8, 7) == expected


def test_all_orders_are_equally_likely():
    draws = 24_000
    counts = Counter(tuple(permutation(4, seed)) for seed in range(draws))
    assert set(counts) == set(itertools.permutations(range(4)))
    # Each count is binomial with mean 1,000; five standard deviations are 155.
    assert all(abs(count - draws / 24) < 155 for count in counts.values())
