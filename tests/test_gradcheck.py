"""The gradient checker on networks, derivative by derivative.

It passes right gradients, finds wrong ones, and leaves out kinks.
"""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from gradient_faults import FAULTS, make, problem, scaled
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import fitting, units_for

from cygrad import Dense, GradientError, GradientReport, Network, check_gradients
from cygrad.gradcheck import Comparison
from cygrad.gradcheck.entries import choose
from cygrad.network.activations import ACTIVATIONS
from cygrad.network.losses import LOSSES


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


@settings(max_examples=40)
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
    layers.append(Dense(units_for(loss, outputs), fitting(loss, "tanh")))
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
    planted(scaled(name, layer, index, factor))
    net, (X, y) = make(dtype=dtype), problem("cross_entropy")
    with pytest.raises(GradientError, match=place) as caught:
        check_gradients(net, X, y, inputs=True)
    (failure,) = caught.value.report.failures
    assert (failure.parameter, failure.layer, failure.index) == (name, layer, index)
    assert repr(failure.analytic) in str(caught.value)
    assert repr(failure.numerical) in str(caught.value)
    assert "1 of 55 derivatives are wrong" in str(caught.value)
    assert failure.analytic == pytest.approx(failure.numerical * factor, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", [None, 55])
@pytest.mark.parametrize(("fault", "arrays"), FAULTS.values(), ids=FAULTS)
def test_faults_of_all_kinds_are_found(planted, fault, arrays, sample, dtype):
    planted(fault)
    net, (X, y) = make("quadratic", depth=2), problem("quadratic")
    report = check_gradients(net, X, y, sample=sample, dtype=dtype, on_error="return")
    assert not report.passed
    assert list(dict.fromkeys(each.array for each in report.failures)) == arrays
    assert [each.array for each in report.arrays if each.wrong] == arrays
    assert sum(each.wrong for each in report.arrays) == len(report.failures)
    assert report.worst_of_all.array in arrays


def test_a_fault_in_a_relu_network_is_not_taken_for_a_kink(planted):
    planted(scaled("weights", 0, (1, 1), 1.001))
    with pytest.raises(GradientError, match=r"layers\[0\]\.weights\[1, 1\]"):
        check_gradients(make(hidden="relu"), *problem("cross_entropy"))


def test_a_fault_that_was_never_asked_for_is_not_found(planted):
    planted(scaled("deltas", 0, (0, 0), 2))
    check_gradients(make(), *problem("cross_entropy"), inputs=True)


def one_weight(activation, w):
    """C(w) = Σ ½ σ(w x)², for the samples x = 1 and x = −2."""
    layer = Dense(1, activation, use_bias=False, weights_init=w)
    net = Network(1, [layer], loss="quadratic", reduction="sum", dtype="float64")
    return net, [[1.0], [-2.0]], [-1.0, -1.0]


def test_a_kink_is_said_although_its_slopes_cancel():
    # 1 to the right of 0 and −1 to the left: their mean is the 0 that backpropagation takes.
    net, _, _ = one_weight("relu", 0.0)
    report = check_gradients(net, [[1.0], [-1.0]], [-1.0, -1.0])
    assert (report.compared, report.kinks, report.worst_of_all) == (0, 1, None)
    # The slope is 1 on both sides, and backpropagation takes 0: at a kink that is no fault.
    report = check_gradients(net, [[1.0], [-1.0]], [-1.0, 1.0])
    assert (report.compared, report.kinks) == (0, 1)


def test_a_kink_is_left_out():
    # The slope is 1 to the right of 0 and −2 to the left; backpropagation takes 0.
    net, X, y = one_weight("relu", 0.0)
    report = check_gradients(net, X, y)
    assert (report.compared, report.kinks) == (0, 1)
    assert "1 left out" in str(report)


@pytest.mark.parametrize("distance", [1e-6, -3e-6, 1e-7])
def test_a_kink_nearby_is_stepped_around(planted, distance):
    report = check_gradients(*one_weight("relu", distance))
    assert (report.compared, report.kinks) == (1, 0)
    planted(scaled("weights", 0, (0, 0), 1.01))
    with pytest.raises(GradientError):
        check_gradients(*one_weight("relu", distance))


def test_a_kink_nearby_is_stepped_around_in_float32():
    # Slopes of 0.001 and −0.002: the steps that do not cross 0 are too small to tell them apart.
    net, X, _ = one_weight("relu", 3e-4)
    report = check_gradients(net, X, [-1e-3, -1e-3], dtype="float32")
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_standardised_inputs_are_moved_in_their_own_units(dtype):
    net, (X, y) = make(), problem("cross_entropy")
    expected = check_gradients(net, X, y, inputs=True, dtype=dtype).arrays[-1]
    for scale, mean in ((1e-5, 5.0), (1e4, -1e6)):
        moved = mean + scale * X
        net.standardize_inputs(moved)
        # The first step passes: the derivatives are proportional to 1 / scale.
        report = check_gradients(net, moved, y, inputs=True, dtype=dtype, atol=1e-5 / scale)
        assert report.arrays[-1].worst.error < 0.5
        assert report.compared == expected.compared + 35


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_inputs_can_be_in_any_layout(order, dtype):
    net, (X, y) = make(), problem("cross_entropy")
    wide = np.zeros((5, 8), order=order)
    wide[:, ::2] = X
    for each in (np.array(X, order=order), wide[:, ::2], X.tolist()):
        report = check_gradients(net, each, y, inputs=True, dtype=dtype)
        assert report.compared == 55


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


def test_an_interrupt_leaves_the_network_as_it_was(monkeypatch):
    net, (X, y) = make(), problem("cross_entropy")
    before, right, calls = net.parameters, Network.evaluate, []

    def press(*arguments):
        calls.append(None)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return right(*arguments)

    monkeypatch.setattr(Network, "evaluate", press)
    with pytest.raises(KeyboardInterrupt):
        check_gradients(net, X, y, inputs=True)
    np.testing.assert_array_equal(net.parameters, before)


# In float32


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("hidden", ["tanh", "sigmoid", "gaussian", "relu"])
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_passes_with_room_to_spare(loss, hidden, reduction):
    net = make(loss, hidden, dtype="float32", reduction=reduction)
    # Biases away from 0, so that relu's kink is met by chance only.
    noise = np.random.default_rng(0).normal(scale=0.1, size=net.n_parameters)
    net.parameters = net.parameters + noise
    report = check_gradients(net, *problem(loss), dtype="float32", inputs=True)
    assert report.compared + report.kinks == net.n_parameters + 5 * 4
    if hidden != "relu" and LOSSES[loss].kink_distances is None:
        assert report.kinks == 0
        assert all(each.error < 0.6 for each in report.worst)


def images(n):
    """Something like images of digits: numbers from 0 to 1, most of them 0."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(n, 784)) * (rng.uniform(size=(n, 784)) < 0.3)
    return X, rng.integers(0, 10, n)


@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_float32_finds_one_per_cent(planted, hidden):
    layers = [Dense(30, hidden), Dense(10, "softmax")]
    net, (X, y) = Network(784, layers, loss="cross_entropy", rng=0), images(5)
    report = check_gradients(net, X, y, dtype="float32", sample=800)
    assert report.compared + report.kinks == 800
    gradients = net.backward(X, y)
    for layer, name in ((0, "weights"), (0, "biases"), (1, "weights"), (1, "biases")):
        # Of the size that a derivative must have for it: see `check_gradients`.
        assert np.abs(getattr(gradients, name)[layer]).max() > 0.02 * gradients.loss
        planted(scaled(name, layer, ..., 1.01))
        report = check_gradients(net, X, y, dtype="float32", sample=800, on_error="return")
        assert {each.array for each in report.failures} == {f"layers[{layer}].{name}"}


# Samples


def test_a_sample_is_spread_over_all_arrays():
    layers = [Dense(30, "tanh"), Dense(10, "softmax")]
    net, (X, y) = Network(784, layers, loss="cross_entropy", rng=0), images(2)
    report = check_gradients(net, X, y, sample=50)
    assert [each.compared for each in report.arrays] == [46, 1, 2, 1]
    assert str(report).startswith("50 of 23,860 derivatives compared")
    again = check_gradients(net, X, y, sample=50)
    assert again == report
    other = check_gradients(net, X, y, sample=50, rng=1)
    assert other != report
    assert other.compared == 50


@settings(max_examples=200)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), sample=st.integers(1, 300))
def test_samples_have_the_size_that_was_asked_for(sizes, sample):
    arrays = [SimpleNamespace(size=size) for size in sizes]
    places = choose(arrays, sample, np.random.default_rng(0))
    assert sum(map(len, places)) == min(sample, sum(sizes))
    for part, size in zip(places, sizes, strict=True):
        assert sample < len(sizes) or len(part) >= 1
        assert len(set(part.tolist())) == len(part)
        assert set(part.tolist()) <= set(range(size))
        exact = 1 + (size - 1) * (sample - len(sizes)) / max(1, sum(sizes) - len(sizes))
        assert sample < len(sizes) or abs(len(part) - min(exact, size)) < 1


# Reports


def test_the_report_can_be_had_in_place_of_the_error(planted):
    planted(scaled("weights", 1, (2, 0), 2))
    net, (X, y) = make(), problem("cross_entropy")
    report = check_gradients(net, X, y, on_error="return")
    assert isinstance(report, GradientReport)
    assert not report.passed
    assert (report.total, report.compared, report.directions) == (35, 35, None)
    (failure,) = report.failures
    assert report.worst_of_all == failure
    assert failure.place == "layers[1].weights[2, 0]"
    assert failure.relative_error == pytest.approx(0.5)
    assert [(each.array, each.wrong) for each in report.arrays if each.wrong] == [
        ("layers[1].weights", 1)
    ]
    with pytest.raises(GradientError, match=r"\(relative error 5\.0e-01\)"):
        check_gradients(net, X, y)


@pytest.mark.parametrize(
    ("analytic", "numerical", "relative"),
    [(2.0, 1.0, 0.5), (-1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (0.0, 1e-9, 1.0), (np.nan, 1.0, np.inf)],
)
def test_the_relative_error(analytic, numerical, relative):
    comparison = Comparison("weights", 0, (0, 0), analytic, numerical, 0.5)
    assert comparison.relative_error == relative
    assert comparison.error == pytest.approx(
        np.inf if np.isnan(analytic) else abs(analytic - numerical) / 0.5
    )


def test_the_tolerances_are_what_they_are_said_to_be(planted):
    net, (X, y) = make("quadratic"), problem("quadratic")
    for factor, found in ((1 + 0.9e-3, False), (1 + 1.2e-3, True)):
        planted(scaled("weights", 1, (0, 0), factor))
        report = check_gradients(net, X, y, rtol=1e-3, on_error="return")
        assert report.passed is not found
    wrong = float(net.backward(X, y).weights[1][0, 0]) * (1 - 1 / factor)
    for atol, found in ((1.1 * abs(wrong), False), (0.9 * abs(wrong), True)):
        report = check_gradients(net, X, y, rtol=0, atol=atol, on_error="return")
        assert report.passed is not found


def test_how_far_it_is_can_be_seen(capsys):
    check_gradients(make(), *problem("cross_entropy"))
    assert capsys.readouterr().err == ""
    check_gradients(make(), *problem("cross_entropy"), verbose=True)
    assert capsys.readouterr().err == "gradients  35 of 35, 0 wrong\n"


def test_the_report_reads_well():
    report = check_gradients(make(), *problem("cross_entropy"))
    summary, headings, *rows = str(report).splitlines()
    assert summary == (
        "35 of 35 derivatives compared, 0 wrong, 0 left out at kinks; the worst of each array:"
    )
    assert [each.strip() for each in headings.split("  ") if each.strip()] == [
        *("compared", "wrong", "kinks", "worst at"),
        *("backward", "differences", "relative error", "error / allowed"),
    ]
    for row, array in zip(rows, report.arrays, strict=True):
        name, *counts = row.split()[:4]
        assert name == array.array
        assert counts == [str(array.size), "0", "0"]
        index = str(list(array.worst.index))
        assert row.startswith(index, headings.index("worst at"))
        assert row.endswith(f"{array.worst.error:.1e}")


def test_errors_can_be_pickled(planted):
    planted(scaled("weights", 0, (2, 1), 2))
    with pytest.raises(GradientError) as caught:
        check_gradients(make(), *problem("cross_entropy"))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.report == caught.value.report


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"eps": 0}, ValueError, "eps is 0.0, expected a finite number of at least 1.1"),
        ({"eps": 1e-5, "dtype": "float32"}, ValueError, "eps is 1e-05, .* at least 6.1"),
        ({"eps": "small"}, TypeError, "eps is 'small', expected a number"),
        ({"rtol": np.nan}, ValueError, "rtol is nan"),
        ({"atol": -1}, ValueError, "atol is -1"),
        ({"inputs": 1}, TypeError, "inputs is 1, expected True or False"),
        ({"dtype": "float16"}, ValueError, "dtype is 'float16', expected 'float32' or 'float64'"),
        ({"sample": 0}, ValueError, "sample is 0, expected an integer of at least 1"),
        ({"sample": 2.0}, TypeError, "sample is 2.0, expected an integer"),
        ({"directions": 0}, ValueError, "directions is 0, expected an integer of at least 1"),
        ({"sample": 3, "directions": 3}, ValueError, "sample and directions are both given"),
        ({"rng": -1}, ValueError, "rng is -1"),
        ({"on_error": "ignore"}, ValueError, "on_error is 'ignore', expected one of 'raise', "),
        ({"verbose": 1}, TypeError, "verbose is 1, expected True or False"),
        ({"seed": 1.0}, TypeError, "seed is given, expected none where a network is checked"),
    ],
)
def test_refuses_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        check_gradients(make(), *problem("cross_entropy"), **options)


def test_refuses_what_is_no_network():
    with pytest.raises(TypeError, match="is None, expected a Network or a node of a graph"):
        check_gradients(None, *problem("cross_entropy"))
    with pytest.raises(TypeError, match="X and y are needed"):
        check_gradients(make())


def test_refuses_bad_samples():
    with pytest.raises(ValueError, match="X has shape"):
        check_gradients(make(), np.zeros((5, 3)), np.zeros(5, int))
    with pytest.raises(ValueError, match="y has 4 targets for 5 samples"):
        check_gradients(make(), np.zeros((5, 4)), np.zeros(4, int))
