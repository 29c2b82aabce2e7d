"""`cygrad train --cv`: folds, what each training may know, its results and its predictions."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import cygrad as cg
from cygrad.cli import known, main, train

QUICK = ["--epochs", "3", "--hidden", "8", "--optimizer", "sgd", "--learning-rate", "0.1"]


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> tuple[str, str]:
    """Run ``cygrad train``, and return what it wrote to stdout and stderr."""
    capsys.readouterr()
    assert main(["train", *map(str, argv)]) == code
    out, err = capsys.readouterr()
    return out, err


def results(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(capsys, *argv, *QUICK, "--quiet", "--json")[0])
    return result


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """60 rows of three numbers, a class and a quantity; every tenth class is not known."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).round(3)
    path = tmp_path / "numbers.csv"
    rows = [
        f"{x[0]},{x[1]},{x[2]},{'?' if i % 10 == 5 else 'abc'[i % 3]},{x.sum() * 100 + 5000:.3f}"
        for i, x in enumerate(X)
    ]
    path.write_text("\n".join(["p,q,r,kind,price", *rows]) + "\n")
    return path


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """40 rows with text, of which each word is in few rows, and a number with gaps."""
    rng = np.random.default_rng(1)
    path = tmp_path / "jobs.csv"
    rows = [
        f"n{i},{'' if i % 9 == 2 else rng.integers(20, 70)},{rng.choice(list('abcdefghij'))},"
        f"{'yes' if i % 4 else 'no'}"
        for i in range(40)
    ]
    path.write_text("\n".join(["name,age,job,paid", *rows]) + "\n")
    return path


def test_each_fold_is_a_training_of_its_own(
    capsys: pytest.CaptureFixture[str], numbers: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    argv = [numbers, "--target", "kind", "--drop", "price", "--cv", "4", "--seed", "7"]
    result = results(capsys, *argv, "--output", output, "--probabilities", "--metrics", "f1_macro")
    table = cg.tables.read(numbers)
    table = table.take(table["kind"] != None)  # noqa: E711  # elementwise
    X = table.numbers(["p", "q", "r"])
    y = np.array(["abc".index(kind) for kind in table["kind"]])
    header, *rows = read_rows(output)
    assert header == ["target", "prediction", *(f"probability_{name}" for name in "abc")]
    assert [row[0] for row in rows] == table["kind"].tolist()
    probabilities = np.array([row[2:] for row in rows], np.float32)
    accuracies = []
    parts = cg.datasets.folds(y, 4, rng=7, classes=True)
    for (rows_, test), fold in zip(parts, result["folds"], strict=True):
        layers = [cg.Dense(8, "relu"), cg.Dense(3, "softmax")]
        net = cg.Network(3, layers, loss="cross_entropy", rng=7)
        net.standardize_inputs(X[rows_])
        cg.Trainer(net, cg.SGD(0.1), batch_size=32, rng=7).fit(X[rows_], y[rows_], epochs=3)
        assert_array_equal(probabilities[test], net.forward(X[test]))
        predicted = [rows[row][1] for row in test]
        assert_array_equal(predicted, np.array(list("abc"))[net.predict(X[test])])
        accuracies.append(net.evaluate(X[test], y[test])["accuracy"])
        assert fold["samples"] == {"train": len(rows_), "test": len(test)}
    assert [fold["test"]["accuracy"] for fold in result["folds"]] == accuracies
    assert result["metrics"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert result["metrics"]["accuracy"]["std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert list(result["metrics"]) == ["loss", "accuracy", "f1_macro"]
    assert (result["cv"], result["complete"], result["ddof"]) == (4, True, 1)
    assert (result["samples"], result["classes"]) == (54, ["a", "b", "c"])
    assert result["output"] == str(output)
    assert list(tmp_path.glob("*.npz")) == []


def test_the_encoder_learns_from_the_other_folds_alone(
    capsys: pytest.CaptureFixture[str],
    jobs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nets = []
    learn = train.learn

    def recorded(*args: Any, **options: Any) -> Any:
        trained = learn(*args, **options)
        nets.append(trained.net)
        return trained

    monkeypatch.setattr(train, "learn", recorded)
    output = tmp_path / "out.csv"
    argv = [jobs, "--target", "paid", "--cv", "4", "--output", output, "--id", "name"]
    result = results(capsys, *argv)
    table = cg.tables.read(jobs)
    y = np.array([kind == "yes" for kind in table["paid"]]).astype(np.int64)
    header, *rows = read_rows(output)
    assert header == ["name", "target", "prediction"]
    assert [row[0] for row in rows] == table["name"].tolist()
    for (rows_, test), net in zip(cg.datasets.folds(y, 4, rng=0, classes=True), nets, strict=True):
        expected = cg.tables.Encoder(target="paid", drop=["name"]).fit(table.take(rows_))
        assert net.encoder.input_names == expected.input_names
        config = [column for column in net.encoder.config()["columns"] if column["name"] != "name"]
        assert config == expected.config()["columns"]
        with pytest.warns() if _lacks(table, rows_, test) else contextlib.nullcontext():
            assert_array_equal([rows[row][2] for row in test], net.predict(table.take(test)))
    notes = [note for note in result["notes"] if "outside of the training part" in note]
    assert notes
    assert all(note.startswith("fold") for note in notes)
    assert sum("unique text" in note for note in result["notes"]) == 1


def _lacks(table: Any, rows: Any, test: Any) -> bool:
    return not set(table["job"][test]) <= set(table["job"][rows])


def test_quantities_come_back_in_their_unit(
    capsys: pytest.CaptureFixture[str], numbers: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    argv = [numbers, "--target", "price", "--drop", "kind", "--cv", "3", "--output", output]
    result = results(capsys, *argv, "--metrics", "rmse")
    header, *rows = read_rows(output)
    assert header == ["target", "prediction"]
    y, predicted = np.array(rows, float).T
    assert_array_equal(y, cg.tables.read(numbers)["price"])
    assert 4000 < predicted.min() < predicted.max() < 6000
    for (_, test), fold in zip(cg.datasets.folds(y, 3, rng=0), result["folds"], strict=True):
        mae = np.abs(y - predicted)[test].mean()
        assert fold["test"]["mae"] == pytest.approx(mae, rel=1e-5)
        rmse = np.sqrt(np.square(y - predicted)[test].mean())
        assert fold["test"]["rmse"] == pytest.approx(rmse, rel=1e-5)


def test_several_targets(capsys: pytest.CaptureFixture[str], numbers: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    argv = [numbers, "--target", "price", "--target", "r", "--cv", "3", "--output", output]
    results(capsys, *argv)
    header, *rows = read_rows(output)
    assert header == ["target_price", "target_r", "prediction_price", "prediction_r"]
    assert_array_equal(np.array(rows, float)[:, 1], cg.tables.read(numbers)["r"])


def test_arrays_and_all_options_of_a_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    options = ["--validation", "0.2", "--early-stopping", "1", "--class-weight", "balanced"]
    options += ["--schedule", "cosine", "--warmup", "1", "--norm", "batch", "--dropout", "0.1"]
    argv = ["digits", "--cv", "3", "--output", output, *options]
    result = results(capsys, *argv)
    assert result["folds"][0]["samples"] == {"train": 958, "validation": 240, "test": 599}
    X, y = cg.datasets.load_digits()
    rows = read_rows(output)[1:]
    assert_array_equal([int(row[0]) for row in rows], y)
    right = np.mean([row[0] == row[1] for row in rows])
    assert result["metrics"]["accuracy"]["mean"] == pytest.approx(right, abs=1e-4)
    assert right > 0.5
    np.savez(tmp_path / "digits.npz", X=X, y=y)
    again = results(capsys, tmp_path / "digits.npz", *argv[1:])
    assert again["metrics"] == result["metrics"]


def test_a_class_of_one_row_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(21, 2))
    np.savez(tmp_path / "rare.npz", X=X, y=np.repeat(["a", "b", "c"], [10, 10, 1]))
    _, err = run(capsys, tmp_path / "rare.npz", "--cv", "3", *QUICK)
    assert "class of a single row, which is tested without being learned: 'c'" in err


def test_text_has_each_fold_mean_and_spread(
    capsys: pytest.CaptureFixture[str], numbers: Path
) -> None:
    argv = [numbers, "--target", "price", "--drop", "kind", "--cv", "3"]
    out, err = run(capsys, *argv, *QUICK)
    lines = out.splitlines()
    assert "model           none: --cv saves no model" in lines
    table = [line.split() for line in lines[lines.index("") + 1 :] if line]
    folds = results(capsys, *argv)["folds"]
    assert [row[0] for row in table] == ["fold", "1", "2", "3", "mean", "deviation", "deviation:"]
    assert [row[-1] for row in table[1:4]] == [f"{fold['test']['mae']:.6g}" for fold in folds]
    assert "with ddof=1" in lines[-1]
    assert [line[:9] for line in err.splitlines() if line.startswith("fold")] == [
        f"fold {number}/3 " for number in (1, 2, 3)
    ]


def test_a_pipe_gets_ten_lines_of_many_folds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "some.npz", X=rng.normal(size=(34, 2)), y=np.repeat([0, 1], 17))
    _, err = run(capsys, tmp_path / "some.npz", "--cv", "34", *QUICK)
    lines = [line for line in err.splitlines() if line.startswith("fold")]
    assert 5 <= len(lines) <= 10
    assert lines[-1].startswith("fold 34/34")


def test_a_terminal_gets_one_line(
    capsys: pytest.CaptureFixture[str], numbers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        argv = ["train", str(numbers), "--target", "price", "--drop", "kind", "--cv", "4"]
        assert main([*argv, *QUICK]) == 0
    progress = [line for line in terminal.getvalue().split("\n") if "cross-validation" in line]
    assert len(progress) == 1
    assert "fold 4/4" in progress[0].rpartition("\r")[2]


@pytest.mark.parametrize("done", [0, 2])
@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupt_prints_the_folds_that_were_tested(
    capsys: pytest.CaptureFixture[str],
    numbers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: int,
    as_json: bool,
) -> None:
    learn, calls = train.learn, []

    def interrupted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) > done:
            raise KeyboardInterrupt
        return learn(*args, **options)

    monkeypatch.setattr(train, "learn", interrupted)
    output = tmp_path / "out.csv"
    argv = [numbers, "--target", "price", "--drop", "kind", "--cv", "4", "--output", output]
    out, err = run(capsys, *argv, *QUICK, *["--json"] * as_json, code=130)
    assert err.splitlines()[-1] == (
        f"cygrad: interrupted, {done} of 4 folds were tested; {output} is not written"
    )
    assert not output.exists()
    if not done:
        assert out == ""
    elif as_json:
        result = json.loads(out)
        assert (len(result["folds"]), result["complete"], result["output"]) == (2, False, None)
    else:
        assert "folds           2 of 4\n" in out
        assert "\nmean " in out


def test_what_does_not_go_together_is_refused(
    capsys: pytest.CaptureFixture[str], numbers: Path, tmp_path: Path
) -> None:
    target = [numbers, "--target", "kind"]
    for argv, message in [
        (["--cv", "1"], "'1', expected an integer of at least 2"),
        (["--cv", "3", "--output", "model.npz"], "expected a CSV file for the predictions"),
        (["--cv", "3", "--report", "x.html"], "argument --report: not with --cv"),
        (["--cv", "3", "--test-fraction", "0.1"], "argument --test-fraction: not with --cv"),
        (["--cv", "3", "--log", "x.csv"], "argument --log: not with --cv"),
        (["--cv", "3", "--statistics"], "argument --statistics: not with --cv"),
        (["--cv", "3", "--probabilities"], "--probabilities: only with --output"),
        (["--id", "p"], "argument --id: only with --cv"),
    ]:
        assert message in run(capsys, *target, *argv, code=2)[1]
    output = tmp_path / "out.csv"
    for argv, message in [
        (["--cv", "55"], "--cv is 55, expected 2 to 54, the number of samples"),
        (["--cv", "3", "--output", str(numbers)], "is the data, expected another file"),
        (["--cv", "3", "--output", str(output), "--id", "x"], "--id is 'x', expected a column of"),
        (["--cv", "3", "--output", "-", "--json"], "--output -: not with --json"),
        (
            ["--cv", "3", "--output", str(output), "--probabilities", "--loss", "hinge"],
            "--probabilities: the network was trained with hinge",
        ),
    ]:
        out, err = run(capsys, *target, "--drop", "price", *argv, *QUICK, "--quiet", code=1)
        assert message in err.splitlines()[-1]
        assert out == ""
    assert not output.exists()


def test_predictions_to_stdout_are_those_of_the_file(
    capsys: pytest.CaptureFixture[str],
    numbers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = [numbers, "--target", "kind", "--cv", "3", "--id", "p", "--probabilities", "--quiet"]
    summary, _ = run(capsys, *argv, *QUICK, "--output", "out.csv")
    out, err = run(capsys, *argv, *QUICK, "--output", "-")
    assert out == Path("out.csv").read_text()
    assert err.splitlines()[-1] == summary.splitlines()[-1]  # the table of the folds
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numbers.csv", "out.csv"]


def test_a_test_part_of_the_file_is_divided_too_and_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.arange(30) % 2
    path = tmp_path / "parts.npz"
    np.savez(path, x_train=X[:20], y_train=y[:20], x_test=X[20:], y_test=y[20:])
    result = results(capsys, path, "--cv", "3")
    assert result["samples"] == 30
    assert "the folds are of all samples, those of the test part among them" in result["notes"]
    assert not any(note.startswith("the test part is") for note in result["notes"])


def test_a_prediction_that_overflows_is_named_by_its_row_in_the_data(
    capsys: pytest.CaptureFixture[str],
    numbers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def overflowing(net: cg.Network, samples: known.KnownSamples) -> Any:
        predicted = net.predict(samples.X)
        predicted[1] = np.inf
        return predicted

    monkeypatch.setattr(known, "predict", overflowing)
    output = tmp_path / "out.csv"
    argv = [numbers, "--target", "price", "--drop", "kind", "--cv", "3", "--output", output]
    _, err = run(capsys, *argv, *QUICK, "--quiet", code=1)
    prices = np.array([float(row[-1]) for row in read_rows(numbers)[1:]])
    _, test = cg.datasets.folds(prices, 3, rng=0)[0]
    assert f", sample {test[1] + 1}: the prediction is inf" in err
    assert not output.exists()


def test_stdin_is_no_file_that_predictions_could_overwrite(
    capsys: pytest.CaptureFixture[str],
    numbers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with numbers.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        argv = ["-", "--target", "kind", "--cv", "2", "--output", "./-"]
        run(capsys, *argv, *QUICK, "--quiet")
    assert len(read_rows(tmp_path / "-")) == 55
