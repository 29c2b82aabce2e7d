"""Pictures of regression: the points are at the predictions and true values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cygrad as cg
from cygrad import plotting
from cygrad.plotting.regression import MOST_VECTOR_POINTS

pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

from matplotlib.figure import Figure


def axes():
    return Figure(layout="constrained").add_subplot()


def regression(outputs=1, n=20):
    """Make a network with random parameters, and samples unrelated to it."""
    rng = np.random.default_rng(0)
    net = cg.Network(3, [cg.Dense(4, "tanh"), cg.Dense(outputs)], loss="mse", rng=0)
    X, y = rng.normal(size=(n, 3)), 1000 * rng.normal(size=(n, outputs))
    return net, X, y


def test_residuals_against_predictions():
    net, X, y = regression()
    ax = axes()
    assert plotting.residuals(net, X, y[:, 0], ax=ax) is ax
    points, line = ax.lines
    predicted = net.forward(X)[:, 0]
    assert_allclose(points.get_xdata(), predicted)
    assert_allclose(points.get_ydata(), y[:, 0] - predicted)
    assert points.get_linestyle() == "None"
    assert list(line.get_ydata()) == [0, 0]
    assert ax.get_xlabel() == "predicted value"
    assert ax.get_ylabel() == "residual (true − predicted)"
    assert ax.get_legend() is None


def test_predictions_against_true_values():
    net, X, y = regression()
    points, line = plotting.residuals(net, X, y, kind="prediction", ax=axes()).lines
    assert_allclose(points.get_xdata(), y[:, 0])
    assert_allclose(points.get_ydata(), net.forward(X)[:, 0])
    assert list(line.get_xdata()) == list(line.get_ydata()) == [y.min(), y.max()]


def test_several_outputs_and_one_of_them():
    net, X, y = regression(outputs=3)
    ax = plotting.residuals(net, X, y, ax=axes())
    assert len(ax.lines) == 4
    assert len({(line.get_color(), line.get_marker()) for line in ax.lines[:3]}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2"]
    for output in (2, -1):
        ax = plotting.residuals(net, X, y, output=output, kind="prediction", ax=axes())
        assert_allclose(ax.lines[0].get_xdata(), y[:, 2])
        assert_allclose(ax.lines[0].get_ydata(), net.forward(X)[:, 2])
        assert ax.get_legend() is None


def test_many_points_are_an_image():
    for n, is_image in ((MOST_VECTOR_POINTS, False), (MOST_VECTOR_POINTS + 1, True)):
        points, _ = plotting.residuals(*regression(n=n), ax=axes()).lines
        assert points.get_rasterized() is is_image


def test_further_arguments_are_of_the_points():
    points, line = plotting.residuals(*regression(), ax=axes(), color="red", alpha=1).lines
    assert points.get_color() == "red"
    assert line.get_color() != "red"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"net": "net"}, TypeError, "net is 'net', expected a Network"),
        ({"X": np.zeros((2, 4))}, ValueError, "X has shape"),
        ({"y": np.zeros(7)}, ValueError, "y has"),
        ({"kind": "both"}, ValueError, "kind is 'both', expected one of 'residual', 'prediction'"),
        ({"output": 1}, ValueError, "output is 1, expected an integer from -1 to 0"),
        ({"output": 0.5}, TypeError, "output is 0.5"),
        ({"ax": 3}, TypeError, "ax is 3"),
    ],
)
def test_refused_arguments(change, error, message):
    net, X, y = regression()
    with pytest.raises(error, match=message):
        plotting.residuals(**({"net": net, "X": X, "y": y, "ax": axes()} | change))


def test_a_network_of_classes_is_refused():
    net = cg.Network(3, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    with pytest.raises(
        ValueError, match="trained by cross_entropy, expected a loss for regression"
    ):
        plotting.residuals(net, np.zeros((2, 3)), [0, 1])


def of_loss(loss, units):
    rng = np.random.default_rng(0)
    net = cg.Network(3, [cg.Dense(4, "tanh"), cg.Dense(units)], loss=loss, rng=0)
    return net, rng.normal(size=(20, 3)), rng.normal(size=20)


def test_means_are_drawn_and_not_variances():
    net, X, y = of_loss("gaussian_nll", 2)
    points, _ = plotting.residuals(net, X, y, kind="prediction", ax=axes()).lines
    assert_allclose(points.get_xdata(), y)
    assert_allclose(points.get_ydata(), net.forward(X)[:, 0])
    net, X, y = of_loss("gaussian_nll", 4)
    y = np.stack([y, -y], axis=1)
    lines = plotting.residuals(net, X, y, kind="prediction", ax=axes()).lines
    assert len(lines) == 3
    assert_allclose(lines[1].get_xdata(), y[:, 1])
    assert_allclose(lines[1].get_ydata(), net.forward(X)[:, 1])
    with pytest.raises(ValueError, match="output is 2"):
        plotting.residuals(net, X, y, output=2, ax=axes())


def test_the_middle_quantile_is_drawn_or_the_one_asked_for():
    net, X, y = of_loss(cg.losses.pinball([0.1, 0.6, 0.95]), 3)
    for targets in (y, y[:, np.newaxis]):
        points, _ = plotting.residuals(net, X, targets, ax=axes()).lines
        assert_allclose(points.get_xdata(), net.forward(X)[:, 1])
        assert_allclose(points.get_ydata(), y - net.forward(X)[:, 1], rtol=1e-6)
    points, _ = plotting.residuals(net, X, y, output=2, ax=axes()).lines
    assert_allclose(points.get_xdata(), net.forward(X)[:, 2])
    rows = np.stack([y, y + 1, y + 2], axis=1)
    lines = plotting.residuals(net, X, rows, kind="prediction", ax=axes()).lines
    assert len(lines) == 4
    assert_allclose(lines[2].get_xdata(), y + 2)
