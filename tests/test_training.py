"""`Trainer.fit`: what it computes, keeps, refuses and leaves behind."""

import copy
import math
import pickle
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.training.callbacks import Callback, EarlyStopping
from cygrad.training.schedules import CosineDecay, LinearDecay

OPTIMIZERS = [
    cg.SGD(0.1),
    cg.SGD(LinearDecay(0.2, 30), momentum=0.9),
    cg.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    cg.Adam(CosineDecay(0.05, 30)),
]


def _data(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def _network(dtype="float32", reduction="mean", rng=0):
    layers = [cg.Dense(5, "tanh"), cg.Dense(2, "softmax")]
    return cg.Network(3, layers, loss="cross_entropy", reduction=reduction, dtype=dtype, rng=rng)


def _regression(rng=0):
    layers = [cg.Dense(4, "tanh"), cg.Dense(1)]
    return cg.Network(3, layers, loss="mse", dtype="float64", rng=rng)


def _bits(net):
    return net.parameters.tobytes()


# What is computed


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_same_rng_gives_the_same_bits(optimizer):
    X, y = _data()
    nets = [_network() for _ in range(2)]
    histories = [cg.Trainer(net, optimizer, 8, rng=3).fit(X, y, 4) for net in nets]
    assert _bits(nets[0]) == _bits(nets[1]) != _bits(_network())
    assert histories[0].loss == histories[1].loss


def test_another_rng_gives_another_order():
    X, y = _data()
    nets = [_network() for _ in range(2)]
    for seed, net in enumerate(nets):
        cg.Trainer(net, cg.SGD(0.1), 8, rng=seed).fit(X, y)
    assert _bits(nets[0]) != _bits(nets[1])


@pytest.mark.parametrize(
    "make",
    [lambda: 5, lambda: np.random.SeedSequence(5), lambda: np.random.default_rng(5)],
    ids=["int", "SeedSequence", "Generator"],
)
def test_every_kind_of_rng_repeats(make):
    X, y = _data()
    nets = [_network() for _ in range(2)]
    for net in nets:
        cg.Trainer(net, cg.SGD(0.1), 8, rng=make()).fit(X, y)
    assert _bits(nets[0]) == _bits(nets[1])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_two_fits_of_two_epochs_are_one_of_four(optimizer, shuffle):
    X, y = _data()
    at_once, in_parts = _network(), _network()
    whole = cg.Trainer(at_once, optimizer, 8, rng=1).fit(X, y, 4, shuffle=shuffle)
    trainer = cg.Trainer(in_parts, optimizer, 8, rng=1)
    parts = [trainer.fit(X, y, 2, shuffle=shuffle) for _ in range(2)]
    assert _bits(at_once) == _bits(in_parts)
    assert parts[0].loss + parts[1].loss == whole.loss
    assert trainer.steps == 28


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_copied_trainer_goes_on_with_the_same_bits(optimizer, duplicate):
    X, y = _data()
    trainer = cg.Trainer(_network(), optimizer, 8, rng=1)
    fresh = duplicate(trainer)
    trainer.fit(X, y, 2)
    twin = duplicate(trainer)
    assert twin.steps == trainer.steps
    assert dict(twin.history) == dict(trainer.history)
    assert twin.optimizer == optimizer
    before = _bits(trainer.net)
    twin.fit(X, y, 2)
    assert _bits(trainer.net) == before
    trainer.fit(X, y, 2)
    assert _bits(twin.net) == _bits(trainer.net)
    fresh.fit(X, y, 4)
    assert _bits(fresh.net) == _bits(trainer.net)


def test_shuffled_epochs_have_every_sample_once():
    """At learning rate 0 every epoch's loss is the same sum in another order."""
    X, y = _data(n=37)
    net = _network("float64")
    losses = cg.Trainer(net, cg.SGD(0), 8, rng=0).fit(X, y, 5).loss
    np.testing.assert_allclose(losses, net.evaluate(X, y)["loss"], rtol=1e-13)


def test_without_shuffling_the_samples_come_in_their_order():
    """Two samples, one at a time: the result depends on their order."""
    X, y = [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], [[1.0], [-1.0]]
    nets = [_regression() for _ in range(3)]
    cg.Trainer(nets[0], cg.SGD(0.5), 1, rng=0).fit(X, y, shuffle=False)
    by_hand = cg.Trainer(nets[1], cg.SGD(0.5), 1, rng=0)
    for row in (0, 1):
        by_hand.fit(X[row : row + 1], y[row : row + 1])
    cg.Trainer(nets[2], cg.SGD(0.5), 1, rng=0).fit(X[::-1], y[::-1], shuffle=False)
    assert _bits(nets[0]) == _bits(nets[1]) != _bits(nets[2])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_step_is_the_gradient_times_the_learning_rate(reduction):
    X, y = _data()
    net = _network("float64", reduction)
    expected = []
    gradients = net.backward(X, y)
    for layer, dW, db in zip(net.layers, gradients.weights, gradients.biases, strict=True):
        expected += [layer.weights.ravel() - 0.1 * dW.ravel(), layer.biases - 0.1 * db]
    history = cg.Trainer(net, cg.SGD(0.1), len(X), rng=0).fit(X, y)
    np.testing.assert_allclose(net.parameters, np.concatenate(expected), rtol=1e-12, atol=1e-14)
    assert history.loss == pytest.approx([gradients.loss])


def test_the_step_of_a_schedule_goes_on_between_fits():
    X, y = _data(n=30)
    seen = []
    trainer = cg.Trainer(_network(), cg.SGD(lambda step: seen.append(step) or 0.1), 10, rng=0)
    trainer.fit(X, y, 2)
    trainer.fit(X, y, 1)
    assert seen == list(range(9))


def test_frozen_parameters_stay_and_may_be_thawed():
    X, y = _data()
    layers = [cg.Dense(5, "tanh", trainable=False), cg.Dense(2, "softmax", trainable="weights")]
    net = cg.Network(3, layers, loss="cross_entropy", rng=0)
    trainer = cg.Trainer(net, cg.Adam(0.05), 8, rng=0)
    first, second = (layer.weights for layer in net.layers)
    trainer.fit(X, y)
    assert (net.layers[0].weights == first).all()
    assert not net.layers[1].biases.any()
    assert (net.layers[1].weights != second).all()
    net.layers[0].trainable = True
    trainer.fit(X, y)
    assert (net.layers[0].weights != first).all()
    assert not net.layers[1].biases.any()
    assert trainer.steps == 14


# What is kept


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_history_of_a_classification(reduction):
    X, y = _data(n=50)
    X_val, y_val = _data(n=20, seed=1)
    net = _network("float64", reduction)
    before = net.evaluate(X, y)
    trainer = cg.Trainer(net, cg.SGD(LinearDecay(0.1, 12)), 10, rng=0)
    history = trainer.fit(X, y, 3, X_val=X_val, y_val=y_val)
    names = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    assert list(history) == list(history.keys()) == names
    assert len(history) == 3
    assert trainer.history is history
    assert set(map(len, dict(history).values())) == {3}
    assert history.loss == history["loss"]
    assert history.metric == history["accuracy"]
    assert history.val_loss == history["val_loss"]
    assert history.val_metric == history["val_accuracy"]
    assert history.learning_rate == [LinearDecay(0.1, 12)(step) for step in (0, 5, 10)]
    assert all(seconds > 0 for seconds in history.seconds)
    after = net.evaluate(X_val, y_val)
    assert history.val_loss[-1] == after["loss"]
    assert history.val_metric[-1] == after["accuracy"]
    assert history.loss[0] == pytest.approx(before["loss"], rel=0.2)
    assert all(0 <= accuracy <= 1 for accuracy in history.metric)
    assert dict(pickle.loads(pickle.dumps(history))) == dict(history)


def test_history_of_a_regression_without_validation():
    X, _ = _data()
    history = cg.Trainer(_regression(), cg.SGD(0.1), 10, rng=0).fit(X, X[:, :1], 2)
    assert list(history) == ["loss", "mae", "learning_rate", "seconds"]
    assert history.val_loss == history.val_metric == []
    assert "mae" in history
    assert "accuracy" not in history
    with pytest.raises(KeyError, match="'accuracy', expected one of loss, mae"):
        history["accuracy"]


@pytest.mark.parametrize("callbacks", [[], [lambda trainer, epoch, logs: None]])
def test_the_seconds_of_the_epochs_are_parts_of_those_of_fit(callbacks):
    """Also where the engine runs several epochs in one call."""
    X, y = _data()
    trainer = cg.Trainer(_network(), cg.SGD(0.1), 10, rng=0)
    begin = time.perf_counter()
    history = trainer.fit(X, y, epochs=5, callbacks=callbacks)
    total = time.perf_counter() - begin
    assert all(seconds >= 0 for seconds in history["seconds"])
    assert 0 < sum(history["seconds"]) <= total


def test_history_of_full_batches_is_the_loss_before_each_step():
    X, y = _data()
    net = _network("float64")
    expected = []
    trainer = cg.Trainer(net, cg.SGD(0.5), len(X), rng=0)
    for _ in range(3):
        expected.append(net.evaluate(X, y)["loss"])
        trainer.fit(X, y, shuffle=False)
    losses = cg.Trainer(_network("float64"), cg.SGD(0.5), len(X), rng=0).fit(X, y, 3).loss
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    assert losses[2] < losses[1] < losses[0]


def test_history_says_what_it_is():
    X, y = _data()
    trainer = cg.Trainer(_network(), cg.SGD(0.1), 10, rng=0)
    assert repr(trainer.history) == "<History: 0 epochs>"
    text = repr(trainer.fit(X, y, 3))
    assert text.startswith("<History: 3 epochs, loss 0.")
    assert " to 0." in text
    assert repr(trainer).endswith("batch_size=10, steps=15>")


# What is refused


def _fit(**changes):
    X, y = _data()
    return lambda trainer: trainer.fit(**{"X": X, "y": y, **changes})


X, Y = _data()
NAN = np.where(np.arange(50)[:, None] == 7, np.nan, X)


@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        (_fit(epochs=0), ValueError, "epochs is 0"),
        (_fit(epochs=1.5), TypeError, "epochs is 1.5"),
        (_fit(reset=1), TypeError, "reset is 1"),
        (_fit(X=X[:0], y=Y[:0]), ValueError, "X"),
        (_fit(X=X[:40]), ValueError, "y .*50.*40"),
        (_fit(X=NAN), ValueError, "X .*row 7"),
        (_fit(X=X[:, :2]), ValueError, "X .*3"),
        (_fit(y=Y + 1), ValueError, "y .*2"),
        (_fit(X_val=X), ValueError, "y_val is None and X_val is given"),
        (_fit(y_val=Y), ValueError, "X_val is None"),
        (_fit(X_val=NAN, y_val=Y), ValueError, "X_val .*row 7"),
        (_fit(X_val=X, y_val=Y[1:]), ValueError, "y_val .*49.*50"),
        (_fit(callbacks=[3]), TypeError, r"callbacks\[0\] is 3"),
        (_fit(callbacks=[EarlyStopping]), TypeError, r"callbacks\[0\]"),
        (_fit(callbacks=print), TypeError, "callbacks is"),
        (_fit(shuffle="yes"), TypeError, "shuffle is 'yes'"),
        (_fit(verbose=2), TypeError, "verbose is 2"),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(fit, error, message):
    net, untouched = _network(), _network()
    trainer = cg.Trainer(net, cg.SGD(0.1), rng=0)
    with pytest.raises(error, match=message):
        fit(trainer)
    assert _bits(net) == _bits(untouched)
    assert trainer.steps == len(trainer.history) == 0
    # The order of the samples is unchanged, too.
    trainer.fit(X, Y)
    cg.Trainer(untouched, cg.SGD(0.1), rng=0).fit(X, Y)
    assert _bits(net) == _bits(untouched)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"net": 3}, TypeError, "net is 3, expected a Network"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam', expected"),
        ({"optimizer": cg.Adam}, TypeError, "optimizer is <class"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"batch_size": -4}, ValueError, "batch_size is -4"),
        ({"batch_size": 32.0}, TypeError, "batch_size is 32.0"),
        ({"batch_size": True}, TypeError, "batch_size is True"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"threads": "2"}, TypeError, "threads is '2'"),
        ({"rng": -1}, ValueError, "rng is -1"),
        ({"rng": "seed"}, TypeError, "rng is 'seed'"),
    ],
)
def test_bad_arguments_of_the_trainer_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        cg.Trainer(**{"net": _network(), "optimizer": cg.SGD(0.1), **changes})


def test_the_rates_of_an_epoch_are_checked_before_its_first_step():
    """Two good epochs of 5 steps; the rate turns negative in the third."""
    net, expected = _network(), _network()
    trainer = cg.Trainer(net, cg.SGD(lambda step: 0.1 if step < 13 else -0.1), 10, rng=0)
    with pytest.raises(ValueError, match=r"learning_rate at step 13 is -0\.1"):
        trainer.fit(X, Y, 5)
    cg.Trainer(expected, cg.SGD(0.1), 10, rng=0).fit(X, Y, 2)
    assert _bits(net) == _bits(expected)
    assert trainer.steps == 10
    assert len(trainer.history) == 2


def test_what_a_trainer_was_made_with_cannot_be_changed():
    trainer = cg.Trainer(_network(), cg.SGD(0.1), threads=2)
    assert (trainer.batch_size, trainer.threads) == (32, 2)
    for name in ("net", "optimizer", "batch_size", "threads", "steps", "history"):
        with pytest.raises(AttributeError):
            setattr(trainer, name, 64)


@pytest.mark.parametrize("second", ["same trainer", "another trainer"])
def test_a_network_is_trained_by_one_fit_at_a_time(second):
    net = _network()
    trainer = cg.Trainer(net, cg.SGD(0.1), rng=0)
    other = trainer if second == "same trainer" else cg.Trainer(net, cg.SGD(0.1), rng=0)
    errors = []

    def fit_beside(*_):
        try:
            other.fit(X, Y)
        except RuntimeError as error:
            errors.append(str(error))

    def in_another_thread(*_):
        thread = threading.Thread(target=fit_beside)
        thread.start()
        thread.join()

    history = trainer.fit(X, Y, 2, callbacks=[in_another_thread, fit_beside])
    assert len(history) == 2
    assert len(errors) == 4
    assert all("being trained" in error for error in errors)
    other.fit(X, Y)


# Where it goes wrong


def _spoiled(n, row):
    """A regression whose sample `row` has a target that float64 cannot square."""
    X, _ = _data(n)
    y = X[:, :1].copy()
    y[row] = 1e200
    return X, y


def test_divergence_puts_the_last_good_epoch_back():
    """The rate explodes at step 12 of epochs of 5: in the third epoch's third step."""
    rate = lambda step: 0.1 if step < 12 else 1e200  # noqa: E731
    X = _data()[0]
    y = X[:, :1]
    net, good = _regression(), _regression()
    trainer = cg.Trainer(net, cg.SGD(rate, momentum=0.9), 10, rng=0)
    with pytest.raises(cg.DivergenceError) as caught:
        trainer.fit(X, y, 6)
    error = caught.value
    history = cg.Trainer(good, cg.SGD(0.1, momentum=0.9), 10, rng=0).fit(X, y, 2)
    assert _bits(net) == _bits(good)
    assert (error.epoch, error.step) == (3, 4)
    assert error.history is trainer.history
    assert error.history.loss == history.loss
    assert "epoch 3 at step 4" in str(error)
    assert "parameters are again those after epoch 2" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.epoch, again.step, str(again)) == (3, 4, str(error))

    # The optimiser starts anew, at step 0 and without velocity.
    assert trainer.steps == 0
    trainer.fit(X, y, shuffle=False)
    cg.Trainer(good, cg.SGD(0.1, momentum=0.9), 10, rng=0).fit(X, y, shuffle=False)
    assert _bits(net) == _bits(good)


def test_divergence_in_the_first_epoch_puts_the_start_back():
    X, y = _spoiled(50, row=23)
    net = _regression()
    trainer = cg.Trainer(net, cg.Adam(0.1), 10, rng=0)
    with pytest.raises(
        cg.DivergenceError, match="parameters are again those before training"
    ) as caught:
        trainer.fit(X, y, shuffle=False)
    assert (caught.value.epoch, caught.value.step) == (1, 3)
    assert _bits(net) == _bits(_regression())
    assert len(caught.value.history) == 0


def test_an_update_that_overflows_in_the_last_step_is_divergence_too():
    """No loss comes after the last step to show it."""
    rate = lambda step: 0.1 if step < 9 else 1.7e308  # noqa: E731
    X = _data()[0]
    y = 100 * X[:, :1]
    net, good = _regression(), _regression()
    with pytest.raises(cg.DivergenceError) as caught:
        cg.Trainer(net, cg.SGD(rate), 10, rng=0).fit(X, y, 2)
    cg.Trainer(good, cg.SGD(0.1), 10, rng=0).fit(X, y, 1)
    assert (caught.value.epoch, caught.value.step) == (2, 5)
    assert _bits(net) == _bits(good)


def test_training_keeps_one_copy_of_the_parameters():
    layers = [cg.Dense(400, "relu"), cg.Dense(1)]
    net = cg.Network(500, layers, loss="mse", rng=0)
    X = np.zeros((8, 500), np.float32)
    y = np.zeros(8)
    trainer = cg.Trainer(net, cg.Adam(), 4, rng=0)
    trainer.fit(X, y)
    tracemalloc.start()
    trainer.fit(X, y, 3, X_val=X, y_val=y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.25 * net.parameters.nbytes


# What is called


class _Recorder(Callback):
    def __init__(self, calls, stop_at=math.inf):
        self.calls = calls
        self.stop_at = stop_at

    def on_train_begin(self, trainer):
        self.calls.append("begin")

    def on_epoch_end(self, trainer, epoch, logs):
        self.calls.append((epoch, dict(logs)))
        return epoch >= self.stop_at

    def on_train_end(self, trainer):
        self.calls.append("end")


def test_callbacks_are_called_between_the_epochs():
    calls, functions = [], []
    trainer = cg.Trainer(_network(), cg.SGD(0.1), rng=0)
    function = lambda *arguments: functions.append(arguments)  # noqa: E731
    history = trainer.fit(X, Y, 3, X_val=X, y_val=Y, callbacks=[_Recorder(calls), function])
    rows = [{name: history[name][epoch] for name in history} for epoch in range(3)]
    assert calls == ["begin", (1, rows[0]), (2, rows[1]), (3, rows[2]), "end"]
    assert functions == [(trainer, epoch + 1, rows[epoch]) for epoch in range(3)]


def test_an_object_with_the_methods_of_a_callback_is_one():
    class Own:
        def __init__(self):
            self.calls = []

        def on_train_begin(self, trainer):
            self.calls.append("begin")

        def on_epoch_end(self, trainer, epoch, logs):
            self.calls.append(epoch)

        def on_train_end(self, trainer):
            self.calls.append("end")

    class Partial:
        def on_epoch_end(self, trainer, epoch, logs): ...

    own = Own()
    trainer = cg.Trainer(_network(), cg.SGD(0.1), rng=0)
    trainer.fit(X, Y, 2, callbacks=[own])
    assert own.calls == ["begin", 1, 2, "end"]
    for wrong in (Own, Partial()):
        with pytest.raises(TypeError, match=r"callbacks\[0\] is .*expected a Callback or a func"):
            trainer.fit(X, Y, callbacks=[wrong])
    with pytest.raises(TypeError, match="expected a list of callbacks"):
        trainer.fit(X, Y, callbacks=own)


def test_a_callback_can_stop_the_training_and_the_others_are_still_called():
    first, second = [], []
    callbacks = [_Recorder(first, stop_at=2), _Recorder(second)]
    history = cg.Trainer(_network(), cg.SGD(0.1), rng=0).fit(X, Y, 9, callbacks=callbacks)
    assert len(history) == 2
    assert len(first) == len(second) == 4
    assert second[-1] == "end"


def test_callbacks_end_however_the_training_ends():
    calls = []

    def fail(trainer, epoch, logs):
        raise OSError("disk full")

    trainer = cg.Trainer(_network(), cg.SGD(0.1), rng=0)
    with pytest.raises(OSError, match="disk full"):
        trainer.fit(X, Y, 3, callbacks=[_Recorder(calls), fail])
    assert calls[-1] == "end"
    assert len(trainer.history) == 1
    trainer.fit(X, Y)


def test_a_callback_may_change_the_parameters():
    net = _network()

    def clear(trainer, epoch, logs):
        trainer.net.parameters = np.zeros(net.n_parameters)

    history = cg.Trainer(net, cg.SGD(0.1), 50, rng=0).fit(X, Y, 2, callbacks=[clear])
    assert not net.parameters.any()
    assert history.loss[1] == pytest.approx(math.log(2), rel=1e-6)


def test_a_trainer_pickled_by_a_callback_goes_on_from_there():
    checkpoints = []
    save = lambda trainer, *_: checkpoints.append(pickle.dumps(trainer))  # noqa: E731
    trainer = cg.Trainer(_network(), cg.Adam(0.05), 8, rng=0)
    trainer.fit(X, Y, 4, callbacks=[save])
    resumed = pickle.loads(checkpoints[1])
    assert len(resumed.history) == 2
    resumed.fit(X, Y, 2)
    assert _bits(resumed.net) == _bits(trainer.net)


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping_at_the_best_epoch(restore):
    """A negative step uphill: the rate is good for 3 epochs and then far too large."""
    X = _data()[0]
    y = X[:, :1]
    net, best = _regression(), _regression()
    rate = lambda step: 0.05 if step < 15 else 1.5  # noqa: E731
    stopping = EarlyStopping(2, restore_best=restore)
    trainer = cg.Trainer(net, cg.SGD(rate), 10, rng=0)
    history = trainer.fit(X, y, 50, X_val=X, y_val=y, callbacks=[stopping])
    cg.Trainer(best, cg.SGD(0.05), 10, rng=0).fit(X, y, 3)
    assert len(history) == 5
    assert stopping.best_epoch == 3
    assert stopping.best == history.val_loss[2] == min(history.val_loss)
    assert (_bits(net) == _bits(best)) is restore


def test_early_stopping_needs_a_name():
    with pytest.raises(TypeError, match="monitor is None, expected a name"):
        EarlyStopping(3, None)


def test_early_stopping_needs_a_column_of_the_history():
    with pytest.raises(ValueError, match="monitor is 'val_loss', expected one of loss, accuracy"):
        cg.Trainer(_network(), cg.SGD(0.1)).fit(X, Y, callbacks=[EarlyStopping(3)])
    with pytest.raises(ValueError, match="patience is 0"):
        EarlyStopping(0)


# Targets that the output layer cannot give


@pytest.mark.parametrize(
    ("activation", "wrong", "bounds"),
    [
        ("sigmoid", -1, "0 to 1"),
        ("tanh", 1.5, "-1 to 1"),
        ("relu", -0.1, "0 to inf"),
        ("softmax", 2, "0 to 1"),
        ("elu", -1.2, "-1 to inf"),
        (cg.activations.elu(0.5), -0.7, "-0.5 to inf"),
        ("selu", -1.8, "-1.758 to inf"),
    ],
)
def test_targets_out_of_the_range_of_the_outputs_are_said(activation, wrong, bounds):
    net = cg.Network(1, [cg.Dense(2, activation)], loss="mse", rng=0)
    trainer = cg.Trainer(net, cg.SGD(0.01), 3)
    X, y = [[0.0], [1.0], [2.0]], [[0, 1], [1, wrong], [wrong, 0]]
    message = (
        rf"^y has 2 of 6 targets outside of {bounds}, the range of the output layer's .*, "
        rf"such as {wrong}(\.0)? in row 1; expected targets scaled to this range, or an output "
        "layer with 'identity'$"
    )
    with pytest.warns(UserWarning, match=message) as warned:
        trainer.fit(X, y)
    assert warned[0].filename == __file__
    leaky = cg.Network(1, [cg.Dense(2, "leaky_relu")], loss="mse", rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.fit(X, np.eye(2)[[0, 1, 1]])
        cg.Trainer(leaky, cg.SGD(0.01), 3).fit(X, y)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("kind", ["float64", "int64"])
def test_targets_that_float32_rounds_to_a_few_numbers_are_said(kind, columns):
    y = (1_600_000_000 + np.arange(200)).astype(kind)
    X = np.arange(200.0)[:, np.newaxis] / 200
    if columns > 1:
        y = np.stack([y - y[0], y], axis=1)
    place = r" in column 1" if columns > 1 else ""
    message = (
        rf"^y has targets from 1600000000.0 to 1600000199.0{place}, which float32 rounds to "
        "multiples of about 2e\\+02; expected targets without their mean, or dtype='float64'"
    )

    def fit(y, dtype="float32"):
        net = cg.Network(1, [cg.Dense(columns)], loss="mse", dtype=dtype, rng=0)
        cg.Trainer(net, cg.SGD(1e-12), 32).fit(X, y)

    with pytest.warns(UserWarning, match=message) as warned:
        fit(y)
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(y, "float64")
        fit(y - y.mean(axis=0))
        fit(np.full_like(y, 1_600_000_000))
        fit(y.astype(np.float32))  # they are what the caller has
