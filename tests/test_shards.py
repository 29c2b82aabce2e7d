"""The order of samples in shards: which rows each shard gives to each step, and the training."""

import copy
import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from bits import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

import cygrad as cg
from cygrad._engine.training import permute
from cygrad.training.order import Order
from cygrad.training.shards import ROWS_AT_ONCE, Share

SMALL = [
    (n, shards, step_rows)
    for n in range(1, 15)
    for shards in range(1, n + 3)
    for step_rows in range(1, n + 2)
]


def assigned(n, shards, step_rows):
    """Return the order of the rows without shuffling, as lists of the shards' rows per step.

    Rows are taken one after another from the shards, in turn, and sorted within a step.
    """
    parts = [part.tolist() for part in np.array_split(np.arange(n), shards)]
    left = [list(part) for part in parts]
    turns = itertools.cycle(range(shards))
    steps = []
    while any(left):
        step = [[] for _ in range(shards)]
        while any(left) and sum(map(len, step)) < step_rows:
            shard = next(turns)
            if left[shard]:
                step[shard].append(left[shard].pop(0))
        steps.append(step)
    return parts, steps


# The division


@pytest.mark.parametrize("n", range(1, 15))
def test_the_steps_take_their_rows_from_the_shards_in_turn(n):
    for _, shards, step_rows in (case for case in SMALL if case[0] == n):
        parts, steps = assigned(n, shards, step_rows)
        whole = Share(n, shards, step_rows)
        expected = [row for step in steps for part in step for row in part]
        assert whole.order(None).tolist() == expected
        for first, end in itertools.combinations_with_replacement(range(shards + 1), 2):
            share = Share(n, shards, step_rows, first, end)
            own = [row for part in parts[first:end] for row in part]
            assert list(share.rows) == own
            places, counts = share.steps()
            assert places.tolist() == [sum(map(len, step[:first])) for step in steps]
            assert counts.tolist() == [sum(map(len, step[first:end])) for step in steps]
            given = [row for step in steps for part in step[first:end] for row in part]
            assert [share.rows[position] for position in share.order(None)] == given


@pytest.mark.parametrize("n", range(1, 15))
def test_the_properties_of_the_steps(n):
    for _, shards, step_rows in (case for case in SMALL if case[0] == n):
        given = [Share(n, shards, step_rows, s, s + 1).steps()[1] for s in range(shards)]
        counts = np.array(given)  # [shards, steps]
        assert counts.min() >= 0
        assert counts.sum() == n
        assert (counts.sum(axis=0)[:-1] == step_rows).all()
        assert np.ptp(counts, axis=0).max() <= 1
        sizes = counts.sum(axis=1)
        assert sizes.tolist() == sorted(sizes, reverse=True)
        assert np.ptp(sizes) <= 1


@given(
    st.integers(1, 3000),
    st.integers(1, 100) | st.integers(1, 3100),
    st.integers(1, 4000),
    st.none() | st.integers(0, 2**64 - 1),
    st.data(),
)
def test_shares_together_are_the_whole_order(n, shards, step_rows, drawn, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, shards), max_size=4)))
    whole = Share(n, shards, step_rows).order(drawn)
    assert sorted(whole.tolist()) == list(range(n))
    found = np.full(n, -1)
    for first, end in itertools.pairwise([0, *cuts, shards]):
        share = Share(n, shards, step_rows, first, end)
        places, counts = share.steps()
        begins = np.arange(0, n, step_rows) + places
        taken = np.concatenate([np.arange(b, b + c) for b, c in zip(begins, counts, strict=True)])
        assert (found[taken] == -1).all()
        found[taken] = share.rows.start + share.order(drawn)
    assert_same_bits(found, whole)


@pytest.mark.parametrize(("shards", "step_rows"), [(1, 7), (2, 64), (3, 2), (300, 1000)])
def test_large_shards(shards, step_rows):
    n = 5 * ROWS_AT_ONCE + 3
    places = np.arange(n)
    steps, owners = places // step_rows, places % shards
    sizes = np.bincount(owners)
    rows = (np.cumsum(sizes) - sizes)[owners] + places // shards
    assert_same_bits(Share(n, shards, step_rows).order(None), rows[np.lexsort((owners, steps))])


@pytest.mark.parametrize("at_once", [1, 7, 40, 1 << 20])
def test_rows_at_once_change_no_order(at_once, monkeypatch):
    for shards, drawn in itertools.product((1, 3, 30, 100), (None, 5)):
        share = Share(100, shards, 9, shards // 3)
        expected = share.order(drawn)
        with monkeypatch.context() as patch:
            patch.setattr("cygrad.training.shards.ROWS_AT_ONCE", at_once)
            assert_same_bits(share.order(drawn), expected)


# The random order


def test_a_seed_gives_the_same_order_in_every_version():
    order = Share(11, 3, 4).order(5)
    expected = []
    parts = []
    for shard, size in enumerate([4, 4, 3]):
        mixed = shard * 0x9E3779B97F4A7C15 % 2**64
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        part = np.empty(size, np.int64)
        permute(part, 5 ^ mixed ^ mixed >> 31)
        parts.append((part + 4 * shard).tolist())
    for counts in [2, 1, 1], [1, 2, 1], [1, 1, 1]:
        for part, count in zip(parts, counts, strict=True):
            expected += [part.pop(0) for _ in range(count)]
    assert order.tolist() == expected


@pytest.mark.parametrize("drawn", [0, 5, 2**64 - 1])
def test_one_shard_has_the_ordinary_order(drawn):
    expected = np.empty(100, np.int64)
    permute(expected, drawn)
    assert_same_bits(Share(100, 1, 7).order(drawn), expected)


def test_orders_of_shards_are_independent():
    """All pairs of orders of two shards are equally likely, over many epochs."""
    draws = 7200
    counts = Counter()
    for drawn in np.random.default_rng(0).integers(0, 2**64, draws, np.uint64):
        order = Share(6, 2, 6).order(int(drawn))
        counts[tuple(order.tolist())] += 1
    assert len(counts) == 36
    # Each count is binomial with mean 200; five standard deviations are 70.
    assert all(abs(count - draws / 36) < 70 for count in counts.values())


def test_no_two_shards_have_the_same_order():
    order = Share(64 * 50, 64, 3200).order(1).reshape(64, 50) % 50
    assert len({tuple(part) for part in order.tolist()}) == 64


def test_more_shards_than_rows():
    for drawn in None, 3:
        expected = Share(5, 5, 2).order(drawn)
        assert_same_bits(Share(5, 10**30, 2).order(drawn), expected)
        assert_same_bits(Share(5, 5, 10**30).order(drawn), Share(5, 5, 5).order(drawn))
    empty = Share(5, 9, 2, 7, 9)
    assert (len(empty.rows), len(empty.order(3)), empty.steps()[1].sum()) == (0, 0, 0)


def test_an_array_is_filled():
    out = np.full(10, -1)
    assert Share(10, 3, 4).order(3, out) is out
    assert_same_bits(out, Share(10, 3, 4).order(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1), "n is 0, expected an integer of at least 1"),
        ((5, 0, 1), "shards is 0, expected an integer of at least 1"),
        ((5, 1, 0), "step_rows is 0, expected"),
        ((5, 3, 1, -1), "first is -1, expected an integer from 0 to 3"),
        ((5, 3, 1, 2, 4), "end is 4, expected an integer from 0 to 3"),
        ((5, 3, 1, 2, 1), "first is 2, expected an integer from 0 to 1"),
    ],
)
def test_shares_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Share(*arguments)


# Training

RNG = np.random.default_rng(0)
ROWS = 61
X, Y = RNG.normal(size=(ROWS, 3)), RNG.integers(0, 2, ROWS)
WEIGHTS = np.where(np.arange(ROWS) % 5, 1.5, 0.0)


def trainer(batch_size=8, **options):
    layers = [cg.Dense(4, "tanh"), cg.Dropout(0.2), cg.Dense(2, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", dtype="float64", rng=0)
    return cg.Trainer(net, cg.Adam(0.05), batch_size, **{"rng": 1, **options})


def orders(own, n, step_rows, epochs):
    """Return the orders that a trainer is about to draw."""
    drawn = copy.deepcopy(own)
    return [Share(n, own.shards, step_rows).order(drawn.draw()) for _ in range(epochs)]


def assert_same(one, other):
    assert_same_bits(one.net.parameters, other.net.parameters)
    assert one.history.loss == other.history.loss
    assert one.steps == other.steps
    assert_same_bits(one.batch_losses, other.batch_losses)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("shards", [1, 2, 7, 61, 1000])
def test_the_order_is_that_of_sorted_samples(shards, weights, threads):
    one, other = trainer(shards=shards, threads=threads), trainer(threads=3 - threads)
    expected = iter(orders(one, ROWS, 8, 3))
    one.fit(X, Y, 3, sample_weight=weights)
    other.fit(X, Y, 3, shuffle=lambda n: next(expected), sample_weight=weights)
    assert_same(one, other)
    assert next(expected, None) is None


def test_threads_and_seeds():
    wide = np.random.default_rng(1).normal(size=(500, 256)).astype(np.float32)
    labels = np.arange(500) % 5

    def fitted(**options):
        layers = [cg.Dense(256, "relu"), cg.Dense(5, "softmax")]
        net = cg.Network(256, layers, loss="cross_entropy", rng=0)
        own = cg.Trainer(net, cg.Adam(), 100, shards=4, **options)
        own.fit(wide, labels, 2)
        return own

    one = fitted(rng=3, threads=1)
    assert_same(fitted(rng=3, threads=2), one)
    other = fitted(rng=4, threads=1)
    assert other.net.parameters.tobytes() != one.net.parameters.tobytes()


def test_one_shard_has_the_bits_of_none():
    one, other = trainer(shards=1), trainer()
    for shuffle in True, False:
        for each in one, other:
            each.fit(X, Y, 2, shuffle=shuffle)
        assert_same(one, other)
    more = trainer(shards=2)
    more.fit(X, Y, 4)
    assert more.net.parameters.tobytes() != one.net.parameters.tobytes()


@pytest.mark.parametrize("accumulate", [1, 3])
def test_without_shuffling_each_shard_has_its_order(accumulate):
    one, other = trainer(4, shards=5, accumulate=accumulate), trainer(4, accumulate=accumulate)
    before = one.stream.state
    one.fit(X, Y, 2, shuffle=False)
    order = Share(ROWS, 5, 4 * accumulate).order(None)
    other.fit(X[order], Y[order], 2, shuffle=False)
    assert_same(one, other)
    assert one.stream.state == before


def test_batches_whose_weights_are_zero_are_no_steps():
    weights = np.zeros(ROWS)
    weights[[3, 40, 41]] = 2.0
    for shuffle in True, False:
        one, other = trainer(4, shards=3), trainer(4)
        order = orders(one, ROWS, 4, 1)[0] if shuffle else Share(ROWS, 3, 4).order(None)
        one.fit(X, Y, sample_weight=weights, shuffle=shuffle)
        steps = {int(np.flatnonzero(order == row)[0]) // 4 for row in (3, 40, 41)}
        assert one.steps == len(steps)
        other.fit(X[order], Y[order], sample_weight=weights[order], shuffle=False)
        assert_same(one, other)


def test_a_part_of_the_rows_is_divided():
    rows = np.random.default_rng(5).permutation(ROWS)[:40]
    one, other = trainer(shards=3), trainer(shards=3)
    one.fit(X, Y, 2, rows=rows)
    other.fit(X[rows], Y[rows], 2)
    assert_same(one, other)


def test_validation_rows_are_taken_away_before():
    from cygrad.training.validation import split

    one, other = trainer(shards=3), trainer(shards=3)
    rows, held_out = split(ROWS, 11, Y, one._seeds.of("validation"))
    one.fit(X, Y, 2, validation=11)
    other.fit(X[rows], Y[rows], 2, X_val=X[held_out], y_val=Y[held_out])
    assert_same(one, other)
    assert one.history.val_loss == other.history.val_loss


def test_many_epochs_at_once_and_one_by_one():
    one, other = trainer(shards=3), trainer(shards=3)
    one.fit(X, Y, 6)
    for _ in range(6):
        other.fit(X, Y)
    assert_same_bits(one.net.parameters, other.net.parameters)
    third = trainer(shards=3)
    third.fit(X, Y, 6, callbacks=[lambda *_: False])
    assert_same(third, one)


def test_a_budget_of_steps_takes_the_first_rows():
    for shuffle in True, False:
        one, other = trainer(shards=3), trainer()
        drawn = orders(one, ROWS, 8, 2)
        taken = iter(drawn if shuffle else [Share(ROWS, 3, 8).order(None)] * 2)
        one.fit(X, Y, max_steps=11, shuffle=shuffle)
        other.fit(X, Y, max_steps=11, shuffle=lambda n, taken=taken: next(taken))
        assert_same(one, other)


def test_copies_and_their_text():
    one = trainer(shards=3)
    assert "batch_size=8, shards=3, steps=0" in repr(one)
    assert "shards" not in repr(trainer())
    assert (one.shards, trainer().shards) == (3, None)
    one.fit(X, Y)
    for each in copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one)):
        assert each.shards == 3
    others = [copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    one.fit(X, Y, 2)
    for each in others:
        each.fit(X, Y, 2)
        assert_same(each, one)


def test_a_training_that_begins_anew():
    one, other = trainer(shards=3), trainer(shards=3)
    one.fit(X, Y, 2)
    one.fit(X, Y, 2, reset=True)
    # The network was made with 0, and `reset` draws it with the trainer's 1.
    other.reset()
    other.fit(X, Y, 2)
    assert_same(one, other)


def test_other_methods_take_rows_in_their_order():
    one, other = trainer(shards=3), trainer()
    assert one.partial_fit(X, Y) == other.partial_fit(X, Y)
    assert one.step(X, Y) == other.step(X, Y)
    assert one.learn_one(X[0], Y[0]) == other.learn_one(X[0], Y[0])
    assert_same_bits(one.net.parameters, other.net.parameters)


def test_networks_trained_side_by_side_have_their_shards():
    trainers = [trainer(shards=3, rng=seed) for seed in range(3)]
    cg.fit_many(trainers, X, Y, epochs=3)
    for seed, own in enumerate(trainers):
        alone = trainer(shards=3, rng=seed)
        alone.fit(X, Y, 3)
        assert_same(own, alone)


def test_the_order_is_one_array():
    order = Order(ROWS, None, True, 4, 8)
    first = order.draw(1, ROWS)
    before = first.copy()
    assert order.draw(2, ROWS) is first
    assert (first != before).any()
    assert order.needs_python
    in_order = Order(ROWS, None, False, 4, 8)  # needs no random number, and takes none
    assert_same_bits(in_order.draw(5, ROWS), Share(ROWS, 4, 8).order(None))


def test_what_has_no_shards_is_refused():
    for shards in (0, -2):
        with pytest.raises(ValueError, match=f"shards is {shards}, expected an integer of at l"):
            trainer(shards=shards)
    for shards in (True, 2.0, "2"):
        with pytest.raises(TypeError, match=f"shards is {shards!r}, expected an integer"):
            trainer(shards=shards)
    one = trainer(shards=2)
    before = one.net.parameters
    with pytest.raises(ValueError, match=r"shuffle is <.*and the trainer's shards is 2.*expected"):
        one.fit(X, Y, shuffle=lambda n: range(n))
    with pytest.raises(ValueError, match="shards is 2 and X are batches, expected shards with X, "):
        one.fit([(X, Y)])
    assert_same_bits(one.net.parameters, before)


def test_lbfgs_is_refused():
    pytest.importorskip("scipy")
    net = cg.Network(3, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    with pytest.raises(ValueError, match="shards is 2 and optimizer is LBFGS"):
        cg.Trainer(net, cg.LBFGS(), shards=2).fit(X, Y)
