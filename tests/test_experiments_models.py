"""The experiments on models: regression to network, the backward network, and the digits."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tolerances import depth_of, tolerance

import cygrad as cg
from cygrad.experiments import backward_network, regression_to_network

PINNED = 1e-9  # the numbers below are known to ten digits


@pytest.fixture
def pages(written):
    names = ("regression-to-network", "backward-network", "digits")
    return {name: written(name).page for name in names}


# Linear regression, logistic regression, a hidden layer


@pytest.fixture
def regression(pages):
    return pages["regression-to-network"].numbers


@pytest.fixture(scope="module")
def samples():
    """Return x, y and the corners with their classes, as the experiment draws them."""
    random = np.random.RandomState(0)
    return *regression_to_network.noisy_line(random), *regression_to_network.four_corners(random)


def test_the_numbers_of_the_three_steps(regression):
    expected = {
        "linear: C before": 4.286893809,
        "linear: C after": 0.3752554138,
        "linear: w": 1.565146888,
        "linear: b": -0.8739473971,
        "logistic: C before": 1.175298089,
        "logistic: C after": 0.404685658,
        "logistic: accuracy": 82.5,
        "logistic: w": 2.349768216,
        "logistic: b": -1.313664214,
        "corners, logistic: C before": 1.01783188,
        "corners, logistic: C after": 0.6862780778,
        "corners, logistic: accuracy": 50,
        "corners, logistic: w₁": 0.03613856921,
        "corners, logistic: w₂": 0.2142189686,
        "corners, logistic: b": -0.01215392026,
        "corners, network: C before": 1.129759835,
        "corners, network: C after": 0.05147767822,
        "corners, network: accuracy": 100,
    }
    for label, number in expected.items():
        assert regression[label] == pytest.approx(number, rel=PINNED), label
    differences = {label for label in regression if " − " in label}
    assert set(regression) == expected.keys() | differences
    assert len(differences) == 7
    for label in differences:
        assert regression[label] < 1e-12, label


def test_linear_regression_is_least_squares(regression, samples):
    x, y, _, _ = samples
    w, b = np.polyfit(x[:, 0], y[:, 0], 1)
    assert regression["linear: w"] == pytest.approx(w, rel=PINNED)
    assert regression["linear: b"] == pytest.approx(b, rel=PINNED)
    assert regression["linear: C after"] == pytest.approx(
        ((w * x + b - y) ** 2).mean() / 2, rel=PINNED
    )


@pytest.mark.parametrize("name", ["logistic", "corners, logistic"])
def test_logistic_regression_is_at_its_minimum(name, regression, samples):
    """C is convex, so the minimum is where Σ (a − y) x and Σ (a − y) are 0."""
    x, y, corners, classes = samples
    if name == "logistic":
        X, targets, weights = x, y > 0, [regression[f"{name}: w"]]
    else:
        X, targets = corners, classes
        weights = [regression[f"{name}: w₁"], regression[f"{name}: w₂"]]
    z = X @ weights + regression[f"{name}: b"]
    wrong = 1 / (1 + np.exp(-z)) - targets[:, 0]
    assert abs(wrong.sum()) < 1e-11
    assert np.abs(X.T @ wrong).max() < 1e-11
    cost = np.logaddexp(0, z) - targets[:, 0] * z
    assert regression[f"{name}: C after"] == pytest.approx(cost.mean(), rel=PINNED)


def test_corners_have_each_class_in_two_opposite_ones(samples):
    _, _, corners, classes = samples
    centers = corners.reshape(4, 20, 2).mean(axis=1)
    assert np.sign(centers).tolist() == [[1, 1], [-1, -1], [1, -1], [-1, 1]]
    assert classes.reshape(4, 20).tolist() == [[1] * 20, [1] * 20, [0] * 20, [0] * 20]


def test_the_loop_is_what_the_trainer_does(samples):
    _, _, X, y = samples

    def network():
        layers = [cg.Dense(4, "sigmoid"), cg.Dense(1, "sigmoid")]
        return cg.Network(2, layers, loss="binary_cross_entropy", dtype="float64", rng=0)

    ours, theirs = network(), network()
    trainer = cg.Trainer(theirs, cg.SGD(regression_to_network.RATE))
    for _ in range(20):
        cost = regression_to_network.step(ours, X, y)
        assert cost == pytest.approx(trainer.step(X, y), rel=1e-13)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-12)
    assert not np.array_equal(ours.parameters, network().parameters)


def test_the_equations_of_the_page_are_those_of_the_reference(samples):
    _, _, X, y = samples
    layers = [cg.Dense(3, "sigmoid"), cg.Dense(1, "sigmoid")]
    net = cg.Network(2, layers, loss="binary_cross_entropy", dtype="float64", rng=1)
    reference = cg.reference.Network(
        2,
        [cg.reference.Dense(3, "sigmoid"), cg.reference.Dense(1, "sigmoid")],
        loss="binary_cross_entropy",
    )
    reference.parameters = net.parameters.tolist()
    expected = reference.backward(X.tolist(), y.tolist()).weights
    found = regression_to_network.by_the_equations(net, X, y)
    for actual, weights in zip(found, expected, strict=True):
        np.testing.assert_allclose(actual, weights, rtol=0, atol=tolerance("float64", len(X)))


# The backward network


def test_the_backward_network_is_backpropagation(pages):
    numbers = pages["backward-network"].numbers
    differences = {label: number for label, number in numbers.items() if ": from " in label}
    assert len(differences) == len(numbers) - 1 == 9
    for label, difference in differences.items():
        # The reference rounds differently: no fused operations, and the exp of the system.
        python = "cygrad.reference" in label
        allowed = tolerance("float64", depth_of([2, 3, 2], 1)) if python else 1e-15
        assert difference <= allowed, label


def test_the_cost_and_the_deltas_are_those_of_the_reference(pages):
    """δ = ∂C/∂b, which central differences find without any backward pass."""
    page = pages["backward-network"]
    net = cg.reference.Network(
        2, [cg.reference.Dense(3, "sigmoid"), cg.reference.Dense(2, "sigmoid")], loss="quadratic"
    )
    for layer, W, b in zip(
        net.layers, backward_network.WEIGHTS, backward_network.BIASES, strict=True
    ):
        layer.weights, layer.biases = W, b
    numerical = cg.reference.numerical_gradients(
        net, backward_network.X.tolist(), backward_network.Y.tolist()
    )
    assert page.numbers["C = ½ ‖a² − y‖²"] == pytest.approx(0.1291047245, rel=PINNED)
    cost = net.evaluate(backward_network.X.tolist(), backward_network.Y.tolist())["loss"]
    assert page.numbers["C = ½ ‖a² − y‖²"] == pytest.approx(cost, rel=1e-14)
    (rows,) = (rows for title, rows in page.tables.items() if "comes to" in title)
    deltas = [row[-1] for row in rows]
    np.testing.assert_allclose(deltas, np.concatenate(numerical.biases), atol=1e-9)


def test_any_network_has_a_backward_network():
    rng = np.random.default_rng(0)
    layers = [cg.Dense(5, "sigmoid"), cg.Dense(4, "sigmoid"), cg.Dense(3, "sigmoid")]
    net = cg.Network(6, layers, loss="quadratic", dtype="float64", rng=0)
    x, y = rng.normal(size=(1, 6)), rng.random((1, 3))
    gradients = net.backward(x, y)
    slopes = [a * (1 - a) for a in gradients.activations]
    backward = backward_network.backward_network(net, slopes)
    found = backward_network.outputs(backward, gradients.activations[-1] - y)
    for actual, expected in zip(
        (found[0], found[2], found[4], found[5]),
        (*reversed(gradients.deltas), gradients.inputs),
        strict=True,
    ):
        assert backward_network.relative_difference(actual, expected) <= 1e-15


# Digits


def test_the_digits_are_those_of_the_command_line(pages, tmp_path):
    command = [sys.executable, "-m", "cygrad", "train", "digits", "--quiet", "--json"]
    done = subprocess.run(
        [*command, "--output", tmp_path / "model.npz"], check=True, capture_output=True
    )
    result = json.loads(done.stdout)
    numbers = pages["digits"].numbers
    for part, name in (("training", "train"), ("test", "test")):
        assert numbers[f"{part} cost"] == result[name]["loss"]
        assert numbers[f"{part} accuracy"] == 100 * result[name]["accuracy"]


def test_the_numbers_of_the_digits(pages):
    numbers = pages["digits"].numbers
    assert numbers["training cost"] == pytest.approx(0.007377406818, rel=PINNED)
    assert numbers["test cost"] == pytest.approx(0.03938769497, rel=PINNED)
    assert numbers["training accuracy"] == 100
    assert numbers["test accuracy"] == pytest.approx(100 * 354 / 359)


def test_the_test_is_ahead_at_first():
    X, y = cg.datasets.load_digits()
    train, test = cg.datasets.split(y, 0.2)
    layers = [cg.Dense(64, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", rng=0)
    net.standardize_inputs(X[train])
    trainer = cg.Trainer(net, cg.Adam(1e-3), batch_size=32, rng=0)
    history = trainer.fit(X[train], y[train], 20, X_val=X[test], y_val=y[test])
    assert history.val_loss[0] < history.loss[0]
    assert history.val_loss[-1] > history.loss[-1]


def test_what_was_learnt_is_smooth_and_what_chance_made_is_not(pages):
    *_, rows = pages["digits"].tables.values()
    start, learnt, both = rows
    assert [row[0] for row in rows] == ["W₀", "W − W₀", "W"]
    assert start[1:] == pytest.approx((11.361, 0.0039963), rel=1e-4)
    assert learnt[1:] == pytest.approx((7.5356, 0.38172), rel=1e-4)
    assert both[1:] == pytest.approx((13.764, 0.14495), rel=1e-4)
    # Independent numbers have a correlation of about 0 ± 1/√pairs.
    assert abs(start[2]) < 2 / np.sqrt(64 * 2 * 56)


def test_the_confusion_matrix_has_all_mistakes(pages):
    confusion, mistakes, _ = pages["digits"].tables.values()
    counts = np.array([row[1:] for row in confusion])
    y = cg.datasets.load_digits()[1]
    _, test = cg.datasets.split(y, 0.2)
    assert counts.sum(axis=1).tolist() == np.bincount(y[test]).tolist()
    off = counts.copy()
    for image, shown, taken, probability, of_shown in mistakes:
        assert image in test
        assert y[image] == shown != taken
        assert 1 / 10 < probability < 1
        assert of_shown < probability
        off[shown, taken] -= 1
    assert np.array_equal(off, np.diag(np.diag(counts)))
    assert [row[:3] for row in mistakes] == [
        (449, 3, 5),
        (678, 5, 4),
        (1361, 5, 6),
        (1632, 3, 9),
        (1690, 3, 8),
    ]
