"""Experiments on depth, scale and cost: their numbers, computed a second way, and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import Written
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import cygrad as cg
from cygrad._engine.training import permute
from cygrad.experiments import Page, scale, vanishing, why_backprop
from cygrad.experiments.page import WIDTH
from cygrad.seeding import stream

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

PINNED = 1e-6  # relative; all is computed in float64


# Vanishing gradients


@pytest.fixture
def vanished(written: Callable[[str], Written]) -> Page:
    return written("vanishing").page


@pytest.fixture(scope="module")
def trained() -> vanishing.Networks:
    """Return all networks of the experiment, trained; the one that diverged is untrained."""
    X, y = vanishing.images()
    nets = vanishing.make_networks()
    for net in nets.values():
        vanishing.train(net, X, y)
    return nets


FUNCTIONS = {  # σ(z), and σ′ as a function of σ
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
}


def parameters(net: cg.Network) -> list[tuple[Array, Array]]:
    """Return copies of W and b of each layer."""
    return [(layer.weights.copy(), layer.biases.copy()) for layer in net.layers]


def gradients(
    layers: list[tuple[Array, Array]], activation: str, X: Array, y: Labels
) -> list[tuple[Array, Array]]:
    """Return ∂C/∂W and ∂C/∂b of each layer, by the four equations in NumPy."""
    value, slope = FUNCTIONS[activation]
    activations = [X]
    for W, b in layers[:-1]:
        activations.append(value(activations[-1] @ W.T + b))
    W, b = layers[-1]
    z = activations[-1] @ W.T + b
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    delta = (exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(X)
    found = []
    for (W, _), a in zip(reversed(layers), reversed(activations), strict=True):
        found.append((delta.T @ a, delta.sum(axis=0)))
        delta = (delta @ W) * slope(a)  # not used after the first layer
    return found[::-1]


def norms(net: cg.Network, X: Array, y: Labels) -> Array:
    """Return ‖∂C/∂W‖ by layer."""
    found = gradients(parameters(net), net.layers[0].activation, X, y)
    return np.array([np.sqrt(np.square(weights).sum()) for weights, _ in found])


def test_norms_before_training_are_those_of_the_equations(vanished: Page) -> None:
    X, y = vanishing.images()
    by_layer = {row[0]: row[1:] for row in vanished.tables["‖∂C/∂W‖ by layer"]}
    ends = {row[:2]: row[2:] for row in vanished.tables["‖∂C/∂W‖ at the start"]}
    for (start, activation), net in vanishing.make_networks().items():
        expected = norms(net, X, y)
        rtol = 1e-9
        assert_allclose(vanishing.norms(net, X, y), expected, rtol)
        last, first, factor = ends[start, activation]
        assert_allclose([last, first], expected[[-1, 0]], rtol)
        assert factor == pytest.approx((first / last) ** (1 / 9))
        if start == "Glorot":
            column = vanishing.ACTIVATIONS.index(activation)
            assert_allclose([by_layer[layer][column] for layer in range(1, 11)], expected, rtol)


def test_norms_are_those_of_the_reference() -> None:
    X, y = vanishing.images()
    net = vanishing.make_network("Glorot", "sigmoid")
    layers = [cg.reference.Dense(each.units, each.activation) for each in net.layers]
    reference = cg.reference.Network(64, layers, loss="cross_entropy")
    reference.parameters = net.parameters.tolist()
    gradients = reference.backward(X[:20].tolist(), y[:20].tolist())
    expected = [math.hypot(*(g for row in rows for g in row)) for rows in gradients.weights]
    assert_allclose(vanishing.norms(net, X[:20], y[:20]), expected, 1e-9)


def test_vanishing_numbers(vanished: Page) -> None:
    assert vanished.numbers == pytest.approx(
        {
            "first over last, sigmoid": 7.978464120e-06,
            "from layer to layer, sigmoid": 0.2713604736,
            "first over last, tanh": 1.545624552,
            "from layer to layer, tanh": 1.049570357,
            "first over last, relu": 2.557051484,
            "from layer to layer, relu": 1.109952480,
            "first layer moved, sigmoid": 2.012404863e-05,
            "first layer moved, tanh": 0.4416783656,
            "first layer moved, relu": 0.6320975439,
        },
        rel=PINNED,
    )


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_training_is_that_of_the_equations(vanished: Page, activation: str) -> None:
    X, y = vanishing.images()
    layers = parameters(vanishing.make_network("Glorot", activation))
    start = layers[0][0].copy()
    shuffling = stream(0, "shuffling")
    order = np.empty(len(X), np.int64)
    for _ in range(vanishing.EPOCHS):
        permute(order, shuffling.bit_generator.random_raw())
        for first in range(0, len(X), 32):
            batch = order[first : first + 32]
            found = gradients(layers, activation, X[batch], y[batch])
            for layer, gradient in zip(layers, found, strict=True):
                for values, derivatives in zip(layer, gradient, strict=True):
                    values -= vanishing.LEARNING_RATE * derivatives
    moved = np.linalg.norm(layers[0][0] - start) / np.linalg.norm(start)
    assert vanished.numbers[f"first layer moved, {activation}"] == pytest.approx(moved, rel=PINNED)


def test_norms_after_training(vanished: Page, trained: vanishing.Networks) -> None:
    X, y = vanishing.images()
    title = "‖∂C/∂W‖ and accuracy after training"
    for start, activation, last, first, right in vanished.tables[title]:
        net = trained[start, activation]
        if right == "diverged":
            assert (start, activation) == ("N(0, 1)", "relu")
            assert_array_equal(net.parameters, vanishing.make_network(start, activation).parameters)
            continue
        expected = norms(net, X, y)
        rtol = 1e-2  # the printed digits
        assert_allclose([float(last), float(first)], expected[[-1, 0]], rtol)
        assert right == f"{100 * (net.predict(X) == y).mean():5.1f} %"


def test_the_start_is_as_the_text_describes() -> None:
    """Half of Glorot's ReLUs are inactive; with He's weights their norms are those of tanh."""
    X, y = vanishing.images()
    *hidden, _ = vanishing.make_network("Glorot", "relu").backward(X, y).activations
    assert all(0.3 < np.mean(a == 0) < 0.7 for a in hidden)
    ratios = {
        start: vanishing.norms(vanishing.make_network(start, "relu"), X, y)
        / vanishing.norms(vanishing.make_network(start, "tanh"), X, y)
        for start in ("Glorot", "He")
    }
    assert ratios["Glorot"].max() < 0.2
    assert (ratios["He"] > 0.5).all()
    assert (ratios["He"] < 2.5).all()


def test_trained_networks_are_as_the_text_describes(trained: vanishing.Networks) -> None:
    X, y = vanishing.images()
    assert len(np.unique(trained["Glorot", "sigmoid"].predict(X))) == 1
    for start in ("Glorot", "He"):
        for activation in ("tanh", "relu"):
            assert (trained[start, activation].predict(X) == y).mean() > 0.99
    wide = [(trained["N(0, 1)", name].predict(X) == y).mean() for name in ("sigmoid", "tanh")]
    assert wide[0] > 2 * wide[1]
    *hidden, _ = trained["N(0, 1)", "tanh"].backward(X, y).activations
    assert all(np.mean(1 - a * a) < 0.1 for a in hidden)
    off = trained["N(0, 0.01²)", "relu"]
    assert not off.backward(X, y).activations[-2].any()
    assert not vanishing.norms(off, X, y).any()


# Scale


@pytest.fixture
def scaled(written: Callable[[str], Written]) -> Page:
    return written("scale").page


def test_gradient_by_weights_grows_with_the_inputs(scaled: Page) -> None:
    table = {row[0]: row[1:] for row in scaled.tables["Values, and derivatives by w₀ and x₀"]}
    f = 1 / (1 + math.exp(-1))
    slope = f * (1 - f)
    expected = {
        "z": (1, 3997, 1),
        "∂z/∂w₀": (-1, -1000, -1000),
        "∂z/∂x₀": (2, 2, 0.002),
        "f": (f, 1, f),
        "∂f/∂w₀": (-slope, 0, -1000 * slope),
        "∂f/∂x₀": (2 * slope, 0, 0.002 * slope),
    }
    assert list(table) == list(expected)
    for name, values in expected.items():
        assert table[name] == pytest.approx(values, rel=1e-12)


def linear_models() -> dict[str, tuple[scale.LinearModel, Array]]:
    """Return the linear models, and the inputs of their layer by NumPy."""
    X, y = scale.patients()
    return {
        "metres and milligrams": (scale.LinearModel(X, y, False), X),
        "millimetres and milligrams": (scale.LinearModel(X * [1000, 1], y, False), X * [1000, 1]),
        "standardised": (scale.LinearModel(X, y, True), (X - X.mean(axis=0)) / X.std(axis=0)),
    }


def excess(X: Array, y: Array, rate: float, steps: NDArray[np.int64]) -> Array:
    """Return the excess of the cost at η = rate / λ_max by the eigenvalues; the first is 1."""
    _, singular, axes = np.linalg.svd(X, full_matrices=False)
    eigenvalues = singular**2 / len(X)
    error = axes @ np.linalg.pinv(X) @ y
    left = (1 - rate * eigenvalues / eigenvalues[0]) ** steps[:, np.newaxis]
    above = (eigenvalues * (left * error) ** 2).sum(axis=1)
    return above / (eigenvalues * error**2).sum()


def test_descent_follows_the_eigenvalues(scaled: Page) -> None:
    (rows,) = (rows for title, rows in scaled.tables.items() if title.startswith("Eigenvalues"))
    table = {row[0]: row[1:] for row in rows}
    for name, (model, X) in linear_models().items():
        largest, smallest = np.linalg.svd(X, compute_uv=False) ** 2 / len(X)
        *found, below, above = table[name]
        assert found == pytest.approx(
            [smallest, largest, largest / smallest, 2 / largest], rel=1e-9
        )
        assert (below, above) == ("down", "up")
        steps = np.arange(40)
        for rate in (1, 1.7, 2.1):
            expected = excess(X, model.y, rate, steps)
            assert_allclose(scale.excess(model, rate, 40), expected, rtol=1e-8, atol=1e-12)
        needed = int(scaled.numbers[f"steps, {name}"])
        before, after = excess(X, model.y, 1, np.array([needed - 1, needed]))
        assert after <= 1e-3 * (1 + 1e-9)
        assert before > 1e-3 * (1 - 1e-9)
    raw, standardised = linear_models()["metres and milligrams"], linear_models()["standardised"]
    for (model, X), label, steps_done in (
        (raw, "excess left after 1000 steps, metres and mg", 1000),
        (standardised, "excess left after 10 steps, standardised", 10),
    ):
        (expected,) = excess(X, model.y, 1, np.array([steps_done]))
        assert scaled.numbers[label] == pytest.approx(100 * expected, rel=PINNED)


def test_scale_numbers(scaled: Page) -> None:
    assert scaled.numbers == pytest.approx(
        {
            "steps, metres and milligrams": 4179476,
            "steps, millimetres and milligrams": 7,
            "steps, standardised": 7,
            "excess left after 1000 steps, metres and mg": 68.05270817,
            "excess left after 10 steps, standardised": 3.924280251e-03,
            "best accuracy, pixels × 1000": 100 * 691 / 1797,
            "best accuracy, pixels": 100 * 1728 / 1797,
            "best accuracy, standardised": 100,
        },
        rel=PINNED,
    )


def test_standardised_digits_are_those_of_standardised_pixels(scaled: Page) -> None:
    pixels, y = cg.datasets.load_digits()
    deviation = pixels.std(axis=0)
    X = (pixels - pixels.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    rows = scaled.tables["Accuracy"]
    assert len(rows) == len(scale.DIGITS_RATES)
    for rate, row in list(zip(scale.DIGITS_RATES, rows, strict=True))[3:8]:
        assert f"{100 * scale.accuracy(X, y, rate, False):5.1f} %" == row[3]
        assert row[0] == f"{rate:.0e}"


def test_large_pixels_drive_the_units_to_one() -> None:
    X, y = cg.datasets.load_digits()
    layers = [cg.Dense(scale.HIDDEN, "tanh"), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", dtype="float64", rng=0)
    assert np.mean(np.abs(net.backward(1000.0 * X, y).activations[0]) > 0.999) > 0.99


# The time of differences and of backpropagation: only the arithmetic is tested, with a fake clock.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace passes by a clock: per parameter 10 µs forward, 25 µs forward and backward."""
    now = 0.0

    def evaluate(net: cg.Network, *_: object, **__: object) -> dict[str, float]:
        nonlocal now
        now += 1e-5 * net.n_parameters
        return {"loss": 0.0}

    def backward(net: cg.Network, *_: object, **__: object) -> None:
        nonlocal now
        now += 2.5e-5 * net.n_parameters

    monkeypatch.setattr(cg.Network, "evaluate", evaluate)
    monkeypatch.setattr(cg.Network, "backward", backward)
    monkeypatch.setattr(why_backprop, "thread_time", lambda: now)
    monkeypatch.setattr(why_backprop, "errors", lambda problem: [0.0, 0.0])


def test_times_of_passes_make_slopes_and_crossing(
    clock: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = cg.experiments.run("why-backprop", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "→" not in line) <= WIDTH
    if find_spec("matplotlib") is not None:
        assert page.pictures == [str(tmp_path / "why-backprop-time.png")]
        assert Path(page.pictures[0]).read_bytes().startswith(b"\x89PNG")
    numbers = page.numbers
    assert numbers["slope, forward differences"] == pytest.approx(2, abs=1e-3)
    assert numbers["slope, central differences"] == pytest.approx(2, abs=1e-9)
    assert numbers["slope, backpropagation"] == pytest.approx(1, abs=1e-9)
    assert numbers["the lines of slopes 2 and 1 meet at P ="] == pytest.approx(2.5, rel=1e-3)
    # P + 1 passes are more than two and a half from P = 2 on.
    assert numbers["backpropagation is faster from P ="] == 2
    P = why_backprop.three_layers(why_backprop.WIDTHS[-1]).net.n_parameters
    assert numbers[f"forward differences, P = {P}"] == pytest.approx((P + 1) * P * 1e-5)
    assert numbers[f"backpropagation, P = {P}"] == pytest.approx(2.5e-5 * P)
    assert numbers["how many times as fast"] == pytest.approx((P + 1) / 2.5)
    large, small = (rows for rows in page.tables.values())
    for P, timed, forward, central, backward in large + small:
        assert (forward, central, backward) == pytest.approx(
            (1e-5 * P * (P + 1), 2e-5 * P * P, 2.5e-5 * P)
        )
        assert 1 <= timed <= P
    assert 9e5 < large[-1][0] < 1.1e6
    assert [row[1] for row in small] == [row[0] for row in small], "all of a small network's"
    assert large[-1][1] < large[-1][0] / 1000, "a few of a large one's"


def test_slopes_are_of_the_larger_networks() -> None:
    parameters = np.array([10, 100, 10_000, 100_000, 1_000_000])
    seconds = np.stack([3e-9 * parameters**2.0, 6e-9 * parameters**2.0, 7e-9 * parameters], axis=1)
    seconds[:2] = 1
    times = why_backprop.Times(parameters, parameters, seconds)
    assert [why_backprop.slope(times, method) for method in range(3)] == pytest.approx([2, 2, 1])
    assert why_backprop.factor(times, 0, 2) == pytest.approx(3e-9)
    assert why_backprop.factor(times, 2, 1) == pytest.approx(7e-9)


def test_first_faster() -> None:
    def first(*forward: float) -> float:
        seconds = np.array([[each, 9.0, 1.0] for each in forward])
        parameters = np.array([1, 2, 3, 5])
        return why_backprop.first_faster(why_backprop.Times(parameters, parameters, seconds))

    assert first(2, 3, 4, 5) == 1
    assert first(0.5, 3, 4, 5) == 2
    assert first(2, 1, 4, 5) == 3
    assert first(0.1, 0.2, 0.3, 0.4) == math.inf


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("central", [False, True])
def test_differences_are_the_derivatives(central: bool, every: int) -> None:
    problem = why_backprop.three_layers(5)
    before = problem.net.parameters
    found = problem.differences(central, every)
    assert_array_equal(problem.net.parameters, before)
    gradients = problem.backpropagation().weights
    expected = np.concatenate([each.ravel()[::every] for each in gradients])
    largest = np.abs(expected).max()
    assert_allclose(found, expected, rtol=0, atol=(1e-8 if central else 1e-5) * largest)
    errors = why_backprop.errors(problem)
    smaller = [error < limit for error, limit in zip(errors, (1e-5, 1e-8), strict=True)]
    assert smaller == [True, True]


def test_extrapolated_times_are_hollow() -> None:
    pytest.importorskip("matplotlib")
    parameters, timed = np.array([100, 10_000, 1_000_000]), np.array([100, 200, 10])
    seconds = 1e-8 * np.stack([parameters**2, 2 * parameters**2, 30 * parameters], axis=1)
    times = why_backprop.Times(parameters, timed, seconds)
    small = why_backprop.Times(parameters[:1] // 100, timed[:1] // 100, seconds[:1] / 100)
    ax = why_backprop.draw_time(times, small)
    hollow = [
        line.get_xydata().tolist()
        for line in ax.lines
        if line.get_markerfacecolor() == "white" and line.get_linestyle() == "None"
        if len(line.get_xdata())
    ]
    expected = [np.stack([parameters, seconds[:, method]], axis=1)[1:] for method in (0, 1)]
    assert hollow == [each.tolist() for each in expected]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
