"""L-BFGS through SciPy: where it ends, what it leaves alone, what it refuses."""

import copy
import pickle

import numpy as np
import pytest

import cygrad as cg

optimize = pytest.importorskip("scipy.optimize", reason="L-BFGS needs the extra scipy")


def data(rows=60, inputs=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, inputs))
    return X, X @ rng.standard_normal((inputs, 2)) + 0.1 * rng.standard_normal((rows, 2)) + 3


def network(hidden=(), loss="quadratic", **options):
    layers = [*(cg.Dense(units, "tanh") for units in hidden), cg.Dense(2)]
    return cg.Network(4, layers, loss=loss, dtype="float64", rng=1, **options)


def test_a_linear_network_reaches_the_least_squares():
    X, y = data()
    net = network()
    history = cg.Trainer(net, cg.LBFGS(tolerance=1e-9)).fit(X, y)
    design = np.hstack([X, np.ones((60, 1))])
    exact, *_ = np.linalg.lstsq(design, y, rcond=None)
    np.testing.assert_allclose(net.layers[0].weights, exact[:4].T, atol=1e-7)
    np.testing.assert_allclose(net.layers[0].biases, exact[4], atol=1e-7)
    assert history.stopped == "converged"
    assert history.loss[-1] == net.evaluate(X, y)["loss"]
    assert np.abs(net.gradient(X, y)[1]).max() < 1e-8


def test_weight_decay_and_weights_are_those_of_ridge_regression():
    X, y = data()
    weights = np.random.default_rng(3).integers(0, 4, 60).astype(float)
    net = network()
    cg.Trainer(net, cg.LBFGS(tolerance=1e-10, weight_decay=0.3)).fit(X, y, sample_weight=weights)
    design = np.hstack([X, np.ones((60, 1))])
    penalty = 0.3 * np.diag([1.0] * 4 + [0.0])
    square = (design.T * weights) @ design / weights.sum() + penalty
    exact = np.linalg.solve(square, (design.T * weights) @ y / weights.sum())
    np.testing.assert_allclose(net.layers[0].weights, exact[:4].T, atol=1e-7)
    np.testing.assert_allclose(net.layers[0].biases, exact[4], atol=1e-7)


def test_the_iterations_are_those_of_scipy():
    X, y = data()
    net, other = network((6,)), network((6,))
    cg.Trainer(net, cg.LBFGS(memory=5)).fit(X, y, 12)

    def function(x):
        other.parameters = x
        return other.gradient(X, y)

    found = optimize.minimize(
        function, other.parameters, jac=True, method="L-BFGS-B",
        options={"maxiter": 12, "maxcor": 5, "ftol": 0, "gtol": 1e-5},
    )  # fmt: skip
    np.testing.assert_allclose(net.parameters, found.x, rtol=1e-12)


@pytest.mark.parametrize("trainable", [False, "weights", "biases"])
def test_frozen_parameters_stay(trainable):
    X, y = data()
    layers = [cg.Dense(5, "tanh", trainable=trainable), cg.LayerNorm(), cg.Dense(2)]
    net = cg.Network(4, layers, loss="mse", dtype="float64", rng=1)
    before = net.layers[0].weights, net.layers[0].biases
    start = net.evaluate(X, y)["loss"]
    cg.Trainer(net, cg.LBFGS()).fit(X, y, 8)
    same = [
        (now == then).all()
        for now, then in zip((net.layers[0].weights, net.layers[0].biases), before, strict=True)
    ]
    assert same == [trainable != "weights", trainable != "biases"]
    assert net.evaluate(X, y)["loss"] < start


def test_the_loop():
    X, y = data()
    net = network((5,))
    seen = []
    trainer = cg.Trainer(net, cg.LBFGS(), rng=0)
    history = trainer.fit(
        X, y, 30, validation=0.2, metrics=["rmse"],
        callbacks=[lambda trainer, epoch, logs: seen.append(epoch) or epoch == 7],
    )  # fmt: skip
    assert seen == list(range(1, 8))
    assert history.stopped == "callback"
    assert len(history["val_rmse"]) == 7
    assert (np.diff(history.loss) <= 0).all()
    assert trainer.fit(X, y, max_steps=3).stopped == "max_steps"
    assert trainer.fit(X, y, max_seconds=0.001).stopped == "max_seconds"
    assert len(cg.Trainer(network((5,)), cg.LBFGS(max_iterations=4)).fit(X, y)) == 4


def test_an_interrupt_leaves_the_last_iteration():
    X, y = data()
    net = network((5,))

    def interrupt(trainer, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    trainer = cg.Trainer(net, cg.LBFGS())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, 10, callbacks=[interrupt])
    assert net.evaluate(X, y)["loss"] == trainer.history.loss[-1]
    assert len(trainer.history) == 3
    trainer.fit(X, y, 2)


def test_float32():
    X, y = data()
    net = cg.Network(4, [cg.Dense(8, "tanh"), cg.Dense(2)], loss="mse", rng=1)
    history = cg.Trainer(net, cg.LBFGS()).fit(X, y, 50)
    assert history.loss[-1] < 0.1 * history.loss[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda trainer, X, y: trainer.step(X, y),
        lambda trainer, X, y: trainer.partial_fit(X, y),
        lambda trainer, X, y: trainer.learn_one(X[0], y[0]),
        lambda trainer, X, y: trainer.fit([(X, y)]),
    ],
    ids=["step", "partial_fit", "learn_one", "batches"],
)
def test_single_steps_are_refused(call):
    X, y = data()
    net = network()
    before = net.parameters
    trainer = cg.Trainer(net, cg.LBFGS())
    with pytest.raises(TypeError, match="optimizer is LBFGS"):
        call(trainer, X, y)
    assert (net.parameters == before).all()
    trainer.fit(X, y, 1)  # still usable


@pytest.mark.parametrize("layer", [cg.Dropout(0.5), cg.GaussianNoise(0.1), cg.BatchNorm()])
def test_random_layers_are_refused(layer):
    net = cg.Network(4, [cg.Dense(3), layer, cg.Dense(2)], loss="mse", rng=0)
    with pytest.raises(ValueError, match="optimizer is LBFGS and the network has"):
        cg.Trainer(net, cg.LBFGS()).fit(*data())


def test_other_refusals():
    X, y = data()
    with pytest.raises(ValueError, match="are not clipped"):
        cg.Trainer(network(), cg.LBFGS(), clip_norm=1.0).fit(X, y)
    with pytest.raises(ValueError, match="statistics is True with LBFGS"):
        cg.Trainer(network(), cg.LBFGS()).fit(X, y, statistics=True)
    with pytest.raises(ValueError, match="memory is 0"):
        cg.LBFGS(memory=0)
    with pytest.raises(ValueError, match="tolerance is -1"):
        cg.LBFGS(tolerance=-1)
    net = network()
    net.parameters = np.full(net.n_parameters, 1e200)
    with pytest.raises(cg.DivergenceError):
        cg.Trainer(net, cg.LBFGS()).fit(X, y)


def test_values_and_copies():
    assert pickle.loads(pickle.dumps(cg.LBFGS(memory=3))) == cg.LBFGS(memory=3)
    trainer = cg.Trainer(network(), cg.LBFGS())
    for other in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        other.fit(*data(), 2)
    assert "LBFGS" in repr(trainer)
