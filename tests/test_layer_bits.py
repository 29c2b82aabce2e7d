"""The bits of layers that are not dense: those of the plain loops, everywhere."""

from functools import cache

import numpy as np
import pytest
from bits import assert_same_bits
from layer_cases import LAYERS, network, samples
from plan_costs import costs

import cygrad as cg
from cygrad._engine import kernels

DTYPES = ("float32", "float64")
BATCH = 61  # of which the last one of 122 rows is full, and no block of rows


def trained(name, dtype, threads=1, **options):
    """Train on 122 rows, and return all that is left."""
    X, y = samples(122)
    net = network(name, dtype)
    trainer = cg.Trainer(net, cg.Adam(0.02), BATCH, rng=3, threads=threads, **options)
    history = trainer.fit(X, y, 2)
    results = [net.engine.storage.copy(), np.array(history.loss), net.forward(X)]
    for gradients in net.backward(X, y, training=True, step=7), net.backward(X, y):
        for part in ("weights", "biases", "deltas", "activations"):
            results += [array for array in getattr(gradients, part) if array is not None]
        results.append(gradients.inputs)
    return [*results, np.array(list(net.evaluate(X, y).values()))]


@cache
def by_loops(name, dtype):
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        return trained(name, dtype)
    finally:
        kernels.select_engine(before)


def assert_same(results, expected):
    assert len(results) == len(expected)
    for result, array in zip(results, expected, strict=True):
        assert_same_bits(result, array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_kernels_have_the_bits_of_the_loops(name, dtype, isa):
    assert_same(trained(name, dtype), by_loops(name, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_threads_have_the_bits_of_one(name, dtype):
    with costs(barrier=0):
        assert_same(trained(name, dtype, threads=3), by_loops(name, dtype))


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_blocks_of_rows_have_the_bits_of_the_batch(name, dtype, side_by_side):
    X, y = samples(307)

    def train(threads):
        net = network(name, dtype)
        cg.Trainer(net, cg.Adam(0.02), 150, rng=3, threads=threads).fit(X, y, 2)
        return net.engine.storage.copy()

    whole = train(1)
    turn = -(1 << 40) if side_by_side else 1 << 40
    with costs(block_bytes=0, block_rows=48, barrier=-1 if side_by_side else 0, turn=turn):
        assert_same_bits(train(3), whole)


@pytest.mark.parametrize("clip", [{"clip_global_norm": 0.1}, {"clip_norm": 0.05}])
@pytest.mark.parametrize("name", ["batch norm", "frozen norms", "scaling", "all"])
def test_clipping_has_the_bits_of_the_loops(name, clip, isa):
    expected = trained(name, "float32", **clip)
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        assert_same(trained(name, "float32", **clip), expected)
    finally:
        kernels.select_engine(before)


@pytest.mark.parametrize("name", LAYERS)
def test_clipping_far_below_the_limit_changes_no_bit(name):
    assert_same(trained(name, "float64", clip_global_norm=1e6), by_loops(name, "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_row_alone_has_the_bits_of_a_row_in_a_batch(name, dtype):
    X, y = samples(300)
    net = network(name, dtype)
    cg.Trainer(net, cg.Adam(0.02), 32, rng=3).fit(X[:96], y[:96], 1)
    outputs = net.forward(X)
    for row in (0, 47, 255, 299):
        assert_same_bits(net.forward(X[row : row + 1])[0], outputs[row])
        assert net.predict_one(X[row]) == net.predict(X)[row]


@pytest.mark.parametrize("name", LAYERS)
def test_training_continues_to_the_bit(name):
    X, y = samples(64)
    net, parts = network(name), network(name)
    cg.Trainer(net, cg.Adam(0.02), 16, rng=3).fit(X, y, 4)
    trainer = cg.Trainer(parts, cg.Adam(0.02), 16, rng=3)
    trainer.fit(X, y, 2)
    trainer.fit(X, y, 2)
    assert_same_bits(parts.engine.storage, net.engine.storage)


def test_random_numbers_depend_on_seed_and_step_but_not_on_the_batch():
    X, y = samples(64)
    net = network("dropout")
    _, first = net.gradient(X, y, training=True, step=1)
    assert_same_bits(net.gradient(X, y, training=True, step=1)[1], first)
    assert (net.gradient(X, y, training=True, step=2)[1] != first).any()
    kept = net.backward(X, y, training=True, step=1).activations[0] != 0
    assert_same_bits(
        net.backward(X[:17], y[:17], training=True, step=1).activations[0] != 0, kept[:17]
    )
    results = []
    for seed in (0, 1):
        trained_net = network("dropout")
        cg.Trainer(trained_net, cg.SGD(0.1), 64, rng=seed).fit(X, y, 1, shuffle=False)
        results.append(trained_net.parameters)
    assert (results[0] != results[1]).any()
