"""Fitted estimators keep, copy and hand over their state; any layout of numbers is taken."""

import copy
import io
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

import joblib
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris

from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

BOTH = pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
X_IRIS, Y_IRIS = load_iris(return_X_y=True)


def _bits(estimator):
    return [each.tobytes() for each in estimator.coefs_ + estimator.intercepts_]


def _classes(make):
    return {"classes": [0, 1, 2]} if make is MLPClassifier else {}


def _outputs(estimator, X):
    return (estimator.predict_proba if hasattr(estimator, "classes_") else estimator.predict)(X)


# Layouts


def _memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def _read_only(X, folder):
    array = X.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "Fortran order": lambda X, folder: np.asfortranarray(X),
    "every second row": lambda X, folder: np.repeat(X, 2, axis=0)[::2],
    "every second column": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X, folder: X[::-1].copy()[::-1],
    "transposed": lambda X, folder: np.ascontiguousarray(X.T).T,
    "read-only": _read_only,
    "memory map": _memory_map,
    "unaligned": lambda X, folder: np.frombuffer(b"x" + X.tobytes(), X.dtype, offset=1).reshape(
        X.shape
    ),
    "big-endian": lambda X, folder: X.astype(X.dtype.newbyteorder(">")),
    "lists": lambda X, folder: X.tolist(),
    "objects": lambda X, folder: X.astype(object),
}


@BOTH
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(make, solver, layout, tmp_path):
    settings = {"max_iter": 3, "random_state": 0, "solver": solver}
    expected = make(**settings).fit(X_IRIS, Y_IRIS)
    X = LAYOUTS[layout](X_IRIS, tmp_path)
    mlp = make(**settings).fit(X, Y_IRIS)
    assert _bits(mlp) == _bits(expected)
    np.testing.assert_array_equal(_outputs(mlp, X), _outputs(expected, X_IRIS))
    np.testing.assert_array_equal(X, X_IRIS)


@pytest.mark.parametrize("layout", ["every second row", "backwards", "read-only", "lists"])
def test_layouts_of_targets_and_weights(layout, tmp_path):
    Y = np.stack([Y_IRIS, X_IRIS[:, 0]], axis=1)
    w = np.linspace(0.5, 2, 150)
    expected = MLPRegressor(max_iter=3, random_state=0).fit(X_IRIS, Y, w)
    change = LAYOUTS[layout]
    mlp = MLPRegressor(max_iter=3, random_state=0)
    mlp.fit(X_IRIS, change(Y, tmp_path), change(w, tmp_path))
    assert _bits(mlp) == _bits(expected)


@BOTH
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array"])
def test_sparse_forms_give_the_bits_of_dense_rows(make, form, index):
    X = np.where(X_IRIS > 2, X_IRIS, 0)
    few = getattr(sparse, form)(X)
    for name in ("indices", "indptr"):
        if hasattr(few, name):
            setattr(few, name, getattr(few, name).astype(index))
    expected = make(max_iter=3, random_state=0).fit(X, Y_IRIS)
    mlp = make(max_iter=3, random_state=0).fit(few, Y_IRIS)
    assert _bits(mlp) == _bits(expected)
    np.testing.assert_array_equal(_outputs(mlp, few), _outputs(expected, X))


@BOTH
def test_a_row_has_the_same_outputs_alone(make):
    mlp = make(max_iter=3, random_state=0).fit(X_IRIS, Y_IRIS)
    together = _outputs(mlp, X_IRIS)
    for i in (0, 77, 149):
        np.testing.assert_array_equal(_outputs(mlp, X_IRIS[i : i + 1])[0], together[i])


@BOTH
def test_fit_leaves_its_arguments_alone(make):
    X, y, w = X_IRIS.copy(), Y_IRIS.copy(), np.ones(150)
    make(max_iter=2, early_stopping=True).fit(X, y, w).predict(X)
    np.testing.assert_array_equal(X, X_IRIS)
    np.testing.assert_array_equal(y, Y_IRIS)
    np.testing.assert_array_equal(w, np.ones(150))


# Copies


def _dumped(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": _dumped,
}
KINDS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1},
    "a generator": {"random_state": np.random.RandomState(5)},
    "dropout": {"dropout": 0.3},
    "float32": {"dtype": "float32"},
}


@BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib"])
def test_a_copy_predicts_and_goes_on_with_the_same_bits(make, kind, way):
    mlp = make(hidden_layer_sizes=(6,), batch_size=40)
    mlp.set_params(**{"random_state": 3, **copy.deepcopy(KINDS[kind])})
    for _ in range(3):
        mlp.partial_fit(X_IRIS, Y_IRIS, **_classes(make))
    twin = COPIES[way](mlp)
    np.testing.assert_array_equal(_outputs(twin, X_IRIS), _outputs(mlp, X_IRIS))
    one, other = twin.get_params(), mlp.get_params()
    if kind == "a generator":
        assert one.pop("random_state") is not other.pop("random_state")
    assert one == other
    for _ in range(3):
        mlp.partial_fit(X_IRIS, Y_IRIS)
        before = _bits(twin)
        assert before != _bits(mlp)
        twin.partial_fit(X_IRIS, Y_IRIS)
        assert _bits(twin) == _bits(mlp)
    assert twin.loss_curve_ == mlp.loss_curve_
    assert twin.learning_rate_ == mlp.learning_rate_
    assert (twin.t_, twin.n_iter_) == (mlp.t_, mlp.n_iter_)


@BOTH
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib"])
def test_a_copy_goes_on_with_a_warm_start(make, solver, way):
    mlp = make(solver=solver, warm_start=True, max_iter=3, random_state=0)
    if solver != "lbfgs":
        mlp.set_params(early_stopping=True)
    mlp.fit(X_IRIS, Y_IRIS)
    twin = COPIES[way](mlp)
    assert _bits(twin.fit(X_IRIS, Y_IRIS)) == _bits(mlp.fit(X_IRIS, Y_IRIS))
    assert twin.get_params() == mlp.get_params()
    if solver != "lbfgs":
        assert twin.validation_scores_ == mlp.validation_scores_


@BOTH
@pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib"])
def test_copies_have_a_network_of_their_own(make, way):
    mlp = make(max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    twin, before = COPIES[way](mlp), _bits(mlp)
    twin.coefs_[0] = np.zeros_like(twin.coefs_[0])
    twin.partial_fit(X_IRIS, Y_IRIS)
    assert _bits(mlp) == before


@BOTH
@pytest.mark.parametrize("way", COPIES)
def test_an_estimator_that_is_not_fitted_can_be_copied(make, way):
    twin = COPIES[way](make(alpha=0.5))
    assert twin.get_params() == make(alpha=0.5).get_params()
    assert not hasattr(twin, "coefs_")


@BOTH
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_a_pickle_holds_no_samples(make, settings):
    X = np.random.RandomState(0).standard_normal((20_000, 4))
    y = (X[:, 0] > 0).astype(int)
    mlp = make(hidden_layer_sizes=(3,), max_iter=1, **settings).fit(X, y)
    assert len(pickle.dumps(mlp)) < 20_000


@BOTH
def test_settings_survive_cloning_and_fitting(make):
    mlp = make(hidden_layer_sizes=[4, 2], activation="tanh", random_state=1, max_iter=2)
    before = copy.deepcopy(mlp.get_params())
    twin = clone(mlp.fit(X_IRIS, Y_IRIS))
    assert mlp.get_params() == before == twin.get_params()
    assert _bits(twin.fit(X_IRIS, Y_IRIS)) == _bits(mlp)


# Threads


@BOTH
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_threads_do_not_change_a_bit(make, solver):
    X = np.random.RandomState(0).standard_normal((600, 64))
    y = (X[:, 0] > 0).astype(int)
    found = []
    for threads in (1, 2, 3):
        mlp = make(solver=solver, max_iter=3, random_state=0, n_threads=threads, batch_size=200)
        mlp.set_params(hidden_layer_sizes=(256, 128)).fit(X, y)
        found.append((_bits(mlp), _outputs(mlp, X).tobytes(), mlp.loss_))
    assert found[0] == found[1] == found[2]


def test_a_number_of_threads_below_one():
    with pytest.raises(ValueError, match="n_threads"):
        MLPRegressor(n_threads=0).fit(X_IRIS, Y_IRIS)


# Coefficients


@BOTH
def test_an_assigned_item_changes_the_predictions(make):
    mlp = make(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    before = _outputs(mlp, X_IRIS)
    W = np.zeros((4, 5))
    mlp.coefs_[0] = W
    np.testing.assert_array_equal(mlp.coefs_[0], W)
    after = _outputs(mlp, X_IRIS)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, np.broadcast_to(after[0], after.shape))
    mlp.intercepts_[-1] = mlp.intercepts_[-1] + 1
    assert make is MLPClassifier or mlp.predict(X_IRIS)[0] == pytest.approx(after[0] + 1)


@BOTH
def test_assigned_lists_change_the_predictions(make):
    one = make(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    other = make(hidden_layer_sizes=(5,), max_iter=2, random_state=1).fit(X_IRIS, Y_IRIS)
    other.coefs_ = [each.copy() for each in one.coefs_]
    other.intercepts_ = one.intercepts_
    np.testing.assert_array_equal(_outputs(other, X_IRIS), _outputs(one, X_IRIS))
    other.coefs_[0] = np.zeros((4, 5))
    assert one.coefs_[0].any()


def test_assigned_parameters_are_trained_on():
    settings = {"hidden_layer_sizes": (5,), "max_iter": 3, "warm_start": True, "random_state": 4}
    one = MLPRegressor(**settings).fit(X_IRIS, Y_IRIS)
    other = MLPRegressor(**settings).fit(X_IRIS[:50], Y_IRIS[:50])
    other.coefs_, other.intercepts_ = one.coefs_, one.intercepts_
    assert _bits(other.fit(X_IRIS, Y_IRIS)) == _bits(one.fit(X_IRIS, Y_IRIS))


def test_assigned_parameters_of_other_shapes():
    mlp = MLPRegressor(hidden_layer_sizes=(5,), max_iter=1).fit(X_IRIS, Y_IRIS)
    before = _bits(mlp)
    with pytest.raises(ValueError, match=r"coefs_\[0\] has shape \(5, 4\), expected \(4, 5\)"):
        mlp.coefs_[0] = np.zeros((5, 4))
    with pytest.raises(ValueError, match=r"intercepts_\[1\] has shape \(2,\), expected \(1,\)"):
        mlp.intercepts_[1] = np.zeros(2)
    with pytest.raises(ValueError, match="coefs_ has 1 arrays, expected 2"):
        mlp.coefs_ = [np.zeros((4, 5))]
    with pytest.raises(IndexError):
        mlp.coefs_[2] = np.zeros((4, 5))
    assert _bits(mlp) == before


def test_coefficients_that_were_taken_do_not_change():
    mlp = MLPRegressor(max_iter=1, warm_start=True, random_state=0).fit(X_IRIS, Y_IRIS)
    taken, numbers = mlp.coefs_, mlp.coefs_[0].copy()
    mlp.fit(X_IRIS, Y_IRIS)
    np.testing.assert_array_equal(taken[0], numbers)
    assert not np.array_equal(mlp.coefs_[0], numbers)


# Warm starts with other parameters


@BOTH
def test_parameters_set_on_a_fitted_estimator_take_effect(make):
    mlp = make(warm_start=True, max_iter=3, random_state=0, solver="sgd").fit(X_IRIS, Y_IRIS)
    mlp.set_params(max_iter=5).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ == 5
    before = _bits(mlp)
    mlp.set_params(learning_rate_init=1e-30).fit(X_IRIS, Y_IRIS)
    assert _bits(mlp) == before
    mlp.set_params(solver="adam", learning_rate_init=0.1, batch_size=7).fit(X_IRIS, Y_IRIS)
    assert _bits(mlp) != before
    outputs = _outputs(mlp, X_IRIS)
    mlp.set_params(activation="tanh", max_iter=1, learning_rate_init=1e-30).fit(X_IRIS, Y_IRIS)
    assert not np.allclose(_outputs(mlp, X_IRIS), outputs)
    mlp.set_params(solver="lbfgs", max_iter=30).fit(X_IRIS, Y_IRIS)
    assert mlp.n_iter_ > 1
    mlp.set_params(solver="adam").fit(X_IRIS, Y_IRIS)


# Interrupts


def _after_an_epoch(call):
    """Before that, a fit on a busy machine may still be checking its data."""
    return lambda trainer, epoch, logs: call() if epoch == 1 else None


@BOTH
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}], ids=str)
def test_an_interrupt_leaves_a_usable_estimator(make, settings, interrupt):
    X = np.random.RandomState(0).standard_normal((20_000, 20))
    y = (X[:, 0] > 0).astype(int)
    mlp = make(hidden_layer_sizes=(50,), tol=0, max_iter=10**6, n_iter_no_change=10**6, **settings)
    mlp.set_params(callbacks=[_after_an_epoch(interrupt)])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        mlp.fit(X, y)
    mlp.set_params(callbacks=())
    assert mlp.n_iter_ == len(mlp.loss_curve_) < 10**6
    outputs = _outputs(mlp, X)
    assert np.isfinite(outputs).all()
    twin = pickle.loads(pickle.dumps(mlp))
    np.testing.assert_array_equal(_outputs(twin, X), outputs)
    mlp.set_params(max_iter=1, warm_start=True).fit(X, y)
    assert mlp.n_iter_ == 1


def test_an_interrupt_of_lbfgs_leaves_a_usable_estimator(interrupt):
    X = np.random.RandomState(0).standard_normal((20_000, 20))
    mlp = MLPRegressor(hidden_layer_sizes=(50,), solver="lbfgs", tol=0, max_iter=10**6)
    mlp.set_params(max_fun=10**6)
    y = np.sin(X[:, 0])
    mlp.set_params(callbacks=[_after_an_epoch(interrupt)])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        mlp.fit(X, y)
    mlp.set_params(callbacks=())
    errors = mlp.predict(X) - y
    assert np.isfinite(errors).all()
    mlp.set_params(warm_start=True, max_iter=3).fit(X, y)
    assert ((mlp.predict(X) - y) ** 2).mean() < (errors**2).mean()
