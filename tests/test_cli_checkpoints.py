"""``cygrad train``: checkpoints, and going on from them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.training.checkpoints.file import read

Out = pytest.CaptureFixture[str]


@pytest.fixture
def out(capsys: Out) -> Out:
    return capsys


COMMON = ["--hidden", "8", "--dropout", "0.1", "--validation", "0.2", "--seed", "3", "--json"]


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 3)).round(3)
    path = tmp_path / "flowers.csv"
    names = np.array(["red", "blue"])[(rows[:, 0] > 0).astype(int)]
    lines = [f"{a},{b},{c},{n}" for (a, b, c), n in zip(rows, names, strict=True)]
    path.write_text("\n".join(["a,b,c,color", *lines]))
    return path


def train(out: Out, data: Path, name: str, *argv: str, code: int = 0) -> tuple[Any, str]:
    """Return the result and what stderr got."""
    output = str(data.with_name(f"{name}.npz"))
    out.readouterr()
    arguments = ["train", str(data), "--output", output, *COMMON, *argv]
    found: Any
    try:
        found = main(arguments)
    except SystemExit as end:
        found = end.code
    assert found == code
    printed = out.readouterr()
    return (json.loads(printed.out) if code == 0 else None), printed.err


@pytest.mark.parametrize("target", ["color", "a"])
def test_an_interrupted_training_goes_on_to_the_same_model(
    target: str, out: Out, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--target", target, "--epochs", "9", "--quiet", "--early-stopping", "20"]
    whole, _ = train(out, flowers, "whole", *options)
    checkpoint = str(flowers.with_name("run.npz"))
    begin = cg.EarlyStopping.on_epoch_end

    def interrupted(self: Any, trainer: Any, epoch: int, logs: Any) -> Any:
        if epoch == 6:
            raise KeyboardInterrupt
        return begin(self, trainer, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(cg.EarlyStopping, "on_epoch_end", interrupted)
        options += ["--checkpoint", checkpoint]
        _, err = train(out, flowers, "model", *options, "--resume", code=130)
        assert f"there is no {checkpoint} yet: the training begins" in err
    assert len(read(checkpoint)["state"]["history"]["rows"]) == 5
    result, err = train(out, flowers, "model", *options, "--resume")
    assert f"the training goes on from {checkpoint}" in err
    for name in result["history"]:
        if name != "seconds":
            assert result["history"][name] == whole["history"][name]
    nets = [cg.load(flowers.with_name(f"{name}.npz")) for name in ("whole", "model")]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert result["test"] == whole["test"]
    # More epochs than there were.
    options[options.index("9")] = "12"
    result, _ = train(out, flowers, "model", *options, "--resume")
    assert result["epochs"] == 12


def test_when_checkpoints_are_written(out: Out, flowers: Path) -> None:
    checkpoint = flowers.with_name("run.npz")
    options = ["--target", "color", "--epochs", "3", "--checkpoint", str(checkpoint)]
    train(out, flowers, "model", *options, "--checkpoint-every", "2")
    assert read(checkpoint)["state"]["history"]["stopped"] == "epochs"
    train(out, flowers, "model", *options, "--checkpoint-seconds", "0.001")
    assert read(checkpoint)["callbacks"][0]["arguments"]["seconds"] == 0.001


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--resume"], "argument --resume: only with --checkpoint"),
        (["--checkpoint-every", "2"], "argument --checkpoint-every: only with --checkpoint"),
        (["--checkpoint", "x.npz", "--cv", "3"], "argument --checkpoint: not with --cv"),
    ],
)
def test_options_that_contradict_each_other(
    argv: list[str], message: str, out: Out, flowers: Path
) -> None:
    assert message in train(out, flowers, "model", "--target", "color", *argv, code=2)[1]


def test_other_options_and_files_are_refused(out: Out, flowers: Path) -> None:
    checkpoint = str(flowers.with_name("run.npz"))
    options = ["--target", "color", "--epochs", "3", "--checkpoint", checkpoint]
    train(out, flowers, "model", *options, "--max-steps", "5")
    for argv, message in (
        (["--max-steps", "9"], "--max-steps is 9, and was 5 in the training of"),
        (["--max-steps", "5", "--optimizer", "sgd"], "class of optimizer is 'SGD', and that of"),
        (["--max-steps", "5", "--seed", "4"], "expected a trainer like that of"),
    ):
        _, err = train(out, flowers, "model", *options, *argv, "--resume", code=1)
        assert message in err
    model = flowers.with_name("model.npz")
    other = flowers.with_name("other.npz")
    os.rename(model, other)
    for path, message in (
        (str(model), "is the model, expected another file"),
        (str(other), "which exists and is no checkpoint"),
        (str(flowers), "is the data, expected another file"),
        (str(flowers / "x.npz"), "is in no folder that exists"),
    ):
        options[-1] = path
        assert message in train(out, flowers, "model", *options, code=1)[1]
