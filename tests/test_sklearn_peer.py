"""scikit-learn's own tests of its MLPs, with the estimators of cygrad in place of its classes.

The tests come from the installed package, whatever its version, and are run as they are: a copy
of their module is imported while `sklearn.neural_network` has our classes. Those that reach into a
private attribute are left out and named in PRIVATE; each has a test here that asserts the same
through public names.
"""

import importlib.util
import inspect
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from sklearn import neural_network
from sklearn.datasets import load_digits

from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

# Test of scikit-learn: the private attribute it uses, and the test here that asserts the same.
PRIVATE = {
    "test_fit": ("_coef_grads", "test_a_step_gives_the_worked_out_example"),
    "test_gradient": ("_loss_grad_lbfgs", "test_the_step_is_the_gradient_of_the_loss"),
    "test_learning_rate_warmstart": ("_optimizer", "test_a_warm_start_keeps_the_learning_rate"),
    "test_adaptive_learning_rate": ("_optimizer", "test_an_adaptive_learning_rate_becomes_small"),
    "test_n_iter_no_change": ("_no_improvement_count", "test_epochs_without_improvement_stop"),
    "test_n_iter_no_change_inf": ("_no_improvement_count", "test_no_number_of_epochs_stops"),
}


def _load_tests() -> ModuleType:
    """Import a copy of scikit-learn's tests that sees our classes under its names."""
    try:
        spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.loader is None:
        pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # Parametrisations hold the classes, so that they must be there when the module runs.
        patch.setattr(neural_network, "MLPClassifier", MLPClassifier)
        patch.setattr(neural_network, "MLPRegressor", MLPRegressor)
        spec.loader.exec_module(module)
    return module


PEER = _load_tests()
TESTS = {name: test for name, test in vars(PEER).items() if name.startswith("test_")}
globals().update({name: test for name, test in TESTS.items() if name not in PRIVATE})


@pytest.fixture
def global_random_seed() -> int:
    """The seed that scikit-learn's own configuration of pytest has by default."""
    return 42


def test_the_tests_use_our_classes():
    assert (PEER.MLPClassifier, PEER.MLPRegressor) == (MLPClassifier, MLPRegressor)
    given = {
        value
        for test in TESTS.values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize"
        for value in mark.args[1]
        if isinstance(value, type)
    }
    assert {MLPClassifier, MLPRegressor} <= given
    assert not any(each.__module__.startswith("sklearn.") for each in given)


def test_only_tests_of_private_attributes_are_left_out():
    assert len(TESTS) > 30
    for name, (attribute, ours) in PRIVATE.items():
        assert f".{attribute}" in inspect.getsource(TESTS[name]), name
        assert callable(globals()[ours])


X_DIGITS, Y_DIGITS = load_digits(n_class=2, return_X_y=True)
X_DIGITS, Y_DIGITS = X_DIGITS[:100] / 16, Y_DIGITS[:100]


def test_a_step_gives_the_worked_out_example():
    """The network of `test_fit`, with its equations instead of numbers rounded by hand."""
    mlp = MLPClassifier(
        hidden_layer_sizes=2,
        activation="logistic",
        solver="sgd",
        alpha=0.1,
        learning_rate_init=0.1,
        momentum=0,
    )
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    mlp.partial_fit(X, y, classes=[0, 1])
    W1, b1 = np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([0.1, 0.1])
    W2, b2 = np.array([[0.1], [0.2]]), np.array([1.0])
    mlp.coefs_, mlp.intercepts_ = [W1.copy(), W2.copy()], [b1.copy(), b2.copy()]
    mlp.partial_fit(X, y)

    hidden = 1 / (1 + np.exp(-(X @ W1 + b1)))
    delta2 = 1 / (1 + np.exp(-(hidden @ W2 + b2))) - 0
    delta1 = delta2 @ W2.T * hidden * (1 - hidden)
    expected_coefs = W1 - 0.1 * (X.T @ delta1 + 0.1 * W1), W2 - 0.1 * (hidden.T @ delta2 + 0.1 * W2)
    expected_intercepts = b1 - 0.1 * delta1[0], b2 - 0.1 * delta2[0]
    for actual, expected in zip(mlp.coefs_, expected_coefs, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-14)
    for actual, expected in zip(mlp.intercepts_, expected_intercepts, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-14)
    assert mlp.predict_proba(X)[0, 1] == pytest.approx(0.739, abs=5e-4)


def _parameters(mlp):
    return np.concatenate([each.ravel() for each in mlp.coefs_ + mlp.intercepts_])


def _loss_and_gradient(make, X, y, parameters=None):
    """Return `loss_` at parameters, and the gradient that one step of rate 1 takes off them."""
    mlp = make().fit(X, y)
    at = _parameters(mlp)
    if parameters is not None:
        at = parameters
        start = 0
        for arrays in (mlp.coefs_, mlp.intercepts_):
            for i, array in enumerate(arrays):
                arrays[i] = at[start : start + array.size].reshape(array.shape)
                start += array.size
    mlp.fit(X, y)
    return mlp.loss_, at - _parameters(mlp), at


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("classes", [2, 3, None])
def test_the_step_is_the_gradient_of_the_loss(activation, classes):
    rng = np.random.RandomState(42)
    X = rng.rand(5, 5)
    settings = {
        "hidden_layer_sizes": (4, 3),
        "activation": activation,
        "solver": "sgd",
        "alpha": 1e-5,
        "learning_rate_init": 1,
        "momentum": 0,
        "max_iter": 1,
        "warm_start": True,
        "random_state": 1,
    }
    if classes is None:
        y = rng.rand(5)
        estimator = MLPRegressor
    else:
        y = 1 + np.arange(1, 6) % classes
        estimator = MLPClassifier

    def make():
        return estimator(**settings)

    _, gradient, at = _loss_and_gradient(make, X, y)
    numerical = np.empty_like(gradient)
    h = 1e-5
    for i in range(at.size):
        there, back = at.copy(), at.copy()
        there[i] += h
        back[i] -= h
        losses = [_loss_and_gradient(make, X, y, each)[0] for each in (there, back)]
        numerical[i] = (losses[0] - losses[1]) / (2 * h)
    np.testing.assert_allclose(numerical, gradient, rtol=0, atol=1e-7)


@pytest.mark.parametrize("schedule", ["invscaling", "constant"])
def test_a_warm_start_keeps_the_learning_rate(schedule):
    X, y = [[3, 2], [1, 6], [5, 6], [-2, -4]], [1, 1, 1, 0]
    mlp = MLPClassifier(
        hidden_layer_sizes=4,
        solver="sgd",
        learning_rate=schedule,
        max_iter=1,
        power_t=0.25,
        warm_start=True,
    )
    mlp.fit(X, y)
    before = mlp.learning_rate_
    mlp.fit(X, y)
    if schedule == "constant":
        assert mlp.learning_rate_ == before == mlp.learning_rate_init
    else:
        assert before == pytest.approx(1e-3 / (4 + 1) ** 0.25, rel=1e-15)
        assert mlp.learning_rate_ == pytest.approx(1e-3 / (8 + 1) ** 0.25, rel=1e-15)


def test_an_adaptive_learning_rate_becomes_small():
    mlp = MLPClassifier(tol=0.5, max_iter=3000, solver="sgd", learning_rate="adaptive")
    mlp.fit([[3, 2], [1, 6]], [1, 0])
    assert mlp.n_iter_ < mlp.max_iter
    assert mlp.learning_rate_ < 1e-6


def _epochs_without_improvement(mlp):
    """Count, at the end of each epoch, those in a row whose loss is not better by tol."""
    best, count, counts = np.inf, 0, []
    for loss in mlp.loss_curve_:
        count = count + 1 if loss > best - mlp.tol else 0
        best = min(best, loss)
        counts.append(count)
    return counts


@pytest.mark.parametrize("patience", [2, 5, 10, 50, 100])
def test_epochs_without_improvement_stop(patience):
    mlp = MLPClassifier(tol=0.01, max_iter=3000, solver="sgd", n_iter_no_change=patience)
    mlp.fit(X_DIGITS, Y_DIGITS)
    *earlier, last = _epochs_without_improvement(mlp)
    assert last == patience + 1
    assert max(earlier) == patience
    assert mlp.n_iter_ == len(mlp.loss_curve_) < mlp.max_iter


def test_no_number_of_epochs_stops():
    mlp = MLPClassifier(tol=1e9, max_iter=300, solver="sgd", n_iter_no_change=np.inf)
    mlp.fit(X_DIGITS, Y_DIGITS)
    assert mlp.n_iter_ == 300
    assert _epochs_without_improvement(mlp)[-1] == 299
