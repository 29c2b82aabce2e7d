"""`Trainer.batch_losses`: the loss of each step of the latest epoch, before its update.

`batch_penalties` are in test_penalty.
"""

import copy
import pickle
import time

import numpy as np
import pytest
from bits import assert_same_bits
from test_blocks import DIVISIONS, costs

import cygrad as cg
from cygrad import reference

ROWS = 349  # batches of 100 rows, and one of 49


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 5)).astype(np.float32), rng.integers(0, 3, ROWS)


def sample_weights():
    """Weights that are all 0 in the second batch of 100 rows."""
    weights = np.random.default_rng(1).uniform(0, 3, ROWS).round(2)
    weights[100:200] = 0
    return weights


X, Y = data()
WEIGHTS = sample_weights()


def trainer_of(reduction="mean", dtype="float32", optimizer=None, batch_size=100, **options):
    layers = [cg.Dense(33, "tanh"), cg.Dense(3, "softmax")]
    net = cg.Network(5, layers, loss="cross_entropy", reduction=reduction, dtype=dtype, rng=0)
    return cg.Trainer(net, optimizer or cg.Adam(0.01), batch_size, rng=0, **options)


def by_steps(trainer, weights=None, rows=100):
    """Return the losses of steps that are done one by one."""
    losses = []
    for start in range(0, ROWS, rows):
        part = slice(start, start + rows)
        of_part = None if weights is None else weights[part]
        if of_part is None or of_part.any():
            losses.append(trainer.step(X[part], Y[part], of_part))
    return losses


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("division", [None, *DIVISIONS])
def test_they_are_the_losses_of_single_steps(division, dtype, reduction, weighted):
    threads, changed, _ = DIVISIONS[division] if division else (1, {}, None)
    weights = WEIGHTS if weighted else None
    expected = by_steps(trainer_of(reduction, dtype), weights)
    assert len(expected) == 4 - weighted
    with costs(**changed):
        for name in ("fit", "partial_fit"):
            trainer = trainer_of(reduction, dtype, threads=threads)
            options = {"shuffle": False} if name == "fit" else {}
            getattr(trainer, name)(X, Y, sample_weight=weights, **options)
            assert_same_bits(trainer.batch_losses, np.array(expected))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_reference_has_the_same(reduction, weighted):
    trainer = trainer_of(reduction, "float64", cg.SGD(0.01))
    net = reference.Network(
        5,
        [reference.Dense(33, "tanh"), reference.Dense(3, "softmax")],
        loss="cross_entropy",
        reduction=reduction,
    )
    net.parameters = trainer.net.parameters.tolist()
    other = reference.Trainer(net, reference.SGD(0.01), 100)
    assert other.batch_losses == []
    weights = WEIGHTS if weighted else None
    trainer.partial_fit(X, Y, weights)
    other.partial_fit(X.tolist(), Y.tolist(), None if weights is None else weights.tolist())
    np.testing.assert_allclose(trainer.batch_losses, other.batch_losses, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_an_epoch_is_their_mean_or_sum(reduction):
    trainer = trainer_of(reduction)
    loss = trainer.fit(X, Y, 2).loss[1]
    total = trainer.batch_losses.sum()
    if reduction == "mean":
        total = np.average(trainer.batch_losses, weights=[100, 100, 100, 49])
    assert total == pytest.approx(loss, rel=1e-14)


def test_before_the_first_epoch_there_are_none():
    trainer = trainer_of()
    assert trainer.batch_losses.shape == (0,)
    assert trainer.batch_losses.dtype == np.float64
    assert trainer.batch_penalties.shape == (0,)
    trainer.step(X, Y)
    trainer.learn_one(X[0], Y[0])
    assert trainer.batch_losses.shape == (0,)


def test_they_are_of_the_latest_epoch_and_a_copy():
    trainer = trainer_of()
    found = []
    trainer.fit(X, Y, 3, callbacks=[lambda trainer, *_: found.append(trainer.batch_losses)])
    assert [len(each) for each in found] == [4, 4, 4]
    assert_same_bits(trainer.batch_losses, found[2])
    assert_same_bits(trainer.batch_penalties, np.zeros(4))
    assert not np.array_equal(found[1], found[2])
    trainer.batch_losses[:] = 0
    trainer.step(X, Y)
    assert_same_bits(trainer.batch_losses, found[2])
    trainer.partial_fit(X[:150], Y[:150])
    assert len(trainer.batch_losses) == 2
    trainer.partial_fit(X[:50], Y[:50], np.zeros(50))
    assert len(trainer.batch_losses) == 0
    with pytest.raises(AttributeError):
        trainer.batch_losses = found[0]


def test_budgets_end_them():
    trainer = trainer_of()
    trainer.fit(X, Y, max_steps=6, shuffle=False)
    assert len(trainer.batch_losses) == 2
    whole = trainer_of()
    whole.fit(X, Y, 2, shuffle=False)
    assert_same_bits(trainer.batch_losses, whole.batch_losses[:2])
    trainer.fit(X, Y, max_seconds=1e-9)
    assert len(trainer.batch_losses) == 1


def test_steps_before_a_divergence_are_recorded():
    bad = np.ones((ROWS, 1))
    bad[250] = 1e300
    for name, options in (("fit", {"shuffle": False}), ("partial_fit", {})):
        net = cg.Network(1, [cg.Dense(1)], loss="mse", dtype="float64", rng=0)
        trainer = cg.Trainer(net, cg.SGD(0.01), 100)
        with pytest.raises(cg.DivergenceError):
            getattr(trainer, name)(bad, bad[:, 0] * 0, **options)
        assert len(trainer.batch_losses) == 2


def pieces():
    """Parts of the data whose steps are those of batches of 100 rows."""
    for start, end in ((0, 200), (200, 300), (300, ROWS)):
        yield X[start:end], Y[start:end], WEIGHTS[start:end]


def test_of_batches_that_are_read_one_after_another():
    expected = by_steps(trainer_of(), WEIGHTS)
    trainer = trainer_of()
    trainer.fit(pieces)
    assert_same_bits(trainer.batch_losses, np.array(expected))
    trainer.fit(pieces)
    assert len(trainer.batch_losses) == 3
    trainer.fit(pieces, max_steps=2)
    assert len(trainer.batch_losses) == 2
    slow = trainer_of()

    def slowly():
        for part in pieces():
            yield part
            time.sleep(0.05)

    slow.fit(slowly, max_seconds=1e-9)
    assert_same_bits(slow.batch_losses, np.array(expected[:1]))


def test_of_many_batches_that_are_read():
    trainer = trainer_of(batch_size=1)
    trainer.fit([(X[i : i + 1], Y[i : i + 1]) for i in range(ROWS)], shuffle=False)
    expected = trainer_of(batch_size=1)
    expected.partial_fit(X, Y)
    assert_same_bits(trainer.batch_losses, expected.batch_losses)


def test_accumulated_batches_are_one_step():
    trainer = trainer_of(batch_size=50, accumulate=2)
    trainer.partial_fit(X, Y)
    assert_same_bits(trainer.batch_losses, np.array(by_steps(trainer_of())))


def test_copies_have_them():
    trainer = trainer_of()
    trainer.fit(X, Y)
    for other in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        assert_same_bits(other.batch_losses, trainer.batch_losses)
        other.partial_fit(X[:200], Y[:200])
        assert len(other.batch_losses) == 2
    assert len(trainer.batch_losses) == 4
