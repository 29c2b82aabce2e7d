"""Pictures of the inside of a network: hidden units, weights, the diagram."""

import numpy as np
import pytest
from plotted import circles, digits, overlapping, shown_numbers, texts

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_figures")


@pytest.mark.parametrize("units", [2, 3])
def test_the_projection_is_the_activations(units):
    net, X, y = circles(units=units)
    ax = plotting.hidden_projection(net, X, y)
    activations = net.backward(X, y).activations[0]
    for number in (0, 1):
        (scatter,) = (each for each in ax.collections if each.get_label() == str(number))
        drawn = np.column_stack(scatter._offsets3d) if units == 3 else scatter.get_offsets()
        np.testing.assert_allclose(drawn, activations[y == number])


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "binary_cross_entropy"])
@pytest.mark.parametrize("units", [2, 3])
def test_on_the_plane_the_output_is_undecided(loss, units, monkeypatch):
    from mpl_toolkits.mplot3d import art3d

    planes = []

    class Plane(art3d.Poly3DCollection):
        def __init__(self, polygons, **artist_options):
            planes.extend(polygons)
            super().__init__(polygons, **artist_options)

    monkeypatch.setattr(art3d, "Poly3DCollection", Plane)
    net, X, y = circles(units=units, loss=loss)
    ax = plotting.hidden_projection(net, X, y)
    if units == 2:
        corners = np.column_stack(ax.lines[0].get_data())
    else:
        (corners,) = planes
        assert len(corners) >= 3
    output = net.layers[-1]
    z = corners @ output.weights.T + output.biases
    undecided = z[:, 0] if net.outputs == 1 else z[:, 1] - z[:, 0]
    np.testing.assert_allclose(undecided, 0, atol=1e-4)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_a_single_unit_has_a_line_for_each_class(loss, axes_2d):
    net, X, y = circles(units=1, loss=loss)
    plotting.hidden_projection(net, X, y, ax=axes_2d)
    activations = net.backward(X, y).activations[0][:, 0]
    for number in (0, 1):
        (scatter,) = (each for each in axes_2d.collections if each.get_label() == str(number))
        coordinates, heights = scatter.get_offsets().T
        np.testing.assert_allclose(coordinates, activations[y == number])
        assert (heights == number).all()
    (boundary, _), (other, _) = axes_2d.lines[0].get_xydata()
    assert boundary == other
    z = boundary * net.layers[1].weights[:, 0] + net.layers[1].biases
    assert (z[0] if net.outputs == 1 else z[1] - z[0]) == pytest.approx(0, abs=1e-4)


def test_small_3d_axes_have_few_ticks():
    several = Figure((9, 3)).subplots(1, 3, subplot_kw={"projection": "3d"})
    alone = Figure().add_subplot(projection="3d")
    for ax in (several[0], alone):
        plotting.hidden_projection(*circles(), ax=ax)
    small, large = (len(shown_numbers(ax.xaxis)) for ax in (several[0], alone))
    assert small < large


def test_more_units_are_principal_components():
    net, X, y = digits()
    ax = plotting.hidden_projection(net, X, y)
    activations = net.backward(X, y).activations[0].astype(float)
    centred = activations - activations.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(centred.T, bias=True))
    share = 100 * variances[::-1] / variances.sum()
    labels = [ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()]
    expected = [f"component {number + 1} ({share[number]:.0f} %)" for number in range(3)]
    assert labels == expected
    members = next(each for each in ax.collections if each.get_label() == "3")
    drawn = np.column_stack(members._offsets3d)
    along = (centred @ directions[:, ::-1][:, :3])[y == 3]
    np.testing.assert_allclose(np.abs(drawn), np.abs(along), atol=1e-4)


def test_few_samples_have_few_components(axes_3d):
    net, X, y = digits()
    plotting.hidden_projection(net, X[:2], y[:2], ax=axes_3d)
    assert "(100 %)" in axes_3d.get_xlabel()
    assert "(0 %)" in axes_3d.get_zlabel()


def test_numbers_have_a_colour_scale(axes_2d):
    net = cg.Network(2, [cg.Dense(2, "tanh"), cg.Dense(1)], loss="mse", rng=0)
    X = np.random.default_rng(0).normal(size=(30, 2))
    plotting.hidden_projection(net, X, X[:, 0], ax=axes_2d)
    np.testing.assert_array_equal(axes_2d.collections[0].get_array(), X[:, 0])
    assert not axes_2d.lines


def test_wrong_projections_are_refused():
    net, X, y = circles()
    with pytest.raises(ValueError, match="layer is -1, the output layer; expected 0 to 0"):
        plotting.hidden_projection(net, X, y, layer=-1)
    with pytest.raises(ValueError, match="layer is 2, expected an integer from -2 to 1"):
        plotting.hidden_projection(net, X, y, layer=2)
    none = cg.Network(2, [cg.Dense(2, "softmax")], loss="cross_entropy")
    with pytest.raises(ValueError, match="net has no hidden layer"):
        plotting.hidden_projection(none, X, y)


def test_the_images_are_the_weights(axes_2d):
    net, _, _ = digits()
    plotting.weights_as_images(net, units=[5, -1], ax=axes_2d)
    mosaic = axes_2d.images[0].get_array()
    weights = net.layers[0].weights
    np.testing.assert_array_equal(mosaic[:8, :8], weights[5].reshape(8, 8))
    np.testing.assert_array_equal(mosaic[:8, 9:], weights[11].reshape(8, 8))
    assert mosaic.mask[:8, 8].all()
    low, high = axes_2d.images[0].get_clim()
    assert -low == high == np.abs(weights[[5, 11]]).max()
    assert [label.get_text() for label in axes_2d.get_yticklabels()] == ["5"]


def test_all_images_are_there(axes_2d):
    net, _, _ = digits()
    plotting.weights_as_images(net, layer=-1, shape=(3, 4), ax=axes_2d)
    mosaic = axes_2d.images[0].get_array()
    assert mosaic.compressed().sum() == pytest.approx(net.layers[1].weights.sum(), abs=1e-4)
    assert mosaic.count() == 120
    plotting.weights_as_images(net, units=4, ax=axes_2d)
    assert axes_2d.images[1].get_array().count() == 4 * 64


@pytest.mark.parametrize(("count", "per_row"), [(1, 1), (12, 4), (13, 4), (64, 8), (100, 10)])
def test_rows_of_images_are_full_where_they_can_be(count, per_row, axes_2d):
    net = cg.Network(64, [cg.Dense(count)], loss="mse", rng=0)
    plotting.weights_as_images(net, ax=axes_2d)
    rows = [int(label.get_text()) for label in axes_2d.get_yticklabels()]
    assert rows == list(range(0, count, per_row))


def test_wrong_images_are_refused():
    net, _, _ = digits()
    for settings, error, message in (
        ({"layer": 2}, ValueError, "layer is 2, expected an integer from -2 to 1"),
        ({"layer": 1}, ValueError, r"shape is None and layers\[1\] has 12 inputs, which is no sq"),
        ({"shape": (3, 4)}, ValueError, r"shape is \(3, 4\), and layers\[0\] has 64 inputs"),
        ({"shape": 8}, TypeError, r"shape is 8, expected \(rows, columns\)"),
        ({"units": 13}, ValueError, "units is 13, expected an integer from 1 to 12"),
        ({"units": [12]}, ValueError, "units is 12, expected an integer from -12 to 11"),
        ({"units": []}, ValueError, "units is empty"),
        ({"units": "all"}, TypeError, "units is 'all'"),
    ):
        with pytest.raises(error, match=message):
            plotting.weights_as_images(net, **settings)


def _circles(ax):
    return [each for each in ax.patches if each.radius > 0.1]


def test_the_diagram_has_every_unit_and_weight(axes_2d):
    net, _, _ = circles()
    plotting.network_diagram(net, ax=axes_2d)
    assert len(_circles(axes_2d)) == 2 + 3 + 2
    (lines,) = axes_2d.collections
    values = np.concatenate([layer.weights.ravel() for layer in net.layers])
    values = values[np.argsort(np.abs(values))]
    widths = np.array(lines.get_linewidths())
    assert len(widths) == len(values) == 12
    np.testing.assert_allclose(widths, widths[-1] * np.abs(values / values[-1]), atol=0.3)
    blue = np.array([to_hex(color) for color in lines.get_colors()]) == to_hex("#0072B2")
    np.testing.assert_array_equal(blue, values > 0)
    unbroken_lines = np.array([dashes is None for _, dashes in lines.get_linestyles()])
    np.testing.assert_array_equal(unbroken_lines, values > 0)
    shown = [text.get_text() for text in texts(axes_2d)]
    assert {"inputs\n2", "tanh\n3", "softmax\n2"} <= set(shown)


def test_long_layers_are_abbreviated(axes_2d):
    net, _, _ = digits()
    net.classes = [f"digit {number}" for number in range(10)]
    plotting.network_diagram(net, most=6, ax=axes_2d)
    assert len(_circles(axes_2d)) == 3 * 5
    assert len(axes_2d.patches) == 3 * (5 + 3)
    shown = [text.get_text() for text in texts(axes_2d)]
    assert "inputs\n64" in shown
    assert [text for text in shown if text.startswith("digit")] == [
        f"digit {number}" for number in (0, 1, 2, 8, 9)
    ]


def test_units_are_labelled_with_numbers_and_texts(axes_2d):
    net, _, _ = digits()
    labels = [None, np.linspace(0, 1, 12), [f"o{number}" for number in range(10)]]
    plotting.network_diagram(net, most=6, unit_labels=labels, captions=["x", None, "y"], ax=axes_2d)
    shown = [text.get_text() for text in texts(axes_2d)]
    for text in ("0", "0.091", "1", "o0", "o9", "x", "relu\n12", "y"):
        assert text in shown
    assert "o5" not in shown


@pytest.mark.parametrize("value", [-7.5e-6, 1e8, -0.25])
def test_numbers_on_units_are_short(value, axes_2d):
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    plotting.network_diagram(net, unit_labels=[[value], None], ax=axes_2d)
    (label,) = (text.get_text() for text in texts(axes_2d) if text.get_position() == (0, 0))
    assert float(label.replace("−", "-")) == value
    assert len(label) <= 7


@pytest.mark.parametrize("arrows", ["forward", "backward"])
def test_arrows_point_in_the_given_direction(arrows, axes_2d):
    plotting.network_diagram(circles()[0], arrows=arrows, ax=axes_2d)
    heads, lines = axes_2d.collections
    tips = np.array([path.vertices[0] for path in heads.get_paths()])
    lefts, rights = np.moveaxis(np.array(lines.get_segments()), 1, 0)
    np.testing.assert_allclose(tips, rights if arrows == "forward" else lefts)
    backs = np.array([path.vertices[1:3].mean(axis=0) for path in heads.get_paths()])
    assert ((tips - backs)[:, 0] > 0).all() == (arrows == "forward")


@pytest.mark.parametrize("inches", [2, 4, 8])
def test_texts_of_the_diagram_do_not_overlap(inches):
    net, _, _ = digits()
    net.classes = [f"digit {number}" for number in range(10)]
    ax = Figure(figsize=(inches, inches), layout="constrained").add_subplot()
    labels = [np.full(64, -0.25), np.full(12, -1.5e-6), np.full(10, 0.125)]
    plotting.network_diagram(net, unit_labels=labels, ax=ax)
    assert overlapping(texts(ax)) == []
    circle = _circles(ax)[0]
    width = circle.get_window_extent().width
    on_units = [text for text in texts(ax) if text.get_text() in ("−0.25", "−1.5e−6", "0.12")]
    assert len(on_units) == 3 * 7
    assert all(text.get_window_extent().width < width for text in on_units)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3, 2), (3, 3), (5, 4, 1)])
def test_weights_are_written_on_their_lines(sizes, axes_2d):
    layers = [cg.Dense(units, "tanh") for units in sizes[1:]]
    net = cg.Network(sizes[0], layers, loss="mse", rng=0)
    captions = [""] * len(sizes)
    plotting.network_diagram(
        net, weight_labels=True, captions=captions, arrows="forward", ax=axes_2d
    )
    written = texts(axes_2d)
    assert overlapping(written) == []
    lines = axes_2d.collections[1].get_segments()
    weights = np.concatenate([layer.weights.ravel() for layer in net.layers])
    assert len(written) == len(lines) == len(weights)
    shown = sorted(float(text.get_text().replace("−", "-")) for text in written)
    np.testing.assert_allclose(shown, sorted(weights), rtol=0.05)
    circles = [circle.get_window_extent() for circle in _circles(axes_2d)]
    for text in written:
        (start, end), center = min(
            ((line, np.array(text.get_position())) for line in lines),
            key=lambda pair: abs(np.linalg.det([pair[0][1] - pair[0][0], pair[1] - pair[0][0]])),
        )
        assert np.linalg.det([end - start, center - start]) == pytest.approx(0, abs=1e-9)
        assert not any(circle.overlaps(text.get_window_extent()) for circle in circles)


def test_weights_of_zero_are_no_lines(axes_2d):
    net = cg.Network(2, [cg.Dense(2, weights_init="zeros")], loss="mse")
    plotting.network_diagram(net, ax=axes_2d)
    assert len(axes_2d.collections[0].get_segments()) == 0
    axes_2d.figure.canvas.draw()


def test_wrong_diagrams_are_refused():
    net, _, _ = circles()
    for settings, error, message in (
        ({"most": 2}, ValueError, "most is 2, expected an integer of at least 3"),
        ({"unit_labels": [None]}, ValueError, "unit_labels has 1 entries, expected 3"),
        (
            {"unit_labels": [[1], None, None]},
            ValueError,
            r"unit_labels\[0\] is \[1\], expected 2 texts",
        ),
        ({"unit_labels": [[1, None], None, None]}, TypeError, r"unit_labels\[0\] holds None"),
        ({"captions": ["x"]}, ValueError, r"captions is \['x'\], expected 3 texts or None"),
        ({"weight_labels": 1}, TypeError, "weight_labels is 1, expected True or False"),
        ({"arrows": "up"}, ValueError, "arrows is 'up', expected one of 'forward', 'backward'"),
    ):
        with pytest.raises(error, match=message):
            plotting.network_diagram(net, **settings)
