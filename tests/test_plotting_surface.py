"""Pictures of cost surfaces."""

import numpy as np
import pytest
import seed_systems
from plotted import circles, rbf, shown_numbers

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")


pytestmark = pytest.mark.usefixtures("own_figures")


def _expected_losses(net, X, y, index_1, index_2, xs, ys):
    """Compute the losses by changing the flat parameters of another network."""
    layers = [cg.Dense(each.units, each.activation, use_bias=each.use_bias) for each in net.layers]
    other = cg.Network(net.inputs, layers, loss=net.loss, reduction=net.reduction, dtype=net.dtype)
    if net.input_mean is not None:
        X = (X - net.input_mean) * net.input_scale
    losses = np.empty((len(ys), len(xs)))
    for (row, column), _ in np.ndenumerate(losses):
        parameters = net.parameters
        parameters[index_1], parameters[index_2] = xs[column], ys[row]
        other.parameters = parameters
        losses[row, column] = other.evaluate(X, y)["loss"]
    return losses


@pytest.fixture
def computed(monkeypatch):
    """Record the arguments of `contourf` and `plot_surface`."""
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

    seen = []

    def spied(cls, name):
        original = getattr(cls, name)

        def spy(self, x, y, z, *args, **kwargs):
            seen.append((x, y, z))
            return original(self, x, y, z, *args, **kwargs)

        monkeypatch.setattr(cls, name, spy)

    spied(Axes, "contourf")
    spied(Axes3D, "plot_surface")
    return seen


@pytest.mark.parametrize(
    ("parameters", "indices"),
    [
        (((0, "weights", (1, 0)), (0, "weights", (2, 1))), (2, 5)),
        (((0, "biases", 2), (1, "weights", (0, 1))), (8, 10)),
        (((-1, "weights", (-1, -1)), (-1, "biases", (0,))), (14, 15)),
    ],
)
@pytest.mark.parametrize("kind", ["surface", "contour"])
def test_the_surface_is_the_loss(parameters, indices, kind, computed):
    net, X, y = circles(dtype="float64")
    plotting.cost_surface(
        net, X, y, *parameters, kind=kind, resolution=7, range_1=(-1, 2), range_2=(-3, 3)
    )
    ((_, _, losses),) = computed
    xs, ys = np.linspace(-1, 2, 7), np.linspace(-3, 3, 7)
    expected = _expected_losses(net, X, y, *indices, xs, ys)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize("all_parameters", [False, True])
def test_the_path_lies_on_the_surface(all_parameters, axes_3d):
    net, X, y, path = rbf()
    given = path if all_parameters else np.array(path)[:, :2]
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(net, X, y, *parameters, path=given, resolution=5, ax=axes_3d)
    line, start, end = axes_3d.lines
    first, second, heights = line.get_data_3d()
    np.testing.assert_array_equal(first, [step[0] for step in path])
    np.testing.assert_array_equal(second, [step[1] for step in path])
    assert heights[0] == pytest.approx(seed_systems.RBF_FIRST_LOSS, abs=1e-9)
    assert heights[-1] == pytest.approx(seed_systems.RBF_LAST_LOSS, abs=1e-9)
    assert [each.get_label() for each in (line, start, end)] == ["path", "start", "end"]
    np.testing.assert_array_equal(np.ravel(end.get_data_3d()), [first[-1], second[-1], heights[-1]])


def test_the_surface_reaches_around_the_path(axes_2d):
    net, X, y, path = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(
        net, X, y, *parameters, path=path, resolution=5, kind="contour", ax=axes_2d
    )
    points = np.array(path)[:, :2]
    extent = points.max(axis=0) - points.min(axis=0)
    for limits, low, high, size in zip(
        (axes_2d.get_xlim(), axes_2d.get_ylim()),
        points.min(axis=0),
        points.max(axis=0),
        extent,
        strict=True,
    ):
        np.testing.assert_allclose(limits, (low - size / 4, high + size / 4))
    assert axes_2d.get_xlabel() == "layers[0].weights[0, 0]"


def test_the_colour_bar_has_roundshown_numbers(axes_2d):
    net, X, y, _ = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(net, X, y, *parameters, kind="contour", resolution=20, ax=axes_2d)
    (bar,) = (each for each in axes_2d.figure.axes if each is not axes_2d)
    assert shown_numbers(bar.yaxis) == ["50", "100", "150"]


@pytest.mark.parametrize(
    ("path", "corner"),
    [([(-1, -1), (0, -0.5), (1, -1)], "upper right"), ([(-1, 1), (0, 0.5), (1, 1)], "lower right")],
)
def test_the_legend_of_a_map_is_away_from_the_path(path, corner, axes_2d):
    net, X, y, _ = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(
        net, X, y, *parameters, path=path, range_2=(-2, 2), kind="contour", resolution=5, ax=axes_2d
    )
    axes_2d.figure.canvas.draw()
    box = axes_2d.get_legend().get_window_extent().transformed(axes_2d.transAxes.inverted())
    assert box.x0 > 0.5
    assert (box.y0 > 0.5) == (corner == "upper right")


def test_a_logarithmic_surface(computed):
    net, X, y, _ = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    for log in (False, True):
        ax = plotting.cost_surface(net, X, y, *parameters, resolution=6, log=log)
    np.testing.assert_allclose(10 ** computed[1][2], computed[0][2], rtol=1e-12)
    assert ax.get_zlabel().startswith("log₁₀")


def test_wrong_surfaces_are_refused():
    net, X, y, _ = rbf()
    good = (1, "weights", (0, 0))
    for parameter, error, message in (
        ("w", TypeError, "parameter_1 is 'w', expected a tuple such as"),
        ((2, "weights", (0, 0)), ValueError, r"parameter_1\[0\] is 2"),
        ((0, "weight", (0, 0)), ValueError, r"parameter_1\[1\] is 'weight', expected one of"),
        ((0, "weights", 0), ValueError, r"parameter_1\[2\] is 0, expected \(unit, input\)"),
        ((0, "weights", (0, 1)), ValueError, r"parameter_1\[2\] is 1"),
        ((0, "biases", 0), ValueError, r"layers\[0\] has no biases"),
        (good, ValueError, "like parameter_1, expected another"),
    ):
        with pytest.raises(error, match=message):
            plotting.cost_surface(net, X, y, parameter, good)
    other = (0, "weights", (0, 0))
    for settings, error, message in (
        ({"path": [[1, 2, 3, 4]]}, ValueError, r"path has shape \(1, 4\), expected \(steps \+ 1"),
        ({"path": [[1, np.nan]]}, ValueError, "path holds NaN"),
        ({"path": [["a", "b"]]}, TypeError, "path has dtype"),
        ({"range_1": (2, 1)}, ValueError, "range_1 is .*, expected the lower end first"),
        ({"range_2": 3}, TypeError, "range_2 is 3, expected"),
        ({"kind": "hill"}, ValueError, "kind is 'hill', expected one of 'surface', 'contour'"),
        ({"log": 1}, TypeError, "log is 1, expected True or False"),
    ):
        with pytest.raises(error, match=message):
            plotting.cost_surface(net, X, y, other, good, **settings)
