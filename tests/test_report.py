"""Tests of the page of ``cygrad train --report``: its content, its validity and its errors."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.cli.options import parse
from cygrad.cli.report import inputs, results
from cygrad.cli.report.results import MOST_MATRIX_CLASSES
from cygrad.cli.report.settings import shell_quoted
from cygrad.network import Network

matplotlib = pytest.importorskip("matplotlib")

HOSTILE = "<script>alert('&amp;')</script>"
LARGEST = 500_000  # bytes


class Page(HTMLParser):
    """A parsed page; parsing fails if an element is not closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text: dict[str, str] = {}  # of elements that occur once
        self._open: list[str] = []
        self._caption = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "meta":
            return
        self._open.append(tag)
        if tag == "tr":
            self.tables[self._caption].append([])
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append("")
        elif tag in ("h1", "h2"):
            self.headings.append("")
        elif tag == "caption":
            self._caption = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self._open  # outside SVG it is a start tag in HTML
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "caption":
            assert self._caption not in self.tables
            self.tables[self._caption] = []

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        if "caption" in self._open:
            self._caption += data
        elif "table" in self._open:
            self.tables[self._caption][-1][-1] += data
        elif tag in ("h1", "h2"):
            self.headings[-1] += data
        for name in ("title", "pre"):
            if name in self._open:
                self.text[name] = self.text.get(name, "") + data

    def summary(self, caption: str) -> dict[str, str]:
        return {name: fact for name, fact in self.tables[caption]}

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def check(self) -> None:
        """Check that the page loads nothing, has no scripts, and that its ids are unique."""
        assert len(self.source.encode()) < LARGEST
        assert self.source.startswith("<!DOCTYPE html>\n<html lang=")
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in self.elements:
            assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
            for name, value in attributes.items():
                assert not name.startswith("on")
                assert name not in ("src", "srcset", "action", "xlink:href")
                for reference in re.findall(r"url\((.*?)\)", value):
                    assert reference.strip("'\"").removeprefix("#") in ids
                if name == "href":
                    assert value.startswith("data:image/png") or value.removeprefix("#") in ids
        assert "@import" not in self.source
        assert "http:" not in self.source
        assert "https:" not in self.source
        assert self.count("style") == 1  # a picture's stylesheet would apply to the whole page
        assert self.count("svg") == self.count("figure") == self.count("figcaption")
        for tag, attributes in self.elements:
            if tag == "svg":
                assert attributes["aria-label"]


def train(
    capsys: pytest.CaptureFixture[str], folder: Path, *argv: str | Path
) -> tuple[dict[str, Any], Page]:
    """Train with a report; return the results that --json prints, and the page."""
    capsys.readouterr()
    path = folder / "report.html"
    command = [*map(str, argv), "--quiet", "--json", "--report", str(path)]
    assert main(["train", *command, "--output", str(folder / "model.npz")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    result: dict[str, Any] = json.loads(out)
    assert result["report"] == str(path)
    page = Page(path)
    page.check()
    return result, page


def write_table(path: Path, classes: list[str], rows: int = 120) -> Path:
    """Write samples of several classes, in a row of overlapping clusters."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(rows, 3)) + np.arange(rows)[:, np.newaxis] % len(classes), 3)
    y = np.array(classes)[np.arange(rows) % len(classes)]
    np.savez(path, X=X, y=y)
    return path


# --- content ------------------------------------------------------------------------------------


def test_a_classification(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result, page = train(capsys, tmp_path, "digits", "--epochs", "3", "--seed", "5")
    assert page.headings == [
        "Handwritten digits", "Results", "Repeat this run", "Learning curves", "Confusion matrix",
        "Importance of the inputs", "Network", "Settings", "Data",
    ]  # fmt: skip
    assert page.text["title"] == "Training report: Handwritten digits"
    assert page.tables["The trained network"] == [
        ["part", "samples", "loss", "accuracy"],
        *(
            [
                part,
                f"{result['samples'][part]:,}",
                f"{result[part]['loss']:.6g}",
                f"{100 * result[part]['accuracy']:.2f} %",
            ]
            for part in ("train", "test")
        ),
    ]
    head, *epochs = page.tables["Epochs"]
    assert head == [
        "epoch", "loss", "accuracy", "validation loss", "validation accuracy", "learning rate",
        "seconds",
    ]  # fmt: skip
    columns = result["history"].values()
    assert result["history"]["val_loss"][-1] == pytest.approx(result["test"]["loss"])
    assert epochs == [
        [str(epoch), *(f"{value:.6g}" for value in row)]
        for epoch, row in enumerate(zip(*columns, strict=True), 1)
    ]
    assert page.tables["Layers, with 4,810 parameters in all"] == [
        ["layer", "activation", "units", "weights", "parameters"],
        ["inputs", "standardised", "64", "", ""],
        ["1", "relu, max(z, 0)", "64", "64 × 64", "4,160"],
        ["2", "softmax, exp(z) / Σ exp(z)", "10", "10 × 64", "650"],
    ]
    settings = page.summary("Training")
    assert settings["optimiser"] == result["optimizer"]
    assert settings["seed"] == "5"
    assert settings["epochs"] == "3"
    assert settings["test part"] == "20 % of the samples, every fifth of each class"
    assert page.tables["Samples of each class"][1] == ["0", "143", "35"]
    config = cg.show_config("dicts")
    versions = page.summary("Versions")
    assert [versions[name] for name in ("cygrad", "NumPy", "Python", "instruction set")] == [
        config["cygrad"], config["numpy"], config["python"], config["isa"],
    ]  # fmt: skip
    assert page.count("figure") == 3


def test_the_confusion_matrix(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = [f"class {letter}" for letter in "abcdefghijklmnopqrstuvwxy"]
    data = write_table(tmp_path / "data.npz", names, rows=1000)
    _, page = train(capsys, tmp_path, data, "--epochs", "20")
    net = cg.load(tmp_path / "model.npz")
    table = cg.datasets.read(data)
    assert table.y is not None
    _, test = cg.datasets.split(table.y, 0.2, rng=0)
    true, predicted = table.y[test], net.predict(table.X[test])
    counts = np.array(
        [[np.sum((true == i) & (predicted == j)) for j in range(25)] for i in range(25)]
    )
    head, *rows, last = page.tables["Confusion matrix of the test samples"]
    assert head == ["true \\ taken for", *names, "recall, %"]
    assert [row[0] for row in rows] == names
    assert [[int(cell) for cell in row[1:-1]] for row in rows] == counts.tolist()
    assert [row[-1] for row in rows] == [f"{100 * x:.3g}" for x in np.diag(counts) / 8]
    assert last[1:-1] == [
        f"{100 * counts[j, j] / counts[:, j].sum():.3g}" if counts[:, j].any() else "–"
        for j in range(25)
    ]
    frequent = page.tables["Most frequent confusions"][1:]
    wrong = counts - np.diag(np.diag(counts))
    assert [int(row[2]) for row in frequent] == np.sort(wrong, axis=None)[::-1][:10].tolist()
    for row in frequent:
        assert int(row[2]) == wrong[names.index(row[0]), names.index(row[1])]


def test_a_single_test_sample(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.arange(5.0).reshape(5, 1), y=np.array([0, 1, 0, 1, 0]))
    _, page = train(capsys, tmp_path, tmp_path / "data.npz", "--epochs", "1")
    assert "<p>1 test sample: what each one is" in page.source
    assert "Importance of the inputs" not in page.headings  # one sample cannot be shuffled


def test_which_curves_are_logarithmic(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, bool] = {}

    def history(
        history: dict[str, list[float]], columns: list[str], *, ax: object, log: bool
    ) -> None:
        drawn[columns[0]] = log

    monkeypatch.setattr(cg.plotting, "history", history)
    many, few = [9.0, 0.1], [2.0, 1.0]
    for metric, loss, expected in (
        ("accuracy", many, {"loss": True, "accuracy": False}),  # an accuracy is never logarithmic
        ("mae", many, {"loss": True, "mae": True}),
        ("mae", few, {"loss": False, "mae": True}),
    ):
        drawn.clear()
        result = {"history": {"loss": loss, metric: [0.9, 0.01]}}
        classes = ("a", "b") if metric == "accuracy" else None
        run = SimpleNamespace(
            result=result,
            dataset=SimpleNamespace(classes=classes),
            net=SimpleNamespace(metric=metric, loss="mse"),
        )
        list(results.curves(run))  # type: ignore[arg-type]
        assert drawn == expected


def test_a_perfect_network_has_no_confusions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    X = np.repeat([[-1.0], [1.0]], 30, axis=0)
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0] > 0)
    result, page = train(capsys, tmp_path, tmp_path / "data.npz")
    assert result["test"]["accuracy"] == 1
    assert "Confusion matrix of the test samples" in page.tables
    assert "Most frequent confusions" not in page.tables


def test_a_matrix_of_many_classes_is_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = [f"{number}-{'x' * 80}" for number in range(MOST_MATRIX_CLASSES + 1)]
    data = write_table(tmp_path / "data.npz", names, rows=510)
    _, page = train(capsys, tmp_path, data, "--epochs", "1")
    assert not any("Confusion matrix of" in caption for caption in page.tables)
    assert len(page.tables["Most frequent confusions"]) == 11
    assert len(page.tables["Samples of each class, for the first 50 of 51"]) == 51


def test_a_regression(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "data.csv"
    rows = rng.normal(size=(100, 2)).round(3)
    data.write_text("a,b,cost in $\n" + "".join(f"{a},{b},{a - b:.3f}\n" for a, b in rows))
    result, page = train(capsys, tmp_path, data, "--target", "-1", "--epochs", "60")
    assert page.headings[0] == "data.csv"
    assert page.headings[4] == "Residuals"
    assert page.tables["The trained network, with the target in its own unit"][2] == [
        "test", "20", f"{result['test']['loss']:.6g}", f"{result['test']['mae']:.6g}",
    ]  # fmt: skip
    samples = page.summary("Samples")
    assert samples["target"] == "cost in $"
    assert samples["their names"] == "a, b"
    assert samples["SHA-256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert len(page.tables["25 of 60 epochs"]) == 26
    assert page.tables["25 of 60 epochs"][-1][0] == "60"
    y = np.round(rows[:, 0] - rows[:, 1], 3)
    train_rows, _ = cg.datasets.split(y, 0.2, rng=0)
    assert page.tables["Values of the target"][1] == [
        "train",
        *(f"{float(f(y[train_rows])):.6g}" for f in (np.min, np.mean, np.max, np.std)),
    ]
    assert page.count("figure") == 6
    assert page.headings[5:] == [
        "Importance of the columns", "Network", "Settings", "Data", "Columns",
    ]  # fmt: skip
    test = np.setdiff1d(np.arange(100), train_rows)
    net = cg.load(tmp_path / "model.npz")
    errors = y[test] - net.predict(rows[test])
    head, values = page.tables["Errors, and the quantiles of the residuals"]
    assert head == [
        "target", "MAE", "RMSE", "R²", "least", "5 %", "25 %", "50 %", "75 %", "95 %", "greatest",
    ]  # fmt: skip
    assert values[0] == "cost in $"
    expected = [
        np.abs(errors).mean(),
        np.sqrt(np.square(errors).mean()),
        1 - np.square(errors).mean() / y[test].var(),
        *np.quantile(errors, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]),
    ]
    assert [float(value) for value in values[1:]] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_several_outputs_and_many_samples_without_a_test_part(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    X = np.random.default_rng(0).normal(size=(20_000, 5))
    np.savez(tmp_path / "data.npz", X=X, y=X)
    argv = (tmp_path / "data.npz", "--test-fraction", "0", "--epochs", "1", "--hidden", "none")
    result, page = train(capsys, tmp_path, *argv)
    assert result["test"] is None
    assert page.summary("Training")["test part"] == "none"
    assert page.summary("Training")["hidden layers"] == "none"
    assert [row[0] for row in page.tables["Values of the target"][1:]] == [
        f"train, output {number}" for number in (1, 2, 3)
    ]
    assert page.count("figure") == 2 + 3 * 3 + 1
    # Many points are drawn as an image, so that the page stays small.
    assert page.count("image") == 2 * 3


def test_names_are_escaped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = HOSTILE.replace("/", "") + "\n\udcff$.csv"
    names = [HOSTILE, "a\"b'c", "$\\frac{$"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    with open(name, "w", encoding="utf-8") as file:
        file.write(f'"{HOSTILE}2",x,kind\n')
        file.writelines(f"{i % 7},{i % 3},{quoted[i % 3]}\n" for i in range(60))
    _, page = train(capsys, tmp_path, name, "--target", "kind", "--epochs", "2")
    shown = name.replace("\udcff", "?")
    assert page.headings[0] == shown
    assert page.text["title"] == f"Training report: {shown}"
    assert page.summary("Samples")["their names"] == f"{HOSTILE}2, x"
    assert [row[0] for row in page.tables["Samples of each class"][1:]] == sorted(names)
    head = page.tables["Confusion matrix of the test samples"][0]
    assert head[1:-1] == sorted(names)
    titles = [attributes["title"] for _, attributes in page.elements if "title" in attributes]
    assert titles == 2 * sorted(names)


# --- columns and their importance ---------------------------------------------------------------


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """120 people: a number with gaps, text that is markup, a constant, a class, and a quantity."""
    rng = np.random.default_rng(0)
    path = tmp_path / "people.csv"
    jobs = [HOSTILE, "baker", "smith"]
    lines = []
    for i in range(120):
        age, job = int(rng.integers(20, 70)), jobs[int(rng.integers(3))]
        pay = "high" if age + 20 * (job == "baker") > 50 else "low"
        gap = "" if i % 9 == 3 else age
        lines.append(f'{gap},"{job}",{rng.normal():.3f},1,{pay},{1000 * age + 9000:.1f}')
    path.write_text("\n".join(["age,<job>,noise,same,pay,salary", *lines]) + "\n")
    return path


@pytest.mark.parametrize("target", ["pay", "salary"])
def test_the_columns_of_a_table(
    capsys: pytest.CaptureFixture[str], people: Path, target: str
) -> None:
    other = "salary" if target == "pay" else "pay"
    argv = [people, "--target", target, "--drop", f"{other},same", "--epochs", "60"]
    argv += ["--learning-rate", "0.01"]
    _, page = train(capsys, people.parent, *argv)
    net = cg.load(people.with_name("model.npz"))
    assert net.encoder is not None
    head, *rows = page.tables["Columns in the training part, and what they became"]
    assert head == ["column", "taken for", "inputs", "gaps", "distinct values"]
    assert rows == [[str(cell) for cell in row] for row in net.encoder.describe()]
    head, *rows = page.tables["Importance by permutation"]
    assert head[0] == "column"
    assert head[2] == (
        "fall of the accuracy, %" if target == "pay" else "rise of the mean absolute error"
    )
    table = cg.tables.read(people)
    y = table[target]
    codes = y if target == "salary" else (y == "low").astype(int)
    _, test = cg.datasets.split(codes, rng=0, classes=target == "pay")
    found = cg.metrics.permutation_importance(net, table.take(test), repeats=5, rng=0)
    order = found.order.tolist()
    assert [row[0] for row in rows] == [found.names[index] for index in order]
    assert {row[0] for row in rows} == {"age", "<job>", "noise"}
    assert rows[0][0] == "age"
    scale = 100 if target == "pay" else 1
    assert [float(row[2]) for row in rows] == pytest.approx(
        [scale * found.mean[index] for index in order], rel=0.01, abs=1e-3 * scale
    )
    assert [float(row[3]) for row in rows] == pytest.approx(
        [scale * found.std[index] for index in order], rel=0.01, abs=1e-3 * scale
    )
    shares = [
        float(attributes["style"].removeprefix("--share:"))
        for _, attributes in page.elements
        if attributes.get("class") == "bar"
    ]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 3
    assert f"Measured on {len(test)} test samples" in page.source


def test_a_table_with_compressed_rows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)] * 2
    lines = [f"{word},{rng.normal():.3f},{'ab'[i % 2]}" for i, word in enumerate(words)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["word,x,kind", *lines]) + "\n")
    result, page = train(
        capsys, tmp_path, data, "--target", "kind", "--epochs", "2", "--test-fraction", "0"
    )
    assert result["inputs"] > 256
    net = cg.load(tmp_path / "model.npz")
    assert net.encoder is not None
    assert net.encoder.is_sparse
    assert page.summary("Samples")["inputs"].startswith(f"{result['inputs']}, ")
    assert len(page.tables["Importance by permutation"]) == 3
    assert "Measured on 600 training samples" in page.source


def test_importance_is_measured_within_a_budget(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).normal(size=(300, 12))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, :3].sum(axis=1) > 0)
    monkeypatch.setattr(inputs, "MOST_ROWS", 30)
    monkeypatch.setattr(inputs, "MOST_COLUMNS", 5)
    monkeypatch.setattr(inputs, "SHOWN", 4)
    learned = ["--hidden", "none", "--epochs", "60", "--learning-rate", "0.02"]
    _, page = train(capsys, tmp_path, tmp_path / "data.npz", *learned)
    assert "Measured on 30 of 60 test samples, for the 5 of 12 inputs" in page.source
    rows = page.tables["Importance by permutation, the largest 4 of 5"][1:]
    assert {row[0] for row in rows[:3]} == {"input 1", "input 2", "input 3"}
    monkeypatch.setattr(inputs, "MOST_INPUTS", 11)
    _, page = train(capsys, tmp_path, tmp_path / "data.npz", "--epochs", "1")
    assert "Importance of the inputs" not in page.headings


@pytest.mark.parametrize(
    ("parameters", "columns", "rows"), [(1000, 14, 5000), (10**6, 500, 10**5), (10**9, 99, 1000)]
)
def test_budget(parameters: int, columns: int, rows: int) -> None:
    some_columns, some_rows = inputs._budget(parameters, columns, rows)
    assert 1 <= some_columns <= min(columns, inputs.MOST_COLUMNS)
    assert 1 <= some_rows <= min(rows, inputs.MOST_ROWS)
    least = inputs.LEAST_COLUMNS, inputs.LEAST_ROWS
    products = inputs.REPEATS * parameters * some_columns * some_rows
    assert products <= inputs.MOST_PRODUCTS or (some_columns, some_rows) == least


# --- repeating the run --------------------------------------------------------------------------


def test_the_command_repeats_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "it's $data.npz", ["a", "b", "c"])
    argv = ["train", "it's $data.npz", "--hidden", "8,4", "--activation", "tanh", "--epochs", "7",
            "--optimizer", "sgd", "--learning-rate", "0.05", "--momentum", "0.9",
            "--weight-decay", "1e-4", "--seed", "3", "--test-fraction", "0.3", "--quiet",
            "--output", "model.npz", "--report", "a page.html"]  # fmt: skip
    assert main(argv) == 0
    assert "report          a page.html" in capsys.readouterr().out.splitlines()
    page = Page(Path("a page.html"))
    command = page.text["pre"]
    assert shlex.split(command) == ["cygrad", *argv]
    assert parse(shlex.split(command)[1:]) == parse(argv)
    model = Path("model.npz").read_bytes()
    summary = page.summary("The trained network, as it is saved")
    assert summary == {"file": "model.npz", "SHA-256": hashlib.sha256(model).hexdigest()}
    os.remove("model.npz")
    # Run it in a shell.
    program = command.replace("cygrad", f"{shlex.quote(sys.executable)} -m cygrad", 1)
    environment = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])}
    subprocess.run(["bash", "-c", program], check=True, env=environment, capture_output=True)
    assert Path("model.npz").read_bytes() == model


@pytest.mark.parametrize(
    "word",
    ["plain", "", "a b", "it's", "$HOME `ls` \\ \" !", "-x", "new\nline", "\udcff\udc80", "ö",
     "a\u00a0b", "\u202egpj", "\x1b[0m'", "\udcffab"],
)  # fmt: skip
def test_words_are_quoted_for_a_shell(word: str) -> None:
    script = f"printf %s {shell_quoted(word)}"
    assert script.isprintable()
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True)
    assert done.stdout == os.fsencode(word)


# --- the pictures -------------------------------------------------------------------------------


def test_pictures_do_not_depend_on_the_users_settings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def pictures() -> list[str]:
        data = write_table(tmp_path / "data.npz", ["a", "b"])
        _, page = train(capsys, tmp_path, data, "--epochs", "2")
        return re.findall("<svg.*?</svg>", page.source)

    plain = pictures()
    # Settings that would change a whole picture, or fail.
    settings = {"text.usetex": True, "figure.facecolor": "black", "lines.linewidth": 9}
    with matplotlib.rc_context(settings):
        assert pictures() == plain


# --- failures -----------------------------------------------------------------------------------


def failure(capsys: pytest.CaptureFixture[str], code: int, *argv: str | Path) -> str:
    """Run a training that must fail, and return its one line on stderr."""
    capsys.readouterr()
    assert main(["train", "digits", "--quiet", "--epochs", "1", *map(str, argv)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Change to an empty folder; training raises an error."""

    def fit(*_: object, **__: object) -> None:
        raise AssertionError("the training began")

    monkeypatch.setattr(cg.Trainer, "fit", fit)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/report.html", "--report nowhere/report.html is in no folder that exists"),
        (".", "--report . cannot be written"),
        (os.devnull, f"--report {os.devnull} cannot be written"),
        ("digits-model.npz", "--report digits-model.npz is the model, expected another file"),
        ("./x/../digits-model.npz", "is the model, expected another file"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_the_training(
    capsys: pytest.CaptureFixture[str], untrained: Path, path: str, message: str
) -> None:
    (untrained / "x").mkdir()
    assert message in failure(capsys, 1, "--report", path)
    assert os.listdir(untrained) == ["x"]


def test_the_data_are_not_overwritten(capsys: pytest.CaptureFixture[str], untrained: Path) -> None:
    data = write_table(untrained / "data.npz", ["a", "b"])
    before = data.read_bytes()
    (untrained / "link").symlink_to(data)
    for path in ("data.npz", "link"):
        assert main(["train", "data.npz", "--report", path]) == 1
        assert "is the data, expected another file" in capsys.readouterr().err
    assert data.read_bytes() == before


def test_without_matplotlib(
    capsys: pytest.CaptureFixture[str], untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = failure(capsys, 1, "--report", "report.html")
    assert message.startswith("cygrad: --report needs matplotlib")
    assert message.endswith("pip install 'cygrad[plot]'\n")
    assert os.listdir(untrained) == []


def test_a_report_that_fails_leaves_the_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, page = tmp_path / "model.npz", tmp_path / "report.html"
    page.write_text("old")
    argv = ("--output", model, "--report", page)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(page))

    monkeypatch.setattr("cygrad.cli.report.page.render", full)
    message = failure(capsys, 1, *argv)
    assert message == f"cygrad: {page}: No space left on device; the model is in {model}\n"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cygrad.cli.report.page.render", interrupted)
    message = failure(capsys, 130, *argv)
    assert message == f"cygrad: interrupted, the model is in {model}, but there is no report\n"
    assert cg.load(model).outputs == 10
    assert page.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["model.npz", "report.html"]


def test_a_model_that_fails_leaves_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = tmp_path / "model.npz", tmp_path / "report.html"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(model))

    monkeypatch.setattr(Network, "save", full)
    message = failure(capsys, 1, "--output", model, "--report", path)
    assert message == f"cygrad: {model}: No space left on device\n"
    page = Page(path)
    page.check()
    assert page.headings[2] == "Repeat this run"
    assert "The trained network, as it is saved" not in page.tables


def test_an_interrupt_in_the_training_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cg.Trainer, "fit", interrupted)
    monkeypatch.chdir(tmp_path)
    message = failure(capsys, 130, "--report", "report.html")
    assert message == "cygrad: interrupted, nothing was saved\n"
    assert os.listdir(tmp_path) == []
