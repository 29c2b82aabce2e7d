"""``cygrad train``: schedules, validation, budgets and the log."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad import metrics
from cygrad.cli import main
from cygrad.cli.loop import SHAPES

SMALL = ["--quiet", "--hidden", "8"]


def train(capsys: pytest.CaptureFixture[str], folder: Path, *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    output = str(folder / "model.npz")
    assert main(["train", "digits", *SMALL, *argv, "--output", output, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture
def quantities(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "quantities.csv"
    rows = rng.normal(size=(100, 2)).round(3)
    path.write_text("a,b,c\n" + "".join(f"{a},{b},{a + 2 * b + 50}\n" for a, b in rows))
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_every_schedule_trains_to_its_end(
    shape: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    result = train(capsys, tmp_path, "--schedule", shape, "--epochs", "6", "--learning-rate", "0.1")
    rates = result["history"]["learning_rate"]
    assert len(rates) == 6
    assert all(0 <= rate <= 0.1 for rate in rates)
    if shape == "cosine-log":
        assert rates[0] == 0
    elif shape not in ("constant", "plateau", "one-cycle"):
        assert rates[0] == 0.1
        assert "=0.1, " in result["optimizer"]
    if shape in ("linear", "polynomial", "cosine", "exponential", "step"):
        assert rates[-1] < rates[0]
        assert sorted(rates, reverse=True) == rates


def test_a_schedule_falls_over_all_epochs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--schedule", "linear", "--epochs", "4", "--learning-rate", "0.1"]
    rates = train(capsys, tmp_path, *arguments)["history"]["learning_rate"]
    np.testing.assert_allclose(rates, [0.1, 0.075, 0.05, 0.025], rtol=1e-12)
    arguments[1] = "exponential"
    rates = train(capsys, tmp_path, *arguments)["history"]["learning_rate"]
    np.testing.assert_allclose(rates, 0.1 * 0.01 ** (np.arange(4) / 4), rtol=1e-12)


def test_a_warm_up_rises_by_epochs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--schedule", "cosine", "--warmup", "2", "--epochs", "4", "--learning-rate", "0.1"]
    result = train(capsys, tmp_path, *arguments)
    # 1438 samples in batches of 32 are 45 steps.
    np.testing.assert_allclose(
        result["history"]["learning_rate"], [0.1 / 91, 4.6 / 91, 0.1, 0.05], rtol=1e-12
    )
    assert "Warmup(steps=90" in result["optimizer"]


@pytest.mark.parametrize(("share", "rows"), [("0.1", 144), ("200", 200)])
def test_a_validation_part_is_taken_from_the_training_part(
    share: str, rows: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chosen = ["--validation", share, "--metrics", "f1,top_3"]
    result = train(capsys, tmp_path, "--epochs", "3", *chosen)
    assert result["samples"] == {"train": 1438 - rows, "validation": rows, "test": 359}
    history = result["history"]
    for name in ("loss", "accuracy", "f1", "top_3"):
        assert history[f"val_{name}"][-1] == pytest.approx(result["validation"][name], rel=1e-6)
    X, y = cg.datasets.load_digits()
    _, test = cg.datasets.split(y, 0.2)
    outputs = cg.load(tmp_path / "model.npz").forward(X[test])
    assert result["test"]["f1"] == pytest.approx(metrics.f1(y[test], outputs))
    assert result["stopped"] == "epochs"


def test_metrics_without_validation_are_those_of_the_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, quantities: Path
) -> None:
    output = str(tmp_path / "model.npz")
    arguments = ["train", str(quantities), "--target", "c", *SMALL, "--metrics", "r2,rmse,mae"]
    assert main([*arguments, "--output", output, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert "val_r2" not in result["history"]
    assert result["test"].keys() == {"loss", "mae", "r2", "rmse"}
    assert result["test"]["rmse"] == pytest.approx(result["test"]["loss"] ** 0.5, rel=1e-5)
    assert main([*arguments, "--validation", "20", "--output", output]) == 0
    out = capsys.readouterr().out
    assert "validation r2" in out
    assert "(20 samples)" in out


def test_early_stopping_keeps_the_best_epoch(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--validation", "0.3", "--early-stopping", "2", "--learning-rate", "0.05"]
    result = train(capsys, tmp_path, "--epochs", "300", *arguments)
    losses = result["history"]["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == result["epochs"] == best + 3 < 300
    assert result["validation"]["loss"] == pytest.approx(losses[best], rel=1e-6)
    assert result["stopped"] == "callback"
    output = str(tmp_path / "model.npz")
    assert main(["train", "digits", *SMALL, "--epochs", "300", *arguments, "--output", output]) == 0
    assert "ended by        --early-stopping" in capsys.readouterr().out


def test_budgets_end_a_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = train(capsys, tmp_path, "--max-steps", "50")
    assert (result["epochs"], result["stopped"]) == (2, "max_steps")
    rows = 1438 + 5 * 32
    assert result["samples_per_second"] == pytest.approx(rows / result["seconds"])
    result = train(capsys, tmp_path, "--max-seconds", "0.2", "--epochs", "100000")
    assert result["stopped"] == "max_seconds"
    assert 0.1 < result["seconds"] < 2


def test_a_log_has_the_epochs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    result = train(capsys, tmp_path, "--epochs", "3", "--validation", "0.1", "--log", str(path))
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["epoch", "steps", *result["history"]]
    assert [float(row[2]) for row in rows] == result["history"]["loss"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quantities.csv", "is the data, expected another file"),
        ("model.npz", "is the model, expected another file"),
        ("notes.txt", "which exists and is no log of a training"),
        ("nowhere/log.csv", "is in no folder that exists"),
    ],
)
def test_a_log_replaces_no_other_file(
    name: str, message: str, capsys: pytest.CaptureFixture[str], quantities: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("a note\n")
    argv = ["train", str(quantities), "--target", "c", "--output", str(tmp_path / "model.npz")]
    assert main([*argv, "--log", str(tmp_path / name)]) == 1
    line = capsys.readouterr().err
    assert line.startswith("cygrad: --log ")
    assert line.endswith(f"{message}\n")
    assert line.count("\n") == 1
    assert not (tmp_path / "model.npz").exists()
    assert (tmp_path / "notes.txt").read_text() == "a note\n"


def test_the_report_shows_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    page = tmp_path / "report.html"
    arguments = ["--schedule", "cosine", "--warmup", "1", "--validation", "0.1"]
    arguments += ["--early-stopping", "5", "--max-steps", "60", "--metrics", "f1"]
    train(capsys, tmp_path, *arguments, "--report", str(page))
    text = page.read_text()
    for part in (
        "cosine, after a rise over 1 epoch",
        "after 5 epochs without improvement",
        "60 steps",
        "10 % of the other samples",
        "--max-steps",
        "validation f1",
    ):
        assert part in text, part
    assert "Validation is by the test samples" not in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--schedule", "cosines"], "argument --schedule: invalid choice: 'cosines'"),
        (["--warmup", "-1"], "argument --warmup: '-1', expected an integer of at least 0"),
        (["--warmup", "2", "--schedule", "cosine-log"], "--warmup: not with --schedule cosine-log"),
        (
            ["--warmup", "2", "--preset", "tabular"],
            "--warmup: not with --schedule cosine-log of --preset tabular, which rises from 0",
        ),
        (["--warmup", "50"], "argument --warmup: 50, expected fewer than the 50 epochs"),
        (["--validation", "1.5"], "argument --validation: '1.5', expected a share between 0 and 1"),
        (["--validation", "-1"], "argument --validation: '-1'"),
        (["--best-epoch"], "argument --best-epoch: only with --validation"),
        (["--metrics", "f1,f2"], "argument --metrics: 'f2', expected names among accuracy"),
        (["--early-stopping", "3"], "argument --early-stopping: only with --validation"),
        (["--max-seconds", "0"], "argument --max-seconds: '0', expected a number above 0"),
        (["--max-steps", "0"], "argument --max-steps: '0', expected an integer of at least 1"),
    ],
)
def test_wrong_options_are_named(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "digits", *argv]) == 2
    assert message in capsys.readouterr().err


def test_metrics_have_to_fit_the_task(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", "digits", "--metrics", "r2", "--output", str(tmp_path / "m.npz")]) == 1
    assert "--metrics: metric 'r2' needs numbers as targets" in capsys.readouterr().err


def test_too_many_validation_samples_are_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--validation", "1438", "--output", str(tmp_path / "m.npz")]
    assert main(["train", "digits", *arguments]) == 1
    assert "validation is 1438, expected an integer from 1 to 1437" in capsys.readouterr().err
