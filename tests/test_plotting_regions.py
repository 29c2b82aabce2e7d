"""Pictures of decision regions and of confusion matrices."""

import numpy as np
import pytest
from plotted import circles, digits, overlapping, texts

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.path import Path  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_figures")


def _inside(path, point):
    """Return whether a point is in an area, which may have holes."""
    return sum(Path(ring).contains_point(point) for ring in path.to_polygons()) % 2 == 1


def _class_at(ax, point, names):
    """Return the class whose region contains a point, by the colour drawn there last."""
    from cygrad.plotting import style

    tints = {to_hex(style.tint(number, 0.3)): number for number in range(names)}
    found = None
    for collection in ax.collections:
        colors = collection.get_facecolor()
        if len(colors) == 1 and to_hex(colors[0]) in tints:
            for path in collection.get_paths():
                if _inside(path, point):
                    found = tints[to_hex(colors[0])]
    return found


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "binary_cross_entropy"])
def test_the_regions_are_the_predicted_classes(loss, axes_2d):
    net, X, y = circles(loss=loss)
    plotting.decision_regions(net, X, y, kind="regions", ax=axes_2d)
    points = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    drawn = [_class_at(axes_2d, point, 2) for point in points]
    outputs = net.forward(points)
    # Close to the boundary the result depends on the grid.
    ahead = np.abs(outputs[:, -1] - (0.5 if net.outputs == 1 else outputs[:, 0]))
    clear = ahead > 0.1
    assert clear.sum() > 40
    assert len(set(drawn)) == 2
    np.testing.assert_array_equal(np.array(drawn)[clear], net.predict(points)[clear])


def test_equal_outputs_are_the_region_of_the_first_class(axes_2d):
    net = cg.Network(2, [cg.Dense(3, "softmax", weights_init="zeros")], loss="cross_entropy")
    plotting.decision_regions(net, [[0, 0], [1, 1]], [0, 1], ax=axes_2d)
    assert _class_at(axes_2d, (0.5, 0.5), 3) == 0 == net.predict([[0.5, 0.5]])[0]


def test_the_probability_is_the_output(axes_2d):
    net, X, y = circles(loss="binary_cross_entropy")
    net.classes = ["outer", "inner"]
    plotting.decision_regions(net, X, y, ax=axes_2d, resolution=50)
    (bar,) = (each for each in axes_2d.figure.axes if each is not axes_2d)
    assert bar.get_xlabel() == "probability of class inner"
    filled = axes_2d.collections[0]
    assert filled.get_clim() == (0, 1)
    points = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    levels, paths = np.linspace(0, 1, 21), filled.get_paths()
    for point, probability in zip(points, net.forward(points)[:, 0], strict=True):
        near = np.flatnonzero(np.abs(levels[:-1] + 0.025 - probability) < 0.1)
        assert any(_inside(paths[number], point) for number in near)


def test_samples_have_the_marker_of_their_class(axes_2d):
    net, X, y = circles()
    net.classes = ["outer", "inner"]
    plotting.decision_regions(net, X, np.eye(2)[y], ax=axes_2d, s=50)
    scatters = [each for each in axes_2d.collections if each.get_label() in net.classes]
    for number, scatter in enumerate(scatters):
        np.testing.assert_array_equal(scatter.get_offsets(), X[y == number])
        assert scatter.get_sizes() == [50]
    first, second = (each.get_paths()[0].vertices for each in scatters)
    assert first.shape != second.shape
    assert [text.get_text() for text in axes_2d.get_legend().get_texts()] == ["outer", "inner"]


def test_wrong_regions_are_refused():
    net, X, y = circles()
    three = cg.Network(3, [cg.Dense(2, "softmax")], loss="cross_entropy")
    with pytest.raises(ValueError, match="net has 3 inputs, expected 2"):
        plotting.decision_regions(three, np.zeros((2, 3)), [0, 1])
    line = cg.Network(2, [cg.Dense(1)], loss="mse")
    with pytest.raises(ValueError, match="net has loss 'mse' and 1 outputs"):
        plotting.decision_regions(line, X, y)
    with pytest.raises(ValueError, match="kind is 'map', expected one of 'regions', 'probability'"):
        plotting.decision_regions(net, X, y, kind="map")
    scores, X, y = circles(loss="hinge")
    with pytest.raises(ValueError, match="kind is 'probability' for a network of scores"):
        plotting.decision_regions(scores, X, y, kind="probability")
    with pytest.raises(ValueError, match="y has 3 targets for 100 samples"):
        plotting.decision_regions(net, X, y[:3])
    with pytest.raises(ValueError, match="resolution is 1"):
        plotting.decision_regions(net, X, y, resolution=1)


def _cells(ax, classes):
    return np.array([text.get_text() for text in texts(ax)]).reshape(classes, classes)


def test_the_cells_are_counts(axes_2d):
    net, X, y = digits()
    plotting.confusion_matrix(net, X, y, ax=axes_2d)
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (y, net.predict(X)), 1)
    np.testing.assert_array_equal(_cells(axes_2d, 10).astype(int), counts)
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(axes_2d.images[0].get_array(), shares)
    assert (axes_2d.get_xlabel(), axes_2d.get_ylabel()) == ("predicted class", "true class")


def test_predictions_do_without_a_network(axes_2d):
    plotting.confusion_matrix([0, 0, 2, 2], [0, 1, 2, 2], classes=["a", "b", "c"], ax=axes_2d)
    assert _cells(axes_2d, 3).tolist() == [["1", "1", "0"], ["0", "0", "0"], ["0", "0", "2"]]
    assert [label.get_text() for label in axes_2d.get_xticklabels()] == ["a", "b", "c"]


def test_classes_can_be_names(axes_2d):
    plotting.confusion_matrix(["no", "yes", "no"], ["yes", "yes", "no"], normalize=True, ax=axes_2d)
    assert _cells(axes_2d, 2).tolist() == [["0.50", "0.50"], ["0", "1.00"]]
    assert [label.get_text() for label in axes_2d.get_yticklabels()] == ["no", "yes"]


def test_yes_and_no_are_two_classes(axes_2d):
    net, X, y = circles(loss="binary_cross_entropy")
    net.classes = ["outer", "inner"]
    plotting.confusion_matrix(net, X, y[:, np.newaxis], ax=axes_2d)
    assert _cells(axes_2d, 2).astype(int).sum() == 100
    assert [label.get_text() for label in axes_2d.get_yticklabels()] == ["outer", "inner"]


@pytest.mark.parametrize("inches", [3, 5, 9])
@pytest.mark.parametrize("normalize", [False, True])
def test_twenty_classes_do_not_overlap(inches, normalize):
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 20, (2, 200_000))
    ax = Figure(figsize=(inches, inches), layout="constrained").add_subplot()
    names = [f"class number {number}" for number in range(20)]
    plotting.confusion_matrix(y, predicted, classes=names, normalize=normalize, ax=ax)
    assert overlapping(texts(ax), ax.get_xticklabels(), ax.get_yticklabels()) == []


def test_twenty_classes_are_legible_in_a_figure_of_their_own():
    rng = np.random.default_rng(0)
    ax = plotting.confusion_matrix(*rng.integers(0, 20, (2, 4000)))
    ax.figure.canvas.draw()
    assert min(text.get_fontsize() for text in texts(ax)) > 7
    assert min(label.get_fontsize() for label in ax.get_xticklabels()) > 7


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (([0, 1], [0]), {}, ValueError, "predicted has 1 classes for 2 samples of y"),
        (([0, -1], [0, 1]), {}, ValueError, "y holds -1, expected class indices from 0"),
        (([0.5], [0]), {}, TypeError, "y has dtype float64, expected class indices or names"),
        (([[0]], [0]), {}, ValueError, r"y has shape \(1, 1\), expected \(n,\)"),
        (([], []), {}, TypeError, "y has dtype float64"),
        ((["a"], [0]), {}, TypeError, "predicted has dtype .* and y has"),
        (([2], [0]), {"classes": ["a", "b"]}, ValueError, "classes has 2 names, expected one for"),
        ((["c"], ["a"]), {"classes": ["a", "b"]}, ValueError, "classes has no 'c'"),
        (([0], [0]), {"classes": ["a", "a"]}, ValueError, "classes is .*, expected different"),
        (([0], [0]), {"classes": "ab"}, ValueError, "classes is 'ab', expected different names"),
        (([0], [0]), {"normalize": 1}, TypeError, "normalize is 1, expected True or False"),
    ],
)
def test_wrong_predictions_are_refused(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        plotting.confusion_matrix(*arguments, **settings)


def test_a_network_needs_its_samples():
    net, X, y = digits()
    with pytest.raises(TypeError, match=r"y is None, expected .* confusion_matrix\(net, X, y\)"):
        plotting.confusion_matrix(net, X)
    with pytest.raises(ValueError, match=r"classes is .*, expected 10 different names"):
        plotting.confusion_matrix(net, X, y, classes=["a"])
    line = cg.Network(64, [cg.Dense(1)], loss="mse")
    with pytest.raises(ValueError, match="net has loss 'mse' and 1 outputs"):
        plotting.confusion_matrix(line, X, y)


@pytest.mark.parametrize(
    ("loss", "units", "activation"),
    [("cross_entropy", 3, "softmax"), ("binary_cross_entropy", 1, "sigmoid")],
)
def test_targets_can_be_names_of_classes(loss, units, activation, axes_2d):
    X = np.random.default_rng(0).normal(size=(12, 2))
    net = cg.Network(2, [cg.Dense(units, activation)], loss=loss, rng=0)
    indices = np.arange(12) % max(units, 2)
    plotting.confusion_matrix(net, X, indices, ax=axes_2d)
    expected = _cells(axes_2d, max(units, 2)).tolist()
    net.classes = ["a", "b", "c"][: max(units, 2)]
    named = np.array(net.classes)[indices]
    for y in (named, named.tolist(), indices):
        axes_2d.clear()
        plotting.confusion_matrix(net, X, y, ax=axes_2d)
        assert _cells(axes_2d, max(units, 2)).tolist() == expected
    axes_2d.clear()
    plotting.decision_regions(net, X, named, ax=axes_2d)
    with pytest.raises(ValueError, match="y holds 'd' in row 1, expected one of"):
        plotting.confusion_matrix(net, X, ["a", "d", *named[2:]])
