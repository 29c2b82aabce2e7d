"""Networks: how they are made, what they compute, how they are copied."""

import copy
import math
import pickle
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from networks import small_network, targets_for, units_for

import cygrad as cg
from cygrad import Dense, Network
from cygrad._engine import kernels
from cygrad.network.activations import ACTIVATIONS
from cygrad.network.losses import LOSSES
from cygrad.seeding import stream

FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "gaussian": lambda z: np.exp(-(z**2)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + np.tanh(math.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "sine": np.sin,
    "exp": np.exp,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
# An output activation that goes with each loss.
FITTING = {
    "quadratic": "tanh",
    "mse": "identity",
    "mae": "tanh",
    "huber": "identity",
    "log_cosh": "identity",
    "pinball": "sigmoid",
    "poisson": "exp",
    "gaussian_nll": "identity",
    "binary_cross_entropy": "sigmoid",
    "cross_entropy": "softmax",
    "focal": "softmax",
    "kl_divergence": "softmax",
    "hinge": "identity",
    "squared_hinge": "tanh",
}


def make(loss="cross_entropy", units=3, activation=None, **options):
    """Make a network 4-5-`units`, in float64 by default."""
    options = {"dtype": "float64", "rng": 7, **options}
    units = units_for(loss, units)
    return small_network(4, 5, units, loss, activation or FITTING[loss], **options)


def samples(n=6, columns=4):
    return np.random.default_rng(1).normal(size=(n, columns))


def targets(loss, n=6, units=3):
    return targets_for(loss, np.random.default_rng(2), n, units_for(loss, units))


class TestMaking:
    def test_says_what_it_is(self):
        net = Network(
            4, [Dense(5, "relu"), Dense(3, "softmax", use_bias=False)], loss="cross_entropy"
        )
        assert (net.inputs, net.outputs, net.n_parameters) == (4, 3, 4 * 5 + 5 + 5 * 3)
        assert (net.loss, net.metric, net.reduction, net.dtype) == (
            "cross_entropy",
            "accuracy",
            "mean",
            np.float32,
        )
        assert [(layer.inputs, layer.units, layer.activation) for layer in net.layers] == [
            (4, 5, "relu"),
            (5, 3, "softmax"),
        ]

    def test_the_tables_are_the_engines(self):
        assert list(ACTIVATIONS) == list(kernels.ACTIVATIONS)
        of_users = [name for name, row in kernels.LOSSES.items() if "internal" not in row]
        assert list(LOSSES) == of_users

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("units", [1, 2, 3])
    def test_every_combination_is_made_or_refused_as_it_should(self, loss, activation, units):
        sensible = {
            "cross_entropy": activation == "softmax",
            "focal": activation == "softmax",
            "kl_divergence": activation == "softmax",
            "binary_cross_entropy": activation == "sigmoid",
            "poisson": activation == "exp",
            "gaussian_nll": activation != "softmax" and units == 2,
            "hinge": activation != "softmax" and units > 1,
            "squared_hinge": activation != "softmax" and units > 1,
        }.get(loss, True) and not (activation == "softmax" and units == 1)
        expectation = nullcontext() if sensible else pytest.raises(ValueError, match="expected")
        with expectation:
            Network(4, [Dense(units, activation)], loss=loss)

    def test_a_refusal_says_what_would_do(self):
        with pytest.raises(
            ValueError, match=r"needs a softmax output layer.*Dense\(3, 'tanh'\).*'mse'"
        ):
            make("cross_entropy", activation="tanh")
        with pytest.raises(ValueError, match=r"layers\[0\].*softmax is for the last layer only"):
            Network(4, [Dense(5, "softmax"), Dense(3)], loss="mse")
        with pytest.raises(
            ValueError, match=r"expected Dense\(3, 'identity'\), or loss 'cross_entr"
        ):
            make("hinge", activation="softmax")
        with pytest.raises(ValueError, match=r"at least 2 outputs.*binary_cross_entropy"):
            make("hinge", units=1)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"inputs": 0}, ValueError, "inputs is 0, expected an integer of at least 1"),
            ({"inputs": 2.0}, TypeError, "inputs is 2.0, expected an integer"),
            ({"inputs": True}, TypeError, "inputs is True"),
            ({"layers": []}, ValueError, "layers is empty"),
            ({"layers": Dense(3)}, TypeError, "expected a list of layers"),
            ({"layers": 3}, TypeError, "expected a list of layers"),
            ({"layers": [3]}, TypeError, r"layers\[0\] is 3, expected a layer"),
            ({"loss": "hubert"}, ValueError, "loss is 'hubert', expected one of 'quadratic'"),
            ({"loss": None}, TypeError, "loss is None"),
            ({"reduction": "max"}, ValueError, "reduction is 'max', expected one of 'mean', 'sum'"),
            ({"dtype": "float16"}, ValueError, "dtype is 'float16', expected 'float32' or"),
            ({"dtype": None}, ValueError, "dtype is None"),
            ({"dtype": "nonsense"}, ValueError, "dtype is 'nonsense'"),
            ({"rng": -1}, ValueError, "rng is -1"),
            ({"rng": "seed"}, TypeError, "rng is 'seed', expected an integer"),
            ({"rng": True}, TypeError, "rng is True"),
        ],
    )
    def test_refuses_bad_arguments(self, arguments, error, message):
        good = {"inputs": 4, "layers": [Dense(3)], "loss": "mse"}
        with pytest.raises(error, match=message):
            Network(**{**good, **arguments})

    @pytest.mark.parametrize(("inputs", "units"), [(10**30, 1), (1, 2**62), (2**31 - 1, 2**31 - 1)])
    def test_refuses_sizes_beyond_any_memory(self, inputs, units):
        with pytest.raises(ValueError, match=r"layers have \d+ parameters, more than"):
            Network(inputs, [Dense(units)], loss="mse")

    def test_the_loss_must_be_given(self):
        with pytest.raises(TypeError, match="loss"):
            Network(4, [Dense(3)])

    def test_a_layer_of_a_network_is_not_a_description(self):
        with pytest.raises(TypeError, match=r"layers\[0\] is <layer of 4 inputs"):
            Network(4, make().layers, loss="mse")

    @pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
    def test_takes_a_dtype_as_numpy_does(self, dtype):
        net = make(dtype=dtype)
        assert net.forward(samples()).dtype == net.dtype == np.float32

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"units": 0}, ValueError, "units is 0, expected an integer of at least 1"),
            ({"units": 2.5}, TypeError, "units is 2.5"),
            (
                {"activation": "swish"},
                ValueError,
                "activation is 'swish', expected one of 'identity'",
            ),
            ({"use_bias": 1}, TypeError, "use_bias is 1, expected True or False"),
            (
                {"trainable": "all"},
                ValueError,
                "trainable is 'all', expected True, False, 'weights'",
            ),
            ({"trainable": 1}, ValueError, "trainable is 1"),
            ({"trainable": "biases", "use_bias": False}, ValueError, "use_bias=False"),
            ({"bias_init": 1, "use_bias": False}, ValueError, "bias_init is 1 with use_bias=False"),
        ],
    )
    def test_refuses_bad_layers(self, arguments, error, message):
        with pytest.raises(error, match=message):
            Dense(**{"units": 3, **arguments})

    @pytest.mark.parametrize(
        ("trainable", "use_bias", "weights", "biases"),
        [
            (True, True, True, True),
            (False, True, False, False),
            (np.True_, True, True, True),
            ("weights", True, True, False),
            ("biases", True, False, True),
            (True, False, True, False),
        ],
    )
    def test_trainable_names_what_is_trained(self, trainable, use_bias, weights, biases):
        dense = Dense(3, trainable=trainable, use_bias=use_bias)
        (layer,) = Network(4, [dense], loss="mse").layers
        assert (layer.train_weights, layer.train_biases) == (weights, biases)

    def test_trainable_can_be_changed_in_one_network(self):
        dense = Dense(3)
        one, other = (Network(4, [dense], loss="mse") for _ in range(2))
        one.layers[0].trainable = "biases"
        assert (one.layers[0].train_weights, one.layers[0].train_biases) == (False, True)
        assert other.layers[0].trainable is dense.trainable is True
        with pytest.raises(ValueError, match="trainable is 'none'"):
            one.layers[0].trainable = "none"

    def test_repr_makes_the_same_network(self):
        net = Network(
            4,
            [Dense(5, "relu", use_bias=False, trainable="weights"), Dense(3, "sigmoid")],
            loss="binary_cross_entropy",
            reduction="sum",
            dtype="float64",
        )
        again = eval(repr(net))
        assert repr(again) == repr(net)
        assert again.config() == net.config()


class TestSeeds:
    def test_same_seed_same_bits(self):
        nets = [make(rng=rng) for rng in (3, np.int64(3), np.random.SeedSequence(3))]
        for net in nets:
            np.testing.assert_array_equal(net.parameters, nets[0].parameters)
        assert (make(rng=4).parameters != nets[0].parameters).any()

    def test_float32_starts_as_float64_rounded(self):
        np.testing.assert_array_equal(
            make(dtype="float32").parameters, make().parameters.astype(np.float32)
        )

    def test_a_generator_gives_a_new_network_each_time(self):
        rng = np.random.default_rng(3)
        before = rng.bit_generator.state
        one, other = make(rng=rng), make(rng=rng)
        assert (one.parameters != other.parameters).any()
        assert rng.bit_generator.state == before
        np.testing.assert_array_equal(one.parameters, make(rng=np.random.default_rng(3)).parameters)

    def test_without_a_seed_networks_differ(self):
        assert (make(rng=None).parameters != make(rng=None).parameters).any()

    def test_the_global_generator_is_left_alone(self):
        np.random.seed(0)  # noqa: NPY002
        make(rng=None)
        drawn = np.random.random()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        assert drawn == np.random.random()  # noqa: NPY002

    def test_purposes_have_streams_of_their_own(self):
        purposes = ("initialisation", "shuffling", "dropout", "checking")
        assert len({stream(0, purpose).random() for purpose in purposes}) == len(purposes)
        assert stream(0, "shuffling").random() == stream(0, "shuffling").random()

    def test_a_users_child_seeds_are_not_the_packages(self):
        seeds = np.random.SeedSequence(0)
        children = {np.random.default_rng(child).random() for child in seeds.spawn(3)}
        assert stream(seeds, "initialisation").random() not in children

    def test_one_layers_draws_do_not_move_anothers(self):
        drawn = Network(4, [Dense(5), Dense(3)], loss="mse", rng=0)
        given = Network(4, [Dense(5, weights_init=0.5), Dense(3)], loss="mse", rng=0)
        np.testing.assert_array_equal(drawn.layers[1].weights, given.layers[1].weights)


class TestForward:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_is_the_formula(self, activation, dtype):
        net = make("quadratic", activation=activation, dtype=dtype)
        for layer in net.layers:
            layer.biases = np.linspace(-1, 1, layer.units)
        X = samples()
        a = X
        for layer in net.layers:
            a = FORMULAS[layer.activation](a @ layer.weights.T.astype(float) + layer.biases)
        outputs = net.forward(X)
        assert outputs.shape == (6, 3)
        assert outputs.dtype == dtype
        np.testing.assert_allclose(outputs, a, rtol=0, atol=30 * np.finfo(dtype).eps)

    def test_gives_an_array_of_the_callers_own(self):
        net = make()
        first = net.forward(samples())
        kept = first.copy()
        net.forward(samples() + 1)
        np.testing.assert_array_equal(first, kept)


class TestPredict:
    @pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
    def test_the_largest_output(self, loss):
        net = make(loss)
        predicted = net.predict(samples())
        assert predicted.dtype == np.int64
        np.testing.assert_array_equal(predicted, net.forward(samples()).argmax(axis=1))

    def test_the_first_of_equals(self):
        net = make("hinge")
        net.parameters = np.zeros(net.n_parameters)
        np.testing.assert_array_equal(net.predict(samples()), np.zeros(6))

    def test_yes_or_no(self):
        one, three = make("binary_cross_entropy", units=1), make("binary_cross_entropy")
        assert one.predict(samples()).shape == (6,)
        assert three.predict(samples()).shape == (6, 3)
        for net in (one, three):
            expected = net.forward(samples()).reshape(net.predict(samples()).shape) >= 0.5
            np.testing.assert_array_equal(net.predict(samples()), expected)
            assert net.predict(samples()).dtype == np.int64

    def test_one_half_is_yes(self):
        net = make("binary_cross_entropy", units=1)
        net.parameters = np.zeros(net.n_parameters)
        np.testing.assert_array_equal(net.predict(samples()), np.ones(6))

    @pytest.mark.parametrize("loss", ["quadratic", "mse"])
    def test_the_outputs_themselves(self, loss):
        net = make(loss)
        np.testing.assert_array_equal(net.predict(samples()), net.forward(samples()))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("loss", ["mse", "huber", "poisson", "custom"])
    def test_one_output_has_the_shape_of_its_targets(self, loss, dtype):
        given = (lambda a, y: (a[:, 0] - y, np.ones_like(a))) if loss == "custom" else loss
        activation = "exp" if loss == "poisson" else "identity"
        net = cg.Network(4, [cg.Dense(1, activation)], loss=given, dtype=dtype, rng=0)
        predicted = net.predict(samples())
        assert predicted.shape == (6,)
        assert predicted.dtype == dtype
        assert predicted.tobytes() == net.forward(samples()).tobytes()
        assert np.mean((predicted - net.forward(samples())[:, 0]) ** 2) == 0
        one = net.predict_one(samples()[2])
        assert type(one) is float
        assert one == predicted[2]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize(
        ("loss", "units"),
        [
            ("cross_entropy", 2),
            ("cross_entropy", 40),
            ("hinge", 3),
            ("binary_cross_entropy", 1),
            ("binary_cross_entropy", 35),
        ],
    )
    def test_outputs_that_are_no_numbers_have_no_class(self, loss, units, threads, dtype):
        activation = {"hinge": "identity", "cross_entropy": "softmax"}.get(loss, "sigmoid")
        layers = [cg.Dense(64, weights_init=1.0), cg.Dense(units, activation, weights_init=0.0)]
        net = cg.Network(2, layers, loss=loss, dtype=dtype, rng=0)
        net.layers[1].weights = np.where(np.arange(64) % 2, 1.0, -1.0)[np.newaxis].repeat(units, 0)
        X = np.zeros((20_000, 2))
        X[[12_345, 15_000]] = np.finfo(dtype).max / 1.5
        assert np.isnan(net.forward(X[12_345:12_346])).all()
        with pytest.raises(ValueError, match="X has outputs in row 12345 that are NaN or infinite"):
            net.predict(X, threads=threads)
        with pytest.raises(ValueError, match="x has outputs that are NaN or infinite"):
            net.predict_one(X[12_345])
        assert (net.predict(X[:12_345], threads=threads) == net.predict_one(X[0])).all()

    @pytest.mark.parametrize("sign", [1, -1])
    def test_scores_that_all_overflow_have_no_class(self, sign):
        net = cg.Network(2, [cg.Dense(3, weights_init=2.0 * sign)], loss="hinge", rng=0)
        with pytest.raises(ValueError, match="X has outputs in row 1 that are NaN or infinite"):
            net.predict([[1, 1], [3e38, 3e38]])
        net.layers[0].weights = [[1, 1], [-2, -2], [0, 0]]
        assert net.predict([[1.5e38, 1.5e38]]) == [0]  # one score is −∞, and loses


class TestEvaluate:
    def expected(self, loss, a, y):
        """Loss and metric of each sample."""
        one_hot = np.eye(a.shape[1])[y] if y.ndim == 1 else y
        right = a.argmax(axis=1) == one_hot.argmax(axis=1)
        if loss == "quadratic":
            return ((a - y) ** 2).sum(axis=1) / 2, np.abs(a - y).mean(axis=1)
        if loss == "mse":
            return ((a - y) ** 2).mean(axis=1), np.abs(a - y).mean(axis=1)
        if loss == "cross_entropy":
            return -(one_hot * np.log(a)).sum(axis=1), right
        if loss == "binary_cross_entropy":
            losses = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)
            return losses, ((a >= 0.5) == (y >= 0.5)).mean(axis=1)
        if loss == "focal":
            p = (a * one_hot).sum(axis=1)
            return -((1 - p) ** 2) * np.log(p), right
        if loss in ("hinge", "squared_hinge"):
            margins = np.maximum(a - (a * one_hot).sum(axis=1, keepdims=True) + 1 - one_hot, 0)
            return (margins**2 if loss == "squared_hinge" else margins).sum(axis=1), right
        if loss == "gaussian_nll":
            means, logarithms = np.split(a, 2, axis=1)
            terms = (logarithms + (means - y) ** 2 / np.exp(logarithms)) / 2
            return terms.mean(axis=1), np.abs(means - y).mean(axis=1)
        e = a - y
        if loss == "kl_divergence":
            return (y * np.log(y / a)).sum(axis=1), np.abs(e).mean(axis=1)
        if loss == "poisson":
            return (a - y * np.log(a)).mean(axis=1), 2 * (y * np.log(y / a) + e).mean(axis=1)
        terms = {
            "mae": np.abs(e),
            "huber": np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5),
            "log_cosh": np.log(np.cosh(e)),
            "pinball": np.abs(e) / 2,
        }[loss]
        return terms.mean(axis=1), np.abs(e).mean(axis=1)

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_is_the_formula(self, loss, reduction):
        net = make(loss, reduction=reduction)
        y = targets(loss)
        losses, metrics = self.expected(loss, net.forward(samples()), y)
        found = net.evaluate(samples(), y)
        assert list(found) == ["loss", LOSSES[loss].metric]
        assert found["loss"] == pytest.approx(getattr(np, reduction)(losses), rel=1e-12)
        assert found[net.metric] == pytest.approx(metrics.mean(), rel=1e-12)
        assert all(type(value) is float for value in found.values())

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("widths", [(1, 3), (9, 1), (17, 2), (40, 33), (100, 5)])
    def test_the_widths_of_hidden_layers_do_not_matter(self, loss, widths):
        # evaluate overwrites the layers that it no longer needs; backward keeps all of them.
        layers = [
            *(Dense(units, "sigmoid") for units in widths),
            Dense(units_for(loss, 3), FITTING[loss]),
        ]
        net = Network(4, layers, loss=loss, dtype="float64", rng=0)
        for n in (1, 2, 7):
            X, y = samples(n), targets(loss, n)
            losses, metrics = self.expected(loss, net.forward(X), y)
            found = net.evaluate(X, y)
            assert found["loss"] == pytest.approx(losses.mean(), rel=1e-12)
            assert found[net.metric] == pytest.approx(metrics.mean(), rel=1e-12)
            assert net.backward(X, y).loss == pytest.approx(losses.mean(), rel=1e-12)

    def test_class_indices_are_one_hot_rows(self):
        net, y = make(), targets("cross_entropy")
        one_hot = np.eye(3)[y]
        assert net.evaluate(samples(), y) == pytest.approx(net.evaluate(samples(), one_hot))
        assert net.evaluate(samples(), one_hot.astype(np.uint8)) == pytest.approx(
            net.evaluate(samples(), y)
        )

    def test_a_single_output_takes_flat_targets(self):
        net = make("mse", units=1)
        y = targets("mse", units=1)
        assert net.evaluate(samples(), y[:, 0]) == net.evaluate(samples(), y)


class TestBackward:
    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_the_parts_are_those_of_the_equations(self, loss, reduction):
        net, X, y = make(loss, reduction=reduction), samples(), targets(loss)
        g = net.backward(X, y)
        below = [X, *g.activations[:-1]]
        close = {"rtol": 1e-12, "atol": 1e-14}
        assert g.loss == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-12)
        np.testing.assert_array_equal(g.activations[-1], net.forward(X))
        for index, layer in enumerate(net.layers):
            z = below[index] @ layer.weights.T + layer.biases
            np.testing.assert_allclose(g.pre_activations[index], z, **close)
            np.testing.assert_allclose(g.weights[index], g.deltas[index].T @ below[index], **close)
            np.testing.assert_allclose(g.biases[index], g.deltas[index].sum(axis=0), **close)
        hidden = (g.deltas[1] @ net.layers[1].weights) * (1 - g.activations[0] ** 2)
        np.testing.assert_allclose(g.deltas[0], hidden, **close)
        np.testing.assert_allclose(g.inputs, g.deltas[0] @ net.layers[0].weights, **close)

    def test_the_output_delta_of_cross_entropy(self):
        net, X, y = make(reduction="sum"), samples(), targets("cross_entropy")
        g = net.backward(X, y)
        np.testing.assert_allclose(g.deltas[-1], net.forward(X) - np.eye(3)[y], atol=1e-14)

    def test_the_mean_is_the_sum_over_n(self):
        X, y = samples(), targets("cross_entropy")
        mean, total = make().backward(X, y), make(reduction="sum").backward(X, y)
        assert mean.loss * 6 == pytest.approx(total.loss, rel=1e-14)
        np.testing.assert_allclose(mean.weights[0] * 6, total.weights[0], rtol=1e-13)
        np.testing.assert_allclose(mean.inputs * 6, total.inputs, rtol=1e-13)

    def test_the_input_gradient_can_be_left_out(self):
        X, y = samples(), targets("cross_entropy")
        without, g = make().backward(X, y, input_gradient=False), make().backward(X, y)
        assert without.inputs is None
        np.testing.assert_array_equal(without.weights[0], g.weights[0])
        with pytest.raises(TypeError, match="input_gradient is 1, expected True or False"):
            make().backward(X, y, input_gradient=1)

    def test_a_layer_without_biases_has_none_to_learn(self):
        net = Network(4, [Dense(5, "tanh", use_bias=False), Dense(3)], loss="mse", rng=0)
        g = net.backward(samples(), targets("mse"))
        assert g.biases[0].shape == (5,)
        assert not g.biases[0].any()
        assert g.biases[1].any()

    def test_changes_nothing(self):
        net = make()
        before = net.parameters
        net.backward(samples(), targets("cross_entropy"))
        np.testing.assert_array_equal(net.parameters, before)


class TestParameters:
    def test_layer_after_layer_weights_before_biases(self):
        net = Network(2, [Dense(2, use_bias=False), Dense(1)], loss="mse")
        net.parameters = [1, 2, 3, 4, 5, 6, 7]
        np.testing.assert_array_equal(net.layers[0].weights, [[1, 2], [3, 4]])
        np.testing.assert_array_equal(net.layers[0].biases, [0, 0])
        np.testing.assert_array_equal(net.layers[1].weights, [[5, 6]])
        np.testing.assert_array_equal(net.layers[1].biases, [7])
        np.testing.assert_array_equal(net.parameters, [1, 2, 3, 4, 5, 6, 7])
        np.testing.assert_array_equal(net.forward([[1, 0], [0, 1]]), [[5 + 18 + 7], [10 + 24 + 7]])

    def test_what_is_read_is_a_copy(self):
        net = make()
        before = net.parameters
        net.parameters[:] = 0
        for array in (net.layers[0].weights, net.layers[0].biases):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        kept = net.layers[0].weights
        net.layers[0].weights = np.zeros((5, 4))
        assert kept.any()
        assert not net.layers[0].weights.any()
        np.testing.assert_array_equal(net.parameters[20:], before[20:])

    def test_what_is_assigned_is_copied(self):
        net, W = make(), np.ones((5, 4))
        net.layers[0].weights = W
        W[:] = 2
        np.testing.assert_array_equal(net.layers[0].weights, np.ones((5, 4)))

    @pytest.mark.parametrize(
        "W",
        [
            np.asfortranarray(np.arange(20.0).reshape(5, 4)),
            np.arange(40.0).reshape(5, 8)[:, ::2] / 2,
            np.arange(20, dtype=np.int8).reshape(5, 4),
            np.arange(20, dtype=">f4").reshape(5, 4),
            np.arange(20).reshape(5, 4).tolist(),
        ],
    )
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_any_layout_and_real_dtype_can_be_assigned(self, W, dtype):
        net = make(dtype=dtype)
        net.layers[0].weights = W
        np.testing.assert_array_equal(net.layers[0].weights, np.arange(20.0).reshape(5, 4))

    @pytest.mark.parametrize(
        ("name", "value", "error", "message"),
        [
            ("weights", np.zeros((4, 5)), ValueError, r"shape \(4, 5\), expected \(5, 4\)"),
            ("weights", 0.0, ValueError, r"shape \(\), expected \(5, 4\)"),
            ("weights", np.full((5, 4), 1j), TypeError, "dtype complex128, expected real numbers"),
            ("weights", np.full((5, 4), "1"), TypeError, "dtype <U1"),
            ("biases", np.zeros((5, 1)), ValueError, r"shape \(5, 1\), expected \(5,\)"),
            ("biases", [0, 0, np.nan, 0, 0], ValueError, "holds nan at 2"),
            ("biases", [0, 0, 0, 1e39, 0], ValueError, r"holds 1e\+39 at 3.*finite as float32"),
        ],
    )
    def test_refuses_what_does_not_fit_and_changes_nothing(self, name, value, error, message):
        net = make(dtype="float32")
        before = net.parameters
        with pytest.raises(error, match=rf"layers\[0\]\.{name}.*{message}"):
            setattr(net.layers[0], name, value)
        np.testing.assert_array_equal(net.parameters, before)

    def test_refuses_parameters_that_do_not_fit_and_changes_nothing(self):
        net = make()
        before = net.parameters
        for value in (np.zeros(3), np.zeros((net.n_parameters, 1)), [np.inf] * net.n_parameters):
            with pytest.raises(ValueError, match="parameters"):
                net.parameters = value
        with pytest.raises(TypeError, match="parameters has dtype <U1, expected real numbers"):
            net.parameters = ["a"] * net.n_parameters
        np.testing.assert_array_equal(net.parameters, before)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_parameters_of_any_layout_and_real_dtype(self, dtype):
        net = make(dtype=dtype)
        expected = np.arange(net.n_parameters) % 100.0
        for given in (
            np.repeat(expected.astype(dtype), 2)[::2],
            expected[::-1].copy()[::-1],
            *(expected.astype(each) for each in ("f4", "f8", "i1", ">f8")),
            expected.tolist(),
        ):
            net.parameters = np.zeros(net.n_parameters)
            net.parameters = given
            np.testing.assert_array_equal(net.parameters, expected)
            np.testing.assert_array_equal(net.layers[0].biases, expected[20:25])

    def test_parameters_must_be_finite_in_the_dtype(self):
        net = make(dtype="float64")
        net.parameters = np.full(net.n_parameters, 1e300)
        assert (net.parameters == 1e300).all()
        net = make(dtype="float32")
        with pytest.raises(ValueError, match=r"parameters holds 1e\+300 at 0.*finite as float32"):
            net.parameters = np.full(net.n_parameters, 1e300)

    def test_biases_that_are_not_there(self):
        net = Network(4, [Dense(3, use_bias=False)], loss="mse")
        assert not net.layers[0].biases.any()
        with pytest.raises(ValueError, match="use_bias=False"):
            net.layers[0].biases = np.zeros(3)

    def test_a_slip_of_the_pen_is_an_error(self):
        net = make()
        with pytest.raises(AttributeError):
            net.parameter = 0
        with pytest.raises(AttributeError):
            net.layers[0].weight = 0
        with pytest.raises(AttributeError):
            net.layers[0].units = 7

    def test_one_list_makes_many_networks(self):
        layers = [Dense(5, "relu"), Dense(3)]
        one, other = (Network(4, layers, loss="mse", rng=rng) for rng in (1, 2))
        before = other.parameters
        one.parameters = np.zeros(one.n_parameters)
        np.testing.assert_array_equal(other.parameters, before)


class TestStandardization:
    def test_is_applied_by_every_method(self):
        X, y = 100 + 7 * samples(20), targets("cross_entropy", 20)
        plain, net = make(), make()
        net.standardize_inputs(X)
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        np.testing.assert_allclose(net.input_mean, X.mean(axis=0))
        np.testing.assert_allclose(net.input_scale, 1 / X.std(axis=0))
        np.testing.assert_allclose(net.forward(X), plain.forward(scaled), rtol=1e-12)
        np.testing.assert_array_equal(net.predict(X), plain.predict(scaled))
        assert net.evaluate(X, y) == pytest.approx(plain.evaluate(scaled, y))
        g, expected = net.backward(X, y), plain.backward(scaled, y)
        np.testing.assert_allclose(g.weights[0], expected.weights[0], atol=1e-13)
        np.testing.assert_allclose(g.inputs, expected.inputs / X.std(axis=0), atol=1e-14)
        assert g.inputs.dtype == net.dtype

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "float16", "int64"])
    def test_has_the_bits_of_numpy(self, kind, dtype):
        given = (50 * np.abs(samples(300))).astype(kind)
        plain, net = make(dtype=dtype), make(dtype=dtype)
        net.standardize_inputs(given[:100])
        for X in (given, np.asfortranarray(given), given[::-1], given[:1], given[:, ::1][5:9]):
            scaled = (X.astype(np.float64) - net.input_mean) * net.input_scale
            assert (net.apply_standardization(X, "X") == scaled).all()
            assert net.forward(X).tobytes() == plain.forward(scaled).tobytes()
            assert net.predict(X).tobytes() == plain.predict(scaled).tobytes()
            y = targets("cross_entropy", len(X))
            assert net.evaluate(X, y) == plain.evaluate(scaled, y)
            found, expected = net.gradient(X, y), plain.gradient(scaled, y)
            assert (found[0], found[1].tobytes()) == (expected[0], expected[1].tobytes())

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("name", ["forward", "predict", "evaluate", "backward", "gradient"])
    def test_numbers_that_are_not_finite_are_named(self, name, threads):
        X, y = samples(300), targets("cross_entropy", 300)
        net = make(dtype="float32")
        net.standardize_inputs(1e-10 * X)
        arguments = () if name in ("forward", "predict") else (y,)
        wrong = X.copy()
        wrong[2, 1] = 1e200
        with pytest.raises(ValueError, match=r"^standardised X holds \S+ in row 2, column 1, .*32"):
            getattr(net, name)(wrong, *arguments, threads=threads)
        wrong[270, 3] = np.nan
        with pytest.raises(ValueError, match=r"^X holds nan in row 270, column 3, expected"):
            getattr(net, name)(wrong, *arguments, threads=threads)

    def test_is_computed_in_float64_for_a_float32_network(self):
        X = 1e7 + samples(20)
        net = make(dtype="float32")
        net.standardize_inputs(X)
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        np.testing.assert_allclose(net.forward(X), make(dtype="float32").forward(scaled), rtol=1e-6)

    def test_a_constant_column_has_scale_one(self):
        X = samples(7)
        X[:, 2] = 0.1
        net = make()
        net.standardize_inputs(X)
        assert (net.input_mean[2], net.input_scale[2]) == (0.1, 1)

    @pytest.mark.parametrize("offset", [0.1, -3.0, 1e9])
    def test_a_column_that_is_constant_but_for_rounding_has_scale_one(self, offset):
        X = samples(100)
        X[:, 2] = offset + 0.2
        X[50:, 2] = np.nextafter(offset + 0.2, np.inf)
        X[:, 1] *= 1e-100  # without an offset every deviation counts
        net = make()
        net.standardize_inputs(X)
        assert net.input_scale[2] == 1
        assert 5e99 < net.input_scale[1] < 2e100
        X[50:, 2] = offset + 0.2 + 1e-6 * abs(offset)
        net.standardize_inputs(X)
        assert 1.9e6 < net.input_scale[2] * abs(offset) < 2.1e6

    def test_one_mean_and_deviation_can_be_shared(self):
        X = np.random.default_rng(0).integers(0, 256, (9000, 4)).astype(np.uint8)
        X[:, 3] = 0
        X[0, 3] = 255
        net = make()
        net.standardize_inputs(X, shared=True)
        np.testing.assert_allclose(net.input_mean, np.full(4, X.mean()), rtol=1e-14)
        np.testing.assert_allclose(net.input_scale, np.full(4, 1 / X.std()), rtol=1e-14)
        assert np.abs(net.apply_standardization(X, "X")).max() < 3
        net.standardize_inputs(X)
        assert net.apply_standardization(X, "X").max() > 90
        net.standardize_inputs(np.full((3, 4), 0.1), shared=True)
        assert (net.input_scale == 1).all()
        with pytest.raises(TypeError, match="shared is 1, expected True or False"):
            net.standardize_inputs(X, shared=1)

    def test_can_be_taken_back(self):
        net = make()
        net.standardize_inputs(100 + samples())
        net.standardize_inputs(None)
        assert net.input_mean is None
        assert net.input_scale is None
        np.testing.assert_array_equal(net.forward(samples()), make().forward(samples()))

    def test_equal_arrays_give_equal_bits(self):
        X = np.random.default_rng(0).normal(size=(9000, 4)).astype(np.float32)
        found = []
        for array in (X, np.asfortranarray(X), X[::-1][::-1], X.astype(np.float64)):
            net = make()
            net.standardize_inputs(array)
            found.append((net.input_mean.tobytes(), net.input_scale.tobytes()))
        assert len(set(found)) == 1
        np.testing.assert_allclose(net.input_mean, X.mean(axis=0, dtype=float), atol=1e-15)
        np.testing.assert_allclose(net.input_scale, 1 / X.std(axis=0, dtype=float), rtol=1e-13)

    def test_mean_and_scale_cannot_be_written_to(self):
        net = make()
        net.standardize_inputs(samples())
        for array in (net.input_mean, net.input_scale):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1

    @pytest.mark.parametrize(
        "X", [np.zeros((5, 3)), np.full((5, 4), np.nan), np.zeros((0, 4)), np.zeros(4)]
    )
    def test_refuses_bad_samples_and_changes_nothing(self, X):
        net = make()
        net.standardize_inputs(samples())
        before = net.input_mean
        with pytest.raises(ValueError, match="X"):
            net.standardize_inputs(X)
        assert net.input_mean is before

    def test_refuses_a_column_beyond_float64(self):
        X = samples()
        X[:, 1] *= 1e200
        with pytest.raises(ValueError, match="column 1"):
            make().standardize_inputs(X)


class TestClasses:
    def test_are_names_of_the_outputs(self):
        net = make()
        assert net.classes is None
        net.classes = ["a", "b", "c"]
        assert net.classes == ("a", "b", "c")
        net.classes = None
        assert net.classes is None

    def test_are_two_for_a_single_output(self):
        net = make("binary_cross_entropy", units=1)
        net.classes = ("no", "yes")
        assert net.classes == ("no", "yes")

    @pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "b"], "abc", []])
    def test_refuses_the_wrong_number(self, classes):
        with pytest.raises(ValueError, match="expected 3 different names"):
            make().classes = classes

    @pytest.mark.parametrize("classes", [[0, 1, 2], 3])
    def test_refuses_what_are_not_names(self, classes):
        with pytest.raises(TypeError, match=r"classes is .*, expected 3 names"):
            make().classes = classes


def full():
    """Make a network that uses every option, to test copies."""
    net = Network(
        4,
        [Dense(5, "relu", use_bias=False), Dense(3, "softmax", trainable="biases")],
        loss="cross_entropy",
        reduction="sum",
        dtype="float64",
        rng=3,
    )
    net.layers[1].biases = [0.1, 0.2, 0.3]
    net.classes = ["a", "b", "c"]
    net.standardize_inputs(5 + samples())
    return net


class TestCopies:
    @pytest.mark.parametrize(
        "duplicate",
        [
            copy.copy,
            copy.deepcopy,
            *(
                lambda net, p=protocol: pickle.loads(pickle.dumps(net, p))
                for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
            ),
        ],
    )
    def test_are_equal_and_separate(self, duplicate):
        net = full()
        other = duplicate(net)
        assert repr(other) == repr(net)
        assert other.classes == net.classes
        assert other.layers[1].trainable == "biases"
        np.testing.assert_array_equal(other.parameters, net.parameters)
        np.testing.assert_array_equal(other.forward(samples()), net.forward(samples()))
        other.parameters = np.zeros(other.n_parameters)
        assert net.parameters.any()

    def test_keep_the_class(self):
        assert type(copy.deepcopy(Named(4, [Dense(3)], loss="mse"))) is Named

    def test_a_float64_copy_of_a_float32_network(self):
        net = make(dtype="float32")
        double = net.as_dtype("float64")
        assert double.dtype == np.float64
        np.testing.assert_array_equal(double.parameters, net.parameters)


class Named(Network):
    """A subclass, where pickle can find it."""


class TestThePackage:
    def test_all_public_names_are_there(self):
        for name in cg.__all__:
            assert getattr(cg, name) is not None
            assert name in dir(cg)
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            cg.nonsense  # noqa: B018

    def test_import_loads_only_what_is_needed(self):
        program = (
            "import sys, numpy; before = set(sys.modules); import cygrad;"
            "assert not any(name.startswith('cygrad.') for name in sys.modules);"
            "cygrad.Network; print(*sorted(set(sys.modules) - before))"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.split()
        assert "cygrad.network" in loaded
        heavy = {"json", "zipfile", "argparse", "numpy.random", "numpy.typing", "pathlib", "tqdm"}
        later = (
            "cli",
            "config",
            "datasets",
            "gradcheck",
            "reference",
            "network.storage",
            "training",
        )
        heavy |= {f"cygrad.{name}" for name in later}
        assert not heavy.intersection(loaded)

    def test_show_config(self, capsys):
        config = cg.show_config(mode="dicts")
        assert config["cygrad"] == cg.__version__
        assert config["numpy"] == np.__version__
        assert config["isa"] in config["isa_available"]
        assert config["dtypes"] == ("float32", "float64")
        assert cg.show_config() is None
        printed = capsys.readouterr().out
        assert len(printed.splitlines()) == len(config)
        assert config["isa"] in printed
        with pytest.raises(ValueError, match="mode is 'json', expected 'print' or 'dicts'"):
            cg.show_config(mode="json")
