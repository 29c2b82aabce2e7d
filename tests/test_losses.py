"""Losses: the values that others compute, and what networks make of them."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from networks import fitting, targets_for

import cygrad as cg
from cygrad import losses, network, reference
from cygrad._engine import kernels
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("activation", ["identity", "tanh", "softmax"])
def test_linear_gives_the_derivatives_of_the_outputs(activation, reduction, isa):
    rng = np.random.default_rng(0)
    X, factors = rng.normal(size=(5, 3)), rng.normal(size=(5, 19))
    dense = [reference.Dense(4, "tanh"), reference.Dense(19, activation)]
    net = reference.Network(3, dense, loss="linear", reduction=reduction)
    net.parameters = rng.normal(size=len(net.parameters)).tolist()
    expected = net.backward(X.tolist(), factors.tolist())

    activations = ["tanh", activation]
    engine = Engine("float64", [3, 4, 19], activations, [True, True], "linear", reduction)
    engine.set_parameters(np.array(net.parameters))
    loss, weights, _, deltas, _, outputs, inputs = engine.backward(
        Samples(X), Samples(factors), True, ("weights", "deltas", "activations")
    )
    total = (outputs[-1] * factors).sum() / (5 if reduction == "mean" else 1)
    np.testing.assert_allclose(loss, total, rtol=1e-13)
    np.testing.assert_allclose(loss, expected.loss, rtol=1e-13)
    for layer in range(2):
        np.testing.assert_allclose(deltas[layer], expected.deltas[layer], rtol=0, atol=1e-14)
        np.testing.assert_allclose(weights[layer], expected.weights[layer], rtol=0, atol=1e-13)
    np.testing.assert_allclose(inputs, expected.inputs, rtol=0, atol=1e-13)


def test_no_user_can_name_an_internal_loss():
    assert "internal" in kernels.LOSSES["linear"]
    assert "linear" not in network.LOSSES


# Values of other libraries


def linear_network(loss, outputs=1, activation="identity", **options):
    """A network whose pre-activations are its inputs."""
    dense = cg.Dense(outputs, activation, use_bias=False, weights_init=np.eye(outputs))
    return cg.Network(outputs, [dense], loss=loss, dtype="float64", **options)


VALUES = {
    # loss, activation, z, y, value of torch 2.13 unless something else is said
    "huber": (losses.huber(0.5), "identity", [2.0], [0.0], 0.875),
    "huber, mean over outputs": (losses.huber(0.5), "identity", [2.0, 0.3], [0.0, 0.0], 0.46),
    "mae": ("mae", "identity", [2.0, -1.0], [0.5, 0.0], 1.25),
    "log_cosh": ("log_cosh", "identity", [100.0], [0.0], 99.30685281944005),  # Keras is off by 1e-6
    "log_cosh of 1": ("log_cosh", "identity", [1.0], [0.0], 0.4337808304830272),
    "pinball above": (losses.pinball(0.9), "identity", [3.0], [1.0], 0.2),  # scikit-learn
    "pinball below": (losses.pinball(0.9), "identity", [1.0], [3.0], 1.8),
    "poisson": ("poisson", "exp", [0.5, -1.0], [2.0, 0.0], (math.exp(0.5) - 1 + math.exp(-1)) / 2),
    "gaussian_nll": ("gaussian_nll", "identity", [1.0, math.log(4)], [3.0], math.log(4) / 2 + 0.5),
    "gaussian_nll, clamped": (losses.gaussian_nll(0.5), "identity", [1, -9], [2], 0.65342640972),
    "smoothed": (
        losses.cross_entropy(0.1),
        "softmax",
        [0.0, math.log(2), 0.0],
        0,
        math.log(4) - 0.1 / 3 * math.log(2),
    ),
    "smoothed, binary": (  # Keras: y is 0.95
        losses.binary_cross_entropy(0.1),
        "sigmoid",
        [math.log(3)],
        [1.0],
        0.95 * math.log(4 / 3) + 0.05 * math.log(4),
    ),
    "focal": ("focal", "softmax", [math.log(3), 0.0], 0, math.log(4 / 3) / 16),
    "focal of 0": (losses.focal(0), "softmax", [math.log(3), 0.0], 0, math.log(4 / 3)),
    "kl_divergence": ("kl_divergence", "softmax", [0.0, 0.0], [0.25, 0.75], 0.13081203594113694),
    "kl_divergence of 0": ("kl_divergence", "softmax", [0.0, 0.0], [0.0, 1.0], math.log(2)),
    "squared_hinge": ("squared_hinge", "identity", [0.5, 0.0, -3.0], 0, 0.25),
}


@pytest.mark.parametrize(("loss", "activation", "z", "y", "value"), VALUES.values(), ids=VALUES)
def test_one_sample_has_the_value(loss, activation, z, y, value, isa):
    net = linear_network(loss, len(z), activation)
    assert net.evaluate([z], [y])["loss"] == pytest.approx(value, rel=1e-11)
    assert net.backward([z], [y]).loss == pytest.approx(value, rel=1e-11)
    assert cg.Trainer(net, cg.SGD(0.0)).learn_one(z, y) == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_cosh_keeps_its_digits_everywhere(dtype, isa):
    errors = np.concatenate([np.logspace(-12, 2.5, 400), [1.3169, 1.317, 1.3171]]).astype(dtype)
    dense = cg.Dense(1, use_bias=False, weights_init=1.0)
    net = cg.Network(1, [dense], loss="log_cosh", dtype=dtype)
    eps = float(np.finfo(dtype).eps)
    for e in errors.astype(float):
        s = math.sinh(e / 2)
        exact = math.log1p(2 * s * s) if e < 1 else e + math.log1p(math.exp(-2 * e)) - math.log(2)
        for given in (e, -e):
            assert net.evaluate([[given]], [0.0])["loss"] == pytest.approx(exact, rel=8 * eps)
            delta = net.backward([[given]], [0.0]).deltas[0][0, 0]
            assert delta == pytest.approx(math.tanh(given), rel=4 * eps)
    assert net.evaluate([[0.0]], [0.0])["loss"] == 0


@pytest.mark.parametrize("loss", ["mae", "pinball"])
def test_the_slope_at_the_kink_is_zero(loss, isa):
    net = linear_network(loss, 2)
    assert net.backward([[1.0, 2.0]], [[1.0, 2.0]]).deltas[0].tolist() == [[0.0, 0.0]]


def test_the_metric_of_rates_is_their_deviance(isa):
    net = linear_network("poisson", 2, "exp")
    z, y = np.array([[0.5, -1.0]]), np.array([[2.0, 0.0]])
    a = np.exp(z)
    expected = (2 * (2 * np.log(2 / a[0, 0]) - 2 + a[0, 0]) + 2 * a[0, 1]) / 2
    assert net.evaluate(z, y)["deviance"] == pytest.approx(expected, rel=1e-13)
    cg.check_gradients(net, z, y)
    with pytest.raises(ValueError, match=r"y holds -1.0 in row 0, column 1, expected counts"):
        net.evaluate(z, y - [[0, 1]])


def test_focal_stays_finite_where_the_class_is_certain(isa):
    for gamma in (0.0, 0.5, 1.0, 2.0, 5.0):
        net = linear_network(losses.focal(gamma), 2, "softmax")
        for z, sure in (([800.0, 0.0], True), ([0.0, 800.0], False), ([40.0, 0.0], True)):
            g = net.backward([z], [0])
            assert g.loss == pytest.approx(0 if sure else 800, abs=1e-15)
            np.testing.assert_allclose(
                g.deltas[0], [[0, 0]] if sure else [[-1, 1]], rtol=1e-12, atol=1e-6
            )


def test_several_quantiles_share_a_target():
    loss = losses.pinball([0.1, 0.5, 0.9])
    net = linear_network(loss, 3)
    X, y = np.random.default_rng(0).normal(size=(7, 3)), np.random.default_rng(1).normal(size=7)
    e = X - y[:, np.newaxis]
    q = np.array([0.1, 0.5, 0.9])
    expected = np.maximum(-q * e, (1 - q) * e).mean()
    for targets in (y, y[:, np.newaxis], np.repeat(y[:, np.newaxis], 3, axis=1), y.tolist()):
        assert net.evaluate(X, targets)["loss"] == pytest.approx(expected, rel=1e-14)
    cg.check_gradients(net, X, y)
    trainers = [cg.Trainer(linear_network(loss, 3), cg.SGD(0.1)) for _ in range(2)]
    assert trainers[0].learn_one(X[0], y[0]) == trainers[1].learn_one(X[0], [y[0]] * 3)
    np.testing.assert_array_equal(trainers[0].net.parameters, trainers[1].net.parameters)
    with pytest.raises(ValueError, match=r"y has shape \(7, 2\), expected .*\(n, 1\) or \(n, 3\)"):
        net.evaluate(X, e[:, :2])


def test_quantiles_are_learned():
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    net = cg.Network(1, [cg.Dense(3)], loss=losses.pinball([0.1, 0.5, 0.9]), rng=0)
    cg.Trainer(net, cg.Adam(0.02), 400, rng=0).fit(np.zeros((4000, 1)), y, 150)
    expected = np.quantile(y, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(net.forward([[0.0]])[0], expected, atol=0.06)


def test_mean_and_variance_are_learned():
    rng = np.random.default_rng(0)
    y = 3 + 2 * rng.normal(size=(4000, 1))
    net = cg.Network(1, [cg.Dense(2)], loss="gaussian_nll", rng=0)
    cg.Trainer(net, cg.Adam(0.02), 400, rng=0).fit(np.zeros((4000, 1)), y, 100)
    mean, logarithm = net.forward([[0.0]])[0]
    assert mean == pytest.approx(y.mean(), abs=0.05)
    assert math.exp(logarithm) == pytest.approx(y.var(), rel=0.05)
    assert net.metric == "mae"


# Objects

OBJECTS = (
    losses.huber(0.3),
    losses.pinball(0.2),
    losses.pinball([0.2, 0.3, 0.8]),
    losses.gaussian_nll(2.0),
    losses.binary_cross_entropy(0.1),
    losses.cross_entropy(label_smoothing=0.25),
    losses.focal(1.5),
)


@pytest.mark.parametrize("loss", OBJECTS, ids=str)
def test_networks_keep_the_parameters(loss, tmp_path):
    units = 4 if loss.name == "gaussian_nll" else 3
    layers = [cg.Dense(units, fitting(loss.name))]
    net = cg.Network(2, layers, loss=loss, rng=0)
    assert net.loss == loss
    net.save(tmp_path / "net.npz")
    for other in (cg.load(tmp_path / "net.npz"), copy.deepcopy(net), net.as_dtype("float64")):
        assert other.loss == loss
        assert type(other.loss) is type(loss)
    again = pickle.loads(pickle.dumps(net))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 2)), targets_for(loss.name, rng, 5, units)
    assert again.evaluate(X, y) == net.evaluate(X, y)
    defaults = cg.Network(2, layers, loss=loss.name, rng=0)
    assert defaults.evaluate(X, y)["loss"] != net.evaluate(X, y)["loss"]
    assert repr(loss) in repr(net)
    assert eval(repr(loss), vars(losses)) == loss
    json.dumps(net.config())
    for dtype in ("float32", "float64"):
        cg.check_gradients(net, X, y, dtype=dtype)


def test_defaults_are_the_name_alone():
    for name in ("huber", "pinball", "binary_cross_entropy", "cross_entropy", "focal"):
        loss = getattr(losses, name)()
        net = cg.Network(2, [cg.Dense(2, fitting(name))], loss=loss)
        assert net.loss == name
        assert net.config()["loss"] == name
    assert losses.huber(1) == losses.huber(1.0)
    assert hash(losses.pinball([0.5])) == hash(losses.pinball((0.5,)))
    assert losses.pinball([0.5]) != losses.pinball(0.5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.huber(0), ValueError, "delta is 0.0, expected a finite number above 0"),
        (lambda: losses.huber(-1), ValueError, "delta is -1.0"),
        (lambda: losses.huber(math.inf), ValueError, "delta is inf"),
        (lambda: losses.huber("1"), TypeError, "delta is '1', expected a number"),
        (lambda: losses.pinball(1.0), ValueError, r"quantiles is 1.0, expected numbers between"),
        (lambda: losses.pinball([0.1, 0.0]), ValueError, "expected numbers between 0 and 1"),
        (lambda: losses.pinball([]), ValueError, "expected at least one number"),
        (lambda: losses.pinball("a"), TypeError, "quantiles is 'a', expected a number"),
        (lambda: losses.gaussian_nll(0), ValueError, "eps is 0.0, expected a finite number above"),
        (lambda: losses.cross_entropy(1), ValueError, "label_smoothing is 1.0, expected .* below"),
        (lambda: losses.binary_cross_entropy(-0.1), ValueError, "label_smoothing is -0.1"),
        (lambda: losses.focal(-1), ValueError, "gamma is -1.0"),
        (
            lambda: cg.Network(2, [cg.Dense(3)], loss=losses.pinball([0.1, 0.9])),
            ValueError,
            "has 2 quantiles, and the last layer has 3 units",
        ),
        (
            lambda: cg.Network(2, [cg.Dense(3)], loss="gaussian_nll"),
            ValueError,
            "the last layer has 3 units; expected an even number",
        ),
        (
            lambda: cg.Network(2, [cg.Dense(3)], loss=losses.focal(1)),
            ValueError,
            "loss 'focal' needs a softmax output layer",
        ),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Targets


def test_several_labels_of_any_dtype():
    net = cg.Network(2, [cg.Dense(3, "sigmoid")], loss="binary_cross_entropy", rng=0)
    X, y = np.ones((4, 2)), np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
    expected = net.evaluate(X, y.astype(float))
    for dtype in (bool, "int8", "uint8", "int64", "float32"):
        assert net.evaluate(X, y.astype(dtype)) == expected
    assert net.evaluate(X, y.tolist()) == expected
    assert net.predict(X).shape == (4, 3)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "focal"])
def test_classes_can_be_named(loss):
    net = cg.Network(2, [cg.Dense(3, fitting(loss))], loss=loss, rng=0)
    X, y = np.random.default_rng(0).normal(size=(5, 2)), np.array([2, 0, 1, 1, 2])
    names = np.array(["a", "b", "c"])
    with pytest.raises(TypeError, match=r"y has dtype <U1, expected integer class indices"):
        net.evaluate(X, names[y])
    net.classes = names.tolist()
    expected = net.evaluate(X, y)
    for named in (names[y], names[y].astype(object), names[y].tolist()):
        assert net.evaluate(X, named) == expected
    with pytest.raises(ValueError, match=r"y holds 'd' in row 1, expected one of .*'a', 'b', 'c'"):
        net.evaluate(X[:2], ["a", "d"])
    with pytest.raises(TypeError, match="y has dtype object"):
        net.evaluate(X[:2], np.array(["a", 1], dtype=object))
    with pytest.raises(TypeError, match="y has dtype float64"):
        net.evaluate(X, y.astype(float))


def test_two_classes_of_one_output_can_be_named():
    net = cg.Network(2, [cg.Dense(1, "sigmoid")], loss="binary_cross_entropy", rng=0)
    net.classes = ["no", "yes"]
    X = np.random.default_rng(0).normal(size=(3, 2))
    assert net.evaluate(X, ["yes", "no", "yes"]) == net.evaluate(X, [1, 0, 1])
