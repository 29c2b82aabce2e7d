"""Optimisers: their numbers, their learning rates, and their rules as the trainer applies them."""

import copy
import math
import pickle

import numpy as np
import pytest

import cygrad as cg
from cygrad.training.schedules import ExponentialDecay, LinearDecay, Schedule

RULES = [
    (cg.SGD(0.05), "sgd", {"momentum": 0, "weight_decay": 0}),
    (cg.SGD(0.05, weight_decay=0.1), "sgd", {"momentum": 0, "weight_decay": 0.1}),
    (cg.SGD(0.05, momentum=0.9), "momentum", {"momentum": 0.9, "weight_decay": 0}),
    (cg.SGD(0.05, 0.8, True, 0.1), "nesterov", {"momentum": 0.8, "weight_decay": 0.1}),
    (
        cg.Adam(0.05, beta1=0.8, beta2=0.99, eps=1e-6, weight_decay=0.1),
        "adam",
        {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.1, "epsilon_hat": 0},
    ),
    (
        cg.Adam(0.05, eps=1e-2, epsilon_hat=True),
        "adam",
        {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-2, "weight_decay": 0, "epsilon_hat": 1},
    ),
]


@pytest.mark.parametrize(("optimizer", "rule", "hyperparameters"), RULES)
def test_the_engine_hears_of_every_number(optimizer, rule, hyperparameters):
    assert optimizer.rule == rule
    unused = {"decoupled_decay": 0, "l2_penalty": 0, "l1": 0, "max_norm": 0}
    assert optimizer.hyperparameters == {**unused, **hyperparameters}


def test_optimizers_are_values():
    optimizer = cg.SGD(np.float32(0.5), momentum=0.9)
    same = cg.SGD(0.5, 0.9)
    assert optimizer == same == pickle.loads(pickle.dumps(same)) == copy.deepcopy(same)
    assert hash(optimizer) == hash(same)
    assert optimizer != cg.SGD(0.5) != cg.Adam(0.5)
    text = "SGD(learning_rate=0.5, momentum=0.9, nesterov=False, weight_decay=0.0)"
    assert repr(optimizer) == text
    hat = cg.Adam(epsilon_hat=True)
    assert hat == pickle.loads(pickle.dumps(hat)) == eval(repr(hat), {"Adam": cg.Adam}) != cg.Adam()
    assert repr(hat).endswith("weight_decay=0.0, epsilon_hat=True)")
    with pytest.raises(AttributeError):
        optimizer.momentum = 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cg.SGD(-0.1), ValueError, "learning_rate is -0.1, expected"),
        (lambda: cg.SGD(math.nan), ValueError, "learning_rate is nan"),
        (lambda: cg.Adam(math.inf), ValueError, "learning_rate is inf"),
        (lambda: cg.SGD("fast"), TypeError, "learning_rate is 'fast'"),
        (lambda: cg.SGD(None), TypeError, "learning_rate is None"),
        (lambda: cg.SGD(True), TypeError, "learning_rate is True"),
        (lambda: cg.SGD(LinearDecay), TypeError, "class LinearDecay"),
        (lambda: cg.SGD(0.1, momentum=1), ValueError, "momentum is 1.0"),
        (lambda: cg.SGD(0.1, momentum=-0.5), ValueError, "momentum is -0.5"),
        (lambda: cg.SGD(0.1, nesterov=True), ValueError, "nesterov"),
        (lambda: cg.SGD(0.1, 0.9, nesterov=1), TypeError, "nesterov is 1"),
        (lambda: cg.SGD(0.1, weight_decay=-1), ValueError, "weight_decay is -1"),
        (lambda: cg.Adam(beta1=1.0), ValueError, "beta1 is 1.0"),
        (lambda: cg.Adam(beta2="0.9"), TypeError, "beta2 is '0.9'"),
        (lambda: cg.Adam(eps=0), ValueError, "eps is 0"),
        (lambda: cg.Adam(epsilon_hat=1), TypeError, "epsilon_hat is 1, expected True or False"),
        (lambda: cg.AdamW(epsilon_hat="yes"), TypeError, "epsilon_hat is 'yes'"),
        (lambda: cg.Adam(weight_decay=math.nan), ValueError, "weight_decay is nan"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "rate", [0.25, LinearDecay(0.5, 100), ExponentialDecay(0.5, 0.9), lambda step: 1 / (1 + step)]
)
def test_learning_rates_of_consecutive_steps(rate):
    rates = cg.SGD(rate).learning_rates(40, 5)
    assert rates.dtype == np.float64
    assert rates.tolist() == [rate(t) if callable(rate) else rate for t in range(40, 45)]


def test_a_callable_is_called_once_per_step_in_order():
    steps = []
    cg.Adam(lambda step: steps.append(step) or 0.1).learning_rates(7, 4)
    assert steps == [7, 8, 9, 10]
    assert all(type(step) is int for step in steps)


class _Faulty(Schedule):
    def values(self, steps):
        return np.where(steps == 12, -1.0, 0.1)


class _Short(Schedule):
    def values(self, steps):
        return np.full(len(steps) - 1, 0.1)


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (lambda step: 0.12 - 0.01 * step, ValueError, "learning_rate at step 13 is -0.01"),
        (lambda step: math.nan, ValueError, "learning_rate at step 10 is nan"),
        (lambda step: math.inf, ValueError, "learning_rate at step 10 is inf"),
        (lambda step: None, TypeError, "learning_rate at step 10 is None"),
        (_Faulty(), ValueError, "learning_rate at step 12 is -1.0"),
        (_Short(), ValueError, r"shape \(4,\), expected \(5,\)"),
    ],
)
def test_bad_rates_are_named_with_their_step(rate, error, message):
    with pytest.raises(error, match=message):
        cg.SGD(rate).learning_rates(10, 5)


def _descend(optimizer, x, y, w, b, steps):
    """The rules of the docstrings on C = ½ (w x + b − y)², one weight and one bias."""
    state = {"w": [0.0, 0.0], "b": [0.0, 0.0]}
    for step, rate in enumerate(optimizer.learning_rates(0, steps)):
        delta = w * x + b - y
        gradients = {"w": delta * x + optimizer.weight_decay * w, "b": delta}
        change = {}
        for name, g in gradients.items():
            s = state[name]
            if optimizer.rule == "adam":
                s[0] = optimizer.beta1 * s[0] + (1 - optimizer.beta1) * g
                s[1] = optimizer.beta2 * s[1] + (1 - optimizer.beta2) * g * g
                m = s[0] / (1 - optimizer.beta1 ** (step + 1))
                v = s[1] / (1 - optimizer.beta2 ** (step + 1))
                eps = optimizer.eps
                if optimizer.epsilon_hat:
                    eps /= math.sqrt(1 - optimizer.beta2 ** (step + 1))
                change[name] = -rate * m / (math.sqrt(v) + eps)
            else:
                s[0] = optimizer.momentum * s[0] - rate * g
                ahead = optimizer.momentum * s[0] - rate * g
                change[name] = ahead if optimizer.nesterov else s[0]
        w, b = w + change["w"], b + change["b"]
    return w, b


@pytest.mark.parametrize("rate", [0.05, LinearDecay(0.1, 40)], ids=["number", "schedule"])
@pytest.mark.parametrize("optimizer", [optimizer for optimizer, *_ in RULES], ids=repr)
def test_training_follows_the_rule(optimizer, rate):
    optimizer = type(optimizer)(**{**vars(optimizer), "learning_rate": rate})
    layer = cg.Dense(1, weights_init=0.7, bias_init=-0.2)
    net = cg.Network(1, [layer], loss="quadratic", dtype="float64")
    trainer = cg.Trainer(net, optimizer, batch_size=1, rng=0)
    trainer.fit([[1.5]], [[2.0]], epochs=25)
    expected = _descend(optimizer, 1.5, 2.0, 0.7, -0.2, 25)
    np.testing.assert_allclose(net.parameters, expected, rtol=1e-12)
    assert not np.allclose(net.parameters, [0.7, -0.2])
