"""The engine's shuffle: a permutation that depends on nothing but its random numbers."""

import itertools
from collections import Counter

import numpy as np
import pytest

from cygrad._engine.engine import shuffle


def shuffled(n, seed):
    order = np.arange(n)
    shuffle(order, np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64))
    return order


@pytest.mark.parametrize("n", [1, 2, 3, 100, 5003])
def test_it_is_a_permutation(n):
    assert sorted(shuffled(n, 1)) == list(range(n))


def test_the_same_numbers_give_the_same_order():
    assert np.array_equal(shuffled(1000, 2), shuffled(1000, 2))
    assert not np.array_equal(shuffled(1000, 2), shuffled(1000, 3))


def test_the_extreme_numbers_choose_the_first_and_the_last():
    stay = np.arange(5)
    shuffle(stay, np.full(5, 2**64 - 1, np.uint64))
    assert stay.tolist() == [0, 1, 2, 3, 4]
    turn = np.arange(5)
    shuffle(turn, np.zeros(5, np.uint64))
    assert turn.tolist() == [1, 2, 3, 4, 0]


def test_all_orders_are_equally_likely():
    draws = 24_000
    counts = Counter(tuple(shuffled(4, seed).tolist()) for seed in range(draws))
    assert set(counts) == set(itertools.permutations(range(4)))
    # Each count is binomial with mean 1,000; five standard deviations are 155.
    assert all(abs(count - draws / 24) < 155 for count in counts.values())
