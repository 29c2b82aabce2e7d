"""Estimators under unusual input, interrupted training, threads and forks."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import os
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from sklearn import neural_network  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402

import cygrad as cg  # noqa: E402
from cygrad.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5))
LABELS = RNG.integers(0, 3, 90)
NUMBERS = RNG.normal(size=90)


def classifier(**parameters):
    given = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, **parameters}
    return MLPClassifier(**given)


def regressor(**parameters):
    given = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, **parameters}
    return MLPRegressor(**given)


@pytest.fixture(autouse=True)
def unconverged():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class TestParameters:
    def test_size_that_is_no_whole_number(self):
        with pytest.raises(TypeError, match=r"hidden_layer_sizes\[1\] is 2.5, expected a whole"):
            classifier(hidden_layer_sizes=(4, 2.5)).fit(X, LABELS)

    @pytest.mark.parametrize("kind", [tuple, list, np.array])
    def test_sizes_of_any_sequence(self, kind):
        sizes = kind([4, np.int64(3)])
        fitted = classifier(hidden_layer_sizes=sizes).fit(X, LABELS)
        again = classifier(hidden_layer_sizes=sizes).fit(X, LABELS)
        assert [c.shape for c in fitted.coefs_] == [(5, 4), (4, 3), (3, 3)]
        assert fitted.loss_ == again.loss_

    def test_a_list_does_not_hide_another_parameter_that_is_wrong(self):
        classifier(hidden_layer_sizes=[4]).fit(X, LABELS)
        with pytest.raises(ValueError, match="alpha"):
            classifier(hidden_layer_sizes=[4], alpha=-1).fit(X, LABELS)
        with pytest.raises(ValueError, match="alpha"):
            classifier(hidden_layer_sizes=[4], alpha=[0.0]).fit(X, LABELS)

    def test_first_partial_fit_checks_parameters_before_classes(self):
        with pytest.raises(ValueError, match="'shuffle' parameter of MLPClassifier"):
            classifier(shuffle="no").partial_fit(X, LABELS)

    def test_single_precision_alpha_keeps_a_double_loss(self):
        fitted = classifier(alpha=np.float32(0.5), tol=10.0, solver="lbfgs").fit(X, LABELS)
        assert fitted.n_iter_ == 0
        assert np.asarray(fitted.loss_).dtype == np.float64
        assert fitted.loss_ == classifier(alpha=0.5, tol=10.0, solver="lbfgs").fit(X, LABELS).loss_


class TestTargets:
    @pytest.mark.parametrize("dtype", [">i4", ">i8", ">u2"])
    def test_classes_of_swapped_bytes_are_native(self, dtype):
        fitted = classifier().fit(X, LABELS.astype(dtype))
        judge = neural_network.MLPClassifier((8,), max_iter=1).fit(X, LABELS.astype(dtype))
        assert fitted.classes_.dtype == judge.classes_.dtype
        assert fitted.classes_.dtype.isnative

    def test_any_number_but_0_is_a_label(self):
        # A single row of two different numbers is taken for labels.
        y = np.array([[0, 3, 0]])
        ours = classifier(solver="lbfgs").fit(X[:1], y)
        judge = neural_network.MLPClassifier((8,), max_iter=5, random_state=0, solver="lbfgs")
        np.testing.assert_allclose(
            ours.predict_proba(X[:1]), judge.fit(X[:1], y).predict_proba(X[:1]), rtol=1e-6
        )

    def test_sparse_targets_of_a_regressor(self):
        sparse = pytest.importorskip("scipy.sparse")
        with pytest.raises(TypeError, match="y is a sparse matrix, expected a dense array"):
            regressor().fit(X, sparse.csr_matrix(np.c_[NUMBERS, NUMBERS]))

    @pytest.mark.parametrize("loss", ["squared_error", "poisson"])
    def test_text_targets_of_a_regressor(self, loss):
        with pytest.raises(TypeError, match=r"y has dtype <U\d+, expected numbers"):
            regressor(loss=loss).fit(X, np.abs(NUMBERS).astype(str))

    def test_targets_in_rows_that_are_not_finite(self):
        y = np.c_[NUMBERS, NUMBERS]
        y[3, 1] = np.nan
        with pytest.raises(ValueError, match="Input y contains NaN"):
            regressor().fit(X, y)

    @pytest.mark.parametrize("form", ["C", "F", "swapped", "integers"])
    def test_targets_in_rows(self, form):
        y = np.round(np.c_[NUMBERS, -NUMBERS, 2 * NUMBERS] * 4)
        expected = regressor().fit(X, y).loss_curve_
        forms = {"C": y.copy(), "F": np.asfortranarray(y), "swapped": y.astype(">f8")}
        forms["integers"] = y.astype(np.int16)
        assert regressor().fit(X, forms[form]).loss_curve_ == expected


class TestWeights:
    @pytest.mark.parametrize(
        "form", [list, lambda w: w.astype(">f8"), lambda w: np.repeat(w, 2)[::2]]
    )
    def test_forms(self, form):
        weights = RNG.uniform(0.5, 2, 90)
        expected = classifier().fit(X, LABELS, weights).loss_curve_
        assert classifier().fit(X, LABELS, form(weights)).loss_curve_ == expected

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (np.ones(89), "sample_weight.shape"),
            (np.ones((90, 1)), "must be 1D"),
            (np.full(90, np.nan), "contains NaN"),
            (np.full(90, -1.0), "negative weights"),
        ],
    )
    def test_wrong_ones(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            classifier().fit(X, LABELS, wrong)


class TestLBFGS:
    def test_no_validation_scores_without_validation(self):
        assert not hasattr(classifier(solver="lbfgs").fit(X, LABELS), "validation_scores_")
        own = regressor(solver="lbfgs").fit(X, NUMBERS, X_val=X[:20], y_val=NUMBERS[:20])
        assert len(own.validation_scores_) == own.n_iter_

    def test_partial_fit_of_a_regressor_ignores_early_stopping(self):
        judge = neural_network.MLPRegressor(
            hidden_layer_sizes=(8,), max_iter=5, random_state=0, solver="lbfgs", early_stopping=True
        ).partial_fit(X, NUMBERS)
        ours = regressor(solver="lbfgs", early_stopping=True).partial_fit(X, NUMBERS)
        np.testing.assert_allclose(ours.predict(X), judge.predict(X), rtol=1e-6)


class TestWarnings:
    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_point_at_the_call_of_fit(self, solver):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            classifier(max_iter=1, solver=solver).fit(X, LABELS)
        messages = [w for w in found if w.category is ConvergenceWarning]
        assert len(messages) == 1
        if solver == "adam":  # scikit-learn gives that of L-BFGS
            assert messages[0].filename == __file__

    def test_batch_size_points_at_fit_and_partial_fit(self):
        est = classifier(batch_size=1000, max_iter=1)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            est.fit(X, LABELS)
            est.partial_fit(X, LABELS)
        clipped = [w for w in found if "clipped" in str(w.message)]
        assert [w.filename for w in clipped] == [__file__] * 2

    def test_as_errors_leave_the_best_parameters(self):
        est = classifier(early_stopping=True, learning_rate_init=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ConvergenceWarning):
                est.fit(X, LABELS)
        expected = classifier(early_stopping=True, learning_rate_init=0.1).fit(X, LABELS)
        np.testing.assert_array_equal(est.predict_proba(X), expected.predict_proba(X))

    def test_none_at_the_limit_if_training_ends_there(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            classifier(max_iter=3, n_iter_no_change=1, tol=100.0).fit(X, LABELS)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_docstring_describes_each_parameter_at_the_left_margin(kind):
    lines = kind.__doc__.splitlines()
    assert "<parameters>" not in lines
    assert max(map(len, lines)) <= 100
    start, end = lines.index("Parameters"), lines.index("Attributes")
    described = [line.split(" : ")[0] for line in lines[start:end] if " : " in line]
    assert [name for name in described if name.isidentifier()] == list(
        inspect.signature(kind).parameters
    )


def test_subclass_with_parameters_and_docstring_of_its_own():
    class Wide(MLPClassifier):
        """A wide network."""

        def __init__(self, width=30, alpha=0.1):
            super().__init__(hidden_layer_sizes=(width,), alpha=alpha, max_iter=2)
            self.width = width

    est = sklearn.clone(Wide(width=20)).fit(X, LABELS)
    assert est.coefs_[0].shape == (5, 20)
    assert est.get_params() == {"width": 20, "alpha": 0.1}
    assert Wide.__doc__ == "A wide network."
    with pytest.raises(ValueError, match="The 'alpha' parameter of Wide"):
        Wide(alpha=-1).fit(X, LABELS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"y": LABELS % 2, "sample_weight": np.full(90, np.nan)},
        {"y": LABELS + 5, "X_val": X},
        {"X": X[:, :3], "y": LABELS, "sample_weight": np.zeros(90)},
    ],
    ids=["weights", "validation", "columns"],
)
def test_fit_that_is_refused_leaves_the_estimator_as_it_was(wrong):
    est = classifier().fit(X, LABELS)
    labels, probabilities = est.predict(X), est.predict_proba(X)
    with pytest.raises(ValueError, match=r"sample_weight|y_val"):
        est.fit(**{"X": X, **wrong})
    np.testing.assert_array_equal(est.classes_, [0, 1, 2])
    np.testing.assert_array_equal(est.predict(X), labels)
    np.testing.assert_array_equal(est.predict_proba(X), probabilities)


def test_activation_changed_after_fit():
    est = classifier().fit(X, LABELS)
    before = est.predict_proba(X)
    np.testing.assert_array_equal(est.set_params(activation="tanh").predict_proba(X), before)
    assert (est.fit(X, LABELS).predict_proba(X) != before).any()


def test_text_and_other_dtypes_in_predict():
    est = classifier().fit(X.astype(str), LABELS)
    np.testing.assert_array_equal(est.predict(X.astype(str)), est.predict(X))
    single = classifier().fit(X.astype(np.float32), LABELS)
    assert single.predict_proba(X).dtype == np.float32


def rows_and_labels():
    rng = np.random.default_rng(1)
    return rng.normal(size=(30000, 30)), rng.integers(0, 4, 30000)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"warm_start": True, "n_threads": 1}],
    ids=str,
)
def test_interrupt_leaves_a_usable_estimator(parameters):
    many, labels = rows_and_labels()

    def interrupt(trainer, epoch, logs):
        os.kill(os.getpid(), signal.SIGINT)

    est = classifier(max_iter=1000, callbacks=[interrupt], **parameters)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        est.fit(many, labels)
    assert est.n_iter_ < 1000
    X = many[:50]
    assert est.predict(X).shape == (50,)
    copied = pickle.loads(pickle.dumps(est.set_params(callbacks=())))
    np.testing.assert_array_equal(copied.predict_proba(X), est.predict_proba(X))
    est.set_params(max_iter=2)
    est.fit(X, labels[:50])
    if est.solver != "lbfgs":
        est.set_params(early_stopping=False).partial_fit(X, labels[:50])
    if not est.warm_start and est.solver == "lbfgs":
        fresh = classifier(max_iter=2, **parameters).fit(X, labels[:50])
        np.testing.assert_array_equal(est.predict_proba(X), fresh.predict_proba(X))


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_exception_in_a_callback(parameters):
    def fail(trainer, epoch, logs):
        if epoch == 2:
            raise RuntimeError("stop here")

    est = classifier(callbacks=[fail], max_iter=10, **parameters)
    with pytest.raises(RuntimeError, match="stop here"):
        est.fit(X, LABELS)
    assert est.n_iter_ == 2
    est.predict(X)
    est.set_params(callbacks=()).fit(X, LABELS)
    expected = classifier(max_iter=10, **parameters).fit(X, LABELS)
    np.testing.assert_array_equal(est.predict_proba(X), expected.predict_proba(X))


def test_fit_and_predict_in_a_callback():
    losses = []

    def nested(trainer, epoch, logs):
        losses.append(classifier(random_state=1).fit(X, LABELS).loss_)
        outer.predict(X)

    outer = classifier(callbacks=[nested])
    outer.fit(X, LABELS)
    assert losses == [classifier(random_state=1).fit(X, LABELS).loss_] * 5
    assert outer.loss_curve_ == classifier().fit(X, LABELS).loss_curve_


def test_estimators_in_threads():
    expected = [classifier(random_state=seed).fit(X, LABELS).loss_curve_ for seed in range(4)]
    found = {}

    def work(seed):
        found[seed] = [classifier(random_state=seed).fit(X, LABELS).loss_curve_ for _ in range(5)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {seed: [expected[seed]] * 5 for seed in range(4)}


def _in_child(connection, est, expected):
    same = np.array_equal(est.predict_proba(X), expected)
    refitted = copy.deepcopy(est).fit(X, LABELS)
    connection.send((same, np.array_equal(refitted.predict_proba(X), expected)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_predict_and_fit_after_fork():
    est = classifier(hidden_layer_sizes=(200,)).fit(X, LABELS)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = context.Process(target=_in_child, args=(there, est, est.predict_proba(X)))
        child.start()
    assert here.poll(60)
    assert here.recv() == (True, True)
    child.join()


def test_a_network_of_scores_gives_no_probabilities():
    net = cg.Network(2, [cg.Dense(3)], loss="squared_hinge", rng=0)
    classifier = MLPClassifier.from_network(net)
    assert not hasattr(classifier, "predict_proba")
    assert not hasattr(classifier, "predict_log_proba")
    assert classifier.decision_function([[0.0, 1.0]]).shape == (1, 3)


def test_a_refused_warm_fit_keeps_what_partial_fit_goes_on_with():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    settings = {"hidden_layer_sizes": (4,), "random_state": 0, "warm_start": True}
    one, other = MLPClassifier(**settings), MLPClassifier(**settings)
    for classifier in (one, other):
        classifier.partial_fit(X, y, classes=[0, 1])
    one.set_params(hidden_layer_sizes=(5,))
    with pytest.raises(ValueError, match="hidden_layer_sizes is"):
        one.fit(X, y)
    one.set_params(hidden_layer_sizes=(4,))
    for classifier in (one, other):
        classifier.partial_fit(X, y)
    assert one.loss_ == other.loss_
    for one_array, other_array in zip(one.coefs_, other.coefs_, strict=True):
        assert one_array.tobytes() == other_array.tobytes()
