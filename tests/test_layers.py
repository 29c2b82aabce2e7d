"""Layers that are not dense: against the reference, numerically, and refusals."""

import copy
import pickle

import numpy as np
import pytest
from layer_cases import INPUTS, LAYERS, network, samples
from tolerances import tolerance

import cygrad as cg
from cygrad import reference
from cygrad.reference.backpropagation import backward_pass, forward_pass
from cygrad.reference.losses import LOSSES
from cygrad.reference.noise import Counter, normal_numbers, philox, random_word

DTYPES = ("float32", "float64")


def in_reference(layer):
    """Return the reference's description of a layer."""
    if isinstance(layer, cg.Dense):
        return reference.Dense(
            layer.units,
            layer.activation,
            use_bias=layer.use_bias,
            trainable=layer.trainable,
            learning_rate_factor=layer.learning_rate_factor,
        )
    if isinstance(layer, cg.Residual):
        return reference.Residual([in_reference(each) for each in layer.layers], layer.activation)
    if isinstance(layer, cg.Dropout):
        return reference.Dropout(layer.rate)
    if isinstance(layer, cg.GaussianNoise):
        return reference.GaussianNoise(layer.deviation)
    options = {
        "trainable": layer.trainable,
        "learning_rate_factor": layer.learning_rate_factor,
    }
    if isinstance(layer, cg.Scaling):
        return reference.Scaling(layer.activation, **options)
    options["eps"] = layer.eps
    if isinstance(layer, cg.BatchNorm):
        return reference.BatchNorm(layer.activation, momentum=layer.momentum, **options)
    return reference.LayerNorm(layer.activation, **options)


def reference_network(name, net):
    layers = [in_reference(layer) for layer in LAYERS[name]]
    same = reference.Network(INPUTS, layers, loss="cross_entropy")
    same.parameters = net.parameters.tolist()
    return same


def in_order(net, weights, biases):
    """Return arrays of each layer in one, in the order of the parameters."""
    parts = []
    for layer, w, b in zip(net.layers, weights, biases, strict=True):
        if layer.has_weights:
            parts += [np.ravel(w)] + [b] * layer.use_bias
    return np.concatenate(parts)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_the_reference(name, dtype, training, isa):
    X, y = samples(9)
    net = network(name, dtype)
    same = reference_network(name, net)
    mode = reference.Mode(training, step=3)
    expected = same.backward(X.tolist(), y.tolist(), mode)
    found = net.backward(X, y, training=training, step=3)
    close = {"rtol": 200 * tolerance(dtype, 100), "atol": 200 * tolerance(dtype, 100)}
    np.testing.assert_allclose(found.loss, expected.loss, **close)
    np.testing.assert_allclose(found.inputs, expected.inputs, **close)
    for part in ("deltas", "pre_activations", "activations"):
        for a, b in zip(getattr(found, part), getattr(expected, part), strict=True):
            np.testing.assert_allclose(a, b, **close)
    loss, gradient = same.gradient(X.tolist(), y.tolist(), mode)
    np.testing.assert_allclose(in_order(net, found.weights, found.biases), gradient, **close)
    np.testing.assert_allclose(net.gradient(X, y, training=training, step=3)[1], gradient, **close)
    assert loss == expected.loss


@pytest.mark.parametrize("name", LAYERS)
def test_training_is_that_of_the_reference(name):
    X, y = samples(23)
    net = network(name)
    same = reference_network(name, net)
    trainer = cg.Trainer(net, cg.SGD(0.05, momentum=0.5, weight_decay=0.1), 7, rng=0)
    seed = trainer._dropout_seed
    history = trainer.fit(X, y, 2, shuffle=False)
    optimizer = reference.SGD(0.05, momentum=0.5, weight_decay=0.1)
    expected = reference.Trainer(same, optimizer, 7, seed=seed).fit(
        X.tolist(), y.tolist(), [range(23)] * 2
    )
    np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-9)
    np.testing.assert_allclose(net.parameters, same.parameters, rtol=1e-8, atol=1e-10)
    for layer, other in zip(net.layers, same.layers, strict=True):
        if layer.kind == "batch_norm":
            np.testing.assert_allclose(layer.running_mean, other.running_mean, atol=1e-10)
            np.testing.assert_allclose(layer.running_variance, other.running_variance, rtol=1e-9)
    np.testing.assert_allclose(net.forward(X), same.forward(X.tolist()), rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_a_training_step_are_numerical_derivatives(name):
    X, y = samples(11)
    net = network(name)
    parameters = net.parameters
    gradient = net.gradient(X, y, training=True, step=5)[1]
    step = 1e-6
    numerical = np.empty_like(gradient)
    for i in range(len(parameters)):
        losses = []
        for sign in (1, -1):
            moved = parameters.copy()
            moved[i] += sign * step
            net.parameters = moved
            losses.append(net.gradient(X, y, training=True, step=5)[0])
        numerical[i] = (losses[0] - losses[1]) / (2 * step)
    np.testing.assert_allclose(gradient, numerical, atol=2e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_both_modes_take_turns(name):
    X, y = samples(11)
    net = network(name)
    for training in (True, False, True):
        loss, gradient = net.gradient(X, y, training=training, step=5)
        expected = copy.deepcopy(net).gradient(X, y, training=training, step=5)
        assert loss == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("name", LAYERS)
def test_check_gradients(name):
    X, y = samples(9)
    net = network(name)
    cg.Trainer(net, cg.Adam(0.01), 9, rng=0).fit(X, y, 2)
    cg.check_gradients(net, X, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_files_and_copies(name, dtype, tmp_path):
    X, y = samples(30)
    net = network(name, dtype)
    cg.Trainer(net, cg.Adam(0.01), 10, rng=0).fit(X, y, 2)
    net.save(tmp_path / "net.npz")
    copies = [cg.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    for other in copies:
        assert repr(other) == repr(net)
        assert (other.engine.storage == net.engine.storage).all()
        assert (other.forward(X) == net.forward(X)).all()
    assert repr(eval(repr(net), vars(cg).copy())) == repr(net)


def test_one_sample_through_the_equations_of_backpropagation():
    """The passes of a batch give what the equations of one dense sample give."""
    X, y = samples(3)
    layers = [reference.Dense(4, "tanh"), reference.Dense(3, "softmax")]
    net = reference.Network(INPUTS, layers, loss="cross_entropy")
    net.parameters = np.linspace(-1, 1, len(net.parameters)).tolist()
    found = net.backward(X.tolist(), y.tolist())
    for s, (x, label) in enumerate(zip(X.tolist(), y.tolist(), strict=True)):
        zs, activations = forward_pass(net.layers, x)
        target = [float(k == label) for k in range(3)]
        deltas = backward_pass(net.layers, LOSSES["cross_entropy"], zs, activations, target, 1 / 3)
        for layer in range(2):
            assert found.pre_activations[layer][s] == zs[layer]
            assert found.activations[layer][s] == activations[layer]
            assert found.deltas[layer][s] == deltas[layer]


class TestBatchNorm:
    def test_the_statistics_of_a_known_column(self):
        net = cg.Network(
            1,
            [cg.BatchNorm(momentum=1.0), cg.Dense(1, weights_init=0.0)],
            loss="mse",
            dtype="float64",
        )
        cg.Trainer(net, cg.SGD(0.0), 3).step([[1.0], [2.0], [4.0]], [0.0, 0.0, 0.0])
        # PyTorch 2.13 stores 2.3333, the unbiased variance; Keras 3.15 the biased one, 1.5556.
        np.testing.assert_allclose(net.layers[0].running_variance, [7 / 3], rtol=1e-15)
        np.testing.assert_allclose(net.layers[0].running_mean, [7 / 3], rtol=1e-15)
        outputs = net.backward([[1.0], [2.0], [4.0]], [0.0] * 3, training=True).activations[0]
        biased = np.sqrt(14 / 9 + 1e-5)
        np.testing.assert_allclose(outputs[:, 0], np.array([-4, -1, 5]) / 3 / biased, rtol=1e-14)

    def test_a_large_mean_takes_no_digits_from_the_variance(self):
        """E[x²] − E[x]² in float32 gives variances from −32 to 32 here (Keras 3.15.1)."""
        rng = np.random.default_rng(0)
        X = (1e4 + rng.standard_normal((4096, 40))).astype(np.float32)
        net = cg.Network(40, [cg.BatchNorm(momentum=1.0), cg.Dense(1)], loss="mse", rng=0)
        cg.Trainer(net, cg.SGD(0.0), 4096).step(X, np.zeros(4096))
        exact = X.astype(np.float64)
        np.testing.assert_allclose(net.layers[0].running_mean, exact.mean(0), rtol=1e-6)
        np.testing.assert_allclose(net.layers[0].running_variance, exact.var(0, ddof=1), rtol=2e-3)

    def test_batches_of_one_row_are_refused(self):
        X, y = samples(21)
        net = network("batch norm")
        before = net.engine.storage.copy()
        with pytest.raises(ValueError, match=r"last batch of 21 rows has one row.*batch norm"):
            cg.Trainer(net, cg.SGD(0.1), 10).fit(X, y)
        with pytest.raises(ValueError, match="one sample, which has no variance for batch norm"):
            cg.Trainer(net, cg.SGD(0.1)).learn_one(X[0], y[0])
        with pytest.raises(ValueError, match="X has 1 row, without a variance"):
            net.gradient(X[:1], y[:1], training=True)
        assert (net.engine.storage == before).all()
        net.gradient(X[:1], y[:1])  # with the running statistics

    def test_running_statistics_can_be_assigned(self):
        layer = network("batch norm").layers[1]
        layer.running_variance = np.full(37, 2.0)
        assert (layer.running_variance == 2).all()
        with pytest.raises(ValueError, match=r"layers\[1\].running_variance holds -1"):
            layer.running_variance = np.full(37, -1.0)
        with pytest.raises(ValueError, match="shape"):
            layer.running_mean = np.zeros(3)
        with pytest.raises(AttributeError, match="has no running_mean"):
            network("layer norm").layers[1].running_mean  # noqa: B018

    def test_divergence_restores_the_running_statistics(self):
        X, y = samples(40)
        net = network("batch norm", "float32")
        trainer = cg.Trainer(net, cg.SGD(0.01), 10, rng=0)
        trainer.fit(X, y, 1)
        before = net.engine.storage.copy()
        with pytest.raises(cg.DivergenceError):
            cg.Trainer(net, cg.SGD(1e38), 10, rng=0).fit(X, y, 5)
        assert (net.engine.storage == before).all()


class TestRandomNumbers:
    @pytest.mark.parametrize(
        ("counter", "key", "words"),
        [
            ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
            (
                [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
                [0xA4093822, 0x299F31D0],
                [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
            ),
        ],
    )
    def test_known_answers_of_philox(self, counter, key, words):
        """From the test vectors of Random123, the authors' library."""
        assert philox(counter, key) == words

    def test_words_of_neighbours_differ(self):
        places = [
            Counter(seed, step, layer, row)
            for seed in (0, 1, 2**40)
            for step in (0, 1, 2**31)
            for layer in (1, 2)
            for row in (0, 1, 2**40)
        ]
        words = [random_word(place, unit) for place in places for unit in range(70)]
        assert len(set(words)) == len(words)

    def test_dropout_keeps_the_share_and_the_mean(self):
        net = cg.Network(1000, [cg.Dropout(0.3), cg.Dense(1)], loss="mse", dtype="float64", rng=0)
        X = np.ones((200, 1000))
        kept = net.backward(X, np.zeros(200), training=True, step=9).activations[0]
        assert set(np.unique(kept)) == {0.0, 1 / 0.7}
        assert abs((kept == 0).mean() - 0.3) < 0.005
        assert abs((kept == 0).mean(axis=0) - 0.3).max() < 0.15  # of each unit
        assert abs((kept == 0).mean(axis=1) - 0.3).max() < 0.07  # of each row
        assert (net.backward(X, np.zeros(200)).activations[0] == X).all()

    def test_noise_is_normal(self):
        net = cg.Network(
            1000, [cg.GaussianNoise(2.0), cg.Dense(1)], loss="mse", dtype="float64", rng=0
        )
        X = np.zeros((200, 1000))
        noise = net.backward(X, np.zeros(200), training=True).activations[0] / 2
        assert abs(noise.mean()) < 0.01
        assert abs(noise.std() - 1) < 0.01
        for threshold, share in ((1, 0.3173), (2, 0.0455), (3, 0.0027)):
            assert abs((abs(noise) > threshold).mean() - share) < 0.003
        expected = normal_numbers(Counter(0, 0, 1, 7), 1000)
        np.testing.assert_allclose(noise[7], expected, rtol=1e-12, atol=1e-14)

    def test_rate_0_changes_nothing(self):
        X, y = samples(20)
        layers = [cg.Dense(5, "relu"), cg.Dense(3, "softmax")]
        plain = cg.Network(INPUTS, layers, loss="cross_entropy", rng=1)
        dropped = cg.Network(
            INPUTS, [layers[0], cg.Dropout(0), cg.GaussianNoise(0), layers[1]],
            loss="cross_entropy", rng=1,
        )  # fmt: skip
        dropped.parameters = plain.parameters
        for net in (plain, dropped):
            cg.Trainer(net, cg.Adam(), 5, rng=2).fit(X, y, 2)
        assert (dropped.parameters == plain.parameters).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cg.Dropout(1), ValueError, "rate is 1.0, expected a number from 0 to below 1"),
        (lambda: cg.Dropout("a"), TypeError, "rate is 'a'"),
        (lambda: cg.GaussianNoise(-1), ValueError, "deviation is -1"),
        (lambda: cg.BatchNorm(momentum=0), ValueError, "momentum is 0"),
        (lambda: cg.BatchNorm(eps=0), ValueError, "eps is 0"),
        (lambda: cg.BatchNorm("softmax"), ValueError, "needs a Dense layer"),
        (lambda: cg.LayerNorm("nothing"), ValueError, "activation is 'nothing'"),
        (lambda: cg.LayerNorm(trainable="all"), ValueError, "trainable is 'all'"),
        (lambda: cg.Residual([]), ValueError, "layers is empty"),
        (lambda: cg.Residual([3]), TypeError, r"layers\[0\] is 3"),
        (
            lambda: cg.Network(4, [cg.Residual([cg.Dense(3)])], loss="mse"),
            ValueError,
            "4 inputs and 3 outputs",
        ),
        (
            lambda: cg.Network(4, [cg.Dense(3), cg.Dropout(0.5)], loss="mse"),
            ValueError,
            "expected an output layer after it",
        ),
    ],
)
def test_refuses_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_descriptions_are_values():
    for name in LAYERS:
        for layer in LAYERS[name]:
            if not isinstance(layer, cg.Dense):
                assert pickle.loads(pickle.dumps(layer)) == layer or "Dense" in repr(layer)
    assert cg.Dropout(0.5) == cg.Dropout(0.5)
    assert cg.BatchNorm("relu") != cg.BatchNorm()


def test_layers_without_parameters():
    net = network("dropout")
    layer = net.layers[0]
    assert not layer.has_weights
    assert layer.n_parameters == 0
    with pytest.raises(AttributeError, match=r"layers\[0\] is Dropout.*has no weights"):
        layer.weights  # noqa: B018
    with pytest.raises(AttributeError, match="has no trainable"):
        layer.trainable = True
    gradients = net.backward(*samples(4))
    assert gradients.weights[0] is None
    assert gradients.biases[0] is None


def test_sparse_samples_need_a_dense_layer_first():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="X is sparse, and the network has a norm, dropout"):
        network("dropout").forward(sparse.csr_array(np.eye(INPUTS)))
