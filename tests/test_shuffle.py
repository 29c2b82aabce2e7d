"""Orders of the samples: the engine's, which depend only on the seed, and those of functions."""

import itertools
from collections import Counter

import numpy as np
import pytest

import cygrad as cg
from cygrad._engine.training import is_permutation, permute


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


# Orders from a function

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(37, 3)), RNG.integers(0, 2, 37)
WEIGHTS = np.where(np.arange(37) % 5, 1.5, 0.0)


def trainer(**options):
    layers = [cg.Dense(4, "tanh"), cg.Dense(2, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", dtype="float64", rng=0)
    return cg.Trainer(net, cg.Adam(0.05), 8, rng=1, **options)


class Orders:
    """Draw orders as scikit-learn's MLP does; keep them."""

    def __init__(self):
        self.random = np.random.RandomState(4)
        self.drawn = []

    def __call__(self, n):
        order = np.arange(n)
        self.random.shuffle(order)
        self.drawn.append(order)
        return order


def bits(trainer):
    return trainer.net.parameters.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_an_order_is_that_of_sorted_samples(weights, threads):
    orders = Orders()
    one, other = trainer(threads=threads), trainer()
    history = one.fit(X, Y, 3, shuffle=orders, sample_weight=weights)
    assert [len(order) for order in orders.drawn] == [37] * 3
    losses = []
    for order in orders.drawn:
        of_order = None if weights is None else weights[order]
        losses += other.fit(X[order], Y[order], shuffle=False, sample_weight=of_order).loss
    assert bits(one) == bits(other)
    assert history.loss == losses


def test_the_order_of_a_part_has_positions_in_it():
    orders = Orders()
    one, other, third = trainer(), trainer(), trainer()
    one.fit(X, Y, 2, validation=7, shuffle=orders)
    assert [len(order) for order in orders.drawn] == [30, 30]
    other.fit(X, Y, 2, validation=7, shuffle=lambda n: range(n))
    third.fit(X, Y, 2, validation=7, shuffle=False)
    assert bits(other) == bits(third) != bits(one)
    from cygrad.training.validation import split

    rows, _ = split(37, 7, Y, other._seeds.of("validation"))
    copy = trainer()
    for order in orders.drawn:
        copy.fit(X[rows[order]], Y[rows[order]], shuffle=False)
    assert bits(copy) == bits(one)


def test_a_budget_of_steps_takes_the_first_rows_of_an_order():
    orders = Orders()
    one, other = trainer(), trainer()
    history = one.fit(X, Y, max_steps=7, shuffle=orders)
    assert (len(orders.drawn), one.steps, history.partial_steps) == (2, 7, 2)
    first, second = orders.drawn
    other.fit(X[first], Y[first], shuffle=False)
    other.fit(X[second[:16]], Y[second[:16]], shuffle=False)
    assert bits(one) == bits(other)


def test_a_function_leaves_the_stream_of_the_trainer():
    one, other = trainer(), trainer()
    one.fit(X, Y, 2, shuffle=lambda n: np.arange(n))
    other.fit(X, Y, 2, shuffle=False)
    one.fit(X, Y)
    other.fit(X, Y)
    assert bits(one) == bits(other)


@pytest.mark.parametrize(
    "convert",
    [
        list,
        lambda order: order.astype(np.int32),
        lambda order: order.astype(np.uint64),
        lambda order: np.repeat(order, 2)[::2],
        lambda order: pytest.importorskip("pandas").Series(order),
    ],
    ids=["list", "int32", "uint64", "strided", "series"],
)
def test_kinds_of_orders(convert):
    one, other = trainer(), trainer()
    one.fit(X, Y, 2, shuffle=lambda n: convert(np.arange(n)[::-1]))
    other.fit(X, Y, 2, shuffle=lambda n: np.arange(n)[::-1])
    assert bits(one) == bits(other)


def test_an_order_that_is_returned_again_stays():
    order = np.arange(37)[::-1].copy()
    trainer().fit(X, Y, 2, shuffle=lambda n: order)
    assert (order == np.arange(37)[::-1]).all()


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        (np.arange(36), ValueError, r"shuffle\(37\) has shape \(36,\), expected \(37,\)"),
        (np.arange(37)[:, None], ValueError, r"shuffle\(37\) has shape \(37, 1\)"),
        (None, TypeError, r"shuffle\(37\) has dtype object, expected integers"),
        (np.arange(37.0), TypeError, r"shuffle\(37\) has dtype float64, expected integers"),
        (np.arange(37) > 3, TypeError, r"shuffle\(37\) has dtype bool, expected integers"),
        (np.arange(37) + 1, ValueError, r"expected each of 0 to 36 once"),
        (np.arange(37) - 1, ValueError, r"expected each of 0 to 36 once"),
        ([0, *range(36)], ValueError, r"expected each of 0 to 36 once"),
        (
            np.arange(37).astype(np.uint64) + np.uint64(2**63),
            ValueError,
            r"expected each of 0 to 36 once",
        ),
    ],
)
def test_what_is_no_order_is_refused(order, error, message):
    one = trainer()
    before = bits(one)
    with pytest.raises(error, match=message):
        one.fit(X, Y, shuffle=lambda n: order)
    assert bits(one) == before
    one.fit(X, Y)  # still usable


def test_an_error_of_the_function_ends_the_training_after_an_epoch():
    one, other = trainer(), trainer()

    def shuffle(n):
        if len(one.history) == 2:
            raise LookupError("no third order")
        return np.arange(n)

    with pytest.raises(LookupError, match="no third order"):
        one.fit(X, Y, 4, shuffle=shuffle)
    other.fit(X, Y, 2, shuffle=False)
    assert bits(one) == bits(other)
    assert len(one.history) == 2


def test_shuffle_is_a_flag_or_a_function():
    with pytest.raises(TypeError, match="shuffle is 1, expected True, False or a function"):
        trainer().fit(X, Y, shuffle=1)


def test_the_order_of_batches():
    read = []

    class Batches:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            read.append(index)
            return X[9 * index : 9 * index + 9], Y[9 * index : 9 * index + 9]

    drawn = iter([[2, 0, 3, 1], [1, 2, 3, 0]])
    trainer().fit(Batches(), epochs=2, shuffle=lambda n: next(drawn))
    assert read == [2, 0, 3, 1, 1, 2, 3, 0]
    with pytest.raises(ValueError, match=r"shuffle\(4\) has shape \(37,\)"):
        trainer().fit(Batches(), shuffle=lambda n: range(37))


@pytest.mark.parametrize("source", [iter([(X, Y)]), lambda: [(X, Y)]], ids=["iterator", "function"])
def test_batches_without_numbers_have_no_other_order(source):
    one = trainer()
    with pytest.raises(ValueError, match=r"shuffle is <.*expected a sequence"):
        one.fit(source, shuffle=lambda n: range(n))
    one.fit(source)  # it was not begun


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_permutations_are_recognised(n):
    order = np.random.default_rng(n).permutation(n)
    assert is_permutation(order)
    for place in {0, n // 2, n - 1}:
        for number in (-1, n, -(2**63), 2**63 - 1, *([order[place - 1]] if n > 1 else [])):
            other = order.copy()
            other[place] = number
            assert not is_permutation(other)
