"""Estimators of several networks, `n_members`."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score

import cygrad as cg
from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(2)
X = RNG.standard_normal((80, 3))
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
NUMBERS = X @ [1.0, 2.0, -1.0]
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 3}


def seeds(count, random_state=3):
    return np.random.RandomState(random_state).randint(np.iinfo(np.int32).max, size=count).tolist()


@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
@pytest.mark.parametrize("threads", [1, 2])
def test_members_have_the_bits_of_single_estimators(options, threads):
    several = MLPClassifier(**SMALL, n_members=4, n_threads=threads, **options).fit(X, LABELS)
    outputs = []
    for seed, member in zip(seeds(4), several.estimators_, strict=True):
        single = MLPClassifier(**{**SMALL, "random_state": seed}, **options).fit(X, LABELS)
        assert type(member) is MLPClassifier
        for own, other in zip(member.coefs_, single.coefs_, strict=True):
            assert own.tobytes() == other.tobytes()
        outputs.append(single.predict_proba(X))
    probabilities = several.predict_proba(X)
    np.testing.assert_allclose(probabilities, np.mean(outputs, axis=0), rtol=1e-12)
    np.testing.assert_allclose(several.network_.std(X), np.std(outputs, axis=0), atol=1e-12)
    assert (several.predict(X) == several.classes_[probabilities.argmax(axis=1)]).all()
    assert (several.decision_function(X).argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert several.score(X, LABELS) == (several.predict(X) == LABELS).mean()
    assert several.n_iter_ == several.estimators_[0].n_iter_
    assert several.coefs_[0].tobytes() == several.estimators_[0].coefs_[0].tobytes()


def test_two_classes_and_numbers_are_averaged():
    binary = LABELS == "a"
    several = MLPClassifier(**SMALL, n_members=3).fit(X, binary)
    mean = np.mean([each.predict_proba(X) for each in several.estimators_], axis=0)
    np.testing.assert_allclose(several.predict_proba(X), mean, rtol=1e-12)
    assert (several.predict(X) == (mean[:, 1] > 0.5)).all()
    assert ((several.decision_function(X) > 0) == (mean[:, 1] > 0.5)).all()
    regressor = MLPRegressor(**SMALL, n_members=3).fit(X, NUMBERS)
    mean = np.mean([each.predict(X) for each in regressor.estimators_], axis=0)
    np.testing.assert_allclose(regressor.predict(X), mean, rtol=1e-12)


def test_one_member_is_as_before():
    default = MLPRegressor(**SMALL).fit(X, NUMBERS)
    one = MLPRegressor(**SMALL, n_members=1).fit(X, NUMBERS)
    assert one.predict(X).tobytes() == default.predict(X).tobytes()
    assert not hasattr(one, "estimators_")
    assert isinstance(one.network_, cg.Network)


def test_the_ensemble_is_saved_as_one_file(tmp_path):
    several = MLPClassifier(**SMALL, n_members=3).fit(X, LABELS)
    several.network_.save(tmp_path / "ensemble.npz")
    read = cg.load(tmp_path / "ensemble.npz")
    assert read.forward(X).tobytes() == several.predict_proba(X).tobytes()


def test_copies_pickles_and_clones():
    several = MLPRegressor(**SMALL, n_members=3).fit(X, NUMBERS)
    for other in (copy.deepcopy(several), pickle.loads(pickle.dumps(several))):
        assert other.predict(X).tobytes() == several.predict(X).tobytes()
    fresh = clone(several)
    assert fresh.get_params() == several.get_params()
    assert not hasattr(fresh, "estimators_")
    assert fresh.fit(X, NUMBERS).predict(X).tobytes() == several.predict(X).tobytes()


def test_warm_start_goes_on_with_the_members():
    several = MLPRegressor(**SMALL, n_members=3, warm_start=True).fit(X, NUMBERS)
    before = list(several.estimators_)
    twins = [copy.deepcopy(each).fit(X, NUMBERS) for each in before]
    several.set_params(max_iter=8).fit(X, NUMBERS)
    assert all(one is other for one, other in zip(several.estimators_, before, strict=True))
    for member, twin in zip(several.estimators_, twins, strict=True):
        assert member.predict(X).tobytes() == twin.predict(X).tobytes()


def test_a_later_fit_of_one_network_forgets_the_members():
    several = MLPRegressor(**SMALL, n_members=3).fit(X, NUMBERS)
    several.set_params(n_members=1).fit(X, NUMBERS)
    assert not hasattr(several, "estimators_")
    single = MLPRegressor(**SMALL).fit(X, NUMBERS)
    assert several.predict(X).tobytes() == single.predict(X).tobytes()


def test_errors_leave_the_estimator_as_it_was():
    several = MLPClassifier(**SMALL, n_members=3).fit(X, LABELS)
    before = several.predict_proba(X).tobytes()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        several.fit(X, LABELS[:5])
    assert several.predict_proba(X).tobytes() == before
    with pytest.raises(ValueError, match="partial_fit does not support n_members=3, expected 1"):
        several.partial_fit(X, LABELS)
    with pytest.raises(ValueError, match="The 'n_members' parameter of MLPClassifier must be"):
        MLPClassifier(n_members=0).fit(X, LABELS)


def test_callbacks_are_copied_for_each_member():
    class Count(cg.Callback):
        def __init__(self):
            self.epochs = 0

        def on_epoch_end(self, trainer, epoch, logs):
            self.epochs += 1

    count = Count()
    several = MLPRegressor(**SMALL, n_members=3, callbacks=[count]).fit(X, NUMBERS)
    assert count.epochs == 0
    assert [each.callbacks[0].epochs for each in several.estimators_] == [8, 8, 8]


def test_searches_take_it_as_a_parameter():
    regressor = MLPRegressor(**SMALL)
    search = GridSearchCV(regressor, {"n_members": [1, 3]}, cv=2, error_score="raise")
    search.fit(X, NUMBERS)
    assert set(search.cv_results_["param_n_members"]) == {1, 3}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(cross_val_score(MLPClassifier(**SMALL, n_members=2), X, LABELS, cv=3)) == 3


def test_warnings_of_members_come_through():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        MLPRegressor(**SMALL, n_members=2).fit(X, NUMBERS)
