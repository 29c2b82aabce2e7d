"""What all formats share: the operations of a network, the assembly of another, the self-test."""

import json
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.exchange import self_test
from cygrad.exchange.assembly import Assembly
from cygrad.exchange.operations import (
    DenseOperation,
    InputScaling,
    NormOperation,
    Operation,
    OutputScaling,
    ResidualOperation,
    program,
)
from cygrad.tables import Encoder


def deep(dtype: str = "float64") -> cg.Network:
    block = cg.Residual([cg.Dense(6, "tanh"), cg.Residual([cg.Dense(6, "relu")], "softsign")])
    layers = [cg.Dense(6, "gelu"), cg.BatchNorm("tanh"), cg.Dropout(0.5), block, cg.LayerNorm()]
    net = cg.Network(4, [*layers, cg.Dense(3, "softmax")], loss="cross_entropy", dtype=dtype, rng=0)
    random = np.random.default_rng(1)
    net.parameters = net.parameters + random.normal(0, 0.1, net.n_parameters)
    net.layers[1].running_mean = random.normal(size=6)
    net.layers[1].running_variance = random.uniform(0.5, 2, 6)
    net.standardize_inputs(random.normal(5, 3, (20, 4)))
    return net


ACTIVATIONS = {
    "identity": lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "gelu": lambda z: z * _normal(z),
}


def _normal(z: np.ndarray) -> np.ndarray:
    from math import erf

    return np.vectorize(lambda x: 0.5 * (1 + erf(x / 2**0.5)))(z)


def run(operations: tuple[Operation, ...], x: np.ndarray) -> np.ndarray:
    """Compute operations in NumPy, from their descriptions alone."""
    for each in operations:
        if isinstance(each, InputScaling):
            x = (x - each.mean) * each.scale
            x = np.where(each.clipped, x / np.sqrt(1 + (x / 3) ** 2), x)
            continue
        if isinstance(each, OutputScaling):
            x = x * each.deviations + each.means
            x = {"none": lambda y: y, "log": np.exp, "log1p": np.expm1}[each.logarithm](x)
            continue
        if isinstance(each, DenseOperation):
            z = x @ each.weights.T
            z = z if each.biases is None else z + each.biases
        elif isinstance(each, ResidualOperation):
            z = x + run(each.operations, x)
        else:
            assert isinstance(each, NormOperation)
            mean, variance = each.mean, each.variance
            if mean is None:
                mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
            z = each.weights * (x - mean) / np.sqrt(variance + each.eps) + each.biases
        x = ACTIVATIONS[each.activation](z)
    return x


def test_operations_compute_the_outputs() -> None:
    net = deep()
    X = np.random.default_rng(2).normal(5, 3, (7, 4))
    made = program(net)
    np.testing.assert_allclose(run(made.operations, X), net.forward(X), rtol=1e-12)
    assert [each.index for each in made.flat() if not isinstance(each, InputScaling)] == [
        0, 1, 3, 4, 5, 6, 7, 8,
    ]  # fmt: skip
    assert made.decision == "largest"


def mixed_table(rows: int = 40) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        "size": random.normal(100, 20, rows),
        "flag": random.integers(0, 2, rows),
        "price": np.exp(random.normal(3, 1, rows)),
        "weight": random.normal(-5, 2, rows),
    }


@pytest.mark.parametrize("scale", ["standard", "log", "log1p", "none"])
@pytest.mark.parametrize("numbers", ["standard", "robust", "none"])
def test_the_numeric_part_of_an_encoder_becomes_operations(scale: str, numbers: str) -> None:
    table = mixed_table()
    arguments = {"numbers": numbers, "target_scale": scale, "dtype": "float64"}
    encoder = Encoder(
        ["price", "weight"] if scale in ("standard", "none") else "price", **arguments
    )
    encoder.fit(table)
    net = cg.Network(
        encoder.inputs,
        [cg.Dense(5, "tanh"), cg.Dense(encoder.outputs)],
        loss="mse",
        dtype="float64",
        rng=0,
    )
    net.encoder = encoder
    made = program(net)
    assert made.columns == encoder.columns
    X = np.column_stack([table[name] for name in made.columns])
    expected = np.asarray(net.predict(table)).reshape(len(X), -1)
    np.testing.assert_allclose(run(made.operations, X), expected, rtol=1e-12)
    samples = self_test.samples(net, made)
    np.testing.assert_allclose(run(made.operations, samples.inputs), samples.outputs, rtol=1e-12)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (["a", "b", "c", "a"], "the category 'word'"),
        ([1.0, np.nan, 3.0, 4.0], "gaps in column 'word'"),
        (["2020-01-01", "2021-05-01", "2020-01-01", "2022-07-01"], "the date 'word'"),
    ],
)
def test_more_than_numbers_is_an_error_unless_lossy(column: list[object], what: str) -> None:
    table = {"word": column, "y": [0.5, 1.5, 2.5, 3.0]}
    encoder = Encoder("y", keep=["word"]).fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    with pytest.raises(ValueError, match=f"{what}.*lossy=True"):
        program(net)
    made = program(net, lossy=True)
    assert made.columns is None
    assert [type(each) for each in made.operations] == [DenseOperation]


def test_quantiles_are_an_error() -> None:
    table = {"x": np.arange(20.0) ** 2, "y": np.arange(20.0)}
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = Encoder("y", numbers="quantile").fit(table)
    with pytest.raises(ValueError, match="quantiles of column 'x'"):
        program(net)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_is_a_batch_norm_with_the_same_bits(dtype: str) -> None:
    layers = [cg.Scaling(), cg.Dense(6, "tanh"), cg.Scaling("relu"), cg.Dense(2)]
    net = cg.Network(4, layers, loss="mse", dtype=dtype, rng=0)
    net.layers[0].weights = [0.5, -3.0, 0.1, 1e-3]
    net.layers[2].weights = np.linspace(-2, 2, 6)
    operations = program(net).operations
    X = np.random.default_rng(2).normal(5, 3, (7, 4))
    np.testing.assert_allclose(run(operations, X), net.forward(X), rtol=1e-4)
    assembly = Assembly(4, "made.onnx")
    for each in operations:
        if isinstance(each, NormOperation):
            statistics = each.mean, each.variance, each.eps
            assembly.batch_norm(each.weights, each.biases, *statistics)
        else:
            assert isinstance(each, DenseOperation)
            assembly.dense(each.weights, each.biases)
        assembly.activation(each.activation)
    np.testing.assert_array_equal(assembly.network(dtype).forward(X), net.forward(X))


def test_an_assembly_makes_the_same_network() -> None:
    net = deep()
    assembly = Assembly(4, "made.onnx")

    def add(assembly: Assembly, operations: tuple[Operation, ...]) -> None:
        for each in operations:
            if isinstance(each, DenseOperation):
                assembly.dense(each.weights, each.biases)
            elif isinstance(each, NormOperation):
                if each.mean is None:
                    assembly.layer_norm(each.weights, each.biases, each.eps)
                else:
                    statistics = each.mean, each.variance, each.eps
                    assembly.batch_norm(each.weights, each.biases, *statistics)
            elif isinstance(each, ResidualOperation):
                block = Assembly(assembly.units, "made.onnx")
                add(block, each.operations)
                assembly.residual(block)
            else:
                continue
            assembly.activation(each.activation)

    add(assembly, program(net).operations)
    assert net.input_mean is not None
    other = assembly.network(
        "float64", classes="abc", standardization=(net.input_mean, net.input_scale)
    )
    assert other.loss == "cross_entropy"
    assert other.classes == ("a", "b", "c")
    X = np.random.default_rng(2).normal(5, 3, (7, 4))
    np.testing.assert_array_equal(other.forward(X), net.forward(X))
    np.testing.assert_array_equal(other.parameters, net.parameters)


def test_errors_of_an_assembly_begin_with_the_source() -> None:
    assembly = Assembly(2, "net.onnx")
    with pytest.raises(ValueError, match=r"net\.onnx has no layers"):
        assembly.network("float32")
    with pytest.raises(ValueError, match=r"net.onnx: softmax has no dense layer"):
        assembly.activation("softmax")
    with pytest.raises(ValueError, match=r"net.onnx: a dense layer .*\(3, 4\).*\(units, 2\)"):
        assembly.dense(np.ones((3, 4)), None)
    assembly.dense([[np.nan, 1.0]], None)
    with pytest.raises(ValueError, match=r"net.onnx: layers\[0\].weights holds nan"):
        assembly.network("float32")


def test_activations_one_after_the_other_and_scales() -> None:
    assembly = Assembly(2, "net.onnx")
    assembly.activation("tanh")
    assembly.dense([[1.0, 2.0], [0.5, -1.0]], None, "relu")
    assembly.scale(2.0, [1.0, -1.0])
    assembly.dense([[1.0, 1.0]], [0.5], "softsign")
    assembly.scale([3.0], 0.25)
    net = assembly.network("float64")
    assert [layer.kind for layer in net.layers] == ["scaling", "dense", "dense", "dense"]
    assert not net.layers[0].trainable
    x = np.array([[0.3, -0.4], [-1.0, 0.5]])
    hidden = np.maximum(np.tanh(x) @ np.array([[1.0, 0.5], [2.0, -1.0]]), 0) * 2 + [1, -1]
    z = hidden.sum(axis=1, keepdims=True) + 0.5
    np.testing.assert_allclose(net.forward(x), 3 * z / (1 + np.abs(z)) + 0.25, rtol=1e-14)


def test_samples_as_json_keep_their_bits() -> None:
    net = deep("float32")
    samples = self_test.samples(net, program(net))
    other = self_test.Samples.from_json(samples.to_json())
    np.testing.assert_array_equal(other.inputs, samples.inputs)
    np.testing.assert_array_equal(other.outputs, samples.outputs)
    np.testing.assert_array_equal(net.forward(other.inputs), other.outputs)
    assert samples.inputs.shape == (self_test.ROWS, 4)
    again = self_test.samples(net, program(net))
    assert again.to_json() == samples.to_json()


@pytest.mark.parametrize("text", ["[]", "{}", '{"inputs": [[1]], "outputs": [], "allowed": 0}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        self_test.Samples.from_json(text)
    json.loads(text)


def test_the_comparison_warns_beyond_rounding() -> None:
    net = deep("float32")
    samples = self_test.samples(net, program(net))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert samples.compare(net.forward(samples.inputs), "cygrad").difference == 0
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not samples.compare(samples.outputs * 1.01, "other 1.0").passed
    with pytest.warns(UserWarning, match="nan"):
        assert not samples.compare(samples.outputs * np.nan, "other 1.0").passed
    with pytest.raises(ValueError, match=r"other 1.0 gives outputs of shape \(8, 2\)"):
        samples.compare(samples.outputs[:, :2], "other 1.0")


@pytest.mark.parametrize("depth", [1, 12])
@pytest.mark.parametrize("activation", ["identity", "tanh", "relu", "exp"])
def test_rounding_errors_of_float32_are_allowed(activation: str, depth: int) -> None:
    layers = [cg.Dense(32, activation if activation != "exp" else "identity")] * depth
    layers.append(cg.Dense(2, "exp" if activation == "exp" else "identity"))
    net = cg.Network(6, layers, loss="mse", dtype="float32", rng=1)
    if activation != "exp":  # which would overflow
        net.parameters = net.parameters * 1.5  # errors grow from layer to layer
    samples = self_test.samples(net, program(net))
    # Another order of the sums, in NumPy.
    a = samples.inputs.astype(np.float32)
    for layer in net.layers:
        z = a[:, ::-1] @ layer.weights[:, ::-1].T + layer.biases
        a = {**ACTIVATIONS, "exp": np.exp}[layer.activation](z)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert samples.compare(a, "NumPy").passed
    # A bound that finds errors: one weight off by a 200th.
    weights = net.layers[0].weights.copy()
    weights[np.unravel_index(np.abs(weights).argmax(), weights.shape)] *= 1.005
    net.layers[0].weights = weights
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not samples.compare(net.forward(samples.inputs), "other").passed


def test_samples_that_overflow_are_left_out() -> None:
    net = cg.Network(1, [cg.Dense(1, "exp")], loss="poisson", dtype="float32", rng=0)
    net.layers[0].weights = [[1e3]]
    samples = self_test.samples(net, program(net))
    assert 0 < len(samples.inputs) < self_test.ROWS
    assert np.isfinite(samples.outputs).all()
    net.layers[0].biases = [1e6]
    with pytest.raises(ValueError, match="the network gives NaN or infinity"):
        self_test.samples(net, program(net))


def test_the_computation_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="net is str, expected a Network"):
        program("net.npz")  # type: ignore[arg-type]


def test_losses_that_contain_the_activation_of_the_outputs() -> None:
    assembly = Assembly(2, "a file")
    assembly.dense(np.ones((3, 2)), None)
    assert assembly.network("float32", loss="cross_entropy").layers[0].activation == "softmax"
    assembly = Assembly(2, "a file")
    assembly.dense(np.ones((3, 2)), None)
    with pytest.raises(ValueError, match="a file: the loss mse makes no classes, but"):
        assembly.network("float32", classes=["a", "b", "c"])


def test_known_numbers_standardise_inputs() -> None:
    net = cg.Network(2, [cg.Dense(2)], loss="mse", rng=0)
    mean = np.array([1.0, 2.0])
    net.set_standardization(mean, [0.5, 3.0])
    mean[:] = 9
    assert net.input_mean is not None
    assert net.input_mean.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="mean is None, expected both"):
        net.set_standardization(None, [1.0, 1.0])
    with pytest.raises(ValueError, match="scale has shape"):
        net.set_standardization([1.0, 1.0], [1.0])
    net.set_standardization(None, None)
    assert net.input_mean is None
