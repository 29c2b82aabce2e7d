"""What all optimisers have besides their rule: decay, l1, norms, factors, states, checks."""

import copy
import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from optimizer_steps import linear_network, step_with, weight_after_steps

import cygrad as cg
from cygrad._engine.training import Training


def test_adam_adds_epsilon_after_the_correction():
    assert small_step(cg.Adam(1e-3)) == pytest.approx(-9.091e-4, rel=1e-4)


@pytest.mark.parametrize("make", [cg.Adam, cg.AdamW])
def test_epsilon_hat_is_added_before_the_correction(make):
    """scikit-learn and Keras with ε = 1e-8: η √v̂ / (√v̂ + ε / √(1 − β₂)), where √v̂ is 1e-7."""
    assert small_step(make(1e-3, epsilon_hat=True)) == pytest.approx(-2.40253e-4, rel=1e-5)


def small_step(optimizer: Any) -> float:
    """Return the first step for a gradient of 1e-7."""
    net = linear_network([[0.0]])
    step_with(cg.Trainer(net, optimizer), [[1e-7]])
    return float(net.layers[0].weights[0, 0])


def test_the_engine_refuses_hyperparameters_that_it_does_not_know():
    engine = linear_network([[0.0]]).engine
    with pytest.raises(TypeError, match="unknown hyperparameters: beta_1, momenta"):
        Training(engine, "adam", 8, beta_1=0.9, beta2=0.99, momenta=1)


def test_rprop_has_the_steps_of_the_docstring():
    net = linear_network([[0.0]])
    trainer, steps = cg.Trainer(net, cg.Rprop()), []
    for gradient in (1, 1, -1, -1, -1):
        before = net.parameters[0]
        step_with(trainer, [[gradient]])
        steps.append(net.parameters[0] - before)
    np.testing.assert_allclose(steps, [-0.01, -0.012, 0, 0.006, 0.0072], atol=1e-15)


def test_rprop_looks_at_signs_only():
    net = linear_network([[0.0]], "float32")
    trainer = cg.Trainer(net, cg.Rprop())
    for sign in (1, 1, -1, -1):
        trainer.step([[1e-25]], [[-sign]])  # the product of two gradients underflows
    np.testing.assert_allclose(net.parameters, [-0.016], rtol=1e-6)


def test_lion_steps_by_the_sign_of_its_momentum():
    weights = weight_after_steps(cg.Lion(0.1, beta1=0.5, beta2=0.75), limit=4)
    # m before: 0, 0.075, 0.00625, 0.1296875; (m + g) / 2: 0.15, −0.0625, 0.253, 0.1148
    np.testing.assert_allclose(weights, [1.4, 1.5, 1.4, 1.3], atol=1e-15)
    assert weight_after_steps(cg.Lion(0.1, decoupled_decay=0.5), limit=1) == [1.5 * 0.95 - 0.1]


EVERY = (
    cg.SGD(0.05, momentum=0.5),
    cg.Adam(0.01, amsgrad=True),
    cg.AdamW(0.01, epsilon_hat=True),
    cg.NAdam(0.01, momentum_decay=0.2),
    cg.RAdam(0.01, beta2=0.9),
    cg.Adamax(0.01),
    cg.RMSProp(0.001, centered=True, momentum=0.5),
    cg.Adagrad(0.01, initial_accumulator=0.1),
    cg.Adadelta(),
    cg.Lion(0.001),
    cg.Rprop(0.001),
)


def classifier(dtype: str = "float32", **arguments: Any) -> cg.Network:
    layers = [cg.Dense(9, "tanh", **arguments), cg.Dense(3, "softmax", **arguments)]
    return cg.Network(5, layers, loss="cross_entropy", dtype=dtype, rng=0)


def samples(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, 5)).astype(np.float32), rng.integers(3, size=count)


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda each: type(each).__name__)
def test_a_pickled_trainer_goes_on_with_the_same_bits(optimizer):
    X, y = samples()
    whole = cg.Trainer(classifier(), optimizer, 8, rng=0)
    whole.fit(X, y, 3)
    parts = cg.Trainer(classifier(), optimizer, 8, rng=0)
    parts.fit(X, y, 1)
    parts = pickle.loads(pickle.dumps(parts))
    parts.fit(X, y, 1)
    parts = copy.deepcopy(parts)
    parts.fit(X, y, 1)
    assert parts.net.parameters.tobytes() == whole.net.parameters.tobytes()


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda each: type(each).__name__)
def test_a_step_that_was_given_up_does_not_count(optimizer):
    X, y = samples()
    nets = [classifier("float64"), classifier("float64")]
    for net, breaks in zip(nets, (False, True), strict=True):
        trainer = cg.Trainer(net, optimizer)
        for _ in range(4):
            trainer.step(X, y)
            if breaks:
                with pytest.raises(cg.DivergenceError):
                    trainer.learn_one(np.full(5, np.nan), 0)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda each: type(each).__name__)
def test_after_a_divergence_the_state_is_that_of_the_beginning(optimizer):
    layers = [cg.Dense(4, "tanh"), cg.Dense(1)]
    net, other = (cg.Network(5, layers, loss="mse", rng=0) for _ in range(2))
    X, y = samples()[0], np.zeros(24)
    trainer = cg.Trainer(net, optimizer, 12)
    with pytest.raises(cg.DivergenceError):
        trainer.fit(X, np.repeat([0, 1e30], 12), 1, shuffle=False)  # in the second step
    trainer.fit(X, y, 2, shuffle=False)
    cg.Trainer(other, optimizer, 12).fit(X, y, 2, shuffle=False)
    assert net.parameters.tobytes() == other.parameters.tobytes()


def test_every_optimizer_learns():
    X, y = samples(90)
    for optimizer in EVERY:
        net = classifier()
        before = net.evaluate(X, y)["loss"]
        cg.Trainer(net, optimizer, len(X), rng=0).fit(X, y, 60)
        assert net.evaluate(X, y)["loss"] < before, optimizer


# Decay, l1, max-norm, factors


def test_decoupled_decay_is_apart_from_the_gradient():
    net = linear_network([[2.0, -1.0]])
    trainer = cg.Trainer(net, cg.SGD(0.5, momentum=0.5, decoupled_decay=0.25))
    step_with(trainer, [[0.0, 1.0]])
    np.testing.assert_allclose(net.layers[0].weights, [[2 * 0.875, -0.875 - 0.5]])
    step_with(trainer, [[0.0, 0.0]])  # the velocity goes on without the decay
    np.testing.assert_allclose(net.layers[0].weights, [[2 * 0.875**2, -1.375 * 0.875 - 0.25]])


def test_l1_makes_weights_exactly_zero():
    net = linear_network([[0.2, -0.2, 0.3, -0.3, 0.0]])
    step_with(cg.Trainer(net, cg.SGD(0.5, l1=0.5)), np.zeros((1, 5)))
    weights = net.layers[0].weights[0]
    np.testing.assert_allclose(weights, [0, 0, 0.05, -0.05, 0], atol=1e-16)
    assert weights[[0, 1, 4]].tolist() == [0, 0, 0]


def test_max_norm_changes_only_units_above_it():
    given = np.array([[3.0, 4.0], [0.6, 0.8], [0.1, 1 / 3], [0.0, 0.0]])
    for dtype in ("float32", "float64"):
        net = linear_network(given, dtype)
        before = net.layers[0].weights
        step_with(cg.Trainer(net, cg.SGD(0.1, max_norm=1.25)), np.zeros((4, 2)))
        np.testing.assert_allclose(net.layers[0].weights[0], [0.75, 1.0], rtol=1e-6)
        assert net.layers[0].weights[1:].tobytes() == before[1:].tobytes()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_decay_does_not_depend_on_batch_size_and_reduction(reduction):
    X, y = np.zeros((12, 1)), np.zeros(12)  # the gradient of the weights is 0
    for optimizer in (
        cg.SGD(0.1, weight_decay=0.5),
        cg.SGD(0.1, decoupled_decay=0.5),
        cg.SGD(0.1, l1=0.5),
        cg.Adam(0.1, decoupled_decay=0.5, l1=0.1),
    ):
        found = set()
        for batch in (1, 4, 12):
            layer = cg.Dense(1, weights_init=0.7, use_bias=False)
            net = cg.Network(1, [layer], loss="mse", reduction=reduction)
            cg.Trainer(net, optimizer).step(X[:batch], y[:batch])
            found.add(net.parameters.item())
        assert len(found) == 1


def test_biases_do_not_decay():
    layer = cg.Dense(1, weights_init=5.0, bias_init=5.0)
    net = cg.Network(1, [layer], loss="quadratic")
    optimizer = cg.SGD(0.1, weight_decay=0.5, decoupled_decay=0.5, l1=0.5, max_norm=1.0)
    cg.Trainer(net, optimizer).step([[0.0]], [5.0])
    assert net.layers[0].biases.tolist() == [5]
    assert net.layers[0].weights.tolist() == [[1]]


def test_learning_rate_factors_of_weights_and_biases():
    layer = cg.Dense(1, learning_rate_factor=(0.5, 3))
    net = cg.Network(1, [layer], loss="quadratic", dtype="float64", rng=0)
    net.parameters = [0.0, 0.0]
    trainer = cg.Trainer(net, cg.SGD(0.25))
    trainer.step([[2.0]], [-1.0])  # ∂C/∂w = 2, ∂C/∂b = 1
    assert net.parameters.tolist() == [-0.25, -0.75]
    net.layers[0].learning_rate_factor = 0
    trainer.step([[1.0]], [5.0])
    assert net.parameters.tolist() == [-0.25, -0.75]
    assert net.layers[0].learning_rate_factor == 0


def test_factors_of_one_change_no_bit():
    X, y = samples()
    nets = [classifier(), classifier(learning_rate_factor=(1, 1.0))]
    for net in nets:
        cg.Trainer(net, cg.Adam(), 8, rng=0).fit(X, y, 2)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert repr(nets[0].layers[0]) == repr(nets[1].layers[0])
    assert nets[0].config() == nets[1].config()


def test_factors_are_saved(tmp_path):
    net = classifier(learning_rate_factor=(0.5, 2))
    net.save(tmp_path / "net.npz")
    for other in (cg.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))):
        assert other.layers[0].learning_rate_factor == (0.5, 2.0)


@pytest.mark.parametrize(
    ("factor", "error", "message"),
    [
        (-1, ValueError, "learning_rate_factor is -1.0"),
        ("2", TypeError, "learning_rate_factor is '2'"),
        ((1, 2, 3), ValueError, "learning_rate_factor is .1, 2, 3., expected a number or two"),
        ((1, math.nan), ValueError, r"learning_rate_factor\[1\] is nan"),
    ],
)
def test_bad_factors_are_refused(factor, error, message):
    with pytest.raises(error, match=message):
        cg.Dense(1, learning_rate_factor=factor)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cg.AdamW(weight_decay=-1), ValueError, "weight_decay is -1"),
        (lambda: cg.AdamW(decoupled_decay=0.1), TypeError, "decoupled_decay"),
        (lambda: cg.Adam(amsgrad=1), TypeError, "amsgrad is 1, expected True or False"),
        (lambda: cg.Adam(l1=-0.1), ValueError, "l1 is -0.1"),
        (lambda: cg.Adam(l2_penalty=-0.1), ValueError, "l2_penalty is -0.1"),
        (lambda: cg.Lion(l2_penalty=None), TypeError, "l2_penalty is None"),
        (lambda: cg.AdamW(l2_penalty=0.1), TypeError, "l2_penalty"),
        (lambda: cg.SGD(0.1, max_norm=0), ValueError, "max_norm is 0, expected a number above 0"),
        (lambda: cg.SGD(0.1, decoupled_decay="a"), TypeError, "decoupled_decay is 'a'"),
        (lambda: cg.NAdam(momentum_decay=-1), ValueError, "momentum_decay is -1"),
        (lambda: cg.RAdam(beta2=1), ValueError, "beta2 is 1.0"),
        (lambda: cg.Adamax(eps=0), ValueError, "eps is 0"),
        (lambda: cg.RMSProp(rho=1), ValueError, "rho is 1.0"),
        (lambda: cg.RMSProp(momentum=-0.1), ValueError, "momentum is -0.1"),
        (lambda: cg.RMSProp(centered=None), TypeError, "centered is None"),
        (lambda: cg.Adagrad(initial_accumulator=-1), ValueError, "initial_accumulator is -1"),
        (lambda: cg.Adadelta(eps=-1), ValueError, "eps is -1"),
        (lambda: cg.Lion(beta1=2), ValueError, "beta1 is 2.0"),
        (lambda: cg.Rprop(0), ValueError, "learning_rate is 0, expected a number above 0"),
        (lambda: cg.Rprop(lambda step: 1.0), TypeError, "learning_rate is <function"),
        (lambda: cg.Rprop(decrease=1), ValueError, "decrease is 1.0"),
        (lambda: cg.Rprop(increase=1), ValueError, "increase is 1.0, expected a number above 1"),
        (lambda: cg.Rprop(least_step=2, largest_step=1), ValueError, "least_step is 2.0"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_rprop_warns_of_steps_that_do_not_take_all_samples():
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    with pytest.warns(UserWarning, match="a step of Rprop takes 2 of 3 samples"):
        cg.Trainer(net, cg.Rprop(), 2).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cg.Trainer(net, cg.Rprop(), 3).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
