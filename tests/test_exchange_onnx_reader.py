"""Networks of ONNX models."""

import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.network.activations import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
ort = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from test_exchange import deep  # noqa: E402
from test_exchange_onnx import chosen  # noqa: E402


def bits(net):
    """Return the arrays in their order; dropout is left out, so that indices differ."""
    return [
        (name.rpartition("_")[0], array.dtype, array.tobytes())
        for name, array in net.arrays().items()
    ]


def round_trip(net, tmp_path):
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    other = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert bits(other) == bits(net)
    assert other.loss == net.loss
    assert other.classes == net.classes
    X = np.random.default_rng(5).normal(size=(20, net.inputs)).astype(net.dtype)
    assert other.forward(X).tobytes() == net.forward(X).tobytes()
    return other


def run(model, X):
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: X})


def made(nodes, constants, *, units=2, inputs=3, opset=13, dtype=TensorProto.FLOAT):
    """Make a model from x to y."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", dtype, ["n", inputs])],
        [helper.make_tensor_value_info("y", dtype, ["n", units])],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )
    domains = {each.domain for each in nodes}
    imports = [helper.make_opsetid(each, opset if each == "" else 3) for each in {"", *domains}]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def agree(model, *, rtol=1e-5, **arguments):
    net = cg.exchange.from_onnx(model, **arguments)
    X = np.random.default_rng(1).normal(size=(9, net.inputs)).astype(net.dtype)
    np.testing.assert_allclose(net.forward(X), run(model, X)[0], rtol=rtol, atol=1e-6)
    return net


#: Seconds long: PyTorch's own exporter.
DYNAMO = pytest.param(True, 20, marks=pytest.mark.slow)
W = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
B = np.float32([0.5, -0.25])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_output", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_come_back(tmp_path, name, is_output, dtype):
    layers = [cg.Dense(5, chosen(name))]
    loss = {"softmax": "cross_entropy", "exp": "poisson"}.get(name, "mse")
    if not is_output:
        if name == "softmax":
            pytest.skip("an output activation")
        layers, loss = [*layers, cg.Dense(2, use_bias=False)], "mse"
    net = cg.Network(3, layers, loss=loss, dtype=dtype, rng=0)
    other = round_trip(net, tmp_path)
    assert other.layers[0].activation == net.layers[0].activation


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_sums_scales_and_classes_come_back(tmp_path, dtype):
    net = deep(dtype)
    net.classes = ("a", "b", "c")
    other = round_trip(net, tmp_path)
    kinds = [layer.kind for layer in net.layers if layer.kind != "dropout"]
    assert [layer.kind for layer in other.layers] == kinds


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
def test_scaling_layers_come_back(tmp_path, dtype, scaled):
    layers = [cg.Scaling(), cg.Scaling("hard_sigmoid"), cg.Dense(4, "sine"), cg.Scaling("tanh")]
    net = cg.Network(3, [*layers, cg.Dense(2)], loss="mse", dtype=dtype, rng=0)
    for index in (0, 1, 3):
        net.layers[index].weights = np.linspace(0.5, 2, net.layers[index].weights.size)
    if scaled:
        net.set_standardization([1.0, 0.1, 2], [3, 0.3, 1e-3])
    other = round_trip(net, tmp_path)
    assert [layer.kind for layer in other.layers] == [layer.kind for layer in net.layers]


def test_blocks_side_by_side_and_inside_each_other_come_back(tmp_path):
    inner = cg.Residual([cg.LayerNorm(), cg.Dense(4, "silu"), cg.Dense(4)])
    block = cg.Residual([inner, cg.BatchNorm("mish"), cg.Dense(4)], "gelu")
    layers = [cg.Dense(4), cg.Residual([block]), inner, cg.Dense(1)]
    for dtype in ("float32", "float64"):
        net = cg.Network(3, layers, loss="mse", dtype=dtype, rng=0)
        other = round_trip(net, tmp_path)
        assert [each.kind for each in other.layers] == [each.kind for each in net.layers]


@pytest.mark.parametrize("classes", [None, ("no", "yes")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_classes_come_back(tmp_path, dtype, classes):
    layers = [cg.Dense(4, "tanh"), cg.Dense(1, "sigmoid")]
    net = cg.Network(3, layers, loss="binary_cross_entropy", dtype=dtype, rng=0)
    net.classes = classes
    round_trip(net, tmp_path)


def test_several_labels_and_scores_come_back(tmp_path):
    net = cg.Network(3, [cg.Dense(3, "sigmoid")], loss="binary_cross_entropy", rng=0)
    round_trip(net, tmp_path)
    net = cg.Network(3, [cg.Dense(3)], loss="hinge", rng=0)
    net.classes = ("a", "b", "c")
    round_trip(net, tmp_path)


@pytest.mark.parametrize("shape", [(2,), (1, 2), (1,), (), (1, 1)])
@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm(shape, transposed):
    biases = np.resize(B, shape)
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], alpha=0.5, beta=2.0, transB=transposed)
    net = agree(made([node], {"w": W if transposed else W.T, "c": biases}))
    np.testing.assert_array_equal(net.layers[0].weights, W * np.float32(0.5))


def test_biases_for_each_row_are_refused():
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], name="first")
    model = made([node], {"w": W.T, "c": np.ones((4, 1), np.float32)})
    with pytest.raises(ValueError, match=r"node 'first' \(Gemm\) is with a constant of shape"):
        cg.exchange.from_onnx(model)


def test_matmul_and_add_dropout_identity_flatten():
    nodes = [
        helper.make_node("Flatten", ["x"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Add", ["c", "b"], ["d"]),
        helper.make_node("Dropout", ["d"], ["e"]),
        helper.make_node("Identity", ["e"], ["f"]),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    net = agree(made(nodes, {"w": W.T, "c": B}))
    assert net.layers[0].activation == "relu"
    assert net.layers[0].biases.tolist() == B.tolist()


def test_norms_of_others():
    vectors = {name: np.float32([1.5, -2]) * scale for scale, name in enumerate("sbm", 1)}
    vectors["v"] = np.float32([0.5, 2])
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], transB=1),
        helper.make_node("BatchNormalization", ["a", "s", "b", "m", "v"], ["c"], epsilon=1e-3),
        helper.make_node("LayerNormalization", ["c", "s", "b"], ["y"], epsilon=1e-4),
    ]
    net = agree(made(nodes, {"w": W, **vectors}, opset=17))
    assert [layer.kind for layer in net.layers] == ["dense", "batch_norm", "layer_norm"]
    assert [layer.description.eps for layer in net.layers[1:]] == [1e-3, 1e-4]


@pytest.mark.parametrize(
    ("opset", "nodes", "expected"),
    [
        (13, [("Sigmoid", ["a"], "b"), ("Mul", ["b", "a"], "y")], "silu"),
        (13, [("Softplus", ["a"], "b"), ("Tanh", ["b"], "d"), ("Mul", ["a", "d"], "y")], "mish"),
        (13, [("LeakyRelu", ["a"], "y", {"alpha": 0.3})], "leaky_relu(slope=0.3)"),
        (13, [("LeakyRelu", ["a"], "y")], "leaky_relu"),
        (13, [("PRelu", ["a", "quarter"], "y")], "leaky_relu(slope=0.25)"),
        (13, [("Elu", ["a"], "y", {"alpha": 0.3})], "elu(alpha=0.3)"),
        (13, [("Selu", ["a"], "y")], "selu"),
        (13, [("Sin", ["a"], "y")], "sine"),
        (13, [("HardSigmoid", ["a"], "y", {"alpha": 1 / 6})], "hard_sigmoid"),
        (13, [("Softmax", ["a"], "y", {"axis": 1})], "softmax"),
        (11, [("Softmax", ["a"], "y")], "softmax"),
        (
            13,
            [
                ("Add", ["a", "three"], "b"),
                ("Clip", ["b", "zero", "six"], "d"),
                ("Mul", ["d", "sixth"], "y"),
            ],
            "hard_sigmoid",
        ),
        (13, [("Min", ["a", "one"], "b"), ("Max", ["b", "minus"], "y")], "hard_tanh"),
        (20, [("Gelu", ["a"], "y")], "gelu"),
        (20, [("Gelu", ["a"], "y", {"approximate": "tanh"})], "gelu_tanh"),
        (18, [("Mish", ["a"], "y")], "mish"),
    ],
)
def test_operators_of_others(opset, nodes, expected):
    made_nodes = [helper.make_node("Gemm", ["x", "w", "c"], ["a"], transB=1)]
    for operator, inputs, output, *options in nodes:
        made_nodes.append(helper.make_node(operator, inputs, [output], **dict(*options)))
    constants = {"w": W, "c": B, "quarter": np.float32([0.25])}
    numbers = {"zero": 0, "one": 1, "minus": -1, "three": 3, "six": 6, "sixth": 1 / 6}
    constants |= {name: np.float32(number) for name, number in numbers.items()}
    net = agree(made(made_nodes, constants, opset=opset))
    assert str(net.layers[0].activation) == expected


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Conv", ["x", "w"], "y")], r"node 'n0' \(Conv\)"),
        ([("Gemm", ["x", "w"], "a"), ("HardSigmoid", ["a"], "y")], r"'n1' \(HardSigmoid\)"),
        ([("Gemm", ["x", "w"], "a"), ("Softmax", ["a"], "y", {"axis": 0})], r"'n1' \(Softmax\)"),
        ([("Gemm", ["w", "x"], "y")], r"'n0' \(Gemm\) is no layer with constant weights"),
        ([("Gemm", ["x", "w"], "a"), ("Add", ["a", "a"], "y")], r"'n1' \(Add\) is a sum"),
        (
            [("Gemm", ["x", "w"], "a"), ("Tanh", ["a"], "b"), ("Abs", ["a"], "y")],
            r"'n2' \(Abs\) is a branch beside 'n1' \(Tanh\)",
        ),
        ([("Gemm", ["x", "w"], "a"), ("ArgMax", ["a"], "y")], r"'n1' \(ArgMax\) is no decision"),
        ([("Gemm", ["x", "w"], "y"), ("Tanh", ["w"], "b")], r"'n1' \(Tanh\) is not part"),
        ([("Gemm", ["x", "w"], "a"), ("Cast", ["a"], "y", {"to": 7})], r"'n1' .*int64"),
        ([("Gemm", ["x"], "y")], r"'n0' \(Gemm\) is incomplete"),
        (
            [("Relu", ["x"], "a"), ("Abs", ["x"], "b"), ("Div", ["a", "b"], "y")],
            r"'n1' \(Abs\) is a branch beside 'n0' \(Relu\)",
        ),
    ],
)
def test_other_graphs_are_refused_by_name(nodes, message):
    made_nodes = [
        helper.make_node(operator, inputs, [output], name=f"n{index}", **dict(*options))
        for index, (operator, inputs, output, *options) in enumerate(nodes)
    ]
    model = made(made_nodes, {"w": W.T})
    with pytest.raises(ValueError, match=message):
        cg.exchange.from_onnx(model)


def test_inputs_of_more_dimensions_must_be_flattened():
    weights = np.random.default_rng(3).normal(size=(2, 12)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["x"], ["a"]),
        helper.make_node("Gemm", ["a", "w"], ["y"], transB=1),
    ]
    model = made(nodes, {"w": weights})
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4])
    model.graph.input[0].CopyFrom(entry)
    assert cg.exchange.from_onnx(model).inputs == 12
    model.graph.node[0].op_type = "Softmax"
    with pytest.raises(ValueError, match=r"\(Softmax\) is applied to an input that has not been"):
        cg.exchange.from_onnx(model)


def test_momentum_of_batch_norm_comes_back(tmp_path):
    net = cg.Network(3, [cg.Dense(4), cg.BatchNorm(momentum=0.03), cg.Dense(1)], rng=0, loss="mse")
    assert round_trip(net, tmp_path).layers[1].description.momentum == 0.03


def test_outputs_of_hidden_layers_need_lossy():
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["y"]),
    ]
    model = made(nodes, {"w": W.T, "v": np.eye(2, dtype=np.float32)})
    model.graph.output.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, ["n", 2]))
    with pytest.raises(ValueError, match="the output 'b' of a hidden layer, expected lossy=True"):
        cg.exchange.from_onnx(model)
    agree(model, lossy=True)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("ArgMax", ["a"], {"axis": 1})], "by the largest output, which the loss mse does not"),
        (
            [("Sigmoid", ["a"], {}), ("ArgMax", ["n0"], {"axis": 1})],
            "by the largest output, which the loss binary_cross_entropy does not",
        ),
        (
            [("Softmax", ["a"], {}), ("Greater", ["n0", "half"], {})],
            "by outputs above 0.5, which the loss cross_entropy does not",
        ),
    ],
)
def test_other_decisions_than_those_of_the_loss_are_refused(nodes, message):
    made_nodes = [helper.make_node("Gemm", ["x", "w"], ["a"], name="g")]
    for index, (operator, inputs, options) in enumerate(nodes):
        output = "y" if index == len(nodes) - 1 else f"n{index}"
        made_nodes.append(helper.make_node(operator, inputs, [output], **options))
    model = made(made_nodes, {"w": W.T, "half": np.float32(0.5)})
    with pytest.raises(ValueError, match=message):
        cg.exchange.from_onnx(model)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("ArgMax", ["p"], {"axis": 1}), ("Cast", ["n0"], {"to": TensorProto.INT8})],
         r"'n1' \(Cast\) is a conversion of the indices of classes to int8"),
        ([("ArgMax", ["p"], {"axis": 1}), ("Cast", ["n0"], {"to": TensorProto.BOOL})],
         r"'n1' \(Cast\) is a conversion of the indices of classes to bool"),
        ([("Identity", ["p"], {}), ("Cast", ["p"], {"to": TensorProto.INT64})],
         r"'n1' \(Cast\) is a conversion of the outputs to int64"),
        ([("ArgMax", ["p"], {"axis": 1}), ("Reshape", ["n0", "row"], {})],
         r"'n1' \(Reshape\) is a change of the indices of classes to the shape \[1, -1\]"),
        ([("Identity", ["p"], {}), ("Reshape", ["p", "flat"], {})],
         r"'n1' \(Reshape\) is a change of the outputs to the shape \[-1\]"),
        ([("ArgMax", ["p"], {"axis": 1}), ("Squeeze", ["n0"], {"axes": [0]})],
         r"'n1' \(Squeeze\) is a removal of the axes \[0\] of the indices"),
        ([("ArgMax", ["p"], {"axis": 1}), ("Squeeze", ["n0"], {})],
         r"'n1' \(Squeeze\) is a removal of the axes None"),
        ([("ArgMax", ["p"], {"axis": 1}), ("ArgMax", ["n0"], {"axis": 1})],
         r"'n1' \(ArgMax\) is no decision"),
    ],
)  # fmt: skip
def test_endings_that_change_the_outputs_are_refused(nodes, message):
    made_nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Softmax", ["a"], ["p"], axis=1),
    ]
    for index, (operator, inputs, options) in enumerate(nodes):
        output = "y" if index == len(nodes) - 1 else f"n{index}"
        made_nodes.append(helper.make_node(operator, inputs, [output], name=f"n{index}", **options))
    model = made(made_nodes, {"w": W.T, "row": np.array([1, -1]), "flat": np.array([-1])}, opset=11)
    model.graph.output.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2]))
    if nodes[0][0] == "Identity":
        model.graph.output.append(helper.make_tensor_value_info("n0", TensorProto.FLOAT, ["n", 2]))
    with pytest.raises(ValueError, match=message):
        cg.exchange.from_onnx(model)


def test_endings_that_change_the_shape_of_labels_only():
    made_nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Softmax", ["a"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["i"], axis=1),
        helper.make_node("Cast", ["i"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Squeeze", ["c"], ["s"], axes=[1]),
        helper.make_node("Reshape", ["s", "column"], ["y"]),
    ]
    model = made(made_nodes, {"w": W.T, "column": np.array([-1, 1])}, opset=11, units=1)
    X = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    net = cg.exchange.from_onnx(model)
    np.testing.assert_array_equal(net.predict(X), run(model, X)[0][:, 0])


def test_a_single_output_without_its_axis():
    made_nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Squeeze", ["a"], ["y"], axes=[1]),
    ]
    model = made(made_nodes, {"w": W.T[:, :1]}, opset=11)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"]))
    X = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_allclose(
        cg.exchange.from_onnx(model).forward(X)[:, 0], run(model, X)[0], rtol=1e-5
    )
    made_nodes[1].attribute[0].ints[0] = 0
    model = made(made_nodes, {"w": W.T}, opset=11)
    with pytest.raises(ValueError, match=r"\(Squeeze\) is a removal of the axes \[0\]"):
        cg.exchange.from_onnx(model)


def test_largest_of_linear_outputs_with_a_loss():
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("ArgMax", ["a"], ["y"], axis=1, keepdims=0),
    ]
    model = made(nodes, {"w": W.T})
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.INT64, ["n"]))
    X = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    for loss, activation in (("cross_entropy", "softmax"), ("hinge", "identity")):
        net = cg.exchange.from_onnx(model, loss=loss)
        assert net.layers[0].activation == activation
        np.testing.assert_array_equal(net.predict(X), run(model, X)[0])


def test_old_opsets_are_refused():
    model = made([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": W.T}, opset=6)
    with pytest.raises(ValueError, match="has opset 6, expected 7 or a later one"):
        cg.exchange.from_onnx(model)


def test_sizes_are_bounded(tmp_path, monkeypatch):
    from cygrad.exchange.onnx import runtime

    model = made([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": W.T})
    onnx.save(model, tmp_path / "net.onnx")
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save(model, tmp_path / "split.onnx", **options)
    assert cg.exchange.from_onnx(tmp_path / "split.onnx").inputs == 3
    monkeypatch.setattr(runtime, "MAX_BYTES", 20)
    with pytest.raises(ValueError, match=r"net.onnx' has more than 20 bytes, the limit"):
        cg.exchange.from_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "split.onnx", load_external_data=False)
    with pytest.raises(ValueError, match="has more than 20 bytes of parameters beside it"):
        runtime._check_external(model, str(tmp_path), "'split.onnx'")


def test_external_data_only_beside_the_file(tmp_path):
    model = made([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": W.T})
    folder = tmp_path / "models"
    folder.mkdir()
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save(model, folder / "net.onnx", **options)
    net = cg.exchange.from_onnx(folder / "net.onnx")
    np.testing.assert_array_equal(net.layers[0].weights, W)
    loose = onnx.load(folder / "net.onnx", load_external_data=False)
    with pytest.raises(ValueError, match="constant 'w' is in another file"):
        cg.exchange.from_onnx(loose)
    (tmp_path / "outside.bin").write_bytes((folder / "w.bin").read_bytes())
    loose.graph.initializer[0].external_data[0].value = "../outside.bin"
    (folder / "net.onnx").write_bytes(loose.SerializeToString())
    with pytest.raises(ValueError, match=r"net\.onnx'"):
        cg.exchange.from_onnx(folder / "net.onnx")


def test_the_size_of_constants_beside_the_file_is_bounded(tmp_path, monkeypatch):
    from cygrad.exchange.onnx import runtime

    tensor = numpy_helper.from_array(W.T, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", "length": str(W.nbytes)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (tmp_path / "w.bin").write_bytes(np.ascontiguousarray(W.T).tobytes())
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor)]
    nodes.append(helper.make_node("Gemm", ["x", "w"], ["y"]))
    (tmp_path / "net.onnx").write_bytes(made(nodes, {}).SerializeToString())
    net = cg.exchange.from_onnx(tmp_path / "net.onnx")
    np.testing.assert_array_equal(net.layers[0].weights, W)
    model = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    monkeypatch.setattr(runtime, "MAX_BYTES", W.nbytes - 1)
    with pytest.raises(ValueError, match="bytes of parameters beside it"):
        runtime._check_external(model, str(tmp_path), "'net.onnx'")


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    cg.exchange.to_onnx(deep("float32"), path)
    data = path.read_bytes()
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"net\.onnx'"):
            cg.exchange.from_onnx(path)
    with pytest.raises(TypeError, match="path_or_model is int"):
        cg.exchange.from_onnx(3)


def test_shapes_that_lie_are_refused():
    model = made([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": W.T})
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**40, 2**40])
    with pytest.raises(ValueError, match="constant 'w'"):
        cg.exchange.from_onnx(model)


@pytest.mark.parametrize("zipmap", [False, True])
@pytest.mark.parametrize("kind", ["three", "two", "words", "labels", "regressor"])
def test_models_of_skl2onnx(kind, zipmap):
    skl2onnx = pytest.importorskip("skl2onnx", reason="a peer that is not installed")
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).normal(2, 3, size=(60, 4)).astype(np.float32)
    y = (X[:, 0] > 2).astype(int) + (X[:, 1] > 3)
    targets = {
        "three": y,
        "two": y > 0,
        "words": np.array(["a", "b", "c"])[y],
        "labels": np.stack([y > 0, y > 1], axis=1).astype(int),
        "regressor": X[:, 0],
    }[kind]
    estimator = MLPRegressor if kind == "regressor" else MLPClassifier
    estimator = estimator(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = make_pipeline(StandardScaler(), estimator).fit(X, targets)
        options = {id(pipeline): {"zipmap": zipmap}} if kind != "regressor" else None
        model = skl2onnx.to_onnx(pipeline, X[:1], options=options)
    net = cg.exchange.from_onnx(model)
    if kind == "regressor":
        np.testing.assert_allclose(net.forward(X)[:, 0], pipeline.predict(X), atol=1e-5)
        return
    expected = pipeline.predict_proba(X)
    outputs = net.forward(X)
    np.testing.assert_allclose(outputs, expected[:, 1:] if kind == "two" else expected, atol=1e-5)
    names = {"three": ("0", "1", "2"), "words": ("a", "b", "c"), "labels": None}
    if kind == "two":
        assert len(net.classes) == 2
    else:
        assert net.classes == names[kind]


def test_outputs_one_below_the_other_are_refused():
    """skl2onnx 1.20 gives the predictions of several targets the shape (2 n, 1)."""
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["y"], name="last"),
    ]
    model = made(nodes, {"w": W.T, "shape": np.array([-1, 1])})
    with pytest.raises(ValueError, match=r"node 'last' \(Reshape\) is of another shape"):
        cg.exchange.from_onnx(model)


@pytest.mark.parametrize(("dynamo", "opset"), [(False, 13), (False, 20), DYNAMO])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_models_of_pytorch(tmp_path, dtype, dynamo, opset):
    torch = pytest.importorskip("torch", reason="a peer that is not installed")
    if dynamo:
        pytest.importorskip("onnxscript", reason="PyTorch's exporter needs it")
    nn = torch.nn
    functions = [
        nn.SiLU(), nn.GELU(), nn.Tanh(), nn.LeakyReLU(0.2), nn.ELU(0.5), nn.Softsign(), nn.ReLU(),
        nn.Sigmoid(), nn.Softplus(), nn.SELU(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Mish(),
        nn.GELU(approximate="tanh"),
    ]  # fmt: skip
    layers = [nn.Flatten(), nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5)]
    for function in functions:
        layers += [nn.Linear(6, 6), function]
    module = nn.Sequential(*layers, nn.LayerNorm(6), nn.Linear(6, 3, bias=False), nn.Softmax(1))
    module = module.to(getattr(torch, dtype)).eval()
    X = torch.randn(9, 4, dtype=getattr(torch, dtype), generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"dynamo": dynamo, "opset_version": opset}
        torch.onnx.export(module, (X,), tmp_path / "net.onnx", **options)
    net = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert net.dtype == dtype
    dense = [layer for layer in net.layers if layer.kind == "dense"]
    linear = [each for each in module if isinstance(each, nn.Linear)]
    for ours, theirs in list(zip(dense, linear, strict=True))[1:]:
        np.testing.assert_array_equal(ours.weights, theirs.weight.detach().numpy())
    expected = module(X).detach().numpy()
    np.testing.assert_allclose(net.forward(X.numpy()), expected, rtol=200 * np.finfo(dtype).eps)


def test_models_of_keras(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="a peer that is not installed")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="a peer that is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend in this process")
    names = ["relu", "silu", "gelu", "elu", "selu", "softplus", "softsign", "sigmoid", "tanh"]
    names += ["hard_sigmoid", "mish", "exponential"]
    layers = [keras.layers.Dense(5, name) for name in names]
    layers += [keras.layers.BatchNormalization(), keras.layers.LeakyReLU(0.2)]
    model = keras.Sequential([keras.layers.Input((4,)), *layers, keras.layers.Dense(3, "softmax")])
    X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    net = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert str(net.layers[10].activation) == "mish"
    np.testing.assert_array_equal(
        net.layers[0].weights, keras.ops.convert_to_numpy(model.layers[0].kernel).T
    )
    np.testing.assert_allclose(net.forward(X), expected, rtol=1e-5, atol=1e-6)
