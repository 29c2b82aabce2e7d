"""Metrics: their values, those of scikit-learn, and their columns in a history."""

import math
import pickle

import numpy as np
import pytest

import cygrad as cg
from cygrad import metrics
from cygrad.metrics import METRICS, Metric, top_k
from cygrad.training.metrics.table import table

RNG = np.random.default_rng(0)
TABLE = table()
WEIGHTS = [None, np.arange(30) % 5 / 2]


def _classes(classes, n=30):
    """Return class indices, and probabilities with many equal ones."""
    y = np.arange(n) * 7 % classes
    scores = np.random.default_rng(classes).random((n, classes)).round(1) + 0.01
    return y, scores / scores.sum(axis=1, keepdims=True)


def _numbers(outputs, n=30):
    rng = np.random.default_rng(outputs)
    return rng.normal(size=(n, outputs)), rng.normal(size=(n, outputs))


# Values


@pytest.mark.parametrize("weights", WEIGHTS, ids=["plain", "weighted"])
@pytest.mark.parametrize("classes", [2, 4])
def test_metrics_of_classes_are_those_of_scikit_learn(classes, weights):
    sklearn = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn")
    y, a = _classes(classes)
    guess = a.argmax(axis=1)
    average = "binary" if classes == 2 else "macro"
    scores = a[:, 1] if classes == 2 else a
    weight = {"sample_weight": weights}
    expected = {
        "accuracy": sklearn.accuracy_score(y, guess, **weight),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, guess, **weight),
        "f1": sklearn.f1_score(y, guess, average=average, **weight),
        "f1_macro": sklearn.f1_score(y, guess, average="macro", **weight),
        "roc_auc": sklearn.roc_auc_score(y, scores, multi_class="ovr", **weight),
        "log_loss": sklearn.log_loss(y, a, **weight),
    }
    for name, value in expected.items():
        assert METRICS[name](y, a, weights) == pytest.approx(value, rel=1e-12), name
        one_hot = np.eye(classes)[y]
        assert METRICS[name](one_hot, a, weights) == METRICS[name](y, a, weights)
    distinct = a + np.arange(classes) / 1e6  # where scores are equal, the order differs
    value = sklearn.top_k_accuracy_score(y, distinct, k=2, **weight) if classes > 2 else 1.0
    assert top_k(2)(y, distinct, weights) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS, ids=["plain", "weighted"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_metrics_of_numbers_are_those_of_scikit_learn(outputs, weights):
    sklearn = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn")
    y, a = _numbers(outputs)
    functions = {
        "r2": sklearn.r2_score,
        "mae": sklearn.mean_absolute_error,
        "mse": sklearn.mean_squared_error,
        "rmse": sklearn.root_mean_squared_error,
        "mape": sklearn.mean_absolute_percentage_error,
    }
    for name, function in functions.items():
        expected = function(y, a, sample_weight=weights)
        assert METRICS[name](y, a, weights) == pytest.approx(expected, rel=1e-12), name
    constant = np.column_stack([y[:, 0], np.full(30, 2.0), np.full(30, 3.0)])
    guess = np.column_stack([a[:, 0], np.full(30, 2.0), a[:, 0]])
    expected = sklearn.r2_score(constant, guess, sample_weight=weights)
    assert metrics.r2(constant, guess, weights) == pytest.approx(expected, rel=1e-12)


# By hand; scikit-learn 1.9.1 has the same ones.
Y3, A3 = [0, 1, 2, 2], [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.1, 0.3, 0.6], [0.5, 0.1, 0.4]]
Y2, A2 = [0, 1, 1, 0], [[0.2], [0.6], [0.4], [0.4]]
PINNED = [
    ("accuracy", Y3, A3, 0.5),
    ("balanced_accuracy", Y3, A3, (1 + 0 + 1 / 2) / 3),
    ("f1", Y3, A3, (2 / 3 + 0 + 1 / 2) / 3),
    ("f1_macro", Y3, A3, (2 / 3 + 0 + 1 / 2) / 3),
    ("roc_auc", Y3, A3, (1 + 2.5 / 3 + 3.5 / 4) / 3),
    ("log_loss", Y3, A3, -np.log([0.7, 0.3, 0.6, 0.4]).mean()),
    ("accuracy", Y2, A2, 0.75),
    ("balanced_accuracy", Y2, A2, 0.75),
    ("f1", Y2, A2, 2 / 3),
    ("f1_macro", Y2, A2, (0.8 + 2 / 3) / 2),
    ("roc_auc", Y2, A2, 3.5 / 4),
    ("log_loss", Y2, A2, -np.log([0.8, 0.6, 0.4, 0.6]).mean()),
    ("accuracy", [1, 0], [[0.5], [0.5]], 0.5),  # a single output decides for 1 at ½
    ("accuracy", [1, 0], [[0.5, 0.5], [0.5, 0.5]], 0.5),  # of two equal ones, the first
    ("f1", [0, 0], [[0.2], [0.1]], 0),
    ("f1_macro", [0, 0], [[0.2], [0.1]], 1),  # no row has or gets class 1
    ("roc_auc", [1, 1], [[0.2], [0.1]], math.nan),
    ("r2", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8], 1 - 1.5 / 29.1875),
    ("r2", [1.0], [1.0], math.nan),
    ("r2", [2, 2], [2, 3], 0),
    ("r2", [2, 2], [2, 2], 1),
    ("mae", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8], 0.5),
    ("mse", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8], 0.375),
    ("rmse", [[0.0, 1.0], [0.0, 1.0]], [[2.0, 1.0], [2.0, 2.0]], (2 + math.sqrt(0.5)) / 2),
    ("mape", [1.0, -4.0], [2.0, -3.0], 0.625),
    ("mape", [0.0], [1.0], 1 / np.finfo(float).eps),
]


@pytest.mark.parametrize(("name", "y", "a", "value"), PINNED)
def test_values_by_hand(name, y, a, value):
    assert METRICS[name](y, a) == pytest.approx(value, rel=1e-12, nan_ok=True)


def test_probabilities_are_kept_away_from_zero_by_the_epsilon_of_their_dtype():
    for dtype in (np.float32, np.float64):
        outputs = np.array([[0, 1], [1, 0]], dtype)
        expected = -math.log(np.finfo(dtype).eps)
        assert metrics.log_loss([0, 1], outputs) == pytest.approx(expected, rel=1e-12)


def test_the_best_of_equal_scores_is_the_first():
    """So k = 1 is the accuracy; scikit-learn takes the last."""
    a = np.array([[0.4, 0.4, 0.2]] * 3)
    assert top_k(1)([0, 1, 2], a) == metrics.accuracy([0, 1, 2], a) == pytest.approx(1 / 3)
    assert top_k(2)([0, 1, 2], a) == pytest.approx(2 / 3)
    assert top_k(9)([0, 1, 2], a) == 1


def test_several_decisions_are_averaged_over_the_outputs():
    y = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0]])
    a = np.array([[0.9, 0.1, 0.8], [0.2, 0.4, 0.6], [0.3, 0.7, 0.5]])
    for name in ("accuracy", "f1", "roc_auc"):
        each = [METRICS[name](y[:, c], a[:, c]) for c in range(3)]
        assert METRICS[name](y, a, multilabel=True) == pytest.approx(np.mean(each), rel=1e-15)
    with pytest.raises(ValueError, match="balanced_accuracy needs one class"):
        metrics.balanced_accuracy(y, a, multilabel=True)


@pytest.mark.parametrize("name", METRICS)
def test_zero_weight_is_a_missing_row_and_two_a_repeated_one(name):
    y, a = _numbers(3) if METRICS[name].needs == "numbers" else _classes(4)
    weights = np.arange(30) % 3
    repeated = np.repeat(np.arange(30), weights)
    expected = METRICS[name](y[repeated], a[repeated])
    assert METRICS[name](y, a, weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [*METRICS.values(), top_k(3)], ids=lambda metric: metric.name)
def test_metrics_are_values(metric):
    twin = pickle.loads(pickle.dumps(metric))
    assert twin == metric
    assert hash(twin) == hash(metric)
    better = "higher" if metric.higher_is_better else "lower"
    assert repr(metric).startswith(f"<metric {metric.name} of {metric.needs}, {better} is better")
    assert f"{metric.name} " in TABLE or metric.name == "top_3"
    assert metric in (getattr(metrics, metric.name, None), top_k(3), top_k(5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: top_k(0), ValueError, "k is 0"),
        (lambda: metrics.f1([0, 1], [[0.5, 0.5]]), ValueError, r"y has shape \(2,\)"),
        (lambda: metrics.f1([0], [[0.5, 0.5]], [1, 2]), ValueError, "sample_weight has shape"),
        (lambda: metrics.f1([0], [[0.5, 0.5]], [0]), ValueError, "sample_weight has shape"),
        (lambda: Metric(3, "own"), TypeError, "function is 3"),
        (lambda: Metric(len, 3), TypeError, "name is 3"),
        (lambda: Metric(len, "loss"), ValueError, "name is 'loss'"),
        (lambda: Metric(len, "val_own"), ValueError, "name is 'val_own'"),
        (lambda: Metric(len, "own", "up"), TypeError, "higher_is_better is 'up'"),
        (lambda: Metric(len, "own")([0], [0], [1]), TypeError, "sample_weight is given, and own"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# In a training


X = RNG.normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


def _trainer(loss="cross_entropy", outputs=3, activation="softmax", reduction="mean", **options):
    layers = [cg.Dense(5, "tanh"), cg.Dense(outputs, activation)]
    net = cg.Network(3, layers, loss=loss, dtype="float64", reduction=reduction, rng=0)
    return cg.Trainer(net, cg.SGD(0.1), 10, rng=0, **options)


def share_of_class_2(y, outputs):
    return float((outputs.argmax(axis=1) == 2).mean())


@pytest.mark.parametrize("threads", [1, 2])
def test_metrics_are_columns_of_the_history(threads):
    trainer = _trainer(threads=threads)
    chosen = ["f1", "accuracy", "top_2", share_of_class_2, Metric(share_of_class_2, "own", True)]
    history = trainer.fit(
        X[:30], LABELS[:30], 2, X_val=X[30:], y_val=LABELS[30:], metrics=chosen, train_metrics=True
    )
    names = ["f1", "top_2", "share_of_class_2", "own"]
    expected = ["loss", "accuracy", *names, "val_loss", "val_accuracy"]
    expected += [f"val_{name}" for name in names] + ["learning_rate", "seconds"]
    assert list(history) == expected
    for prefix, rows in (("", slice(30)), ("val_", slice(30, 40))):
        y, outputs = LABELS[rows], trainer.net.forward(X[rows])
        assert history[f"{prefix}f1"][-1] == metrics.f1(y, outputs)
        assert history[f"{prefix}top_2"][-1] == top_k(2)(y, outputs)
        assert history[f"{prefix}own"] == history[f"{prefix}share_of_class_2"]
        assert history[f"{prefix}own"][-1] == share_of_class_2(y, outputs)
    assert history.val_loss[-1] == trainer.net.evaluate(X[30:], LABELS[30:])["loss"]
    assert history.higher_is_better("val_f1") is True
    assert history.higher_is_better("val_loss") is False
    assert history.higher_is_better("accuracy") is True
    assert history.higher_is_better("own") is True
    assert history.higher_is_better("share_of_class_2") is None
    assert history.higher_is_better("seconds") is None


def test_metrics_of_a_split_are_of_its_rows():
    trainer = _trainer()
    history = trainer.fit(X, LABELS, metrics=["balanced_accuracy"], validation=0.25)
    from cygrad.training.validation import split

    _, rows = split(40, 10, LABELS, trainer._seeds.of("validation"))
    expected = metrics.balanced_accuracy(LABELS[rows], trainer.net.forward(X[rows]))
    assert history["val_balanced_accuracy"] == [expected]
    assert "balanced_accuracy" not in history


@pytest.mark.parametrize("outputs", [1, 3])
def test_metrics_of_numbers_and_decisions(outputs):
    y = X[:, :outputs]
    trainer = _trainer("mse", outputs, "identity", reduction="sum")
    history = trainer.fit(X, y, metrics=["r2", "rmse", "mae"], validation=10)
    assert list(history)[2:6] == ["val_loss", "val_mae", "val_r2", "val_rmse"]
    trainer = _trainer("binary_cross_entropy", outputs, "sigmoid")
    history = trainer.fit(X, y > 0, metrics=["f1", "roc_auc"], train_metrics=True)
    assert history["f1"] == [metrics.f1(y > 0, trainer.net.forward(X), multilabel=outputs > 1)]
    assert 0 < history["roc_auc"][0] <= 1


def test_metrics_of_a_training_on_batches():
    batches = [(X[:20], LABELS[:20]), (X[20:30], LABELS[20:30])]
    trainer = _trainer()
    own = {"X_val": X[30:], "y_val": LABELS[30:]}
    history = trainer.fit(batches, epochs=2, metrics=["f1"], **own)
    assert history["val_f1"][-1] == metrics.f1(LABELS[30:], trainer.net.forward(X[30:]))
    with pytest.raises(ValueError, match="train_metrics is True and X are batches"):
        trainer.fit(batches, metrics=["f1"], train_metrics=True, **own)
    with pytest.raises(ValueError, match="there are no samples to compute them of"):
        trainer.fit(batches, metrics=["f1"])


def test_metrics_change_no_bits():
    trainers = _trainer(), _trainer()
    trainers[0].fit(X, LABELS, 3, validation=10, metrics=["f1"], train_metrics=True)
    trainers[1].fit(X, LABELS, 3, validation=10)
    assert trainers[0].net.parameters.tobytes() == trainers[1].net.parameters.tobytes()


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("f1", TypeError, "metrics is 'f1', expected a list"),
        (["f2"], ValueError, r"metrics\[0\] is 'f2', expected one of accuracy, "),
        (["top_0"], ValueError, r"metrics\[0\] is 'top_0'"),
        ([3], TypeError, r"metrics\[0\] is 3, expected a name"),
        (["f1", "f1"], ValueError, r"metrics\[1\] is a second one with the name 'f1'"),
        ([Metric(len, "accuracy")], ValueError, "a second one with the name 'accuracy'"),
        (["r2"], ValueError, "metric 'r2' needs numbers as targets, and the loss is 'cross_ent"),
    ],
)
def test_bad_metrics_are_named(metrics, error, message):
    with pytest.raises(error, match=message):
        _trainer().fit(X, LABELS, metrics=metrics, validation=10)


def test_metrics_need_outputs_that_fit_and_samples():
    with pytest.raises(ValueError, match="'log_loss' needs probabilities as outputs"):
        _trainer("hinge", 3, "identity").fit(X, LABELS, metrics=["log_loss"], validation=10)
    with pytest.raises(ValueError, match="'f1' needs classes as targets"):
        _trainer("mse", 3, "identity").fit(X, X, metrics=["f1"], validation=10)
    with pytest.raises(ValueError, match="'top_5' needs one class for each sample"):
        _trainer("binary_cross_entropy", 3, "sigmoid").fit(
            X, X > 0, metrics=["top_5"], validation=9
        )
    with pytest.raises(ValueError, match=r"metrics is \['f1'\], and there are no samples"):
        _trainer().fit(X, LABELS, metrics=["f1"])


def fitted(loss, units, y, **options):
    X = np.random.default_rng(0).normal(size=(20, 3))
    net = cg.Network(3, [cg.Dense(units)], loss=loss, rng=0, dtype="float64")
    seen = []

    def raw(y, outputs):
        seen.append((np.shape(y), outputs.shape))
        return 0.0

    history = cg.Trainer(net, cg.SGD(0.01), 10).fit(
        X, y, X_val=X, y_val=y, metrics=["rmse", "r2", raw], **options
    )
    assert seen == [(np.shape(y), (20, units))]  # one's own has all outputs
    return history, net.forward(X)


def test_numbers_are_compared_with_the_means():
    y = np.random.default_rng(1).normal(size=(20, 2))
    history, outputs = fitted("gaussian_nll", 4, y)
    assert history["val_rmse"] == [cg.metrics.rmse(y, outputs[:, :2])]
    assert history["val_r2"] == [cg.metrics.r2(y, outputs[:, :2])]
    history, outputs = fitted("gaussian_nll", 2, y[:, 0])
    assert history["val_rmse"] == [cg.metrics.rmse(y[:, 0], outputs[:, :1])]


def test_one_target_is_compared_with_the_middle_quantile():
    y = np.random.default_rng(1).normal(size=20)
    loss = cg.losses.pinball([0.05, 0.4, 0.95])
    for targets in (y, y[:, np.newaxis]):
        history, outputs = fitted(loss, 3, targets)
        assert history["val_rmse"] == [cg.metrics.rmse(y, outputs[:, 1])]
        assert history["val_r2"] == [cg.metrics.r2(y, outputs[:, 1])]
    rows = np.stack([y, y + 1, y + 2], axis=1)
    history, outputs = fitted(loss, 3, rows)
    assert history["val_rmse"] == [cg.metrics.rmse(rows, outputs)]
    history, outputs = fitted(cg.losses.pinball(0.4), 3, rows)
    assert history["val_rmse"] == [cg.metrics.rmse(rows, outputs)]


# Outputs that are no numbers


def test_nan_is_no_class():
    y, a = _classes(4)
    a[7, 2] = np.nan
    for name, metric in METRICS.items():
        if metric.needs_decisions:
            with pytest.raises(ValueError, match="outputs holds nan in row 7, column 2, expected"):
                metric(y, a)
            with pytest.raises(ValueError, match="outputs holds nan in row 7, column 0, expected"):
                metric(y % 2, a[:, 2])
        else:
            assert np.isnan(metric(a, a)), name


def test_metrics_of_an_epoch_are_nan_where_outputs_are():
    net = cg.Network(2, [cg.Dense(2, "softmax", weights_init=1.0)], loss="cross_entropy", rng=0)
    history = cg.Trainer(net, cg.SGD(0.1), 2, rng=0).fit(
        [[0, 0], [1, 0]], [0, 1], 2, X_val=[[0, 1], [3e38, 3e38]], y_val=[0, 1], metrics=["f1"]
    )
    assert np.isnan(history.val_loss).all()
    assert np.isnan(history["val_f1"]).all()
    assert np.isfinite(history.loss).all()
