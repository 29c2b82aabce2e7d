"""The columns of a table in ONNX models, and back."""

import json
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.tables import Encoder

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
from test_exchange import mixed_table  # noqa: E402


def fitted(dtype="float64", target="price", **arguments):
    table = mixed_table()
    encoder = Encoder(target, dtype=dtype, **arguments).fit(table)
    output = cg.Dense(encoder.outputs, "softmax" if encoder.classes else "identity")
    loss = "cross_entropy" if encoder.classes else "mse"
    layers = [cg.Dense(5, "tanh"), output]
    net = cg.Network(encoder.inputs, layers, loss=loss, dtype=dtype, rng=0)
    net.encoder = encoder
    return net, table


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("numbers", ["standard", "robust", "none"])
@pytest.mark.parametrize("scale", ["standard", "log", "log1p", "none"])
def test_columns_and_units_come_back(tmp_path, scale, numbers, dtype):
    net, table = fitted(dtype, target_scale=scale, numbers=numbers)
    if numbers == "standard":  # both scalings
        net.standardize_inputs(net.encoder.transform(table) * 3 + 1)
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert other.encoder.config() == net.encoder.config()
    assert other.encoder.columns == net.encoder.columns
    assert other.parameters.tobytes() == net.parameters.tobytes()
    assert [each.activation for each in other.layers] == ["tanh", "identity"]
    np.testing.assert_allclose(other.predict(table), net.predict(table), rtol=1e-12)
    if net.input_mean is None:
        np.testing.assert_array_equal(other.predict(table), net.predict(table))


def test_classes_of_a_column_come_back(tmp_path):
    net, table = fitted("float32", target="flag", task="classification")
    cg.exchange.to_onnx(net, tmp_path / "net.onnx")
    other = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert other.encoder.config() == net.encoder.config()
    np.testing.assert_array_equal(other.predict(table), net.predict(table))
    with pytest.raises(ValueError, match=r"has the names 0, 1; expected None"):
        cg.exchange.from_onnx(tmp_path / "net.onnx", classes=["c", "d"])


def changed(path, change):
    """Change the metadata of a model, or its graph."""
    model = onnx.load(path)
    described = json.loads(model.metadata_props[0].value)
    change(model.graph, described)
    model.metadata_props[0].value = json.dumps(described)
    onnx.save(model, path)


@pytest.mark.parametrize("which", ["mean", "divisor", "deviation", "operator", "encoder"])
def test_the_graph_decides_if_the_metadata_differ(tmp_path, which):
    net, table = fitted()
    path = tmp_path / "net.onnx"
    cg.exchange.to_onnx(net, path)
    before = cg.exchange.from_onnx(path)

    def change(graph, described):
        if which == "encoder":
            described["encoder"]["columns"][0]["scaling"]["center"] += 0.5
            return
        if which == "operator":
            graph.node[1].op_type = "Mul"
            return
        for each in graph.initializer:
            if each.name.endswith(which):
                values = 1.5 * onnx.numpy_helper.to_array(each)
                each.CopyFrom(onnx.numpy_helper.from_array(values, each.name))
                return
        raise AssertionError(which)

    changed(path, change)
    with pytest.warns(UserWarning, match="other operators than the encoder in its metadata"):
        other = cg.exchange.from_onnx(path)
    assert other.encoder is None
    assert before.encoder is not None
    X = np.column_stack([table[name] for name in net.encoder.columns])
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    expected = session.run(None, {"input": X})[0]
    np.testing.assert_allclose(other.forward(X), expected, rtol=1e-9)


def test_a_damaged_encoder_is_refused(tmp_path):
    net, _ = fitted()
    path = tmp_path / "net.onnx"
    cg.exchange.to_onnx(net, path)
    changed(path, lambda graph, described: described.update(encoder={"arguments": {}}))
    with pytest.raises(ValueError, match=r"net\.onnx'"):
        cg.exchange.from_onnx(path)


def test_models_without_an_encoder_in_the_metadata_take_numbers(tmp_path):
    net, table = fitted()
    path = tmp_path / "net.onnx"
    cg.exchange.to_onnx(net, path)
    changed(path, lambda graph, described: described.pop("encoder"))
    other = cg.exchange.from_onnx(path)
    X = np.column_stack([table[name] for name in net.encoder.columns])
    np.testing.assert_allclose(other.forward(X)[:, 0], net.predict(table), rtol=1e-12)


def test_booleans_with_a_scale_come_back(tmp_path):
    net, table = fitted(numbers="robust", categories="robust")
    flag = net.encoder.encodings[list(net.encoder.columns).index("flag")]
    assert flag.scaling is not None
    assert cg.exchange.to_onnx(net, tmp_path / "net.onnx").test.passed
    other = cg.exchange.from_onnx(tmp_path / "net.onnx")
    assert other.encoder.config() == net.encoder.config()
    np.testing.assert_array_equal(other.predict(table), net.predict(table))
