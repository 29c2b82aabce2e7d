"""Networks from and to modules and state dicts of PyTorch."""

import io
import pickle
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.exchange import self_test
from cygrad.exchange.operations import program
from cygrad.tables import Encoder

torch = pytest.importorskip("torch", reason="needs the extra torch")
from test_exchange import deep  # noqa: E402
from tolerances import tolerance  # noqa: E402
from torch import nn  # noqa: E402

DTYPES = {"float32": torch.float32, "float64": torch.float64}
ACTIVATIONS = {
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "elu": nn.ELU(0.5),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(threshold=40.0),
    "softsign": nn.Softsign(),
    "hard_tanh": nn.Hardtanh(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "identity": nn.Identity(),
}
OURS = ("gaussian", "exp", cg.activations.sine(3))


@pytest.fixture(autouse=True)
def one_thread():
    """Let PyTorch use one thread: where others are busy, its threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def samples(rows=50, columns=4, dtype="float64"):
    return np.random.default_rng(0).normal(0, 2, (rows, columns)).astype(dtype)


def tensor(values):
    return torch.from_numpy(np.array(values))


def outputs(module, X):
    with torch.no_grad():
        return module.eval()(tensor(X)).numpy()


def chain(activation, dtype, last=3):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 8), activation, nn.Linear(8, 8), activation, nn.Linear(8, last)]
    return nn.Sequential(*layers).to(DTYPES[dtype])


def flat(tensors):
    return np.concatenate([each.detach().numpy().ravel() for each in tensors])


def assert_same_outputs(net, module, X, depth):
    expected = outputs(module, X)
    bound = tolerance(net.dtype.name, 2 * depth) * np.abs(expected).max()
    np.testing.assert_allclose(net.forward(X), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_modules_give_the_same_outputs(name, dtype):
    module = chain(ACTIVATIONS[name], dtype)
    net = cg.exchange.from_torch(module)
    found = net.layers[0].activation
    assert getattr(found, "name", found) == name
    assert (net.dtype, net.loss) == (dtype, "mse")
    np.testing.assert_array_equal(net.parameters, flat(module.parameters()))
    assert_same_outputs(net, module, samples(dtype=dtype), 4 + 8 + 8 + 6)
    back = cg.exchange.to_torch(net)
    expected = [repr(each) for each in module if not isinstance(each, nn.Identity)]
    shown = [repr(each) for each in back]
    assert shown == expected
    assert all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(back.parameters(), module.parameters(), strict=True)
    )


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *OURS], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_give_the_same_outputs(activation, dtype):
    layers = [cg.Dense(8, activation), cg.Dense(8, activation), cg.Dense(2)]
    net = cg.Network(4, layers, loss="mse", dtype=dtype, rng=0)
    module = cg.exchange.to_torch(net)
    X = samples(dtype=dtype) / 4
    assert_same_outputs(net, module, X, 4 + 8 + 8 + 6)
    other = cg.exchange.from_torch(module)
    assert [layer.activation for layer in other.layers] == [each.activation for each in net.layers]
    np.testing.assert_array_equal(other.parameters, net.parameters)


def of_gradients(net, X, y, loss, module):
    module.train()
    module.zero_grad()
    value = loss(module(tensor(X)), tensor(y))
    value.backward()
    ours, gradient = net.gradient(X, y, training=True)
    theirs = flat(each.grad for each in module.parameters())
    return ours, value.item(), gradient, theirs


class ExactHardSigmoid(nn.Module):
    """hard_sigmoid by its formula: the slope of nn.Hardsigmoid is 1/6 of float32 in float64 too."""

    def forward(self, z):
        return (z / 6 + 0.5).clamp(0, 1)


@pytest.mark.parametrize("name", [each for each in ACTIVATIONS if each != "identity"])
def test_gradients_are_those_of_pytorch(name):
    X, y = samples(), np.random.default_rng(1).integers(0, 3, 50)
    module = chain(ACTIVATIONS[name], "float64")
    exact = chain(ExactHardSigmoid(), "float64") if name == "hard_sigmoid" else module
    for loss, targets, theirs in (
        ("cross_entropy", y, nn.CrossEntropyLoss()),
        ("mse", np.eye(3)[y], nn.MSELoss()),
    ):
        net = cg.exchange.from_torch(module, loss=loss)
        value, expected, gradient, derivatives = of_gradients(net, X, targets, theirs, exact)
        assert value == pytest.approx(expected, rel=1e-12)
        largest = np.abs(derivatives).max()
        np.testing.assert_allclose(gradient, derivatives, rtol=1e-12, atol=1e-12 * largest)
        rounded = of_gradients(net, X, targets, theirs, module)[3]
        np.testing.assert_allclose(gradient, rounded, rtol=1e-7, atol=1e-12 * largest)


def mixed(dtype=torch.float64):
    """Return a module with all that a chain can have, after some training."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.0),
        nn.Sequential(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6, 1e-3, 0.2), nn.SiLU()),
        nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.LayerNorm(6), nn.ELU(0.7)), nn.Identity()),
        nn.BatchNorm1d(6, affine=False),
        nn.Tanh(),
        nn.LayerNorm(6, elementwise_affine=False),
        nn.Linear(6, 3),
    ).to(dtype)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    X = tensor(samples()).to(dtype)
    for _ in range(5):
        optimizer.zero_grad()
        module(X).square().mean().backward()
        optimizer.step()
    return module


def test_norms_and_nested_modules():
    module = mixed()
    net = cg.exchange.from_torch(module)
    assert [layer.kind for layer in net.layers] == [
        "dense", "batch_norm", "dense", "layer_norm", "batch_norm", "layer_norm", "dense",
    ]  # fmt: skip
    norm = net.layers[1].description
    assert (norm.eps, norm.momentum, norm.activation) == (1e-3, 0.2, "silu")
    assert [layer.trainable for layer in net.layers] == [True] * 4 + [False, False, True]
    np.testing.assert_array_equal(net.layers[1].running_mean, module[2][1].running_mean.numpy())
    assert_same_outputs(net, module, samples(), 60)
    back = cg.exchange.to_torch(net)
    assert not back.training
    theirs = {k: v for k, v in module.state_dict().items() if "num_batches" not in k}
    ours = {k: v for k, v in back.state_dict().items() if "num_batches" not in k}
    for a, b in zip(ours.values(), theirs.values(), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_training_on_gives_the_same_parameters():
    X, y = samples(64), np.random.default_rng(1).integers(0, 3, 64)
    module = mixed()
    net = cg.exchange.from_torch(module, loss="cross_entropy")
    again = cg.exchange.to_torch(net, logits=True)
    cg.Trainer(net, cg.SGD(0.05, momentum=0.9), batch_size=16).fit(X, y, epochs=5, shuffle=False)
    for each in (module, again):
        optimizer = torch.optim.SGD(each.parameters(), lr=0.05, momentum=0.9)
        each.train()
        for step in range(20):
            rows = slice(16 * (step % 4), 16 * (step % 4) + 16)
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(each(tensor(X[rows])), tensor(y[rows])).backward()
            optimizer.step()
        trained = net.parameters
        frozen = np.concatenate([
            np.full(layer.n_parameters, layer.trainable is not True) for layer in net.layers
        ])  # fmt: skip
        np.testing.assert_allclose(
            trained[~frozen], flat(each.parameters()), rtol=1e-12, atol=1e-12
        )
        norms = [part for part in each.modules() if isinstance(part, nn.BatchNorm1d)]
        for layer, norm in zip((net.layers[1], net.layers[4]), norms, strict=True):
            np.testing.assert_allclose(layer.running_mean, norm.running_mean, rtol=1e-12)
            np.testing.assert_allclose(layer.running_variance, norm.running_var, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_deep_network_goes_there_and_back(dtype):
    net = deep(dtype)
    module = cg.exchange.to_torch(net)
    other = cg.exchange.from_torch(module)
    assert other.config()["layers"] == net.config()["layers"]
    for name, values in net.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], values)
    X = samples(dtype=dtype)
    np.testing.assert_array_equal(other.forward(X), net.forward(X))
    file = io.BytesIO(pickle.dumps(module))
    np.testing.assert_array_equal(outputs(pickle.load(file), X), outputs(module, X))


def test_standardised_inputs_far_from_0_keep_their_digits():
    X = (1e6 + samples()).astype("float32")
    net = cg.Network(4, [cg.Dense(5, "tanh"), cg.Dense(1)], loss="mse", rng=0)
    net.standardize_inputs(X)
    module = cg.exchange.to_torch(net)
    assert_same_outputs(net, module, X, 20)
    module.train()
    np.testing.assert_array_equal(module(tensor(X)).detach(), outputs(module, X))
    assert len(list(module.parameters())) == 4
    with pytest.raises(TypeError, match=r"inputs are torch.uint8"):
        module(torch.zeros(1, 4, dtype=torch.uint8))


@pytest.mark.parametrize(("numbers", "scale"), [("robust", "standard"), ("standard", "log1p")])
def test_the_numeric_part_of_an_encoder_goes_along(numbers, scale):
    random = np.random.default_rng(0)
    table = {"a": random.normal(9, 2, 40), "b": np.arange(40) % 2, "y": random.uniform(1, 9, 40)}
    encoder = Encoder("y", numbers=numbers, target_scale=scale, dtype="float64").fit(table)
    net = cg.Network(2, [cg.Dense(5, "tanh"), cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    net.encoder = encoder
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = cg.exchange.to_torch(net)
    X = np.column_stack([table["a"], table["b"]])
    np.testing.assert_allclose(outputs(module, X)[:, 0], net.predict(table), rtol=1e-13)
    refused = "'0' .* clips numbers" if numbers == "robust" else r"'4' .* expected module\[:-1\]"
    with pytest.raises(ValueError, match=refused):
        cg.exchange.from_torch(module)


def test_frozen_parameters_stay_frozen():
    layers = [
        cg.Dense(5, "relu", trainable="biases"),
        cg.LayerNorm(trainable="weights"),
        cg.Scaling(trainable=False),
        cg.GaussianNoise(0.3),
        cg.BatchNorm("tanh", trainable=False),
        cg.Dropout(0.25),
        cg.Dense(2, trainable=False),
    ]
    net = cg.Network(4, layers, loss="mse", rng=0)
    for layer in (net.layers[2], net.layers[4]):
        layer.weights = [2, 3, 4, 5, 6]
    module = cg.exchange.to_torch(net)
    flags = [each.requires_grad for each in module.parameters()]
    assert flags == [False, True, True, False, False, False, False, False, False]
    assert cg.exchange.from_torch(module).config()["layers"] == net.config()["layers"]
    module.train()
    noise = module[4]
    assert (noise(torch.zeros(20000)).std() - 0.3).abs() < 0.01
    assert (noise.eval()(torch.zeros(5)) == 0).all()


def test_logits():
    net = cg.Network(4, [cg.Dense(3, "softmax")], loss="cross_entropy", dtype="float64", rng=0)
    module = cg.exchange.to_torch(net, logits=True)
    assert [type(each) for each in module] == [nn.Linear]
    X = samples()
    np.testing.assert_allclose(module(tensor(X)).softmax(-1).detach(), net.forward(X), rtol=1e-13)
    net = cg.Network(4, [cg.Dense(1, "sigmoid")], loss="binary_cross_entropy", rng=0)
    assert len(cg.exchange.to_torch(net, logits=True)) == 1
    net = cg.exchange.from_torch(nn.Linear(4, 1), loss="binary_cross_entropy")
    assert net.layers[0].activation == "sigmoid"
    with pytest.raises(ValueError, match="has the activation identity, expected softmax or"):
        cg.exchange.to_torch(cg.Network(4, [cg.Dense(1)], loss="mse", rng=0), logits=True)


def test_losses_and_classes():
    ends = {nn.Softmax(dim=1): "cross_entropy", nn.Sigmoid(): "binary_cross_entropy"}
    for end, loss in ends.items():
        net = cg.exchange.from_torch(nn.Sequential(nn.Linear(2, 3), end))
        assert net.loss == loss
    net = cg.exchange.from_torch(nn.Linear(2, 3), loss="cross_entropy", classes="abc")
    assert net.classes == ("a", "b", "c")
    assert cg.exchange.from_torch(nn.Linear(2, 3), loss="hinge").loss == "hinge"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_widened(dtype):
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).to(dtype)
    net = cg.exchange.from_torch(module)
    assert net.dtype == np.float32
    np.testing.assert_array_equal(net.layers[0].weights, module[0].weight.detach().float())


def test_softplus_is_linear_above_a_threshold():
    net = cg.exchange.from_torch(chain(nn.Softplus(), "float32"))
    assert net.layers[0].activation == "softplus"
    module = chain(nn.Softplus(), "float64")
    with pytest.raises(ValueError, match=r"module '1' \(Softplus\): it is z above 20, up to 2.1e-"):
        cg.exchange.from_torch(module)
    net = cg.exchange.from_torch(module, lossy=True)
    np.testing.assert_allclose(net.forward(samples()), outputs(module, samples()), rtol=1e-8)
    z = np.linspace(19, 60, 1000)  # why 40: the sum of both is z there, to the bit
    assert (np.log1p(np.exp(z))[z > 40] == z[z > 40]).all()


def test_logarithms_of_probabilities():
    module = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(dim=1))
    with pytest.raises(ValueError, match=r"'1' \(LogSoftmax\): it gives logarithms; expected"):
        cg.exchange.from_torch(module)
    net = cg.exchange.from_torch(module, lossy=True)
    X = samples(dtype="float32")
    np.testing.assert_allclose(np.log(net.forward(X)), outputs(module, X), rtol=1e-4)
    module = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(dim=1), nn.Linear(3, 3))
    with pytest.raises(ValueError, match="expected it at the end only"):
        cg.exchange.from_torch(module, lossy=True)


class Custom(nn.Module):
    def forward(self, x):
        return x + 1


class CustomLinear(nn.Linear):
    def forward(self, x):
        return super().forward(x) + 1


class CustomSequential(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + 1


def hooked():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module[1].register_forward_hook(lambda module, inputs, outputs: outputs + 1)
    return module


def replaced():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module[1].forward = torch.tanh
    return module


def shared():
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (Custom(), TypeError, r"the module is .*Custom, expected a Sequential of .*state_dict\(\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Sequential(Custom())), TypeError, "module '1.0' is"),
        (nn.Sequential(CustomLinear(2, 2)), TypeError, "module '0' is .*CustomLinear"),
        (CustomSequential(nn.Linear(2, 2)), TypeError, "the module is .*CustomSequential"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU6()), TypeError, "'1' is .*ReLU6"),
        (nn.Sequential(nn.Linear(2, 2), nn.PReLU()), TypeError, "'1' is .*PReLU"),
        (nn.Sequential(nn.Conv1d(2, 2, 1)), TypeError, "'0' is .*Conv1d"),
        (nn.Sequential(nn.LazyLinear(2)), TypeError, "'0' is .*LazyLinear"),
        (hooked(), ValueError, r"module '1' \(ReLU\) has hooks"),
        (replaced(), ValueError, r"module '1' \(ReLU\) has hooks or a forward of its own"),
        (shared(), ValueError, r"0.weight and 2.weight are one parameter"),
        (nn.Sequential(nn.Linear(2, 2), nn.Hardtanh(0, 1)), ValueError, "Hardtanh.: bounds 0 and"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softplus(2)), ValueError, "beta is 2"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)), ValueError, "dim is 0"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten(0)), ValueError, "dimensions 0 to -1"),
        (nn.Sequential(nn.BatchNorm1d(2, momentum=None)), ValueError, "'0' .*momentum is None"),
        (nn.BatchNorm1d(2, track_running_stats=False), ValueError, "track_running_stats is False"),
        (nn.Sequential(nn.BatchNorm1d(2, momentum=0)), ValueError, "momentum is 0"),
        (nn.Sequential(nn.LayerNorm(2, eps=0)), ValueError, "eps is 0"),
        (nn.Sequential(nn.LayerNorm((2, 2))), ValueError, "normalized_shape is"),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(1)), ValueError, "rate is 1"),
        (nn.Sequential(nn.Linear(2, 2), nn.ELU(-1)), ValueError, "alpha of elu is -1"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 2)), ValueError, "module '1'.*expected"),
        (nn.Sequential(nn.ReLU(), nn.Dropout()), ValueError, "has no Linear"),
        (nn.Sequential(), ValueError, "has no Linear"),
        (nn.Linear(2, 2, device="meta"), ValueError, "has the layout .* device meta"),
        (nn.Linear(2, 2, dtype=torch.complex64), ValueError, "is torch.complex64"),
        (nn.Sequential(nn.ReLU(), nn.Softmax(1), nn.Linear(2, 2)), ValueError, "'1' .*linear"),
    ],
)
def test_other_modules_are_refused_by_name(module, error, message):
    with pytest.raises(error, match=message):
        cg.exchange.from_torch(module)


def test_parameters_that_are_not_finite_are_refused():
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"Linear: .*nan"):
        cg.exchange.from_torch(module)


def test_reused_activations_are_no_shared_parameters():
    relu = nn.ReLU()
    net = cg.exchange.from_torch(nn.Sequential(nn.Linear(2, 2), relu, nn.Linear(2, 2), relu))
    assert [layer.activation for layer in net.layers] == ["relu", "relu"]


def test_state_dicts_and_files(tmp_path):
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    path = tmp_path / "net.pth"
    torch.save(module.state_dict(), path)
    expected = cg.exchange.from_torch(module, loss="cross_entropy")
    for source in (module.state_dict(), path, str(path)):
        net = cg.exchange.from_torch(source, activations="relu", loss="cross_entropy")
        assert net.config() == expected.config()
        np.testing.assert_array_equal(net.parameters, expected.parameters)
    with pytest.raises(ValueError, match=r"net.pth' does not tell the activations"):
        cg.exchange.from_torch(path)
    net = cg.exchange.from_torch(path, activations=["relu", "softmax"], eps=1e-3)
    assert (net.layers[1].description.eps, net.loss) == (1e-3, "cross_entropy")
    with pytest.raises(ValueError, match="lossy=True is for a module"):
        cg.exchange.from_torch(path, activations="relu", lossy=True)
    with pytest.raises(ValueError, match="activations is for a state dict"):
        cg.exchange.from_torch(module, activations="relu")
    with pytest.raises(TypeError, match="source is int, expected a module"):
        cg.exchange.from_torch(3)


def test_files_run_no_code_and_are_bounded(tmp_path):
    path = tmp_path / "net.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match="holds more than tensors, which could run any code"):
        cg.exchange.from_torch(path, activations="relu")
    torch.save({"epoch": 3, "model": nn.Linear(2, 2).state_dict()}, path)
    with pytest.raises(ValueError, match=r"'epoch' of type int, .* that under the key 'model'"):
        cg.exchange.from_torch(path, activations="relu")
    torch.save([torch.zeros(2)], path)
    with pytest.raises(ValueError, match="holds list, expected a state dict"):
        cg.exchange.from_torch(path, activations="relu")
    torch.save({"0.weight": torch.zeros(1).expand(10**6, 10**6)}, path)
    with pytest.raises(ValueError, match="repeats the numbers in memory"):
        cg.exchange.from_torch(path, activations="relu")
    torch.save(nn.Linear(200, 200).state_dict(), path)
    data = path.read_bytes()
    for damaged in (b"", b"text", data[:1000], data[:-100]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"net\.pt"):
            cg.exchange.from_torch(path, activations="relu")
    with pytest.raises(FileNotFoundError):
        cg.exchange.from_torch(tmp_path / "none.pt", activations="relu")


def test_compressed_files_are_refused(tmp_path):
    import zipfile

    path = tmp_path / "net.pt"
    torch.save({"0.weight": torch.zeros(1000, 1000)}, path)
    with zipfile.ZipFile(path) as source:
        contents = {each.filename: source.read(each) for each in source.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in contents.items():
            target.writestr(name, content)
    with pytest.raises(ValueError, match="is compressed"):
        cg.exchange.from_torch(path, activations="relu")


def test_the_file_of_a_network(tmp_path):
    net = cg.Network(4, [cg.Dense(5, "tanh"), cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    path = tmp_path / "net.pt"
    test = cg.exchange.to_torch_file(net, path).test
    assert test.passed
    assert test.runtime == f"PyTorch {torch.__version__}"
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    module.load_state_dict(torch.load(path, weights_only=True))
    np.testing.assert_array_equal(flat(module.parameters()), net.parameters)
    net.standardize_inputs(samples())
    cg.exchange.to_torch_file(net, path)
    other = cg.exchange.from_torch(path, activations=["tanh", "softmax"])
    np.testing.assert_array_equal(other.forward(samples()), net.forward(samples()))


def test_what_a_state_dict_does_not_tell_is_refused(tmp_path):
    path = tmp_path / "net.pt"
    cg.exchange.to_torch_file(deep(), path)
    with pytest.raises(ValueError, match="has a residual block, which is read from a module only"):
        cg.exchange.from_torch(path, activations="tanh")
    net = cg.Network(4, [cg.Scaling(), cg.Dense(1)], loss="mse", rng=0)
    cg.exchange.to_torch_file(net, path)
    with pytest.raises(ValueError, match=r"has '0\.factors', expected names"):
        cg.exchange.from_torch(path, activations="tanh")


def test_the_self_test_warns(monkeypatch):
    net = deep()
    true = self_test.samples(net, program(net))
    changed = self_test.Samples(true.inputs, true.outputs + 1e-6, true.allowed)
    monkeypatch.setattr(self_test, "samples", lambda net, made: changed)
    with pytest.warns(UserWarning, match="PyTorch .*: 8 samples, .*more than rounding explains"):
        cg.exchange.to_torch(net)


def test_the_figures_of_the_self_test():
    net = deep("float32")
    module = cg.exchange.to_torch(net).train()
    test = cg.exchange.compare(net, module)
    assert test.passed
    assert (test.rows, test.runtime) == (8, f"PyTorch {torch.__version__}")
    assert module.training
    logits = cg.exchange.to_torch(net, logits=True)
    assert cg.exchange.compare(net, logits, logits=True).passed
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not cg.exchange.compare(net, logits).passed
    with torch.no_grad():
        module[-2].bias[0] += 0.01
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert cg.exchange.compare(net, module).difference > 1e-4
    with pytest.raises(ValueError, match=r"PyTorch .* gives outputs of shape \(8, 2\)"):
        cg.exchange.compare(net, nn.Linear(4, 2))


def test_an_encoder_of_words_is_left_out_when_asked_for():
    table = {"word": ["a", "b", "c", "a"], "size": [1.0, 3.0, 2.0, 5.0], "y": [1.5, 2, 3, 4.5]}
    net = cg.Network(Encoder("y").fit(table).inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = Encoder("y").fit(table)
    with pytest.raises(ValueError, match="lossy=True"):
        cg.exchange.to_torch(net)
    module = cg.exchange.to_torch(net, lossy=True)
    assert [type(each) for each in module] == [nn.Linear]


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    net = cg.Network(4, [cg.Dense(5, "relu"), cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    net.save("model.npz")
    assert main(["export", "model.npz", "net.pt"]) == 0
    assert "net.pt: PyTorch " in capsys.readouterr().out
    command = ["import", "net.pt", "back.npz", "--activations", "relu", "--loss", "cross_entropy"]
    assert main(command) == 0
    back = cg.load("back.npz")
    assert back.config() == net.config()
    np.testing.assert_array_equal(back.parameters, net.parameters)
    capsys.readouterr()
    assert main(["import", "net.pt", "other.npz"]) == 1
    assert "expected --activations," in capsys.readouterr().err


@pytest.mark.parametrize("is_state", [False, True])
def test_two_standardisations_become_one(is_state):
    random = np.random.default_rng(3)
    names = np.array(["no", "yes"], object)[np.arange(30) % 2]
    table = {"a": random.normal(5, 2, 30), "b": random.normal(-1, 4, 30), "y": names}
    encoder = Encoder("y").fit(table)
    net = cg.Network(2, [cg.Dense(4, "relu"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.standardize_inputs(encoder.transform(table) * 3 + 1)
    net.encoder = encoder
    module = cg.exchange.to_torch(net)
    told = {"activations": "relu"} if is_state else {}
    source = module.state_dict() if is_state else module
    other = cg.exchange.from_torch(source, loss="cross_entropy", **told)
    np.testing.assert_array_equal(other.parameters, net.parameters)
    outputs = other.forward(np.stack([table["a"], table["b"]], axis=1))
    np.testing.assert_allclose(outputs, net.forward(encoder.transform(table)), rtol=2e-6)
