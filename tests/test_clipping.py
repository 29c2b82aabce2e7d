"""Clipping of the gradient: its bits, its limits, and gradients that are not finite."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from cases import CASES
from test_blocks import DIVISIONS, costs
from test_loops import layers_of
from tolerances import assert_close, depth_of

import cygrad as cg
from cygrad import reference
from cygrad._engine import loops, plan

DTYPES = ("float32", "float64")
KINDS = ("value", "norm", "global_norm")
LIMITS = {"value": 0.004, "norm": 0.02, "global_norm": 0.03}
# Columns and rows that are no whole panel, layers that train a part of their parameters, or none.
LAYERS = (
    {"units": 33, "activation": "tanh"},
    {"units": 7, "activation": "relu", "trainable": "weights"},
    {"units": 5, "activation": "tanh", "trainable": False},
    {"units": 17, "activation": "sigmoid", "use_bias": False},
    {"units": 3, "activation": "softmax", "trainable": "biases"},
)
INPUTS, ROWS, EPOCHS = 35, 149, 2
OPTIMIZERS = {
    "sgd decay": cg.SGD(0.5, weight_decay=0.03),
    "nesterov": cg.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": cg.Adam(0.01),
}


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.standard_normal((ROWS, INPUTS)).astype(np.float32), rng.integers(3, size=ROWS)


def network(dtype: str) -> cg.Network:
    layers = [cg.Dense(**layer) for layer in LAYERS]
    return cg.Network(INPUTS, layers, loss="cross_entropy", dtype=dtype, rng=0)


def trained(
    net: cg.Network, optimizer: Any, batch: int, threads: int = 1, **options: Any
) -> np.ndarray:
    trainer = cg.Trainer(net, optimizer, batch, threads=threads, **options)
    trainer.fit(*data(), EPOCHS, shuffle=False)
    return net.parameters


@cache
def by_loops(dtype: str, name: str, batch: int, kind: str) -> np.ndarray:
    net, optimizer = network(dtype), OPTIMIZERS[name]
    layers, (X, y), steps = layers_of(net, optimizer), data(), 0
    for _ in range(EPOCHS):
        steps += loops.train_epoch(
            layers,
            X,
            y,
            np.arange(ROWS),
            loss=net.loss,
            mean=True,
            batch_size=batch,
            rule=optimizer.rule,
            rates=optimizer.learning_rates(steps, -(-ROWS // batch)),
            steps=steps,
            clip=kind,
            clip_limit=LIMITS[kind],
            **optimizer.hyperparameters,
        )[2]
    parts = []
    for layer, given in zip(net.layers, layers, strict=True):
        parts += [given.weights.T.ravel(), *([given.biases] if layer.use_bias else [])]
    return np.concatenate(parts)


@pytest.fixture
def _threads_always() -> Iterator[None]:
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_has_the_defined_bits(dtype, name, kind, isa):
    for batch, threads in (1, 1), (40, 1), (40, 3):
        limit = {f"clip_{kind}": LIMITS[kind]}
        parameters = trained(network(dtype), OPTIMIZERS[name], batch, threads, **limit)
        assert_same_bits(parameters, by_loops(dtype, name, batch, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("division", DIVISIONS)
def test_blocks_of_rows_have_the_same_bits(division, kind):
    threads, changed, _ = DIVISIONS[division]
    with costs(**changed):
        limit = {f"clip_{kind}": LIMITS[kind]}
        parameters = trained(network("float32"), OPTIMIZERS["adam"], ROWS, threads, **limit)
    assert_same_bits(parameters, by_loops("float32", "adam", ROWS, kind))


@pytest.mark.parametrize("case", {case.optimizer: case for case in CASES}.values(), ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_limit_that_is_not_reached_changes_no_bit(dtype, case):
    drawn, found = case.draw(seed=5), []
    for limit in {}, {"clip_value": 1e6}, {"clip_norm": 1e6}, {"clip_global_norm": 1e6}:
        net = case.network(dtype)
        net.parameters = drawn.parameters
        trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size, **limit)
        trainer.fit(drawn.X, drawn.y, 2, shuffle=False)
        found.append(net.parameters)
        assert_same_bits(found[-1], found[0], str(limit))


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_the_reference(kind):
    X, y = data()
    X, y, optimizer = X[:12], y[:12], {"learning_rate": 0.5, "weight_decay": 0.03}
    net = network("float64")
    expected = reference.Network(
        INPUTS, [reference.Dense(**layer) for layer in LAYERS], loss="cross_entropy"
    )
    expected.parameters = net.parameters.tolist()
    trainer = reference.Trainer(
        expected, reference.SGD(**optimizer), 4, clip=kind, clip_limit=LIMITS[kind]
    )
    trainer.fit(X.tolist(), y.tolist(), [range(12)])
    before = net.parameters
    limit = {f"clip_{kind}": LIMITS[kind]}
    cg.Trainer(net, cg.SGD(**optimizer), 4, **limit).fit(X, y, shuffle=False)
    assert not np.array_equal(net.parameters, before)
    depth = 3 * (depth_of([INPUTS, *(layer["units"] for layer in LAYERS)], 4) + 20)
    assert_close(net.parameters, expected.parameters, "float64", depth, "parameters")


def step(gradient: list[float], dtype: str = "float64", **options: Any) -> np.ndarray:
    """Return the gradient with which one step of a linear unit is done.

    Its parameters are weights only and begin with 0, so that the gradient is −y x.
    """
    layers = [cg.Dense(1, use_bias=False, weights_init="zeros")]
    net = cg.Network(len(gradient), layers, loss="quadratic", dtype=dtype)
    cg.Trainer(net, cg.SGD(1.0), **options).step([gradient], [[-1.0]])
    return -net.layers[0].weights[0]


def test_the_gradient_has_the_norm_of_the_limit():
    assert step([3.0, 4.0], clip_norm=1).tolist() == [3 * (1 / 5), 4 * (1 / 5)]
    assert step([3.0, 4.0], clip_global_norm=2).tolist() == [3 * (2 / 5), 4 * (2 / 5)]
    assert step([3.0, 4.0], clip_norm=5).tolist() == [3.0, 4.0]
    assert step([3.0, -4.0, 1.0], clip_value=3).tolist() == [3.0, -3.0, 1.0]


def test_where_torch_and_keras_differ():
    """torch divides by the norm + 1e-6 and at the limit makes the gradient smaller."""
    torch = np.array([3.0, 4.0]) * (1 / (5 + 1e-6))
    assert torch.tolist() == [0.599999880000024, 0.799999840000032]
    assert step([3.0, 4.0], clip_norm=1).tolist() == [0.6000000000000001, 0.8]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_layers_are_clipped_apart_or_together(kind):
    X, y = data()
    net = network("float64")
    gradients = net.backward(X, y)
    norms = []
    for layer, weights, biases in zip(net.layers, gradients.weights, gradients.biases, strict=True):
        parts = [weights.ravel()] * layer.train_weights + [biases] * layer.train_biases
        norms.append(np.linalg.norm(np.concatenate(parts)) if parts else 0.0)
    before = [layer.weights for layer in net.layers]
    limit = float(np.median([norm for norm in norms if norm > 0]))
    cg.Trainer(net, cg.SGD(1.0), **{f"clip_{kind}": limit}).step(X, y)
    for layer, old, weights, norm in zip(net.layers, before, gradients.weights, norms, strict=True):
        size = norm if kind == "norm" else np.linalg.norm(norms)
        factor = min(1.0, limit / size) * layer.train_weights if size > 0 else 0
        np.testing.assert_allclose(old - layer.weights, factor * weights, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float32", 1e20), ("float32", 1e-25), ("float64", 1e200), ("float64", 1e-200)],
)
@pytest.mark.parametrize("kind", KINDS[1:])
def test_squares_neither_overflow_nor_underflow(kind, dtype, size):
    """torch and Keras return zeros for [1e20, 1e20] in float32, and the training stalls."""
    with np.errstate(all="ignore"):
        limit = size / 16
        clipped = step([3 * size, 4 * size], dtype, **{f"clip_{kind}": limit})
    np.testing.assert_allclose(clipped, [0.6 * limit, 0.8 * limit], rtol=4e-7)


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("size", [1e-200, 1e200, 1e307])
def test_the_definition_neither_overflows_nor_underflows(size, kind):
    rng = np.random.default_rng(0)
    units = [[rng.standard_normal((3, 40)), np.zeros((1, 40))], [rng.standard_normal((40, 2))]]
    gradients = [[size * array for array in arrays] for arrays in units]
    factors = loops.clipping_factors(gradients, kind, size / 16)
    norms = [np.linalg.norm(arrays[0]) for arrays in units]
    for arrays, (power, factor), given, norm in zip(gradients, factors, units, norms, strict=True):
        of_all = norm if kind == "norm" else np.linalg.norm(norms)
        expected = given[0] / of_all * (size / 16)
        np.testing.assert_allclose(arrays[0] * power * factor, expected, rtol=1e-12)


def test_the_norm_may_be_larger_than_any_number():
    clipped = step([1.7e308, 1.7e308], clip_norm=1.0)
    np.testing.assert_allclose(clipped, [0.5**0.5, 0.5**0.5], rtol=1e-12)
    assert step([1.7e308, 1.7e308], clip_value=1.0).tolist() == [1.0, 1.0]


def test_a_gradient_of_zeros_stays_zero():
    for kind in KINDS:
        assert step([0.0, -0.0], **{f"clip_{kind}": 1.0}).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gradient_that_is_not_finite_does_no_step(dtype, kind):
    """The loss (1e19)² / 2 is finite, and the gradient 1e19 · 1e20 is not; likewise in float64."""
    error, x = (1e19, 1e20) if dtype == "float32" else (1e150, 1e160)
    net = cg.Network(
        1, [cg.Dense(1, weights_init="zeros")], loss="quadratic", reduction="sum", dtype=dtype
    )
    trainer = cg.Trainer(net, cg.Adam(), 1, **{f"clip_{kind}": 1.0})
    trainer.step([[1.0]], [[2.0]])
    before, state = net.parameters, [array.copy() for array in trainer._training.state]
    for run in (
        lambda: trainer.step([[x]], [[error]]),
        lambda: trainer.learn_one([x], error),
        lambda: trainer.partial_fit([[x]], [[error]]),
    ):
        with pytest.raises(cg.DivergenceError, match=r"step 1: the loss or its gradient"):
            run()
        assert_same_bits(net.parameters, before)
        for array, saved in zip(trainer._training.state, state, strict=True):
            assert_same_bits(array, saved)
        assert trainer.steps == 1
    with pytest.raises(cg.DivergenceError, match="epoch 1 at step 2"):
        trainer.fit([[1.0], [x]], [[2.0], [error]], shuffle=False)
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("division", DIVISIONS)
def test_no_block_of_a_gradient_that_is_not_finite_is_done(division):
    threads, changed, _ = DIVISIONS[division]
    layers = [cg.Dense(3), cg.Dense(1, weights_init="zeros")]
    net = cg.Network(1, layers, loss="quadratic", reduction="sum", rng=0)
    X, y = np.ones((ROWS, 1)), np.ones((ROWS, 1))
    X[70], y[70] = 1e20, 1e19
    before = net.parameters
    trainer = cg.Trainer(net, cg.Adam(), threads=threads, clip_norm=1.0)
    with costs(**changed), pytest.raises(cg.DivergenceError):
        trainer.step(X, y)
    assert_same_bits(net.parameters, before)


def test_the_reference_refuses_such_a_gradient_too():
    net = reference.Network(1, [reference.Dense(1)], loss="quadratic", reduction="sum")
    trainer = reference.Trainer(net, reference.SGD(1.0), clip="value", clip_limit=1.0)
    with pytest.raises(reference.DivergenceError, match="the gradient is not finite at step 0"):
        trainer.step([[1e160]], [[1e150]])
    assert net.parameters == [0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"clip_value": 0}, ValueError, "clip_value is 0, expected a number above 0, or None"),
        ({"clip_norm": -1.0}, ValueError, "clip_norm is -1.0, expected a finite number"),
        ({"clip_norm": float("inf")}, ValueError, "clip_norm is inf, expected a finite number"),
        ({"clip_global_norm": "1"}, TypeError, "clip_global_norm is '1', expected a number"),
        ({"clip_value": True}, TypeError, "clip_value is True, expected a number"),
        (
            {"clip_value": 1.0, "clip_norm": 1.0},
            ValueError,
            "clip_value and clip_norm are given, expected at most one of them",
        ),
    ],
)
def test_bad_limits_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        cg.Trainer(network("float32"), cg.Adam(), **options)


def test_the_reference_refuses_bad_limits():
    net = reference.Network(1, [reference.Dense(1)], loss="quadratic")
    with pytest.raises(ValueError, match="clip is 'norms', expected None or one of value, norm"):
        reference.Trainer(net, reference.SGD(1.0), clip="norms")
    with pytest.raises(ValueError, match="clip_limit is 0, expected a number above 0"):
        reference.Trainer(net, reference.SGD(1.0), clip="norm", clip_limit=0)


def test_the_trainer_shows_its_limit():
    trainer = cg.Trainer(network("float32"), cg.SGD(0.1), clip_global_norm=5)
    assert "batch_size=32, clip_global_norm=5.0, steps=0" in repr(trainer)
