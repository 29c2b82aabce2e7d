"""Where scikit-learn 1.9's MLPs are wrong, the estimators are right, and where both is possible.

`cygrad.sklearn` lists these differences.
"""

import itertools
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from sklearn import neural_network as peer
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score

from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

BOTH = pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
RNG = np.random.RandomState(0)
X_SCALED = (X_IRIS - X_IRIS.mean(axis=0)) / X_IRIS.std(axis=0)
X_LINE = RNG.standard_normal((60, 3))
Y_LINES = X_LINE @ RNG.standard_normal((3, 4)) + RNG.standard_normal((60, 4))


def _bits(estimator):
    return [each.tobytes() for each in estimator.coefs_ + estimator.intercepts_]


# Early stopping and warm starts


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@BOTH
def test_the_best_parameters_do_not_move_on_in_a_second_fit(make, solver):
    mlp = make(
        solver=solver, early_stopping=True, warm_start=True, max_iter=40, random_state=0
    ).fit(X_IRIS, Y_IRIS, X_val=X_IRIS, y_val=Y_IRIS)
    best, kept = mlp.best_validation_score_, _bits(mlp)
    # Epochs that make everything worse.
    mlp.set_params(learning_rate_init=0.3, max_iter=1, alpha=1000.0)
    mlp.fit(X_IRIS, Y_IRIS, X_val=X_IRIS, y_val=Y_IRIS)
    assert mlp.validation_scores_[-1] < best
    assert mlp.best_validation_score_ == best
    assert _bits(mlp) == kept
    assert mlp.score(X_IRIS, Y_IRIS) == pytest.approx(best, rel=1e-12)


@BOTH
def test_early_stopping_can_be_switched_between_warm_fits(make):
    mlp = make(warm_start=True, max_iter=3, random_state=0).fit(X_IRIS, Y_IRIS)
    assert mlp.validation_scores_ is None
    assert mlp.best_validation_score_ is None
    mlp.set_params(early_stopping=True).fit(X_IRIS, Y_IRIS)
    assert len(mlp.validation_scores_) == 3
    assert mlp.best_validation_score_ == max(mlp.validation_scores_)
    assert mlp.best_loss_ is None
    assert len(mlp.loss_curve_) == 6
    mlp.set_params(early_stopping=False).fit(X_IRIS, Y_IRIS)
    assert mlp.validation_scores_ is None
    assert mlp.best_validation_score_ is None
    assert len(mlp.loss_curve_) == 9
    assert mlp.best_loss_ in mlp.loss_curve_[6:]
    mlp.set_params(early_stopping=True).fit(X_IRIS, Y_IRIS)
    assert len(mlp.validation_scores_) == 3


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("sizes", [(5,), (4, 4), (4, 3, 2), ()])
def test_a_warm_start_refuses_layers_of_other_sizes(make, solver, sizes):
    mlp = make(hidden_layer_sizes=(4, 3), solver=solver, warm_start=True, max_iter=2)
    kept = _bits(mlp.fit(X_IRIS, Y_IRIS))
    with pytest.raises(ValueError, match=r"hidden_layer_sizes is .*\(4, 3\)"):
        mlp.set_params(hidden_layer_sizes=sizes).fit(X_IRIS, Y_IRIS)
    assert _bits(mlp) == kept
    mlp.predict(X_IRIS)
    mlp.set_params(hidden_layer_sizes=[4, 3]).fit(X_IRIS, Y_IRIS)
    mlp.set_params(hidden_layer_sizes=sizes, warm_start=False).fit(X_IRIS, Y_IRIS)
    assert [each.shape[1] for each in mlp.coefs_[:-1]] == list(sizes)


@BOTH
def test_partial_fit_refuses_layers_of_other_sizes(make):
    more = {"classes": [0, 1, 2]} if make is MLPClassifier else {}
    mlp = make(hidden_layer_sizes=4).partial_fit(X_IRIS, Y_IRIS, **more)
    mlp.set_params(hidden_layer_sizes=(4,)).partial_fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="hidden_layer_sizes is 5"):
        mlp.set_params(hidden_layer_sizes=5).partial_fit(X_IRIS, Y_IRIS)


def test_a_score_that_is_nan_is_no_progress():
    """Validation samples so large that outputs overflow, from the first epoch on."""
    X = X_LINE.astype(np.float32)
    y = X.sum(axis=1) * 9
    huge = np.full((4, 3), np.finfo(np.float32).max)
    mlp = MLPRegressor(
        hidden_layer_sizes=(),
        learning_rate_init=0.1,
        warm_start=True,
        random_state=0,
        tol=0,
        n_iter_no_change=3,
    ).fit(X, y)
    assert mlp.coefs_[0].min() > 2
    mlp.set_params(early_stopping=True, learning_rate_init=1e-6)
    kept = _bits(mlp)
    mlp.fit(X, y, X_val=huge, y_val=np.arange(4))
    assert mlp.n_iter_ == 4
    assert np.isnan(mlp.validation_scores_).all()
    assert _bits(mlp) == kept


# partial_fit


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_every_partial_fit_draws_a_new_order(make, solver):
    """As scikit-learn does where the random state is a generator, and not where it is a number."""
    theirs = getattr(peer, make.__name__)
    settings = {"solver": solver, "batch_size": 16, "learning_rate_init": 0.05}
    settings["hidden_layer_sizes"] = (4,)
    one, other = (
        make(random_state=7, **settings),
        theirs(random_state=np.random.RandomState(7), **settings),
    )
    more = {"classes": [0, 1, 2]} if make is MLPClassifier else {}
    for _ in range(4):
        one.partial_fit(X_SCALED, Y_IRIS, **more)
        other.partial_fit(X_SCALED, Y_IRIS, **more)
        for actual, expected in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@BOTH
def test_calls_of_partial_fit_are_the_epochs_of_a_fit(make):
    settings = {"random_state": 7, "batch_size": 16, "hidden_layer_sizes": (4,)}
    more = {"classes": [0, 1, 2]} if make is MLPClassifier else {}
    steps = make(**settings)
    for _ in range(3):
        steps.partial_fit(X_IRIS, Y_IRIS, **more)
    whole = make(max_iter=3, **settings).fit(X_IRIS, Y_IRIS)
    # A fit permutes the order of the epoch before: equal are the first epochs only.
    assert steps.loss_curve_[0] == whole.loss_curve_[0]
    again = make(**settings)
    for _ in range(3):
        again.partial_fit(X_IRIS, Y_IRIS, **more)
    assert _bits(again) == _bits(steps)


@BOTH
def test_parameters_set_between_partial_fits_are_used(make):
    more = {"classes": [0, 1, 2]} if make is MLPClassifier else {}
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05}
    mlp = make(**settings).partial_fit(X_IRIS, Y_IRIS, **more)
    before = _bits(mlp)
    mlp.set_params(learning_rate_init=1e-30).partial_fit(X_IRIS, Y_IRIS)
    assert mlp.learning_rate_ == pytest.approx(1e-30)
    assert _bits(mlp) == before
    mlp.set_params(learning_rate_init=0.05).partial_fit(X_IRIS, Y_IRIS)
    assert _bits(mlp) != before


# Weights and targets


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_batch_without_weight_is_no_step(make, solver):
    rows = np.r_[0:50, 60:150]
    weights = np.ones(150)
    weights[50:60] = 0
    settings = {"solver": solver, "batch_size": 10, "shuffle": False, "max_iter": 4}
    settings |= {"random_state": 0, "alpha": 0.1}
    weighted = make(**settings).fit(X_IRIS, Y_IRIS, weights)
    without = make(**settings).fit(X_IRIS[rows], Y_IRIS[rows], weights[rows])
    assert _bits(weighted) == _bits(without)
    # All 150 rows divide the sum of the losses.
    assert weighted.loss_ * 150 == pytest.approx(without.loss_ * 140)
    assert (weighted.t_, without.t_) == (600, 560)


@BOTH
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_wrong_weights(make, solver):
    weights = np.ones(150)
    weights[7] = -1e-3
    mlp = make(solver=solver)
    with pytest.raises(ValueError, match=r"sample_weight has negative weights, expected"):
        mlp.fit(X_IRIS, Y_IRIS, weights)
    with pytest.raises(ValueError, match=r"is all zero, expected|at least one non-zero number"):
        mlp.fit(X_IRIS, Y_IRIS, np.zeros(150))
    weights[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        mlp.fit(X_IRIS, Y_IRIS, weights)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_negative_counts(solver):
    y = Y_LINES[:, 0].clip(0)
    mlp = MLPRegressor("poisson", solver=solver, max_iter=3).fit(X_LINE, y)
    y[3] = -0.5
    with pytest.raises(ValueError, match=r"y has the target -0\.5 .* at least 0"):
        mlp.fit(X_LINE, y)
    if solver != "lbfgs":
        with pytest.raises(ValueError, match=r"y has the target -0\.5 .* at least 0"):
            mlp.partial_fit(X_LINE, y)


# Several targets


def _ridge(X, Y, alpha):
    """Return the minimum of mean over rows and targets of ½ e² + ½ α ΣW² / n."""
    rows, targets = Y.shape
    x, y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    W = np.linalg.solve(x.T @ x / targets + alpha * np.eye(X.shape[1]), x.T @ y / targets)
    b = Y.mean(axis=0) - X.mean(axis=0) @ W
    loss = ((X @ W + b - Y) ** 2).mean() / 2 + alpha / 2 / rows * (W**2).sum()
    return W, b, loss


def test_lbfgs_minimises_the_loss_it_reports_for_several_targets():
    mlp = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=5, tol=1e-10, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        mlp.fit(X_LINE, Y_LINES)
    W, b, loss = _ridge(X_LINE, Y_LINES, 5)
    np.testing.assert_allclose(mlp.coefs_[0], W, atol=1e-6)
    np.testing.assert_allclose(mlp.intercepts_[0], b, atol=1e-6)
    assert mlp.loss_ == pytest.approx(loss, rel=1e-12)


def test_lbfgs_with_hidden_layers_ends_where_the_gradient_is_small():
    """scikit-learn's gradient contradicts its loss, so that its line search gives up."""
    settings = {"hidden_layer_sizes": (6,), "activation": "tanh", "solver": "lbfgs"}
    settings |= {"alpha": 1, "max_iter": 3000, "tol": 1e-5, "random_state": 0}
    own = MLPRegressor(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        own.fit(X_LINE, Y_LINES)
    errors = own.predict(X_LINE) - Y_LINES
    penalty = sum((W**2).sum() for W in own.coefs_) / 2 / 60
    assert own.loss_ == pytest.approx((errors**2).mean() / 2 + penalty, rel=1e-12)
    assert own.loss_ < peer.MLPRegressor(**settings).fit(X_LINE, Y_LINES).loss_


def _step(mlp, X, Y):
    """Return the parameters at the beginning, what a step takes off them, and the loss there."""
    before = [each.copy() for each in (*mlp.coefs_, *mlp.intercepts_)]
    mlp.fit(X, Y)
    after = [*mlp.coefs_, *mlp.intercepts_]
    return before, [b - a for b, a in zip(before, after, strict=True)], mlp.loss_


@pytest.mark.parametrize(("choice", "factor"), [("sum", 4), ("mean", 1)])
def test_the_gradient_of_several_targets_can_be_chosen(choice, factor):
    """The penalty's gradient is the same for both."""
    settings = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "batch_size": 60}
    settings |= {"learning_rate_init": 1, "max_iter": 1, "warm_start": True, "random_state": 0}
    mlp = MLPRegressor(alpha=3, target_gradient=choice, **settings).fit(X_LINE, Y_LINES)
    (W, b), (dW, db), loss = _step(mlp, X_LINE, Y_LINES)
    error = X_LINE @ W + b - Y_LINES
    np.testing.assert_allclose(
        dW, factor * X_LINE.T @ error / 60 / 4 + 3 * W / 60, rtol=1e-11, atol=1e-12
    )
    np.testing.assert_allclose(db, factor * error.mean(axis=0) / 4, rtol=1e-11, atol=1e-12)
    assert loss == pytest.approx((error**2).mean() / 2 + 3 / 2 * (W**2).sum() / 60, rel=1e-12)


@pytest.mark.parametrize("choice", ["sum", "mean"])
def test_one_target_does_not_know_the_choice(choice):
    plain = MLPRegressor(max_iter=3, random_state=0).fit(X_LINE, Y_LINES[:, 0])
    chosen = MLPRegressor(max_iter=3, random_state=0, target_gradient=choice)
    assert _bits(chosen.fit(X_LINE, Y_LINES[:, 0])) == _bits(plain)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_gradient_of_several_counts_is_that_of_their_sum_in_loss_and_step(solver):
    """There scikit-learn is consistent, so that the choice changes nothing."""
    counts = np.exp(Y_LINES).round()
    found = [
        MLPRegressor(
            "poisson", (3,), solver=solver, max_iter=3, random_state=0, target_gradient=choice
        ).fit(X_LINE, counts)
        for choice in ("sum", "mean")
    ]
    assert _bits(found[0]) == _bits(found[1])


# Validation by class


def test_stratifying_can_be_had_for_more_than_two_classes():
    """Six samples of a rare class among 120, a half of which is held out."""
    y = np.repeat([0, 1, 2], [60, 54, 6])
    X = X_IRIS[:120]
    held = {"binary": set(), "always": set()}
    for choice, seed in itertools.product(held, range(12)):
        mlp = MLPClassifier(
            early_stopping=True,
            validation_fraction=0.5,
            max_iter=1,
            stratify=choice,
            random_state=seed,
            hidden_layer_sizes=(),
            solver="sgd",
            learning_rate_init=1e-30,
        )
        # One class is predicted for all, so that the score is its share.
        mlp.set_params(warm_start=True).fit(X, y)
        mlp.coefs_, mlp.intercepts_ = [np.zeros((4, 3))], [np.array([0.0, 0, 9])]
        mlp.fit(X, y)
        held[choice].add(round(mlp.validation_scores_[-1] * 60))
    assert held["always"] == {3}
    assert len(held["binary"]) > 1


def test_stratifying_a_class_of_one_sample_is_an_error():
    y = np.repeat([0, 1, 2], [60, 59, 1])
    with pytest.raises(ValueError, match="The least populated class"):
        MLPClassifier(early_stopping=True, stratify="always").fit(X_IRIS[:120], y)


# Overflow


OVERFLOW = "Solver produced non-finite parameter weights. The input data may contain large values"


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflow_is_an_error_and_no_nan(make, dtype):
    mlp = make(
        solver="sgd", learning_rate_init=1e30, activation="identity", max_iter=50, random_state=0
    )
    X = X_IRIS.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match=OVERFLOW):
            mlp.fit(100 * X, Y_IRIS)
    # What is left says nothing that is not so.
    assert np.isfinite(getattr(mlp, "loss_curve_", [])).all()
    mlp.set_params(learning_rate_init=1e-3, max_iter=3).fit(X, Y_IRIS)
    assert np.isfinite(mlp.loss_)
    assert np.isfinite(mlp.coefs_[0]).all()


def test_overflow_in_the_first_loss_is_an_error():
    X = np.finfo(np.float64).max * RNG.uniform(size=(10, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for solver in ("sgd", "adam", "lbfgs"):
            with pytest.raises(ValueError, match=OVERFLOW):
                MLPRegressor(solver=solver).fit(X, np.arange(10.0))


def test_overflow_after_a_finite_epoch_of_early_stopping_keeps_the_best():
    """A step size for which squared errors grow from epoch to epoch."""
    settings = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "batch_size": 135}
    settings |= {"learning_rate_init": 5, "early_stopping": True, "n_iter_no_change": 10**6}
    mlp = MLPRegressor(max_iter=10**4, random_state=0, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mlp.fit(X_IRIS, Y_IRIS)
    assert [str(each.message) for each in caught if each.category is ConvergenceWarning]
    *finite, last = mlp.validation_scores_
    assert not np.isnan(finite).any()
    assert len(finite) > 1
    assert isinstance(last, float)
    assert np.isnan(last)
    assert np.isfinite(mlp.loss_curve_).all()
    assert mlp.best_validation_score_ == max(finite)
    best = finite.index(max(finite)) + 1
    again = MLPRegressor(max_iter=best, random_state=0, **settings).fit(X_IRIS, Y_IRIS)
    assert _bits(again) == _bits(mlp)


# Losses of probabilities that are 0 by rounding


def test_the_loss_of_a_vanishing_probability_is_exact():
    """scikit-learn cuts probabilities off at ε, and the loss at 36."""
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 1e-30, "alpha": 0}
    mlp = MLPClassifier((), max_iter=1, warm_start=True, **settings)
    mlp.fit(X_IRIS[:2], [0, 1])
    mlp.coefs_, mlp.intercepts_ = [np.zeros((4, 1))], [np.array([300.0])]
    mlp.fit(X_IRIS[:2], [0, 1])
    assert mlp.loss_ == 150


# Parameters


@BOTH
def test_momentum_of_one_is_refused(make):
    with pytest.raises(ValueError, match="momentum"):
        make(solver="sgd", momentum=1).fit(X_IRIS, Y_IRIS)


@BOTH
def test_coefficients_are_read_only(make):
    mlp = make(max_iter=1).fit(X_IRIS, Y_IRIS)
    for array in (*mlp.coefs_, *mlp.intercepts_):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_scores_of_the_validation_part_are_those_of_the_metric():
    X_val, y_val = X_IRIS[::3], Y_IRIS[::3]
    mlp = MLPClassifier(early_stopping=True, max_iter=5, random_state=0)
    weights = np.linspace(0.1, 1, len(y_val))
    mlp.fit(X_IRIS, Y_IRIS, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    expected = accuracy_score(y_val, mlp.predict(X_val), sample_weight=weights)
    assert mlp.best_validation_score_ == pytest.approx(expected)
