"""An activation, a loss or an optimiser that is added in one place and forgotten in another.

The rows of csrc/activations.h, losses.h and optimizers.h are the names that there are. Each must be
in every other file that .github/CONTRIBUTING.md lists, and nowhere else in the sources: a failure
names the file. Where the sources are not there, as for an installed package, these tests are
skipped.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from cases import (
    ACTIVATIONS,
    MORE_OPTIMIZERS,
    OPTIMIZERS,
    OTHER_ACTIVATIONS,
    OTHER_OUTPUTS,
    OUTPUTS,
    optimizer_class,
)

import cygrad as cg
from cygrad import network, reference
from cygrad._engine import kernels
from cygrad.cli import architecture
from cygrad.network.losses import loss_name

functions = pytest.importorskip("benchmarks.functions", reason="an installed package has none")

EXACT = {"identity", "relu", "hard_tanh"}  # no rounding errors to measure

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / ".github" / "CONTRIBUTING.md"
# The experiments show some of the functions to the reader, and the estimators give scikit-learn's
# names to some; they do not define them.
USERS = ("src/cygrad/experiments/", "src/cygrad/sklearn/", "src/cygrad/exchange/")

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="there is no .github/CONTRIBUTING.md")


def listed(section: str) -> set[str]:
    """Return the source files that a section of the guide lists, by their paths."""
    _, _, rest = GUIDE.read_text().partition(f"### {section}\n")
    assert rest, f"{GUIDE.name} has no section {section!r}"
    text = re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"^- `((?:src|csrc)/[^`]+)`", text, re.MULTILINE))


def mentioning(word: str) -> set[str]:
    """Return the source files that have a word, other than as the beginning of gaussian_nll."""
    sources = [
        path
        for folder in ("src", "csrc")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".h", ".c"}
    ]
    other = re.compile(rf"{word}(?!_nll)")
    found = {
        path.relative_to(ROOT).as_posix() for path in sources if other.search(path.read_text())
    }
    return {path for path in found if not path.startswith(USERS)}


@pytest.mark.parametrize(
    ("word", "sections"),
    [
        ("gaussian", ("An activation", "A gate")),
        ("hinge", ("A loss",)),
        ("nesterov", ("An optimiser",)),
    ],
)
def test_the_guide_lists_the_files_that_have_an_example(word, sections):
    found, expected = mentioning(word), set().union(*map(listed, sections))
    assert found - expected == set(), f"{word} is in files that the guide does not list"
    missing = {path for path in expected - found if path != "src/cygrad/__init__.py"}
    assert missing == set(), f"{word} is not in files that the guide lists"


def test_there_are_at_most_five_files_for_each():
    for section in ("An activation", "A loss", "An optimiser"):
        assert len(listed(section)) <= 5


def assert_has(file: str, actual: Iterable[str], expected: Iterable[str]) -> None:
    actual, expected = list(actual), list(expected)
    missing = [name for name in expected if name not in actual]
    unknown = [name for name in actual if name not in expected]
    assert not missing, f"{file} lacks {', '.join(missing)}"
    assert not unknown, f"{file} has {', '.join(unknown)}, which csrc does not have"


def codes(kind: str) -> list[str]:
    """Return the names of the codes that loops.pyx uses, besides their declaration."""
    text = (ROOT / "src/cygrad/_engine/loops.pyx").read_text()
    found = re.findall(rf"== CG_{kind}_(\w+)|!= CG_{kind}_(\w+)", text)
    return sorted({one or other for one, other in found})


def test_every_activation_is_everywhere():
    names = list(kernels.ACTIVATIONS)
    assert_has("reference/activations.py", reference.ACTIVATIONS, names)
    assert_has("network/activations.py", network.ACTIVATIONS, names)
    assert_has("_engine/loops.pyx", codes("ACTIVATION"), names)
    text = (ROOT / "src/cygrad/_engine/loops.pyx").read_text()
    slopes = text.partition("cdef real slope(")[2].partition("\ncdef ")[0]
    elementwise = [name for name, row in network.ACTIVATIONS.items() if not row.output_only]
    assert_has("_engine/loops.pyx: slope", re.findall(r"CG_ACTIVATION_(\w+)", slopes), elementwise)
    of_any_layer = [name for name, row in network.ACTIVATIONS.items() if not row.output_only]
    tested = {text.partition(" ")[0] for text in (*ACTIVATIONS, *OTHER_ACTIVATIONS)}
    assert_has("tests/cases.py", tested, of_any_layer)
    chosen = [name for name in network.activations.__all__ if name in names]
    assert_has("network/activations.py: __all__", chosen, names)
    measured = {*functions.FUNCTIONS, *EXACT}
    assert_has("benchmarks/functions.py", measured - {"log", "log1p"}, of_any_layer)


def test_every_activation_with_a_parameter_is_tested_with_another():
    names = [name for name, row in network.ACTIVATIONS.items() if row.parameter is not None]
    tested = {text.partition(" ")[0] for text in OTHER_ACTIVATIONS if " " in text}
    assert_has("tests/cases.py", tested, names)
    for name in names:
        row = network.ACTIVATIONS[name]
        assert getattr(cg.activations, name)().parameter == row.default
        assert reference.ACTIVATIONS[name].parameter == row.default


def test_every_loss_is_everywhere():
    names = list(kernels.LOSSES)
    assert_has("reference/losses.py", reference.LOSSES, names)
    assert_has("_engine/loops.pyx", codes("LOSS"), names)
    names = [name for name in names if "internal" not in kernels.LOSSES[name]]
    assert_has("network/losses.py", network.LOSSES, names)
    assert_has(
        "tests/cases.py", {loss_name(each.loss) for each in (*OUTPUTS, *OTHER_OUTPUTS)}, names
    )
    offered = {*architecture.CLASSIFICATION_LOSSES, *architecture.REGRESSION_LOSSES}
    of_one_output = {name for name, row in network.LOSSES.items() if row.decides_at_half}
    of_other_data = {"kl_divergence"}
    assert_has("network/losses.py", offered | of_one_output | of_other_data, names)


def test_every_update_rule_is_everywhere():
    rules = [rule for rule in kernels.RULES if rule != "store"]
    assert_has("_engine/loops.pyx", codes("RULE"), kernels.RULES)
    used = set()
    for name, arguments in {**OPTIMIZERS, **MORE_OPTIMIZERS}.items():
        used.add(getattr(cg, optimizer_class(name))(**arguments).rule)
    assert_has("tests/cases.py", used, rules)


def test_every_optimizer_is_everywhere():
    names = cg.training.optimizers.__all__
    assert_has("reference/optimizers.py", reference.optimizers.__all__, names)
    public = [name for name in cg.__all__ if name in names]
    assert_has("__init__.py", public, names)
    offered = [row.optimizer.__name__ for row in cg.training.optimizers.OPTIMIZERS.values()]
    assert_has("training/optimizers.py: OPTIMIZERS", offered, names)


def test_the_properties_of_a_row_are_those_of_csrc():
    relu, gaussian = network.ACTIVATIONS["relu"], network.ACTIVATIONS["gaussian"]
    assert relu.kinks == (0.0,)
    assert not relu.increasing
    assert not gaussian.increasing
    assert network.ACTIVATIONS["softmax"].output_only
    states = {"store": 0, "sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "amsgrad": 3}
    assert {name: kernels.RULES[name] for name in states} == states
    assert network.LOSSES["hinge"].labels
    assert not network.LOSSES["hinge"].rows
