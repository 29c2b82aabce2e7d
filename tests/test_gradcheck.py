"""The gradient checker: it passes what is right, catches what is wrong, and knows kinks."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cygrad import Dense, GradientError, Network, check_gradients
from cygrad.activations import ACTIVATIONS
from cygrad.losses import LOSSES

FITTING = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


def problem(loss, n=5, outputs=3, seed=0):
    """Samples of 4 columns and targets for a loss."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    y = rng.integers(0, outputs, n) if LOSSES[loss].labels else rng.uniform(size=(n, outputs))
    return X, y


def make(loss="cross_entropy", hidden="tanh", output=None, **options):
    layers = [Dense(4, hidden), Dense(3, output or FITTING.get(loss, "identity"))]
    return Network(4, layers, **{"loss": loss, "rng": 1, "dtype": "float64", **options})


@pytest.fixture
def planted(monkeypatch):
    """Plants a fault in `Network.backward`: planted(name, layer, index, factor)."""

    def plant(name, layer, index, factor):
        right = Network.backward

        def wrong(self, X, y, input_gradient=True):
            g = right(self, X, y, input_gradient)
            arrays = getattr(g, name)
            array = (arrays if layer is None else arrays[layer]).copy()
            array[index] *= factor
            if layer is None:
                return dataclasses.replace(g, **{name: array})
            changed = (*arrays[:layer], array, *arrays[layer + 1 :])
            return dataclasses.replace(g, **{name: changed})

        monkeypatch.setattr(Network, "backward", wrong)

    return plant


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_passes(loss, dtype, reduction):
    net = make(loss, dtype=dtype, reduction=reduction)
    report = check_gradients(net, *problem(loss), inputs=True)
    assert report.compared == net.n_parameters + 5 * 4
    assert report.kinks == 0
    assert report.failures == ()
    places = [(each.parameter, each.layer) for each in report.worst]
    assert places == [
        ("weights", 0),
        ("biases", 0),
        ("weights", 1),
        ("biases", 1),
        ("inputs", None),
    ]
    assert all(each.error <= 1 for each in report.worst)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_passes(activation):
    hidden = "tanh" if activation == "softmax" else activation
    check_gradients(make("quadratic", hidden, activation), *problem("quadratic"), inputs=True)


@settings(max_examples=40, deadline=None)
@given(
    loss=st.sampled_from(list(LOSSES)),
    hidden=st.lists(
        st.tuples(
            st.integers(1, 9), st.sampled_from(["sigmoid", "tanh", "relu", "gaussian", "identity"])
        ),
        max_size=3,
    ),
    bias=st.booleans(),
    outputs=st.integers(2, 5),
    n=st.integers(1, 9),
    seed=st.integers(0, 999),
)
def test_networks_of_all_kinds_pass(loss, hidden, bias, outputs, n, seed):
    layers = [Dense(units, activation, use_bias=bias) for units, activation in hidden]
    layers.append(Dense(outputs, FITTING.get(loss, "tanh")))
    net = Network(4, layers, loss=loss, dtype="float64", rng=seed)
    # Biases away from 0, so that relu's kink is met by chance only.
    net.parameters = net.parameters + np.random.default_rng(seed).normal(
        scale=0.1, size=net.n_parameters
    )
    report = check_gradients(net, *problem(loss, n, outputs, seed), inputs=True)
    assert report.compared + report.kinks == net.n_parameters + 4 * n


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [1.0001, 0, -1, np.nan])
@pytest.mark.parametrize(
    ("name", "layer", "index", "place"),
    [
        ("weights", 0, (2, 1), r"layers\[0\]\.weights\[2, 1\]"),
        ("weights", 1, (0, 3), r"layers\[1\]\.weights\[0, 3\]"),
        ("biases", 1, (2,), r"layers\[1\]\.biases\[2\]"),
        ("inputs", None, (4, 0), r"inputs\[4, 0\]"),
    ],
)
def test_a_planted_fault_is_found(planted, name, layer, index, place, factor, dtype):
    planted(name, layer, index, factor)
    net, (X, y) = make(dtype=dtype), problem("cross_entropy")
    with pytest.raises(GradientError, match=place) as caught:
        check_gradients(net, X, y, inputs=True)
    (failure,) = caught.value.report.failures
    assert (failure.parameter, failure.layer, failure.index) == (name, layer, index)
    assert repr(failure.analytic) in str(caught.value)
    assert repr(failure.numerical) in str(caught.value)
    assert "1 of 55 derivatives are wrong" in str(caught.value)
    assert failure.analytic == pytest.approx(failure.numerical * factor, rel=1e-6, nan_ok=True)


def test_a_fault_in_a_relu_network_is_not_taken_for_a_kink(planted):
    planted("weights", 0, (1, 1), 1.001)
    with pytest.raises(GradientError, match=r"layers\[0\]\.weights\[1, 1\]"):
        check_gradients(make(hidden="relu"), *problem("cross_entropy"))


def test_a_fault_that_was_never_asked_for_is_not_found(planted):
    planted("deltas", 0, (0, 0), 2)
    check_gradients(make(), *problem("cross_entropy"), inputs=True)


def one_weight(activation, w):
    """C(w) = Σ ½ σ(w x)², for the samples x = 1 and x = −2."""
    layer = Dense(1, activation, use_bias=False, weights_init=w)
    net = Network(1, [layer], loss="quadratic", reduction="sum", dtype="float64")
    return net, [[1.0], [-2.0]], [-1.0, -1.0]


def test_a_kink_is_left_out():
    # The slope is 1 to the right of 0 and −2 to the left; backpropagation takes 0.
    net, X, y = one_weight("relu", 0.0)
    report = check_gradients(net, X, y)
    assert (report.compared, report.kinks) == (0, 1)
    assert "1 left out" in str(report)


@pytest.mark.parametrize("distance", [1e-6, -3e-6])
def test_a_kink_nearby_is_stepped_around(distance):
    report = check_gradients(*one_weight("relu", distance))
    assert (report.compared, report.kinks) == (1, 0)


def test_a_hinge_at_its_margin_is_left_out():
    # Both margins are exactly 0 at a = (0, 1) and y = 1.
    layer = Dense(2, bias_init=[0.0, 1.0], weights_init=0.0)
    net = Network(1, [layer], loss="hinge", dtype="float64")
    report = check_gradients(net, [[1.0]], [1])
    assert (report.compared, report.kinks) == (0, 4)


@pytest.mark.parametrize("eps", [1e-4, 1e-5, 1e-6])
def test_other_steps_do_too(eps):
    check_gradients(make(), *problem("cross_entropy"), eps=eps)


def test_large_and_small_parameters_are_checked():
    net = make("quadratic")
    for scale in (1e-3, 1e3):
        net.layers[1].weights = scale * make("quadratic").layers[1].weights
        check_gradients(net, *problem("quadratic"))


def test_the_inputs_can_be_of_another_scale():
    net, (X, y) = make(), problem("cross_entropy")
    check_gradients(net, 16 * X, y, inputs=True)
    net.standardize_inputs(1000 + 16 * X)
    check_gradients(net, 1000 + 16 * X, y, inputs=True)


def test_frozen_parameters_are_checked_and_missing_biases_are_not():
    layers = [Dense(4, "tanh", trainable=False), Dense(3, "softmax", use_bias=False)]
    net = Network(4, layers, loss="cross_entropy", rng=0)
    assert check_gradients(net, *problem("cross_entropy")).compared == net.n_parameters == 32


def test_nothing_is_changed():
    net, (X, y) = make(), problem("cross_entropy")
    before, X_before = net.parameters, X.copy()
    X.flags.writeable = False
    check_gradients(net, X, y, inputs=True)
    np.testing.assert_array_equal(net.parameters, before)
    np.testing.assert_array_equal(X, X_before)


def test_the_report_reads_well():
    report = check_gradients(make(), *problem("cross_entropy"))
    lines = str(report).splitlines()
    assert lines[0].startswith("35 derivatives compared, 0 wrong, 0 left out")
    assert lines[1].startswith("layers[0].weights[")
    assert len(lines) == 5


def test_errors_can_be_pickled(planted):
    planted("weights", 0, (2, 1), 2)
    with pytest.raises(GradientError) as caught:
        check_gradients(make(), *problem("cross_entropy"))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.report == caught.value.report


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"eps": 0}, ValueError, "eps is 0, expected a number above 0"),
        ({"eps": -1e-5}, ValueError, "eps is -1e-05, expected a finite number of at least 0"),
        ({"eps": "small"}, TypeError, "eps is 'small', expected a number"),
        ({"rtol": np.nan}, ValueError, "rtol is nan"),
        ({"atol": -1}, ValueError, "atol is -1"),
        ({"inputs": 1}, TypeError, "inputs is 1, expected True or False"),
    ],
)
def test_refuses_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        check_gradients(make(), *problem("cross_entropy"), **options)


def test_refuses_what_is_no_network():
    with pytest.raises(TypeError, match="net is None, expected a Network"):
        check_gradients(None, *problem("cross_entropy"))


def test_refuses_bad_samples():
    with pytest.raises(ValueError, match="X has shape"):
        check_gradients(make(), np.zeros((5, 3)), np.zeros(5, int))
    with pytest.raises(ValueError, match="y has 4 targets for 5 samples"):
        check_gradients(make(), np.zeros((5, 4)), np.zeros(4, int))
