"""`Scaling`: against NumPy, its learning rate, its bits, and where else a layer counts.

The networks of `layer_cases` have it too: `test_layers` compares them with the reference, and
`test_layer_bits` with the plain loops.
"""

import math
import pickle
from functools import cache

import numpy as np
import pytest
from bits import assert_same_bits
from cases import MORE_OPTIMIZERS, OPTIMIZERS, optimizer_class

import cygrad as cg
from cygrad import reference
from cygrad._engine import kernels, plan

ALL_OPTIMIZERS = {**OPTIMIZERS, **MORE_OPTIMIZERS}


def data(inputs=5, rows=23, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, inputs)), rng.normal(size=(rows, 2))


def network(inputs=5, factor=1.0, dtype="float64", first="identity", **options):
    """A scaling first, one in the middle, and one before the output layer."""
    layers = [
        cg.Scaling(first, learning_rate_factor=factor, **options),
        cg.Dense(inputs + 2, "tanh"),
        cg.Scaling("tanh", learning_rate_factor=factor, **options),
        cg.Dense(inputs),
        cg.Scaling(learning_rate_factor=factor, **options),
        cg.Dense(2),
    ]
    net = cg.Network(inputs, layers, loss="mse", dtype=dtype, rng=1)
    for layer in net.layers:
        if layer.kind == "scaling":
            layer.weights = np.linspace(-0.5, 1.5, layer.units)
    return net


def scales(net):
    return [layer.weights for layer in net.layers if layer.kind == "scaling"]


def others(net):
    return [
        array
        for layer in net.layers
        if layer.kind != "scaling"
        for array in (layer.weights, layer.biases)
    ]


# The equations, in NumPy.


def test_outputs_and_gradients_are_those_of_numpy():
    X, y = data()
    net = network()
    γ1, γ2, γ3 = scales(net)
    W1, b1, W2, b2, W3, b3 = others(net)
    z = (X * γ1) @ W1.T + b1
    h = np.tanh(z)
    s = np.tanh(h * γ2)
    u = s @ W2.T + b2
    out = (u * γ3) @ W3.T + b3
    np.testing.assert_allclose(net.forward(X), out, rtol=1e-13, atol=1e-14)

    dout = 2 * (out - y) / (len(X) * 2)
    du3 = dout @ W3
    dγ3, du = (du3 * u).sum(0), du3 * γ3
    dz2 = (du @ W2) * (1 - s**2)
    dγ2, dz = (dz2 * h).sum(0), dz2 * γ2 * (1 - h**2)
    dx = dz @ W1
    dγ1 = (dx * X).sum(0)
    found = net.backward(X, y)
    close = {"rtol": 1e-11, "atol": 1e-13}
    for index, expected in ((0, dγ1), (2, dγ2), (4, dγ3)):
        np.testing.assert_allclose(found.weights[index], expected, **close)
        assert found.weights[index].shape == (net.layers[index].units,)
        assert (found.biases[index] == 0).all()
    np.testing.assert_allclose(found.weights[1], dz.T @ (X * γ1), **close)
    np.testing.assert_allclose(found.inputs, dx * γ1, **close)
    parts = (dγ1, dz.T @ (X * γ1), dz.sum(0), dγ2, du.T @ s, du.sum(0), dγ3, dout.T @ (u * γ3))
    flat = np.concatenate([np.ravel(part) for part in (*parts, dout.sum(0))])
    np.testing.assert_allclose(net.gradient(X, y)[1], flat, **close)

    cg.Trainer(net, cg.SGD(0.1), len(X)).step(X, y)
    for after, before, gradient in zip(scales(net), (γ1, γ2, γ3), (dγ1, dγ2, dγ3), strict=True):
        np.testing.assert_allclose(after, before - 0.1 * gradient, **close)


def test_the_jacobian_is_that_of_numpy():
    X, _ = data(4, 7)
    layers = [cg.Scaling(), cg.Dense(3, "tanh"), cg.Dense(2)]
    net = cg.Network(4, layers, loss="mse", dtype="float64", rng=3)
    net.layers[0].weights = γ = np.array([0.5, -2.0, 0.0, 3.0])
    W, V = net.layers[1].weights, net.layers[2].weights
    slope = 1 - np.tanh((X * γ) @ W.T + net.layers[1].biases) ** 2
    expected = np.einsum("kj,nj,ji,i->nki", V, slope, W, γ)
    np.testing.assert_allclose(net.jacobian(X), expected, rtol=1e-12, atol=1e-15)


def test_factors_of_1_change_no_output():
    """x · 1 is x: a new network has the outputs of the same one without the layer."""
    X, y = data()
    layers = [cg.Dense(9, "relu"), cg.Dense(2)]
    plain = cg.Network(5, layers, loss="mse", rng=7)
    scaled = cg.Network(5, [cg.Scaling(), *layers], loss="mse", rng=7)
    scaled.parameters = np.concatenate([np.ones(5), plain.parameters])
    assert_same_bits(scaled.forward(X), plain.forward(X))
    assert_same_bits(scaled.gradient(X, y)[1][5:], plain.gradient(X, y)[1])
    frozen = cg.Network(5, [cg.Scaling(trainable=False), *layers], loss="mse", rng=7)
    frozen.parameters = scaled.parameters
    for net in (plain, frozen):
        cg.Trainer(net, cg.Adam(), 4, rng=0).fit(X, y, 3)
    assert_same_bits(frozen.parameters[5:], plain.parameters)
    assert (frozen.layers[0].weights == 1).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_reference_has_numerical_derivatives(reduction):
    """Of weights, biases and samples, through scaling in a block and with an activation."""
    block = reference.Residual([reference.Scaling("tanh"), reference.Dense(3, "sine")], "softsign")
    layers = [reference.Scaling(), block, reference.Dense(4, "tanh"), reference.Scaling("gelu")]
    net = reference.Network(3, [*layers, reference.Dense(2)], loss="mse", reduction=reduction)
    rng = np.random.default_rng(5)
    net.parameters = rng.normal(size=len(net.parameters)).tolist()
    assert len(net.parameters) == 3 + (3 + 3 * 4) + 4 * 4 + 4 + 2 * 5
    X, y = rng.normal(size=(6, 3)).tolist(), rng.normal(size=(6, 2)).tolist()
    exact, numerical = net.backward(X, y), reference.numerical_gradients(net, X, y)
    assert len(exact.weights[0]) == 1
    for found, expected in (
        *zip(exact.weights, numerical.weights, strict=True),
        *zip(exact.biases, numerical.biases, strict=True),
        (exact.inputs, numerical.inputs),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


def test_a_wrong_factor_would_be_found(planted):
    """The checker of gradients sees γ of each unit."""
    X, y = data()
    net = network()
    assert cg.check_gradients(net, X, y, inputs=True).passed

    def fault(gradients):
        gradients.weights[2][3] *= 1.01
        return gradients

    planted(fault)
    with pytest.raises(cg.GradientError, match=r"layers\[2\]\.weights"):
        cg.check_gradients(net, X, y)


# The learning rate


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [0.25, 4.0])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_factor_multiplies_the_learning_rate(name, factor, dtype):
    """γ moves as with the rate f η, the rest as with η. Powers of two: nothing is rounded."""
    X, y = data()
    given = dict(OPTIMIZERS[name])
    rate = given.pop("learning_rate")
    if callable(rate):
        schedule = rate
        faster = lambda step: factor * schedule(step)  # noqa: E731
    else:
        faster = factor * rate
    make = getattr(cg, optimizer_class(name))
    moved = []
    for with_factor, of_all in ((factor, rate), (1.0, faster), (1.0, rate)):
        net = network(factor=with_factor, dtype=dtype)
        cg.Trainer(net, make(of_all, **given), len(X)).step(X, y)
        moved.append(net)
    for found, expected in zip(scales(moved[0]), scales(moved[1]), strict=True):
        assert_same_bits(found, expected)
    for found, expected in zip(others(moved[0]), others(moved[2]), strict=True):
        assert_same_bits(found, expected)
    assert (scales(moved[0])[0] != scales(moved[2])[0]).any()


def test_factors_of_norms():
    X, y = data()

    def step(factor, rate, norm=cg.BatchNorm):
        layers = [cg.Dense(7), norm("tanh", learning_rate_factor=factor), cg.Dense(2)]
        net = cg.Network(5, layers, loss="mse", dtype="float64", rng=1)
        cg.Trainer(net, cg.SGD(rate), len(X)).step(X, y)
        return net.layers[1]

    for norm in (cg.BatchNorm, cg.LayerNorm):
        layer = step((4.0, 0.5), 0.125, norm)
        assert layer.rate_factors == (4.0, 0.5)
        assert_same_bits(layer.weights, step(1.0, 0.5, norm).weights)
        assert_same_bits(layer.biases, step(1.0, 0.0625, norm).biases)
    assert repr(cg.BatchNorm(learning_rate_factor=[2, 2])) == "BatchNorm(learning_rate_factor=2.0)"
    assert cg.LayerNorm(learning_rate_factor=(1, 1)) == cg.LayerNorm()
    with pytest.raises(ValueError, match="learning_rate_factor is -1"):
        cg.LayerNorm(learning_rate_factor=-1)


def test_the_factor_can_be_assigned():
    X, y = data()
    net = network(factor=0.5)
    net.layers[0].learning_rate_factor = 0
    before = scales(net)
    cg.Trainer(net, cg.SGD(0.1), 8).fit(X, y)
    assert_same_bits(scales(net)[0], before[0])
    assert (scales(net)[1] != before[1]).any()
    assert net.layers[0].learning_rate_factor == 0
    with pytest.raises(TypeError, match=r"learning_rate_factor is \(1, 2\), expected a number"):
        net.layers[0].learning_rate_factor = (1, 2)
    net = cg.Network(2, [cg.Dropout(0.1), cg.Dense(1)], loss="mse")
    with pytest.raises(AttributeError, match="has no learning_rate_factor"):
        net.layers[0].learning_rate_factor = 2


@pytest.mark.parametrize(
    "options", [{"weight_decay": 0.3}, {"decoupled_decay": 0.3}, {"l1": 0.3}, {"l2_penalty": 3.0}]
)
def test_scales_do_not_decay(options):
    """With no gradient nothing moves but what decays."""
    X = np.zeros((4, 5))
    net = network()
    net.layers[5].weights = np.zeros((2, 5))
    net.layers[5].biases = [0, 0]
    before, penalty = scales(net), sum((array**2).sum() for array in others(net)[::2])
    loss = cg.Trainer(net, cg.SGD(0.1, **options), 4).step(X, np.zeros((4, 2)))
    for found, expected in zip(scales(net), before, strict=True):
        assert_same_bits(found, expected)
    if "l2_penalty" in options:
        assert loss == pytest.approx(0.5 * 3 * penalty / 4, rel=1e-13)
    limited = network()
    cg.Trainer(limited, cg.SGD(0.0, max_norm=0.1), 4).step(X, np.zeros((4, 2)))
    for found, expected in zip(scales(limited), before, strict=True):
        assert_same_bits(found, expected)


# Bits


def train(inputs, name, dtype, threads=1, **options):
    X, y = data(inputs, 31, seed=inputs)
    net = network(inputs, 2.0, dtype, "softsign")
    given = dict(ALL_OPTIMIZERS[name])
    optimizer = getattr(cg, optimizer_class(name))(**given)
    rows = 31 if name.startswith("rprop") else 13  # which needs the gradient of all
    trainer = cg.Trainer(net, optimizer, rows, rng=2, threads=threads, **options)
    trainer.fit(X, y, 2)
    return [net.parameters, net.gradient(X, y)[1], net.forward(X), net.backward(X, y).inputs]


@cache
def by_loops(*arguments):
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        return train(*arguments)
    finally:
        kernels.select_engine(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [1, 15, 16, 31, 32, 33, 65])
def test_shapes_have_the_bits_of_the_loops(inputs, dtype, isa):
    expected = by_loops(inputs, "adam", dtype)
    before = plan.set_costs(barrier=0)
    try:
        for threads in (1, 2):
            for found, array in zip(train(inputs, "adam", dtype, threads), expected, strict=True):
                assert_same_bits(found, array)
    finally:
        plan.set_costs(**before)


@pytest.mark.parametrize("name", ALL_OPTIMIZERS)
def test_optimizers_have_the_bits_of_the_loops(name, isa):
    for found, array in zip(train(9, name, "float32"), by_loops(9, name, "float32"), strict=True):
        assert_same_bits(found, array)


def test_clipped_and_accumulated_steps_have_the_same_bits(isa):
    whole = train(33, "adam", "float32")
    for found, array in zip(train(33, "adam", "float32", clip_global_norm=1e9), whole, strict=True):
        assert_same_bits(found, array)
    X, y = data(33, 60)
    nets = [network(33, 2.0, "float32") for _ in range(2)]
    cg.Trainer(nets[0], cg.Adam(), 30, rng=0).fit(X, y, 2)
    cg.Trainer(nets[1], cg.Adam(), 10, rng=0, accumulate=3).fit(X, y, 2)
    assert_same_bits(nets[1].parameters, nets[0].parameters)


def test_one_row_at_a_time():
    X, y = data()
    rows, batch = network(factor=3.0), network(factor=3.0)
    one, by_one = cg.Trainer(rows, cg.Adam(0.01), 1), cg.Trainer(batch, cg.Adam(0.01), 1)
    for x, target in zip(X, y, strict=True):
        one.learn_one(x, target)
    by_one.fit(X, y, shuffle=False)
    assert_same_bits(rows.parameters, batch.parameters)
    outputs = rows.forward(X)
    for row in range(len(X)):
        assert_same_bits(rows.predict_one(X[row]), outputs[row])


# The rest of the house


def test_standardized_inputs_are_scaled_after_it():
    X, _ = data()
    X = 3 + 2 * X
    net = network()
    net.standardize_inputs(X)
    other = network()
    expected = other.forward((X - X.mean(0)) / X.std(0))
    np.testing.assert_allclose(net.forward(X), expected, rtol=1e-12, atol=1e-13)


def test_copies_files_and_dtypes(tmp_path):
    X, y = data()
    net = network(factor=6.0, trainable="weights")
    cg.Trainer(net, cg.Adam(), 8, rng=0).fit(X, y)
    net.save(tmp_path / "net.npz")
    for other in (cg.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))):
        assert other.layers[2].rate_factors == (6.0, 6.0)
        assert_same_bits(other.parameters, net.parameters)
    single = net.as_dtype("float32")
    assert_same_bits(single.parameters, net.parameters.astype(np.float32))
    assert single.layers[0].learning_rate_factor == 6
    with np.load(tmp_path / "net.npz") as file:
        assert file["weights_2"].shape == (7,)
        assert "biases_2" not in file


def test_initialize_makes_trained_factors_1():
    net = network()
    net.layers[2].trainable = False
    frozen = scales(net)[1]
    net.initialize(rng=3)
    assert (scales(net)[0] == 1).all()
    assert_same_bits(scales(net)[1], frozen)
    assert (scales(network())[1] == frozen).all()


def test_the_layer_can_be_the_last():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    layers = [cg.Dense(1, use_bias=False), cg.Scaling("sigmoid")]
    net = cg.Network(3, layers, loss="binary_cross_entropy", dtype="float64", rng=0)
    before = net.evaluate(X, y)["loss"]
    cg.Trainer(net, cg.Adam(0.05), 10, rng=0).fit(X, y, 5)
    assert net.evaluate(X, y)["loss"] < before
    assert cg.check_gradients(net, X, y, inputs=True).passed


def test_lbfgs_trains_the_factors():
    pytest.importorskip("scipy", reason="L-BFGS is SciPy's")
    X, y = data()
    net = network()
    before, start = scales(net), net.evaluate(X, y)["loss"]
    cg.Trainer(net, cg.LBFGS(), rng=0).fit(X, y, 5)
    assert net.evaluate(X, y)["loss"] < start
    assert all((now != then).all() for now, then in zip(scales(net), before, strict=True))


def test_properties():
    net = network()
    layer = net.layers[2]
    assert (layer.kind, layer.units, layer.inputs, layer.n_parameters) == ("scaling", 7, 7, 7)
    assert layer.weights_shape == (7,)
    assert layer.has_weights
    assert not layer.use_bias
    assert (layer.biases == 0).all()
    with pytest.raises(ValueError, match=r"layers\[2\].biases: the layer has use_bias=False"):
        layer.biases = np.zeros(7)
    with pytest.raises(
        ValueError, match=r"layers\[2\].weights has shape \(1, 7\), expected \(7,\)"
    ):
        layer.weights = np.ones((1, 7))
    assert net.n_parameters == 5 + 7 * 6 + 7 + 5 * 8 + 5 + 2 * 6
    assert repr(cg.Scaling("tanh", trainable=False)) == "Scaling('tanh', trainable=False)"
    assert repr(cg.Scaling()) == "Scaling()"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"activation": "softmax"}, ValueError, "needs a Dense layer"),
        ({"trainable": "biases"}, ValueError, "trainable is 'biases'"),
        ({"trainable": 2}, ValueError, "trainable is 2"),
        ({"learning_rate_factor": -1}, ValueError, "learning_rate_factor is -1"),
        ({"learning_rate_factor": math.inf}, ValueError, "learning_rate_factor is inf"),
        ({"learning_rate_factor": (1, 2)}, TypeError, "learning_rate_factor is .1, 2."),
    ],
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        cg.Scaling(**options)
