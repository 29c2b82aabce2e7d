"""Drawings of graphs: texts, files, no overlaps, few crossings."""

import builtins
import itertools
import math
import os
import re
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad.graph as g
from cygrad.graph.drawing import MAX_GATES, colours, measures
from cygrad.graph.drawing.circuit import Circuit
from cygrad.graph.drawing.png import PIXELS_PER_INCH, _resolution
from cygrad.graph.drawing.scene import Scene
from cygrad.graph.drawing.texts import exponent_text, number_text, text_width, value_text


def variables(**values):
    return [g.Variable(value, name) for name, value in values.items()]


def product():
    x, y = variables(x=4, y=-3)
    return (x * y).named("f")


def sum_times():
    x, y, z = variables(x=-2, y=5, z=-4)
    return ((x + y).named("q") * z).named("f")


def neuron():
    w0, x0, w1, x1, w2 = variables(w0=2, x0=-1, w1=-3, x1=-2, w2=-3)
    return w0 * x0 + w1 * x1 + w2


def sigmoid_neuron():
    return g.sigmoid(neuron()).named("f")


def elementary_neuron():
    return (1 / (g.exp(-neuron()) + 1)).named("f")


def fraction():
    x, y = variables(x=3, y=-4)
    return ((x + g.sigmoid(y)) / (g.sigmoid(x) + (x + y) ** 2)).named("f")


def staged_fraction():
    x, y = variables(x=3, y=-4)
    numerator = (x + g.sigmoid(y).named("σ(y)")).named("numerator")
    square = ((x + y).named("x + y") ** 2).named("(x + y)²")
    denominator = (g.sigmoid(x).named("σ(x)") + square).named("denominator")
    return (numerator * g.reciprocal(denominator).named("inverse")).named("f")


def patterns():
    x, y, z, w = variables(x=3, y=-4, z=2, w=-1)
    return (2 * (x * y + g.max(z, w))).named("f")


def apples():
    apple, count, tax = variables(apple=100, count=2, tax=1.1)
    return (apple * count * tax).named("price")


def apples_and_oranges():
    apple, apples, orange, oranges, tax = variables(
        apple=100, apples=2, orange=150, oranges=3, tax=1.1
    )
    return ((apple * apples + orange * oranges) * tax).named("price")


def matrices():
    random = np.random.default_rng(0)
    W, X = variables(W=random.normal(size=(5, 10)), X=random.normal(size=(10, 3)))
    return ((W @ X).named("D") ** 2).sum().named("C")


def dense_layer(inputs, units, activation, name):
    random = np.random.default_rng(units)
    outputs = []
    for unit in range(units):
        z = g.Variable(random.normal(), f"{name}{unit}")
        for index, a in enumerate(inputs):
            z = z + g.Variable(random.normal(), f"{name}{unit}{index}") * a
        outputs.append(activation(z))
    return outputs


def network():
    hidden = dense_layer(variables(x0=1.0, x1=-0.5, x2=0.3), 4, g.tanh, "w")
    first, second = dense_layer(hidden, 2, g.sigmoid, "v")
    return ((first - 1) ** 2 + second**2) / 2


def horner():
    (x,) = variables(x=0.5)
    f = x
    for coefficient in range(1, 12):
        f = f * x + coefficient
    return f


EXPRESSIONS = [
    product, sum_times, sigmoid_neuron, elementary_neuron, fraction, staged_fraction, patterns,
    apples, apples_and_oranges, matrices, network, horner,
]  # fmt: skip


def scene_of(f, digits=2):
    return Scene(Circuit(f, digits))


def texts(f, kind, digits=2):
    """Return the texts of a kind from left to right."""
    found = [text for text in scene_of(f, digits).texts if text.kind == kind]
    return [text.text for text in sorted(found, key=lambda text: text.box[0])]


# Overlaps.


def points_on(path):
    """Yield closely spaced points along a wire."""
    t = np.linspace(0, 1, 41)
    for (x, y), (next_x, next_y) in itertools.pairwise(path.points):
        # A Bézier curve with both control points halfway between its ends.
        across = 1.5 * t * (1 - t) ** 2 + 1.5 * t**2 * (1 - t) + t**3
        yield np.stack([x + (next_x - x) * across, y + (next_y - y) * (3 * t**2 - 2 * t**3)])


def dot_box(dot):
    return dot.x - measures.DOT, dot.x + measures.DOT, dot.y - measures.DOT, dot.y + measures.DOT


def assert_legible(f):
    scene = scene_of(f)
    labels = [text.box for text in scene.texts if text.kind != "symbol"]
    shapes = [shape.box for shape in scene.shapes]
    boxes = np.array([*labels, *shapes, *map(dot_box, scene.dots)])
    assert (boxes[:, [0, 2]] > 0).all()
    assert (boxes[:, 1] < scene.width).all()
    assert (boxes[:, 3] < scene.height).all()

    left, right, top, bottom = boxes.T
    overlap = (left[:, None] < right) & (left < right[:, None])
    overlap &= (top[:, None] < bottom) & (top < bottom[:, None])
    assert overlap.sum() == len(boxes)  # each overlaps only itself

    symbols = [text.box for text in scene.texts if text.kind == "symbol"]
    for (left, right, top, bottom), shape in zip(symbols, shapes, strict=True):
        assert shape[0] < left < right < shape[1]
        assert shape[2] < top < bottom < shape[3]

    points = np.concatenate([part for path in scene.paths for part in points_on(path)], axis=1)
    for left, right, top, bottom in labels:
        x, y = points
        assert not ((left < x) & (x < right) & (top < y) & (y < bottom)).any()
    for shape in scene.shapes:
        # The distance from the line between the centres of the round ends.
        beyond = np.maximum(np.abs(points[0] - shape.x) - (shape.width / 2 - measures.RADIUS), 0)
        distance = np.hypot(beyond, points[1] - shape.y)
        assert distance.min() > measures.RADIUS - 1e-6


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_nothing_overlaps(expression):
    f = expression()
    assert_legible(f)
    f.backward()
    assert_legible(f)


@st.composite
def graphs(draw):
    """Draw a graph of up to 40 gates with values that are used often."""
    count = draw(st.integers(1, 4))
    nodes = [g.Variable(draw(st.floats(-2, 2)), f"input {index}") for index in range(count)]
    some = st.integers(0, 10**6).map(lambda index: nodes[index % len(nodes)])
    gates = [
        lambda: draw(some) + draw(some),
        lambda: g.tanh(draw(some) * draw(some)),
        lambda: g.sin(draw(some) - draw(some)),
        lambda: g.max(draw(some), draw(some)),
        lambda: g.sigmoid(draw(some)) / (draw(some) ** 2 + 1),
        lambda: g.max(0, draw(some)) + g.Constant(draw(st.floats(-1e6, 1e6))),
    ]
    for index in range(draw(st.integers(0, 16))):
        nodes.append(draw(st.sampled_from(gates))())
        if draw(st.booleans()):
            nodes[-1].named(f"node {index}")
    return nodes[-1]


@settings(max_examples=60)
@given(graphs())
def test_nothing_overlaps_in_random_graphs(f):
    assert_legible(f)
    f.backward()
    assert_legible(f)


@settings(max_examples=60)
@given(graphs())
def test_branches_add_up_to_the_gradient(f):
    f.backward()
    circuit = Circuit(f, 15)
    for part in circuit.parts:
        if part.gradient and part.leaving and part is not circuit.parts[-1]:
            parts = [number(wire.gradient) for wire in part.leaving]
            # The error of rounding to the shown digits, and of denormal numbers.
            allowed = 1e-11 * sum(map(abs, parts)) + 1e-322
            assert math.fsum(parts) == pytest.approx(number(part.gradient), abs=allowed)


def number(text):
    """Return the number of a text."""
    text = text.replace("−", "-")
    mantissa, _, exponent = text.partition("·10")
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    return float(mantissa) * 10.0 ** int(exponent.translate(digits) or 0)


def test_widths_are_not_below_those_of_a_wide_font():
    fonts = pytest.importorskip("matplotlib.font_manager")
    from matplotlib.ft2font import FT2Font

    signs = (
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:()[]_+-−×÷=·/|√σΣ∂²ⁿ⁻"
    )
    for bold in (False, True):
        font = FT2Font(
            fonts.findfont(
                fonts.FontProperties(
                    family="DejaVu Sans",
                    weight="bold" if bold else "normal",
                    style="italic" if bold else "normal",
                )
            )
        )
        font.set_size(1000, 72)
        for sign in signs:
            advance = font.load_char(ord(sign)).linearHoriAdvance / 65536
            assert advance <= text_width(sign, 1000, bold), sign


def test_widths_of_combining_and_of_wide_characters():
    assert text_width("e\u0301", 10) == text_width("e", 10)
    assert text_width("漢", 10) >= 10 * 1.25


# Texts.


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "0"),
        (-0.0, 2, "0"),
        (-12.0, 2, "−12"),
        (220.00000000000003, 2, "220"),
        (1.1, 2, "1.1"),
        (0.5000001, 2, "0.50"),
        (0.36787944, 2, "0.37"),
        (1.36787944, 2, "1.37"),
        (0.73105858, 2, "0.73"),
        (-0.53444665, 2, "−0.53"),
        (0.19661193, 2, "0.20"),
        (0.19661193, 4, "0.1966"),
        (0.0199, 2, "0.020"),
        (0.0012345, 2, "0.0012"),
        (0.00012345, 2, "1.2·10⁻⁴"),
        (-1.5e-7, 2, "−1.5·10⁻⁷"),
        (1e-300, 3, "1.00·10⁻³⁰⁰"),
        (123456.789, 2, "123456.79"),
        (1234567.0, 2, "1.2·10⁶"),
        (0.999, 2, "1.00"),
        (2.7, 0, "3"),
        (0.05, 0, "0.1"),
    ],
)
def test_numbers(value, digits, text):
    assert number_text(value, digits) == text


def test_exponents():
    assert [exponent_text(value, 2) for value in (-12.0, 0.25, 1e7)] == ["⁻¹²", "^0.25", "^1.0·10⁷"]


def test_small_arrays_by_their_elements_others_by_their_shape():
    assert value_text(np.array([0.5, -1.0]), 2) == "[0.5, −1]"
    assert value_text(np.array([[1.0, 2.0], [3.0, 4.0]]), 2) == "[[1, 2], [3, 4]]"
    assert value_text(np.zeros((5, 10)), 2) == "(5, 10)"
    assert value_text(np.zeros((1, 1, 1)), 2) == "(1, 1, 1)"
    assert value_text(np.zeros(4), 2) == "[0, 0, 0, 0]"
    assert value_text(np.zeros(5), 2) == "(5,)"
    assert value_text(np.zeros(0), 2) == "(0,)"


def test_values_and_gradients_of_the_neuron_of_elementary_gates():
    f = elementary_neuron()
    f.backward()
    assert texts(f, "symbol") == ["×", "×", "+", "+", "×(−1)", "exp", "+1", "1/x"]
    assert texts(f, "value")[-5:] == ["1", "−1", "0.37", "1.37", "0.73"]
    assert texts(f, "gradient")[-5:] == ["0.20", "−0.20", "−0.53", "−0.53", "1"]
    assert sorted(texts(f, "gradient")[:-5]) == ["0.20"] * 4 + ["0.39", "−0.20", "−0.39", "−0.59"]
    assert sorted(texts(f, "name")) == ["f", "w0", "w1", "w2", "x0", "x1"]


@pytest.mark.parametrize(
    ("gate", "symbol"),
    [
        (g.sigmoid, "σ"), (g.sqrt, "√"), (g.abs, "|x|"), (g.reciprocal, "1/x"), (g.exp, "exp"),
        (g.gaussian, "exp(−x²)"), (g.log_sum_exp, "log Σ exp"), (g.sum, "Σ"), (g.transpose, "ᵀ"),
    ],
)  # fmt: skip
def test_symbols_of_gates(gate, symbol):
    assert texts(gate(g.Variable(np.ones((2, 3)), "x")), "symbol") == [symbol]


def test_names_of_inner_gates_are_before_their_values():
    f = sum_times()
    assert texts(f, "caption") == ["q ="]
    scene = scene_of(f)
    caption = next(text for text in scene.texts if text.kind == "caption")
    q = next(text for text in scene.texts if text.text == "3")
    assert caption.y == q.y
    assert caption.box[1] < q.box[0]


def test_values_stand_above_their_wires_and_gradients_below():
    f = product()
    f.backward()
    scene = scene_of(f)
    heights = {text.text: text.y for text in scene.texts}
    wire = scene.paths[-1].points[0][1]
    assert heights["−12"] < wire < heights["1"]


def test_no_gradients_before_backward():
    f = fraction()
    assert texts(f, "gradient") == []
    assert not any(wire.labelled for wire in Circuit(f, 2).wires)
    f.backward()
    assert texts(f, "gradient")
    f.forward(x=2.0)
    assert texts(f, "gradient") == []


def test_a_value_used_twice_shows_the_sum_and_both_parts():
    (x,) = variables(x=3.0)
    f = x * x
    f.backward()
    assert texts(f, "gradient") == ["6", "3", "3", "1"]
    assert [dot.kind for dot in scene_of(f).dots] == ["split"]


def test_contributions_of_gates_with_broadcast_operands():
    (b,) = variables(b=2.0)
    a = g.Variable(np.arange(6.0).reshape(2, 3), "a")
    f = (a * b).sum() + b
    f.backward()
    assert sorted(texts(f, "gradient")) == ["(2, 3)", "(2, 3)", "1", "1", "1", "15", "16"]


@pytest.mark.parametrize(
    ("write", "symbol"),
    [
        (lambda x: x + 1, "+1"),
        (lambda x: 1 + x, "+1"),
        (lambda x: x + -2.5, "−2.5"),
        (lambda x: x - 3, "−3"),
        (lambda x: x - -3, "+3"),
        (lambda x: 1 - x, "1 − x"),
        (lambda x: x * 0.5, "×0.5"),
        (lambda x: -2 * x, "×(−2)"),
        (lambda x: x / 2, "÷2"),
        (lambda x: 1 / x, "1/x"),
        (lambda x: x**2, "x²"),
        (lambda x: x**-1, "x⁻¹"),
        (lambda x: x**0.5, "x^0.5"),
        (lambda x: x**-0.5, "x^(−0.5)"),
        (lambda x: 2**x, "2ˣ"),
        (lambda x: g.max(0, x), "max(0, x)"),
        (lambda x: g.min(x, 6), "min(x, 6)"),
        (lambda x: -x, "×(−1)"),
        (lambda x: x - 0, "−0"),
        (lambda x: x * g.Constant(2, "k"), "×"),
        (lambda x: g.Constant(3.0) * 2, "×"),
        (lambda x: x * np.ones(3), "×"),
    ],
)
def test_numbers_among_the_operands_are_part_of_the_symbol(write, symbol):
    assert texts(write(g.Variable(2.0, "x")), "symbol") == [symbol]


def test_constants_have_no_gradient():
    f = g.Variable(2.0, "x") * g.Constant(3.0, "k") * g.Constant(np.ones(2))
    f.backward(np.ones(2))
    assert "k" in texts(f, "name")
    assert texts(f, "gradient") == ["6", "2", "[1, 1]"]
    assert [dot.kind for dot in scene_of(f).dots] == ["input"]


def test_the_operands_of_ordered_gates_arrive_in_their_order():
    x, y = variables(x=1.0, y=2.0)
    for f in (y - x, x - y, (x + 1) / (y + x), y**x, g.exp(y) - g.exp(x), (x - y) / (y - x)):
        circuit = Circuit(f, 2)
        scene = Scene(circuit)
        for part in circuit.parts:
            heights = [
                scene.paths[index].points[-1][1]
                for index, wire in enumerate(circuit.wires)
                if wire.target is part
            ]
            if part.ordered:
                assert heights == sorted(heights)
                assert len(set(heights)) == len(heights)


def test_a_variable_alone():
    x = g.Variable(2.0, "x")
    assert texts(x, "value") == ["2"]
    assert texts(x, "name") == ["x"]
    assert_legible(x)


def test_a_gate_of_many_operands():
    gate = g.elementwise("test_drawing", lambda *a: sum(a), *[lambda y, *a: 1.0] * 9)
    try:
        f = gate(*variables(**{f"x{index}": index for index in range(9)}))
        f.backward()
        assert_legible(f)
    finally:
        del g.GATES["test_drawing"]


# Files.


def test_svg_is_xml_with_a_title_and_the_same_each_time(tmp_path):
    code = (
        "import cygrad.graph as g; x = g.Variable(3.0, 'x'); y = g.Variable(-4.0, 'y');"
        "f = (x + g.sigmoid(y)) / (g.sigmoid(x) + (x + y) ** 2); f.backward();"
        "f.named('f').draw('f.svg'); print(f.to_dot())"
    )
    results = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        run = [sys.executable, "-c", code]
        dot = subprocess.run(run, cwd=tmp_path, env=environment, check=True, capture_output=True)
        results.add((dot.stdout, (tmp_path / "f.svg").read_bytes()))
    assert len(results) == 1
    root = ElementTree.parse(tmp_path / "f.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{name}svg"
    assert root.get("role") == "img"
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert root.find(f"{name}title").text == "The computational graph of f"
    written = [element.text for element in root.iter(f"{name}text")]
    assert {"x", "y", "f", "÷", "2.06", "1.59", "1.55"} <= set(written)
    assert os.listdir(tmp_path) == ["f.svg"]


def test_svg_has_the_texts_and_wires_of_the_scene():
    f = staged_fraction().named("a < b")
    f.backward()
    scene = scene_of(f)
    root = ElementTree.fromstring(f.to_svg())
    name = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{name}title").text == "The computational graph of a < b"
    fills = {"value": colours.VALUE, "gradient": colours.GRADIENT}
    for text, element in zip(scene.texts, root.iter(f"{name}text"), strict=True):
        assert element.text == text.text
        assert element.get("text-anchor") == text.anchor
        assert element.get("fill") == fills.get(text.kind, colours.INK)
        assert float(element.get("x")) == pytest.approx(text.x, abs=0.051)
        assert float(element.get("y")) == pytest.approx(text.y, abs=0.051)
    for path, element in zip(scene.paths, root.iter(f"{name}path"), strict=True):
        expected = list(path.points[0])
        for (x, y), (next_x, next_y) in itertools.pairwise(path.points):
            middle = (x + next_x) / 2
            bend = [middle, y, middle, next_y, next_x, next_y]
            expected += [next_x] if y == next_y else bend
        numbers = map(float, re.findall(r"[\d.]+", element.get("d")))
        assert list(numbers) == pytest.approx(expected, abs=0.051)


def test_svg_can_be_rendered(tmp_path):
    f = network()
    f.backward()
    f.draw(tmp_path / "f.svg")
    try:
        run = ["rsvg-convert", "-o", tmp_path / "f.png", tmp_path / "f.svg"]
        subprocess.run(run, check=True)
    except FileNotFoundError:
        pytest.skip("there is no rsvg-convert")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


@settings(max_examples=50)
@given(st.text(min_size=1))
def test_any_name_can_be_drawn(name):
    f = g.Variable(1.0, name) * 2
    root = ElementTree.fromstring(f.to_svg())
    assert len(list(root)) > 5
    f.to_dot().encode()
    assert_legible(f)


def test_notebooks_show_the_drawing():
    f = product()
    f.backward()
    assert f._repr_svg_() == f.to_svg()


def test_png_has_the_size_of_the_scene_and_the_same_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    f = fraction()
    f.backward()
    f.draw(tmp_path / "f.PNG")
    data = (tmp_path / "f.PNG").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    scene = scene_of(f)
    assert (width, height) == (
        pytest.approx(2 * scene.width, abs=1),
        pytest.approx(2 * scene.height, abs=1),
    )
    f.draw(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == data
    assert sorted(os.listdir(tmp_path)) == ["again.png", "f.PNG"]


def test_png_has_the_colours_of_the_scene_where_they_belong(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    f = product()
    f.backward()
    f.draw(tmp_path / "f.png")
    scene = scene_of(f)
    pixels = np.rint(image.imread(tmp_path / "f.png")[:, :, :3] * 255)
    places = {}
    for text in scene.texts:
        left, right, top, bottom = np.rint(2 * np.array(text.box)).astype(int)
        part = pixels[top:bottom, left:right]
        colour = {"value": colours.VALUE, "gradient": colours.GRADIENT}.get(text.kind, colours.INK)
        expected = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        near = (abs(part - expected) < 40).all(axis=2)
        assert near.sum() > 5, text
        places.setdefault(text.kind, []).append(near)
    assert set(places) == {"name", "symbol", "value", "gradient"}
    dark = np.flatnonzero((pixels.min(axis=2) < 128).any(axis=0))
    assert dark[-1] > 2 * (scene.texts[-1].x + 2)  # the name of the output is after its wire


def test_png_writes_names_as_they_are_and_nothing_of_its_writer(tmp_path):
    pytest.importorskip("matplotlib")
    f = g.Variable(1.0, r"$\frac$") * 2
    f.draw(tmp_path / "f.png")
    assert b"Software" not in (tmp_path / "f.png").read_bytes()


def test_the_resolution_of_png_keeps_large_pictures_in_bounds():
    for width, height in [(300, 200), (20_000, 100), (100, 20_000), (9_000, 8_000)]:
        scale = _resolution(SimpleNamespace(width=width, height=height)) / PIXELS_PER_INCH
        assert scale <= 2
        assert max(width, height) * scale <= 30_000 * (1 + 1e-12)
        assert width * height * scale**2 <= 1e8 * (1 + 1e-12)


def test_png_of_a_large_graph(tmp_path):
    pytest.importorskip("matplotlib")
    f = g.Variable(0.5, "x")
    for _ in range(MAX_GATES):
        f = g.tanh(f)
    f.draw(tmp_path / "f.png")
    header = (tmp_path / "f.png").read_bytes()[16:20]
    assert int.from_bytes(header, "big") == pytest.approx(30000, abs=1)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("matplotlib", r"needs matplotlib, .*\.svg needs nothing"),
        ("contourpy", "^there is no contourpy$"),  # which matplotlib needs
    ],
)
def test_png_without_matplotlib(tmp_path, monkeypatch, missing, message):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"there is no {missing}", name=missing)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=message):
        product().draw(tmp_path / "f.png")
    assert os.listdir(tmp_path) == []
    product().draw(tmp_path / "f.svg")


@pytest.mark.parametrize("ending", ["dot", "gv"])
def test_graphviz_reads_dot(tmp_path, ending):
    f = staged_fraction()
    f.backward()
    path = tmp_path / f"f.{ending}"
    f.draw(path)
    text = path.read_text(encoding="utf-8")
    assert text == f.to_dot()
    assert len(re.findall(r"n\d+s \[shape=point\]", text)) == 2  # x and y split
    assert "numerator = " in text
    try:
        drawn = subprocess.run(["dot", "-Tplain", path], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no Graphviz")
    assert drawn.stdout.count(b"\nnode ") == 2 + 8 + 2 + 1  # inputs, gates, splits, the output
    assert drawn.stderr == b""


def test_the_text_of_dot():
    x = g.Variable(3.0, 'x "y" \\')
    f = ((x * x).named("a < b") - x).named("f & g")
    assert "<br/>" not in f.to_dot()
    f.backward()
    green, red = (f'<font color="{colour}">' for colour in (colours.VALUE, colours.GRADIENT))
    assert f.to_dot().splitlines()[4:] == [
        r'  n0 [label="x \"y\" \\", shape=plaintext]',
        "  n0s [shape=point]",
        f"  n0 -> n0s [label=<{green}3</font><br/>{red}5</font>>, arrowhead=none]",
        '  n1 [label="×"]',
        '  n2 [label="−"]',
        f"  n0s -> n1 [label=<{red}3</font>>]",
        f"  n0s -> n1 [label=<{red}3</font>>]",
        f"  n1 -> n2 [label=<a &lt; b = {green}9</font><br/>{red}1</font>>, headlabel=1]",
        f"  n0s -> n2 [label=<{red}−1</font>>, headlabel=2]",
        '  end [shape=plaintext, label="f & g"]',
        f"  n2 -> end [label=<{green}6</font><br/>{red}1</font>>]",
        "}",
    ]
    assert g.Variable(3.0, "x").to_dot().splitlines()[4:] == [
        '  n0 [label="x", shape=plaintext]',
        '  end [shape=plaintext, label=""]',
        f"  n0 -> end [label=<{green}3</font>>]",
        "}",
    ]


def test_dot_labels_the_operands_of_ordered_gates():
    x, y = variables(x=1.0, y=2.0)
    assert (x - y).to_dot().count("headlabel") == 2
    assert (x + y).to_dot().count("headlabel") == 0
    assert (x - 1).to_dot().count("headlabel") == 0


@pytest.mark.parametrize("name", ["f", "f.jpg", "f.svgz", ".svg"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"path is .*, expected a name in \.svg, \.png, \.dot"):
        product().draw(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_drawing_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match=r"missing"):
        product().draw(tmp_path / "missing" / "f.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(ValueError, match="something other than a file"):
        product().draw(tmp_path / "folder.svg")
    assert os.listdir(tmp_path) == ["folder.svg"]


@pytest.mark.parametrize("digits", [-1, 16, 2.0, True, "2"])
def test_digits_are_checked(digits):
    with pytest.raises((TypeError, ValueError), match="digits is"):
        product().to_svg(digits=digits)


def test_digits():
    assert texts(sigmoid_neuron(), "value", digits=6)[-1] == "0.731059"


def test_values_out_of_date_are_evaluated_first():
    f = sum_times()
    f.backward()
    f.variables[0].value = 1.0
    assert ">−24<" in f.to_svg()
    assert texts(f, "gradient") == []
    assert f.value == -24.0
    assert f.variables[0].gradient is None


def test_too_many_gates_are_refused_but_not_as_dot():
    f = g.Variable(0.5, "x")
    for _ in range(MAX_GATES):
        f = g.tanh(f)
    assert f.to_svg().count("tanh") == MAX_GATES
    f = g.tanh(f)
    with pytest.raises(ValueError, match=f"has {MAX_GATES + 1} gates, expected at most"):
        f.to_svg()
    assert f._repr_svg_() is None
    assert f.to_dot().count("tanh") == MAX_GATES + 1


def luminance(colour):
    """Return the relative luminance, as WCAG defines it for contrast."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


def test_colours_can_be_read_and_told_apart_without_their_hues():
    value, gradient, paper = map(luminance, (colours.VALUE, colours.GRADIENT, colours.PAPER))
    assert (paper + 0.05) / (value + 0.05) > 4.5
    assert (paper + 0.05) / (gradient + 0.05) > 4.5
    assert (value + 0.05) / (gradient + 0.05) > 1.5


# Layout: few crossings, straight wires.


def crossings(f):
    """Count the pairs of wires that cross between two columns."""
    scene = scene_of(f)
    pieces = [ends for path in scene.paths for ends in itertools.pairwise(path.points)]
    count = 0
    for (a, b), (c, d) in itertools.combinations(pieces, 2):
        if abs(a[0] - c[0]) < 1e-6 and (a[1] - c[1]) * (b[1] - d[1]) < -1e-9:
            count += 1
    return count


@pytest.mark.parametrize(
    ("expression", "max_crossings"),
    [
        (sigmoid_neuron, 0), (elementary_neuron, 0), (patterns, 0), (apples_and_oranges, 0),
        (fraction, 1), (staged_fraction, 1), (horner, 0), (network, 66),
    ],
)  # fmt: skip
def test_few_wires_cross(expression, max_crossings):
    f = expression()
    assert crossings(f) <= max_crossings
    f.backward()
    assert crossings(f) <= max_crossings


def test_inputs_are_next_to_the_first_gate_that_uses_them():
    x, y = variables(x=1.0, y=2.0)
    scene = scene_of(g.tanh(g.tanh(g.tanh(x))) * y)
    places = {text.text: text.x for text in scene.texts if text.kind == "name"}
    assert places["y"] > max(shape.x for shape in scene.shapes[:2])


def test_wires_of_inputs_to_gates_of_their_own_are_straight():
    x, y, z = variables(x=1.0, y=2.0, z=3.0)
    f = g.sin(x) * g.cos(y) + g.exp(z) * (g.sin(g.cos(z)) + g.tanh(y))
    circuit = Circuit(f, 2)
    paths = [
        path.points
        for wire, path in zip(circuit.wires, Scene(circuit).paths, strict=False)
        if not wire.source.is_gate and len(wire.source.leaving) == 1
    ]
    assert len(paths) == 1
    assert all(y == pytest.approx(points[0][1], abs=1e-3) for points in paths for _, y in points)


@pytest.mark.parametrize("expression", [fraction, network, apples_and_oranges])
def test_wires_end_on_the_outlines_of_gates(expression):
    f = expression()
    f.backward()
    circuit = Circuit(f, 2)
    scene = Scene(circuit)
    shapes = dict(zip((part for part in circuit.parts if part.is_gate), scene.shapes, strict=True))
    for wire, path in zip(circuit.wires, scene.paths[:-1], strict=True):
        shape, (x, y) = shapes[wire.target], path.points[-1]
        centre = shape.x - shape.width / 2 + measures.RADIUS  # of its left end
        assert math.hypot(x - centre, y - shape.y) == pytest.approx(measures.RADIUS)


def test_a_chain_of_gates_is_straight():
    f = elementary_neuron()
    scene = scene_of(f)
    heights = [shape.y for shape in sorted(scene.shapes, key=lambda shape: shape.x)[-5:]]
    assert heights == pytest.approx([heights[0]] * 5, abs=1e-3)
