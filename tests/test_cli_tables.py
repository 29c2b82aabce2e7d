"""Tables on the command line: text, gaps, dates and names of columns; what is said or refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg
from cygrad.cli import main
from cygrad.tables import Encoder

QUICK = ["--epochs", "3", "--hidden", "8"]


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> tuple[str, str]:
    """Run a command, and return what it wrote to stdout and stderr."""
    capsys.readouterr()
    assert main(list(map(str, argv))) == code
    out, err = capsys.readouterr()
    return out, err


def notes_of(err: str) -> list[str]:
    return [line.removeprefix("cygrad: ") for line in err.splitlines() if line[:6] == "cygrad"]


def rows_of(out: str) -> list[list[str]]:
    return list(csv.reader(out.splitlines()))


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join(([header] if header else []) + rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """People: numbers, text with gaps, a date, a column of names, and the class high or low."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(200):
        age, job = rng.integers(20, 70), rng.choice(["baker", "clerk", "smith"])
        is_high = age + 20 * (job == "smith") + rng.normal(0, 3) > 50
        day = np.datetime64("2023-01-01") + rng.integers(0, 700)
        hours = "" if i % 7 == 0 else f"{rng.normal(40, 5):.1f}"
        job = "?" if i % 11 == 0 else job
        rows.append(f"p{i},{age},{job},{hours},{day},{'high' if is_high else 'low'}")
    return write(tmp_path / "people.csv", "name,age,job,hours,day,pay", rows)


@pytest.fixture
def model(people: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = people.with_name("people.npz")
    run(capsys, "train", people, "--target", "pay", "--epochs", "60", "--output", path, "--quiet")
    return path


class TestTrain:
    def test_text_gaps_and_dates(
        self, capsys: pytest.CaptureFixture[str], people: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "net.npz"
        out, err = run(
            capsys, "train", people, "--target", "pay", "--epochs", "60", "--json", "--output", path
        )
        result = json.loads(out)
        assert result["classes"] == ["high", "low"]
        assert result["test"]["accuracy"] > 0.8
        notes = notes_of(err)
        assert notes == result["notes"]
        assert "guessed: separator ',' (--separator)" in notes
        assert "left out: column 'name', unique text (--keep)" in notes
        assert any(note.startswith("guessed: gaps ") for note in notes)
        net = cg.load(path)
        assert net.encoder is not None
        assert net.encoder.columns == ("age", "job", "hours", "day")
        assert result["inputs"] == net.inputs == len(net.encoder.input_names)

    def test_the_encoder_learns_from_the_training_part_alone(
        self, capsys: pytest.CaptureFixture[str], people: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "net.npz"
        argv = ["--target", "pay", "--validation", "0.25", "--seed", "5", *QUICK, "--json"]
        out, _ = run(capsys, "train", people, *argv, "--output", path)
        table = cg.tables.read(people)
        codes = np.unique(table["pay"].astype(str), return_inverse=True)[1]
        train, _ = cg.datasets.split(codes, rng=5)
        net = cg.load(path)
        assert net.encoder is not None
        assert json.loads(out)["samples"] == {"train": 120, "validation": 40, "test": 40}
        center = net.encoder.config()["columns"][1]["scaling"]["center"]
        ages = table["age"]
        assert center not in (ages.mean(), ages[train].mean())
        assert center * 120 == pytest.approx(round(center * 120))  # the mean of 120 integers

    def test_quiet_says_only_what_was_left_out(
        self, capsys: pytest.CaptureFixture[str], people: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "net.npz"
        argv = ["train", people, "--target", "pay", *QUICK, "--output", path, "--quiet"]
        _, err = run(capsys, *argv)
        assert err == "cygrad: left out: column 'name', unique text (--keep)\n"
        _, err = run(capsys, *argv, "--drop", "name")
        assert err == ""
        _, err = run(capsys, *argv, "--keep", "name")
        assert err == ""
        net = cg.load(path)
        assert net.encoder is not None
        assert net.encoder.columns[0] == "name"

    def test_columns_by_name_and_number(
        self, capsys: pytest.CaptureFixture[str], people: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "net.npz"
        argv = ["train", people, "--target", "-1", *QUICK, "--output", path, "--quiet"]
        run(capsys, *argv, "--columns", "job,2")
        net = cg.load(path)
        assert net.encoder is not None
        assert net.encoder.columns == ("job", "age")
        run(capsys, *argv, "--columns", "age", "--categorical", "age")
        net = cg.load(path)
        assert net.encoder is not None
        assert all(name.startswith("age=") for name in net.encoder.input_names)

    def test_numbers_alone_keep_their_order_and_are_standardised_by_the_network(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3)).round(3)
        rows = [",".join(map(str, [*x, "ab"[i % 2]])) for i, x in enumerate(X)]
        data = write(tmp_path / "data.csv", "p,q,r,kind", rows)
        path = tmp_path / "net.npz"
        sgd = ["--optimizer", "sgd", "--learning-rate", "0.1", "--schedule", "constant"]
        argv = ["train", data, "--target", "kind", *QUICK, *sgd, "--output", path, "--quiet"]
        run(capsys, *argv)
        net = cg.load(path)
        y = np.arange(60) % 2
        train, _ = cg.datasets.split(y, rng=0)
        np.testing.assert_allclose(net.input_mean, X[train].mean(axis=0))
        layers = [cg.Dense(8, "relu"), cg.Dense(2, "softmax")]
        same = cg.Network(3, layers, loss="cross_entropy", rng=0)
        same.standardize_inputs(X[train])
        cg.Trainer(same, cg.SGD(0.1), batch_size=32, rng=0).fit(X[train], y[train], epochs=3)
        np.testing.assert_array_equal(net.parameters, same.parameters)
        table = cg.tables.read(data)
        np.testing.assert_array_equal(net.forward(table), net.forward(X))

    def test_several_targets(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=120).round(3)
        kinds = rng.choice(["a", "b"], 120)
        rows = [
            f"{v},{k},{100 * v:.2f},{5 + (k == 'a') - v:.3f}" for v, k in zip(x, kinds, strict=True)
        ]
        data = write(tmp_path / "data.csv", "x,kind,up,down", rows)
        path = tmp_path / "net.npz"
        out, _ = run(
            capsys, "train", data, "--target", "up", "--target", "4", "--epochs", "300",
            "--learning-rate", "0.01", "--output", path, "--json", "--quiet",
        )  # fmt: skip
        assert json.loads(out)["task"] == "regression"
        out, err = run(capsys, "predict", path, data)
        header, *predicted = rows_of(out)
        assert header == ["prediction_up", "prediction_down"]
        table = cg.tables.read(data)
        expected = np.c_[table["up"], table["down"]]
        errors = np.abs(np.array(predicted, float) - expected).mean(axis=0)
        assert errors[0] < 10
        assert errors[1] < 0.2
        assert err == ""

    def test_a_mean_far_from_zero(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        rows = [f"{i},{1_600_000_000 + i / 10}" for i in range(200)]
        data = write(tmp_path / "clock.csv", "x,t", rows)
        path = tmp_path / "net.npz"
        out, err = run(
            capsys, "train", data, "--target", "t", "--epochs", "100", "--learning-rate", "0.01",
            "--output", path, "--json",
        )  # fmt: skip
        assert json.loads(out)["test"]["mae"] < 0.1
        assert json.loads(out)["dtype"] == "float64"
        assert "the model is in float64" in err
        out, err = run(capsys, "predict", path, data)
        predicted = np.array([row[0] for row in rows_of(out)[1:]], float)
        assert np.abs(predicted - (1_600_000_000 + np.arange(200) / 10)).mean() < 0.1

    def test_rows_without_a_target_are_left_out(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        labels = ["yes", "no", "yes", "no", "?", "NA", ""] * 6
        data = write(tmp_path / "d.csv", "a,y", [f"{i**2},{y}" for i, y in enumerate(labels)])
        argv = ["train", data, "--target", "y", *QUICK, "--output", tmp_path / "net.npz"]
        out, err = run(capsys, *argv, "--json", "--quiet")
        assert json.loads(out)["classes"] == ["no", "yes"]
        assert json.loads(out)["samples"] == {"train": 20, "test": 4}
        assert err == "cygrad: left out: 18 rows without a target, the first in line 6\n"

    def test_reading_options(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        rows = [f"{i % 5},5;{-200 if i % 4 == 0 else i**2};{'uv'[i % 2]}" for i in range(40)]
        data = write(tmp_path / "d.txt", "", rows)
        path = tmp_path / "net.npz"
        run(
            capsys, "train", data, "--target", "3", *QUICK, "--output", path, "--separator", ";",
            "--decimal", ",", "--no-header", "--missing", "-200", "--quiet",
        )  # fmt: skip
        net = cg.load(path)
        assert net.encoder is not None
        assert net.encoder.input_names == ("column_1", "column_2", "column_2_gap")
        argv = ["predict", path, data, "--target", "3", "--separator", ";", "--decimal", ","]
        with_gaps, _ = run(capsys, *argv, "--missing", "-200")
        without, _ = run(capsys, *argv)
        assert rows_of(with_gaps)[0] == rows_of(without)[0] == ["prediction"]
        table = cg.tables.read(data, separator=";", decimal=",", gaps=["-200"])
        assert [row[0] for row in rows_of(with_gaps)[1:]] == net.predict(table).tolist()

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["--target", "sort"], "which has the columns name, age, job, hours, day, pay"),
            (["--target", "pay", "--drop", "sort"], "--drop is 'sort', expected a column of"),
            (["--target", "pay", "--columns", "pay"], "no column that can be an input"),
            (["--target", "pay", "--target", "age"], "expected a number"),
            (["--target", "pay", "--missing", "low"], "has one class, 'high', expected two"),
            (["--target", "pay", "--task", "regression"], "(pay) is 'high', expected a number"),
            ([], "'p0', expected a number; no target is named"),
        ],
    )
    def test_failures(
        self,
        capsys: pytest.CaptureFixture[str],
        people: Path,
        tmp_path: Path,
        argv: list[str],
        message: str,
    ) -> None:
        out, err = run(
            capsys, "train", people, *argv, "--output", tmp_path / "net.npz", "--quiet", code=1
        )
        assert out == ""
        assert message in err
        assert err.count("\n") == 1
        assert not (tmp_path / "net.npz").exists()

    def test_arrays_have_no_options_of_text(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        np.save(tmp_path / "d.npy", np.zeros((20, 3)))
        argv = ["train", tmp_path / "d.npy", "--output", tmp_path / "net.npz", "--target", "1"]
        _, err = run(capsys, *argv, "--missing", "0", code=1)
        assert "--missing: only for tables of text" in err
        _, err = run(capsys, *argv, "--no-header", code=1)
        assert "--header: only for tables of text" in err

    def test_a_report_of_a_table(
        self, capsys: pytest.CaptureFixture[str], people: Path, tmp_path: Path
    ) -> None:
        pytest.importorskip("matplotlib")
        page = tmp_path / "report.html"
        argv = ["train", people, "--target", "pay", *QUICK, "--report", page, "--quiet"]
        run(capsys, *argv, "--output", tmp_path / "net.npz")
        assert "job=baker" in page.read_text(encoding="utf-8")

    def test_many_words_train_as_compressed_rows(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(0)
        words = rng.integers(0, 200, (400, 2))
        rows = [f"w{a},v{b},{'xy'[a % 2]}" for a, b in words]
        data = write(tmp_path / "d.csv", "a,b,kind", rows)
        path = tmp_path / "net.npz"
        argv = ["train", data, "--target", "kind", "--epochs", "20", "--output", path, "--json"]
        out, _ = run(capsys, *argv, "--quiet", "--validation", "0.1", "--metrics", "f1")
        net = cg.load(path)
        assert net.encoder is not None
        assert net.encoder.is_sparse
        assert json.loads(out)["train"]["accuracy"] == 1
        run(capsys, *argv, "--quiet", "--noise", "0.1")
        net = cg.load(path)
        assert net.encoder is not None
        assert not net.encoder.is_sparse

    def test_compressed_rows_give_the_same_model(
        self,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        rows = [f"w{i % 41},v{i * i % 53},{i % 7}.5,{'xy'[i % 2]}" for i in range(300)]
        data = write(tmp_path / "d.csv", "a,b,c,kind", rows)
        taken = []
        fit = cg.Trainer.fit

        def watched(self: cg.Trainer, X: Any, *arguments: Any, **options: Any) -> Any:
            taken.append(X)
            return fit(self, X, *arguments, **options)

        monkeypatch.setattr(cg.Trainer, "fit", watched)
        nets = []
        for name, faster in (("sparse", True), ("dense", False)):
            if not faster:
                monkeypatch.setattr(Encoder, "trains_faster_sparse", False)
            path = tmp_path / f"{name}.npz"
            run(capsys, "train", data, "--target", "kind", "--epochs", "3", "--output", path)
            nets.append(cg.load(path))
        assert [isinstance(X, np.ndarray) for X in taken] == [False, True]
        assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")


class TestPredict:
    def test_names_of_columns_in_any_order(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path, tmp_path: Path
    ) -> None:
        expected, err = run(capsys, "predict", model, people)
        assert err == ""
        header, *rows = rows_of(people.read_text())
        order = [header.index(name) for name in ("day", "job", "hours", "age")]
        lines = [",".join(row[i] for i in order) + ",more" for row in rows]
        swapped = write(tmp_path / "swapped.csv", "day,job,hours,age,other", lines)
        assert run(capsys, "predict", model, swapped) == (expected, "")
        renamed = write(tmp_path / "renamed.csv", "day,job,hour,years,other", lines)
        _, err = run(capsys, "predict", model, renamed, code=1)
        assert "lacks the columns age, hours; it has day, job, hour, years, other" in err

    def test_the_predictions_are_those_of_the_network(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path
    ) -> None:
        out, err = run(
            capsys, "predict", model, people, "--probabilities", "--id", "name", "--target", "pay"
        )
        header, *rows = rows_of(out)
        assert header == ["name", "prediction", "probability_high", "probability_low"]
        net, table = cg.load(model), cg.tables.read(people)
        assert [row[0] for row in rows] == table["name"].tolist()
        assert [row[1] for row in rows] == net.predict(table).tolist()
        np.testing.assert_array_equal(
            np.array([row[2:] for row in rows], np.float32), net.forward(table)
        )
        accuracy = net.evaluate(table)["accuracy"]
        assert err == f"accuracy {100 * accuracy:.2f} % (200 samples)\n"

    def test_numbers_as_ids_are_written_as_they_are(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path
    ) -> None:
        out, _ = run(capsys, "predict", model, people, "--id", "hours")
        hours = [row[3] for row in rows_of(people.read_text())[1:]]
        found = [row[0] for row in rows_of(out)[1:]]
        assert [text and float(text) for text in found] == [text and float(text) for text in hours]
        assert found[0] == ""

    def test_unseen_words_and_gaps_are_counted(
        self, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
    ) -> None:
        rows = ["30,pilot,40,2023-05-01", "40,clerk,,2023-06-01", ",pilot,38,2023-07-01"]
        data = write(tmp_path / "new.csv", "age,job,hours,day", rows)
        _, err = run(capsys, "predict", model, data)
        assert notes_of(err) == [
            "column 'age': 1 gaps are filled in, and there were none in the training",
            "column 'job': 2 values were not in the training ('pilot')",
        ]

    def test_a_file_without_header_has_the_order_of_the_training(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path, tmp_path: Path
    ) -> None:
        expected, _ = run(capsys, "predict", model, people)
        _, *rows = rows_of(people.read_text())
        bare = write(tmp_path / "bare.csv", "", [",".join(row[:-1]) for row in rows])
        assert run(capsys, "predict", model, bare, "--no-header") == (expected, "")
        full = write(tmp_path / "full.csv", "", [",".join(row) for row in rows])
        argv = ["predict", model, full, "--no-header"]
        assert run(capsys, *argv, "--target", "-1")[0] == expected
        _, err = run(capsys, *argv, code=1)
        assert "has 6 input columns, expected 5 for" in err
        assert "--target names a column to leave out" in err

    def test_a_model_of_a_file_without_header(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3)).round(3)
        X[:, 2] = 7  # a constant, which is left out
        rows = [",".join(["uv"[i % 2], *map(str, x)]) for i, x in enumerate(X)]
        data = write(tmp_path / "d.csv", "", rows)
        path = tmp_path / "net.npz"
        run(capsys, "train", data, "--target", "1", *QUICK, "--output", path, "--quiet")
        expected, _ = run(capsys, "predict", path, data)
        assert run(capsys, "predict", path, data, "--target", "1")[0] == expected
        inputs = write(tmp_path / "x.csv", "", [",".join(map(str, x)) for x in X])
        assert run(capsys, "predict", path, inputs)[0] == expected
        short = write(tmp_path / "y.csv", "", [",".join(map(str, x[:2])) for x in X])
        _, err = run(capsys, "predict", path, short, code=1)
        assert "has 2 input columns, expected 3 for" in err

    def test_a_model_made_in_python_gives_quantities_in_their_unit(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        x = np.linspace(0, 1, 50)
        rows = [f"{a},{1000 + 50 * a}" for a in x]
        data = write(tmp_path / "d.csv", "x,price", rows)
        encoder = cg.tables.Encoder("price", target_scale="log").fit(cg.tables.read(data))
        net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
        net.encoder = encoder
        path = tmp_path / "net.npz"
        net.save(path)
        table = cg.tables.read(data)
        out, err = run(capsys, "predict", path, data, "--target", "price")
        found = np.array([row[0] for row in rows_of(out)[1:]], float)
        np.testing.assert_array_equal(found, net.predict(table))
        mae = net.evaluate(table)["mae"]
        assert err.startswith("mae ")
        assert float(err.split()[1]) == pytest.approx(mae, rel=1e-5)
        out, _ = run(capsys, "evaluate", path, data, "--json", "--metrics", "rmse")
        result = json.loads(out)
        assert result["mae"] == pytest.approx(mae)
        errors = net.predict(table) - table["price"]
        assert result["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))

    def test_ids_need_names(
        self, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
    ) -> None:
        net = cg.load(model)
        np.save(tmp_path / "x.npy", np.zeros((3, net.inputs)))
        _, err = run(capsys, "predict", model, tmp_path / "x.npy", "--id", "1", code=1)
        assert "--id: only for tables" in err
        _, err = run(capsys, "predict", model, tmp_path / "x.npy", "--decimal", ".", code=1)
        assert "--decimal: only for tables" in err
        out, _ = run(capsys, "predict", model, tmp_path / "x.npy")
        assert len(rows_of(out)) == 4


class TestInfo:
    def test_columns_and_target(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path
    ) -> None:
        out, _ = run(capsys, "info", model, "--json")
        summary = json.loads(out)
        assert summary["columns"] == ["age", "job", "hours", "day"]
        assert summary["target"] == ["pay"]
        assert summary["standardized"] is True


class TestEvaluate:
    def test_it_finds_the_target_by_its_name(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path, tmp_path: Path
    ) -> None:
        net, table = cg.load(model), cg.tables.read(people)
        expected = net.evaluate(table)
        out, err = run(capsys, "evaluate", model, people, "--json", "--metrics", "f1,roc_auc")
        result = json.loads(out)
        assert err == ""
        assert result["samples"] == 200
        assert {name: result[name] for name in expected} == pytest.approx(expected)
        assert 0.5 < result["roc_auc"] <= 1
        out, _ = run(capsys, "evaluate", model, people)
        assert out.splitlines()[0].split() == ["samples", "200"]
        assert f"{100 * expected['accuracy']:.2f} %" in out

    def test_rows_without_a_target_are_left_out(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path, tmp_path: Path
    ) -> None:
        header, *rows = people.read_text().splitlines()
        rows[3] = rows[3].rpartition(",")[0] + ","
        data = write(tmp_path / "d.csv", header, rows)
        out, err = run(capsys, "evaluate", model, data, "--json")
        assert json.loads(out)["samples"] == 199
        assert err == "cygrad: left out: 1 rows without a target\n"

    def test_other_names_and_other_classes(
        self, capsys: pytest.CaptureFixture[str], people: Path, model: Path, tmp_path: Path
    ) -> None:
        text = people.read_text()
        data = tmp_path / "d.csv"
        data.write_text(text.replace("pay", "salary"))
        _, err = run(capsys, "evaluate", model, data, code=1)
        assert "has no target 'pay', expected one named with --target" in err
        expected, _ = run(capsys, "evaluate", model, people)
        assert run(capsys, "evaluate", model, data, "--target", "salary")[0] == expected
        data.write_text(text.replace(",low", ",low."))
        _, err = run(capsys, "evaluate", model, data, code=1)
        assert "'low.', expected one of high, low" in err

    def test_arrays(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3))
        np.savez(tmp_path / "d.npz", X=X, y=X[:, 0])
        path = tmp_path / "net.npz"
        run(capsys, "train", tmp_path / "d.npz", *QUICK, "--output", path, "--quiet")
        out, _ = run(capsys, "evaluate", path, tmp_path / "d.npz", "--json")
        assert json.loads(out)["mae"] == pytest.approx(cg.load(path).evaluate(X, X[:, 0])["mae"])
        np.savez(tmp_path / "d.npz", X=X)
        _, err = run(capsys, "evaluate", path, tmp_path / "d.npz", code=1)
        assert "has no target, expected one named with --target" in err


class TestDescribe:
    def described(self, out: str) -> dict[str, Any]:
        return {row["column"]: row for row in json.loads(out)["columns"]}

    def test_a_table(self, capsys: pytest.CaptureFixture[str], people: Path) -> None:
        out, err = run(capsys, "describe", people, "--target", "pay")
        assert err == ""
        lines = [line.split() for line in out.splitlines()]
        assert lines[0] == ["column", "taken", "for", "inputs", "gaps", "distinct", "values"]
        assert lines[1] == ["name", "left", "out:", "unique", "text", "0", "0", "200"]
        assert lines[2][:3] == ["age", "number", "1"]
        assert lines[3] == ["job", "category", "4", "19", "3"]
        assert lines[6] == ["pay", "target:", "classes", "0", "0", "2"]
        assert lines[8] == ["200", "rows,", "12", "inputs"]
        assert "left out: column 'name', unique text (--keep)" in out

    def test_options_and_json(self, capsys: pytest.CaptureFixture[str], people: Path) -> None:
        out, _ = run(capsys, "describe", people, "--json", "--drop", "name", "--categorical", "age")
        rows = self.described(out)
        assert rows["age"]["taken_for"] == "category"
        assert rows["pay"] == {
            "column": "pay", "taken_for": "category", "inputs": 1, "gaps": 0, "distinct": 2,
        }  # fmt: skip
        assert "name" not in rows
        assert json.loads(out)["rows"] == 200
        assert json.loads(out)["inputs"] == sum(row["inputs"] for row in rows.values())

    def test_dates_in_other_formats_are_said(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        rows = [f"{1 + i % 28:02}.03.2024;{i},5" for i in range(60)]
        path = write(tmp_path / "export.csv", '"am\nTag";Umsatz', rows)
        out, _ = run(capsys, "describe", path)
        assert r"guessed: text in am\nTag" in out.splitlines()
        assert out.splitlines()[-1] == (
            r"column 'am\nTag' was taken for text, and looks like dates of the format %d.%m.%Y "
            "(--dates)"
        )
        out, _ = run(capsys, "describe", path, "--dates", "1=%d.%m.%Y")
        assert out.splitlines()[1].split() == [r"am\nTag", "date", "2", "0", "28"]
        assert "looks like" not in out

    def test_rare_words(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        rows = [f"w{i % 1200},{i % 3}" for i in range(2400)] + ["a,1"] * 5
        data = write(tmp_path / "d.csv", "word,n", rows)
        out, _ = run(capsys, "describe", data)
        note = (
            "column 'word' became 1201 inputs (--min-count joins rare words, --drop leaves it out)"
        )
        assert note in out
        out, _ = run(capsys, "describe", data, "--min-count", "3", "--json")
        assert self.described(out)["word"]["inputs"] == 2

    def test_arrays(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        X = np.arange(60.0).reshape(20, 3) ** 2
        X[4, 1] = np.nan
        np.savez(tmp_path / "d.npz", X=X, y=np.arange(20) % 2)
        out, _ = run(capsys, "describe", tmp_path / "d.npz", "--json")
        rows = self.described(out)
        assert rows["X_2"]["gaps"] == 1
        assert rows["y"]["taken_for"] == "target: classes"
