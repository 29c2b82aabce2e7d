"""Networks as ONNX models."""

import json

import numpy as np
import pytest

import cygrad as cg
from cygrad.network.activations import ACTIVATIONS
from cygrad.tables import Encoder

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
ort = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from test_exchange import deep, mixed_table  # noqa: E402

PARAMETERS = {"leaky_relu": 0.2, "elu": 0.7, "sine": 3.0}
# The largest errors that were measured, in units in the last place: of values above 1 relative to
# the value, else absolute.
ULPS = 4


def run(path, X):
    session = ort.InferenceSession(path)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"input": X}), strict=True))


def chosen(name):
    return getattr(cg.activations, name)(*([PARAMETERS[name]] if name in PARAMETERS else []))


def numbers(dtype):
    """Numbers from tails, the middle, and near 0."""
    near = np.logspace(-12, 2, 300)
    far = np.array([-750.0, -110, 110, 750])
    return np.concatenate([np.linspace(-60, 60, 2401), near, -near, far]).astype(dtype)[:, None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_output", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(tmp_path, name, is_output, dtype):
    if name == "softmax":
        if not is_output:
            pytest.skip("an output activation")
        layers, loss = [cg.Dense(3, name)], "kl_divergence"
    else:
        layers, loss = [cg.Dense(1, chosen(name))], "mse"
        layers += [] if is_output else [cg.Scaling()]
        loss = "poisson" if name == "exp" and is_output else "mse"
    net = cg.Network(1, layers, loss=loss, dtype=dtype, rng=0)
    net.layers[0].weights = [[1.0], [-1.0], [2.0]] if name == "softmax" else [[1.0]]
    assert cg.exchange.to_onnx(net, tmp_path / "net.onnx").test.passed
    X = numbers(dtype)
    if name == "exp":
        X = X[np.abs(X[:, 0]) < 80]
    if name == "sine":  # ω z is rounded
        X = X[np.abs(X[:, 0]) < 2]
    outputs = run(tmp_path / "net.onnx", X)["output"]
    assert outputs.dtype == dtype
    expected = net.forward(X)
    error = np.abs(outputs.astype(float) - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= ULPS * np.finfo(dtype).eps
    if is_output and name not in ("gaussian", "gelu", "gelu_tanh", "sine"):
        # The digits of the tails stay: no sum is rounded before it becomes small.
        normal = np.abs(expected) > 10 * np.finfo(dtype).tiny
        np.testing.assert_allclose(
            outputs[normal], expected[normal], rtol=ULPS * float(np.finfo(dtype).eps)
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_sums_and_standardised_inputs(tmp_path, dtype):
    net = deep(dtype)
    net.classes = ("a", "b", "c")
    path = tmp_path / "net.onnx"
    test = cg.exchange.to_onnx(net, path).test
    assert test.passed
    assert "onnxruntime" in str(test)
    for rows in (1, 2, 7, 100):
        X = np.random.default_rng(rows).normal(5, 3, (rows, 4)).astype(dtype)
        outputs = run(path, X)
        expected = net.forward(X)
        np.testing.assert_allclose(
            outputs["probabilities"], expected, rtol=0, atol=64 * np.finfo(dtype).eps
        )
        assert outputs["label"].tolist() == [net.classes[each] for each in net.predict(X)]


def test_the_model_is_what_the_documents_say(tmp_path):
    net = deep("float32")
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert (model.ir_version, model.producer_name) == (10, "cygrad")
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 13)]
    assert [each.name for each in model.graph.input] == ["input"]
    assert [each.name for each in model.graph.output] == ["label", "probabilities"]
    for each in (*model.graph.input, *model.graph.output):
        assert each.type.tensor_type.shape.dim[0].dim_param == "n"
    described = json.loads(model.metadata_props[0].value)
    assert described["loss"] == "cross_entropy"
    before = (tmp_path / "net.onnx").read_bytes()
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == before


def test_standardised_inputs_keep_their_digits_in_float32(tmp_path):
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    net.layers[0].weights = [[1.0]]
    net.set_standardization([16_777_214.3], [3.7])
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    X = np.float32([[16_777_214], [16_777_215], [16_777_216]])
    outputs = run(tmp_path / "net.onnx", X)["output"]
    np.testing.assert_array_equal(outputs, net.forward(X))


@pytest.mark.parametrize("classes", [None, ("no", "yes")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_classes_keep_both_tails(tmp_path, dtype, classes):
    layers = [cg.Dense(1, "sigmoid")]
    net = cg.Network(1, layers, loss="binary_cross_entropy", dtype=dtype, rng=0)
    net.layers[0].weights = [[1.0]]
    net.classes = classes
    assert cg.exchange.to_onnx(net, tmp_path / "net.onnx").test.passed
    X = np.array([[-50.0], [-17], [-1], [0], [1], [17], [50]], dtype)
    outputs = run(tmp_path / "net.onnx", X)
    z = X[:, 0].astype(float)
    tails = np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=1)
    np.testing.assert_allclose(outputs["probabilities"], tails, rtol=4 * np.finfo(dtype).eps)
    predicted = net.predict(X).tolist()
    expected = predicted if classes is None else [classes[each] for each in predicted]
    assert outputs["label"].tolist() == expected


def test_several_labels_for_each_row(tmp_path):
    layers = [cg.Dense(3, "sigmoid")]
    net = cg.Network(2, layers, loss="binary_cross_entropy", rng=0)
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    outputs = run(tmp_path / "net.onnx", X)
    np.testing.assert_allclose(outputs["probabilities"], net.forward(X), rtol=1e-6)
    assert outputs["label"].tolist() == (net.forward(X) >= 0.5).astype(int).tolist()


def test_scores_are_not_called_probabilities(tmp_path):
    net = cg.Network(2, [cg.Dense(3)], loss="hinge", rng=0)
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    outputs = run(tmp_path / "net.onnx", X)
    assert list(outputs) == ["label", "scores"]
    assert outputs["label"].tolist() == net.predict(X).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", ["standard", "log", "log1p"])
@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_quantities_in_their_unit(tmp_path, scale, kind, dtype):
    table = mixed_table()
    names = ["price", "weight"] if scale == "standard" else "price"
    encoder = Encoder(names, numbers=kind, target_scale=scale, dtype=dtype).fit(table)
    layers = [cg.Dense(5, "tanh"), cg.Dense(encoder.outputs)]
    net = cg.Network(encoder.inputs, layers, loss="mse", dtype=dtype, rng=0)
    net.encoder = encoder
    assert cg.exchange.to_onnx(net, tmp_path / "net.onnx").test.passed
    X = np.column_stack([table[name] for name in encoder.columns]).astype(dtype)
    rounded = dict(zip(encoder.columns, X.astype(float).T, strict=True))
    expected = np.asarray(net.predict(rounded)).reshape(len(X), -1)
    outputs = run(tmp_path / "net.onnx", X)["output"]
    assert outputs.dtype == np.float64
    atol = 64 * float(np.finfo(dtype).eps) * np.abs(expected).max()
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=atol)


def test_an_encoder_with_words_needs_lossy(tmp_path):
    table = {"word": ["a", "b", "c", "a"], "y": [0.5, 1.5, 2.5, 3.0]}
    encoder = Encoder("y", keep=["word"]).fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    with pytest.raises(ValueError, match="lossy=True"):
        cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()
    cg.exchange.to_onnx(net, tmp_path / "net.onnx", lossy=True)


def test_verify_repeats_the_test(tmp_path):
    from cygrad.exchange.onnx import verify

    net = deep("float64")
    path = tmp_path / "net.onnx"
    test = cg.exchange.to_onnx(net, path).test
    assert verify(path).test == test
    model = onnx.load(path)
    for each in model.graph.initializer:
        if each.name == "layers.0.weight":
            changed = onnx.numpy_helper.to_array(each) * 1.5
            each.CopyFrom(onnx.numpy_helper.from_array(changed, each.name))
    onnx.save(model, path)
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not verify(path).test.passed
    model.metadata_props.pop()
    onnx.save(model, path)
    with pytest.raises(ValueError, match="holds no samples"):
        verify(path)
    path.write_bytes(b"\xff\xff no model")
    with pytest.raises(ValueError, match="no ONNX file"):
        verify(path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_the_runtime_the_reference_evaluator_tests(tmp_path, monkeypatch, dtype):
    """Its batch norms, which are in float32 only, would mix in the statistics of the samples."""
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    test = cg.exchange.to_onnx(deep(dtype), tmp_path / "net.onnx").test
    assert test.passed
    assert str(test).startswith(f"onnx {onnx.__version__}: ")


def test_parameters_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
    monkeypatch.setattr(cg.Network, "arrays", lambda self: {"biases_0": np.array([np.nan])})
    with pytest.raises(ValueError, match=r"layers\[0\].biases holds NaN or infinity"):
        cg.exchange.to_onnx(net, tmp_path / "net.onnx")
