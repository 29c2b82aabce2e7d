"""Tests of the pictures of networks with norms, dropout, noise and residual blocks."""

from __future__ import annotations

from itertools import product

import layer_cases
import numpy as np
import pytest

import cygrad as cg
from cygrad import plotting
from cygrad.plotting import diagram, style, surface

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

pytestmark = pytest.mark.usefixtures("own_figures")


@pytest.mark.parametrize("name", layer_cases.LAYERS)
def test_every_network_has_all_pictures(name: str) -> None:
    net = layer_cases.network(name)
    X, y = layer_cases.samples()
    ax = plotting.network_diagram(net, most=3, weight_labels=True, arrows="forward")
    texts = [text.get_text() for text in ax.texts]
    for layer in net.layers:
        assert any(text.endswith(f"{layer.units}") for text in texts)
    plotting.hidden_projection(net, X, y)
    plotting.weights_as_images(net, shape=(1, 5))
    line = plotting.gradient_flow(net.backward(X, y)).lines[0]
    weighted = [index for index, layer in enumerate(net.layers) if layer.has_weights]
    assert list(line.get_xdata()) == weighted


def test_layers_that_are_not_dense_have_one_line_for_each_unit() -> None:
    layers = [cg.Dropout(0.5), cg.Dense(2), cg.LayerNorm("relu"), cg.Residual([cg.Dense(2)])]
    net = cg.Network(3, [*layers, cg.Dense(1)], loss="mse", rng=0)
    net.layers[2].weights = [0.5, -4.0]
    ax = plotting.network_diagram(net)
    (lines,) = [each for each in ax.collections if len(each.get_linewidths()) > 1]
    same = matplotlib.colors.same_color
    black = [same(color, style.INK) for color in lines.get_colors()]
    assert len(black) == 3 + 3 * 2 + 2 + 2 * 2 + 2 + 2
    assert sum(black) == 3 + 2  # dropout and sum
    ends = np.array(lines.get_segments())
    widest = ends[np.argmax(lines.get_linewidths())]
    assert widest[0, 1] == widest[1, 1] == -0.5  # the second unit's γ = −4
    captions = [text.get_text() for text in ax.texts]
    assert {"dropout 0.5\n3", "layer norm\nrelu\n2", "residual sum\n2"} <= set(captions)


def test_a_line_leads_from_the_input_of_a_block_to_its_sum() -> None:
    block = cg.Residual([cg.Dense(4), cg.Residual([cg.Dense(4)]), cg.Dense(3)])
    net = cg.Network(3, [block, cg.Dense(1)], loss="mse", rng=0)
    ax = plotting.network_diagram(net, weight_labels=True)
    xs = [
        circle.center[0] for circle in ax.patches if isinstance(circle, matplotlib.patches.Circle)
    ]
    columns = sorted(set(xs))
    skips = sorted(ax.lines, key=lambda line: max(line.get_ydata()))
    ends = [(line.get_xdata()[0], line.get_xdata()[-1]) for line in skips]
    np.testing.assert_allclose(
        ends, [(columns[1], columns[3]), (columns[0], columns[5])], atol=diagram.RADIUS
    )
    heights = [max(line.get_ydata()) for line in skips]
    assert heights[1] - heights[0] == pytest.approx(diagram.SKIP_HEIGHT)
    # No block, no line.
    dense = cg.Network(3, [cg.Dense(1)], loss="mse", rng=0)
    assert not plotting.network_diagram(dense, weight_labels=True).lines


def test_images_are_of_a_dense_layer() -> None:
    net = layer_cases.network("all")
    image = plotting.weights_as_images(net, shape=(1, 5), units=1).images[0]
    np.testing.assert_allclose(image.get_array(), net.layers[1].weights[:1])
    for layer in (0, 2):
        with pytest.raises(ValueError, match=rf"layers\[{layer}\] is .* dense layer: 1, 4, 7"):
            plotting.weights_as_images(net, layer=layer)


@pytest.mark.parametrize("name", ["frozen norms", "all", "residual of inputs"])
def test_the_cost_surface_is_the_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        surface, "_draw_contour", lambda ax, computed, *rest: drawn.append(computed)
    )
    net = layer_cases.network(name)
    X, y = layer_cases.samples(rows=9)
    cg.Trainer(net, cg.SGD(0.05), batch_size=5, rng=0).fit(X, y)  # other running statistics
    before = net.parameters
    for index, layer in enumerate(net.layers):
        if not layer.has_weights:
            continue
        entry = (1, 0) if layer.kind == "dense" else (1,)
        parameters = (index, "weights", entry), (index, "biases", 2)
        plotting.cost_surface(net, X, y, *parameters, resolution=2, kind="contour")
        ((xs, ys, losses, *_),) = drawn
        drawn.clear()
        np.testing.assert_array_equal(net.parameters, before)
        expected = np.empty((2, 2))
        for row, column in product(range(2), range(2)):
            weights, biases = layer.weights.copy(), layer.biases.copy()
            weights[entry], biases[2] = xs[column], ys[row]
            layer.weights, layer.biases = weights, biases
            expected[row, column] = net.evaluate(X, y)["loss"]
        net.parameters = before
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_parameters_of_a_path_include_those_of_norms() -> None:
    net = layer_cases.network("all")
    for index, layer in enumerate(net.layers):
        if layer.has_weights:
            entry = (1, 2) if layer.weights.ndim == 2 else (3,)
            for array, place in (("weights", entry), ("biases", (2,))):
                location = surface._Location(index, array, place)
                assert net.parameters[location.flat_index(net)] == location.read(net)


def test_layers_without_parameters_have_no_cost_surface() -> None:
    net = layer_cases.network("all")
    X, y = layer_cases.samples(rows=2)
    with pytest.raises(ValueError, match=r"layers\[0\] has no weights"):
        plotting.cost_surface(net, X, y, (0, "weights", 0), (1, "biases", 0))
