"""Pictures: that they show the right numbers, where they are told to, and can be read."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import seed_systems

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")
matplotlib.use("agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.path import Path  # noqa: E402


@pytest.fixture(autouse=True)
def _own_figures():
    """Nothing of a test stays: no figure, and no setting that it could have changed."""
    before = dict(matplotlib.rcParams)
    yield
    pyplot.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def flat():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture
def solid():
    return Figure(layout="constrained").add_subplot(projection="3d")


def circles(units=3, loss="cross_entropy", activation="tanh", **settings):
    """A network for two inputs and two classes, trained, with the samples."""
    X, y = seed_systems.circles_data()
    outputs = {
        "cross_entropy": cg.Dense(2, "softmax"),
        "hinge": cg.Dense(2),
        "binary_cross_entropy": cg.Dense(1, "sigmoid"),
    }
    layers = [cg.Dense(units, activation), outputs[loss]]
    net = cg.Network(2, layers, loss=loss, rng=3, **settings)
    net.standardize_inputs(X)
    cg.Trainer(net, cg.Adam(0.05), batch_size=20, rng=0).fit(X, y, epochs=30)
    return net, X, y


def digits():
    X, y = cg.datasets.load_digits()
    net = cg.Network(
        64, [cg.Dense(12, "relu"), cg.Dense(10, "softmax")], loss="cross_entropy", rng=0
    )
    cg.Trainer(net, cg.Adam(1e-2), batch_size=32, rng=0).fit(X, y, epochs=2)
    return net, X, y


def rbf():
    """The network of one Gaussian unit, with its samples and the way of its descent."""
    X, y = seed_systems.rbf_data()
    layers = [cg.Dense(1, "gaussian", use_bias=False), cg.Dense(1, "sigmoid", trainable="weights")]
    net = cg.Network(
        1, layers, loss="binary_cross_entropy", reduction="sum", dtype="float64", rng=0
    )
    net.parameters = [2, -5, -1]
    trainer = cg.Trainer(net, cg.SGD(seed_systems.rbf_learning_rate), batch_size=40, rng=0)
    path = [net.parameters]
    for _ in range(seed_systems.RBF_STEPS):
        trainer.step(X, y)
        path.append(net.parameters)
    return net, X, y, path


def history(scale=1.0):
    X, y = seed_systems.circles_data()
    net = cg.Network(2, [cg.Dense(3, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    trainer = cg.Trainer(net, cg.Adam(0.01 * scale), batch_size=20, rng=0)
    return trainer.fit(X, y, epochs=12, X_val=X[::3], y_val=y[::3])


def texts(ax):
    """The texts in axes, by what they say."""
    return [text for text in ax.texts if text.get_text()]


def overlapping(*groups):
    """Pairs of texts of a group of which one is on top of the other, when all is drawn."""
    figure = groups[0][0].figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    found = []
    for some in groups:
        boxes = np.array([text.get_window_extent(renderer).extents for text in some])
        low, high = boxes[:, np.newaxis, :2], boxes[np.newaxis, :, 2:]
        meet = (low < high).all(axis=2)
        pairs = np.argwhere(np.triu(meet & meet.T, 1))
        found += [(some[first].get_text(), some[second].get_text()) for first, second in pairs]
    return found


# Every function, with what it needs; the second value says whether its axes are solid.


def _draw_history(ax=None):
    return plotting.history(history(), ax=ax)


def _draw_regions(ax=None):
    return plotting.decision_regions(*circles(), resolution=50, ax=ax)


def _draw_probability(ax=None):
    return plotting.decision_regions(*circles(loss="binary_cross_entropy"), resolution=50, ax=ax)


def _draw_surface(ax=None):
    net, X, y, path = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    return plotting.cost_surface(net, X, y, *places, path=path, resolution=9, ax=ax)


def _draw_contour(ax=None):
    net, X, y, path = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    return plotting.cost_surface(
        net, X, y, *places, path=path, resolution=9, kind="contour", log=True, ax=ax
    )


def _draw_hidden_line(ax=None):
    return plotting.hidden_projection(*circles(units=2), ax=ax)


def _draw_hidden_plane(ax=None):
    return plotting.hidden_projection(*circles(units=3), ax=ax)


def _draw_gradients(ax=None):
    net, X, y = circles()
    return plotting.gradient_flow(
        {"all": net.backward(X, y), "one": net.backward(X[:1], y[:1])}, ax=ax
    )


def _draw_images(ax=None):
    return plotting.weights_as_images(digits()[0], ax=ax)


def _draw_confusion(ax=None):
    return plotting.confusion_matrix(*digits(), ax=ax)


def _draw_diagram(ax=None):
    return plotting.network_diagram(digits()[0], arrows="backward", ax=ax)


def _draw_schedule(ax=None):
    return plotting.schedule({"a": 0.1, "b": cg.CosineDecay(0.1, 20)}, 30, ax=ax)


PICTURES = {
    "history": (_draw_history, False),
    "regions": (_draw_regions, False),
    "probability": (_draw_probability, False),
    "surface": (_draw_surface, True),
    "contour": (_draw_contour, False),
    "hidden line": (_draw_hidden_line, False),
    "hidden plane": (_draw_hidden_plane, True),
    "gradients": (_draw_gradients, False),
    "images": (_draw_images, False),
    "confusion": (_draw_confusion, False),
    "diagram": (_draw_diagram, False),
    "schedule": (_draw_schedule, False),
}


@pytest.fixture(params=PICTURES.values(), ids=PICTURES)
def picture(request):
    return request.param


# All of them


def test_given_axes_are_drawn_into_and_pyplot_is_left_alone(picture):
    draw, is_solid = picture
    figure = Figure()
    ax = figure.add_subplot(projection="3d" if is_solid else None)
    assert draw(ax) is ax
    assert pyplot.get_fignums() == []
    assert ax.has_data()
    figure.canvas.draw()


def test_without_axes_there_is_one_new_figure(picture):
    draw, is_solid = picture
    pyplot.figure().add_subplot()
    ax = draw()
    assert len(pyplot.get_fignums()) == 2
    assert pyplot.gcf() is ax.figure
    assert (ax.name == "3d") == is_solid


def test_axes_of_the_other_kind_are_refused(picture):
    draw, is_solid = picture
    ax = Figure().add_subplot(projection=None if is_solid else "3d")
    came, expected = ("2-D", "3-D") if is_solid else ("3-D", "2-D")
    with pytest.raises(ValueError, match=f"ax is {came} axes, expected {expected} axes"):
        draw(ax)


@pytest.mark.parametrize("wrong", [3, "ax", np.array([None, None])])
def test_what_is_no_axes_is_refused(picture, wrong):
    with pytest.raises(TypeError, match=r"ax is .* expected matplotlib axes or None"):
        picture[0](wrong)


def _saved_twice(draw, ending, folder):
    files = [folder / f"{name}.{ending}" for name in "ab"]
    for file in files:
        plotting.save(draw(), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    return first


def test_the_same_picture_is_the_same_file(picture, tmp_path):
    assert b"dc:date" not in _saved_twice(picture[0], "svg", tmp_path)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file_in_every_format(ending, tmp_path):
    content = _saved_twice(_draw_schedule, ending, tmp_path)
    assert not any(word in content for word in (b"CreationDate", b"Software", b"Matplotlib"))


@pytest.mark.parametrize(
    "draw",
    [
        plotting.decision_regions,
        plotting.hidden_projection,
        plotting.confusion_matrix,
        lambda net, X, y: plotting.weights_as_images(net, shape=(1, 2)),
        lambda net, X, y: plotting.network_diagram(net),
        lambda net, X, y: plotting.cost_surface(
            net, X, y, (0, "weights", (0, 0)), (1, "biases", 0), resolution=5
        ),
    ],
)
def test_the_network_stays_as_it_is(draw):
    net, X, y = circles()
    before, loss = net.parameters, net.evaluate(X, y)
    spread = np.zeros((len(X), 4))
    spread[:, ::2] = X
    for given in (X, spread[:, ::2]):
        given.flags.writeable = False
        draw(net, given, y)
    np.testing.assert_array_equal(net.parameters, before)
    assert net.evaluate(X, y) == loss


def test_what_is_no_network_is_refused():
    places = (0, "weights", (0, 0)), (0, "biases", 0)
    for draw in (
        lambda: plotting.decision_regions("net", [[0, 0]], [0]),
        lambda: plotting.hidden_projection("net", [[0, 0]], [0]),
        lambda: plotting.weights_as_images("net"),
        lambda: plotting.network_diagram("net"),
        lambda: plotting.cost_surface("net", [[0, 0]], [0], *places),
        lambda: plotting.confusion_matrix("net", [[0, 0]], [0]),
    ):
        with pytest.raises(TypeError, match="net is 'net', expected a Network"):
            draw()


def test_matplotlib_is_imported_when_something_is_drawn():
    program = (
        "import sys, cygrad; cygrad.plotting.history; "
        "assert not any(name.startswith('matplotlib') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_the_error_says_how_to_get_it(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'cygrad\[plot\]'"):
        picture[0]()


def test_saving_without_matplotlib_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'cygrad\[plot\]'"):
        plotting.save(None, tmp_path / "a.png")


def test_a_broken_matplotlib_is_not_called_missing(monkeypatch, tmp_path):
    broken = tmp_path / "matplotlib"
    broken.mkdir()
    (broken / "__init__.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        plotting.save(None, tmp_path / "a.png")


# Files


def test_axes_figures_and_parts_of_figures_are_saved(tmp_path):
    figure = Figure()
    part = figure.subfigures(1, 2)[0]
    sizes = []
    for each in (figure, part, part.add_subplot()):
        plotting.save(each, tmp_path / "a.png", dpi=50)
        sizes.append(pyplot.imread(tmp_path / "a.png").shape[:2])
    assert sizes == [(240, 320)] * 3


def test_a_picture_that_fails_leaves_the_old_file(tmp_path, flat):
    path = tmp_path / "a.svg"
    path.write_text("old")
    with pytest.raises(TypeError):
        plotting.save(flat, path, dpi="much")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]


def test_metadata_can_be_added(tmp_path, flat):
    plotting.save(flat, tmp_path / "a.svg", metadata={"Title": "the title"})
    assert "the title" in (tmp_path / "a.svg").read_text()
    assert "dc:date" not in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", ["a", "a.txt", "a.png.gz"])
def test_an_ending_that_is_no_format_is_refused(name, tmp_path, flat):
    with pytest.raises(ValueError, match=r"path is .*, expected a name that ends in .*\.png"):
        plotting.save(flat, tmp_path / name)
    with pytest.raises(TypeError, match="picture is 3, expected matplotlib axes or a figure"):
        plotting.save(3, tmp_path / "a.png")


# Curves


def test_a_history_is_its_losses(flat):
    trained = history()
    plotting.history(trained, ax=flat)
    training, validation = flat.lines
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 13))
    np.testing.assert_array_equal(training.get_ydata(), trained.loss)
    np.testing.assert_array_equal(validation.get_ydata(), trained.val_loss)
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_markerfacecolor() != validation.get_markerfacecolor()
    said = [text.get_text() for text in flat.get_legend().get_texts()]
    assert said == ["training loss", "validation loss"]
    assert (flat.get_xlabel(), flat.get_ylabel()) == ("epoch", "loss")


def test_columns_of_a_history_are_chosen(flat):
    trained = history()
    plotting.history(trained, ["val_accuracy", "learning_rate"], ax=flat, linewidth=3)
    np.testing.assert_array_equal(flat.lines[0].get_ydata(), trained.val_metric)
    np.testing.assert_array_equal(flat.lines[1].get_ydata(), trained.learning_rate)
    assert flat.lines[0].get_linewidth() == 3
    assert flat.get_ylabel() == "accuracy and learning rate"


def test_histories_are_compared(flat):
    both = {"slow": history(0.1), "fast": dict(history())}
    plotting.history(both, "loss", ax=flat, log=True)
    assert flat.get_yscale() == "log"
    for line, (label, each) in zip(flat.lines, both.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_ydata(), each["loss"])
    looks = {(line.get_color(), line.get_marker()) for line in flat.lines}
    assert len(looks) == 2


def _numbers(axis):
    """What the numbers on an axis say, of those that are in view."""
    axis.figure.canvas.draw()
    low, high = axis.get_view_interval()
    return [
        label.get_text()
        for place, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        if low <= place <= high
    ]


@pytest.mark.parametrize(
    ("losses", "numbers"),
    [
        ([0.9, 0.5, 0.4], ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]),
        ([2, 0.1], ["0.1", "0.2", "0.5", "1", "2"]),
        ([50, 0.004], ["0.01", "0.1", "1", "10"]),
    ],
)
def test_numbers_of_a_logarithmic_history_are_plain(losses, numbers, flat):
    plotting.history({"loss": losses}, log=True, ax=flat)
    assert _numbers(flat.yaxis) == numbers


def test_very_small_losses_are_powers_of_ten(flat):
    plotting.history({"loss": [1e-2, 1e-9]}, log=True, ax=flat)
    assert r"$\mathdefault{10^{-6}}$" in _numbers(flat.yaxis)


def test_ticks_that_were_set_stay():
    left, right = Figure().subplots(1, 2, sharex=True)
    left.set_xticks([2, 4])
    plotting.history({"loss": [3, 2, 1, 1]}, ax=right)
    assert list(right.get_xticks()) == [2, 4]


def test_one_epoch_is_a_mark(flat):
    plotting.history({"loss": [2.0]}, ax=flat)
    assert flat.lines[0].get_marker() == "o"
    assert flat.lines[0].get_markevery() == (0, 1)


@pytest.mark.parametrize(
    ("given", "columns", "error", "message"),
    [
        ([1, 2], None, TypeError, "history is .*, expected a History or a mapping"),
        ({}, None, TypeError, "history is .*, expected a History or a mapping"),
        ({"a": {"loss": [1]}, "b": 3}, None, TypeError, r"history\['b'\] is 3, expected a History"),
        ({"loss": [1]}, "lost", ValueError, "columns has 'lost', and history has loss"),
        ({"loss": [1]}, [], ValueError, "columns is empty"),
        ({"cost": [1]}, None, ValueError, "expected 'loss' among them"),
        ({"a": {"loss": []}}, None, ValueError, r"history\['a'\] has no epochs"),
    ],
)
def test_a_wrong_history_is_refused(given, columns, error, message):
    with pytest.raises(error, match=message):
        plotting.history(given, columns)


def test_a_schedule_is_its_learning_rates(flat):
    several = {
        "number": 0.1,
        "schedule": cg.LinearDecay(0.1, 10),
        "function": lambda step: 0.1 / (1 + step),
        "optimiser": cg.Adam(cg.StepDecay(0.1, 0.5, 4)),
    }
    plotting.schedule(several, 20, ax=flat)
    for line, (label, each) in zip(flat.lines, several.items(), strict=True):
        optimiser = each if isinstance(each, cg.Adam) else cg.SGD(each)
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xdata(), np.arange(20))
        np.testing.assert_array_equal(line.get_ydata(), optimiser.learning_rates(0, 20))


@pytest.mark.parametrize(
    ("given", "steps", "error", "message"),
    [
        ("fast", 5, TypeError, "schedule is 'fast', expected a number of at least 0"),
        ({"a": -1}, 5, ValueError, r"schedule\['a'\] is -1"),
        (cg.CosineDecay, 5, TypeError, "schedule is the class CosineDecay, expected an instance"),
        ({}, 5, ValueError, "schedule is empty"),
        (0.1, 0, ValueError, "steps is 0, expected an integer of at least 1"),
        (lambda step: -1.0, 5, ValueError, "learning_rate at step 0"),
    ],
)
def test_a_wrong_schedule_is_refused(given, steps, error, message):
    with pytest.raises(error, match=message):
        plotting.schedule(given, steps)


def test_gradients_are_their_norms(flat):
    net, X, y = circles()
    gradients = net.backward(X, y)
    plotting.gradient_flow({"first": gradients}, ax=flat)
    expected = [np.sqrt((each.astype(float) ** 2).sum()) for each in gradients.weights]
    np.testing.assert_allclose(flat.lines[0].get_ydata(), expected, rtol=1e-12)
    np.testing.assert_array_equal(flat.lines[0].get_xdata(), [0, 1])
    assert flat.get_yscale() == "log"


def test_a_gradient_of_zero_is_said(flat):
    net = cg.Network(2, [cg.Dense(3, "relu", bias_init=-50.0), cg.Dense(1)], loss="mse", rng=0)
    plotting.gradient_flow(net.backward([[1, 2]], [3]), ax=flat)
    assert [text.get_text() for text in texts(flat)] == ["0", "0"]
    assert [text.get_position()[0] for text in texts(flat)] == [0, 1]


def test_gradients_of_zero_stand_above_one_another(flat):
    net = cg.Network(2, [cg.Dense(3, "relu", bias_init=-50.0), cg.Dense(1)], loss="mse", rng=0)
    zero = net.backward([[1, 2]], [3])
    plotting.gradient_flow(
        {"a": zero, "b": circles()[0].backward([[1, 2]], [1]), "c": zero}, ax=flat
    )
    assert len(texts(flat)) == 4
    assert overlapping(texts(flat)) == []
    lowest = flat.transAxes.inverted().transform(
        flat.transData.transform((0, min(flat.lines[2].get_ydata())))
    )
    highest = max(text.get_window_extent().y1 for text in texts(flat))
    assert flat.transAxes.inverted().transform((0, highest))[1] < lowest[1]


def test_what_is_no_gradient_is_refused():
    with pytest.raises(TypeError, match=r"gradients is 3, expected Gradients"):
        plotting.gradient_flow(3)
    with pytest.raises(TypeError, match=r"gradients\['a'\] is 3, expected Gradients"):
        plotting.gradient_flow({"a": 3})
    with pytest.raises(ValueError, match="gradients is empty"):
        plotting.gradient_flow({})


# Decision regions


def _inside(path, point):
    """Whether a point is in an area that can have holes."""
    return sum(Path(ring).contains_point(point) for ring in path.to_polygons()) % 2 == 1


def _class_at(ax, point, names):
    """Which class's region a point is in, by the colour that is drawn there last."""
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
def test_the_regions_are_what_the_network_says(loss, flat):
    net, X, y = circles(loss=loss)
    plotting.decision_regions(net, X, y, kind="regions", ax=flat)
    points = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    said = [_class_at(flat, point, 2) for point in points]
    outputs = net.forward(points)
    # Close to the boundary the grid decides.
    ahead = np.abs(outputs[:, -1] - (0.5 if net.outputs == 1 else outputs[:, 0]))
    clear = ahead > 0.1
    assert clear.sum() > 40
    assert len(set(said)) == 2
    np.testing.assert_array_equal(np.array(said)[clear], net.predict(points)[clear])


def test_equal_outputs_are_the_region_of_the_first_class(flat):
    net = cg.Network(2, [cg.Dense(3, "softmax", weights_init="zeros")], loss="cross_entropy")
    plotting.decision_regions(net, [[0, 0], [1, 1]], [0, 1], ax=flat)
    assert _class_at(flat, (0.5, 0.5), 3) == 0 == net.predict([[0.5, 0.5]])[0]


def test_the_probability_is_what_the_network_says(flat):
    net, X, y = circles(loss="binary_cross_entropy")
    net.classes = ["outer", "inner"]
    plotting.decision_regions(net, X, y, ax=flat, resolution=50)
    (bar,) = (each for each in flat.figure.axes if each is not flat)
    assert bar.get_xlabel() == "probability of class inner"
    filled = flat.collections[0]
    assert filled.get_clim() == (0, 1)
    points = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    levels, paths = np.linspace(0, 1, 21), filled.get_paths()
    for point, probability in zip(points, net.forward(points)[:, 0], strict=True):
        near = np.flatnonzero(np.abs(levels[:-1] + 0.025 - probability) < 0.1)
        assert any(_inside(paths[number], point) for number in near)


def test_samples_have_the_marker_of_their_class(flat):
    net, X, y = circles()
    net.classes = ["outer", "inner"]
    plotting.decision_regions(net, X, np.eye(2)[y], ax=flat, s=50)
    scatters = [each for each in flat.collections if each.get_label() in net.classes]
    for number, scatter in enumerate(scatters):
        np.testing.assert_array_equal(scatter.get_offsets(), X[y == number])
        assert scatter.get_sizes() == [50]
    first, second = (each.get_paths()[0].vertices for each in scatters)
    assert first.shape != second.shape
    assert [text.get_text() for text in flat.get_legend().get_texts()] == ["outer", "inner"]


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


# Cost surface


def _expected_losses(net, X, y, index_1, index_2, xs, ys):
    """The losses by changing the flat parameters of another network."""
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
    """What `contourf` and `plot_surface` are given."""
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
    ("places", "indices"),
    [
        (((0, "weights", (1, 0)), (0, "weights", (2, 1))), (2, 5)),
        (((0, "biases", 2), (1, "weights", (0, 1))), (8, 10)),
        (((-1, "weights", (-1, -1)), (-1, "biases", (0,))), (14, 15)),
    ],
)
@pytest.mark.parametrize("kind", ["surface", "contour"])
def test_the_surface_is_the_loss(places, indices, kind, computed):
    net, X, y = circles(dtype="float64")
    plotting.cost_surface(
        net, X, y, *places, kind=kind, resolution=7, range_1=(-1, 2), range_2=(-3, 3)
    )
    ((_, _, losses),) = computed
    xs, ys = np.linspace(-1, 2, 7), np.linspace(-3, 3, 7)
    expected = _expected_losses(net, X, y, *indices, xs, ys)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize("flat_path", [False, True])
def test_the_path_lies_on_the_surface(flat_path, solid):
    net, X, y, path = rbf()
    given = path if flat_path else np.array(path)[:, :2]
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(net, X, y, *places, path=given, resolution=5, ax=solid)
    line, start, end = solid.lines
    first, second, heights = line.get_data_3d()
    np.testing.assert_array_equal(first, [step[0] for step in path])
    np.testing.assert_array_equal(second, [step[1] for step in path])
    assert heights[0] == pytest.approx(seed_systems.RBF_FIRST_LOSS, abs=1e-9)
    assert heights[-1] == pytest.approx(seed_systems.RBF_LAST_LOSS, abs=1e-9)
    assert [each.get_label() for each in (line, start, end)] == ["path", "start", "end"]
    np.testing.assert_array_equal(np.ravel(end.get_data_3d()), [first[-1], second[-1], heights[-1]])


def test_the_surface_reaches_around_the_path(flat):
    net, X, y, path = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(net, X, y, *places, path=path, resolution=5, kind="contour", ax=flat)
    way = np.array(path)[:, :2]
    extent = way.max(axis=0) - way.min(axis=0)
    for limits, low, high, size in zip(
        (flat.get_xlim(), flat.get_ylim()), way.min(axis=0), way.max(axis=0), extent, strict=True
    ):
        np.testing.assert_allclose(limits, (low - size / 4, high + size / 4))
    assert flat.get_xlabel() == "layers[0].weights[0, 0]"


def test_the_colour_bar_has_round_numbers(flat):
    net, X, y, _ = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(net, X, y, *places, kind="contour", resolution=20, ax=flat)
    (bar,) = (each for each in flat.figure.axes if each is not flat)
    assert _numbers(bar.yaxis) == ["50", "100", "150"]


@pytest.mark.parametrize(
    ("path", "corner"),
    [([(-1, -1), (0, -0.5), (1, -1)], "upper right"), ([(-1, 1), (0, 0.5), (1, 1)], "lower right")],
)
def test_the_legend_of_a_map_is_away_from_the_path(path, corner, flat):
    net, X, y, _ = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    plotting.cost_surface(
        net, X, y, *places, path=path, range_2=(-2, 2), kind="contour", resolution=5, ax=flat
    )
    flat.figure.canvas.draw()
    box = flat.get_legend().get_window_extent().transformed(flat.transAxes.inverted())
    assert box.x0 > 0.5
    assert (box.y0 > 0.5) == (corner == "upper right")


def test_a_logarithmic_surface(computed):
    net, X, y, _ = rbf()
    places = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    for log in (False, True):
        ax = plotting.cost_surface(net, X, y, *places, resolution=6, log=log)
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


# Hidden projection


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
        def __init__(self, polygons, **look):
            planes.extend(polygons)
            super().__init__(polygons, **look)

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
def test_a_single_unit_has_a_line_for_each_class(loss, flat):
    net, X, y = circles(units=1, loss=loss)
    plotting.hidden_projection(net, X, y, ax=flat)
    activations = net.backward(X, y).activations[0][:, 0]
    for number in (0, 1):
        (scatter,) = (each for each in flat.collections if each.get_label() == str(number))
        places, heights = scatter.get_offsets().T
        np.testing.assert_allclose(places, activations[y == number])
        assert (heights == number).all()
    (boundary, _), (other, _) = flat.lines[0].get_xydata()
    assert boundary == other
    z = boundary * net.layers[1].weights[:, 0] + net.layers[1].biases
    assert (z[0] if net.outputs == 1 else z[1] - z[0]) == pytest.approx(0, abs=1e-4)


def test_small_solid_axes_have_few_ticks():
    several = Figure((9, 3)).subplots(1, 3, subplot_kw={"projection": "3d"})
    alone = Figure().add_subplot(projection="3d")
    for ax in (several[0], alone):
        plotting.hidden_projection(*circles(), ax=ax)
    small, large = (len(_numbers(ax.xaxis)) for ax in (several[0], alone))
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


def test_few_samples_have_few_components(solid):
    net, X, y = digits()
    plotting.hidden_projection(net, X[:2], y[:2], ax=solid)
    assert "(100 %)" in solid.get_xlabel()
    assert "(0 %)" in solid.get_zlabel()


def test_numbers_have_a_colour_scale(flat):
    net = cg.Network(2, [cg.Dense(2, "tanh"), cg.Dense(1)], loss="mse", rng=0)
    X = np.random.default_rng(0).normal(size=(30, 2))
    plotting.hidden_projection(net, X, X[:, 0], ax=flat)
    np.testing.assert_array_equal(flat.collections[0].get_array(), X[:, 0])
    assert not flat.lines


def test_wrong_projections_are_refused():
    net, X, y = circles()
    with pytest.raises(ValueError, match="layer is -1, the output layer; expected 0 to 0"):
        plotting.hidden_projection(net, X, y, layer=-1)
    with pytest.raises(ValueError, match="layer is 2, expected an integer from -2 to 1"):
        plotting.hidden_projection(net, X, y, layer=2)
    none = cg.Network(2, [cg.Dense(2, "softmax")], loss="cross_entropy")
    with pytest.raises(ValueError, match="net has no hidden layer"):
        plotting.hidden_projection(none, X, y)


# Weights as images


def test_the_images_are_the_weights(flat):
    net, _, _ = digits()
    plotting.weights_as_images(net, units=[5, -1], ax=flat)
    mosaic = flat.images[0].get_array()
    weights = net.layers[0].weights
    np.testing.assert_array_equal(mosaic[:8, :8], weights[5].reshape(8, 8))
    np.testing.assert_array_equal(mosaic[:8, 9:], weights[11].reshape(8, 8))
    assert mosaic.mask[:8, 8].all()
    low, high = flat.images[0].get_clim()
    assert -low == high == np.abs(weights[[5, 11]]).max()
    assert [label.get_text() for label in flat.get_yticklabels()] == ["5"]


def test_all_images_are_there(flat):
    net, _, _ = digits()
    plotting.weights_as_images(net, layer=-1, shape=(3, 4), ax=flat)
    mosaic = flat.images[0].get_array()
    assert mosaic.compressed().sum() == pytest.approx(net.layers[1].weights.sum(), abs=1e-4)
    assert mosaic.count() == 120
    plotting.weights_as_images(net, units=4, ax=flat)
    assert flat.images[1].get_array().count() == 4 * 64


@pytest.mark.parametrize(("count", "across"), [(1, 1), (12, 4), (13, 4), (64, 8), (100, 10)])
def test_rows_of_images_are_full_where_they_can_be(count, across, flat):
    net = cg.Network(64, [cg.Dense(count)], loss="mse", rng=0)
    plotting.weights_as_images(net, ax=flat)
    rows = [int(label.get_text()) for label in flat.get_yticklabels()]
    assert rows == list(range(0, count, across))


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


# Confusion matrix


def _cells(ax, classes):
    return np.array([text.get_text() for text in texts(ax)]).reshape(classes, classes)


def test_the_cells_are_counts(flat):
    net, X, y = digits()
    plotting.confusion_matrix(net, X, y, ax=flat)
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (y, net.predict(X)), 1)
    np.testing.assert_array_equal(_cells(flat, 10).astype(int), counts)
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(flat.images[0].get_array(), shares)
    assert (flat.get_xlabel(), flat.get_ylabel()) == ("predicted class", "true class")


def test_predictions_do_without_a_network(flat):
    plotting.confusion_matrix([0, 0, 2, 2], [0, 1, 2, 2], classes=["a", "b", "c"], ax=flat)
    assert _cells(flat, 3).tolist() == [["1", "1", "0"], ["0", "0", "0"], ["0", "0", "2"]]
    assert [label.get_text() for label in flat.get_xticklabels()] == ["a", "b", "c"]


def test_classes_can_be_names(flat):
    plotting.confusion_matrix(["no", "yes", "no"], ["yes", "yes", "no"], normalize=True, ax=flat)
    assert _cells(flat, 2).tolist() == [["0.50", "0.50"], ["0", "1.00"]]
    assert [label.get_text() for label in flat.get_yticklabels()] == ["no", "yes"]


def test_yes_and_no_are_two_classes(flat):
    net, X, y = circles(loss="binary_cross_entropy")
    net.classes = ["outer", "inner"]
    plotting.confusion_matrix(net, X, y[:, np.newaxis], ax=flat)
    assert _cells(flat, 2).astype(int).sum() == 100
    assert [label.get_text() for label in flat.get_yticklabels()] == ["outer", "inner"]


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


# Diagram


def _circles(ax):
    return [each for each in ax.patches if each.radius > 0.1]


def test_the_diagram_has_every_unit_and_weight(flat):
    net, _, _ = circles()
    plotting.network_diagram(net, ax=flat)
    assert len(_circles(flat)) == 2 + 3 + 2
    (lines,) = flat.collections
    values = np.concatenate([layer.weights.ravel() for layer in net.layers])
    values = values[np.argsort(np.abs(values))]
    widths = np.array(lines.get_linewidths())
    assert len(widths) == len(values) == 12
    np.testing.assert_allclose(widths, widths[-1] * np.abs(values / values[-1]), atol=0.3)
    blue = np.array([to_hex(color) for color in lines.get_colors()]) == to_hex("#0072B2")
    np.testing.assert_array_equal(blue, values > 0)
    solid_lines = np.array([dashes is None for _, dashes in lines.get_linestyles()])
    np.testing.assert_array_equal(solid_lines, values > 0)
    said = [text.get_text() for text in texts(flat)]
    assert {"inputs\n2", "tanh\n3", "softmax\n2"} <= set(said)


def test_long_layers_are_abbreviated(flat):
    net, _, _ = digits()
    net.classes = [f"digit {number}" for number in range(10)]
    plotting.network_diagram(net, most=6, ax=flat)
    assert len(_circles(flat)) == 3 * 5
    assert len(flat.patches) == 3 * (5 + 3)
    said = [text.get_text() for text in texts(flat)]
    assert "inputs\n64" in said
    assert [text for text in said if text.startswith("digit")] == [
        f"digit {number}" for number in (0, 1, 2, 8, 9)
    ]


def test_units_are_labelled_with_numbers_and_texts(flat):
    net, _, _ = digits()
    labels = [None, np.linspace(0, 1, 12), [f"o{number}" for number in range(10)]]
    plotting.network_diagram(net, most=6, unit_labels=labels, captions=["x", None, "y"], ax=flat)
    said = [text.get_text() for text in texts(flat)]
    for text in ("0", "0.091", "1", "o0", "o9", "x", "relu\n12", "y"):
        assert text in said
    assert "o5" not in said


@pytest.mark.parametrize("value", [-7.5e-6, 1e8, -0.25])
def test_numbers_on_units_are_short(value, flat):
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    plotting.network_diagram(net, unit_labels=[[value], None], ax=flat)
    (label,) = (text.get_text() for text in texts(flat) if text.get_position() == (0, 0))
    assert float(label.replace("−", "-")) == value
    assert len(label) <= 7


@pytest.mark.parametrize("arrows", ["forward", "backward"])
def test_arrows_point_where_they_are_told_to(arrows, flat):
    plotting.network_diagram(circles()[0], arrows=arrows, ax=flat)
    heads, lines = flat.collections
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
def test_weights_are_written_on_their_lines(sizes, flat):
    layers = [cg.Dense(units, "tanh") for units in sizes[1:]]
    net = cg.Network(sizes[0], layers, loss="mse", rng=0)
    captions = [""] * len(sizes)
    plotting.network_diagram(net, weight_labels=True, captions=captions, arrows="forward", ax=flat)
    written = texts(flat)
    assert overlapping(written) == []
    lines = flat.collections[1].get_segments()
    weights = np.concatenate([layer.weights.ravel() for layer in net.layers])
    assert len(written) == len(lines) == len(weights)
    said = sorted(float(text.get_text().replace("−", "-")) for text in written)
    np.testing.assert_allclose(said, sorted(weights), rtol=0.05)
    circles = [circle.get_window_extent() for circle in _circles(flat)]
    for text in written:
        (start, end), place = min(
            ((line, np.array(text.get_position())) for line in lines),
            key=lambda pair: abs(np.linalg.det([pair[0][1] - pair[0][0], pair[1] - pair[0][0]])),
        )
        assert np.linalg.det([end - start, place - start]) == pytest.approx(0, abs=1e-9)
        assert not any(circle.overlaps(text.get_window_extent()) for circle in circles)


def test_weights_of_zero_are_no_lines(flat):
    net = cg.Network(2, [cg.Dense(2, weights_init="zeros")], loss="mse")
    plotting.network_diagram(net, ax=flat)
    assert len(flat.collections[0].get_segments()) == 0
    flat.figure.canvas.draw()


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


@pytest.mark.parametrize("names", [(r"$\frac{$", "_b$x$"), ("_", "$$"), (r"a\$b", "$1 < x$")])
def test_names_are_no_formulas(names: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    layers = [cg.Dense(3, "tanh"), cg.Dense(2, "softmax")]
    net = cg.Network(2, layers, loss="cross_entropy", rng=0)
    net.classes = names
    for draw in (plotting.decision_regions, plotting.hidden_projection, plotting.confusion_matrix):
        ax = draw(net, X, y)
        ax.figure.canvas.draw()
        if ax.get_legend() is not None:
            shown = [text.get_text() for text in ax.get_legend().get_texts()]
        else:
            shown = [label.get_text() for label in ax.get_xticklabels()]
        assert [text.lstrip().replace(r"\$", "$") for text in shown] == [*names]
    ax = plotting.network_diagram(net)
    ax.figure.canvas.draw()
    assert names[0] in {text.get_text().lstrip().replace(r"\$", "$") for text in ax.texts}


def test_long_names_leave_room_for_the_picture(recwarn: pytest.WarningsRecorder) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    net = cg.Network(2, [cg.Dense(3, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.classes = tuple(
        f"a name that\n does not {'want to ' * 20} end {number}" for number in (1, 2)
    )
    assert [plotting.style.literal(name) for name in net.classes] == [
        "a name that…ant to end 1", "a name that…ant to end 2",
    ]  # fmt: skip
    assert plotting.style.literal("x" * 24) == "x" * 24
    for draw in (plotting.decision_regions, plotting.hidden_projection, plotting.confusion_matrix):
        figure = draw(net, X, y).figure
        figure.canvas.draw()
        assert figure.axes[0].get_position().width > 0.3
    assert not [each for each in recwarn if "constrained_layout" in str(each.message)]


@pytest.mark.parametrize("grid", [False, True])
def test_no_grid_of_a_style_runs_across_images(grid: bool) -> None:
    net, X, y = circles()
    with pyplot.rc_context({"axes.grid": grid}):
        pictures = [
            plotting.confusion_matrix(net, X, y),
            plotting.decision_regions(net, X, y),
            plotting.weights_as_images(net, shape=(1, 2)),
            plotting.cost_surface(
                net, X, y, (0, "biases", 0), (0, "biases", 1), resolution=5, kind="contour"
            ),
        ]
        for ax in pictures:
            ax.figure.canvas.draw()
            assert not any(line.get_visible() for line in ax.get_xgridlines() + ax.get_ygridlines())


def test_a_single_epoch_is_not_divided() -> None:
    ax = plotting.history({"loss": [0.5]})
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1"]
    ax = plotting.history({"one": {"loss": [0.5]}, "three": {"loss": [0.5, 0.4, 0.3]}})
    assert len(ax.get_xticks()) > 1
