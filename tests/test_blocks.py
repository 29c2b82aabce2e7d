"""Large batches in blocks of rows: the bits of one whole batch, however the blocks are divided."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from bits import assert_same_bits
from cases import CASES, Case
from plan_costs import costs
from test_loops import assert_same_training, train_by_engine, train_by_loops

import cygrad as cg
from cygrad._engine import kernels

DTYPES = ("float32", "float64")
BLOCK = 48  # the smallest one
ROWS = 3 * BLOCK + 5


class Division(NamedTuple):
    """Costs with which a batch is divided in one way, and its threads."""

    threads: int
    costs: dict[str, float]
    expected: tuple[int, int, int]  # rows of a block, threads that share it, threads side by side


SMALL_BLOCKS: dict[str, float] = {"block_bytes": 0, "block_rows": BLOCK, "barrier": 0}
DIVISIONS = {
    "one after another": Division(1, SMALL_BLOCKS, (BLOCK, 1, 1)),
    "shared by threads": Division(2, {**SMALL_BLOCKS, "turn": 1 << 40}, (BLOCK, 2, 1)),
    "side by side": Division(3, {**SMALL_BLOCKS, "turn": -(1 << 40), "barrier": -1}, (BLOCK, 1, 3)),
}


def data_of(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Draw the samples of a case, over and over: more rows than three blocks have."""
    data = case.draw(seed=5)
    rows = np.arange(2 * ROWS) % len(data.X)
    return data.X[rows], data.y[rows]


def network_of(case: Case, dtype: str) -> cg.Network:
    net = case.network(dtype)
    net.parameters = case.draw(seed=5).parameters
    return net


@cache
def by_loops(case: Case, dtype: str):
    return train_by_loops(network_of(case, dtype), case.optimizers()[0], *data_of(case), ROWS, 2)


@pytest.mark.parametrize("division", DIVISIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks_have_the_bits_of_the_batch(case, dtype, division, isa):
    threads, changed, _ = DIVISIONS[division]
    with costs(**changed):
        net = network_of(case, dtype)
        trained = train_by_engine(net, case.optimizers()[0], *data_of(case), ROWS, 2, threads)
    assert_same_training(trained, by_loops(case, dtype))


def network(outputs=3, loss="cross_entropy", activation="softmax", **options):
    layers = [cg.Dense(9, "tanh"), cg.Dense(outputs, activation)]
    return cg.Network(4, layers, loss=loss, rng=0, **options)


def samples(rows=ROWS, classes=3):
    rng = np.random.default_rng(1)
    return rng.standard_normal((rows, 4)), rng.integers(classes, size=rows)


@pytest.mark.parametrize("division", DIVISIONS)
def test_a_batch_is_divided_as_the_costs_say(division):
    threads, changed, expected = DIVISIONS[division]
    trainer = cg.Trainer(network(), cg.Adam(), threads=threads)
    with costs(**changed):
        trainer.step(*samples())
    assert trainer._training.division == expected


def test_a_batch_of_many_rows_is_divided_and_a_small_one_is_not():
    trainer = cg.Trainer(network(), cg.Adam(), threads=1)
    trainer.step(*samples(10_000))
    rows = trainer._training.division[0]
    assert 0 < rows < 2000
    assert rows % BLOCK == 0
    small = cg.Trainer(network(), cg.Adam(), threads=1)
    small.step(*samples(32))
    assert small._training.division[0] == 32


# Numbers of outputs: panels, and what is added to them. Losses of rows of targets: one for each
# loop of csrc/output.h.
WIDTHS = ((0, 1), (1, -1), (1, 0), (1, 1), (3, 1))
LOSSES = {
    "quadratic": "sigmoid",
    "log_cosh": "tanh",
    "gaussian_nll": "identity",
    "binary_cross_entropy": "sigmoid",
    "cross_entropy": "softmax",
    "kl_divergence": "softmax",
}


def losses_of(
    loss: str, outputs: int, dtype: str, division: str | None, weighted: bool
) -> list[np.ndarray]:
    """Train in one division, or undivided; return losses and metrics, gradient and parameters."""
    columns = outputs * 2 if loss == "gaussian_nll" else outputs
    X, _ = samples()
    y = np.random.default_rng(outputs).random((ROWS, outputs))
    if LOSSES[loss] == "softmax":
        y /= y.sum(1, keepdims=True)
    weights = np.random.default_rng(2).random(ROWS) if weighted else None
    threads, changed, _ = DIVISIONS[division] if division else (1, {}, None)
    net = network(columns, loss, LOSSES[loss], dtype=dtype)
    trainer = cg.Trainer(net, cg.Adam(0.01), ROWS, threads=threads)
    with costs(**changed):
        history = trainer.fit(X, y, 2, sample_weight=weights, shuffle=False)
        if division:
            assert trainer._training.division[0] == BLOCK
        losses = [trainer.step(X, y), *trainer.batch_losses, *history.loss, *history.metric]
        loss_of_gradient, gradient = net.gradient(X, y, threads=threads)
    return [np.array([*losses, loss_of_gradient]), gradient, net.parameters]


@cache
def losses_by_loops(*arguments) -> list[np.ndarray]:
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        return losses_of(*arguments)
    finally:
        kernels.select_engine(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_targets_of_any_width_have_the_bits_of_the_batch(loss, width, dtype, isa):
    panels, more = width
    outputs = panels * (32 if dtype == "float32" else 16) + more
    if LOSSES[loss] == "softmax":
        outputs = max(outputs, 2)
    for weighted in (False, True):
        expected = losses_by_loops(loss, outputs, dtype, None, weighted)
        for division in (None, *DIVISIONS):
            found = losses_of(loss, outputs, dtype, division, weighted)
            for actual, array in zip(found, expected, strict=True):
                assert_same_bits(actual, array)


@pytest.mark.parametrize("row", [0, BLOCK + 1, ROWS - 1])
@pytest.mark.parametrize("division", DIVISIONS)
def test_a_loss_that_is_not_finite_changes_nothing(division, row):
    threads, changed, _ = DIVISIONS[division]
    net = network(1, "mse", "identity")
    X, _ = samples()
    y = np.zeros(ROWS)
    trainer = cg.Trainer(net, cg.Adam(), threads=threads)
    with costs(**changed):
        trainer.step(X, y)
        before, steps = net.parameters, trainer.steps
        y[row] = 1e30
        with pytest.raises(cg.DivergenceError):
            trainer.step(X, y)
        assert_same_bits(net.parameters, before, "parameters")
        assert trainer.steps == steps
        y[row] = 0
        assert np.isfinite(trainer.step(X, y))


@pytest.mark.parametrize("division", DIVISIONS)
def test_an_interrupt_leaves_whole_steps(division, interrupt):
    threads, changed, _ = DIVISIONS[division]
    X, y = samples(100 * ROWS)
    nets = [network() for _ in range(2)]
    with costs(**changed):
        trainer, twin = (cg.Trainer(net, cg.Adam(), ROWS, threads=threads) for net in nets)
        interrupt(trainer)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(X, y, 10**6, shuffle=False)
        epochs, steps = divmod(trainer.steps, 100)
        assert trainer.steps > 0
        if epochs:
            twin.fit(X, y, epochs, shuffle=False)
        if steps:
            twin.fit(X[: steps * ROWS], y[: steps * ROWS], shuffle=False)
        assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")
        assert trainer.step(X[:9], y[:9]) == twin.step(X[:9], y[:9])


def test_frozen_layers_and_single_steps_in_between():
    X, y = samples()
    found = []
    for changed in {}, *(division.costs for division in DIVISIONS.values()):
        net = network()
        trainer = cg.Trainer(net, cg.SGD(0.1, momentum=0.9), ROWS, threads=3)
        with costs(**changed):
            trainer.step(X, y)
            trainer.learn_one(X[0], y[0])
            net.layers[0].trainable = False
            trainer.step(X, y)
            trainer.step(X[:50], y[:50])
        found.append(net.parameters)
    for parameters in found[1:]:
        assert_same_bits(parameters, found[0], "parameters")


@pytest.mark.parametrize("division", DIVISIONS)
def test_gradients_have_the_bits_of_the_batch(division):
    threads, changed, _ = DIVISIONS[division]
    net = network()
    X, y = samples()
    gradients = net.backward(X, y)  # it keeps all rows, so they are one block
    parts = zip(gradients.weights, gradients.biases, strict=True)
    expected = np.concatenate([array.ravel() for both in parts for array in both])
    with costs(**changed):
        loss, gradient = net.gradient(X, y, threads=threads)
    assert loss == gradients.loss
    assert_same_bits(gradient, expected, "gradient")
