"""Networks from and to models of Keras; the files that h5py reads alone are in another module."""

import importlib.util
import json
import os
import zipfile

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.exchange import from_keras, to_keras, to_keras_file
from cygrad.exchange.keras import running, verify
from cygrad.tables import Encoder

if "KERAS_BACKEND" not in os.environ:  # Keras takes TensorFlow, even if it is not installed
    for backend in ("tensorflow", "torch", "jax"):
        if importlib.util.find_spec(backend):
            os.environ["KERAS_BACKEND"] = backend
            break
pytest.importorskip("h5py", reason="needs the extra keras")
keras = pytest.importorskip("keras", reason="needs the extra keras and a backend of Keras")
from test_exchange import deep  # noqa: E402
from tolerances import tolerance  # noqa: E402

layers = keras.layers
BACKEND = keras.backend.backend()
NAMES = (
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "celu", "selu", "gelu", "silu",
    "mish", "softplus", "softsign", "hard_tanh", "hard_sigmoid", "exponential",
)  # fmt: skip
OURS = (
    "sigmoid", "tanh", "relu", "gaussian", "leaky_relu", cg.activations.leaky_relu(0.3), "elu",
    cg.activations.elu(0.5), "selu", "gelu", "gelu_tanh", "silu", "mish", "softplus", "softsign",
    "hard_tanh", "hard_sigmoid", "sine", cg.activations.sine(3), "exp",
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # of Keras with PyTorch
    "ignore:You are saving your model as an HDF5 file",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)


def samples(rows=50, columns=4, dtype="float32"):
    return np.random.default_rng(0).normal(0, 2, (rows, columns)).astype(dtype)


def outputs(model, X):
    return keras.ops.convert_to_numpy(model(X, training=False))


def assert_same_outputs(net, model, X, depth):
    expected = outputs(model, X)
    bound = tolerance("float32", 2 * depth) * np.abs(expected).max()
    np.testing.assert_allclose(net.forward(X), expected, rtol=0, atol=bound)


def chain(activation, dtype="float32", last=3, output=None):
    return keras.Sequential([
        keras.Input((4,), dtype=dtype),
        layers.Dense(8, activation, bias_initializer="random_normal", dtype=dtype),
        layers.Dense(8, activation, dtype=dtype),
        layers.Dense(last, output, dtype=dtype),
    ])  # fmt: skip


def flat(model):
    """Return the parameters of a chain of dense layers, in the order of cygrad's."""
    arrays = [each.get_weights() for each in model.layers if isinstance(each, layers.Dense)]
    return np.concatenate([part.ravel() for kernel, bias in arrays for part in (kernel.T, bias)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_models_give_the_same_outputs(name, dtype):
    if dtype == "float64" and BACKEND == "jax":
        pytest.skip("jax has no float64 by default")
    model = chain(name, dtype)
    net = from_keras(model)
    assert net.dtype == dtype
    np.testing.assert_array_equal(net.parameters, flat(model))
    X = samples(dtype=dtype) / 4
    assert_same_outputs(net, model, X, 4 + 8 + 8 + 6)
    model.save("net.keras")
    other = from_keras("net.keras")
    assert other.config() == net.config()
    np.testing.assert_array_equal(other.parameters, net.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", OURS, ids=str)
def test_networks_give_the_same_outputs(activation, dtype):
    if dtype == "float64" and BACKEND == "jax":
        pytest.skip("jax has no float64 by default")
    block = cg.Residual([cg.Scaling(activation), cg.Dense(8, activation)], activation)
    net = cg.Network(4, [cg.Dense(8, activation), block, cg.Dense(2)], loss="mse", dtype=dtype,
                     rng=0)  # fmt: skip
    net.layers[1].weights = np.linspace(0.5, 2, 8)
    if activation == "exp":  # of exp of exp
        net.parameters = 0.2 * net.parameters
    model = to_keras(net)
    assert_same_outputs(net, model, samples(dtype=dtype) / 4, 4 + 8 + 8 + 9)
    other = from_keras(model)
    assert [each.activation for each in other.layers] == [each.activation for each in net.layers]
    np.testing.assert_array_equal(other.parameters, net.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_deep_network_goes_there_and_back(dtype):
    if BACKEND == "jax":
        pytest.skip("jax has no float64 by default")
    net = deep(dtype)
    net.classes = ("a", "b", "c")
    export = to_keras_file(net, "net.keras")
    assert export.test.passed
    assert export.test.runtime == f"Keras {keras.__version__} ({BACKEND})"
    for other in (from_keras("net.keras"), from_keras(to_keras(net))):
        assert other.config()["layers"] == net.config()["layers"]
        for name, values in net.arrays().items():
            np.testing.assert_array_equal(other.arrays()[name], values)
        X = samples(dtype=dtype)
        np.testing.assert_array_equal(other.forward(X), net.forward(X))
    assert from_keras("net.keras").classes == net.classes
    assert verify("net.keras").test.difference == export.test.difference


def test_parameters_go_on_to_onnx_and_back():
    pytest.importorskip("onnx", reason="needs the extra onnx")
    for dtype in ("float32", "float64"):
        net = from_keras(chain("gelu", dtype, output="softmax"))
        cg.exchange.to_onnx(net, "net.onnx")
        other = cg.exchange.from_onnx("net.onnx")
        assert other.dtype == net.dtype
        np.testing.assert_array_equal(other.parameters, net.parameters)


def trained():
    """Return a model with all kinds of layers, after some training."""
    norm = layers.Normalization()
    norm.adapt(samples() + 3)
    entry = keras.Input((4,))
    x = layers.Dense(6, use_bias=False)(norm(entry))
    x = layers.Activation("silu")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GaussianNoise(0.1)(layers.Dropout(0.2)(x))
    inner = keras.Sequential([layers.Dense(6, "tanh"), layers.LayerNormalization(center=False)])
    x = layers.LeakyReLU(0.1)(layers.Add()([x, inner(x)]))
    x = layers.BatchNormalization(scale=False)(keras.ops.add(layers.ELU(0.5)(x), x))
    x = layers.BatchNormalization(scale=False, center=False)(x)
    model = keras.Model(entry, layers.Dense(3, "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    y = np.random.default_rng(1).integers(0, 3, 50)
    model.fit(samples() + 3, y, epochs=3, batch_size=10, verbose=0)
    return model


def test_trained_models():
    model = trained()
    X = samples() + 3
    model.save("net.keras")
    for source in (model, "net.keras"):
        net = from_keras(source)
        assert net.loss == "cross_entropy"
        assert_same_outputs(net, model, X, 80)
    norms = [each for each in net.layers if "norm" in each.kind]
    assert [each.trainable for each in norms] == [True, "weights", "biases", False]
    assert norms[0].description.momentum == 0.1
    model.save_weights("net.weights.h5")
    other = from_keras("net.weights.h5", config=model.to_json())
    for name, values in net.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], values)
    if BACKEND == "jax":
        return  # no float64 by default
    back = to_keras(net)
    np.testing.assert_allclose(outputs(back, X), outputs(model, X), atol=1e-5)
    for name, values in net.arrays().items():
        np.testing.assert_array_equal(from_keras(back).arrays()[name], values)


def test_whole_models_in_hdf5():
    model = keras.Sequential([
        keras.Input((4,)), layers.Dense(5, "gelu"), layers.BatchNormalization(), layers.Dense(1),
    ])  # fmt: skip
    model.compile("sgd", keras.losses.Huber(0.5))
    assert from_keras(model).loss == cg.losses.huber(0.5)
    model.save("net.h5")
    net = from_keras("net.h5")
    # Keras' files lack it, and Keras takes 1
    assert net.loss == "huber"
    assert keras.saving.load_model("net.h5").loss._fn_kwargs["delta"] == 1
    assert_same_outputs(net, model, samples(), 20)


LOSSES = {
    "mse": (keras.losses.MeanSquaredError(), None, "numbers"),
    "mae": (keras.losses.MeanAbsoluteError(), None, "numbers"),
    "huber": (keras.losses.Huber(0.3), None, "numbers"),
    "kl_divergence": (keras.losses.KLDivergence(), "softmax", "probabilities"),
    "cross_entropy": (keras.losses.SparseCategoricalCrossentropy(), "softmax", "classes"),
    "logits": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), None, "classes"),
    "smoothed": (keras.losses.CategoricalCrossentropy(label_smoothing=0.2), "softmax", "one-hot"),
    "binary": (keras.losses.BinaryCrossentropy(), "sigmoid", "binary"),
    "binary logits": (keras.losses.BinaryCrossentropy(from_logits=True), None, "binary"),
    "smoothed binary": (keras.losses.BinaryCrossentropy(label_smoothing=0.2), "sigmoid", "binary"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_the_values_of_keras(name):
    loss, activation, kind = LOSSES[name]
    random = np.random.default_rng(1)
    y = {
        "numbers": random.normal(size=(50, 3)),
        "probabilities": random.dirichlet(np.ones(3), 50),
        "classes": random.integers(0, 3, 50),
        "one-hot": np.eye(3)[random.integers(0, 3, 50)],
        "binary": random.integers(0, 2, (50, 1)).astype(float),
    }[kind]
    model = chain("tanh", last=y.shape[1] if y.ndim == 2 else 3, output=activation)
    model.compile("sgd", loss)
    net = from_keras(model)
    expected = model.evaluate(samples(), y, verbose=0)
    assert net.evaluate(samples(), y)["loss"] == pytest.approx(expected, rel=1e-5)


def test_training_on_in_keras():
    X, y = samples(64), np.random.default_rng(1).integers(0, 3, 64)
    net = from_keras(chain("tanh", output="softmax"), loss="cross_entropy")
    model = to_keras(net)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(X, y, batch_size=16, epochs=5, shuffle=False, verbose=0)
    cg.Trainer(net, cg.SGD(0.1), batch_size=16).fit(X, y, epochs=5, shuffle=False)
    np.testing.assert_allclose(flat(model), net.parameters, rtol=1e-3, atol=1e-5)


def test_frozen_layers():
    def network(**options):
        made = [
            cg.Dense(5, "relu", trainable=False),
            cg.LayerNorm(trainable="weights"),
            cg.Scaling(trainable=False),
            cg.BatchNorm("tanh", trainable=False),
            cg.Dense(5, "softsign", use_bias=False, **options),
            cg.Dense(2),
        ]
        net = cg.Network(4, made, loss="mse", rng=0)
        net.layers[2].weights = [2, 3, 4, 5, 6]
        return net

    net = network()
    net.layers[3].weights = [2, 3, 4, 5, 6]
    model = to_keras(net)
    trained = {each.name: each.trainable for each in model.layers}
    assert trained["dense_0"] is trained["scaling_2"] is trained["batch_norm_3"] is False
    assert trained["layer_norm_1"] is trained["dense_4"] is trained["dense_5"] is True
    assert from_keras(model).config()["layers"] == net.config()["layers"]
    net = network()  # a norm that is not trained is none with factors
    assert from_keras(to_keras(net)).config()["layers"] == net.config()["layers"]
    net = cg.Network(4, [cg.Dense(2, trainable="biases")], loss="mse", rng=0)
    with pytest.raises(ValueError, match=r"layers\[0\] \(dense\) trains its biases only.*lossy=Tr"):
        to_keras_file(net, "net.keras")
    assert not os.path.exists("net.keras")
    assert to_keras(net, lossy=True).layers[1].trainable


def test_frozen_models():
    model = chain("tanh")
    model.layers[1].trainable = False
    assert [each.trainable for each in from_keras(model).layers] == [True, False, True]
    model.trainable = False
    model.save("net.keras")
    assert [each.trainable for each in from_keras("net.keras").layers] == [False] * 3


@pytest.mark.skipif(BACKEND == "jax", reason="jax has no float64 by default")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_standardised_inputs_keep_their_digits(dtype):
    X = (1e6 + samples(dtype="float64") * [1, 1e-3, 1e-10, 100]).astype(dtype)
    net = cg.Network(4, [cg.Dense(5, "tanh"), cg.Dense(1)], loss="mse", dtype=dtype, rng=0)
    for scale in ([0.3, 7.1, 1e3, 0.01], [0.3, 7.1, 1e11, 0.01], [0.3, -7.1, 0.0, 0.01]):
        net.set_standardization(X[0].astype(float), scale)
        to_keras_file(net, "net.keras")
        for model in (to_keras(net), keras.saving.load_model("net.keras")):
            assert_same_outputs(net, model, X, 20)
        for other in (from_keras(model), from_keras("net.keras")):
            np.testing.assert_array_equal(other.input_mean, net.input_mean)
            np.testing.assert_allclose(other.input_scale, net.input_scale, rtol=3e-16)
            np.testing.assert_array_equal(other.parameters, net.parameters)


@pytest.mark.skipif(BACKEND == "jax", reason="jax has no float64 by default")
def test_standardisations_of_data_keep_their_bits():
    X = np.random.default_rng(0).lognormal(0, 3, (40, 200))
    net = cg.Network(200, [cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    net.standardize_inputs(X)
    other = from_keras(to_keras(net))
    np.testing.assert_array_equal(other.input_mean, net.input_mean)
    np.testing.assert_array_equal(other.input_scale, net.input_scale)


@pytest.mark.skipif(BACKEND == "jax", reason="jax has no float64 by default")
@pytest.mark.parametrize(
    ("numbers", "scale"), [("robust", "standard"), ("standard", "log1p"), ("none", "log")]
)
def test_the_numeric_part_of_an_encoder_goes_along(numbers, scale):
    random = np.random.default_rng(0)
    table = {"a": random.normal(9, 2, 40), "b": np.arange(40) % 2, "y": random.uniform(1, 9, 40)}
    encoder = Encoder("y", numbers=numbers, target_scale=scale, dtype="float64").fit(table)
    net = cg.Network(2, [cg.Dense(5, "tanh"), cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    net.encoder = encoder
    to_keras_file(net, "net.keras")
    model = keras.saving.load_model("net.keras")
    X = np.column_stack([table["a"], table["b"]])
    np.testing.assert_allclose(outputs(model, X)[:, 0], net.predict(table), rtol=1e-6)
    with zipfile.ZipFile("net.keras") as archive:
        header = json.loads(archive.read("metadata.json"))["cygrad"]
    assert header["columns"] == ["a", "b"]
    if numbers == "robust":
        with pytest.raises(ValueError, match=r"layer 'divide' .Divide.: it has 2 inputs"):
            from_keras("net.keras")


def test_scaling_without_float64_needs_lossy(monkeypatch):
    from cygrad.exchange.keras import writing

    X = 3 + samples()
    net = cg.Network(4, [cg.Dense(5, "tanh"), cg.Dense(1)], loss="mse", rng=0)
    net.standardize_inputs(X)
    if BACKEND == "jax":
        with pytest.raises(ValueError, match="keeps float32 of float64 in layer 'input_scaling_0'"):
            to_keras(net)
    monkeypatch.setattr(writing, "_has_float64", lambda: False)
    model = to_keras(net, lossy=True)
    assert_same_outputs(net, model, X, 20)
    assert {each.dtype for each in model.layers} == {"float32"}


def test_text_in_a_table_is_an_error_before_a_file_is_written():
    table = {"color": np.array(list("rgbrgb"), object), "y": np.arange(6.0)}
    net = cg.Network(3, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = Encoder("y").fit(table)
    with pytest.raises(ValueError, match=r"the category 'color'.*lossy=True"):
        to_keras_file(net, "net.keras")
    assert os.listdir() == []
    assert to_keras_file(net, "net.keras", lossy=True).test.passed


def test_the_ending_is_that_of_keras():
    with pytest.raises(ValueError, match=r"path is 'net.zip', expected the ending .keras"):
        to_keras_file(deep("float32"), "net.zip")


def test_keras_saves_a_file_again():
    net = deep("float32")
    net.set_standardization(None, None)
    to_keras_file(net, "net.keras")
    keras.saving.load_model("net.keras").save("again.keras")
    np.testing.assert_array_equal(from_keras("again.keras").parameters, net.parameters)
    with pytest.raises(ValueError, match="it holds no samples, expected a file of cygrad"):
        verify("again.keras")


def test_files_are_verified_without_keras(monkeypatch):
    net = deep("float32")
    net.set_standardization(None, None)
    to_keras_file(net, "net.keras")

    def missing():
        raise ModuleNotFoundError("none", name="keras")

    monkeypatch.setattr(running, "keras_library", missing)
    test = verify("net.keras").test
    assert test.runtime.startswith("h5py ")
    assert test.difference == 0


def test_a_missing_backend_is_named(monkeypatch):
    def missing(name, extra):
        raise ModuleNotFoundError("none", name="tensorflow")

    monkeypatch.setattr(running, "library", missing)
    with pytest.raises(ModuleNotFoundError, match="keras needs its backend tensorflow"):
        to_keras(deep("float32"))


class Custom(layers.Layer):
    def call(self, x):
        return x + 1


class CustomDense(layers.Dense):
    pass


@keras.saving.register_keras_serializable("mine", "Dense")
class Registered(layers.Dense):
    pass


class CustomModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def add_one(x):
    return x + 1


def of(*more):
    return keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d"), *more])


def shared():
    layer = layers.Dense(4, name="d")
    entry = keras.Input((4,))
    return keras.Model(entry, layer(layer(entry)))


def arithmetic():
    entry = keras.Input((4,))
    return keras.Model(entry, layers.Dense(4, name="d")(entry) * 2)


def subclassed():
    model = CustomModel()
    model(np.zeros((1, 4), "f4"))
    return model


def unbuilt():
    return keras.Sequential([layers.Dense(4)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: of(layers.Lambda(add_one, name="odd")),
            "layer 'odd' .Lambda.: it has no counterp",
        ),
        (lambda: of(Custom(name="odd")), "layer 'odd' .Custom.: it is the custom class"),
        (lambda: of(CustomDense(2, name="odd")), "'odd' .CustomDense.: it is the custom class"),
        (lambda: of(Registered(2, name="odd")), "'odd' .*: it is the custom class mine>Dense"),
        (
            lambda: of(layers.Dense(2, add_one, name="odd")),
            "'odd' .Dense.: the activation is 'add_o",
        ),
        (lambda: of(layers.PReLU(name="odd")), "'odd' .PReLU.: it has no counterpart"),
        (lambda: of(layers.ReLU(6.0, name="odd")), "'odd' .ReLU.: max_value is 6.0"),
        (lambda: of(layers.Activation("relu6", name="odd")), "'odd' .*the activation is 'relu6'"),
        (lambda: of(layers.UnitNormalization(name="odd")), "'odd' .UnitNormalization.: it has no"),
        (shared, "'d' .Dense.: it is used 2 times"),
        (arithmetic, "multiply.* .Multiply.: it takes 2, expected an output of a layer"),
        (subclassed, "is of the class CustomModel, expected a Sequential or Functional model"),
        (unbuilt, "has no weights yet, expected a model that is built"),
    ],
    ids=lambda value: getattr(value, "__name__", "message"),
)
def test_what_has_no_counterpart_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        from_keras(make())


def test_the_command_line(capsys):
    net = cg.Network(3, [cg.Dense(4, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.classes = ("no", "yes")
    net.save("model.npz")
    assert main(["export", "model.npz", "net.keras"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("net.keras: Keras ")
    assert "8 samples, largest difference" in out
    assert main(["verify", "net.keras"]) == 0
    assert capsys.readouterr().out == out
    assert main(["import", "net.keras", "back.npz"]) == 0
    back = cg.load("back.npz")
    assert back.config() == net.config()
    np.testing.assert_array_equal(back.parameters, net.parameters)
    capsys.readouterr()
    with zipfile.ZipFile("net.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    other = cg.Network(
        3, [cg.Dense(4, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=1
    )
    to_keras_file(other, "other.keras")
    with zipfile.ZipFile("other.keras") as archive:
        members["model.weights.h5"] = archive.read("model.weights.h5")
    with zipfile.ZipFile("net.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert main(["verify", "net.keras"]) == 1
    assert "more than rounding explains" in capsys.readouterr().err
