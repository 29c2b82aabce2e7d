"""Estimators under unusual input, interrupted training, threads and forks."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from cygrad.sklearn import MLPClassifier  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5))
LABELS = RNG.integers(0, 3, 90)


def classifier(**parameters):
    given = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, **parameters}
    return MLPClassifier(**given)


@pytest.fixture(autouse=True)
def unconverged():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


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
