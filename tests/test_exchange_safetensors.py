"""Networks as safetensors files."""

import json
from contextlib import suppress

import numpy as np
import pytest

import cygrad as cg
from cygrad.tables import Encoder

safetensors = pytest.importorskip("safetensors", reason="needs the extra safetensors")
from safetensors import numpy as safe  # noqa: E402
from test_exchange import deep  # noqa: E402


def bits(net: cg.Network) -> bytes:
    return b"".join(array.tobytes() for array in net.arrays().values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_comes_back_with_all_its_bits(tmp_path, dtype):
    net = deep(dtype)
    net.classes = ("a", "b", "c")
    path = tmp_path / "net.safetensors"
    test = cg.exchange.to_safetensors(net, path).test
    assert test.difference == 0
    other = cg.exchange.from_safetensors(path)
    assert bits(other) == bits(net)
    assert other.config() == net.config()
    before = path.read_bytes()
    cg.exchange.to_safetensors(other, path)
    assert path.read_bytes() == before


def test_the_encoder_goes_along(tmp_path):
    table = {"word": ["a", "b", "c", "a"], "size": [1.0, np.nan, 2.0, 5.0], "y": [1.5, 2, 3, 4.5]}
    encoder = Encoder("y").fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    cg.exchange.to_safetensors(net, tmp_path / "net.safetensors")
    other = cg.exchange.from_safetensors(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(other.predict(table), net.predict(table))


def test_names_and_shapes_are_those_of_pytorch(tmp_path):
    net = deep("float32")
    cg.exchange.to_safetensors(net, tmp_path / "net.safetensors")
    tensors = safe.load_file(tmp_path / "net.safetensors")
    assert sorted(tensors) == [
        "layers.0.bias", "layers.0.weight",
        "layers.1.bias", "layers.1.running_mean", "layers.1.running_var", "layers.1.weight",
        "layers.3.bias", "layers.3.weight", "layers.4.bias", "layers.4.weight",
        "layers.7.bias", "layers.7.weight", "layers.8.bias", "layers.8.weight",
    ]  # fmt: skip
    np.testing.assert_array_equal(tensors["layers.0.weight"], net.layers[0].weights)
    assert tensors["layers.0.weight"].shape == (6, 4)


def test_pytorch_loads_the_file(tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from safetensors.torch import load_file

    net = deep("float32")
    cg.exchange.to_safetensors(net, tmp_path / "net.safetensors")
    module = torch.nn.Module()
    kinds = {"dense": torch.nn.Linear, "batch_norm": torch.nn.BatchNorm1d}
    module.layers = torch.nn.ModuleList(
        kinds[layer.kind](*((layer.inputs, layer.units) if layer.kind == "dense" else (6,)))
        if layer.kind in kinds
        else torch.nn.LayerNorm(6) if layer.kind == "layer_norm" else torch.nn.Identity()
        for layer in net.layers
    )  # fmt: skip
    module.load_state_dict(load_file(tmp_path / "net.safetensors"))
    np.testing.assert_array_equal(module.layers[8].weight.detach().numpy(), net.layers[8].weights)


def plain(tmp_path, **tensors):
    path = tmp_path / "other.safetensors"
    path.write_bytes(safe.save({name.replace("__", "."): a for name, a in tensors.items()}))
    return path


def test_a_file_of_cygrad_takes_no_arguments_but_the_dtype(tmp_path):
    path = tmp_path / "net.safetensors"
    net = deep("float32")
    cg.exchange.to_safetensors(net, path)
    for name, value in {"activations": "relu", "eps": 1e-3, "loss": "mse"}.items():
        with pytest.raises(ValueError, match=f"^{name} is for files of other programs"):
            cg.exchange.from_safetensors(path, **{name: value})
    wide = cg.exchange.from_safetensors(path, dtype="float64")
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide.parameters, net.parameters)


def test_other_files_need_activations(tmp_path):
    random = np.random.default_rng(0)
    W, b = random.normal(size=(5, 3)).astype("f"), random.normal(size=5).astype("f")
    V = random.normal(size=(2, 5)).astype("f")
    path = plain(tmp_path, m__0__weight=W, m__0__bias=b, m__10__weight=V)
    with pytest.raises(ValueError, match="does not tell the activations"):
        cg.exchange.from_safetensors(path)
    X = random.normal(size=(4, 3))
    net = cg.exchange.from_safetensors(path, activations="tanh")
    assert net.loss == "mse"
    np.testing.assert_allclose(net.forward(X), np.tanh(X @ W.T + b) @ V.T, rtol=1e-5)
    net = cg.exchange.from_safetensors(path, activations=["relu", "softmax"], classes="ab")
    assert (net.loss, net.classes) == ("cross_entropy", ("a", "b"))
    with pytest.raises(ValueError, match=r"activations has 1 items, expected .* 2 dense layers"):
        cg.exchange.from_safetensors(path, activations=["relu"])
    net = cg.exchange.from_safetensors(path, activations="relu", loss="huber")
    assert net.loss == "huber"


def test_the_order_of_names_without_numbers_is_asked_for(tmp_path):
    W, V = np.eye(3, dtype="f"), 2 * np.eye(3, dtype="f")
    path = plain(tmp_path, out__weight=V, hidden__weight=W)
    with pytest.raises(ValueError, match="hidden, out, whose order is not known; expected order="):
        cg.exchange.from_safetensors(path, activations="tanh")
    net = cg.exchange.from_safetensors(path, activations="tanh", order=["hidden", "out"])
    np.testing.assert_array_equal(net.layers[1].weights, V)
    with pytest.raises(ValueError, match="order is"):
        cg.exchange.from_safetensors(path, activations="tanh", order=["hidden"])


def test_norms_have_the_activation_of_the_layer_before(tmp_path):
    random = np.random.default_rng(0)
    tensors = {
        "0.weight": random.normal(size=(5, 3)),
        "1.weight": random.normal(size=5),
        "1.bias": random.normal(size=5),
        "1.running_mean": random.normal(size=5),
        "1.running_var": random.uniform(1, 2, size=5),
        "1.num_batches_tracked": np.array(7),
        "3.weight": random.normal(size=(5, 5)),
        "4.weight": random.normal(size=5),
        "4.bias": random.normal(size=5),
        "6.weight": random.normal(size=(1, 5)),
    }
    path = tmp_path / "other.safetensors"
    path.write_bytes(safe.save(tensors))
    net = cg.exchange.from_safetensors(path, activations="relu", eps=1e-3, norm="layer_norm")
    assert net.dtype == np.float64
    assert [layer.kind for layer in net.layers] == [
        "dense", "batch_norm", "dense", "layer_norm", "dense",
    ]  # fmt: skip
    names = [layer.activation for layer in net.layers]
    assert names == ["identity", "relu", "identity", "relu", "identity"]
    assert net.layers[1].description.eps == 1e-3
    np.testing.assert_array_equal(net.layers[1].running_variance, tensors["1.running_var"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"0.weight": np.ones((2, 3, 3))}, "no dense layers"),
        ({"0.kernel": np.ones((2, 3))}, "has '0.kernel'"),
        ({"0.bias": np.ones(2)}, "layer '0' has no weight"),
        ({"0.weight": np.ones((2, 3)), "1.weight": np.ones((2, 4))}, r"\(2, 4\), expected"),
        ({"0.weight": np.ones((2, 3), int)}, "is int64"),
        ({"0.weight": np.full((2, 3), np.nan)}, "holds nan"),
        ({}, "no dense layers"),
    ],
)
def test_files_with_something_else_are_refused(tmp_path, tensors, message):
    path = tmp_path / "other.safetensors"
    path.write_bytes(safe.save(tensors))
    with pytest.raises(ValueError, match=message) as caught:
        cg.exchange.from_safetensors(path, activations="relu")
    assert "other.safetensors" in str(caught.value)


def test_damaged_files_are_refused(tmp_path):
    net = deep("float32")
    path = tmp_path / "net.safetensors"
    cg.exchange.to_safetensors(net, path)
    data = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        cg.exchange.from_safetensors(tmp_path / "none.safetensors")
    for end in (0, 3, 8, 100, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="no safetensors file"):
            cg.exchange.from_safetensors(path)
    random = np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(data)
        changed[random.integers(8, 2000)] = random.integers(32, 127)
        path.write_bytes(changed)
        with suppress(ValueError):  # and nothing else
            cg.exchange.from_safetensors(path)


def test_sizes_are_compared_before_memory_is_taken(tmp_path):
    net = cg.Network(2, [cg.Dense(3)], loss="mse", rng=0)
    path = tmp_path / "net.safetensors"
    cg.exchange.to_safetensors(net, path)
    with safetensors.safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["cygrad"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["network"]["inputs"] = 10**9
    path.write_bytes(safe.save(tensors, {"cygrad": json.dumps(header)}))
    with pytest.raises(ValueError, match="damaged"):
        cg.exchange.from_safetensors(path)
    header["network"]["version"] = 99
    path.write_bytes(safe.save(tensors, {"cygrad": json.dumps(header)}))
    with pytest.raises(ValueError, match="newer cygrad is needed"):
        cg.exchange.from_safetensors(path)


def test_nothing_is_written_for_numbers_that_are_not_finite(tmp_path):
    net = cg.Network(2, [cg.Dense(3)], loss="mse", rng=0)
    net.engine.storage[:] = np.nan
    path = tmp_path / "net.safetensors"
    with pytest.raises(ValueError, match="NaN"):
        cg.exchange.to_safetensors(net, path)
    assert not path.exists()
