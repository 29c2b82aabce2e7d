"""Properties of all pictures: axes, names, styles and files.

The contents of each picture are tested in the other files test_plotting_*.py.
"""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from plotted import circles, digits, history, rbf

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

from matplotlib import pyplot  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_figures")


# Each function with its arguments, and whether its axes are 3-D.


def _draw_history(ax=None):
    return plotting.history(history(), ax=ax)


def _draw_regions(ax=None):
    return plotting.decision_regions(*circles(), resolution=50, ax=ax)


def _draw_probability(ax=None):
    return plotting.decision_regions(*circles(loss="binary_cross_entropy"), resolution=50, ax=ax)


def _draw_surface(ax=None):
    net, X, y, path = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    return plotting.cost_surface(net, X, y, *parameters, path=path, resolution=9, ax=ax)


def _draw_contour(ax=None):
    net, X, y, path = rbf()
    parameters = (0, "weights", (0, 0)), (1, "weights", (0, 0))
    return plotting.cost_surface(
        net, X, y, *parameters, path=path, resolution=9, kind="contour", log=True, ax=ax
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
    draw, is_three_d = picture
    figure = Figure()
    ax = figure.add_subplot(projection="3d" if is_three_d else None)
    assert draw(ax) is ax
    assert pyplot.get_fignums() == []
    assert ax.has_data()
    figure.canvas.draw()


def test_without_axes_there_is_one_new_figure(picture):
    draw, is_three_d = picture
    pyplot.figure().add_subplot()
    ax = draw()
    assert draw().figure is not ax.figure
    assert len(pyplot.get_fignums()) == 1  # pyplot does not keep them
    assert (ax.name == "3d") == is_three_d


def test_axes_of_the_other_kind_are_refused(picture):
    draw, is_three_d = picture
    ax = Figure().add_subplot(projection=None if is_three_d else "3d")
    came, expected = ("2-D", "3-D") if is_three_d else ("3-D", "2-D")
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
    parameters = (0, "weights", (0, 0)), (0, "biases", 0)
    for draw in (
        lambda: plotting.decision_regions("net", [[0, 0]], [0]),
        lambda: plotting.hidden_projection("net", [[0, 0]], [0]),
        lambda: plotting.weights_as_images("net"),
        lambda: plotting.network_diagram("net"),
        lambda: plotting.cost_surface("net", [[0, 0]], [0], *parameters),
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


# Names and styles


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
    assert [plotting.style.escape_label(name) for name in net.classes] == [
        "a name that…ant to end 1", "a name that…ant to end 2",
    ]  # fmt: skip
    assert plotting.style.escape_label("x" * 24) == "x" * 24
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


# Files


def test_axes_figures_and_parts_of_figures_are_saved(tmp_path):
    figure = Figure()
    part = figure.subfigures(1, 2)[0]
    sizes = []
    for each in (figure, part, part.add_subplot()):
        plotting.save(each, tmp_path / "a.png", dpi=50)
        sizes.append(pyplot.imread(tmp_path / "a.png").shape[:2])
    assert sizes == [(240, 320)] * 3


def test_a_picture_that_fails_leaves_the_old_file(tmp_path, axes_2d):
    path = tmp_path / "a.svg"
    path.write_text("old")
    with pytest.raises(TypeError):
        plotting.save(axes_2d, path, dpi="much")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]


def test_metadata_can_be_added(tmp_path, axes_2d):
    plotting.save(axes_2d, tmp_path / "a.svg", metadata={"Title": "the title"})
    assert "the title" in (tmp_path / "a.svg").read_text()
    assert "dc:date" not in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", ["a", "a.txt", "a.png.gz"])
def test_an_ending_that_is_no_format_is_refused(name, tmp_path, axes_2d):
    with pytest.raises(ValueError, match=r"path is .*, expected a name that ends in .*\.png"):
        plotting.save(axes_2d, tmp_path / name)
    with pytest.raises(TypeError, match="picture is 3, expected matplotlib axes or a figure"):
        plotting.save(3, tmp_path / "a.png")
