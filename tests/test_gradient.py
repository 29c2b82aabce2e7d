"""`Network.gradient`, what `Network.backward` keeps, and the copies of parameters."""

import numpy as np
import pytest
from cases import CASES
from layouts import MATRICES, VECTORS, read_only, unaligned
from tolerances import assert_close, depth_of

import cygrad as cg
from cygrad._engine import kernels, plan
from cygrad.network.gradients import PARTS

DTYPES = ("float32", "float64")


def flat(net, gradients):
    """Gradients of layers in the order of `parameters`."""
    parts = []
    for layer, weights, biases in zip(net.layers, gradients.weights, gradients.biases, strict=True):
        parts += [weights.ravel(), *([biases] if layer.use_bias else [])]
    return np.concatenate(parts)


def network(dtype="float32", biases=(True, True)):
    layers = [cg.Dense(6, "tanh", use_bias=biases[0]), cg.Dense(3, use_bias=biases[1])]
    return cg.Network(5, layers, loss="mse", dtype=dtype, rng=0)


def batch(rows=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 5)), rng.standard_normal((rows, 3))


# The gradient


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_bits_of_backward(case, dtype, isa):
    data, net = case.draw(3), case.network(dtype)
    net.parameters = data.parameters
    for rows in (case.samples, 1, case.samples // 2 + 1):
        X, y = data.X[:rows], data.y[:rows]
        expected = net.backward(X, y)
        loss, gradient = net.gradient(X, y)
        assert loss == expected.loss
        assert gradient.dtype == net.dtype
        assert gradient.tobytes() == flat(net, expected).tobytes()


@pytest.mark.parametrize("case", CASES[::5], ids=str)
def test_any_number_of_threads(case):
    before = plan.set_costs(barrier=0)
    try:
        data, net = case.draw(3), case.network("float32")
        net.parameters = data.parameters
        expected = net.gradient(data.X, data.y)
        for threads in (2, 3, 7, 1):
            loss, gradient = net.gradient(data.X, data.y, threads=threads)
            assert loss == expected[0]
            assert gradient.tobytes() == expected[1].tobytes()
    finally:
        plan.set_costs(**before)


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_the_plain_loops(case):
    data = case.draw(3)
    found = []
    before = kernels.selected_engine()
    for engine in ("kernels", "loops"):
        kernels.select_engine(engine)
        try:
            net = case.network("float32")
        finally:
            kernels.select_engine(before)
        net.parameters = data.parameters
        loss, gradient = net.gradient(data.X, data.y)
        found.append((loss, gradient.tobytes(), net.parameters.tobytes()))
    assert found[0] == found[1]


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_the_reference(case):
    data, net, reference = case.draw(3), case.network("float64"), case.reference_network()
    net.parameters, reference.parameters = data.parameters, data.parameters.tolist()
    found = net.gradient(data.X, data.y)
    expected = reference.gradient(data.X.tolist(), data.y.tolist())
    depth = depth_of(case.sizes, case.samples)
    for actual, wanted, name in zip(found, expected, ("loss", "gradient"), strict=True):
        assert_close(actual, wanted, "float64", 10 * depth, name)


def test_descent_along_it():
    """A loop of one's own has the bits of `SGD`."""
    nets = [network() for _ in range(2)]
    X, y = batch(32)
    trainer, out = cg.Trainer(nets[0], cg.SGD(0.1)), np.empty(nets[1].n_parameters, np.float32)
    for _ in range(5):
        loss, gradient = nets[1].gradient(X, y, out)
        assert gradient is out
        assert trainer.step(X, y) == loss
        parameters = nets[1].parameters
        # W ← W − η ∂C/∂W with one rounding, as by a fused multiply-add.
        exact = parameters.astype(np.float64) - np.float32(0.1).astype(np.float64) * gradient
        nets[1].parameters = exact
        np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_standardized_inputs(dtype):
    net = network(dtype)
    X, y = batch()
    net.standardize_inputs(3 * X + 1)
    expected = net.backward(X, y)
    loss, gradient = net.gradient(X, y)
    assert loss == expected.loss
    assert gradient.tobytes() == flat(net, expected).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_where_it_is_written_to(reduction, dtype):
    layers = [cg.Dense(6, "relu", use_bias=False), cg.Dense(3)]
    net = cg.Network(5, layers, loss="mse", reduction=reduction, dtype=dtype, rng=0)
    X, y = batch()
    room = np.full(net.n_parameters + 2, 7, dtype)
    loss, gradient = net.gradient(X, y, out=room[1:-1])
    assert gradient.base is room
    assert room[0] == room[-1] == 7
    expected = net.gradient(X, y)
    assert (loss, gradient.tobytes()) == (expected[0], expected[1].tobytes())
    assert type(loss) is float


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros(57), ValueError, r"dtype float64 and shape \(57,\), expected .* float32 .*57"),
        (np.zeros(3, np.float32), ValueError, r"out has .* shape \(3,\), expected .*\(57,\)"),
        (np.zeros((57, 1), np.float32), ValueError, r"out has .* shape \(57, 1\), expected"),
        (np.zeros(114, np.float32)[::2], TypeError, "out cannot be written to: .* contiguous"),
        (read_only(np.zeros(57, np.float32)), TypeError, "out cannot be written to: .*read-only"),
        (unaligned(np.zeros(57, np.float32)), ValueError, "expected an aligned"),
        ([0.0] * 57, TypeError, "out cannot be written to"),
    ],
)
def test_where_it_cannot_be_written_to(out, error, message):
    net, before = network(), np.array(out)
    with pytest.raises(error, match=message):
        net.gradient(*batch(), out)
    assert (np.array(out) == before).all()


def test_bad_arguments_are_named():
    net = network()
    X, y = batch()
    with pytest.raises(ValueError, match=r"X has shape \(7, 4\), expected \(rows, 5\)"):
        net.gradient(X[:, :4], y)
    with pytest.raises(ValueError, match="X holds nan in row 2, column 1"):
        net.gradient(np.where(np.arange(35).reshape(7, 5) == 11, np.nan, X), y)
    with pytest.raises(ValueError, match="y has 6 targets for 7 samples"):
        net.gradient(X, y[:6])
    with pytest.raises(ValueError, match="threads is 0"):
        net.gradient(X, y, threads=0)
    assert net.gradient(X, y)[0] == net.backward(X, y).loss


# What backward keeps


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("kept", [(), *((name,) for name in PARTS), PARTS[1:4], iter(PARTS[:2])])
def test_backward_keeps_what_is_asked_for(kept, wanted):
    net, kept = network(biases=(True, False)), tuple(kept)
    X, y = batch(40)
    everything = net.backward(X, y)
    some = net.backward(X, y, input_gradient=wanted, keep=iter(kept))
    assert some.loss == everything.loss
    for name in PARTS:
        if name not in kept:
            assert getattr(some, name) is None
            continue
        assert isinstance(getattr(some, name), tuple)
        for actual, expected in zip(getattr(some, name), getattr(everything, name), strict=True):
            assert actual.tobytes() == expected.tobytes()
    assert (some.inputs is not None) == wanted
    assert not wanted or some.inputs.tobytes() == everything.inputs.tobytes()


def test_results_are_copies():
    net = network()
    X, y = batch()
    first = net.backward(X, y)
    arrays = [array for name in PARTS for array in getattr(first, name)]
    before = [array.copy() for array in arrays]
    net.backward(2 * X, y)
    net.gradient(3 * X, y)
    assert all((array == copy).all() for array, copy in zip(arrays, before, strict=True))


@pytest.mark.parametrize(
    ("keep", "error"),
    [
        (("weight",), ValueError),
        (["weights", None], ValueError),
        ("weights", TypeError),
        (None, TypeError),
        (3, TypeError),
    ],
)
def test_unknown_parts_are_refused(keep, error):
    expected = "expected names among 'weights', 'biases', 'deltas', 'pre_activations', 'activ"
    with pytest.raises(error, match=f"keep .*{expected}"):
        network().backward(*batch(), keep=keep)


# Parameters

SHAPES = ((1, 1), (1, 33, 1), (31, 32, 33), (40, 7, 65, 16), (100, 17), (15, 64, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parameters_there_and_back(shape, use_bias, dtype, isa):
    layers = [cg.Dense(units, "relu", use_bias=use_bias) for units in shape[1:]]
    net = cg.Network(shape[0], layers, loss="mse", dtype=dtype, rng=0)
    given = np.random.default_rng(1).standard_normal(net.n_parameters)
    net.parameters = given
    assert net.parameters.tobytes() == given.astype(dtype).tobytes()
    start = 0
    for layer in net.layers:
        size = layer.units * layer.inputs
        weights = given[start : start + size].reshape(layer.units, layer.inputs).astype(dtype)
        assert (layer.weights == weights).all()
        start += size
        if use_bias:
            assert (layer.biases == given[start : start + layer.units].astype(dtype)).all()
            start += layer.units
        layer.weights = 2 * weights
        assert (layer.weights == 2 * weights).all()
    # The padding of the panels is still zero: it takes part in the sums.
    assert np.count_nonzero(net.engine.storage) == np.count_nonzero(net.parameters)
    X = np.random.default_rng(2).standard_normal((3, shape[0])).astype(dtype)
    twin = cg.Network(shape[0], layers, loss="mse", dtype=dtype, rng=5)
    twin.parameters = net.parameters
    assert twin.forward(X).tobytes() == net.forward(X).tobytes()


@pytest.mark.parametrize("layout", VECTORS)
@pytest.mark.parametrize("kind", ["int8", "uint64", "float16", "float64", "longdouble", ">f4"])
def test_parameters_of_every_dtype_and_layout(kind, layout):
    net = network()
    given = VECTORS[layout]((np.arange(net.n_parameters) % 50).astype(kind))
    net.parameters = given
    assert (net.parameters == given.astype(np.float32)).all()
    net.parameters = given.tolist()
    assert (net.parameters == given.astype(np.float32)).all()


@pytest.mark.parametrize("layout", MATRICES)
@pytest.mark.parametrize("kind", ["int8", "uint64", "float16", "float64", ">f4"])
def test_weights_of_every_dtype_and_layout(kind, layout):
    layer = network().layers[0]
    numbers = np.arange(30).reshape(6, 5).astype(kind)
    layer.weights = MATRICES[layout](numbers)
    assert (layer.weights == numbers.astype(np.float32)).all()


@pytest.mark.parametrize("place", [0, 29, 30, 56])
@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e300])
def test_parameters_that_are_not_finite_change_nothing(bad, place):
    net = network()
    before, given = net.parameters, np.zeros(57)
    given[place] = bad
    with pytest.raises(ValueError, match=rf"parameters holds \S+ at {place}, expected .* float32"):
        net.parameters = given
    assert net.parameters.tobytes() == before.tobytes()
