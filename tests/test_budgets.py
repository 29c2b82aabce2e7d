"""Budgets of `Trainer.fit`: steps, seconds and epochs, clipped batches, and beginning anew."""

import pickle
import time

import numpy as np
import pytest

import cygrad as cg
from cygrad.training.schedules import CosineDecay, ExponentialDecay, LinearDecay, PerEpoch


def _data(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def _network(rng=0, **first_layer):
    layers = [cg.Dense(5, "tanh", **first_layer), cg.Dense(2, "softmax")]
    return cg.Network(3, layers, loss="cross_entropy", dtype="float64", rng=rng)


X, Y = _data()


def _trainer(optimizer=None, batch_size=8, net=None):
    optimizer = optimizer or cg.Adam(0.05)
    return cg.Trainer(net or _network(), optimizer, batch_size, rng=3)


def _bits(trainer):
    return trainer.net.parameters.tobytes()


# Steps and seconds


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("steps", "epochs", "partial"), [(3, 1, 3), (7, 1, 0), (16, 3, 2)])
def test_a_budget_of_steps_ends_between_two_steps(steps, epochs, partial, shuffle):
    trainer = _trainer()
    history = trainer.fit(X, Y, max_steps=steps, shuffle=shuffle)
    assert trainer.steps == steps
    assert len(history) == epochs
    assert history.partial_steps == partial
    assert history.stopped == "max_steps"
    # The steps are those of whole epochs.
    whole = _trainer()
    if partial < 7 and partial:
        order = np.arange(50)
        if shuffle:
            from cygrad._engine.training import permute

            stream = whole._shuffling.bit_generator
            for _ in range(epochs - 1):
                stream.random_raw()
            permute(order, stream.random_raw())
            whole = _trainer()
        if epochs > 1:
            whole.fit(X, Y, epochs - 1, shuffle=shuffle)
        for step in range(partial):
            rows = order[8 * step : 8 * step + 8]
            whole.step(X[rows], Y[rows])
    else:
        whole.fit(X, Y, epochs, shuffle=shuffle)
    assert _bits(whole) == _bits(trainer)


def test_a_partial_epoch_has_the_averages_of_its_own_rows():
    """At learning rate 0 the loss of three batches is that of their rows."""
    trainer = _trainer(cg.SGD(0))
    history = trainer.fit(X, Y, 5, max_steps=3, shuffle=False)
    assert history.loss == pytest.approx([trainer.net.evaluate(X[:24], Y[:24])["loss"]], rel=1e-13)
    assert history.metric == [trainer.net.evaluate(X[:24], Y[:24])["accuracy"]]


def test_epochs_end_a_budget_that_is_not_spent():
    history = _trainer().fit(X, Y, 2, max_steps=1000, max_seconds=1000)
    assert (len(history), history.stopped, history.partial_steps) == (2, "epochs", 0)
    assert _trainer().fit(X, Y).stopped == "epochs"


def test_a_callback_is_the_reason_if_it_stopped_the_training():
    trainer = _trainer()
    assert trainer.fit(X, Y, 9, callbacks=[lambda *_: True]).stopped == "callback"
    assert trainer.fit(X, Y, 9, max_steps=3, callbacks=[lambda *_: True]).stopped == "max_steps"


def test_without_a_reason_there_was_an_error():
    def fail(*_):
        raise OSError

    trainer = _trainer()
    with pytest.raises(OSError):  # noqa: PT011 (it has no message)
        trainer.fit(X, Y, callbacks=[fail])
    assert trainer.history.stopped is None


def test_a_budget_of_time_ends_within_an_epoch():
    """An epoch of this training takes many seconds."""
    data = np.random.default_rng(0).random((200_000, 64), np.float32)
    net = cg.Network(64, [cg.Dense(1024, "relu"), cg.Dense(64)], loss="mse", rng=0)
    trainer = cg.Trainer(net, cg.Adam(1e-4), 8, rng=0, threads=1)
    begin = time.monotonic()
    history = trainer.fit(data, data, 3, max_seconds=0.25)
    assert 0.25 <= time.monotonic() - begin < 2
    assert (len(history), history.stopped) == (1, "max_seconds")
    assert 0 < history.partial_steps == trainer.steps < 25_000
    assert 0 < history.seconds[0] < 2
    assert 0.01 < history.loss[0] < 10
    trainer.fit(data[:32], data[:32])
    assert trainer.steps == history.partial_steps + 4


def test_a_budget_of_time_does_one_step_at_least():
    trainer = _trainer()
    history = trainer.fit(X, Y, max_seconds=1e-12)
    assert (trainer.steps, history.partial_steps, history.stopped) == (1, 1, "max_seconds")


def test_a_budget_of_time_alone_does_many_epochs():
    trainer = _trainer()
    history = trainer.fit(X, Y, max_seconds=0.1, verbose=True)
    assert history.stopped == "max_seconds"
    assert len(history) > 3


def test_a_budget_changes_no_bits():
    limited, plain = _trainer(), _trainer()
    limited.fit(X, Y, 3, max_seconds=1000, max_steps=10**9)
    plain.fit(X, Y, 3)
    assert _bits(limited) == _bits(plain)


def test_large_batches_in_blocks_keep_to_the_budget():
    """Batches that are divided into blocks of rows end at the deadline too."""
    data = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    net = cg.Network(64, [cg.Dense(64, "relu"), cg.Dense(64)], loss="mse", rng=0)
    trainer = cg.Trainer(net, cg.Adam(1e-4), 5000, rng=0, threads=2)
    history = trainer.fit(data, data, 3, max_seconds=1e-9)
    assert (trainer.steps, history.partial_steps) == (1, 1)


@pytest.mark.parametrize(
    ("budget", "error", "message"),
    [
        ({"max_steps": 0}, ValueError, "max_steps is 0"),
        ({"max_steps": 2.5}, TypeError, "max_steps is 2.5"),
        ({"max_seconds": 0}, ValueError, "max_seconds is 0, expected a number above 0"),
        ({"max_seconds": -1}, ValueError, "max_seconds is -1"),
        ({"max_seconds": "60"}, TypeError, "max_seconds is '60'"),
        ({"epochs": 0, "max_steps": 3}, ValueError, "epochs is 0"),
    ],
)
def test_bad_budgets_are_named(budget, error, message):
    with pytest.raises(error, match=message):
        _trainer().fit(X, Y, **budget)


# Batches


def test_a_batch_of_more_than_all_rows_is_all_of_them():
    clipped, exact = _trainer(batch_size=64), _trainer(batch_size=50)
    with pytest.warns(UserWarning, match="batch_size is 64, and there are 50 samples") as caught:
        history = clipped.fit(X, Y, 2)
    assert caught[0].filename == __file__
    exact.fit(X, Y, 2)
    assert _bits(clipped) == _bits(exact)
    assert clipped.steps == 2
    assert clipped.batch_size == 64
    assert history.loss == exact.history.loss


# Schedules


def test_single_steps_have_the_rates_of_a_schedule():
    """Also where the rates computed ahead end, and after a jump of the step."""
    schedule = LinearDecay(0.5, 1500)
    single, pure = _trainer(cg.SGD(schedule), 1), _trainer(cg.SGD(lambda step: schedule(step)), 1)
    for trainer in (single, pure):
        for step in range(1100):
            trainer.learn_one(X[step % 50], Y[step % 50])
        trainer.fit(X, Y)
        for step in range(10):
            trainer.step(X[step : step + 3], Y[step : step + 3])
    assert _bits(single) == _bits(pure)
    assert single.steps == 1160
    assert single.learning_rate == schedule(1160)
    for trainer in (single, pure):
        trainer.reset()
        trainer.learn_one(X[0], Y[0])
    assert _bits(single) == _bits(pure)


def test_an_invalid_rate_of_a_later_step_is_an_error_then():
    class Sudden(cg.schedules.Schedule):
        def values(self, steps):
            return np.where(steps < 3, 0.1, -1.0)

    trainer = _trainer(cg.SGD(Sudden()), 1)
    for _ in range(3):
        trainer.learn_one(X[0], Y[0])
    with pytest.raises(ValueError, match=r"learning_rate at step 3 is -1\.0"):
        trainer.learn_one(X[0], Y[0])
    assert trainer.steps == 3


def test_a_schedule_of_epochs_counts_the_steps_of_fit():
    rates = ExponentialDecay(0.1, 0.5)
    trainer = _trainer(cg.SGD(PerEpoch(rates)))
    assert trainer.fit(X, Y, 3).learning_rate == [rates(0), rates(1), rates(2)]
    assert trainer.fit(X, Y).learning_rate == [rates(3)]
    assert trainer.optimizer == cg.SGD(PerEpoch(rates))
    assert pickle.loads(pickle.dumps(trainer)).learning_rate == rates(4)
    with pytest.raises(ValueError, match="steps_per_epoch is None"):
        _trainer(cg.SGD(PerEpoch(rates))).learn_one(X[0], Y[0])


@pytest.mark.parametrize("rate", [0.1, LinearDecay(0.1, 50), lambda step: 0.1 / (1 + step)])
def test_the_rates_have_a_scale(rate):
    optimizer = cg.SGD(rate)
    trainer = _trainer(optimizer)
    trainer.learn_one(X[0], Y[0])
    trainer.learning_rate_scale = 0.25
    assert trainer.learning_rate == 0.25 * optimizer.learning_rate_at(1)
    before = trainer.net.parameters
    gradient = trainer.net.gradient(X[:1], Y[:1])[1]
    trainer.learn_one(X[0], Y[0])
    expected = before - 0.25 * optimizer.learning_rate_at(1) * gradient
    np.testing.assert_allclose(trainer.net.parameters, expected, rtol=1e-12, atol=1e-15)
    assert trainer.fit(X, Y).learning_rate == [0.25 * optimizer.learning_rate_at(2)]
    if not callable(rate) or isinstance(rate, LinearDecay):
        twin = pickle.loads(pickle.dumps(trainer))
        assert twin.learning_rate_scale == 0.25
        assert twin.learning_rate == trainer.learning_rate
        trainer.fit(X, Y)
        twin.fit(X, Y)
        assert _bits(twin) == _bits(trainer)
    trainer.reset()
    assert trainer.learning_rate_scale == 1
    with pytest.raises(ValueError, match="learning_rate_scale is -1"):
        trainer.learning_rate_scale = -1


# Beginning anew


@pytest.mark.parametrize("optimizer", [cg.Adam(0.05), cg.SGD(CosineDecay(0.2, 30), momentum=0.9)])
def test_a_reset_is_a_new_network_and_trainer(optimizer):
    net = _network(rng=3)
    trainer = cg.Trainer(net, optimizer, 8, rng=3)
    first = trainer.fit(X, Y, 3)
    bits = _bits(trainer)
    again = trainer.fit(X, Y, 3, reset=True)
    assert _bits(trainer) == bits
    assert again.loss == first.loss
    assert trainer.steps == 21
    going_on = trainer.fit(X, Y, 3)
    assert going_on.loss != first.loss
    assert trainer.steps == 42


def test_a_reset_leaves_frozen_parameters():
    net = _network(rng=3)
    start = net.parameters
    net.layers[0].weights = net.layers[0].weights + 1
    net.layers[0].biases = [1, 2, 3, 4, 5]
    net.layers[0].trainable = "biases"
    kept = net.layers[0].weights
    trainer = cg.Trainer(net, cg.SGD(0.1), 8, rng=3)
    trainer.fit(X, Y)
    trainer.reset()
    assert (net.layers[0].weights == kept).all()
    assert not net.layers[0].biases.any()
    assert (net.parameters[20:] == start[20:]).all()
    net.layers[0].trainable = True
    trainer.reset()
    assert (net.parameters == start).all()


def test_a_reset_waits_for_no_training():
    trainer = _trainer()
    errors = []

    def reset(*_):
        try:
            trainer.reset()
        except RuntimeError as error:
            errors.append(str(error))

    trainer.fit(X, Y, callbacks=[reset])
    assert len(errors) == 1
    assert "being trained" in errors[0]
