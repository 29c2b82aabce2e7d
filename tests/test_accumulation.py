"""Accumulated steps: the bits of one batch, in the memory of a part of it."""

import copy
import pickle

import numpy as np
import pytest
from bits import assert_same_bits
from test_clipping import network
from tolerances import assert_close

import cygrad as cg
from cygrad import reference
from cygrad._engine import plan

ROWS = 149
RNG = np.random.default_rng(4)
X = RNG.standard_normal((ROWS, 35)).astype(np.float32)
Y = RNG.integers(3, size=ROWS)


def trained(batch: int, **options) -> tuple[np.ndarray, list[float], cg.Trainer]:
    net = network(options.pop("dtype", "float32"))
    optimizer = options.pop("optimizer", cg.Adam(0.01))
    trainer = cg.Trainer(net, optimizer, batch, rng=0, **options)
    return net.parameters, trainer.fit(X, Y, 2).loss, trainer


def assert_same(actual, expected):
    assert_same_bits(actual[2].net.parameters, expected[2].net.parameters)
    assert_same_bits(actual[1], expected[1], "loss")
    assert actual[2].steps == expected[2].steps


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("batch", "accumulate"), [(10, 4), (1, 3), (48, 2), (64, 3), (149, 2)])
def test_a_step_has_the_bits_of_one_batch(batch, accumulate, dtype, threads, isa):
    before = plan.set_costs(barrier=0)
    try:
        for options in {}, {"clip_global_norm": 0.03}, {"optimizer": cg.SGD(0.1, momentum=0.9)}:
            options |= {"dtype": dtype, "threads": threads}
            actual = trained(batch, accumulate=accumulate, **options)
            assert actual[2]._training.division[0] <= batch
            assert_same(actual, trained(min(batch * accumulate, ROWS), **options))
    finally:
        plan.set_costs(**before)


def test_blocks_side_by_side_stay_within_the_memory_of_a_batch():
    before = plan.set_costs(barrier=-1, turn=-(1 << 40), block_rows=48, block_bytes=0)
    try:
        actual = trained(100, accumulate=3, threads=3)
        rows, _, copies = actual[2]._training.division
        assert (rows, copies) == (48, 2)
    finally:
        plan.set_costs(**before)
    assert_same(actual, trained(149))


def test_it_agrees_with_the_reference():
    net = cg.Network(2, [cg.Dense(3, "tanh"), cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    expected = reference.Network(2, [reference.Dense(3, "tanh"), reference.Dense(1)], loss="mse")
    expected.parameters = net.parameters.tolist()
    rows, targets = X[:11, :2].astype(float), X[:11, 2:3].astype(float)
    trainer = reference.Trainer(expected, reference.SGD(0.1), 2, accumulate=3)
    history = trainer.fit(rows.tolist(), targets.tolist(), [range(11)])
    mine = cg.Trainer(net, cg.SGD(0.1), 2, accumulate=3)
    losses = mine.fit(rows, targets, shuffle=False).loss
    assert mine.steps == trainer.steps == 2
    assert_close(net.parameters, expected.parameters, "float64", 100, "parameters")
    assert_close(losses, history.loss, "float64", 100, "loss")


@pytest.mark.parametrize("norm", [cg.BatchNorm, cg.LayerNorm, cg.Scaling])
def test_other_layers_have_the_bits_of_one_batch(norm):
    """Batch norm needs the whole batch at once; random numbers belong to the rows of a step."""
    found = []
    for batch, accumulate in (60, 1), (20, 3), (7, 20):
        layers = [
            cg.Dense(16, "relu"),
            cg.GaussianNoise(0.1),
            cg.Residual([cg.Dense(16, "tanh"), norm(), cg.Dense(16)]),
            cg.Dropout(0.3),
            cg.Dense(3, "softmax"),
        ]
        net = cg.Network(35, layers, loss="cross_entropy", rng=0)
        trainer = cg.Trainer(net, cg.Adam(0.01), batch, rng=0, accumulate=accumulate)
        trainer.fit(X, Y, 2)
        found.append(net.engine.storage.copy())
    assert_same_bits(found[1], found[0])
    assert not np.array_equal(found[2], found[0])


@pytest.mark.parametrize("outputs", [31, 40])
def test_rows_of_many_targets_are_divided_too(outputs):
    targets = np.random.default_rng(1).random((ROWS, outputs))
    found = []
    for batch, accumulate in (10, 5), (50, 1):
        net = cg.Network(35, [cg.Dense(outputs, "sigmoid")], loss="quadratic", rng=0)
        trainer = cg.Trainer(net, cg.Adam(), batch, rng=0, accumulate=accumulate)
        trainer.fit(X, targets)
        assert trainer._training.division[0] == batch
        found.append((net.parameters, trainer.batch_losses))
    for actual, expected in zip(*found, strict=True):
        assert_same_bits(actual, expected)


def test_a_loss_that_is_a_function_gets_the_whole_step():
    found = []
    for batch, accumulate in (10, 5), (50, 1):
        rows = []

        def squares(outputs, targets, rows=rows):
            rows.append(len(outputs))
            return ((outputs - targets) ** 2).sum(1), 2 * (outputs - targets)

        net = cg.Network(35, [cg.Dense(1)], loss=squares, rng=0)
        trainer = cg.Trainer(net, cg.Adam(), batch, rng=0, accumulate=accumulate)
        trainer.fit(X, Y[:, None].astype(np.float32))
        assert rows == [50, 50, 49]
        found.append(net.parameters)
    assert_same_bits(*found)


def test_other_methods():
    whole, parts = (cg.Trainer(network("float32"), cg.Adam(), 60) for _ in range(2))
    parts = cg.Trainer(network("float32"), cg.Adam(), 20, accumulate=3)
    assert whole.partial_fit(X, Y) == parts.partial_fit(X, Y)
    assert whole.steps == parts.steps == 3
    assert whole.step(X, Y) == parts.step(X, Y)
    assert whole.learn_one(X[0], Y[0]) == parts.learn_one(X[0], Y[0])
    assert_same_bits(whole.net.parameters, parts.net.parameters)


def test_a_copy_goes_on_with_the_same_bits():
    trainer = trained(10, accumulate=4, clip_norm=0.01)[2]
    others = [copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))]
    for each in (trainer, *others):
        each.fit(X, Y)
        assert_same_bits(each.net.parameters, trainer.net.parameters)
        assert "batch_size=10, accumulate=4, clip_norm=0.01" in repr(each)


def test_learning_rates_are_those_of_the_steps():
    steps = []

    def rate(step: int) -> float:
        steps.append(step)
        return 0.1

    trained(10, accumulate=4, optimizer=cg.SGD(rate))
    assert sorted(set(steps)) == list(range(8))


@pytest.mark.parametrize("value", [0, -1])
def test_bad_numbers_are_refused(value):
    with pytest.raises(ValueError, match=rf"accumulate is {value}, expected an integer of at"):
        cg.Trainer(network("float32"), cg.Adam(), accumulate=value)
    with pytest.raises(TypeError, match=r"accumulate is 1.5, expected an integer"):
        cg.Trainer(network("float32"), cg.Adam(), accumulate=1.5)
    net = reference.Network(1, [reference.Dense(1)], loss="quadratic")
    with pytest.raises(ValueError, match=rf"accumulate is {value}, expected an integer from 1"):
        reference.Trainer(net, reference.SGD(1.0), accumulate=value)
