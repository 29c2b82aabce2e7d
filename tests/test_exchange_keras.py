"""Networks from the files of Keras, which h5py reads; Keras is not needed."""

import json
import zipfile

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.exchange import from_keras

h5py = pytest.importorskip("h5py", reason="needs the package h5py")
from keras_files import (  # noqa: E402
    arrays_of,
    dense,
    entry,
    function,
    functional,
    layer,
    pack,
    sequential,
    weights,
    write,
)
from tolerances import tolerance  # noqa: E402

Z = np.array([[-3.5, -0.75, 0.25, 2.5]])
#: What Keras 3.15.1 with PyTorch 2.13 computes for Z in float64, by the name of the activation.
VALUES = {
    "linear": [-3.5, -0.75, 0.25, 2.5],
    "sigmoid": [0.02931223075135632, 0.320821300824607, 0.5621765008857981, 0.9241418199787566],
    "tanh": [-0.9981778976111987, -0.6351489523872873, 0.24491866240370913, 0.9866142981514303],
    "relu": [0.0, 0.0, 0.25, 2.5],
    "leaky_relu": [-0.7000000000000001, -0.15000000000000002, 0.25, 2.5],
    "elu": [-0.9698026165776815, -0.5276334472589853, 0.25, 2.5],
    "celu": [-0.9698026165776815, -0.5276334472589853, 0.25, 2.5],
    "selu": [-1.705009340957283, -0.9276320158350512, 0.2626752468388701, 2.626752468388701],
    "gelu": [-0.0008142017766243903, -0.16997051428265111, 0.14967658142073093, 2.4844758366855597],
    "silu": [-0.10259280762974712, -0.24061597561845527, 0.14054412522144952, 2.3103545499468914],
    "swish": [-0.10259280762974712, -0.24061597561845527, 0.14054412522144952, 2.3103545499468914],
    "mish": [-0.1040957544863712, -0.2764947145054652, 0.1695724096638176, 2.471392304557881],
    "softplus": [0.029750418272620566, 0.38687100611489994, 0.8259394198788436, 2.5788897342925496],
    "softsign": [-0.7777777777777778, -0.42857142857142855, 0.2, 0.7142857142857143],
    "hard_tanh": [-1.0, -0.75, 0.25, 1.0],
    "hard_sigmoid": [0.0, 0.375, 0.5416666666666666, 0.9166666666666666],
    "exponential": [0.0301973834223185, 0.4723665527410147, 1.2840254166877414, 12.182493960703473],
    "softmax": [0.002161729781725708, 0.033815143208621695, 0.09191908931073664, 0.872104037698916],
}
LAYERS = {
    "LeakyReLU": (layer("LeakyReLU", "a"), [-1.05, -0.22499999999999998, 0.25, 2.5]),
    "LeakyReLU(0.05)": (
        layer("LeakyReLU", "a", negative_slope=0.05),
        [-0.17500000000000002, -0.037500000000000006, 0.25, 2.5],
    ),
    "ELU(0.5)": (
        layer("ELU", "a", alpha=0.5),
        [-0.48490130828884076, -0.26381672362949266, 0.25, 2.5],
    ),
    "ReLU(0.1)": (
        layer("ReLU", "a", max_value=None, negative_slope=0.1, threshold=0.0),
        [-0.35000000000000003, -0.07500000000000001, 0.25, 2.5],
    ),
    "Softmax": (layer("Softmax", "a", axis=-1), VALUES["softmax"]),
    "Activation": (layer("Activation", "a", activation="gelu"), VALUES["gelu"]),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def unit(dtype="float64"):
    """Return kernel and bias of a dense layer that changes nothing."""
    return [np.eye(4, dtype=dtype), np.zeros(4, dtype)]


def assert_values(net, expected):
    """Compare the outputs for Z: 2 ulp and one of the sum, in units of the largest."""
    bound = tolerance(net.dtype.name, 3) * np.abs(expected).max()
    np.testing.assert_allclose(net.forward(Z)[0], expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", VALUES)
def test_activations_give_the_values_of_keras(name, dtype):
    write("net.keras", sequential(dense("a", 4, name)), {"a": unit(dtype)})
    net = from_keras("net.keras")
    assert net.dtype == dtype
    assert_values(net, VALUES[name])
    assert from_keras("net.keras", dtype="float32").dtype == "float32"


@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_objects_of_activations(name):
    made, expected = LAYERS[name]
    write("net.keras", sequential(dense("d", 4), made), {"d": unit()})
    net = from_keras("net.keras")
    assert_values(net, expected)
    if made["class_name"] != "Activation":
        write("net.keras", sequential(dense("d", 4, made)), {"d": unit()})
        np.testing.assert_array_equal(from_keras("net.keras").forward(Z), net.forward(Z))


def test_functions_of_keras_ops():
    functions = {
        "gaussian": [function(kind, kind) for kind in ("Square", "Negative", "Exp")],
        "sine(omega=3.0)": [layer("Rescaling", "r", scale=3, offset=0.0), function("Sin", "s")],
        "sine": [function("Sin", "s")],
        "gelu_tanh": [function("Gelu", "g", approximate=True)],
        "gelu": [function("Gelu", "g", approximate=False)],
        "leaky_relu(slope=0.2)": [function("LeakyRelu", "l")],
        "elu(alpha=0.5)": [function("Elu", "l", alpha=0.5)],
        "exp": [function("Exp", "e")],
    }
    for name, made in functions.items():
        names = ["d", *(each["name"] for each in made)]
        pairs = [(each, before) for each, before in zip(made, names, strict=False)]
        write("net.keras", functional((entry(),), (dense("d", 4), "x"), *pairs), {"d": unit()})
        assert str(from_keras("net.keras").layers[0].activation) == name


def scrambled():
    """Return a model whose groups have the names of other layers, and its arrays.

    The order of the names is not that of the computation, nor is the order of the groups'.
    """
    config = functional(
        (entry(),),
        (dense("dense_10", 5, "tanh"), "x"),
        (dense("dense_2", 5, "relu"), "dense_10"),
        (dense("dense", 5), "dense_2"),
        (dense("dense_1", 2), "dense"),
    )
    arrays = {
        "dense_10": arrays_of((4, 5), (5,), seed=1),
        "dense_2": arrays_of((5, 5), (5,), seed=2),
        "dense": arrays_of((5, 5), (5,), seed=3),
        "dense_1": arrays_of((5, 2), (2,), seed=4),
    }
    return config, arrays


@pytest.mark.parametrize("named", [True, False])
def test_layers_are_found_by_their_names_in_the_configuration(named):
    config, arrays = scrambled()
    write("net.keras", config, arrays, named=named)
    net = from_keras("net.keras")
    assert [each.activation for each in net.layers] == ["tanh", "relu", "identity", "identity"]
    for each, (kernel, bias) in zip(net.layers, arrays.values(), strict=True):
        np.testing.assert_array_equal(each.weights, kernel.T)
        np.testing.assert_array_equal(each.biases, bias)


def test_groups_are_found_by_the_name_even_in_another_order():
    config, arrays = scrambled()
    order = config["config"]["layers"]
    moved = {**config, "config": {**config["config"], "layers": order[:1] + order[:0:-1]}}
    pack("net.keras", config, weights(moved, arrays))
    net = from_keras("net.keras")
    np.testing.assert_array_equal(net.layers[0].weights, arrays["dense_10"][0].T)
    np.testing.assert_array_equal(net.layers[3].biases, arrays["dense_1"][1])


def test_all_kinds_of_layers():
    block = sequential(dense("a", 5, "tanh"), dense("b", 5), name="block", shape=None)
    config = functional(
        (entry((2, 2)),),
        (layer("Rescaling", "bytes", scale=0.5, offset=-1.0), "x"),
        (layer("Flatten", "f", data_format="channels_last"), "bytes"),
        (layer("Normalization", "n", axis=[-1], invert=False, mean=None), "f"),
        (dense("d", 5, use_bias=False), "n"),
        (layer("BatchNormalization", "bn", axis=-1, momentum=0.98, epsilon=1e-3), "d"),
        (layer("Activation", "act", activation="silu"), "bn"),
        (layer("Dropout", "drop", rate=0.25, noise_shape=None), "act"),
        (layer("GaussianNoise", "noise", stddev=0.5), "drop"),
        (block, "noise"),
        (layer("Add", "add"), "noise", "block"),
        (layer("LayerNormalization", "ln", axis=[-1], epsilon=1e-2, scale=False), "add"),
        (layer("EinsumDense", "each", equation="ab,b->ab", activation="relu"), "ln"),
        (dense("last", 3, "softmax", trainable=False), "each"),
    )
    moments = [np.array([1.0, 2, 3, 4], "f4"), np.array([4.0, 1, 0.25, 9], "f4")]
    arrays = {
        "n": [*moments, np.array(7, "i4")],
        "d": arrays_of((4, 5)),
        "bn": [*arrays_of((5,), (5,), (5,)), np.full(5, 0.5, "f4")],
        "block/a": arrays_of((5, 5), (5,), seed=1),
        "block/b": arrays_of((5, 5), (5,), seed=2),
        "ln": arrays_of((5,), seed=3),
        "each": arrays_of((5,), seed=4),
        "last": arrays_of((5, 3), (3,), seed=5),
    }
    write("net.keras", config, arrays)
    net = from_keras("net.keras")
    assert [each.kind for each in net.layers] == [
        "dense", "batch_norm", "dropout", "noise", "dense", "dense", "residual_sum",
        "layer_norm", "scaling", "dense",
    ]  # fmt: skip
    assert [each.trainable for each in net.layers if each.has_weights] == [
        True, True, True, True, "biases", True, False,
    ]  # fmt: skip
    norm = net.layers[1].description
    assert (norm.momentum, norm.eps, norm.activation) == (0.02, 1e-3, "silu")
    assert net.layers[7].description.eps == 1e-2
    assert net.loss == "cross_entropy"
    # in NumPy, by the formulas of Keras
    X = np.random.default_rng(0).normal(size=(6, 4)).astype("f4")
    x = ((0.5 * X - 1.0) - moments[0]) / np.sqrt(moments[1])
    z = x @ arrays["d"][0]
    gamma, beta, mean, variance = arrays["bn"]
    z = gamma * (z - mean) / np.sqrt(variance + 1e-3) + beta
    z = z / (1 + np.exp(-z))
    (a, b), (c, d) = arrays["block/a"], arrays["block/b"]
    z = z + np.tanh(z @ a + b) @ c + d
    deviation = np.sqrt(z.var(axis=1, keepdims=True) + 1e-2)
    z = (z - z.mean(axis=1, keepdims=True)) / deviation + arrays["ln"][0]
    z = np.maximum(z * arrays["each"][0], 0) @ arrays["last"][0] + arrays["last"][1]
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.forward(X), expected, rtol=tolerance("float32", 60))


def test_blocks_in_blocks():
    def plain(name, before):
        return (dense(name, 4, "tanh"), before)

    config = functional(
        (entry(),),
        plain("a", "x"),
        plain("b", "a"),
        (layer("Add", "inner"), "a", "b"),
        plain("c", "inner"),
        (layer("Add", "middle"), "c", "a"),
        (function("Add", "outer"), "x", "middle"),
        (layer("Activation", "act", activation="relu"), "outer"),
    )
    arrays = {name: arrays_of((4, 4), (4,), seed=ord(name)) for name in "abc"}
    write("net.keras", config, arrays)
    net = from_keras("net.keras")
    assert len(net.layers) == 6
    X = np.random.default_rng(0).normal(size=(6, 4)).astype("f4")

    def f(name, x):
        return np.tanh(x @ arrays[name][0] + arrays[name][1])

    a = f("a", X)
    expected = np.maximum(X + f("c", a + f("b", a)) + a, 0)
    np.testing.assert_allclose(net.forward(X), expected, rtol=0, atol=tolerance("float32", 40))


def test_frozen_models_and_layers():
    inner = sequential(dense("a", 3), dense("b", 3, trainable=False), name="inner", shape=None)
    frozen = sequential(dense("c", 3), name="frozen", shape=None)
    frozen["config"]["trainable"] = False
    arrays = {"inner/a": arrays_of((4, 3), (3,)), "frozen/c": arrays_of((3, 3), (3,))}
    arrays["inner/b"] = arrays["frozen/c"]
    write(
        "net.keras", sequential(inner, frozen, dense("d", 3)), {**arrays, "d": arrays["frozen/c"]}
    )
    assert [each.trainable for each in from_keras("net.keras").layers] == [True, False, False, True]


def test_rescaling_and_scales_of_outputs():
    arrays = {"d": arrays_of((4, 2), (2,), dtype="float64")}
    moments = {"axis": [-1], "mean": [1.0, -2.0], "variance": [4.0, 0.25], "invert": True}
    outputs = {
        "tripled": layer("Rescaling", "r", scale=3.0, offset=0.0),
        "moved": layer("Rescaling", "r", scale=[2.0, 0.5], offset=[1.0, -1.0]),
        "inverse": layer("Normalization", "n", **moments),
    }
    X = np.random.default_rng(0).normal(size=(6, 4))
    plain = X @ arrays["d"][0] + arrays["d"][1]
    expected = {
        "tripled": 3 * plain,
        "moved": plain * [2.0, 0.5] + [1.0, -1.0],
        "inverse": plain * [2.0, 0.5] + [1.0, -2.0],
    }
    for name, made in outputs.items():
        write("net.keras", sequential(dense("d", 2), made), arrays)
        np.testing.assert_allclose(from_keras("net.keras").forward(X), expected[name], rtol=1e-13)
    arrays = {"d": unit()}
    write(
        "net.keras", sequential(layer("Rescaling", "r", scale=2, offset=6), dense("d", 4)), arrays
    )
    net = from_keras("net.keras")
    assert (net.input_mean.tolist(), net.input_scale.tolist()) == ([-3] * 4, [2] * 4)
    np.testing.assert_array_equal(net.forward(Z), 2 * Z + 6)


def test_small_variances_are_clamped_as_keras_does():
    moments = {"axis": [-1], "mean": [0.0] * 4, "variance": [0.0, 1e-16, 4.0, 1.0]}
    write("net.keras", sequential(layer("Normalization", "n", **moments), dense("d", 4)),
          {"d": unit()})  # fmt: skip
    np.testing.assert_allclose(from_keras("net.keras").input_scale, [1e7, 1e7, 0.5, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("compiled", "activation", "expected"),
    [
        ("mse", "linear", "mse"),
        ("mae", "linear", "mae"),
        ("mean_absolute_error", "tanh", "mae"),
        ("sparse_categorical_crossentropy", "softmax", "cross_entropy"),
        ("categorical_crossentropy", "linear", "mse"),  # no probabilities: the outputs stay
        ("binary_crossentropy", "sigmoid", "binary_cross_entropy"),
        ("poisson", "exponential", "poisson"),
        ("kl_divergence", "softmax", "kl_divergence"),
        ("hinge", "linear", "mse"),  # is another one in Keras
        ({"class_name": "Huber", "config": {"delta": 0.5}}, "linear", cg.losses.huber(0.5)),
        (
            {
                "class_name": "CategoricalCrossentropy",
                "config": {"from_logits": False, "label_smoothing": 0.1},
            },
            "softmax",
            cg.losses.cross_entropy(0.1),
        ),
        ({"class_name": "MyLoss", "config": {}}, "sigmoid", "binary_cross_entropy"),
        ({"class_name": "function", "config": "mean_absolute_error"}, "linear", "mae"),
        ({"a": "mse", "b": "mse"}, "linear", "mse"),
        (None, "softmax", "cross_entropy"),
        (3, "linear", "mse"),
    ],
)
def test_the_loss_of_the_compiled_model(compiled, activation, expected):
    config = sequential(dense("d", 4, activation), compile_config={"loss": compiled})
    write("net.keras", config, {"d": unit()})
    net = from_keras("net.keras")
    assert net.loss == expected
    assert_values(net, VALUES[activation])
    assert from_keras("net.keras", loss="mse" if activation != "softmax" else "kl_divergence")


@pytest.mark.parametrize(
    ("kind", "activation"),
    [("SparseCategoricalCrossentropy", "softmax"), ("BinaryCrossentropy", "sigmoid")],
)
def test_losses_of_logits_have_the_activation(kind, activation):
    loss = {"class_name": kind, "config": {"from_logits": True}}
    write("net.keras", sequential(dense("d", 4), compile_config={"loss": loss}), {"d": unit()})
    net = from_keras("net.keras", classes="abcd")
    assert net.layers[-1].activation == activation
    assert net.classes == ("a", "b", "c", "d")
    assert_values(net, VALUES[activation])
    net = from_keras("net.keras", loss="mse")
    assert_values(net, Z[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_become_float32(dtype):
    kernel, bias = arrays_of((4, 2), (2,))
    if dtype == "float16":
        stored = [kernel.astype("f2"), bias.astype("f2")]
        expected = stored[0].astype("f4")
    else:
        expected = (kernel.view("u4") & 0xFFFF0000).view("f4")
        stored = [(each.view("u4") >> 16).astype("u2").view("V2") for each in (kernel, bias)]
    data = weights(sequential(dense("d", 2)), {"d": stored})
    with open("some.h5", "wb") as file:
        file.write(data)
    with h5py.File("some.h5", "r+") as root:
        for index in "01":
            root["layers/dense/vars"][index].attrs["dtype"] = dtype
    with open("some.h5", "rb") as file:
        pack("net.keras", sequential(dense("d", 2)), file.read())
    net = from_keras("net.keras")
    assert net.dtype == "float32"
    np.testing.assert_array_equal(net.layers[0].weights, expected.T)


def test_weights_alone_need_the_architecture():
    config, arrays = scrambled()
    write("net.keras", config, arrays)
    with open("net.weights.h5", "wb") as file:
        file.write(weights(config, arrays))
    with open("net.json", "w") as file:
        json.dump(config, file)
    expected = from_keras("net.keras").parameters
    for given in (config, json.dumps(config), "net.json", "net.keras"):
        np.testing.assert_array_equal(
            from_keras("net.weights.h5", config=given).parameters, expected
        )
    with pytest.raises(ValueError, match=r"'net.weights.h5' has weights and no arch.*config="):
        from_keras("net.weights.h5")
    with pytest.raises(TypeError, match="config is int"):
        from_keras("net.weights.h5", config=3)
    with pytest.raises(ValueError, match="config is no JSON text"):
        from_keras("net.weights.h5", config="{")
    with pytest.raises(ValueError, match=r"net.keras' has a configuration, expected config=None"):
        from_keras("net.keras", config=config)


def whole(path, config, arrays, *, version="2.15.0", suffix=":0"):
    """Write an ``.h5`` file of a whole model, as Keras 2 does."""
    with h5py.File(path, "w") as root:
        root.attrs["model_config"] = json.dumps(config)
        root.attrs["training_config"] = json.dumps({"loss": "mae"})
        if version is not None:
            root.attrs["keras_version"] = version
        parent = root.create_group("model_weights")
        for name, values in arrays.items():
            outer, _, inner = name.partition("/")
            group = parent.require_group(outer)
            kinds = ["gamma", "beta", "moving_mean", "moving_variance"][: len(values)]
            if values[0].ndim == 2:
                kinds = ["kernel", "bias"]
            names = [f"{inner or outer}/{kind}{suffix}" for kind in kinds]
            group.attrs["weight_names"] = [*group.attrs.get("weight_names", []), *names]
            for each, array in zip(names, values, strict=True):
                group[each] = array


def old_model(activation="relu"):
    block = sequential(dense("a", 5), dense("b", 5), name="block", shape=None)
    made = [
        (layer("InputLayer", "x", batch_input_shape=[None, 4]), None),
        (dense("dense_1", 5, activation), "x"),
        (layer("BatchNormalization", "bn", axis=[1], momentum=0.99, epsilon=1e-3), "dense_1"),
        (block, "bn"),
        (dense("dense", 2), "block"),
    ]
    config = functional(*((each,) if before is None else (each, before) for each, before in made))
    for each, (_, before) in zip(config["config"]["layers"], made, strict=True):
        each["inbound_nodes"] = [] if before is None else [[[before, 0, 0, {}]]]
        for name in ("module", "registered_name"):
            each.pop(name, None)
    return {"class_name": "Functional", "config": config["config"]}, {
        "dense_1": arrays_of((4, 5), (5,)),
        "bn": [*arrays_of((5,), (5,), (5,), seed=1), np.full(5, 2, "f4")],
        "block/a": arrays_of((5, 5), (5,), seed=2),
        "block/b": arrays_of((5, 5), (5,), seed=3),
        "dense": arrays_of((5, 2), (2,), seed=4),
    }


@pytest.mark.parametrize("suffix", [":0", ""])
def test_whole_models_in_hdf5(suffix):
    config, arrays = old_model()
    whole("net.h5", config, arrays, suffix=suffix)
    net = from_keras("net.h5")
    assert net.loss == "mae"
    assert [each.kind for each in net.layers] == ["dense", "batch_norm", *["dense"] * 3]
    for index, name in ((0, "dense_1"), (2, "block/a"), (3, "block/b"), (4, "dense")):
        np.testing.assert_array_equal(net.layers[index].weights, arrays[name][0].T)
    np.testing.assert_array_equal(net.layers[1].running_mean, arrays["bn"][2])


def test_hard_sigmoid_of_keras_2_is_another_one():
    config, arrays = old_model("hard_sigmoid")
    for version in ("2.15.0", None, "3.0.0"):  # the shape of the inputs tells, too
        whole("net.h5", config, arrays, version=version)
        with pytest.raises(ValueError, match=r"'dense_1' \(Dense\).*hard_sigmoid of Keras 2"):
            from_keras("net.h5")
    write("net.keras", sequential(dense("d", 4, "hard_sigmoid")), {"d": unit()},
          keras_version="2.14.0")  # fmt: skip
    with pytest.raises(ValueError, match="hard_sigmoid of Keras 2"):
        from_keras("net.keras")


def custom(module="mine", registered="Custom>Magic", kind="Magic"):
    return {**layer(kind, "odd", module), "registered_name": registered}


def called(**arguments):
    made = functional(
        (entry(),), (layer("Dropout", "drop", rate=0.5), "x"), (dense("d", 4), "drop")
    )
    made["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = arguments
    return made


def shared():
    made = functional((entry(),), (dense("d", 4), "x"))
    made["config"]["layers"][1]["inbound_nodes"] *= 2
    return made


def loop():
    made = functional((entry(),), (dense("d", 4), "e"), (dense("e", 4), "d"))
    return made


def two_inputs():
    made = functional((entry(),), (entry(name="y"),), (dense("d", 4), "x"))
    made["config"]["input_layers"].append(["y", 0, 0])
    return made


def branches():
    return functional(
        (entry(),), (dense("d", 4), "x"), (dense("e", 4), "x"), (layer("Add", "sum"), "d", "e")
    )


def overlapping():
    return functional(
        (entry(),),
        (dense("d", 4), "x"),
        (dense("e", 4), "d"),
        (layer("Add", "first"), "x", "e"),
        (dense("f", 4), "first"),
        (layer("Add", "second"), "d", "f"),
    )


MODELS = {
    "Lambda": (sequential(dense("d", 4), layer("Lambda", "odd", function={})), "'odd' .Lambda."),
    "custom": (sequential(dense("d", 4), custom()), "'odd' .Magic.: it is the custom class C"),
    "custom Dense": (sequential(custom(kind="Dense")), "'odd' .Dense.: it is the custom class"),
    "module": (sequential(custom("mine.layers", None)), "the custom class mine.layers.Magic"),
    "model": (
        {**sequential(dense("d", 4)), "class_name": "Net", "module": "mine"},
        "is of the class Net, expected a Sequential or Functional",
    ),
    "custom activation": (
        sequential(dense("d", 4, {"class_name": "function", "config": "mine", "module": "x"})),
        r"'d' .Dense.: the activation is 'mine', a custom function",
    ),
    "Conv1D": (sequential(layer("Conv1D", "c")), "'c' .Conv1D.: it has no counterpart"),
    "PReLU": (sequential(dense("d", 4), layer("PReLU", "p")), "'p' .PReLU.: it has no counterpart"),
    "relu6": (sequential(dense("d", 4, "relu6")), "'d' .Dense.: the activation is 'relu6'"),
    "hard_silu": (sequential(dense("d", 4, "hard_silu")), "the activation is 'hard_silu'"),
    "max_value": (
        sequential(dense("d", 4), layer("ReLU", "r", max_value=6.0)), "'r' .ReLU.: max_value is 6",
    ),
    "threshold": (
        sequential(dense("d", 4), layer("ReLU", "r", threshold=1.0)), "threshold 1.0, which",
    ),
    "axis": (sequential(dense("d", 4), layer("Softmax", "s", axis=0)), "axis is 0, expected -1"),
    "log_softmax": (sequential(dense("d", 4, "log_softmax")), "expected softmax, or lossy=True"),
    "hidden softmax": (
        sequential(dense("d", 4, "softmax"), dense("e", 4)),
        r"layer 'd' .Dense.: softmax is before layer 'e' .Dense., expected it for the outputs",
    ),
    "renorm": (
        sequential(dense("d", 4), layer("BatchNormalization", "b", renorm=True)), "renorm is True",
    ),
    "rms": (
        sequential(dense("d", 4), layer("LayerNormalization", "l", rms_scaling=True)), "rms_sc",
    ),
    "lora": (sequential(dense("d", 4, lora_rank=2)), "lora_rank is 2, expected None"),
    "noise": (
        sequential(dense("d", 4), layer("GaussianDropout", "g", rate=0.1)), "expected lossy=True",
    ),
    "noise_shape": (
        sequential(layer("Dropout", "g", rate=0.1, noise_shape=[1, 4]), dense("d", 4)), "noise_s",
    ),
    "normalization": (
        sequential(dense("d", 4), layer("Normalization", "n", mean=0.0, variance=1.0)),
        "'n' .Normalization.: expected it before all layers",
    ),
    "einsum": (
        sequential(layer("EinsumDense", "e", equation="ab,bc->ac")), "equation is 'ab,bc->ac'",
    ),
    "training": (called(training=True), "'drop' .Dropout.: it is called with training=True"),
    "shared": (shared(), "'d' .Dense.: it is used 2 times, expected once"),
    "loop": (loop(), "'d' .Dense.: 'e' does not come before it"),
    "two inputs": (two_inputs(), "input_layers names 2 layers, expected 1"),
    "branches": (branches(), "'sum' .Add.: it is no residual sum"),
    "overlapping": (overlapping(), "it is no residual sum x . f.x. of one chain"),
    "itself": (
        functional((entry(),), (dense("d", 4), "x"), (layer("Add", "a"), "d", "d")),
        "'a' .Add.: it adds a value to itself",
    ),
    "product": (
        functional((entry(),), (dense("d", 4), "x"), (layer("Multiply", "m"), "d", "d")),
        "'m' .Multiply.: it has 2 inputs, expected 1, or Add for a sum",
    ),
    "not flat": (sequential(dense("d", 4), shape=(2, 2)), r"inputs of shape \(2, 2\), expected"),
    "reshaped": (
        sequential(dense("d", 4), layer("Reshape", "r", target_shape=[2, 2])),
        r"has outputs of shape \(2, 2\)",
    ),
    "no shape": (sequential(dense("d", 4), shape=None), "no shape of its inputs"),
    "nothing": (sequential(), "has no layers"),
    "units": (sequential(dense("d", 10**9)), r"kernel has shape \(4, 4\), expected \(4, 10000000"),
    "inputs": (sequential(dense("d", 4), shape=(10**9,)), r"kernel has shape \(4, 4\), expected"),
    "units without arrays": (
        sequential(layer("Activation", "a", activation="relu"), dense("d", 4), shape=(10**12,)),
        "'a' .Activation.: .* units without an array in the file",
    ),
    "option": (sequential(dense("d", "4")), "units is '4', expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_what_has_no_counterpart_is_refused_by_name(name):
    config, message = MODELS[name]
    arrays = {each: unit("float32") for each in ("d", "e", "f", "odd")}
    try:
        data = weights(config, arrays)
    except KeyError:
        data = weights(sequential(dense("d", 4)), arrays)
    pack("net.keras", config, data)
    with pytest.raises(ValueError, match=message) as caught:
        from_keras("net.keras")
    assert str(caught.value).startswith("'net.keras'")


def test_lossy_takes_softmax_and_leaves_out_what_does_nothing():
    config = sequential(
        layer("AlphaDropout", "a", rate=0.1),
        dense("d", 4),
        layer("GaussianDropout", "g", rate=0.1),
        layer("Activation", "l", activation="log_softmax"),
    )
    write("net.keras", config, {"d": unit()})
    net = from_keras("net.keras", lossy=True)
    assert net.loss == "cross_entropy"
    assert_values(net, VALUES["softmax"])


def test_negative_variances_are_refused():
    config = sequential(dense("d", 4), layer("BatchNormalization", "b"))
    norm = [np.ones(4), np.zeros(4), np.zeros(4), np.array([1.0, -0.5, 1.0, 1.0])]
    write("net.keras", config, {"d": unit(), "b": norm})
    with pytest.raises(ValueError, match=r"'b' .*moving_variance is -0.5 for a unit"):
        from_keras("net.keras")


def changed(change):
    """Write a file of one layer whose HDF5 file is changed by a function of its group."""
    data = weights(sequential(dense("d", 4)), {"d": unit()})
    with open("some.h5", "wb") as file:
        file.write(data)
    with h5py.File("some.h5", "r+") as root:
        change(root["layers/dense/vars"])
    with open("some.h5", "rb") as file:
        pack("net.keras", sequential(dense("d", 4)), file.read())


def external_link(group):
    del group["0"]
    group["0"] = h5py.ExternalLink("other.h5", "/data")


def soft_link(group):
    del group["0"]
    group["0"] = h5py.SoftLink("/layers/dense/vars/1")


def external_data(group):
    del group["0"]
    group.create_dataset("0", (4, 4), "f8", external=[("other.bin", 0, 128)])


def virtual(group):
    del group["0"]
    layout = h5py.VirtualLayout((4, 4), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4, 4))
    group.create_virtual_dataset("0", layout)


def empty(group):
    del group["0"]
    group.create_dataset("0", (4, 4), "f8", chunks=(4, 4), compression="gzip", fillvalue=1.0)


def integers(group):
    del group["0"]
    group["0"] = np.ones((4, 4), "i8")


def more(group):
    group["2"] = np.ones(4)


def fewer(group):
    del group["1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_link, "is a link to another place"),
        (soft_link, "is a link to another place"),
        (external_data, "kernel has .* bytes in the file, expected 128"),
        (virtual, "kernel has .* bytes in the file, expected 128"),
        (empty, "kernel has 0 bytes in the file, expected 128"),
        (integers, "kernel is int64, expected floating-point numbers"),
        (more, "3 arrays are in the file, expected kernel, bias only"),
        (fewer, "1 arrays are in the file, expected kernel, bias"),
    ],
    ids=lambda value: getattr(value, "__name__", "message"),
)
def test_arrays_that_are_not_in_the_file_are_refused(change, message):
    changed(change)
    with pytest.raises(ValueError, match=rf"'net.keras': layer 'd' \(Dense\): .*{message}"):
        from_keras("net.keras")


def test_arrays_that_are_one_array_have_more_bytes_than_the_file():
    names = [f"d{number}" for number in range(40)]
    config = sequential(*(dense(name, 64, use_bias=False) for name in names), shape=(64,))
    with h5py.File("some.h5", "w") as root:
        for index, name in enumerate(names):
            group = root.create_group(f"layers/dense_{index}" if index else "layers/dense")
            variables = group.create_group("vars")
            variables.attrs["name"] = name
            variables["0"] = root["layers/dense/vars/0"] if index else np.eye(64)
    with open("some.h5", "rb") as file:
        pack("net.keras", config, file.read())
    with pytest.raises(ValueError, match=r"kernel and the arrays before it have more bytes than"):
        from_keras("net.keras")


def test_compressed_archives_are_bounded():
    config, arrays = scrambled()
    pack("net.keras", config, weights(config, arrays), compression=zipfile.ZIP_DEFLATED)
    assert from_keras("net.keras").inputs == 4
    pack("net.keras", config, bytes(1 << 24), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(
        ValueError, match=r"model.weights.h5 has 16,777,216 bytes of .* in the file"
    ):
        from_keras("net.keras")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no HDF5 file, or damaged"),
        (b"PK\x03\x04 and then nothing", "is no .keras file, or cut short"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "is no HDF5 file, or damaged"),
    ],
)
def test_other_files_are_refused(content, message):
    with open("net.keras", "wb") as file:
        file.write(content)
    with pytest.raises(ValueError, match=rf"'net.keras' {message}"):
        from_keras("net.keras")


def test_damaged_members_are_refused():
    config, arrays = scrambled()
    data = weights(config, arrays)
    pack("net.keras", config, data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"'net.keras'.* (damaged|file)"):
        from_keras("net.keras")
    with zipfile.ZipFile("net.keras", "w") as archive:
        archive.writestr("config.json", "[1]")
    with pytest.raises(ValueError, match=r"config.json holds list, expected an object"):
        from_keras("net.keras")
    with zipfile.ZipFile("net.keras", "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(ValueError, match=r"holds other.txt, expected config.json too"):
        from_keras("net.keras")
    with zipfile.ZipFile("net.keras", "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
    with pytest.raises(ValueError, match=r"config.json is no JSON text"):
        from_keras("net.keras")


def test_cut_files_never_give_a_network():
    config, arrays = scrambled()
    write("whole.keras", config, arrays)
    with open("whole.keras", "rb") as file:
        data = file.read()
    for size in range(0, len(data), 997):
        with open("net.keras", "wb") as file:
            file.write(data[:size])
        with pytest.raises(ValueError, match=r"'net.keras'"):
            from_keras("net.keras")


def test_other_sources_are_refused():
    with pytest.raises(TypeError, match=r"source is int, expected a path or a keras.Model"):
        from_keras(3)
    with pytest.raises(FileNotFoundError):
        from_keras("none.keras")


def test_parameters_go_on_to_onnx_and_back():
    pytest.importorskip("onnx", reason="needs the extra onnx")
    config, arrays = scrambled()
    write("net.keras", config, arrays)
    net = from_keras("net.keras")
    cg.exchange.to_onnx(net, "net.onnx")
    np.testing.assert_array_equal(cg.exchange.from_onnx("net.onnx").parameters, net.parameters)


def test_the_command_line_reads_files(capsys):
    config, arrays = scrambled()
    write("net.keras", config, arrays)
    assert main(["import", "net.keras", "net.npz", "--loss", "huber"]) == 0
    expected = from_keras("net.keras").parameters
    net = cg.load("net.npz")
    assert net.loss == "huber"
    np.testing.assert_array_equal(net.parameters, expected)
    with open("net.weights.h5", "wb") as file:
        file.write(weights(config, arrays))
    assert main(["import", "net.weights.h5", "other.npz", "--config", "net.keras"]) == 0
    np.testing.assert_array_equal(cg.load("other.npz").parameters, expected)
    capsys.readouterr()
    assert main(["import", "net.weights.h5", "other.npz"]) == 1
    assert "expected --config, the text of model.to_json()" in capsys.readouterr().err
    assert main(["verify", "net.keras"]) == 1
    assert "it holds no samples, expected a file of cygrad" in capsys.readouterr().err
