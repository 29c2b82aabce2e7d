"""The experiment with circuits: the numbers of rows A1 to A11, and the drawings."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import cygrad as cg
from cygrad.experiments import Page

EXACT = 1e-12


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def slope(z: float) -> float:
    return sigmoid(z) * (1 - sigmoid(z))


# A3: z = 1, with w = (2, −3, −3) and x = (−1, −2).
SIGMOID_NEURON = {
    "f": sigmoid(1),
    "∂f/∂z": slope(1),
    "∂f/∂w₀": -1 * slope(1),
    "∂f/∂x₀": 2 * slope(1),
    "∂f/∂w₁": -2 * slope(1),
    "∂f/∂x₁": -3 * slope(1),
    "∂f/∂w₂": slope(1),
}

# A5 at x = 3, y = −4: (x + y)² is 1, and its derivative −2.
NUMERATOR = 3 + sigmoid(-4)
DENOMINATOR = sigmoid(3) + 1
BY_DENOMINATOR = -NUMERATOR / DENOMINATOR**2

NUMBERS = {
    "A1 mul": {"f": -12, "∂f/∂x": -3, "∂f/∂y": 4},
    "A1 add": {"f": 1, "∂f/∂x": 1, "∂f/∂y": 1},
    "A1 max": {"f": 4, "∂f/∂x": 1, "∂f/∂y": 0},
    "A2": {"f": -12, "∂f/∂q": -4, "∂f/∂x": -4, "∂f/∂y": -4, "∂f/∂z": 3},
    "A3": SIGMOID_NEURON,
    "A4": SIGMOID_NEURON
    | {
        "z": 1,
        "−z": -1,
        "e⁻ᶻ": math.exp(-1),
        "1+e⁻ᶻ": 1 + math.exp(-1),
        "∂f/∂(1+e⁻ᶻ)": -1 / (1 + math.exp(-1)) ** 2,
        "∂f/∂(e⁻ᶻ)": -1 / (1 + math.exp(-1)) ** 2,
        "∂f/∂(−z)": -slope(1),
    },
    "A5": {
        "f": NUMERATOR / DENOMINATOR,
        "∂f/∂(1/den)": NUMERATOR,
        "∂f/∂den": BY_DENOMINATOR,
        "∂f/∂((x+y)²)": BY_DENOMINATOR,
        "∂f/∂(x+y)": -2 * BY_DENOMINATOR,
        "∂f/∂(σ(x))": BY_DENOMINATOR,
        "∂f/∂num": 1 / DENOMINATOR,
        "∂f/∂(σ(y))": 1 / DENOMINATOR,
        "∂f/∂x": 1 / DENOMINATOR + BY_DENOMINATOR * (slope(3) - 2),
        "∂f/∂y": slope(-4) / DENOMINATOR + BY_DENOMINATOR * -2,
    },
    "A6": {"f": -20, "∂f/∂x": -8, "∂f/∂y": 6, "∂f/∂z": 2, "∂f/∂w": 0},
    "A7": {"total": 220, "∂total/∂price": 2.2, "∂total/∂count": 110, "∂total/∂tax": 200},
    "A8": {
        "total": 715,
        "∂total/∂(apple price)": 2.2,
        "∂total/∂apples": 110,
        "∂total/∂(orange price)": 3.3,
        "∂total/∂oranges": 165,
        "∂total/∂tax": 650,
    },
    "A10": {
        "dz/dx": 3 * math.cos(2.25),
        "dz/ds": 4 * math.cos(2.0) - 4 * math.sin(2.0),
    },
    "A11": {
        "z, inputs × 1000": 3997,
        "∂z/∂w₀, times that before": 1000,
        "∂z/∂w₁, times that before": 1000,
        "∂z/∂x₀, times that before": 1,
        "∂z/∂x₁, times that before": 1,
        "∂f/∂w₀, inputs × 1000": 0,
    },
}

PICTURES = [
    "A1-mul", "A1-add", "A1-max", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10-one-path",
    "A10-two-paths", "A11",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return cg.experiments.run("circuits", tmp_path_factory.mktemp("pictures"), quiet=True)


@pytest.mark.parametrize("row", NUMBERS)
def test_numbers(page: Page, row: str) -> None:
    found = {
        label.removeprefix(f"{row}: "): value
        for label, value in page.numbers.items()
        if label.startswith(f"{row}: ") and "quotient" not in label
    }
    assert found == pytest.approx(NUMBERS[row], rel=EXACT, abs=EXACT)


@pytest.mark.parametrize(
    ("label", "printed"),
    [
        ("A3: f", 0.7310585786),
        ("A3: ∂f/∂z", 0.1966119332),
        ("A3: ∂f/∂x₀", 0.3932238665),
        ("A3: ∂f/∂x₁", -0.5898357997),
        ("A5: f", 1.5456448841),
        ("A5: ∂f/∂x", 2.0595697956),
        ("A5: ∂f/∂y", 1.5922327515),
    ],
)
def test_published_numbers(page: Page, label: str, printed: float) -> None:
    assert page.numbers[label] == pytest.approx(printed, rel=0, abs=5.1e-11)


def test_every_row_of_numbers_is_tested(page: Page) -> None:
    rows = {label.partition(": ")[0] for label in page.numbers}
    assert rows == {*NUMBERS, "A9"}


def test_gradients_of_the_matrix_product(page: Page) -> None:
    for name in ("dW", "dX"):
        size = page.numbers[f"A9: {name}, largest element"]
        assert size > 1
        assert page.numbers[f"A9: {name}, off the rule by"] <= 1e-14 * size
        # The error is that of the quotients: C is 135, and its rounding error is divided by 2h.
        assert page.numbers[f"A9: {name}, off quotients by"] < 1e-7


def test_the_chain_rule_numerically(page: Page) -> None:
    for label in ("A10: dz/dx", "A10: dz/ds"):
        quotient = page.numbers[f"{label}, difference quotient"]
        assert quotient != page.numbers[label]
        assert quotient == pytest.approx(page.numbers[label], rel=1e-9)


def test_pictures(page: Page) -> None:
    assert [Path(path).name for path in page.pictures] == [
        f"circuits-{name}.svg" for name in PICTURES
    ]
    folder = Path(page.pictures[0]).parent
    assert len(list(folder.iterdir())) == len(PICTURES)
    for path in page.pictures:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_drawings_have_gradients(page: Page) -> None:
    neuron = Path(page.pictures[PICTURES.index("A4")]).read_text(encoding="utf-8")
    for text in ("0.37", "1.37", "0.73", "−0.53", "0.20", "w₀"):
        assert f">{text}</text>" in neuron


def test_without_a_folder_there_are_no_pictures(page: Page, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    again = cg.experiments.run("circuits", quiet=True)
    assert again.numbers == page.numbers
    assert again.pictures == []
    assert list(tmp_path.iterdir()) == []


def test_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    cg.experiments.run("circuits")
    printed = capsys.readouterr().out
    for row in range(1, 12):
        assert f"\nA{row}  " in printed
    assert "A3: ∂f/∂x₀ 0.3932238665\n" in re.sub(" +", " ", printed)
