"""What the exporters of TensorFlow write into ONNX models."""

import os
import warnings

import numpy as np
import pytest

import cygrad as cg

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
ort = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from onnx import helper  # noqa: E402
from test_exchange_onnx_reader import agree, made  # noqa: E402

W = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
VECTOR = np.float32([[1.5, -2, 1, 0.5, 3]])


def model_of(described, constants):
    nodes = [
        helper.make_node(operator, inputs, [output], **dict(*options))
        for operator, inputs, output, *options in described
    ]
    return made(nodes, {"w": W, **constants}, units=5)


def read(described, **constants):
    """Return the network of nodes after a dense layer, compared with ONNX Runtime."""
    first = ("Gemm", ["x", "w"], "z", {"transB": 1})
    return agree(model_of([first, *described], constants))


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_layer_norms_without_a_factor_of_1_or_an_offset_of_0(scaled, moved):
    axes = {"axes": [1], "keepdims": 1}
    nodes = [
        ("ReduceMean", ["z"], "mean", axes),
        ("Neg", ["mean"], "negative"),
        ("Sub", ["z", "mean"], "centered"),
        ("Mul", ["centered", "centered"], "square"),
        ("ReduceMean", ["square"], "variance", axes),
        ("Add", ["variance", "eps"], "sum"),
        ("Sqrt", ["sum"], "root"),
        ("Reciprocal", ["root"], "reciprocal"),
    ]
    factors = "reciprocal"
    if scaled:
        nodes.append(("Mul", [factors, "gamma"], "factors"))
        factors = "factors"
    nodes += [("Mul", ["z", factors], "scaled"), ("Mul", ["negative", factors], "offset")]
    offset = "offset"
    if moved:
        nodes.append(("Add", [offset, "beta"], "moved"))
        offset = "moved"
    nodes.append(("Add", ["scaled", offset], "y"))
    constants = {"gamma": VECTOR, "beta": VECTOR + 1, "eps": np.float32(1e-3)}
    net = read(nodes, **constants)
    assert [layer.kind for layer in net.layers] == ["dense", "layer_norm"]
    assert net.layers[1].description.eps == 1e-3
    np.testing.assert_array_equal(net.layers[1].weights, VECTOR[0] if scaled else np.ones(5))
    np.testing.assert_array_equal(net.layers[1].biases, VECTOR[0] + 1 if moved else np.zeros(5))


@pytest.mark.parametrize(
    ("activation", "nodes"),
    [
        ("silu", [("Sigmoid", ["z"], "a"), ("Mul", ["a", "f"], "b"), ("Mul", ["z", "b"], "y")]),
        ("mish", [("Softplus", ["z"], "s"), ("Tanh", ["s"], "a"), ("Mul", ["a", "f"], "b"),
                  ("Mul", ["z", "b"], "y")]),
        ("hard_sigmoid", [("Add", ["z", "three"], "s"), ("Clip", ["s", "zero", "six"], "c"),
                          ("Mul", ["c", "f"], "y")]),
    ],
)  # fmt: skip
def test_factors_of_a_norm_inside_of_an_activation(activation, nodes):
    numbers = {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}
    net = read(nodes, f=VECTOR[0], **numbers)
    assert net.layers[0].activation == activation
    assert [layer.kind for layer in net.layers] == ["dense", "dense"]


def test_layer_norm_and_gelu_of_tensorflow():
    """As tf2onnx 1.17 and Keras 3.15 write them; no runtime has Erfc."""
    nodes = [
        ("Gemm", ["x", "w"], "a", {"transB": 1}),
        ("ReduceMean", ["a"], "mean", {"axes": [1], "keepdims": 1}),
        ("Neg", ["mean"], "negative"),
        ("Sub", ["a", "mean"], "centered"),
        ("Mul", ["centered", "centered"], "square"),
        ("ReduceMean", ["square"], "variance", {"axes": [1], "keepdims": 1}),
        ("Add", ["variance", "eps"], "sum"),
        ("Sqrt", ["sum"], "root"),
        ("Reciprocal", ["root"], "reciprocal"),
        ("Mul", ["reciprocal", "gamma"], "factors"),
        ("Mul", ["a", "factors"], "scaled"),
        ("Mul", ["negative", "factors"], "moved"),
        ("Add", ["moved", "beta"], "offset"),
        ("Add", ["scaled", "offset"], "z"),
    ]
    gelu = [
        ("Mul", ["half", "z"], "first"),
        ("Neg", ["z"], "other"),
        ("Mul", ["other", "root_half"], "argument"),
        ("Erfc", ["argument"], "erfc"),
        ("Mul", ["first", "erfc"], "y"),
    ]
    wide = W
    constants = {
        "w": wide,
        "gamma": np.float32([[1.5, -2, 1, 0.5, 3]]),
        "beta": np.float32([[0.5, 1, -1, 2, 0]]),
        "eps": np.float32(1e-3),
        "half": np.float32(0.5),
        "root_half": np.float32(0.5**0.5),
    }

    def model(described):
        written = [
            helper.make_node(operator, inputs, [output], **dict(*options))
            for operator, inputs, output, *options in described
        ]
        return made(written, constants, units=5)

    net = agree(model([*nodes, ("Identity", ["z"], "y")]))
    assert [layer.kind for layer in net.layers] == ["dense", "layer_norm"]
    assert net.layers[1].description.eps == 1e-3
    np.testing.assert_array_equal(net.layers[1].weights, constants["gamma"][0])
    np.testing.assert_array_equal(net.layers[1].biases, constants["beta"][0])
    net = cg.exchange.from_onnx(model([*nodes, *gelu]))
    assert net.layers[1].activation == "gelu"


@pytest.mark.slow
@pytest.mark.parametrize("exporter", ["keras", "tf2onnx"])
def test_models_of_tensorflow(tmp_path, exporter):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf = pytest.importorskip("tensorflow", reason="a peer that is not installed")
    tf2onnx = pytest.importorskip("tf2onnx", reason="a peer that is not installed")
    keras = pytest.importorskip("keras", reason="a peer that is not installed")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras runs on another backend in this process")
    random = np.random.default_rng(0)
    X = random.normal(size=(9, 4)).astype(np.float32)
    spec = [tf.TensorSpec((None, 4), tf.float32)]
    for name in (
        "relu", "leaky_relu", "elu", "selu", "silu", "mish", "softplus", "softsign", "hard_tanh",
        "hard_sigmoid", "sigmoid", "tanh", "exponential",
    ):  # fmt: skip
        layers = [keras.layers.Dense(5, name), keras.layers.BatchNormalization()]
        layers += [keras.layers.Dropout(0.5), keras.layers.LayerNormalization()]
        layers += [keras.layers.Dense(5, name), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.layers.Input((4,)), *layers])
        expected = model(X).numpy()  # Keras exports models that have computed something
        path = str(tmp_path / f"{name}.onnx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if exporter == "keras":
                model.export(path, format="onnx", verbose=False)
            else:
                function = tf.function(lambda x, m=model: m(x, training=False), spec)
                tf2onnx.convert.from_function(function, spec, opset=17, output_path=path)
        np.testing.assert_allclose(
            cg.exchange.from_onnx(path).forward(X), expected, atol=1e-6, err_msg=name
        )
