"""What the estimators have besides scikit-learn's parameters, attributes and methods."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import f1_score, log_loss
from sklearn.utils._param_validation import InvalidParameterError

import cygrad as cg
from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

BOTH = pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_SCALED = (X_IRIS - X_IRIS.mean(axis=0)) / X_IRIS.std(axis=0)
X_TWO, Y_TWO = X_SCALED[:100], Y_IRIS[:100]
LABELS = make_multilabel_classification(80, 4, n_classes=3, random_state=0)


def _bits(estimator):
    return [each.tobytes() for each in estimator.coefs_ + estimator.intercepts_]


def _outputs(estimator, X):
    return (estimator.predict_proba if hasattr(estimator, "classes_") else estimator.predict)(X)


# Dropout


@BOTH
def test_dropout_is_for_training_only(make):
    settings = {"hidden_layer_sizes": (20, 10), "max_iter": 20, "random_state": 0}
    mlp = make(dropout=0.4, **settings).fit(X_SCALED, Y_IRIS)
    kinds = [layer.kind for layer in mlp.network_.layers]
    assert kinds == ["dense", "dropout", "dense", "dropout", "dense"]
    assert mlp.n_layers_ == 4
    assert [each.shape for each in mlp.coefs_[:2]] == [(4, 20), (20, 10)]
    np.testing.assert_array_equal(_outputs(mlp, X_SCALED), _outputs(mlp, X_SCALED))
    assert _bits(make(dropout=0.4, **settings).fit(X_SCALED, Y_IRIS)) == _bits(mlp)
    assert _bits(make(**settings).fit(X_SCALED, Y_IRIS)) != _bits(mlp)
    # Without dropout nothing else changes.
    assert _bits(make(dropout=0, **settings).fit(X_SCALED, Y_IRIS)) == _bits(
        make(**settings).fit(X_SCALED, Y_IRIS)
    )


def test_dropout_of_each_layer():
    mlp = MLPRegressor(hidden_layer_sizes=(6, 5), dropout=[0, 0.5], max_iter=2)
    mlp.fit(X_SCALED, Y_IRIS)
    assert [layer.kind for layer in mlp.network_.layers] == ["dense", "dense", "dropout", "dense"]
    with pytest.raises(ValueError, match="dropout has 2 items, expected one for each of 1"):
        mlp.set_params(hidden_layer_sizes=6).fit(X_SCALED, Y_IRIS)
    for wrong in (1.0, -0.1, "half"):
        with pytest.raises(InvalidParameterError, match="The 'dropout' parameter"):
            MLPRegressor(dropout=wrong).fit(X_SCALED, Y_IRIS)
    with pytest.raises(ValueError, match=r"1\.5"):
        MLPRegressor(hidden_layer_sizes=6, dropout=[1.5]).fit(X_SCALED, Y_IRIS)


# Weights of classes


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("names", [[0, 1, 2], ["a", "b", "c"]], ids=["numbers", "words"])
def test_weights_of_classes_are_weights_of_samples(solver, names):
    y = np.array(names)[Y_IRIS]
    settings = {"solver": solver, "max_iter": 4, "random_state": 0, "hidden_layer_sizes": (5,)}
    weights = dict(zip(names, [0.5, 1, 3], strict=True))
    by_class = MLPClassifier(class_weight=weights, **settings).fit(X_SCALED, y)
    by_sample = MLPClassifier(**settings).fit(X_SCALED, y, np.array([0.5, 1, 3])[Y_IRIS])
    assert _bits(by_class) == _bits(by_sample)
    given = np.linspace(1, 2, 150)
    by_class.fit(X_SCALED, y, given)
    by_sample.fit(X_SCALED, y, np.array([0.5, 1, 3])[Y_IRIS] * given)
    assert _bits(by_class) == _bits(by_sample)


def test_balanced_classes():
    rows = np.r_[0:50, 50:60, 100:140]
    X, y = X_SCALED[rows], Y_IRIS[rows]
    settings = {"max_iter": 4, "random_state": 0, "hidden_layer_sizes": (5,)}
    balanced = MLPClassifier(class_weight="balanced", **settings).fit(X, y)
    expected = (100 / 3 / np.array([50, 10, 40]))[y]
    plain = MLPClassifier(**settings).fit(X, y, expected)
    for actual, wanted in zip(balanced.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)
    given = np.linspace(1, 3, 100)
    balanced.fit(X, y, given)
    plain.fit(X, y, given * (given.sum() / 3 / np.bincount(y, given))[y])
    for actual, wanted in zip(balanced.coefs_, plain.coefs_, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)
    # A class without weight is none.
    balanced.fit(X, y, (y != 1).astype(float))
    plain.fit(X, y, np.array([90 / 2 / 50, 0, 90 / 2 / 40])[y])
    np.testing.assert_allclose(balanced.coefs_[0], plain.coefs_[0], rtol=1e-12)


def test_tags_tell_whether_the_loss_takes_several_labels():
    def takes(loss):
        return MLPClassifier(loss=loss).__sklearn_tags__().classifier_tags.multi_label

    assert takes("log_loss")
    assert takes(cg.losses.binary_cross_entropy(label_smoothing=0.1))
    assert takes("no loss")  # parameters are validated by fit only
    assert not takes("hinge")
    assert not takes(cg.losses.focal(1.0))


def test_classes_that_are_not_named_have_weight_one():
    settings = {"max_iter": 4, "random_state": 0}
    some = MLPClassifier(class_weight={2: 4.0}, **settings).fit(X_SCALED, Y_IRIS)
    every = MLPClassifier(class_weight={0: 1.0, 1: 1.0, 2: 4.0}, **settings)
    assert _bits(some) == _bits(every.fit(X_SCALED, Y_IRIS))
    with pytest.raises(ValueError, match="class_weight has the class 3"):
        MLPClassifier(class_weight={3: 1.0}).fit(X_SCALED, Y_IRIS)
    with pytest.raises(InvalidParameterError, match="The 'class_weight' parameter"):
        MLPClassifier(class_weight="equal").fit(X_SCALED, Y_IRIS)


def test_validation_scores_are_without_weights_of_classes():
    mlp = MLPClassifier(
        class_weight={0: 100.0}, early_stopping=True, max_iter=3, random_state=0
    ).fit(X_SCALED, Y_IRIS, X_val=X_SCALED, y_val=Y_IRIS)
    assert mlp.best_validation_score_ == mlp.score(X_SCALED, Y_IRIS)


# Activations


@BOTH
def test_an_activation_for_each_layer(make):
    mlp = make(activation=["tanh", "logistic", cg.activations.leaky_relu(0.2)], max_iter=2)
    mlp.set_params(hidden_layer_sizes=(5, 4, 3), random_state=0).fit(X_SCALED, Y_IRIS)
    a = np.tanh(X_SCALED @ mlp.coefs_[0] + mlp.intercepts_[0])
    a = 1 / (1 + np.exp(-(a @ mlp.coefs_[1] + mlp.intercepts_[1])))
    a = a @ mlp.coefs_[2] + mlp.intercepts_[2]
    a = np.where(a > 0, a, 0.2 * a) @ mlp.coefs_[3] + mlp.intercepts_[3]
    if make is MLPClassifier:
        a = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(mlp.predict_proba(X_SCALED), a, rtol=1e-12)
    else:
        np.testing.assert_allclose(mlp.predict(X_SCALED), a[:, 0], rtol=1e-12)


@BOTH
def test_equal_activations_are_one(make):
    settings = {"hidden_layer_sizes": (5, 4), "random_state": 0, "max_iter": 3}
    one = make(activation="tanh", **settings).fit(X_SCALED, Y_IRIS)
    two = make(activation=["tanh", "tanh"], **settings).fit(X_SCALED, Y_IRIS)
    assert _bits(one) == _bits(two)


@pytest.mark.parametrize(
    "activation", ["gelu", "elu", "selu", "silu", "mish", "softplus", "softsign", "sine", "sigmoid"]
)
def test_activations_of_the_package(activation):
    mlp = MLPClassifier((16,), activation, max_iter=300, learning_rate_init=0.02, random_state=0)
    assert mlp.fit(X_SCALED, Y_IRIS).score(X_SCALED, Y_IRIS) > 0.94
    assert mlp.network_.layers[0].activation_name == activation


@BOTH
def test_wrong_activations(make):
    with pytest.raises(ValueError, match="activation has 1 items, expected one for each of 2"):
        make(activation=["tanh"], hidden_layer_sizes=(3, 2)).fit(X_SCALED, Y_IRIS)
    with pytest.raises(ValueError, match=r"activation\[1\] is 'step', expected one of"):
        make(activation=["tanh", "step"], hidden_layer_sizes=(3, 2)).fit(X_SCALED, Y_IRIS)


# Optimisers and schedules


def _trained_by_hand(mlp, optimizer, epochs):
    """Return the parameters after full batches of the squared error, beginning as `mlp` does."""
    layers = [cg.Dense(5, "tanh"), cg.Dense(1)]
    net = cg.Network(4, layers, loss="quadratic", dtype="float64", rng=0)
    start = clone(mlp).set_params(solver=cg.SGD(1e-300), alpha=0, max_iter=1)
    start.fit(X_SCALED, Y_IRIS)
    for layer, W, b in zip(net.layers, start.coefs_, start.intercepts_, strict=True):
        layer.weights, layer.biases = W.T, b
    cg.Trainer(net, optimizer, 150).fit(X_SCALED, Y_IRIS, epochs, shuffle=False)
    return [layer.weights.T for layer in net.layers]


OPTIMIZERS = [
    cg.AdamW(0.01, weight_decay=0.1),
    cg.Lion(1e-3),
    cg.RMSProp(0.01, centered=True),
    cg.Adam(0.01, amsgrad=True),
    cg.SGD(cg.CosineDecay(0.1, 10), momentum=0.5),
    cg.Rprop(),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_an_optimizer_as_solver(optimizer):
    mlp = MLPRegressor(solver=optimizer, hidden_layer_sizes=5, activation="tanh", max_iter=6)
    mlp.set_params(batch_size=150, shuffle=False, random_state=0).fit(X_SCALED, Y_IRIS)
    for actual, expected in zip(mlp.coefs_, _trained_by_hand(mlp, optimizer, 6), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13)
    assert repr(clone(mlp).solver) == repr(optimizer)


@BOTH
@pytest.mark.parametrize("solver", ["adamw", "nadam", "radam", "rmsprop", "lion", "adagrad"])
def test_names_of_optimizers(make, solver):
    mlp = make(solver=solver, learning_rate_init=0.01, max_iter=150, random_state=0)
    try:
        mlp.fit(X_SCALED, Y_IRIS)
    except InvalidParameterError:
        assert solver == "adamw"  # has no penalty in its gradient
        return
    assert mlp.score(X_SCALED, Y_IRIS) > 0.85
    assert mlp.loss_curve_[-1] < mlp.loss_curve_[0]


@BOTH
def test_alpha_belongs_to_solvers_by_name(make):
    with pytest.warns(UserWarning, match=r"alpha is 0\.5 and not used"):
        make(solver=cg.AdamW(0.01), alpha=0.5).fit(X_SCALED, Y_IRIS)
    make(solver=cg.AdamW(0.01), alpha=0, max_iter=1).fit(X_SCALED, Y_IRIS)


def test_a_schedule_as_learning_rate():
    schedule = cg.ExponentialDecay(0.1, 0.5)
    settings = {"hidden_layer_sizes": 5, "batch_size": 150, "random_state": 0, "alpha": 0}
    settings |= {"solver": "sgd", "momentum": 0, "max_iter": 4, "shuffle": False}
    mlp = MLPRegressor(learning_rate=schedule, **settings).fit(X_SCALED, Y_IRIS)
    assert mlp.learning_rate_ == pytest.approx(schedule(4))
    steps = MLPRegressor(**{**settings, "max_iter": 1, "warm_start": True})
    for step in range(4):
        steps.set_params(learning_rate_init=schedule(step)).fit(X_SCALED, Y_IRIS)
    for actual, expected in zip(mlp.coefs_, steps.coefs_, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
    mlp = MLPRegressor(learning_rate=lambda step: 0.01 / (step + 1), **settings)
    assert mlp.fit(X_SCALED, Y_IRIS).learning_rate_ == pytest.approx(0.01 / 5)


# Losses


@pytest.mark.parametrize(
    "loss",
    [
        "absolute_error",
        "huber",
        "log_cosh",
        "gaussian_nll",
        cg.losses.huber(0.2),
        cg.losses.pinball(0.5),
        "mse",
    ],
    ids=repr,
)
def test_losses_of_numbers(loss):
    y = X_SCALED[:, 0] - X_SCALED[:, 1] + 5
    mlp = MLPRegressor(loss, (12,), learning_rate_init=0.02, max_iter=400, random_state=0)
    assert mlp.fit(X_SCALED, y).score(X_SCALED, y) > 0.9
    assert mlp.predict(X_SCALED).shape == (150,)
    assert mlp.loss_curve_[-1] < mlp.loss_curve_[0]


def test_a_loss_is_the_mean_of_the_package():
    y = X_SCALED[:, 0]
    mlp = MLPRegressor(cg.losses.huber(0.3), (4,), alpha=0, random_state=0, warm_start=True)
    mlp.set_params(max_iter=1).fit(X_SCALED, y)
    error = np.abs(mlp.predict(X_SCALED) - y)
    expected = np.where(error <= 0.3, error**2 / 2, 0.3 * (error - 0.15)).mean()
    assert mlp.fit(X_SCALED, y).loss_ == pytest.approx(expected)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_quantile_regression(solver):
    """Of noise around 0, 90 % of the targets are below the 0.9 quantile."""
    X = np.random.RandomState(0).uniform(-1, 1, (600, 1))
    y = np.random.RandomState(1).exponential(size=600) * (2 + X[:, 0])
    mlp = MLPRegressor(cg.losses.pinball(0.9), (8,), solver=solver, random_state=0, max_iter=300)
    mlp.set_params(learning_rate_init=0.02).fit(X, y)
    assert (y <= mlp.predict(X)).mean() == pytest.approx(0.9, abs=0.03)


def test_several_quantiles_of_one_target():
    X = np.random.RandomState(0).uniform(-1, 1, (600, 1))
    y = np.random.RandomState(1).exponential(size=600)
    mlp = MLPRegressor(cg.losses.pinball([0.1, 0.5, 0.9]), (8,), random_state=0, max_iter=300)
    mlp.set_params(learning_rate_init=0.02).fit(X, y)
    assert mlp.predict(X).shape == (600, 3)
    shares = (y[:, np.newaxis] <= mlp.predict(X)).mean(axis=0)
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.04)


@pytest.mark.parametrize(
    "loss",
    ["cross_entropy", "hinge", "squared_hinge", "focal", cg.losses.focal(3.0)],
    ids=repr,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_losses_of_classes(loss, classes):
    X, y = (X_TWO, Y_TWO) if classes == 2 else (X_SCALED, Y_IRIS)
    names = np.array(["a", "b", "c"])[y]
    mlp = MLPClassifier((12,), loss=loss, learning_rate_init=0.02, max_iter=200, random_state=0)
    assert mlp.fit(X, names).score(X, names) > 0.94
    scores = mlp.decision_function(X)
    assert scores.shape == ((len(X),) if classes == 2 else (len(X), 3))
    decided = (scores > 0).astype(int) if classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(mlp.classes_[decided], mlp.predict(X))
    if "hinge" in str(loss):
        assert not hasattr(mlp, "predict_proba")
        assert not hasattr(mlp, "predict_log_proba")
        with pytest.raises(AttributeError, match="predict_proba"):
            mlp.predict_proba(X)
    else:
        np.testing.assert_allclose(mlp.predict_proba(X).sum(axis=1), 1)


def test_the_log_loss_is_a_cross_entropy():
    settings = {"max_iter": 4, "random_state": 0}
    named = MLPClassifier(**settings).fit(X_SCALED, Y_IRIS)
    other = MLPClassifier(loss="cross_entropy", **settings).fit(X_SCALED, Y_IRIS)
    assert _bits(named) == _bits(other)
    named = MLPClassifier(**settings).fit(X_TWO, Y_TWO)
    other = MLPClassifier(loss="binary_cross_entropy", **settings).fit(X_TWO, Y_TWO)
    assert _bits(named) == _bits(other)


def test_losses_that_do_not_fit_the_labels():
    with pytest.raises(ValueError, match="loss is 'binary_cross_entropy' and y has 3 classes"):
        MLPClassifier(loss="binary_cross_entropy").fit(X_SCALED, Y_IRIS)
    with pytest.raises(ValueError, match="loss is 'hinge' and y has several labels"):
        MLPClassifier(loss="hinge").fit(*LABELS)
    with pytest.raises(InvalidParameterError, match="The 'loss' parameter of MLPClassifier"):
        MLPClassifier(loss="mse").fit(X_SCALED, Y_IRIS)
    with pytest.raises(InvalidParameterError, match="The 'loss' parameter of MLPRegressor"):
        MLPRegressor(loss="hinge").fit(X_SCALED, Y_IRIS)


def test_a_loss_of_python():
    def squares(a, y):
        error = a - y.reshape(a.shape)
        return (error**2).sum(axis=1) / 2, error

    settings = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0, "alpha": 0.2}
    own = MLPRegressor(squares, **settings).fit(X_SCALED, Y_IRIS)
    named = MLPRegressor("squared_error", **settings).fit(X_SCALED, Y_IRIS)
    for actual, expected in zip(own.coefs_, named.coefs_, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert own.loss_ == pytest.approx(named.loss_)


# Early stopping


@BOTH
def test_early_stopping_by_the_loss(make):
    mlp = make(
        early_stopping="loss", max_iter=30, random_state=0, hidden_layer_sizes=(5,), alpha=0
    ).fit(X_SCALED, Y_IRIS, X_val=X_SCALED[::2], y_val=Y_IRIS[::2])
    if make is MLPClassifier:
        loss = log_loss(Y_IRIS[::2], mlp.predict_proba(X_SCALED[::2]))
    else:
        loss = ((mlp.predict(X_SCALED[::2]) - Y_IRIS[::2]) ** 2).mean() / 2
    assert mlp.best_validation_score_ == max(mlp.validation_scores_) == pytest.approx(-loss)


def test_early_stopping_by_a_metric():
    mlp = MLPClassifier(early_stopping="f1", max_iter=10, random_state=0)
    mlp.fit(X_TWO, Y_TWO, X_val=X_TWO[20:], y_val=Y_TWO[20:])
    expected = f1_score(Y_TWO[20:], mlp.predict(X_TWO[20:]))
    assert mlp.best_validation_score_ == pytest.approx(expected)
    mlp = MLPRegressor(early_stopping="mse", max_iter=10, random_state=0)
    mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED[::2], y_val=Y_IRIS[::2])
    error = ((mlp.predict(X_SCALED[::2]) - Y_IRIS[::2]) ** 2).mean()
    assert mlp.best_validation_score_ == pytest.approx(-error)
    with pytest.raises(ValueError, match="early_stopping is 'speed'"):
        MLPRegressor(early_stopping="speed").fit(X_SCALED, Y_IRIS)


def test_a_metric_of_ones_own_decides():
    def largest_error(y, outputs):
        return float(abs(y - outputs).max())

    metric = cg.metrics.Metric(largest_error, "largest_error", higher_is_better=False)
    mlp = clone(MLPRegressor(early_stopping=metric, max_iter=10, random_state=0))
    mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED[::2], y_val=Y_IRIS[::2])
    error = abs(mlp.predict(X_SCALED[::2]) - Y_IRIS[::2]).max()
    assert mlp.best_validation_score_ == pytest.approx(-error) == max(mlp.validation_scores_)
    unknown = cg.metrics.Metric(largest_error, "largest_error")
    with pytest.raises(ValueError, match="better direction is not known"):
        MLPRegressor(early_stopping=unknown).fit(X_SCALED, Y_IRIS)


@BOTH
def test_own_validation_samples(make):
    settings = {"max_iter": 4, "random_state": 0}
    mlp = make(early_stopping=True, **settings)
    mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED[:40], y_val=Y_IRIS[:40])
    # All rows are trained on, and the random numbers are those without a split.
    plain = make(**settings).fit(X_SCALED, Y_IRIS)
    assert mlp.loss_curve_ == plain.loss_curve_
    assert mlp.t_ == 600
    observed = make(**settings).fit(X_SCALED, Y_IRIS, X_val=X_SCALED[:40], y_val=Y_IRIS[:40])
    assert _bits(observed) == _bits(plain)
    assert observed.validation_scores_ == mlp.validation_scores_
    assert observed.validation_scores_[-1] == pytest.approx(
        observed.score(X_SCALED[:40], Y_IRIS[:40])
    )


@BOTH
def test_wrong_validation_samples(make):
    mlp = make(early_stopping=True)
    with pytest.raises(ValueError, match="y_val is None and X_val is given"):
        mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED)
    with pytest.raises(ValueError, match="X_val is None and y_val is given"):
        mlp.fit(X_SCALED, Y_IRIS, y_val=Y_IRIS)
    with pytest.raises(ValueError, match="sample_weight_val is given and X_val is None"):
        mlp.fit(X_SCALED, Y_IRIS, sample_weight_val=np.ones(150))
    with pytest.raises(ValueError, match="X has 3 features"):
        mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED[:, :3], y_val=Y_IRIS)
    if make is MLPClassifier:
        with pytest.raises(ValueError, match=r"classes not in `self\.classes_`"):
            mlp.fit(X_SCALED, Y_IRIS, X_val=X_SCALED, y_val=Y_IRIS + 1)


# Callbacks and history


@BOTH
def test_callbacks(make):
    seen = []

    def three(trainer, epoch, logs):
        seen.append((epoch, logs["loss"]))
        return epoch == 3

    mlp = make(callbacks=[three], max_iter=20).fit(X_SCALED, Y_IRIS)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert mlp.n_iter_ == 3
    assert len(mlp.history_) == 3
    assert clone(mlp).callbacks == [three]


def test_the_history_has_the_losses():
    mlp = MLPRegressor(max_iter=5, alpha=0).fit(X_SCALED, Y_IRIS)
    np.testing.assert_allclose(mlp.history_["loss"], mlp.loss_curve_)


# Types


@BOTH
def test_a_type_of_ones_own(make):
    settings = {"max_iter": 3, "random_state": 0}
    narrow = make(dtype="float32", **settings).fit(X_SCALED, Y_IRIS)
    given = make(**settings).fit(X_SCALED.astype(np.float32), Y_IRIS)
    assert {each.dtype for each in narrow.coefs_} == {np.dtype(np.float32)}
    assert _bits(narrow) == _bits(given)
    wide = make(dtype="float64", **settings).fit(X_SCALED.astype(np.float32), Y_IRIS)
    assert _outputs(wide, X_SCALED.astype(np.float32)).dtype == np.float64
    narrow = make(dtype="float32", solver="lbfgs", max_iter=5).fit(X_SCALED, Y_IRIS)
    assert narrow.coefs_[0].dtype == np.float32


# Scores


def test_decision_functions():
    mlp = MLPClassifier(max_iter=5, random_state=0).fit(X_SCALED, Y_IRIS)
    z = mlp.decision_function(X_SCALED)
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mlp.predict_proba(X_SCALED), expected, rtol=1e-12)
    hidden = np.maximum(X_SCALED @ mlp.coefs_[0] + mlp.intercepts_[0], 0)
    np.testing.assert_allclose(
        z, hidden @ mlp.coefs_[1] + mlp.intercepts_[1], rtol=1e-11, atol=1e-12
    )
    mlp = MLPClassifier(max_iter=5, random_state=0).fit(X_TWO, Y_TWO)
    z = mlp.decision_function(X_TWO)
    np.testing.assert_allclose(mlp.predict_proba(X_TWO)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-12)
    mlp = MLPClassifier(max_iter=5, random_state=0).fit(*LABELS)
    z = mlp.decision_function(LABELS[0])
    np.testing.assert_allclose(mlp.predict_proba(LABELS[0]), 1 / (1 + np.exp(-z)), rtol=1e-12)
    np.testing.assert_array_equal(mlp.predict(LABELS[0]), (z > 0).astype(int))


def test_scores_of_many_rows_are_those_of_few():
    mlp = MLPClassifier((3,), max_iter=2, random_state=0).fit(X_SCALED, Y_IRIS)
    X = np.tile(X_SCALED, (20, 1))
    np.testing.assert_array_equal(mlp.decision_function(X)[-150:], mlp.decision_function(X_SCALED))


# Networks


def test_a_network_and_back():
    mlp = MLPClassifier((5, 4), "tanh", max_iter=3, random_state=0).fit(X_SCALED, Y_IRIS)
    net = mlp.network_
    assert isinstance(net, cg.Network)
    np.testing.assert_array_equal(net.forward(X_SCALED), mlp.predict_proba(X_SCALED))
    again = MLPClassifier.from_network(net, ["x", "y", "z"], max_iter=7)
    assert again.hidden_layer_sizes == (5, 4)
    assert again.max_iter == 7
    np.testing.assert_array_equal(again.predict_proba(X_SCALED), mlp.predict_proba(X_SCALED))
    np.testing.assert_array_equal(
        again.predict(X_SCALED), np.array(["x", "y", "z"])[mlp.predict(X_SCALED)]
    )
    assert again.n_features_in_ == 4
    assert again.out_activation_ == "softmax"


@pytest.mark.parametrize("task", ["two classes", "labels", "numbers", "counts"])
def test_networks_from_files(task, tmp_path):
    X, y = {
        "two classes": (X_TWO, Y_TWO),
        "labels": LABELS,
        "numbers": (X_SCALED, X_SCALED[:, :2]),
        "counts": (X_SCALED, Y_IRIS),
    }[task]
    make = MLPClassifier if task in ("two classes", "labels") else MLPRegressor
    mlp = make(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    if task == "counts":
        mlp.set_params(loss="poisson")
    mlp.fit(X, y)
    mlp.network_.save(tmp_path / "net.npz")
    again = make.from_network(cg.load(tmp_path / "net.npz"))
    np.testing.assert_array_equal(_outputs(again, X), _outputs(mlp, X))
    np.testing.assert_array_equal(again.predict(X), mlp.predict(X))
    before = _bits(again)
    again.set_params(max_iter=2, warm_start=True).fit(X, y)
    assert _bits(again) != before
    again.partial_fit(X, y)
    assert again.t_ == 3 * len(X)


def test_networks_with_layers_of_other_kinds_predict_and_train():
    layers = [cg.Dense(6), cg.BatchNorm("relu"), cg.Dense(3, "softmax")]
    net = cg.Network(4, layers, loss="cross_entropy", rng=0, dtype="float64")
    with pytest.raises(ValueError, match="expected warm_start=True"):
        MLPClassifier.from_network(net).fit(X_SCALED, Y_IRIS)
    mlp = MLPClassifier.from_network(net, warm_start=True, max_iter=50, learning_rate_init=0.02)
    np.testing.assert_array_equal(mlp.predict_proba(X_SCALED), net.forward(X_SCALED))
    assert mlp.fit(X_SCALED, Y_IRIS).score(X_SCALED, Y_IRIS) > 0.9
    assert mlp.network_ is net


def test_networks_of_other_tasks_are_refused():
    numbers = cg.Network(4, [cg.Dense(2)], loss="mse", rng=0)
    classes = cg.Network(4, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    with pytest.raises(ValueError, match="net has the loss 'mse', expected a loss of classes"):
        MLPClassifier.from_network(numbers)
    with pytest.raises(ValueError, match="net has the loss 'cross_entropy', expected a loss of"):
        MLPRegressor.from_network(classes)
    with pytest.raises(ValueError, match=r"classes has shape \(2,\), expected \(3,\)"):
        MLPClassifier.from_network(classes, [0, 1])


@BOTH
def test_there_is_no_network_before_fit(make):
    assert not hasattr(make(), "network_")
    with pytest.raises(NotFittedError):
        make().predict(X_SCALED)


# All together


@BOTH
def test_clones_have_all_settings(make):
    settings = {
        "activation": ["tanh", cg.activations.elu(0.5)],
        "hidden_layer_sizes": (4, 3),
        "solver": cg.RMSProp(0.01),
        "alpha": 0,
        "dropout": [0.1, 0.2],
        "loss": cg.losses.focal(1.5) if make is MLPClassifier else cg.losses.huber(0.5),
        "early_stopping": "loss",
        "callbacks": [cg.Callback()],
        "n_threads": 1,
        "dtype": "float32",
        "max_iter": 3,
        "random_state": 0,
    }
    mlp = make(**settings)
    twin = clone(mlp)
    one, other = twin.get_params(), mlp.get_params()
    assert type(one.pop("callbacks")[0]) is type(other.pop("callbacks")[0])
    assert one == other
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert _bits(twin.fit(X_SCALED, Y_IRIS)) == _bits(mlp.fit(X_SCALED, Y_IRIS))


def test_docstrings_describe_every_parameter_and_attribute():
    for make in (MLPClassifier, MLPRegressor):
        described = {
            name.strip()
            for line in make.__doc__.splitlines()
            if not line.startswith(" ") and " : " in line
            for name in line.split(" : ")[0].split(",")
        }
        assert set(make().get_params()) <= described
        fitted = make(max_iter=1).fit(X_SCALED, Y_IRIS)
        public = [name for name in dir(fitted) if name.endswith("_") and name[0] != "_"]
        assert set(public) <= described
