"""The same bits, always: on every instruction set, in any batch, from any memory layout.

No test here has a tolerance: arrays are compared as integers, where it is fast enough with those of
the plain loops that define the bits (`cygrad._engine.loops`).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from cases import ACTIVATIONS, CASES, OTHER_ACTIVATIONS, Case, Data
from layouts import MATRICES

import cygrad as cg
from cygrad._engine import kernels
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples
from cygrad._engine.training import Training

EPOCHS = 3
DTYPES = ("float32", "float64")
ROWS_AT_ONCE = 256  # chunk of inference


def network(dtype, activation="sigmoid"):
    layers = [cg.Dense(33, "tanh"), cg.Dense(17, activation), cg.Dense(5, "softmax")]
    return cg.Network(37, layers, loss="cross_entropy", dtype=dtype, rng=1)


def samples(rows, inputs=37, seed=2):
    return np.random.default_rng(seed).standard_normal((rows, inputs))


def results(case: Case, data: Data, dtype: str) -> dict[str, np.ndarray]:
    """Return all that a network computes before, during and after training."""
    net = case.network(dtype)
    net.parameters = data.parameters
    gradients = net.backward(data.X, data.y)
    found = {"forward": net.forward(data.X), "inputs": gradients.inputs}
    found["loss"] = np.array(gradients.loss)
    for name in ("weights", "biases", "deltas", "pre_activations", "activations"):
        for layer, array in enumerate(getattr(gradients, name)):
            found[f"{name}[{layer}]"] = array
    trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size, rng=0)
    history = trainer.fit(data.X, data.y, EPOCHS)
    found["loss of the epochs"] = np.array(history.loss)
    found["metric of the epochs"] = np.array(history.metric)
    found["parameters"] = net.parameters
    found["evaluate"] = np.array(list(net.evaluate(data.X, data.y).values()))
    return found


def by_loops(compute: Callable[[], Any]) -> Any:
    """Compute something with networks that run on the plain loops."""
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        return compute()
    finally:
        kernels.select_engine(before)


@cache
def results_by_loops(case: Case, dtype: str) -> dict[str, np.ndarray]:
    return by_loops(lambda: results(case, case.draw(seed=5), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_instruction_set_gives_the_defined_bits(case, dtype, isa):
    expected = results_by_loops(case, dtype)
    actual = results(case, case.draw(seed=5), dtype)
    for name, array in expected.items():
        assert_same_bits(actual[name], array, name)


@cache
def underflow_by_loops(hidden: str, loss: str, dtype: str) -> tuple[np.ndarray, ...]:
    return by_loops(lambda: underflow(hidden, loss, dtype))


def underflow(hidden: str, loss: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Train on samples that are so small that most numbers underflow."""
    smallest = np.log10(np.finfo(dtype).tiny) + 3
    X = samples(64) * 10 ** np.linspace(smallest, 2, 64)[:, np.newaxis]
    y = np.arange(64) % 5
    targets = y if loss == "cross_entropy" else np.eye(5)[y]
    layers = [cg.Dense(33, hidden), cg.Dense(5, "softmax")]
    net = cg.Network(37, layers, loss=loss, dtype=dtype, rng=1)
    outputs = net.forward(X)
    cg.Trainer(net, cg.Adam(), 8, rng=0).fit(X, targets, EPOCHS)
    return outputs, net.parameters, net.backward(X, targets).inputs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["cross_entropy", "quadratic"])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "gaussian"])
def test_numbers_that_underflow_have_the_defined_bits(hidden, loss, dtype, isa):
    """Results that are too small for normal numbers count as zero, everywhere alike."""
    tiny = np.finfo(dtype).tiny
    expected = underflow_by_loops(hidden, loss, dtype)
    for array, defined in zip(underflow(hidden, loss, dtype), expected, strict=True):
        assert_same_bits(array, defined)
        assert not ((array != 0) & (np.abs(array) < tiny)).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_denormals_are_zero_inside_the_engine_only(dtype, isa):
    net = cg.Network(1, [cg.Dense(1, weights_init=0.5)], loss="mse", dtype=dtype)
    tiny = np.finfo(dtype).tiny
    assert net.forward(np.array([[tiny]]))[0, 0] == 0
    assert net.forward(np.array([[4 * tiny]]))[0, 0] == 2 * tiny
    net.evaluate([[1.0]], [[1.0]])
    net.backward([[1.0]], [[1.0]])
    cg.Trainer(net, cg.Adam(), 1).fit([[1.0]], [[1.0]])
    kernels.evaluate("exp", np.ones(3, dtype))
    assert np.ones(1, dtype) * tiny / 2 > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, *(text for text in OTHER_ACTIVATIONS if " " not in text)]
)
def test_a_row_alone_and_in_a_batch(activation, dtype, isa):
    net, X = network(dtype, activation=activation), samples(67)
    together = by_loops(lambda: network(dtype, activation=activation)).forward(X)
    assert_same_bits(net.forward(X), together, "all rows")
    for row in range(len(X)):
        assert_same_bits(net.forward(X[row : row + 1]), together[row : row + 1], f"row {row}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, *(text for text in OTHER_ACTIVATIONS if " " not in text)]
)
def test_gradients_of_inputs_of_the_activation_near_zero_and_far(activation, dtype, isa):
    def make():
        layers = [cg.Dense(17, activation), cg.Dense(2)]
        return cg.Network(37, layers, loss="mse", dtype=dtype, rng=1)

    X, y = 4 * samples(67), np.zeros((67, 2))
    loss, gradient = by_loops(make).gradient(X, y)
    assert np.isfinite(gradient).all()
    for got, expected in zip(make().gradient(X, y), (loss, gradient), strict=True):
        assert_same_bits(np.asarray(got), np.asarray(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "pinball"])
def test_gradients_where_the_error_is_zero(loss, dtype, isa):
    def make():
        return cg.Network(37, [cg.Dense(5)], loss=loss, dtype=dtype, rng=1)

    X = samples(67)
    y = make().forward(X)
    y[::2] += 1
    expected = by_loops(make).gradient(X, y)[1]
    assert_same_bits(make().gradient(X, y)[1], expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [2, 8, 15, 16, 17, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 600])
def test_forward_in_one_call_and_in_parts(rows, dtype, isa):
    net, X = network(dtype), samples(rows)
    whole = by_loops(lambda: network(dtype)).forward(X)
    for size in (1, 7, 16, 100, ROWS_AT_ONCE, rows):
        parts = [net.forward(X[start : start + size]) for start in range(0, rows, size)]
        assert_same_bits(np.concatenate(parts), whole, f"parts of {size}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_backward_pass_has_the_outputs_of_forward(dtype, isa):
    net, X = network(dtype), samples(300)
    gradients = net.backward(X, np.zeros(300, int))
    outputs = by_loops(lambda: network(dtype)).forward(X)
    assert_same_bits(gradients.activations[-1], outputs)
    assert_same_bits(net.forward(X), outputs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_deltas_of_a_row_alone_and_in_a_batch(dtype, isa):
    def make():
        layers = [cg.Dense(33, "tanh"), cg.Dense(5, "softmax")]
        return cg.Network(37, layers, loss="cross_entropy", reduction="sum", dtype=dtype, rng=1)

    net = make()
    X, y = samples(13), np.arange(13) % 5
    together = by_loops(make).backward(X, y)
    for row in range(13):
        alone = net.backward(X[row : row + 1], y[row : row + 1])
        for layer in range(2):
            assert_same_bits(alone.deltas[layer][0], together.deltas[layer][row])
        assert_same_bits(alone.inputs[0], together.inputs[row])


INPUTS = ("bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)), "float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", INPUTS)
@pytest.mark.parametrize("layout", MATRICES)
def test_samples_of_any_type_and_layout_are_their_converted_copy(layout, given, dtype, isa):
    rng = np.random.default_rng(3)
    high = {"b": 2, "u": 256, "i": 100, "f": 100}[np.dtype(given).kind]
    X = rng.integers(high, size=(41, 37)).astype(given)
    if X.dtype.kind == "i":
        X -= 50
    if X.dtype.kind == "f":
        X /= 7  # numbers that conversion to float32 rounds
    converted = X.astype(dtype)
    taken = MATRICES[layout](X)

    net, y = network(dtype), np.arange(41) % 5
    net.layers[0].weights = net.layers[0].weights / 64  # away from saturation
    twin = by_loops(lambda: network(dtype))
    twin.parameters = net.parameters
    assert_same_bits(net.forward(taken), twin.forward(converted), "forward")
    assert net.evaluate(taken, y) == twin.evaluate(converted, y)
    for each, data in ((net, taken), (twin, converted)):
        cg.Trainer(each, cg.Adam(), 8, rng=0).fit(data, y)
    assert_same_bits(net.parameters, twin.parameters, "parameters")


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_that_a_float_cannot_hold_are_rounded_as_numpy_rounds(dtype, isa):
    X = np.array([[2**63 - 1, 2**53 + 1, -(2**24) - 1, 2**25 + 3]])
    net = cg.Network(4, [cg.Dense(4, weights_init=np.eye(4))], loss="mse", dtype=dtype)
    assert_same_bits(net.forward(X), X.astype(dtype))
    large = np.array([[2**64 - 1, 2**63 + 1025, 2**63, 1]], dtype=np.uint64)
    assert_same_bits(net.forward(large), large.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_targets_of_any_type_and_layout_are_their_converted_copy(dtype, isa):
    X = samples(41)
    y = np.random.default_rng(3).integers(-50, 50, size=(41, 5)).astype(np.int8)
    given = (y, np.asfortranarray(y), y.astype(np.float64), y[:, ::-1].copy()[:, ::-1])

    def trained(targets):
        net = cg.Network(37, [cg.Dense(9, "tanh"), cg.Dense(5)], loss="mse", dtype=dtype, rng=1)
        cg.Trainer(net, cg.SGD(1e-3), 8, rng=0).fit(X, targets)
        return net.parameters

    expected = by_loops(lambda: trained(y.astype(dtype)))
    for targets in (y.astype(dtype), *given):
        assert_same_bits(trained(targets), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("large", [False, True], ids=["in the cache", "fetched ahead"])
def test_an_order_of_the_rows_is_the_rows_in_that_order(large, dtype, isa):
    """Also with missing and repeated rows."""
    n = 4200 if large else 53
    X = samples(n, 40).astype(dtype)
    y = np.random.default_rng(4).integers(3, size=n)
    order = np.random.default_rng(5).integers(n, size=n - 7)

    def trained(rows, labels, indices):
        both = [True, True]
        engine = Engine(dtype, [40, 9, 3], ["tanh", "softmax"], both, "cross_entropy", "mean")
        engine.set_weights(0, samples(9, 40, seed=6))
        training = Training(engine, "momentum", 16, momentum=0.9)
        rates = np.full(-(-len(indices) // 16), 0.01)
        sums = training.epoch(Samples(rows), np.ascontiguousarray(labels), indices, rates)
        return np.array(sums[:2]), engine.storage.copy()

    in_order = X[order], y[order], np.arange(len(order))
    sums, parameters = by_loops(lambda: trained(*in_order))
    for given in ((X, y, order), in_order):
        found = trained(*given)
        assert_same_bits(found[0], sums, "loss and metric")
        assert_same_bits(found[1], parameters, "parameters")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_loss_of_a_large_set_is_that_of_its_parts(dtype, isa):
    """The parts are chunks of inference, so that the sums have the same order."""

    def make():
        layers = [cg.Dense(33, "tanh"), cg.Dense(5, "softmax")]
        return cg.Network(37, layers, loss="cross_entropy", reduction="sum", dtype=dtype, rng=1)

    net = make()
    X, y = samples(600), np.arange(600) % 5
    parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, 600, ROWS_AT_ONCE)]
    losses = [net.evaluate(X[part], y[part])["loss"] for part in parts]
    assert net.evaluate(X, y)["loss"] == sum(losses)
    assert net.evaluate(X, y) == by_loops(make).evaluate(X, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_padding_of_a_panel_never_shows(dtype, isa):
    """Instruction sets pad different columns: an ε of zero or an infinite activation would show."""
    tiny = float(np.finfo(dtype).tiny)

    def trained():
        net = cg.Network(3, [cg.Dense(8)], loss="mse", dtype=dtype, rng=0)
        X, y = samples(16, 3), samples(16, 8, seed=3)
        cg.Trainer(net, cg.Adam(eps=10 * tiny), 8, rng=0).fit(X, y, 2)
        return net.parameters

    assert np.isfinite(trained()).all()
    assert_same_bits(trained(), by_loops(trained))
    huge = cg.Network(1, [cg.Dense(1), cg.Dense(8, "relu")], loss="mse", dtype=dtype, rng=0)
    huge.layers[0].weights = [[4.0]]
    huge.layers[1].weights = -np.ones((8, 1))
    evaluated = huge.evaluate([[float(np.finfo(dtype).max)]], np.zeros((1, 8)))
    assert evaluated == {"loss": 0, "mae": 0}


def test_outputs_that_are_no_numbers_are_never_right(isa):
    net = cg.Network(1, [cg.Dense(1), cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    net.layers[0].weights = [[4.0]]
    X = np.full((2, 1), np.finfo(np.float32).max)  # an infinite activation, and softmax of NaN
    net.layers[1].weights = [[1.0], [1.0], [1.0]]
    assert net.evaluate(X, [0, 1])["accuracy"] == 0
