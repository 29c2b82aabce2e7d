"""``cygrad train``: the options on optimisers, limits, gradients and weights of classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.cli.options import parse
from cygrad.training.optimizers import OPTIMIZERS

SMALL = ["digits", "--hidden", "8", "--epochs", "2"]


def train(capsys: pytest.CaptureFixture[str], folder: Path, *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    output = str(folder / "model.npz")
    assert main(["train", *argv, "--quiet", "--output", output, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_trains(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    result = train(capsys, tmp_path, *SMALL, "--optimizer", name, "--l1", "1e-4", "--max-norm", "3")
    losses = result["history"]["loss"]
    assert losses[1] < losses[0]
    assert "l1=0.0001, max_norm=3.0" in result["optimizer"]
    assert result["batch_size"] == (1438 if name == "rprop" else 32)


def test_limits_reach_optimiser_and_trainer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = ["--optimizer", "sgd", "--momentum", "0.5", "--weight-decay", "0.01"]
    argv += [
        "--decoupled-decay",
        "0.02",
        "--l2-penalty",
        "0.3",
        "--l1",
        "0.003",
        "--max-norm",
        "1.5",
    ]
    argv += ["--clip-norm", "0.7", "--accumulate", "3", "--schedule", "linear", "--seed", "1"]
    result = train(capsys, tmp_path, *SMALL, *argv)
    assert (result["clip_norm"], result["accumulate"]) == (0.7, 3)
    X, y = cg.datasets.load_digits()
    rows, _ = cg.datasets.split(y, 0.2)
    layers = [cg.Dense(8, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", dtype="float32", rng=1)
    net.standardize_inputs(X[rows], shared=True)  # unsigned bytes
    steps = 2 * 15  # 1438 samples, 96 in a step
    optimizer = cg.SGD(
        cg.schedules.LinearDecay(0.01, steps), 0.5, weight_decay=0.01, decoupled_decay=0.02,
        l2_penalty=0.3, l1=0.003, max_norm=1.5,
    )  # fmt: skip
    trainer = cg.Trainer(net, optimizer, 32, rng=1, accumulate=3, clip_norm=0.7)
    trainer.fit(X[rows], y[rows], 2)
    assert trainer.steps == steps
    np.testing.assert_array_equal(cg.load(tmp_path / "model.npz").parameters, net.parameters)


@pytest.mark.parametrize("option", ["clip-value", "clip-norm", "clip-global-norm"])
def test_gradients_are_clipped(
    option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = [*SMALL, "--optimizer", "sgd", "--max-steps", "20"]
    free = train(capsys, tmp_path, *argv)
    clipped = train(capsys, tmp_path, *argv, f"--{option}", "1e-3")
    assert clipped[option.replace("-", "_")] == 1e-3
    assert clipped["train"]["loss"] > free["train"]["loss"] + 0.1


def test_rare_classes_weigh_as_much(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = ["rare"] * 40 + ["frequent"] * 360
    x = rng.normal(size=400) + np.repeat([1.0, 0.0], [40, 360])
    data = tmp_path / "data.csv"
    data.write_text("x,c\n" + "".join(f"{a:.4f},{c}\n" for a, c in zip(x, labels, strict=True)))
    argv = [str(data), "--target", "c", "--hidden", "none", "--epochs", "20", "--metrics",
            "balanced_accuracy", "--learning-rate", "0.05"]  # fmt: skip
    plain = train(capsys, tmp_path, *argv)
    balanced = train(capsys, tmp_path, *argv, "--class-weight", "balanced")
    given = train(capsys, tmp_path, *argv, "--class-weight", "rare=5,frequent=0.5555555555555556")
    assert balanced["train"]["balanced_accuracy"] > plain["train"]["balanced_accuracy"] + 0.1
    assert given["history"]["loss"] == pytest.approx(balanced["history"]["loss"], rel=1e-4)
    assert given["class_weight"] == {"rare": 5.0, "frequent": 0.5555555555555556}
    output = ["--output", str(tmp_path / "other.npz")]
    assert main(["train", *argv, "--class-weight", "scarce=2", *output]) == 1
    assert "--class-weight: 'scarce', expected classes of the data" in capsys.readouterr().err
    quantities = [str(data), "--target", "x", "--class-weight", "balanced", *output]
    data.write_text("x,c\n" + "".join(f"{a:.4f},{a * 2:.3f}\n" for a in x))
    assert main(["train", *quantities]) == 1
    assert "--class-weight: the targets are quantities" in capsys.readouterr().err


def test_statistics_are_printed_and_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = [*SMALL, "--norm", "batch", "--statistics"]
    result = train(capsys, tmp_path, *argv)
    assert len(result["statistics"]) == 2
    assert [row["layer"] for row in result["statistics"][0]] == [0, 1, 2]
    assert all(row["gradient_norm"] > 0 for epoch in result["statistics"] for row in epoch)
    assert "statistics" not in train(capsys, tmp_path, *SMALL)
    assert main(["train", *argv, "--quiet", "--output", str(tmp_path / "model.npz")]) == 0
    assert "layer 2         gradient " in capsys.readouterr().out
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    page = tmp_path / "report.html"
    argv += ["--clip-global-norm", "2", "--class-weight", "balanced", "--accumulate", "2"]
    argv += ["--dropout", "0.1", "--activation", "leaky_relu(0.2)"]
    train(capsys, tmp_path, *argv, "--report", str(page))
    text = page.read_text()
    for part in (
        "Layers in training",
        "Norm of w</figcaption>",
        "norm of all layers, at most 2",
        "balanced",
        "0.1, of inputs 0",
        "leaky_relu(slope=0.2)",
        "dropout 0.1</td>",
    ):
        assert part in text, part


def test_the_help_is_by_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()  # for any terminal
    groups = [line[:-1] for line in out.splitlines() if line.endswith(":") and line[0] != " "]
    assert groups == [
        "positional arguments",
        "options",
        "data",
        "columns",
        "text",
        "other files",
        "preset",
        "network",
        "noise in training, against overfitting",
        "training",
        "limits of the weights",
        "gradients",
        "learning rate in the course of the training",
        "validation",
        "end of the training, before --epochs",
        "log",
        "checkpoints",
        "cross-validation",
        "results",
    ]
    options = out[out.index("\noptions:") : out.index("\ndata:")]
    assert options.count("--") == 1  # --help


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--optimizer", "adam2"], "argument --optimizer: invalid choice: 'adam2'"),
        (["--momentum", "0.9"], "argument --momentum: only with --optimizer sgd or rmsprop"),
        (
            ["--optimizer", "adamw", "--decoupled-decay", "0.1"],
            "argument --decoupled-decay: not with --optimizer adamw",
        ),
        (
            ["--optimizer", "adamw", "--l2-penalty", "0.1"],
            "argument --l2-penalty: not with --optimizer adamw",
        ),
        (["--l2-penalty", "-1"], "argument --l2-penalty: '-1', expected a number of at least 0"),
        (
            ["--optimizer", "rprop", "--schedule", "cosine"],
            "argument --schedule: not with --optimizer rprop",
        ),
        (
            ["--optimizer", "rprop", "--warmup", "2"],
            "argument --warmup: not with --optimizer rprop",
        ),
        (
            ["--optimizer", "rprop", "--learning-rate", "0"],
            "argument --learning-rate: 0, expected a number above 0",
        ),
        (["--l1", "-1"], "argument --l1: '-1', expected a number of at least 0"),
        (["--max-norm", "0"], "argument --max-norm: '0', expected a number above 0"),
        (["--clip-value", "0"], "argument --clip-value: '0', expected a number above 0"),
        (
            ["--clip-value", "1", "--clip-norm", "1"],
            "argument --clip-norm: not allowed with argument --clip-value",
        ),
        (["--accumulate", "0"], "argument --accumulate: '0', expected an integer of at least 1"),
        (["--class-weight", "even"], "argument --class-weight: 'even', expected balanced"),
        (["--class-weight", "1=x"], "argument --class-weight: 'x', expected a number"),
    ],
)
def test_wrong_options_are_named(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "digits", *argv]) == 2
    assert message in capsys.readouterr().err


def test_options_not_given_take_the_optimiser_s_defaults() -> None:
    arguments = parse(["train", "digits", "--optimizer", "adamw"])
    assert (arguments.weight_decay, arguments.l1, arguments.max_norm) == (None, None, None)
