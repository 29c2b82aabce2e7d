"""The page of an experiment, and the command that lists and runs experiments.

The results of each experiment are tested in the other files test_experiments_*.py.
"""

import doctest
import importlib
import importlib.util
import inspect
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import cygrad as cg
from cygrad import experiments
from cygrad.cli import main
from cygrad.experiments.figures import new_figure
from cygrad.experiments.letters import transliterate
from cygrad.experiments.page import Page

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed"
)


def draw(width: float) -> Any:
    return new_figure(width, 1).add_subplot()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the experiments by one that takes no time."""

    class Short:
        @staticmethod
        def run(page: Page) -> None:
            page.number("answer", 42)
            page.circuit("sum", cg.graph.Variable(1.0) + 2)

    for name in experiments.EXPERIMENTS:
        monkeypatch.setitem(sys.modules, f"cygrad.experiments.{name.replace('-', '_')}", Short)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_each_experiment_is_a_module_to_read(name: str) -> None:
    module = importlib.import_module(f"cygrad.experiments.{name.replace('-', '_')}")
    assert module.__doc__
    assert len(module.__doc__) > 300
    assert callable(module.run)


def test_no_module_is_left_out() -> None:
    folder = Path(experiments.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {
        "__init__",
        "page",
        "figures",
        "letters",
    }
    assert modules == {name.replace("-", "_") for name in experiments.EXPERIMENTS}


def test_text_and_numbers() -> None:
    file = io.StringIO()
    page = Page("name", None, file)
    page.title("Title")
    page.text("""Words
              of a paragraph.

              Another.""")
    page.equations("""
        a = b   because
          of c""")
    assert page.number("cost", 1 / 3) == 1 / 3
    page.number("time", 0.25, digits=2, unit="s")
    page.table("Rows", ("name", "count", "value"), [("a", 10, 0.5), ("bc", 2, 1e-9)])
    assert file.getvalue() == (
        "\nTitle\n─────\n"
        "\nWords of a paragraph.\n"
        "\nAnother.\n"
        "\n    a = b   because\n      of c\n"
        "  cost                                             0.3333333333\n"
        "  time                                             0.25 s\n"
        "\n  Rows\n"
        "    name  count  value\n"
        "    a        10    0.5\n"
        "    bc        2  1e-09\n"
    )
    assert page.numbers == {"cost": 1 / 3, "time": 0.25}
    assert page.tables == {"Rows": [("a", 10, 0.5), ("bc", 2, 1e-9)]}
    with pytest.raises(ValueError, match="'cost', which this page has"):
        page.number("cost", 2.0)


@pytest.mark.parametrize(
    ("text", "in_ascii", "in_latin_1"),
    [
        ("∂C/∂w₀ = δ xᵀ", "dC/dw_0 = delta x^T", "dC/dw_0 = delta x^T"),
        ("1 / (1 + e⁻ᶻ) → ½", "1 / (1 + e^-z) -> 1/2", "1 / (1 + e^-z) -> ½"),
        ("‖a² − y‖ ⊙ σ′(zˡ⁺¹)", "||a^2 - y|| * sigma'(z^l+1)", "||a² - y|| * sigma'(z^l+¹)"),
        ("λ₁₂, Σ naïve 赤", "lambda_12, Sigma naive \\u8d64", "lambda_12, Sigma naïve \\u8d64"),
    ],
)
def test_letters_that_a_terminal_lacks(text: str, in_ascii: str, in_latin_1: str) -> None:
    assert transliterate(text, "utf-8") == text
    assert transliterate(text, None) == text
    assert transliterate(text, "ascii") == in_ascii
    assert transliterate(text, "iso8859-1") == in_latin_1


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_all_text_of_the_experiments_can_be_put_into_plain_letters(name: str) -> None:
    source = inspect.getsource(
        importlib.import_module(f"cygrad.experiments.{name.replace('-', '_')}")
    )
    plain = transliterate(source, "ascii")
    assert plain.isascii()
    assert not re.search(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4})", plain), "no letter is but a number"


def test_columns_stay_in_line_in_plain_letters(tmp_path: Path) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    page = Page("name", tmp_path / "größe", file)
    page.title("Σ δ")
    page.number("∂C/∂σ", 0.5, unit="μm")
    page.table("η", ("σ(z)", "δ₁"), [("θ", 0.5)])
    page.circuit("sum", cg.graph.Variable(1.0) + 2)
    assert file.buffer.getvalue().decode("ascii") == (  # type: ignore[attr-defined]
        "\nSigma delta\n-----------\n"
        f"  {'dC/dsigma':<48s} 0.5 mum\n"
        "\n  eta\n"
        "    sigma(z)  delta_1\n"
        "    theta         0.5\n"
        f"  -> {tmp_path}/gr\\xf6\\xdfe/name-sum.svg\n"
    )
    assert page.numbers == {"∂C/∂σ": 0.5}
    assert (tmp_path / "größe" / "name-sum.svg").exists()


@needs_matplotlib
def test_pictures(tmp_path: Path) -> None:
    page = Page("name", tmp_path / "new" / "folder")
    page.picture("wide", draw, 2)
    page.circuit("sum", cg.graph.Variable(1.0) + 2)
    names = ["name-wide.png", "name-sum.svg"]
    assert page.pictures == [str(tmp_path / "new" / "folder" / name) for name in names]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(names)


def test_no_folder_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page("name")
    page.picture("wide", draw, 2)
    page.circuit("sum", cg.graph.Variable(1.0) + 2)
    assert page.pictures == []
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_page_says_once_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *args: None if name == "matplotlib" else find_spec(name, *args),
    )
    file = io.StringIO()
    page = Page("name", tmp_path, file)
    page.picture("wide", draw, 2)
    page.picture("narrow", draw, 1)
    assert file.getvalue().count("pip install 'cygrad[plot]'") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("short")
def test_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = cg.experiments.run("why-backprop", tmp_path)
    assert page.numbers == {"answer": 42.0}
    assert "answer" in capsys.readouterr().out
    cg.experiments.run("why-backprop", quiet=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="name is 'three', expected one of circuits, why"):
        cg.experiments.run("three")


def test_the_example_of_the_package() -> None:
    result = doctest.testmod(experiments)
    assert result.attempted == 3
    assert result.failed == 0


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(experiments.EXPERIMENTS)


@pytest.mark.usefixtures("short")
def test_run_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["experiments", "run", "all"]) == 0
    assert capsys.readouterr().out.count("answer") == len(experiments.EXPERIMENTS)
    written = {path.name for path in (tmp_path / "cygrad-experiments").iterdir()}
    assert written == {f"{name}-sum.svg" for name in experiments.EXPERIMENTS}


def test_run_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["run", "three"], ["run"], []):
        assert main(["experiments", *argv]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1


@pytest.mark.usefixtures("short")
def test_a_folder_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")

    def message(output: str, code: int = 1) -> str:
        assert main(["experiments", "run", "scale", "--output", output]) == code
        out, err = capsys.readouterr()
        assert out == "", "the error comes before the work begins"
        assert err.count("\n") == 1
        return err

    assert message(f"{tmp_path}/file").endswith("/file is no folder\n")
    assert message(f"{tmp_path}/file/in").endswith("/file/in cannot be made: Not a directory\n")
    assert "argument --output: '', expected a path" in message("", code=2)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert message(f"{tmp_path}").endswith(" cannot be written to\n")


def test_an_interrupt_says_where_the_pictures_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        @staticmethod
        def run(page: Page) -> None:
            page.circuit("sum", cg.graph.Variable(1.0) + 2)
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cygrad.experiments.scale", Interrupted)
    assert main(["experiments", "run", "scale", "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == (
        f"cygrad: interrupted, what was drawn until then is in {tmp_path}\n"
    )
    assert (tmp_path / "scale-sum.svg").exists()
