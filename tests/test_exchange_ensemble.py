"""Ensembles in ONNX models; the other formats refuse them."""

import numpy as np
import pytest
from networks import small_network, units_for

import cygrad as cg
from cygrad import exchange

RNG = np.random.default_rng(4)
X = RNG.standard_normal((40, 4))


def members(loss, units=3, dtypes=("float32", "float32", "float32"), activation=None):
    return [
        small_network(4, 5, units_for(loss, units), loss, activation, rng=seed, dtype=dtype)
        for seed, dtype in enumerate(dtypes)
    ]


def outputs_of(path, X):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[entry.type]
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"input": X.astype(dtype)}), strict=True))


@pytest.mark.parametrize("dtypes", [("float32",) * 3, ("float64", "float32")], ids=str)
@pytest.mark.parametrize(
    ("loss", "units", "name"),
    [
        ("cross_entropy", 3, "probabilities"),
        ("binary_cross_entropy", 1, "probabilities"),
        ("binary_cross_entropy", 3, "probabilities"),
        ("hinge", 3, "scores"),
        ("mse", 2, "output"),
        ("poisson", 1, "output"),
    ],
)
def test_onnx_computes_the_means(loss, units, name, dtypes, tmp_path):
    pytest.importorskip("onnx")
    both = cg.Ensemble(members(loss, units, dtypes))
    both.members[1].standardize_inputs(X * 3 + 1)
    path = tmp_path / "ensemble.onnx"
    assert exchange.to_onnx(both, path).test.passed
    found = outputs_of(path, X)
    expected = both.forward(X)
    if loss == "binary_cross_entropy" and units == 1:
        expected = np.hstack([1 - expected, expected])
    np.testing.assert_allclose(found[name], expected, rtol=2e-6, atol=1e-6)
    if name != "output":
        assert (found["label"] == both.predict(X)).all()


def test_names_of_classes_and_quantities_are_those_of_predict(tmp_path):
    pytest.importorskip("onnx")
    table = {"a": RNG.random(60), "b": RNG.random(60)}
    table |= {"kind": np.array(["x", "y", "z"])[RNG.integers(3, size=60)]}
    table["weight"] = 20 + 100 * table["a"]
    for target, loss, layer in (
        ("kind", "cross_entropy", cg.Dense(3, "softmax")),
        ("weight", "mse", cg.Dense(1)),
    ):
        columns = {name: table[name] for name in ("a", "b", target)}
        encoder = cg.tables.Encoder(target=target).fit(columns)
        nets = []
        for seed in range(3):
            nets.append(cg.Network(2, [layer], loss=loss, rng=seed))
            nets[-1].encoder = encoder
        both, path = cg.Ensemble(nets), tmp_path / f"{target}.onnx"
        assert exchange.to_onnx(both, path).test.passed
        found = outputs_of(path, np.column_stack([table["a"], table["b"]]))
        if target == "kind":
            assert (found["label"] == both.predict(columns)).all()
        else:
            predicted = both.predict(columns)
            np.testing.assert_allclose(found["output"][:, 0], predicted, rtol=1e-5)


def test_the_model_of_an_ensemble_is_verified_and_not_read_as_a_network(tmp_path):
    pytest.importorskip("onnx")
    from cygrad.exchange.onnx import runtime

    path = tmp_path / "ensemble.onnx"
    exchange.to_onnx(cg.Ensemble(members("mse")), path)
    assert runtime.verify(path).test.passed
    with pytest.raises(ValueError, match=r"ensemble\.onnx"):
        exchange.from_onnx(path)


@pytest.mark.parametrize(
    ("write", "library"),
    [("to_safetensors", "safetensors"), ("to_c", None), ("to_torch_file", "torch")],
)
def test_other_formats_refuse_an_ensemble(write, library, tmp_path):
    if library is not None:
        pytest.importorskip(library)
    both = cg.Ensemble(members("mse"))
    with pytest.raises(TypeError, match="net is Ensemble, expected a Network"):
        getattr(exchange, write)(both, tmp_path / "file.h")
    assert list(tmp_path.iterdir()) == []
