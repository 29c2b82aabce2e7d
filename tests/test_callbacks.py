"""Callbacks that watch a metric, and the log as a CSV file."""

import csv
import math
import pickle

import numpy as np
import pytest

import cygrad as cg
from cygrad.callbacks import CSVLogger, EarlyStopping, ReduceOnPlateau
from cygrad.metrics import Metric
from cygrad.training.history import History


class _Watched:
    """A trainer as callbacks see it, with a history of chosen values."""

    def __init__(self, rate=1.0):
        self.history = History("accuracy", True, [Metric(len, "own"), cg.metrics.rmse])
        self.base = rate
        self.learning_rate_scale = 1.0
        self.steps = 0
        self.net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)

    @property
    def learning_rate(self):
        return self.base * self.learning_rate_scale


def _follow(callback, values, rate=1.0, trainer=None):
    """Return the learning rate after each value, and whether the callback stopped there."""
    trainer = trainer or _Watched(rate)
    callback.on_train_begin(trainer)
    rates, stops = [], []
    for epoch, value in enumerate(values, start=1):
        trainer.steps += 1
        stops.append(callback.on_epoch_end(trainer, epoch, {callback.monitor: value}))
        rates.append(trainer.learning_rate)
    return rates, stops


def _lowered(rates, first=1.0):
    return [
        index
        for index, (before, after) in enumerate(zip([first, *rates], rates, strict=False))
        if after < before
    ]


# Reduce on plateau


SLOW = [1 - 1e-5 * epoch for epoch in range(20)]
WORSE = [0.5 + 0.01 * epoch for epoch in range(20)]
MIXED = [1.0, 0.9, 0.95, 0.91, 0.89, 0.9, 0.9, 0.9, 0.5, 0.6, math.nan, 0.6, 0.6, 0.4] * 2
PLATEAUS = {
    "relative": (SLOW, {"patience": 2}, {}, [3, 6, 9, 14, 17]),
    "absolute": (SLOW, {"patience": 2, "absolute": True}, {"threshold_mode": "abs"}, None),
    "no patience": (WORSE, {"patience": 0, "factor": 0.5}, {}, [*range(1, 20)]),
    "cooldown": (WORSE, {"patience": 1, "cooldown": 3, "factor": 0.5}, {}, [2, 7, 12, 17]),
    "least rate": (WORSE, {"patience": 1, "min_rate": 0.03}, {"min_lr": 0.03}, [2, 4]),
    "eps": (WORSE, {"patience": 1, "eps": 0.02}, {}, [2, 4]),
    "mixed": (MIXED, {"patience": 1, "factor": 0.7}, {}, None),
    "threshold": (MIXED, {"patience": 1, "threshold": 0.1}, {}, None),
    "higher": (MIXED, {"patience": 1, "monitor": "val_accuracy"}, {"mode": "max"}, None),
    "higher, absolute": (
        MIXED,
        {"patience": 1, "absolute": True, "threshold": 0.02, "monitor": "val_accuracy"},
        {"mode": "max", "threshold_mode": "abs"},
        None,
    ),
}


@pytest.mark.parametrize("name", PLATEAUS)
def test_a_plateau_is_pytorch_s(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, of the extra peers")
    values, ours, other_names, _ = PLATEAUS[name]
    arguments = {k: v for k, v in ours.items() if k not in ("absolute", "monitor", "min_rate")}
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **(arguments | other_names))
    expected = []
    for value in values:
        scheduler.step(value)
        expected.append(optimizer.param_groups[0]["lr"])
    rates, _ = _follow(ReduceOnPlateau(**ours), values)
    np.testing.assert_allclose(rates, expected, rtol=1e-13)


@pytest.mark.parametrize("name", [name for name, case in PLATEAUS.items() if case[-1]])
def test_a_plateau_is_as_pinned(name):
    """Keras lowers at 2, 4, 6, … where PyTorch does so at 3, 6, 9, 14, …."""
    values, arguments, _, lowered = PLATEAUS[name]
    rates, stops = _follow(ReduceOnPlateau(**arguments), values)
    assert _lowered(rates) == lowered
    assert not any(stops)


def test_a_plateau_lowers_the_rate_of_a_training():
    """At rate 0.1 and below, the worst metric never improves."""
    trainer = _trainer(cg.schedules.LinearDecay(0.1, 400))
    callback = ReduceOnPlateau(0.5, 1, "val_worse")
    metric = Metric(lambda y, outputs: 1.0, "worse", higher_is_better=False)
    options = {"validation": 10, "metrics": [metric], "callbacks": [callback]}
    history = trainer.fit(X, Y, 6, **options)
    base = [cg.schedules.LinearDecay(0.1, 400)(5 * epoch) for epoch in range(6)]
    expected = np.array(base) * [1, 1, 1, 0.5, 0.5, 0.25]
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-15)
    assert trainer.learning_rate_scale == 0.25


def test_a_plateau_goes_on_with_its_training():
    one, two = ReduceOnPlateau(0.5, 2), ReduceOnPlateau(0.5, 2)
    whole, _ = _follow(one, WORSE)
    trainer = _Watched()
    first, _ = _follow(two, WORSE[:7], trainer=trainer)
    two, trainer.history = pickle.loads(pickle.dumps((two, trainer.history)))
    second, _ = _follow(two, WORSE[7:], trainer=trainer)
    assert first + second == whole
    # Another training begins anew, with its first value as the best.
    rates, _ = _follow(two, [9.0, 9.0, 9.0, 9.0])
    assert rates == [1, 1, 1, 0.5]


# Early stopping


@pytest.mark.parametrize(
    ("monitor", "values", "best_epoch"),
    [
        ("val_rmse", [3, 2, 2, 2.5], 2),  # its name does not say that lower is better
        ("val_accuracy", [0.5, 0.7, 0.7, 0.6], 2),
        ("accuracy", [0.5, 0.7, 0.7, 0.6], 2),
        ("loss", [math.nan, 1, math.nan, math.nan], 2),  # NaN is never the best
        ("loss", [1, 2, math.nan, 3], 1),  # and does not begin the patience again
    ],
)
def test_early_stopping_takes_the_direction_of_the_metric(monitor, values, best_epoch):
    stopping = EarlyStopping(2, monitor)
    _, stops = _follow(stopping, values)
    assert stopping.best_epoch == best_epoch
    assert stops.index(True) == best_epoch + 1
    assert stopping.best == values[best_epoch - 1]


def test_the_statistics_of_the_best_epoch_are_restored_too():
    layers = [cg.Dense(5), cg.BatchNorm(), cg.Dense(2, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", rng=0)
    best = []
    keep = lambda trainer, *_: best.append(pickle.dumps(trainer.net))  # noqa: E731
    trainer = cg.Trainer(net, cg.SGD(lambda step: 0.1 if step < 10 else 30.0), 10, rng=0)
    stopping = EarlyStopping(2)
    trainer.fit(X, Y, 9, validation=10, callbacks=[stopping, keep])
    assert len(best) == stopping.best_epoch + 2
    expected = pickle.loads(best[stopping.best_epoch - 1])
    assert (net.layers[1].running_mean == expected.layers[1].running_mean).all()
    assert (net.layers[1].running_variance == expected.layers[1].running_variance).all()
    assert (net.parameters == expected.parameters).all()
    assert (net.layers[1].running_mean != pickle.loads(best[-1]).layers[1].running_mean).any()


@pytest.mark.parametrize(
    ("monitor", "values", "first", "last"),
    [
        ("val_accuracy", [0.5, 0.7, 0.6, 0.7, 0.6], 2, 4),
        ("loss", [1, 1, math.nan, 2, 2], 1, 2),
        ("loss", [math.nan, math.inf, math.inf, 3, 4], 4, 4),
        ("loss", [math.inf, math.inf, math.nan], 0, 0),  # no epoch is any good
    ],
)
def test_the_first_or_the_last_of_equal_epochs_is_the_best(monitor, values, first, last):
    for ties, expected in (("first", first), ("last", last)):
        stopping = EarlyStopping(None, monitor, ties=ties)
        _, stops = _follow(stopping, values)
        assert stopping.best_epoch == expected
        assert not any(stops)  # there is no patience


def test_an_equal_epoch_is_no_improvement():
    for ties in ("first", "last"):
        _, stops = _follow(EarlyStopping(3, "loss", ties=ties), [1, 1, 1, 1, 1])
        assert stops.index(True) == 3


def test_the_last_of_equal_epochs_is_restored():
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    seen = []
    keep = lambda trainer, *_: seen.append(net.parameters)  # noqa: E731
    accuracies = iter([0.5, 0.75, 0.25, 0.75, 0.5])
    metric = Metric(lambda y, outputs: next(accuracies), "share", higher_is_better=True)
    stopping = EarlyStopping(None, "val_share", ties="last")
    trainer = cg.Trainer(net, cg.SGD(0.1), 1, rng=0)
    options = {"X_val": [[1.0]], "y_val": [2.0], "metrics": [metric]}
    history = trainer.fit([[1.0]], [2.0], 5, callbacks=[keep, stopping], **options)
    assert (stopping.best_epoch, history.stopped) == (4, "epochs")
    assert (net.parameters == seen[3]).all()
    assert (seen[3] != seen[1]).any()
    assert (seen[3] != seen[4]).any()


def test_small_improvements_do_not_count():
    stopping = EarlyStopping(3, "accuracy", min_delta=0.05)
    _follow(stopping, [0.5, 0.54, 0.56, 0.6])
    assert (stopping.best, stopping.best_epoch) == (0.56, 3)


@pytest.mark.parametrize(
    "kind", [lambda m: EarlyStopping(3, m), lambda m: ReduceOnPlateau(monitor=m)]
)
def test_a_direction_has_to_be_known(kind):
    with pytest.raises(ValueError, match="monitor is 'val_own', whose better direction is not"):
        kind("val_own").on_train_begin(_Watched())
    with pytest.raises(ValueError, match="monitor is 'seconds', whose better direction is not"):
        kind("seconds").on_train_begin(_Watched())
    with pytest.raises(ValueError, match="monitor is 'f1', expected one of loss, accuracy, val_l"):
        kind("f1").on_train_begin(_Watched())


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(3, min_delta=0.1),
        EarlyStopping(None, "val_accuracy", ties="last"),
        ReduceOnPlateau(0.2, 3),
        CSVLogger("log.csv"),
    ],
)
def test_callbacks_say_what_they_are_and_can_be_pickled(callback):
    assert repr(eval(repr(callback), vars(cg.callbacks).copy())) == repr(callback)
    assert repr(pickle.loads(pickle.dumps(callback))) == repr(callback)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ReduceOnPlateau(1), ValueError, "factor is 1.0, expected a number above 0 and be"),
        (lambda: ReduceOnPlateau(0), ValueError, "factor is 0.0"),
        (lambda: ReduceOnPlateau(patience=-1), ValueError, "patience is -1"),
        (lambda: ReduceOnPlateau(monitor=3), TypeError, "monitor is 3"),
        (lambda: ReduceOnPlateau(threshold=-1), ValueError, "threshold is -1"),
        (lambda: ReduceOnPlateau(absolute="rel"), TypeError, "absolute is 'rel'"),
        (lambda: ReduceOnPlateau(cooldown=0.5), TypeError, "cooldown is 0.5"),
        (lambda: ReduceOnPlateau(min_rate=-1), ValueError, "min_rate is -1"),
        (lambda: EarlyStopping(3, ties="best"), ValueError, "ties is 'best'"),
        (lambda: EarlyStopping(None, None), TypeError, "monitor is None"),
        (lambda: CSVLogger(3), TypeError, "path is 3"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


# The log


X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def _trainer(rate=0.1):
    layers = [cg.Dense(5, "tanh"), cg.Dense(2, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", rng=0)
    return cg.Trainer(net, cg.SGD(rate), 10, rng=0)


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_a_log_has_every_epoch(tmp_path):
    path = tmp_path / "log.csv"
    trainer = _trainer()
    history = trainer.fit(X, Y, 3, validation=10, metrics=["f1"], callbacks=[CSVLogger(path)])
    header, *rows = _rows(path)
    assert header == ["epoch", "steps", *history]
    assert [(int(row[0]), int(row[1])) for row in rows] == [(1, 5), (2, 10), (3, 15)]
    for column, name in enumerate(history, start=2):
        assert [float(row[column]) for row in rows] == history[name]


def test_a_log_goes_on_with_its_training(tmp_path):
    path = tmp_path / "log.csv"
    trainer, logger = _trainer(), CSVLogger(str(path))
    checkpoints = []
    save = lambda trainer, *_: checkpoints.append(pickle.dumps(trainer))  # noqa: E731
    trainer.fit(X, Y, 2, callbacks=[logger, save])
    trainer.fit(X, Y, 2, callbacks=[logger, save])
    whole = [row[:-1] for row in _rows(path)]
    assert [row[0] for row in whole] == ["epoch", "1", "2", "3", "4"]
    # Killed after its fourth epoch, in the middle of the fifth row; resumed from the third.
    with open(path, "a") as file:
        file.write("5,3")
    resumed = pickle.loads(checkpoints[2])
    resumed.fit(X, Y, callbacks=[CSVLogger(path)])
    assert [row[:-1] for row in _rows(path)] == whole


def test_a_log_is_replaced_by_that_of_a_new_training(tmp_path):
    path = tmp_path / "log.csv"
    _trainer().fit(X, Y, 3, callbacks=[CSVLogger(path)])
    trainer = _trainer()
    trainer.fit(X, Y, 1, validation=10, callbacks=[CSVLogger(path)])
    assert [row[0] for row in _rows(path)] == ["epoch", "1"]
    with pytest.raises(ValueError, match="a log with the columns epoch, steps, loss, accuracy, va"):
        trainer.fit(X, Y, callbacks=[CSVLogger(path)])
    trainer.fit(X, Y, 2, callbacks=[CSVLogger(path)], reset=True)
    assert [row[0] for row in _rows(path)] == ["epoch", "1", "2"]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"no newline", b"\xff\xfe\x00"])
def test_a_file_that_is_no_log_is_kept(content, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="exists and is no log of a training"):
        _trainer().fit(X, Y, callbacks=[CSVLogger(path)])
    assert path.read_bytes() == content


def test_a_log_in_no_folder_is_an_error_before_the_training(tmp_path):
    trainer = _trainer()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        trainer.fit(X, Y, callbacks=[CSVLogger(tmp_path / "nowhere" / "log.csv")])
    assert trainer.steps == 0


def test_a_log_is_whole_after_every_epoch(tmp_path):
    path = tmp_path / "log.csv"
    seen = []
    read = lambda *_: seen.append(path.read_text())  # noqa: E731
    _trainer().fit(X, Y, 3, callbacks=[CSVLogger(path), read])
    assert [text.count("\n") for text in seen] == [2, 3, 4]
    assert all(text.endswith("\n") for text in seen)
