"""The estimators behave as scikit-learn 1.9's where a guess is easily wrong.

Each number and rule here was found by running scikit-learn's own classes.
"""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from scipy import sparse
from sklearn import neural_network as peer
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

BOTH = pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
PAIRS = pytest.mark.parametrize(
    ("ours", "theirs"),
    [(MLPClassifier, peer.MLPClassifier), (MLPRegressor, peer.MLPRegressor)],
)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_TWO, Y_TWO = X_IRIS[:100], Y_IRIS[:100]
# Too small to change a parameter: the loss is the same in all epochs.
STANDING = {"solver": "sgd", "momentum": 0, "learning_rate_init": 1e-30, "shuffle": False}


def _parameters(of):
    return inspect.signature(of).parameters


# The public face


@PAIRS
def test_constructors_have_all_parameters_with_their_defaults(ours, theirs):
    own, given = _parameters(ours), _parameters(theirs)
    for name, parameter in given.items():
        assert own[name].default == parameter.default, name
        assert type(own[name].default) is type(parameter.default), name
        assert own[name].kind == parameter.kind, name
    positional = [
        name for name, each in own.items() if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    first = ["loss"] if ours is MLPRegressor else []
    assert positional == [*first, "hidden_layer_sizes", "activation"]


@PAIRS
def test_parameters_keep_their_order(ours, theirs):
    given = list(_parameters(theirs))
    assert [name for name in _parameters(ours) if name in given] == given


@PAIRS
def test_methods_and_their_arguments_are_there(ours, theirs):
    for name in dir(theirs):
        if name.startswith("_"):
            continue
        assert hasattr(ours, name), name
        method = getattr(theirs, name)
        if inspect.isfunction(method):
            own, given = _parameters(getattr(ours, name)), _parameters(method)
            if name.endswith("_request"):  # in alphabetical order
                assert set(own) >= set(given), name
            else:
                # sample_weight came with 1.7, in front of other arguments.
                names = [each for each in own if each in given or each != "sample_weight"]
                assert names[: len(given)] == list(given), name
            for parameter in given:
                assert own[parameter].default == given[parameter].default, (name, parameter)


@PAIRS
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_fitted_attributes_are_there(ours, theirs, settings):
    expected = theirs(max_iter=3, **settings).fit(X_IRIS, Y_IRIS)
    estimator = ours(max_iter=3, **settings).fit(X_IRIS, Y_IRIS)
    for name in dir(expected):
        if name.endswith("_") and not name.startswith("_"):
            kind = type(getattr(expected, name))
            kind = float if issubclass(kind, float) else kind  # np.float64 is a float
            assert isinstance(getattr(estimator, name), kind), name


@PAIRS
def test_attributes_are_missing_before_fit(ours, theirs):
    expected, estimator = theirs(), ours()
    for name in ("coefs_", "intercepts_", "loss_", "n_iter_", "loss_curve_", "learning_rate_"):
        assert not hasattr(expected, name)
        assert not hasattr(estimator, name)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        estimator.predict(X_IRIS)


@PAIRS
def test_tags_are_equal(ours, theirs):
    assert ours().__sklearn_tags__() == theirs().__sklearn_tags__()


@BOTH
def test_the_page_shows_the_estimator(make):
    estimator = make(alpha=0.25)
    assert repr(estimator) == f"{make.__name__}(alpha=0.25)"
    page = estimator._repr_html_()
    assert make.__name__ in page
    assert "Not fitted" in page or "not fitted" in page
    assert "0.25" in page
    assert "<span>Fitted</span>" in estimator.fit(X_IRIS, Y_IRIS)._repr_html_()


def test_the_first_parameter_of_the_regressor_is_its_loss():
    assert MLPRegressor("poisson", (3,)).get_params()["loss"] == "poisson"
    assert MLPClassifier((3,), "tanh").get_params()["activation"] == "tanh"


WRONG = [
    ("hidden_layer_sizes", 0),
    ("hidden_layer_sizes", "3"),
    ("activation", "step"),
    ("solver", "newton"),
    ("alpha", -1),
    ("alpha", "1"),
    ("batch_size", 0),
    ("batch_size", 1.5),
    ("batch_size", "all"),
    ("learning_rate", "optimal"),
    ("learning_rate_init", 0),
    ("power_t", -1),
    ("max_iter", 0),
    ("max_iter", 2.0),
    ("shuffle", "yes"),
    ("random_state", "x"),
    ("tol", -1e-9),
    ("verbose", -1),
    ("warm_start", 2),
    ("momentum", 1.5),
    ("momentum", -0.1),
    ("nesterovs_momentum", 2),
    ("early_stopping", 2),
    ("validation_fraction", 1.0),
    ("beta_1", 1),
    ("beta_2", 1),
    ("epsilon", 0),
    ("n_iter_no_change", 0),
    ("n_iter_no_change", 2.5),
    ("max_fun", 0),
]


@PAIRS
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_parameters(ours, theirs, name, value):
    for make in (theirs, ours):
        with pytest.raises(InvalidParameterError, match=f"The {name!r} parameter of"):
            make(**{name: value}).fit(X_IRIS, Y_IRIS)


@PAIRS
@pytest.mark.parametrize("sizes", [(3, 0), [-1], (0,)])
def test_layers_without_units(ours, theirs, sizes):
    for make in (theirs, ours):
        with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
            make(sizes).fit(X_IRIS, Y_IRIS) if make.__name__ == "MLPClassifier" else (
                make(hidden_layer_sizes=sizes).fit(X_IRIS, Y_IRIS)
            )


def test_the_regressor_refuses_another_loss():
    with pytest.raises(InvalidParameterError, match="The 'loss' parameter of MLPRegressor"):
        MLPRegressor(loss="least").fit(X_IRIS, Y_IRIS)


# Batches, losses, stopping


@BOTH
def test_a_batch_above_the_rows_is_clipped_with_a_warning(make):
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size"):
        clipped = make(batch_size=151, max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    whole = make(batch_size=150, max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    np.testing.assert_array_equal(clipped.coefs_[0], whole.coefs_[0])


@BOTH
@pytest.mark.parametrize(("repeats", "batch_size"), [(1, 150), (2, 200)])
def test_automatic_batches_have_at_most_200_rows(make, repeats, batch_size):
    X, y = np.tile(X_IRIS, (repeats, 1)), np.tile(Y_IRIS, repeats)
    settings = {"max_iter": 2, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        automatic = make(**settings).fit(X, y)
    given = make(batch_size=batch_size, **settings).fit(X, y)
    np.testing.assert_array_equal(automatic.coefs_[0], given.coefs_[0])


def _penalty(estimator, alpha):
    return alpha / 2 * sum((W**2).sum() for W in estimator.coefs_)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [150, 40])
def test_the_penalty_is_divided_by_the_rows_of_the_batch(batch_size, weighted):
    """½ α ΣW² / rows, or / Σw, in the loss of each batch; these are averaged by rows."""
    w = np.linspace(0.5, 2, 150) if weighted else np.ones(150)
    settings = {"max_iter": 1, "batch_size": batch_size, "random_state": 0, **STANDING}
    given = {"sample_weight": w} if weighted else {}
    plain = MLPClassifier((3,), alpha=0, **settings).fit(X_IRIS, Y_IRIS, **given)
    penalised = MLPClassifier((3,), alpha=7, **settings).fit(X_IRIS, Y_IRIS, **given)
    starts = range(0, 150, batch_size)
    divisors = [w[start : start + batch_size].sum() for start in starts]
    rows = [len(w[start : start + batch_size]) for start in starts]
    expected = sum(n / s for n, s in zip(rows, divisors, strict=True)) / 150
    penalty = _penalty(plain, 7) * expected
    assert penalised.loss_ - plain.loss_ == pytest.approx(penalty, rel=1e-12)

    probabilities = plain.predict_proba(X_IRIS)[np.arange(150), Y_IRIS]
    of_rows = -np.log(probabilities) * w
    parts = [
        of_rows[start : start + batch_size].sum() / s * n
        for start, s, n in zip(starts, divisors, rows, strict=True)
    ]
    assert plain.loss_ == pytest.approx(sum(parts) / 150, rel=1e-12)


def test_the_penalty_leaves_biases_free():
    """No gradient but that of the penalty: all samples and targets are 0."""
    X, y = np.zeros((4, 2)), np.zeros(4)
    settings = {"solver": "sgd", "momentum": 0, "alpha": 0.4, "learning_rate_init": 0.5}
    mlp = MLPRegressor(
        hidden_layer_sizes=(), max_iter=1, warm_start=True, random_state=0, **settings
    ).fit(X, y)
    weights = np.array([[2.0], [-3.0]])
    mlp.coefs_, mlp.intercepts_ = [weights.copy()], [np.zeros(1)]
    mlp.fit(X, y)
    np.testing.assert_allclose(mlp.coefs_[0], weights * (1 - 0.5 * 0.4 / 4), rtol=1e-14)
    np.testing.assert_array_equal(mlp.intercepts_[0], [0])


def test_the_loss_is_that_before_each_step():
    settings = {"batch_size": 150, "random_state": 3, "warm_start": True, "max_iter": 1}
    mlp = MLPRegressor(hidden_layer_sizes=(3,), alpha=0, **settings).fit(X_IRIS, Y_IRIS)
    before = ((mlp.predict(X_IRIS) - Y_IRIS) ** 2).mean() / 2
    mlp.fit(X_IRIS, Y_IRIS)
    assert mlp.loss_ == pytest.approx(before, rel=1e-12)
    after = ((mlp.predict(X_IRIS) - Y_IRIS) ** 2).mean() / 2
    assert after != pytest.approx(before, rel=1e-6)


@BOTH
def test_training_stops_after_one_epoch_more_than_n_iter_no_change(make):
    """The first epoch is progress, eleven without follow."""
    mlp = make(**STANDING).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ == 12
    assert make(n_iter_no_change=1, **STANDING).fit(X_IRIS, Y_IRIS).n_iter_ == 3


@BOTH
def test_a_tolerance_of_zero_never_ends_a_constant_loss(make):
    """Equal is no worse: only a loss above the best one counts."""
    mlp = make(tol=0, max_iter=40, **STANDING).fit(X_IRIS, Y_IRIS)
    assert len(set(mlp.loss_curve_)) == 1
    assert mlp.n_iter_ == 40


@BOTH
def test_an_adaptive_rate_is_divided_by_five_until_1e_6(make):
    """From 1e-3 five times, then the sixth want of progress ends training."""
    settings = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 4}
    mlp = make(max_iter=500, **settings).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ == 1 + 6 * (4 + 1)
    assert mlp.learning_rate_ == pytest.approx(1e-3 / 5**5)


def test_inverse_scaling_counts_rows():
    X, y = np.tile(X_TWO, (4, 1)), np.tile(Y_TWO, 4)
    settings = {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1}
    mlp = MLPClassifier(max_iter=3, **settings).fit(X, y)
    assert mlp.t_ == 1200
    assert mlp.learning_rate_ == pytest.approx(0.0028855, rel=1e-4)
    assert mlp.learning_rate_ == pytest.approx(0.1 / 1201**0.5)


@BOTH
def test_the_end_before_convergence_is_a_warning(make):
    text = (
        r"Stochastic Optimizer: Maximum iterations \(2\) reached and the optimization hasn't "
        "converged yet."
    )
    with pytest.warns(ConvergenceWarning, match=text):
        make(max_iter=2).fit(X_IRIS, Y_IRIS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(max_iter=20, **STANDING).fit(X_IRIS, Y_IRIS)
        make(max_iter=1).partial_fit(
            X_IRIS, Y_IRIS, **({"classes": [0, 1, 2]} if make is MLPClassifier else {})
        )


@BOTH
def test_lbfgs_warns_of_an_early_end(make):
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        mlp = make(solver="lbfgs", max_iter=2).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ == 2
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        mlp = make(solver="lbfgs", max_fun=3, max_iter=50).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ <= 3


# Validation


def test_two_classes_are_divided_by_class_and_three_are_not():
    X, y = X_IRIS[:40], np.array([0] * 20 + [1] * 19 + [2])
    mlp = MLPClassifier(early_stopping=True, max_iter=2)
    mlp.fit(X, y)
    with pytest.raises(ValueError, match="The least populated class"):
        mlp.fit(X, y == 2)


@BOTH
def test_a_validation_part_of_one_sample_is_too_small(make):
    with pytest.raises(ValueError, match="The validation set is too small"):
        make(early_stopping=True, validation_fraction=0.005).fit(X_IRIS, Y_IRIS)


@BOTH
def test_the_best_parameters_are_restored(make):
    """Rates so large that the score moves up and down."""
    mlp = make(
        (8,) if make is MLPClassifier else "squared_error",
        solver="sgd",
        learning_rate_init=0.05,
        early_stopping=True,
        validation_fraction=0.5,
        max_iter=30,
        random_state=1,
    ).fit(X_IRIS, Y_IRIS)
    assert mlp.best_validation_score_ == max(mlp.validation_scores_)
    assert mlp.validation_scores_[-1] != mlp.best_validation_score_
    assert mlp.best_loss_ is None
    assert len(mlp.validation_scores_) == len(mlp.loss_curve_) == mlp.n_iter_
    best = mlp.validation_scores_.index(mlp.best_validation_score_) + 1
    again = make(**{**mlp.get_params(), "max_iter": best}).fit(X_IRIS, Y_IRIS)
    for kept, last in zip(mlp.coefs_, again.coefs_, strict=True):
        np.testing.assert_array_equal(kept, last)


# partial_fit and warm starts


def test_partial_fit_counts_one_epoch():
    mlp = MLPClassifier(max_iter=7)
    for calls in range(1, 4):
        mlp.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
        assert mlp.n_iter_ == 1
        assert mlp.t_ == 150 * calls
        assert len(mlp.loss_curve_) == calls


def test_partial_fit_of_lbfgs():
    """The classifier has none; the regressor's goes on with a whole minimisation."""
    mlp = MLPClassifier(solver="lbfgs")
    assert not hasattr(mlp, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        mlp.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    mlp = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5, random_state=0)
    first = mlp.partial_fit(X_IRIS, Y_IRIS).loss_
    assert mlp.n_iter_ == 5
    assert mlp.partial_fit(X_IRIS, Y_IRIS).loss_ < first


def test_the_first_partial_fit_needs_the_classes():
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier().partial_fit(X_IRIS, Y_IRIS)
    mlp = MLPClassifier().partial_fit(X_TWO, Y_TWO, classes=[0, 1, 2])
    np.testing.assert_array_equal(mlp.classes_, [0, 1, 2])
    assert mlp.predict_proba(X_TWO).shape == (100, 3)
    mlp.partial_fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        mlp.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`"):
        mlp.partial_fit(X_IRIS, Y_IRIS + 1)


def test_partial_fit_of_labels_needs_their_indices():
    X, y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    mlp = MLPClassifier(random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        mlp.partial_fit(X, y)
    mlp.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    np.testing.assert_array_equal(mlp.classes_, [0, 1, 2])
    assert mlp.predict(X).shape == (60, 3)


def test_the_third_argument_of_partial_fit_is_sample_weight():
    weights = np.linspace(0.5, 2, 150)
    one, other = (MLPClassifier(random_state=0) for _ in range(2))
    one.partial_fit(X_IRIS, Y_IRIS, weights, [0, 1, 2])
    other.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2], sample_weight=weights)
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@BOTH
def test_partial_fit_has_no_early_stopping(make):
    more = {"classes": [0, 1, 2]} if make is MLPClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make(early_stopping=True).partial_fit(X_IRIS, Y_IRIS, **more)


@BOTH
def test_a_warm_start_counts_on(make):
    mlp = make(warm_start=True, max_iter=5).fit(X_IRIS, Y_IRIS).fit(X_IRIS, Y_IRIS)
    assert (mlp.n_iter_, mlp.t_, len(mlp.loss_curve_)) == (5, 1500, 10)


@BOTH
def test_a_warm_start_after_an_end_by_tolerance_is_one_epoch(make):
    """The count of epochs without progress goes on too."""
    mlp = make(warm_start=True, **STANDING).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ == 12
    assert mlp.fit(X_IRIS, Y_IRIS).n_iter_ == 1
    assert mlp.set_params(n_iter_no_change=15).fit(X_IRIS, Y_IRIS).n_iter_ == 4


def test_a_warm_start_takes_the_same_classes_only():
    mlp = MLPClassifier(warm_start=True, max_iter=2).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        mlp.fit(X_IRIS, Y_IRIS.clip(0, 1))
    mlp.set_params(warm_start=False).fit(X_IRIS, Y_IRIS.clip(0, 1))
    np.testing.assert_array_equal(mlp.classes_, [0, 1])


@BOTH
def test_a_warm_start_takes_the_same_columns_only(make):
    mlp = make(warm_start=True, max_iter=2).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4 features"):
        mlp.fit(X_IRIS[:, :3], Y_IRIS)
    mlp.set_params(warm_start=False).fit(X_IRIS[:, :3], Y_IRIS)
    assert mlp.n_features_in_ == 3


# Targets


def test_one_class():
    mlp = MLPClassifier(max_iter=3).fit(X_IRIS, np.full(150, 7))
    np.testing.assert_array_equal(mlp.classes_, [7])
    assert mlp.predict_proba(X_IRIS).shape == (150, 2)
    np.testing.assert_array_equal(mlp.predict(X_IRIS), np.full(150, 7))


@BOTH
def test_a_column_of_targets_is_a_warning(make):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array"):
        column = make(max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS[:, np.newaxis])
    row = make(max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    np.testing.assert_array_equal(column.coefs_[0], row.coefs_[0])
    assert column.predict(X_IRIS).shape == (150,)


@pytest.mark.parametrize(
    "names",
    [
        np.array(["setosa", "versicolor", "virginica"]),
        np.array(["a", "bb", "ccc"], object),
        np.array([-5, 3, 100]),
        np.array([0.0, 1.0, 2.0]),
        np.array([1, 2, 3], np.uint8),
    ],
    ids=lambda names: names.dtype.str,
)
def test_classes_of_any_type(names):
    y = names[Y_IRIS]
    mlp = MLPClassifier(solver="lbfgs", random_state=0, max_iter=100).fit(X_IRIS, y)
    expected = peer.MLPClassifier(max_iter=1).fit(X_IRIS, y)
    np.testing.assert_array_equal(mlp.classes_, expected.classes_)
    assert mlp.classes_.dtype == expected.classes_.dtype
    assert mlp.predict(X_IRIS).dtype == expected.predict(X_IRIS).dtype
    assert mlp.score(X_IRIS, y) > 0.95


def test_two_classes_of_bools():
    y = Y_TWO.astype(bool)
    mlp = MLPClassifier(solver="lbfgs", random_state=0).fit(X_TWO, y)
    assert mlp.classes_.dtype == mlp.predict(X_TWO).dtype == bool
    np.testing.assert_array_equal(mlp.predict(X_TWO), y)
    assert mlp.out_activation_ == "logistic"
    assert mlp.n_outputs_ == 1


def test_numbers_that_are_no_classes():
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X_IRIS, Y_IRIS + 0.5)


@pytest.mark.parametrize(
    "y", [[[0, 1, 2]] * 150, np.zeros((150, 2)) + 0.5], ids=["classes", "reals"]
)
def test_several_targets_that_are_no_labels(y):
    for make in (peer.MLPClassifier, MLPClassifier):
        with pytest.raises(ValueError, match="Multioutput target data is not supported"):
            make().fit(X_IRIS, y)


def test_sparse_labels_give_sparse_predictions():
    X, y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    mlp = MLPClassifier(solver="lbfgs", random_state=0).fit(X, sparse.csr_matrix(y))
    predicted = mlp.predict(X)
    assert sparse.issparse(predicted)
    dense = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    np.testing.assert_array_equal(predicted.toarray(), dense.predict(X))
    np.testing.assert_array_equal(mlp.predict_proba(X), dense.predict_proba(X))


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite(make, bad):
    X = X_IRIS.copy()
    mlp = make(max_iter=2).fit(X, Y_IRIS)
    X[3, 1] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        make().fit(X, Y_IRIS)
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        mlp.predict(X)


def test_targets_that_are_not_finite():
    y = Y_IRIS.astype(float)
    y[5] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPRegressor().fit(X_IRIS, y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPClassifier().fit(X_IRIS, y)


@BOTH
def test_other_numbers_of_targets_or_weights(make):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(X_IRIS, Y_IRIS[:-1])
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(149,\), expected \(150,\)"):
        make().fit(X_IRIS, Y_IRIS, np.ones(149))


# Types of numbers


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_float32_stays_except_with_lbfgs(make, solver):
    X = X_IRIS.astype(np.float32)
    mlp = make(solver=solver, max_iter=3, random_state=0).fit(X, Y_IRIS)
    expected = np.float64 if solver == "lbfgs" else np.float32
    assert {each.dtype for each in mlp.coefs_ + mlp.intercepts_} == {np.dtype(expected)}
    outputs = mlp.predict_proba(X) if make is MLPClassifier else mlp.predict(X)
    assert outputs.dtype == expected


@BOTH
def test_float32_has_the_draws_of_float64(make):
    settings = {"random_state": 0, "max_iter": 1, **STANDING}
    narrow = make(**settings).fit(X_IRIS.astype(np.float32), Y_IRIS)
    wide = make(**settings).fit(X_IRIS, Y_IRIS)
    for one, other in zip(narrow.coefs_, wide.coefs_, strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float32))


@BOTH
@pytest.mark.parametrize("dtype", ["float16", "int64", "bool", ">f4", "uint8"])
def test_other_types_become_float64(make, dtype):
    X = X_IRIS.astype(dtype)
    mlp = make(max_iter=3).fit(X, Y_IRIS)
    assert {each.dtype for each in mlp.coefs_} == {np.dtype(np.float64)}
    assert mlp.coefs_[0].dtype.isnative


# Outputs


@pytest.mark.parametrize("classes", [2, 3])
def test_logarithms_are_those_of_the_probabilities(classes):
    X, y = (X_TWO, Y_TWO) if classes == 2 else (X_IRIS, Y_IRIS)
    mlp = MLPClassifier(max_iter=20, random_state=0).fit(X, y)
    probabilities = mlp.predict_proba(X)
    assert probabilities.shape == (len(X), classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(mlp.predict_log_proba(X), np.log(probabilities))


def test_a_probability_of_one_half_is_the_first_class():
    mlp = MLPClassifier((), max_iter=1).fit(X_TWO, Y_TWO)
    mlp.coefs_, mlp.intercepts_ = [np.zeros((4, 1))], [np.zeros(1)]
    np.testing.assert_array_equal(mlp.predict_proba(X_TWO), np.full((100, 2), 0.5))
    np.testing.assert_array_equal(mlp.predict(X_TWO), np.zeros(100))
    mlp = MLPClassifier((), max_iter=1).fit(X_IRIS, Y_IRIS)
    mlp.coefs_, mlp.intercepts_ = [np.zeros((4, 3))], [np.array([0.0, 1, 1])]
    np.testing.assert_array_equal(mlp.predict(X_IRIS), np.ones(150))


def test_the_outputs_of_each_task():
    X, labels = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    found = [
        (each.out_activation_, each.n_outputs_, each.n_layers_)
        for each in (
            MLPClassifier((3, 2), max_iter=1).fit(X_TWO, Y_TWO),
            MLPClassifier((), max_iter=1).fit(X_IRIS, Y_IRIS),
            MLPClassifier(3, max_iter=1).fit(X, labels),
            MLPRegressor(max_iter=1).fit(X_IRIS, Y_IRIS),
            MLPRegressor("poisson", max_iter=1).fit(X_IRIS, np.stack([Y_IRIS] * 2, axis=1)),
        )
    ]
    assert found == [
        ("logistic", 1, 4),
        ("softmax", 3, 2),
        ("logistic", 3, 3),
        ("identity", 1, 3),
        ("exp", 2, 3),
    ]


def test_coefficients_have_inputs_as_rows():
    mlp = MLPRegressor(hidden_layer_sizes=(5, 2), max_iter=1).fit(X_IRIS, Y_IRIS)
    assert isinstance(mlp.coefs_, list)
    assert [each.shape for each in mlp.coefs_] == [(4, 5), (5, 2), (2, 1)]
    assert [each.shape for each in mlp.intercepts_] == [(5,), (2,), (1,)]
    hidden = np.maximum(X_IRIS @ mlp.coefs_[0] + mlp.intercepts_[0], 0)
    hidden = np.maximum(hidden @ mlp.coefs_[1] + mlp.intercepts_[1], 0)
    expected = hidden @ mlp.coefs_[2] + mlp.intercepts_[2]
    np.testing.assert_allclose(mlp.predict(X_IRIS), expected[:, 0], rtol=1e-12, atol=1e-12)


# Data frames


@BOTH
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(make, library):
    module = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    columns = dict(zip(names, X_IRIS.T, strict=True))
    frame, series = module.DataFrame(columns), module.Series("y", Y_IRIS)
    if library == "pandas":
        series = module.Series(Y_IRIS, name="y")
    if not hasattr(
        getattr(peer, make.__name__)(max_iter=1).fit(frame, series), "feature_names_in_"
    ):
        pytest.skip(f"this scikit-learn does not read the names of {library}")
    mlp = make(max_iter=3, random_state=0).fit(frame, series)
    np.testing.assert_array_equal(mlp.feature_names_in_, names)
    plain = make(max_iter=3, random_state=0).fit(X_IRIS, Y_IRIS)
    assert not hasattr(plain, "feature_names_in_")
    np.testing.assert_array_equal(mlp.coefs_[0], plain.coefs_[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(mlp.predict(frame), plain.predict(X_IRIS))
    with pytest.raises(ValueError, match="The feature names should match those that were passed"):
        mlp.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        mlp.predict(X_IRIS)
    with pytest.warns(UserWarning, match="X has feature names, but"):
        plain.predict(frame)


@BOTH
def test_a_frame_with_early_stopping_does_not_warn_of_names(make):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X_IRIS, columns=list("abcd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        make(early_stopping=True, max_iter=3).fit(frame, pd.Series(Y_IRIS))


def test_a_column_of_categories_as_classes():
    pd = pytest.importorskip("pandas")
    y = pd.Series(np.array(["x", "y", "z"])[Y_IRIS], dtype="category")
    mlp = MLPClassifier(solver="lbfgs", random_state=0, max_iter=100).fit(X_IRIS, y)
    assert list(mlp.classes_) == ["x", "y", "z"]
    assert mlp.score(X_IRIS, y) > 0.95


# Weights


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_whole_weights_are_repetitions(make, solver):
    counts = np.tile([1, 2, 3], 50)
    settings = {"solver": solver, "max_iter": 5, "random_state": 0, "batch_size": 300}
    settings |= {"shuffle": False, "alpha": 0.5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        weighted = make(**settings).fit(X_IRIS, Y_IRIS, counts)
        repeated = make(**settings).fit(
            np.repeat(X_IRIS, counts, axis=0), np.repeat(Y_IRIS, counts)
        )
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    for one, other in zip(weighted.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@BOTH
def test_equal_weights_are_none(make):
    settings = {"max_iter": 5, "random_state": 0, "early_stopping": True}
    plain = make(**settings).fit(X_IRIS, Y_IRIS)
    weighted = make(**settings).fit(X_IRIS, Y_IRIS, np.ones(150))
    np.testing.assert_allclose(weighted.coefs_[0], plain.coefs_[0], rtol=1e-12, atol=1e-14)
    assert weighted.validation_scores_ == pytest.approx(plain.validation_scores_)
