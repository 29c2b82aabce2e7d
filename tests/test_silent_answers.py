"""Inputs that once gave a silent wrong answer, or were refused: a test for each.

The files are in ``../shared/cases``, and so is the list. The commands get them as they are; in
Python the same is expected.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.exists(), reason=f"no files in {CASES}")
QUICK = ("--epochs", "3", "--quiet")
Run = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in a folder of its own; return its JSON, or CSV as "rows", and stderr."""
    monkeypatch.chdir(tmp_path)

    def run_command(*argv: str | Path, code: int = 0) -> tuple[dict[str, Any], str]:
        before = set(Path().iterdir())
        more = ["--json"] if argv[0] != "predict" else []
        capsys.readouterr()
        assert main([*map(str, argv), *more]) == code
        out, err = capsys.readouterr()
        if code:
            assert (out, err.count("\n"), set(Path().iterdir())) == ("", 1, before)
            return {}, err
        return (json.loads(out) if more else {"rows": list(csv.reader(out.splitlines()))}), err

    return run_command


def train(run: Run, file: str | Path, target: str | None = None, *argv: str) -> dict[str, Any]:
    """Train quickly to the file net.npz, and return the results."""
    named = [] if target is None else ["--target", target]
    return run("train", CASES / file, *named, "--output", "net.npz", *(argv or QUICK))[0]


# --- names and rows -----------------------------------------------------------------------------


@needs_cases
class TestColumns:
    def test_swapped_and_renamed(self, run: Run) -> None:
        train(run, "train.csv", "price", "--epochs", "200", "--quiet")
        net, swapped = cg.load("net.npz"), cg.tables.read(CASES / "swapped.csv")
        ordered = swapped.select(["width", "height"])
        out, _ = run("predict", "net.npz", CASES / "swapped.csv")
        found = np.array([row[0] for row in out["rows"][1:]], np.float32)
        np.testing.assert_array_equal(found, net.predict(ordered).astype(np.float32))
        np.testing.assert_array_equal(net.predict(swapped), net.predict(ordered))
        # The first rows of both files are the same, and so their prices are known.
        price = cg.tables.read(CASES / "train.csv")["price"][: len(found)]
        assert np.abs(found - price).mean() < 5
        message = "lacks the columns height; it has width, depth"
        assert message in run("predict", "net.npz", CASES / "renamed.csv", code=1)[1]
        with pytest.raises(ValueError, match=message):
            net.predict(cg.tables.read(CASES / "renamed.csv"))

    def test_row_numbers_are_no_input(self, run: Run) -> None:
        result = train(run, "indexed.csv", "label", "--epochs", "60", "--quiet")
        assert "left out: column 'column_1', row numbers (--keep)" in result["notes"]
        assert result["inputs"] == 2
        assert result["test"]["accuracy"] < 0.67
        result = train(run, "indexed.csv", "label", "--epochs", "60", "--keep", "1")
        assert result["inputs"] == 3
        assert result["test"]["accuracy"] > 0.67
        table = cg.tables.read(CASES / "indexed.csv")
        with pytest.warns(UserWarning, match="'column_1'"):
            encoder = cg.tables.Encoder("label").fit(table)
        assert encoder.columns == ("a", "b")

    def test_rows_without_a_target(self, run: Run) -> None:
        result = train(run, "unlabelled.csv", "y")
        assert result["classes"] == ["no", "yes"]
        table = cg.tables.read(CASES / "unlabelled.csv")
        known = len(table) - table.gaps["y"]
        assert 0 < known < len(table)
        assert result["samples"]["train"] + result["samples"]["test"] == known
        note = f"left out: {len(table) - known} rows without a target, the first in line 5"
        assert note in result["notes"]
        encoder = cg.tables.Encoder("y").fit(table)
        assert encoder.classes == ("no", "yes")
        assert any(each.startswith("left out: ") for each in encoder.notes)
        with pytest.raises(ValueError, match=r"line 5, column 3 \(y\) is a gap"):
            encoder.targets(table)

    def test_numbers_as_names(self, run: Run, tmp_path: Path) -> None:
        result = train(run, "numbered.csv", "species")
        assert sum(result["samples"].values()) == 45
        assert result["classes"] == ["a", "b", "c"]
        text = (CASES / "numbered.csv").read_text()
        for name, number in zip("abc", "012", strict=True):
            text = text.replace(f",{name}\n", f",{number}\n")
        (tmp_path / "n.csv").write_text(text.replace("species", "4"))
        result = train(run, tmp_path / "n.csv", "4")
        assert sum(result["samples"].values()) == 45
        assert result["classes"] == ["0", "1", "2"]
        assert cg.tables.read(tmp_path / "n.csv").names == ("0", "1", "2", "3", "4")

    def test_names_that_look_like_numbers(self, run: Run) -> None:
        result = train(run, "sites.csv", "label", "--epochs", "40", "--quiet")
        assert result["classes"] == ["01", "02", "10"]
        out, _ = run("predict", "net.npz", CASES / "sites.csv")
        assert {row[0] for row in out["rows"][1:]} <= {"01", "02", "10"}
        table = cg.tables.read(CASES / "sites.csv")
        assert table.kinds == {"site": "text", "b": "number", "label": "text"}
        assert "10_11" in table.column("site").words or "15_1" in table.column("site").words
        with pytest.warns(UserWarning, match="'site': 5 values were not in the training"):
            assert set(cg.load("net.npz").predict(table)) <= {"01", "02", "10"}


# --- tasks --------------------------------------------------------------------------------------


@needs_cases
def test_labels_0_and_1_as_floats(run: Run, tmp_path: Path) -> None:
    table = cg.tables.read(CASES / "floats.csv")
    X, y = table.numbers(["a", "b"]), table["label"]
    np.save(tmp_path / "d.npy", np.c_[X, y])
    np.savez(tmp_path / "d.npz", X=X, y=y)
    for file, target in ((CASES / "floats.csv", "label"), ("d.npy", "3"), ("d.npz", "y")):
        path = tmp_path / file
        result = train(run, path, target)
        assert result["classes"] == ["0", "1"]
        assert any("--task regression for quantities" in note for note in result["notes"])
        assert cg.datasets.read(path, target).classes == ("0", "1")
        _, err = run("train", path, "--target", target, "--output", "net.npz", "--epochs", "1")
        assert "is 2 classes, as it has few different whole numbers (--task regression" in err


@needs_cases
def test_a_clock(run: Run) -> None:
    result = train(run, "clock.csv", "t", "--epochs", "100", "--learning-rate", "0.01", "--quiet")
    assert result["test"]["mae"] < 0.1
    out, _ = run("predict", "net.npz", CASES / "clock.csv")
    table = cg.tables.read(CASES / "clock.csv")
    found = np.array([row[0] for row in out["rows"][1:]], float)
    assert np.abs(found - table["t"]).mean() < 0.1
    assert np.abs(cg.load("net.npz").predict(table) - table["t"]).mean() < 0.1


# --- formats ------------------------------------------------------------------------------------


@needs_cases
class TestText:
    def test_air(self, run: Run) -> None:
        result = train(run, "air.csv", "NOx", *QUICK, "--missing", "-200")
        table = cg.tables.read(CASES / "air.csv", gaps=["", "-200"])
        assert table.names == ("Date", "Time", "CO", "NOx", "T", "RH")
        assert table["CO"][:3].tolist() == [0.9, 1.9, 1.3]
        assert table.gaps["CO"] > 0
        assert sum(result["samples"].values()) == len(table) - table.gaps["NOx"]
        net = cg.load("net.npz")
        assert net.encoder is not None
        assert "CO_gap" in net.encoder.input_names
        _, err = run("evaluate", "net.npz", CASES / "air.csv")
        assert "read as for the training: --missing -200" in err

    def test_excel(self, run: Run) -> None:
        result = train(run, "excel.csv", "y")
        assert result["classes"] == ["ja", "nein"]
        table = cg.tables.read(CASES / "excel.csv")
        assert table.names == ("a", "b", "y")
        assert table["a"][0] == -2.239
        assert sum(result["samples"].values()) == len(table)

    def test_cars(self, run: Run) -> None:
        table = cg.tables.read(CASES / "cars.data")
        assert len(table.names) == 9
        assert table.kinds["column_9"] == "text"
        assert table["column_9"][0] == "maker a 7"
        assert table.gaps["column_4"] == 3
        result = train(run, "cars.data", "1")
        assert result["task"] == "regression"
        assert sum(result["samples"].values()) == len(table)

    def test_income(self, run: Run) -> None:
        result = train(run, "income.data", "-1")
        assert result["classes"] == ["<=50K", ">50K"]
        table, other = (cg.tables.read(CASES / f"income.{part}") for part in ("data", "test"))
        assert (len(table), len(other), len(table.names)) == (120, 40, 7)
        assert table.gaps["column_2"] > 0
        assert other["column_7"][0] == "<=50K."
        place = r"income.test, line 2, column 7 (column_7) is '<=50K.', expected one of <=50K, >50K"
        _, err = run("evaluate", "net.npz", CASES / "income.test", "--target", "7", code=1)
        assert f"{place}; --strip-label '.' takes off the ending" in err
        _, err = run("predict", "net.npz", CASES / "income.test", "--target", "7", code=1)
        assert place in err
        argv = ["net.npz", CASES / "income.test", "--target", "7", "--strip-label", "."]
        assert run("evaluate", *argv)[0]["samples"] == 40
        out, err = run("predict", *argv)
        assert {row[0] for row in out["rows"][1:]} <= {"<=50K", ">50K"}
        assert "accuracy" in err
        stripped = cg.tables.read(CASES / "income.test", strip={-1: "."})
        assert set(stripped["column_7"]) == {"<=50K", ">50K"}
        net = cg.load("net.npz")
        assert f"accuracy {100 * net.evaluate(stripped)['accuracy']:.2f} %" in err
        with pytest.raises(ValueError, match=r"column 7 \(column_7\) is '<=50K.', expected one of"):
            net.evaluate(other)
        assert train(run, "income.test", "-1", *QUICK, "--strip-label", ".")["classes"] == [
            "<=50K", ">50K",
        ]  # fmt: skip

    def test_recurrence(self, run: Run) -> None:
        table = cg.tables.read(CASES / "recurrence.csv")
        lines = (CASES / "recurrence.csv").read_text().strip().splitlines()
        assert len(table) == len(lines)
        assert table["column_1"][0] == "30-39"
        assert sum(table.gaps.values()) == sum(line.count("nan") for line in lines)
        assert any("no header" in note for note in table.notes)
        result = train(run, "recurrence.csv", "-1")
        assert sum(result["samples"].values()) == len(lines)
        assert "guessed: no header (--no-header)" in result["notes"]

    def test_comments(self, run: Run) -> None:
        assert train(run, "comments.csv", "y")["classes"] == ["0", "1"]
        assert cg.tables.read(CASES / "comments.csv").names == ("a", "b", "y")

    def test_ragged(self, run: Run) -> None:
        message = "line 3, column 3: the row has 2 fields, expected 3"
        _, err = run("train", CASES / "ragged.csv", "--target", "y", code=1)
        assert message in err
        with pytest.raises(ValueError, match=message):
            cg.tables.read(CASES / "ragged.csv")


@needs_cases
class TestOtherFormats:
    def test_mood(self, run: Run) -> None:
        table = cg.tables.read(CASES / "mood.arff")
        assert table.names == ("age", "eye colour", "mood")
        assert table.column("eye colour").words == ("blue", "light brown", "dark")
        assert table.gaps == {"age": 4, "eye colour": 0, "mood": 0}
        assert train(run, "mood.arff", "mood")["classes"] == ["bad", "good"]

    def test_words(self, run: Run) -> None:
        table = cg.tables.read(CASES / "words.arff")
        assert table["topic"][:4].tolist() == ["a", "b", "a", "b"]
        assert table.numbers()[0].tolist() == [0, 0, 9, 0, 8, 0]
        result = train(run, "words.arff", "topic")
        assert (result["classes"], result["inputs"]) == (["a", "b"], 6)

    def test_one(self, run: Run) -> None:
        table = cg.tables.read_svmlight(CASES / "one.svm")
        assert table.X.shape == (30, 7)
        assert table.X.toarray()[0].tolist() == [0, 0, 0.54, 0.002, 0.114, 0, 0]
        assert "guessed: columns count from 1, as there is no column 0 (zero_based=)" in table.notes
        result = train(run, "one.svm")
        assert (result["classes"], result["inputs"]) == (["-1", "1"], 7)
        assert cg.load("net.npz").reading == {"zero_based": False}
        assert run("evaluate", "net.npz", CASES / "one.svm")[0]["samples"] == 30


ROWS = "4,2,u\n5,3,v\n6,2,u\n7,3,v\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("age, ?, y\n" + ROWS, "line 1, column 2: the first row may be a header, and '?' in it is"),
        ("a,b,y\n" + ROWS + '"1,234.5",2,u\n', "line 6, column 1 (a) is '1,234.5', expected a num"),
        ("a,b,y\n" + ROWS + "1,234.5,2,u\n", "line 6, column 4: the row has 4 fields, expected 3"),
        ("a;b;y\n" + ROWS.replace(",", ";") + "1.234,5;2;u\n", "line 6, column 1 (a) is '1.234,5'"),
        ("a,b,y\n" + ROWS + "\u22121.5,2,u\n", "line 6, column 1 (a) is '\u22121.5', expected"),
        ("a,b,y\n" + ROWS + "8,\u00a02,u\n", "line 6, column 2 (b) is '\\xa02', expected a number"),
        ("a,b,y\n" + ROWS + "8,2\u202f000,u\n", "line 6, column 2 (b) is '2\\u202f000', expec"),
    ],
)  # fmt: skip
def test_numbers_that_are_none(run: Run, tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    _, err = run("train", path, "--target", "y", code=1)
    assert f"d.csv, {place}" in err
    with pytest.raises(ValueError, match=r"d\.csv, line") as caught:
        cg.tables.read(path)
    assert place in str(caught.value)


@pytest.mark.parametrize("name", ["d.csv.gz", "d.csv", "d.gz", "d.npz"])
def test_a_page_of_an_error(run: Run, tmp_path: Path, name: str) -> None:
    page = b"\n<!doctype HTML>\n<html><head><title>404</title></head></html>\n"
    for data in (page, gzip.compress(page), page.removeprefix(b"\n<!doctype HTML>\n")):
        (tmp_path / name).write_bytes(data)
        _, err = run("train", tmp_path / name, "--target", "1", code=1)
        assert "is HTML, perhaps the page of an error" in err
        with pytest.raises(ValueError, match="is HTML, perhaps the page of an error"):
            cg.tables.read(tmp_path / name)


# --- not about tables ---------------------------------------------------------------------------


def test_the_mean_square_of_one_output() -> None:
    x = np.linspace(-2, 2, 50)[:, np.newaxis]
    for loss, activation in (("mse", "identity"), ("binary_cross_entropy", "sigmoid")):
        net = cg.Network(1, [cg.Dense(1, activation)], loss=loss, rng=0)
        net.parameters = [2.0, 1.0]
        assert net.predict(x).shape == (50,)
        assert net.forward(x).shape == (50, 1)
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    net.parameters = [2.0, 1.0]
    assert np.mean((net.predict(x) - (2 * x[:, 0] + 1)) ** 2) < 1e-12
    assert cg.Network(1, [cg.Dense(2)], loss="mse", rng=0).predict(x).shape == (50, 2)


def test_a_class_of_one_row_is_trained_on() -> None:
    y = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 2])
    for seed in range(30):
        train_rows, _ = cg.datasets.split(y, 0.2, rng=seed)
        assert set(y[train_rows]) == {0, 1, 2}


def test_rounding_is_no_deviation() -> None:
    x = np.full((100, 1), 0.3)
    x[7] = 0.1 + 0.2
    assert x[7] != x[0]
    net = cg.Network(1, [cg.Dense(1, weights_init=1.0)], loss="mse", dtype="float64", rng=0)
    net.standardize_inputs(x)
    assert net.input_scale is not None
    assert net.input_scale.tolist() == [1]
    assert abs(net.predict([[0.31]])[0]) < 1


def test_a_pixel_that_is_nearly_always_black(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (600, 16), np.uint8)
    y = (X[:, 0] > 127).astype(int)
    X[:, 3] = 0
    X[5, 3] = 255
    np.savez(tmp_path / "d.npz", X=X, y=y)
    result = train(run, tmp_path / "d.npz", None, "--epochs", "40", "--quiet")
    net = cg.load("net.npz")
    assert net.input_scale is not None
    assert np.ptp(net.input_scale) == 0
    assert np.abs((255 - net.input_mean) * net.input_scale).max() < 5
    train_rows, test_rows = cg.datasets.split(y, 0.2, rng=0)
    layers = [cg.Dense(64, "relu"), cg.Dense(2, "softmax")]
    by_255 = cg.Network(16, layers, loss="cross_entropy", rng=0)
    trainer = cg.Trainer(by_255, cg.Adam(1e-3), batch_size=32, rng=0)
    trainer.fit(X[train_rows] / 255, y[train_rows], epochs=40)
    accuracy = by_255.evaluate(X[test_rows] / 255, y[test_rows])["accuracy"]
    assert result["test"]["accuracy"] >= accuracy - 0.03


def test_an_overflow_has_no_class(run: Run, tmp_path: Path) -> None:
    net = cg.Network(2, [cg.Dense(2, weights_init=1.0)], loss="hinge", rng=0)
    X = np.array([[1, 2], [3e38, 3e38]], np.float32)
    assert not np.isfinite(net.forward(X)[1]).all()
    with pytest.raises(ValueError, match="row 1"):
        net.predict(X)
    net.save(tmp_path / "net.npz")
    np.save(tmp_path / "d.npy", X)
    assert "row 1" in run("predict", "net.npz", "d.npy", code=1)[1]


class OnlyWrite:
    def write(self, text: str) -> None:
        pass


class OddTerminal(io.StringIO):
    def isatty(self) -> bool:
        raise OSError("no terminal")


def test_progress_on_odd_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
    for stream in (OnlyWrite(), closed, OddTerminal(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        history = cg.Trainer(net, cg.Adam(), batch_size=2, rng=0).fit(
            np.eye(2), [1.0, 2.0], epochs=3, verbose=True
        )
        assert len(history) == 3


@pytest.mark.parametrize(("activation", "low"), [("sigmoid", 0), ("relu", 0), ("tanh", -1)])
def test_targets_outside_of_the_range(activation: str, low: int) -> None:
    net = cg.Network(1, [cg.Dense(1, activation)], loss="mse", rng=0)
    y = [low - 1.0, 0.5, low - 2.0]
    with pytest.warns(UserWarning, match=r"2 of 3|2 targets"):
        cg.Trainer(net, cg.Adam(), batch_size=3, rng=0).fit([[0.0], [1.0], [2.0]], y, epochs=1)


def test_four_rows_are_one_batch(run: Run, tmp_path: Path) -> None:
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    net = cg.Network(2, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    with pytest.warns(UserWarning, match="there are 4 samples to train on: each step takes all"):
        history = cg.Trainer(net, cg.Adam(), rng=0).fit(X, y, epochs=2)
    assert len(history) == 2
    (tmp_path / "xor.csv").write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    result = train(run, tmp_path / "xor.csv", "y", *QUICK, "--test-fraction", "0")
    assert result["batch_size"] == 4


def test_labels_that_are_no_indices() -> None:
    X = np.eye(4)
    net = cg.Network(4, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    trainer = cg.Trainer(net, cg.Adam(), batch_size=4, rng=0)
    for y, hint in (([1, 2, 1, 2], r"y - 1"), ([-1, 1, -1, 1], r"\(y \+ 1\) // 2")):
        with pytest.raises(ValueError, match=hint):
            trainer.fit(X, y, epochs=1)
    column = np.array([[0], [1], [0], [1]])
    assert net.evaluate(X, column) == net.evaluate(X, column[:, 0])


def test_pictures_stay_unknown_to_pyplot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need it")
    from matplotlib import pyplot

    net = cg.Network(2, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    before = pyplot.get_fignums()
    for _ in range(3):
        cg.plotting.save(cg.plotting.network_diagram(net), tmp_path / "net.png")
    assert pyplot.get_fignums() == before
