"""Statistics of the layers by epoch: against the reference, and at no cost where not asked for."""

import numpy as np
import pytest
from bits import assert_same_bits
from test_sparse import Rows
from tolerances import assert_close

import cygrad as cg
from cygrad import plotting, reference
from cygrad._engine import training
from cygrad.reference.statistics import layer_statistics

LAYERS = (
    {"units": 33, "activation": "relu"},
    {"units": 6, "activation": "tanh", "trainable": "weights"},
    {"units": 5, "activation": "sigmoid", "trainable": False},
    {"units": 4, "activation": "sigmoid", "trainable": "biases"},
    {"units": 3, "activation": "softmax"},
)
RNG = np.random.default_rng(3)
X = RNG.standard_normal((70, 17)).astype(np.float32)
Y = RNG.integers(3, size=70)


def network(dtype="float64", scale=3.0):
    net = cg.Network(
        17, [cg.Dense(**layer) for layer in LAYERS], loss="cross_entropy", dtype=dtype, rng=0
    )
    net.parameters = net.parameters * scale  # so that some units saturate
    net.layers[0].biases = np.where(np.arange(33) % 3 == 0, -100.0, 0.0)  # and some are dead
    return net


def fit(net, epochs=2, statistics=True, **options):
    trainer = cg.Trainer(net, cg.SGD(0.1), 16, rng=0, **options)
    return trainer.fit(X, Y, epochs, statistics=statistics)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("accumulate", [1, 2, 100])
def test_they_agree_with_the_reference(accumulate, dtype, isa):
    net = network(dtype)
    expected = reference.Network(
        17, [reference.Dense(**layer) for layer in LAYERS], loss="cross_entropy"
    )
    before = [layer.weights.astype(float).tolist() for layer in net.layers]
    trainer = cg.Trainer(net, cg.SGD(0.1), 16, rng=0, accumulate=accumulate)
    history = trainer.fit(X, Y, shuffle=False, statistics=True)
    expected.parameters = net.parameters.tolist()
    batch = min(16 * accumulate, 70)
    rows = layer_statistics(expected, X[-batch:].tolist(), Y[-batch:].tolist(), before)
    (found,) = history.statistics
    assert [row.layer for row in found] == [row.layer for row in rows] == [0, 1, 3, 4]
    for mine, row in zip(found, rows, strict=True):
        for name in "gradient_norm", "weight_norm", "update_ratio":
            depth = 3e3 if name == "update_ratio" else 200  # W before and after nearly cancel
            assert_close([getattr(mine, name)], [getattr(row, name)], dtype, depth, name)
        assert (mine.dead, mine.saturated) == (row.dead, row.saturated)
    assert found[0].dead >= 11 / 33
    assert found[0].saturated is None
    assert found[1].saturated > 0
    assert found[1].dead is None
    assert found[2].update_ratio == 0  # its weights are frozen
    assert (found[3].dead, found[3].saturated) == (None, None)


def test_shares_are_those_of_known_activations():
    """|z| > 5.98 is saturated for the sigmoid, |z| > 2.99 for tanh."""
    limits = {"sigmoid": 5.98, "tanh": 2.994, "softsign": 9.01, "hard_tanh": 1, "hard_sigmoid": 3}
    for name, flat in [*limits.items(), ("relu", None)]:
        net = cg.Network(1, [cg.Dense(1, name)], loss="quadratic", dtype="float64")
        net.parameters = [1.0, 0.0]
        z = np.array([[-10.0], [-3.1], [-0.1], [0.1], [5.9], [6.0]])
        if name == "relu":
            z = -abs(z)
        trainer = cg.Trainer(net, cg.SGD(0.0), 6)
        (row,) = trainer.fit(z, z, statistics=True).statistics[0]
        if flat is None:
            assert (row.dead, row.saturated) == (1.0, None)
        else:
            assert (row.dead, row.saturated) == (None, np.mean(abs(z) > flat))
            a = net.forward(z).tolist()
            assert reference.statistics.saturated_share(name, a) == row.saturated
        assert row.update_ratio == 0
        assert row.weight_norm == 1


def test_a_whole_batch_is_taken_from_the_end_of_the_order(monkeypatch):
    orders = []

    def recorded(engine, samples, targets, order, *others):
        orders.append(order.copy())
        return training.layer_statistics(engine, samples, targets, order, *others)

    monkeypatch.setattr("cygrad.training.statistics.layer_statistics", recorded)
    fit(network())
    assert [len(order) for order in orders] == [16, 16]
    assert not np.array_equal(*orders)


def test_an_epoch_that_ends_early_has_its_last_batch():
    from cygrad.training.statistics import last_batch

    order = np.arange(70)[::-1]
    assert last_batch(order, 70, 16).tolist() == order[-16:].tolist()
    assert last_batch(order, 32, 16).tolist() == order[16:32].tolist()
    assert last_batch(order, 7, 16).tolist() == order[:7].tolist()
    assert last_batch(None, 70, 16).tolist() == list(range(54, 70))
    trainer = cg.Trainer(network(), cg.SGD(0.1), 16, rng=0)
    history = trainer.fit(X, Y, 3, statistics=True, max_steps=7)
    assert len(history.statistics) == len(history) == 2


def test_training_and_threads_change_no_bit():
    plain, watched, threaded = network(), network(), network()
    fit(plain, statistics=False)
    one, three = fit(watched, threads=1), fit(threaded, threads=3)
    assert_same_bits(watched.parameters, plain.parameters)
    assert one.statistics == three.statistics
    assert len(one.statistics) == len(one) == 2


def test_sparse_samples_have_the_same_bits():
    rows = np.where(RNG.random(X.shape) < 0.2, X, 0)
    found = []
    for given in rows, Rows(rows):
        trainer = cg.Trainer(network(), cg.SGD(0.1), 16, rng=0)
        found.append(trainer.fit(given, Y, 2, statistics=True).statistics)
    assert found[0] == found[1]


def layered(**options):
    layers = [
        cg.Dense(16, "relu"),
        cg.BatchNorm(),
        cg.Residual([cg.Dense(16, "tanh"), cg.LayerNorm(), cg.Scaling("relu")]),
        cg.Dropout(0.3),
        cg.Dense(3, "softmax"),
    ]
    net = cg.Network(17, layers, loss="cross_entropy", dtype="float64", rng=0)
    trainer = cg.Trainer(net, cg.Adam(0.01), 20, rng=0, **options)
    return trainer, net.engine.storage.copy


def test_layers_without_weights_and_random_ones():
    (plain, storage), (watched, same_storage) = layered(), layered()
    plain.fit(X, Y, 2)
    watched.net.gradient(X, Y)
    first = watched.fit(X, Y, 2, statistics=True).statistics
    assert_same_bits(same_storage(), storage())  # running statistics too
    assert [row.layer for row in first[0]] == [0, 1, 2, 3, 4, 7]
    assert layered()[0].fit(X, Y, 2, statistics=True).statistics == first


def test_without_being_asked_nothing_is_computed(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("cygrad.training.run.epoch_statistics", refuse)
    assert fit(network(), statistics=False).statistics == []


def test_weights_of_zero():
    for rate, expected in (0.0, 0.0), (0.1, 1.0):
        net = cg.Network(1, [cg.Dense(1, weights_init="zeros")], loss="mse")
        trainer = cg.Trainer(net, cg.SGD(rate), 1)
        (row,) = trainer.fit([[1.0]], [1.0], statistics=True).statistics[0]
        assert row.update_ratio == expected
    assert cg.training.statistics.ratio(1.0, 0.0) == np.inf


def test_the_argument_is_a_flag():
    with pytest.raises(TypeError, match="statistics is 1, expected True or False"):
        fit(network(), statistics=1)


def test_callbacks_see_the_epoch_so_far():
    seen = []
    trainer = cg.Trainer(network(), cg.SGD(0.1), 16)
    trainer.fit(
        X,
        Y,
        2,
        statistics=True,
        callbacks=[lambda trainer, epoch, logs: seen.append(len(trainer.history.statistics))],
    )
    assert seen == [1, 2]


class TestPictures:
    """`plotting.gradient_health`."""

    pytestmark = pytest.mark.usefixtures("own_figures")

    @pytest.fixture(autouse=True)
    def _needs_matplotlib(self):
        pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

    def test_each_quantity_has_axes_with_a_curve_for_each_layer(self):
        history = fit(network(), 5)
        axes = plotting.gradient_health(history)
        assert [ax.get_ylabel() for ax in axes] == [
            "norm of ∂C/∂P",
            "norm of W",
            "‖ΔW‖ / ‖W‖ of an epoch",
            "dead relu units",
            "saturated activations",
        ]
        assert [len(ax.lines) for ax in axes] == [4, 4, 4, 1, 2]
        assert len({ax.figure for ax in axes}) == 1
        for index, line in enumerate(axes[0].lines):
            values = [epoch[index].gradient_norm for epoch in history.statistics]
            np.testing.assert_array_equal(line.get_ydata(), values)
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 6))
        assert np.isnan(axes[2].lines[2].get_ydata()).all()  # a ratio of 0
        assert [line.get_label() for line in axes[4].lines] == ["layer 1", "layer 3"]
        assert axes[4].lines[0].get_color() == axes[0].lines[1].get_color()
        assert (axes[0].get_yscale(), axes[3].get_yscale()) == ("log", "linear")

    def test_quantities_and_axes_are_chosen(self, axes_2d):
        history = fit(network(), 1)
        (ax,) = plotting.gradient_health(history, "dead", axes=[axes_2d], linewidth=3)
        assert ax is axes_2d
        assert ax.lines[0].get_linewidth() == 3
        assert ax.get_xticks().tolist() == [1]

    def test_what_no_layer_has_is_not_drawn(self):
        net = cg.Network(17, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
        axes = plotting.gradient_health(fit(net))
        assert len(axes) == 3
        with pytest.raises(ValueError, match="quantities has 'dead', and no layer has such units"):
            plotting.gradient_health(fit(net), "dead")

    @pytest.mark.parametrize(
        ("quantities", "axes", "message"),
        [
            ("norm", None, "quantities has 'norm', expected gradient_norm, weight_norm"),
            ([], None, "quantities is empty"),
            (None, [], "axes is .*, expected 5 axes"),
            ("dead", 3, "axes is 3, expected 1 axes"),
        ],
    )
    def test_wrong_arguments_are_refused(self, quantities, axes, message):
        with pytest.raises(ValueError, match=message):
            plotting.gradient_health(fit(network()), quantities, axes=axes)

    def test_a_wrong_history_is_refused(self):
        with pytest.raises(TypeError, match="history is 3, expected a History"):
            plotting.gradient_health(3)
        with pytest.raises(ValueError, match="history has no statistics"):
            plotting.gradient_health(fit(network(), statistics=False))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_gradient_is_that_of_the_weighted_batch(reduction):
    net = cg.Network(
        17,
        [cg.Dense(5, "tanh"), cg.Dense(3, "softmax")],
        loss="cross_entropy",
        reduction=reduction,
        dtype="float64",
        rng=0,
    )
    weights = RNG.uniform(0, 3, 70)
    trainer = cg.Trainer(net, cg.SGD(0.01), 16, rng=0)
    history = trainer.fit(X, Y, shuffle=False, statistics=True, sample_weight=weights)
    rows = slice(54, 70)
    g = net.backward(X[rows], Y[rows], sample_weight=weights[rows])
    for found, of_weights, of_biases in zip(
        history.statistics[0], g.weights, g.biases, strict=True
    ):
        norm = np.hypot(np.linalg.norm(of_weights), np.linalg.norm(of_biases))
        assert found.gradient_norm == pytest.approx(norm, rel=1e-12)


def test_weights_of_an_earlier_gradient_are_forgotten():
    found = []
    for weights in (None, RNG.uniform(1, 3, 16)):
        net = network()
        trainer = cg.Trainer(net, cg.SGD(0.1), 16, rng=0)
        net.backward(X[:16], Y[:16], False, sample_weight=weights, training=True)
        found.append(trainer.fit(X, Y, statistics=True).statistics)
    assert found[0] == found[1]


def test_the_last_batch_is_one_with_weight():
    weights = np.ones(70)
    weights[16:32] = weights[64:] = 0
    net = cg.Network(17, [cg.Dense(3, "softmax")], loss="cross_entropy", dtype="float64", rng=0)
    trainer = cg.Trainer(net, cg.SGD(0.01), 16, rng=0)
    history = trainer.fit(X, Y, shuffle=False, statistics=True, sample_weight=weights)
    g = net.backward(X[48:64], Y[48:64])
    norm = np.hypot(np.linalg.norm(g.weights[0]), np.linalg.norm(g.biases[0]))
    assert history.statistics[0][0].gradient_norm == pytest.approx(norm, rel=1e-12)
