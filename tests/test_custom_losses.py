"""A Python function as the loss of a network."""

import copy
import pickle

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg


def squared(outputs, targets):
    """The loss "quadratic"."""
    error = outputs - targets
    return (error**2).sum(axis=1) / 2, error


def by_name(outputs, targets):
    """Targets of any kind: text here."""
    wanted = np.array([{"low": -1.0, "high": 1.0}[each] for each in targets])[:, np.newaxis]
    return squared(outputs, wanted)


def made(loss=squared, outputs=3, activation="tanh", **options):
    layers = [cg.Dense(5, "tanh"), cg.Dense(outputs, activation)]
    return cg.Network(4, layers, loss=loss, rng=0, **{"dtype": "float64", **options})


def data(n=23, outputs=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.uniform(-1, 1, (n, outputs))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("activation", ["identity", "softmax", "tanh"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_function_of_a_loss_trains_as_the_loss(weighted, activation, reduction, dtype, isa):
    X, y = data()
    y = y.astype(np.float32)
    weights = np.random.default_rng(1).uniform(0, 2, 23) if weighted else None
    nets = [
        made(loss, activation=activation, reduction=reduction, dtype=dtype)
        for loss in (squared, "quadratic")
    ]
    trainers = [cg.Trainer(net, cg.Adam(0.01), 7, rng=1) for net in nets]
    losses = []
    for net, trainer in zip(nets, trainers, strict=True):
        history = trainer.fit(X, y, 3, sample_weight=weights)
        losses.append([*history.loss, trainer.step(X[:5], y[:5]), trainer.learn_one(X[0], y[0])])
        losses[-1].append(net.evaluate(X, y, sample_weight=weights)["loss"])
        losses[-1].append(net.gradient(X, y, sample_weight=weights)[0])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5 if dtype == "float32" else 1e-13)
    if weighted:  # the product of error, weight and scale is rounded in another order
        close = {"rtol": 0, "atol": 2e-4 if dtype == "float32" else 1e-12}
        np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, **close)
    else:
        assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")
    assert nets[0].metric == "mean_loss"


def test_it_is_called_once_for_a_batch_in_its_order():
    calls = []

    def loss(outputs, targets):
        calls.append((outputs.shape, outputs.flags.c_contiguous, targets.tolist()))
        return squared(outputs, targets[:, np.newaxis])

    X, _ = data(10)
    trainer = cg.Trainer(made(loss), cg.SGD(0.1), 4)
    trainer.fit(X, np.arange(10), shuffle=False)
    assert calls == [
        ((4, 3), True, [0, 1, 2, 3]),
        ((4, 3), True, [4, 5, 6, 7]),
        ((2, 3), True, [8, 9]),
    ]
    del calls[:]
    trainer.step(np.repeat(X, 500, axis=0), np.repeat(np.arange(10), 500))
    assert [shape for shape, *_ in calls] == [(5000, 3)]


def test_targets_can_be_anything_with_rows():
    X, _ = data(6)
    y = ["low", "high", "low", "low", "high", "high"]
    net = made(by_name, 1)
    cg.check_gradients(net, X, y)
    trainer = cg.Trainer(net, cg.Adam(0.05), 3, rng=0)
    before = net.evaluate(X, y)["loss"]
    trainer.fit(X, y, 60)
    assert net.evaluate(X, y)["loss"] < before / 4
    with pytest.raises(ValueError, match=r"y has shape \(5,\), expected a target for each of 6"):
        net.evaluate(X, y[:5])


def test_gradients_are_checked():
    X, y = data(5)
    cg.check_gradients(made(), X, y)

    def wrong(outputs, targets):
        losses, gradient = squared(outputs, targets)
        return losses, 1.01 * gradient

    with pytest.raises(cg.GradientError):
        cg.check_gradients(made(wrong), X, y)


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda a: None, TypeError, "loss returned NoneType, expected a tuple of two arrays"),
        (lambda a: (a[:, 0],), TypeError, "loss returned tuple, expected a tuple of two"),
        (lambda a: (a, a), ValueError, r"losses of shape \(4, 3\), expected \(4,\)"),
        (lambda a: (a[:, 0], a[:, 0]), ValueError, r"derivatives of shape \(4,\), expected \(4, 3"),
        (lambda a: (a[:, 0] + 1j, a), TypeError, "losses of dtype complex128"),
        (lambda a: (a[:, 0], a * np.nan), ValueError, "derivatives that are NaN or infinite"),
        (lambda a: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda a: (np.full(4, np.nan), a), cg.DivergenceError, "step 1"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_changes_nothing(returned, error, message, threads):
    X, y = data(8)
    broken = [False]

    def loss(outputs, targets):
        return returned(outputs) if broken[0] else squared(outputs, targets)

    net, twin = made(loss), made()
    trainer = cg.Trainer(net, cg.Adam(0.01), 4, threads=threads)
    other = cg.Trainer(twin, cg.Adam(0.01), 4)
    trainer.step(X[:4], y[:4])
    other.step(X[:4], y[:4])
    broken[0] = True
    calls = [
        lambda: trainer.step(X[:4], y[:4]),
        lambda: trainer.partial_fit(X[:4], y[:4]),
    ]
    if error is not cg.DivergenceError:
        calls += [lambda: net.gradient(X[:4], y[:4]), lambda: net.evaluate(X[:4], y[:4])]
    for call in calls:
        with pytest.raises(error, match=message):
            call()
    assert trainer.steps == 1
    broken[0] = False
    trainer.step(X[4:], y[4:])
    other.step(X[4:], y[4:])
    assert_same_bits(net.parameters, twin.parameters, "parameters")


def test_files_do_not_hold_the_function(tmp_path):
    X, y = data(5)
    net = made()
    net.save(tmp_path / "net.npz")
    loaded = cg.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(loaded.forward(X), net.forward(X))
    for call in (loaded.evaluate, loaded.gradient, cg.Trainer(loaded, cg.SGD(0.1), 5).fit):
        with pytest.raises(ValueError, match=r"expected load\(path, loss=function\)"):
            call(X, y)
    again = cg.load(tmp_path / "net.npz", loss=squared)
    for other in (again, pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert other.loss is squared
        assert other.evaluate(X, y) == net.evaluate(X, y)
    assert net.as_dtype("float32").loss is squared
    made("quadratic").save(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="has loss 'quadratic', expected None"):
        cg.load(tmp_path / "other.npz", loss=squared)
    with pytest.raises(TypeError, match="loss is <class 'int'>"):
        made(int)
