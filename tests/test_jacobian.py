"""Derivatives of the outputs with respect to the inputs."""

from collections.abc import Iterator

import numpy as np
import pytest
from bits import assert_same_bits
from cases import ACTIVATIONS
from tolerances import assert_close, depth_of

import cygrad as cg
from cygrad import reference
from cygrad._engine import kernels, plan

DTYPES = ("float32", "float64")
SIZES = (5, 33, 17, 3)
OUTPUTS = (
    *((activation, "quadratic") for activation in ACTIVATIONS),
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("identity", "hinge"),
)
RNG = np.random.default_rng(6)
X = RNG.standard_normal((150, SIZES[0])).astype(np.float32)


def network(hidden: str, output: str, loss: str, dtype: str = "float64") -> cg.Network:
    layers = [cg.Dense(units, hidden) for units in SIZES[1:-1]] + [cg.Dense(SIZES[-1], output)]
    return cg.Network(SIZES[0], layers, loss=loss, dtype=dtype, rng=1)


@pytest.fixture
def _threads_always() -> Iterator[None]:
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
@pytest.mark.parametrize("hidden", ["tanh", "gaussian"])
def test_it_agrees_with_the_reference(hidden, output, loss, dtype, isa):
    net = network(hidden, output, loss, dtype)
    dense = [reference.Dense(units, hidden) for units in SIZES[1:-1]]
    expected = reference.Network(SIZES[0], [*dense, reference.Dense(SIZES[-1], output)], loss=loss)
    expected.parameters = net.parameters.tolist()
    rows = X[:4].tolist()
    jacobian = net.jacobian(X[:4])
    assert jacobian.shape == (4, SIZES[-1], SIZES[0])
    assert jacobian.dtype == dtype
    assert_close(jacobian, expected.jacobian(rows), dtype, depth_of(SIZES, 1), "jacobian")
    one = net.input_gradient(X[:4], 2)
    assert_close(one, expected.input_gradient(rows, 2), dtype, depth_of(SIZES, 1), "one output")


@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_it_agrees_with_finite_differences(output, loss):
    net, step = network("tanh", output, loss), 1e-5
    rows = X[:6].astype(float)
    columns = []
    for i in range(SIZES[0]):
        shift = np.zeros(SIZES[0])
        shift[i] = step
        columns.append((net.forward(rows + shift) - net.forward(rows - shift)) / (2 * step))
    np.testing.assert_allclose(net.jacobian(rows), np.stack(columns, axis=2), atol=1e-9)


def test_it_agrees_with_the_gradient_of_a_quadratic_loss():
    """With y = a − v, ∇ₐC = v, and ∂C/∂x is v J."""
    net = cg.Network(
        5, [cg.Dense(9, "tanh"), cg.Dense(3)], loss="quadratic", reduction="sum", dtype="float64"
    )
    v = RNG.standard_normal(3)
    inputs = net.backward(X, net.forward(X) - v).inputs
    np.testing.assert_allclose(v @ net.jacobian(X), inputs, rtol=1e-9, atol=1e-12)


def test_derivatives_of_probabilities_add_up_to_zero():
    jacobian = network("tanh", "softmax", "cross_entropy").jacobian(X)
    assert np.abs(jacobian).max() > 0.01
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-15)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("output", ["softmax", "relu"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_bit_depends_on_threads_batch_or_engine(dtype, output):
    nets = {}
    for engine in kernels.ENGINES:
        kernels.select_engine(engine)
        nets[engine] = network("relu", output, "quadratic", dtype)
    kernels.select_engine()
    expected = nets["kernels"].jacobian(X, threads=1)
    for threads in 2, 3:
        assert_same_bits(nets["kernels"].jacobian(X, threads=threads), expected)
    assert_same_bits(nets["loops"].jacobian(X[:70]), expected[:70])
    for row in 0, 63, 64, 149:
        assert_same_bits(nets["kernels"].jacobian(X[row : row + 1])[0], expected[row])
    for j in range(SIZES[-1]):
        assert_same_bits(nets["kernels"].input_gradient(X, j), expected[:, j].copy())


def test_many_outputs_and_one_layer():
    net = cg.Network(40, [cg.Dense(70)], loss="mse")
    expected = np.broadcast_to(net.layers[0].weights, (3, 70, 40))
    assert_same_bits(net.jacobian(np.ones((3, 40))), expected.copy())


def test_it_is_by_the_inputs_before_they_are_standardised():
    net = network("tanh", "softmax", "cross_entropy")
    plain = net.jacobian((X - X.mean(0, dtype=float)) / X.std(0, dtype=float))
    net.standardize_inputs(X)
    np.testing.assert_allclose(net.jacobian(X), plain / X.std(0, dtype=float), rtol=1e-9)


def test_bad_arguments_are_refused():
    net = network("tanh", "softmax", "cross_entropy")
    for output in -1, 3:
        with pytest.raises(ValueError, match=f"output is {output}, expected an integer from 0"):
            net.input_gradient(X, output)
    with pytest.raises(TypeError, match=r"output is 1.5, expected an integer from 0 to 2"):
        net.input_gradient(X, 1.5)
    with pytest.raises(ValueError, match=r"X has shape \(150, 4\)"):
        net.jacobian(X[:, :4])
    with pytest.raises(ValueError, match="threads is 0"):
        net.jacobian(X, threads=0)
    bad = X.copy()
    bad[100, 2] = np.nan
    with pytest.raises(ValueError, match="nan"):
        net.jacobian(bad)
