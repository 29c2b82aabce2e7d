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
    layers = [cg.Dense(5, "tanh", trainable=trainable), cg.LayerNorm(), cg.Scaling(), cg.Dense(2)]
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


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weights", [None, np.arange(60) % 4.0])
def test_the_penalty_is_a_part_of_the_loss(reduction, weights):
    X, y = data()
    net, other = network((5,), reduction=reduction), network((5,), reduction=reduction)
    total = 60 if weights is None else weights.sum()
    size = total if reduction == "mean" else 1
    seen = []

    def see(trainer, epoch, logs):
        squares = sum((layer.weights**2).sum() for layer in net.layers)
        own = net.evaluate(X, y, sample_weight=weights)
        assert logs["loss"] == pytest.approx(own["loss"] + 0.5 * 3 * squares / size, rel=1e-12)
        assert logs["mae"] == pytest.approx(own["mae"], rel=1e-12)
        seen.append(epoch)

    cg.Trainer(net, cg.LBFGS(l2_penalty=3.0)).fit(
        X, y, 15, sample_weight=weights, callbacks=[see]
    )  # fmt: skip
    assert seen == list(range(1, 16))
    optimizer = cg.LBFGS(weight_decay=3.0 / size)
    history = cg.Trainer(other, optimizer).fit(X, y, 15, sample_weight=weights)
    np.testing.assert_allclose(net.parameters, other.parameters, rtol=1e-9)
    own = other.evaluate(X, y, sample_weight=weights)["loss"]
    assert history.loss[-1] == pytest.approx(own, rel=1e-12)


def test_both_penalties_and_frozen_parameters():
    X, y = data()
    layers = [cg.Dense(5, "tanh", trainable="biases"), cg.Dense(2)]
    net = cg.Network(4, layers, loss="mse", dtype="float64", rng=1)
    before = net.layers[0].weights
    history = cg.Trainer(net, cg.LBFGS(l2_penalty=6.0, weight_decay=0.2)).fit(X, y, 100)
    assert history.stopped == "converged"
    assert (net.layers[0].weights == before).all()
    gradient = net.backward(X, y).weights[1] + (0.2 + 6.0 / 60) * net.layers[1].weights
    assert abs(gradient).max() < 1e-5
    # Weights that are not trained are no part of the penalty, as they are none of weight decay's.
    penalty = 0.5 * 6.0 / 60 * (net.layers[1].weights ** 2).sum()
    assert history.loss[-1] == pytest.approx(net.evaluate(X, y)["loss"] + penalty, rel=1e-12)


def test_the_limits_and_tolerances_are_those_of_scipy():
    X, y = data()

    def ours(epochs=None, **options):
        net = network((6,))
        history = cg.Trainer(net, cg.LBFGS(**options)).fit(X, y, epochs)
        return net, history

    def scipys(**options):
        other = network((6,))

        def function(x):
            other.parameters = x
            return other.gradient(X, y)

        defaults = {"ftol": 0, "gtol": 1e-5, "maxiter": 100}
        return optimize.minimize(
            function, other.parameters, jac=True, method="L-BFGS-B", options=defaults | options
        )

    for mine, expected, stopped, status in [
        (ours(7), scipys(maxiter=7), "epochs", 1),
        (ours(max_iterations=7), scipys(maxiter=7), "epochs", 1),
        (ours(max_evaluations=9), scipys(maxfun=9), "evaluations", 1),
        (ours(50, max_evaluations=1), scipys(maxfun=1), "evaluations", 1),
        (ours(loss_tolerance=1e-2), scipys(ftol=1e-2), "converged", 0),
        (ours(tolerance=0.1), scipys(gtol=0.1), "converged", 0),
    ]:
        net, history = mine
        found = history.optimize_result
        assert history.stopped == stopped
        assert found.status == expected.status == status
        assert found.message == expected.message
        assert (found.nit, found.nfev) == (expected.nit, expected.nfev)
        assert len(history) == found.nit
        np.testing.assert_allclose(net.parameters, expected.x, rtol=1e-10)
    assert pickle.loads(pickle.dumps(history)).optimize_result == found


def test_each_iteration_needs_its_evaluations_alone(monkeypatch):
    """Loss and metric in the history are those of the line search's last evaluation."""
    X, y = data()
    passes = []
    from cygrad.training import lbfgs

    compute = lbfgs._Problem._compute
    monkeypatch.setattr(
        lbfgs._Problem, "_compute", lambda self, x: (passes.append(1), compute(self, x))[1]
    )
    history = cg.Trainer(network((6,)), cg.LBFGS()).fit(X, y, 20)
    assert len(passes) == history.optimize_result.nfev


def test_an_iteration_may_end_at_a_point_before_the_last_one(monkeypatch):
    X, y = data()
    expected, net = network((6,)), network((6,))
    losses = cg.Trainer(expected, cg.LBFGS()).fit(X, y, 8).loss
    minimize = optimize.minimize

    def look_ahead(function, start, callback, **options):
        def also_elsewhere(x):
            function(x + 1)
            return callback(x)

        return minimize(function, start, callback=also_elsewhere, **options)

    monkeypatch.setattr("scipy.optimize.minimize", look_ahead)
    history = cg.Trainer(net, cg.LBFGS()).fit(X, y, 8)
    assert history.loss == losses
    assert (net.parameters == expected.parameters).all()


def test_a_callback_that_ends_it():
    X, y = data()
    trainer = cg.Trainer(network((6,)), cg.LBFGS())
    history = trainer.fit(X, y, 9, callbacks=[lambda trainer, epoch, logs: epoch == 3])
    assert history.stopped == "callback"
    assert history.optimize_result.status == 99
    assert history.optimize_result.nit == 3
    history = trainer.fit(X, y, 3, callbacks=[lambda trainer, epoch, logs: epoch == 3])
    assert history.stopped == "callback"
    assert trainer.fit(X, y, 5, max_steps=2).stopped == "max_steps"
    assert trainer.history.optimize_result.status == 1
    assert cg.Trainer(network(), cg.Adam()).fit(X, y).optimize_result is None


def test_parameters_that_a_callback_sets_last_stay():
    X, y = data()
    net = network((6,))
    last = np.linspace(-1, 1, net.n_parameters)

    def change(trainer, epoch, logs):
        if epoch == 3:
            net.parameters = last

    cg.Trainer(net, cg.LBFGS()).fit(X, y, 3, callbacks=[change])
    assert (net.parameters == last).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weights", [None, np.arange(700) % 3.0])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_loss_and_metric_of_a_gradient(loss, weights, reduction, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((700, 4)), rng.integers(0, 3, 700)
    if loss == "mse":
        y = np.eye(3)[y]
    layers = [cg.Dense(9, "tanh"), cg.Dense(3, "softmax" if loss == "cross_entropy" else "tanh")]
    net = cg.Network(4, layers, loss=loss, reduction=reduction, dtype=dtype, rng=1)
    samples = net.read_samples(X, "X")
    targets = net.read_targets(y, 700, "y")
    gradient = np.empty(net.n_parameters, dtype)
    found = net.engine.gradient_and_metric(samples, targets, gradient, 1, weights)
    value, expected = net.gradient(X, y, sample_weight=weights)
    assert found[0] == value
    assert gradient.tobytes() == expected.tobytes()
    evaluated = net.evaluate(X, y, sample_weight=weights)
    assert found[1] == pytest.approx(evaluated[net.metric], rel=1e-6)
    assert found[0] == pytest.approx(evaluated["loss"], rel=1e-6)


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
    for options, message in [
        ({"max_evaluations": 0}, "max_evaluations is 0, expected an integer of at least 1"),
        ({"loss_tolerance": -1}, "loss_tolerance is -1"),
        ({"l2_penalty": -1}, "l2_penalty is -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            cg.LBFGS(**options)
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
