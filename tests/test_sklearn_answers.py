"""The estimators give the numbers of scikit-learn's own classes for the same random state.

Parameters and curves are compared to 1e-10 in float64: initial parameters, split and order of the
rows are equal, and the rest is rounding.
"""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from scipy import sparse
from sklearn import neural_network as peer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

from cygrad import sklearn as ours

HAS_WEIGHTS = "sample_weight" in inspect.signature(peer.MLPRegressor.fit).parameters
HAS_LOSS = "loss" in inspect.signature(peer.MLPRegressor).parameters
since_1_7 = pytest.mark.skipif(
    not (HAS_WEIGHTS and HAS_LOSS), reason="scikit-learn 1.7 brought sample weights and losses"
)

pytestmark = [
    pytest.mark.usefixtures("one_blas_thread"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning"),
]


def _classes(count, rows=70):
    return make_classification(
        rows, 6, n_informative=4, n_redundant=0, n_classes=count, random_state=count
    )


def _labels():
    X, y = make_multilabel_classification(70, 6, n_classes=4, random_state=0)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def _targets(count, poisson=False):
    rng = np.random.RandomState(count)
    X = rng.standard_normal((70, 6))
    y = np.sin(X @ rng.standard_normal((6, count))) + 0.1 * rng.standard_normal((70, count))
    if poisson:
        y = rng.poisson(np.exp(y)).astype(float)
    return X, y[:, 0] if count == 1 else y


BINARY, THREE, LABELS = _classes(2), _classes(3), _labels()
ONE, SEVERAL = _targets(1), _targets(3)
COUNTS, SEVERAL_COUNTS = _targets(1, poisson=True), _targets(3, poisson=True)
WEIGHTS = np.random.RandomState(9).uniform(0.1, 3, 70)

PROBLEMS = {
    "binary": ("MLPClassifier", BINARY, {}),
    "three classes": ("MLPClassifier", THREE, {}),
    "labels": ("MLPClassifier", LABELS, {}),
    "one target": ("MLPRegressor", ONE, {}),
    "several targets": ("MLPRegressor", SEVERAL, {}),
    "counts": ("MLPRegressor", COUNTS, {"loss": "poisson"}),
    "several counts": ("MLPRegressor", SEVERAL_COUNTS, {"loss": "poisson"}),
}
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}


def _pair(name, **settings):
    """Return scikit-learn's and our estimator with the same settings."""
    settings = {"hidden_layer_sizes": (5, 4), "random_state": 3, "batch_size": 16, **settings}
    return getattr(peer, name)(**settings), getattr(ours, name)(**settings)


def _outputs(estimator, X):
    return (estimator.predict_proba if hasattr(estimator, "classes_") else estimator.predict)(X)


def _assert_same(theirs, own, X, tolerance=1e-10):
    """Assert equal fitted attributes and outputs; the tolerance is absolute, for numbers near 1."""

    def compare(name, actual, expected):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.dtype == expected.dtype, name
        np.testing.assert_allclose(actual, expected, tolerance, tolerance, err_msg=name)

    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(getattr(own, name), getattr(theirs, name), strict=True):
            compare(name, actual, expected)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(own, name) == getattr(theirs, name), name
        assert type(getattr(own, name)) is type(getattr(theirs, name)), name
    compare("loss_curve_", own.loss_curve_, theirs.loss_curve_)
    compare("loss_", own.loss_, theirs.loss_)
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        actual, expected = getattr(own, name), getattr(theirs, name)
        if expected is None:
            assert actual is None, name
        else:
            compare(name, actual, expected)
    compare("outputs", _outputs(own, X), _outputs(theirs, X))
    compare("predict", own.predict(X), theirs.predict(X)) if own.predict(X).dtype.kind == "f" else (
        np.testing.assert_array_equal(own.predict(X), theirs.predict(X))
    )


def _fit_both(name, X, y, sample_weight=None, tolerance=1e-10, **settings):
    theirs, own = _pair(name, **settings)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    for each in (theirs, own):
        each.fit(X, y, **weights)
    _assert_same(theirs, own, X, tolerance)
    return theirs, own


def _problem(name):
    estimator, data, settings = PROBLEMS[name]
    if "loss" in settings and not HAS_LOSS:
        pytest.skip("this scikit-learn has one loss")
    return estimator, data, settings


@pytest.mark.parametrize("epochs", [1, 6])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_epochs(problem, solver, epochs):
    name, (X, y), settings = _problem(problem)
    _fit_both(name, X, y, **settings, **SOLVERS[solver], max_iter=epochs, alpha=0.3)


@since_1_7
@pytest.mark.parametrize("solver", ["nesterov", "adam"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_sample_weights(problem, solver):
    name, (X, y), settings = _problem(problem)
    _, own = _fit_both(name, X, y, WEIGHTS, **settings, **SOLVERS[solver], max_iter=4, alpha=0.3)
    plain = own.coefs_[0].copy()
    own.fit(X, y)
    assert not np.allclose(own.coefs_[0], plain)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("layers", [7, (3,), (8, 2, 5), [4, 4]])
def test_activations_and_layers(activation, layers):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        _fit_both(name, X, y, activation=activation, hidden_layer_sizes=layers, max_iter=5)


@pytest.mark.parametrize("layers", [(), []])
def test_without_a_hidden_layer(layers):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        _fit_both(name, X, y, hidden_layer_sizes=layers, max_iter=5)


@pytest.mark.parametrize("batch_size", [1, 16, 35, 69, 70, "auto"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_and_orders(batch_size, shuffle):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", SEVERAL)):
        _fit_both(name, X, y, batch_size=batch_size, shuffle=shuffle, max_iter=4)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("alpha", [0, 1e-4, 3])
def test_penalties(solver, alpha):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", ONE)):
        _fit_both(name, X, y, solver=solver, alpha=alpha, max_iter=4)


@pytest.mark.parametrize(
    "settings",
    [
        {"beta_1": 0.5, "beta_2": 0.9},
        {"beta_1": 0},
        {"beta_2": 0.3},
        {"epsilon": 0.1},
        {"learning_rate_init": 0.1},
    ],
    ids=str,
)
def test_settings_of_adam(settings):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        _fit_both(name, X, y, max_iter=5, **settings)


def test_adam_with_gradients_near_epsilon():
    """ε is added to √v before the correction of its bias, other than in the paper."""
    X, y = ONE
    _fit_both("MLPRegressor", 1e-6 * X, 1e-7 * y, max_iter=3, activation="tanh", tol=0)


@pytest.mark.parametrize("power", [0, 0.25, 0.5, 1])
def test_inverse_scaling(power):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", ONE)):
        settings = {"solver": "sgd", "learning_rate": "invscaling", "power_t": power}
        _fit_both(name, X, y, max_iter=6, learning_rate_init=0.1, **settings)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_adaptive_learning_rate(early_stopping):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", ONE)):
        theirs, _ = _fit_both(
            name,
            X,
            y,
            solver="sgd",
            learning_rate="adaptive",
            early_stopping=early_stopping,
            max_iter=1000,
            learning_rate_init=0.05,
            n_iter_no_change=3,
            tol=1e-3,
        )
        assert theirs.n_iter_ < 1000


@pytest.mark.parametrize("solver", ["nesterov", "adam"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_early_stopping(problem, solver):
    name, (X, y), settings = _problem(problem)
    theirs, _ = _fit_both(
        name,
        X,
        y,
        **settings,
        **SOLVERS[solver],
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        tol=0.01,
        max_iter=300,
    )
    assert theirs.n_iter_ < 300


@since_1_7
@pytest.mark.parametrize("problem", ["binary", "labels", "several targets"])
def test_early_stopping_with_weights(problem):
    name, (X, y), settings = _problem(problem)
    _fit_both(name, X, y, WEIGHTS, **settings, early_stopping=True, n_iter_no_change=3, max_iter=40)


def test_early_stopping_with_text_as_labels():
    X, y = THREE
    names = np.array(["low", "middle", "high"])[y]
    theirs, own = _pair("MLPClassifier", early_stopping=True, max_iter=20)
    try:
        theirs.fit(X, names)
    except TypeError:
        pytest.skip("an error in this scikit-learn")
    own.fit(X, names)
    _assert_same(theirs, own, X)
    np.testing.assert_array_equal(own.classes_, theirs.classes_)


def test_epochs_until_the_loss_stays():
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        theirs, _ = _fit_both(name, X, y, tol=0.02, n_iter_no_change=4, max_iter=500)
        assert theirs.n_iter_ < 500


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_starts(solver):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", SEVERAL)):
        theirs, own = _pair(name, **SOLVERS[solver], warm_start=True, max_iter=3)
        for _ in range(3):
            for each in (theirs, own):
                each.fit(X, y)
            _assert_same(theirs, own, X)
        for each in (theirs, own):
            each.set_params(max_iter=2, alpha=0.5, learning_rate_init=0.02, batch_size=20)
            each.fit(X[:50], y[:50])
        _assert_same(theirs, own, X)
        assert own.t_ == 3 * 3 * 70 + 2 * 50
        assert len(own.loss_curve_) == 3 * 3 + 2


def test_a_second_fit_starts_anew():
    X, y = THREE
    theirs, own = _pair("MLPClassifier", max_iter=3)
    for each in (theirs, own):
        each.fit(*BINARY).fit(X, y)
    _assert_same(theirs, own, X)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_first_partial_fit(solver):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", SEVERAL)):
        theirs, own = _pair(name, **SOLVERS[solver])
        for each in (theirs, own):
            more = {"classes": [0, 1, 2]} if name == "MLPClassifier" else {}
            each.partial_fit(X, y, **more)
        _assert_same(theirs, own, X)


@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fits_in_the_order_given(solver):
    """Without shuffling; with it, scikit-learn draws the same order in every call."""
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", SEVERAL)):
        theirs, own = _pair(name, **SOLVERS[solver], shuffle=False)
        for each in (theirs, own):
            more = {"classes": [0, 1, 2]} if name == "MLPClassifier" else {}
            for start in (0, 30, 40, 69):
                each.partial_fit(X[start : start + 31], y[start : start + 31], **more)
        _assert_same(theirs, own, X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_partial_fit_after_a_fit(solver):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", ONE)):
        theirs, own = _pair(name, solver=solver, shuffle=False, max_iter=4)
        for each in (theirs, own):
            each.fit(X, y)
            each.partial_fit(X[:40], y[:40])
        _assert_same(theirs, own, X)


def test_a_random_state_that_goes_on():
    X, y = ONE
    settings = {"hidden_layer_sizes": 4, "max_iter": 2}
    states = np.random.RandomState(7), np.random.RandomState(7)
    theirs = peer.MLPRegressor(**settings, random_state=states[0])
    own = ours.MLPRegressor(**settings, random_state=states[1])
    for _ in range(2):
        _assert_same(theirs.fit(X, y), own.fit(X, y), X)
    for _ in range(3):
        _assert_same(theirs.partial_fit(X, y), own.partial_fit(X, y), X)
    assert states[0].randint(2**31) == states[1].randint(2**31)


def test_the_global_random_state():
    X, y = ONE
    settings = {"hidden_layer_sizes": 4, "max_iter": 2}
    np.random.seed(5)  # noqa: NPY002
    theirs = peer.MLPRegressor(**settings).fit(X, y)
    np.random.seed(5)  # noqa: NPY002
    _assert_same(theirs, ours.MLPRegressor(**settings).fit(X, y), X)


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "csr_array", "csc_array"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_sparse_rows(form, early_stopping):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        few = getattr(sparse, form)(np.where(np.abs(X) > 0.7, X, 0))
        _fit_both(name, few, y, max_iter=4, early_stopping=early_stopping)


@pytest.mark.parametrize("solver", SOLVERS)
def test_float32(solver):
    """Sums of up to 16 products in 4 epochs of 5 steps: some hundred units in the last place."""
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", SEVERAL)):
        _, own = _fit_both(
            name, X.astype(np.float32), y, **SOLVERS[solver], max_iter=4, tolerance=5e-5
        )
        assert {each.dtype for each in own.coefs_ + own.intercepts_} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", ["float16", "int8", "bool", ">f4", ">f8", "int64"])
def test_other_numbers_become_float64(dtype):
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        _, own = _fit_both(name, X.astype(dtype), y, max_iter=3)
        assert {each.dtype for each in own.coefs_ + own.intercepts_} == {np.dtype(np.float64)}


def _loss(estimator, X, y, alpha):
    """Return the loss that L-BFGS minimises, from predictions and parameters."""
    penalty = sum((W**2).sum() for W in estimator.coefs_) * alpha / 2 / len(X)
    if hasattr(estimator, "classes_"):
        p = estimator.predict_proba(X)[np.arange(len(X)), y]
        return -np.log(p).mean() + penalty
    return ((estimator.predict(X) - y) ** 2).mean() / 2 + penalty


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_lbfgs_starts_and_counts_alike(activation):
    """A few iterations: later ones amplify rounding."""
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        theirs, own = _pair(name, solver="lbfgs", activation=activation, max_iter=4, alpha=0.3)
        theirs.fit(X, y)
        own.fit(X, y)
        assert own.n_iter_ == theirs.n_iter_ == 4
        assert own.t_ == theirs.t_ == 0
        np.testing.assert_allclose(own.loss_, theirs.loss_, 1e-8)
        np.testing.assert_allclose(own.loss_, _loss(own, X, y, 0.3), 1e-12)
        np.testing.assert_allclose(_outputs(own, X), _outputs(theirs, X), 1e-6, 1e-8)
        assert not hasattr(own, "loss_curve_")
        assert not hasattr(theirs, "loss_curve_")


@since_1_7
def test_lbfgs_with_weights():
    for name, (X, y) in (("MLPClassifier", THREE), ("MLPRegressor", ONE)):
        theirs, own = _pair(name, solver="lbfgs", activation="tanh", max_iter=4, alpha=0.3)
        theirs.fit(X, y, WEIGHTS)
        own.fit(X, y, WEIGHTS)
        np.testing.assert_allclose(own.loss_, theirs.loss_, 1e-8)
        np.testing.assert_allclose(_outputs(own, X), _outputs(theirs, X), 1e-6, 1e-8)


def test_a_converged_lbfgs_finds_the_same_minimum():
    """A convex problem, so that there is one."""
    X, y = THREE
    settings = {"solver": "lbfgs", "hidden_layer_sizes": (), "max_iter": 500, "alpha": 1}
    theirs, own = _pair("MLPClassifier", **settings, tol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        theirs.fit(X, y)
        own.fit(X, y)
    np.testing.assert_allclose(own.loss_, theirs.loss_, 1e-9)
    np.testing.assert_allclose(own.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


def test_scores_are_those_of_the_metrics():
    for name, (X, y) in (("MLPClassifier", LABELS), ("MLPRegressor", SEVERAL)):
        theirs, own = _fit_both(name, X, y, max_iter=30)
        assert own.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-9)
        assert own.score(X, y, WEIGHTS) == pytest.approx(theirs.score(X, y, WEIGHTS), abs=1e-9)


@pytest.mark.parametrize("verbose", [True, 10])
@pytest.mark.parametrize(
    "settings",
    [
        {"max_iter": 3},
        {"early_stopping": True, "max_iter": 3},
        {"tol": 1, "n_iter_no_change": 2},
        {"tol": 1, "n_iter_no_change": 2, "early_stopping": True},
        {"tol": 1, "n_iter_no_change": 1, "solver": "sgd", "learning_rate": "adaptive"},
    ],
    ids=str,
)
def test_verbose_prints_the_same(capsys, verbose, settings):
    for name, (X, y) in (("MLPClassifier", BINARY), ("MLPRegressor", ONE)):
        theirs, own = _pair(name, verbose=verbose, **settings)
        theirs.fit(X, y)
        expected = capsys.readouterr().out
        own.fit(X, y)
        assert capsys.readouterr().out == expected != ""
