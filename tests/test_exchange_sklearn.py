"""Networks from and to the estimators of scikit-learn."""

import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.tables import Encoder

pytest.importorskip("sklearn", reason="needs the extra sklearn")
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def data(rows=60):
    random = np.random.default_rng(0)
    X = random.normal(3, 2, (rows, 4))
    return X, random.integers(0, 3, rows), X @ [1, -2, 0.5, 1] + random.normal(size=rows)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classifiers_give_the_same_answers(activation, dtype):
    X, y, _ = data()
    X = X.astype(dtype)
    names = np.array(["c", "a", "b"])[y]
    estimator = MLPClassifier((7, 5), activation=activation, max_iter=5, random_state=0)
    estimator.fit(X, names)
    net = cg.exchange.from_sklearn(estimator)
    assert (net.classes, net.loss, net.dtype) == (("a", "b", "c"), "cross_entropy", X.dtype)
    np.testing.assert_array_equal(net.layers[0].weights, estimator.coefs_[0].T)
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(net.forward(X), estimator.predict_proba(X), atol=tolerance)
    back = cg.exchange.to_sklearn(net)
    for ours, theirs in zip(back.coefs_, estimator.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(back.predict_proba(X), estimator.predict_proba(X))
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))
    assert clone(back).get_params()["activation"] == activation


def test_two_classes_have_one_output():
    X, y, _ = data()
    estimator = MLPClassifier(5, max_iter=5, random_state=0).fit(X, y > 1)
    net = cg.exchange.from_sklearn(estimator)
    assert (net.classes, net.outputs, net.loss) == (("False", "True"), 1, "binary_cross_entropy")
    np.testing.assert_allclose(net.forward(X)[:, 0], estimator.predict_proba(X)[:, 1], atol=1e-14)
    back = cg.exchange.to_sklearn(net)
    assert back.classes_.tolist() == ["False", "True"]
    assert (back.predict(X) == "True").tolist() == estimator.predict(X).tolist()


def test_several_labels_for_a_row():
    X, y, _ = data()
    labels = np.stack([y == 0, y > 0, y == 2], axis=1).astype(int)
    estimator = MLPClassifier(5, max_iter=5, random_state=0).fit(X, labels)
    net = cg.exchange.from_sklearn(estimator)
    assert (net.classes, net.outputs, net.loss) == (None, 3, "binary_cross_entropy")
    back = cg.exchange.to_sklearn(net)
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))


@pytest.mark.parametrize("targets", [1, 2])
def test_regressors_give_the_same_answers(targets):
    X, _, y = data()
    y = y if targets == 1 else np.stack([y, -y], axis=1)
    estimator = MLPRegressor(hidden_layer_sizes=(7,), max_iter=5, random_state=0).fit(X, y)
    net = cg.exchange.from_sklearn(estimator)
    assert net.loss == "quadratic"
    np.testing.assert_allclose(net.predict(X), estimator.predict(X), rtol=1e-13)
    back = cg.exchange.to_sklearn(net)
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))
    back.set_params(warm_start=True)
    assert back.get_params()["hidden_layer_sizes"] == (7,)


def test_poisson():
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no loss poisson")
    X, y, _ = data()
    estimator = MLPRegressor(
        hidden_layer_sizes=(7,), loss="poisson", max_iter=5, random_state=0
    ).fit(X, y)
    net = cg.exchange.from_sklearn(estimator)
    assert net.loss == "poisson"
    np.testing.assert_allclose(net.predict(X), estimator.predict(X), rtol=1e-13)
    back = cg.exchange.to_sklearn(net)
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))


@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler((-1, 2))],
        [MaxAbsScaler()],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [MinMaxScaler(), StandardScaler(), "passthrough"],
    ],
    ids=str,
)
def test_scalers_of_a_pipeline_become_the_standardisation(steps):
    X, _, y = data()
    pipeline = make_pipeline(
        *steps, MLPRegressor(hidden_layer_sizes=(7,), max_iter=5, random_state=0)
    ).fit(X, y)
    net = cg.exchange.from_sklearn(pipeline)
    assert net.input_mean is not None
    np.testing.assert_allclose(net.predict(X), pipeline.predict(X), rtol=1e-11)
    back = cg.exchange.to_sklearn(net)
    np.testing.assert_allclose(back.predict(X), pipeline.predict(X), rtol=1e-11)


def test_a_network_with_an_encoder_of_numbers():
    X, y, _ = data()
    table = {"a": X[:, 0], "b": X[:, 1], "flag": y == 2, "kind": np.array(["x", "z", "y"])[y]}
    encoder = Encoder("kind", dtype="float64").fit(table)
    layers = [cg.Dense(5, "tanh"), cg.Dropout(0.5), cg.Dense(3, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", dtype="float64", rng=0)
    net.encoder = encoder
    back = cg.exchange.to_sklearn(net)
    columns = np.stack([X[:, 0], X[:, 1], y == 2], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = back.predict(columns)
    assert predicted.tolist() == net.predict(table).tolist()
    assert back.feature_names_in_.tolist() == ["a", "b", "flag"]


def test_an_estimator_that_trains_here():
    from cygrad.sklearn import MLPClassifier as Ours

    X, y, _ = data()
    estimator = Ours(5, max_iter=5, random_state=0).fit(X, y)
    net = cg.exchange.from_sklearn(estimator)
    np.testing.assert_array_equal(net.parameters, estimator.network_.parameters)
    net.parameters = net.parameters * 2
    assert (estimator.network_.parameters != net.parameters).any()


@pytest.mark.parametrize(
    ("layers", "loss", "message"),
    [
        ([cg.Dense(3, "gelu"), cg.Dense(1)], "mse", "hidden layers have the activations gelu"),
        ([cg.Dense(3, "relu"), cg.Dense(3, "tanh"), cg.Dense(1)], "mse", "relu, tanh"),
        ([cg.Dense(3), cg.BatchNorm("relu"), cg.Dense(1)], "mse", "layer 1: .* dense layers only"),
        ([cg.Dense(3), cg.Residual([cg.Dense(3)]), cg.Dense(1)], "mse", "layer 2: "),
        ([cg.Dense(3, "relu"), cg.Dense(1, "tanh")], "mse", "layer 1 has the activation tanh"),
        ([cg.Dense(3, "relu"), cg.Dense(3)], "hinge", "layer 1 has the activation identity"),
    ],
)
def test_what_scikit_learn_lacks_is_an_error_with_the_layer(layers, loss, message):
    net = cg.Network(4, layers, loss=loss, rng=0)
    with pytest.raises(ValueError, match=message):
        cg.exchange.to_sklearn(net)


def test_classes_that_do_not_ascend_are_an_error():
    net = cg.Network(4, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    net.classes = ("b", "a", "c")
    with pytest.raises(ValueError, match="expected an ascending order"):
        cg.exchange.to_sklearn(net)


def test_other_estimators_are_refused():
    X, y, _ = data()
    with pytest.raises(TypeError, match="estimator is StandardScaler, expected MLPClassifier"):
        cg.exchange.from_sklearn(StandardScaler())
    with pytest.raises(ValueError, match="not fitted"):
        cg.exchange.from_sklearn(MLPClassifier())
    pipeline = make_pipeline(PolynomialFeatures(), MLPClassifier(3, max_iter=2)).fit(X, y)
    with pytest.raises(TypeError, match="has the step PolynomialFeatures, expected"):
        cg.exchange.from_sklearn(pipeline)
    pipeline = make_pipeline(MinMaxScaler(clip=True), MLPClassifier(3, max_iter=2)).fit(X, y)
    with pytest.raises(TypeError, match="clip=True"):
        cg.exchange.from_sklearn(pipeline)
