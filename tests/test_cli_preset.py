"""``cygrad train --preset``: the model of the recipe, and options that win over it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main, preset
from cygrad.presets import tabular_classifier, tabular_regressor

SMALL = ["--quiet", "--hidden", "16,16", "--epochs", "12", "--batch-size", "32"]
RECIPE = {"hidden": (16, 16), "epochs": 12, "batch_size": 32}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    size = rng.normal(size=120).round(3)
    color = rng.choice(["red", "green", "blue"], 120)
    kind = np.where(size + (color == "red") > 0.3, "rose", "aster")
    price = (1000 + 50 * size + 20 * (color == "blue")).round(2)
    rows = zip(size, color, kind, price, strict=True)
    path = tmp_path / "data.csv"
    path.write_text(
        "size,color,kind,price\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows)
    )
    return path


def train(capsys: Capture, data: Path | str, folder: Path, *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    words = ["train", str(data), "--preset", "tabular", *argv, "--json"]
    assert main([*words, "--output", str(folder / "model.npz")]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("seed", [0, 3])
def test_the_model_is_that_of_the_recipe(
    seed: int, data: Path, capsys: Capture, tmp_path: Path
) -> None:
    options = ["--test-fraction", "0", "--seed", str(seed), "--drop", "price"]
    train(capsys, data, tmp_path, "--target", "kind", *SMALL, *options)
    net = cg.load(tmp_path / "model.npz")
    table = cg.tables.read(data)
    recipe = tabular_classifier(rng=seed, **RECIPE)
    own, history = recipe.fit(table, "kind", drop=["price"])
    assert (net.parameters == own.parameters).all()
    assert (net.predict(table) == own.predict(table)).all()
    assert max(history["val_accuracy"]) > 0.8


def test_quantities_are_those_of_the_recipe(data: Path, capsys: Capture, tmp_path: Path) -> None:
    options = ["--test-fraction", "0", "--drop", "kind", "--dtype", "float64"]
    train(capsys, data, tmp_path, "--target", "price", *SMALL, *options)
    table = cg.tables.read(data)
    recipe = tabular_regressor(rng=0, dtype="float64", **RECIPE)
    own, _ = recipe.fit(table, "price", drop=["kind"])
    predicted = cg.load(tmp_path / "model.npz").predict(table)
    # The unit of the target is in the last layer there, and in the encoder here.
    np.testing.assert_allclose(predicted, own.predict(table), rtol=1e-12)


def test_the_result_has_what_the_preset_set(data: Path, capsys: Capture, tmp_path: Path) -> None:
    result = train(capsys, data, tmp_path, "--target", "kind", *SMALL)
    assert result["preset"] == "tabular"
    assert result["preset_options"] == {
        "standardize": "robust",
        "activation": "selu",
        "loss": "cross_entropy(label_smoothing=0.1)",
        "parametrization": "ntk",
        "scaling_rate": 6.0,
        "optimizer": "adam",
        "learning_rate": 0.04,
        "beta2": 0.95,
        "schedule": "cosine-log",
        "validation": 0.2,
        "best_epoch": True,
    }
    assert [layer["kind"] for layer in result["layers"]] == ["scaling", "dense", "dense", "dense"]
    assert "CosineLog(peak=0.04, steps=36" in result["optimizer"]
    assert "beta2=0.95" in result["optimizer"]
    accuracies = result["history"]["val_accuracy"]
    assert result["validation"]["accuracy"] == pytest.approx(max(accuracies))
    quantity = train(capsys, data, tmp_path, "--target", "price", *SMALL)
    assert quantity["preset_options"]["activation"] == "mish"
    assert quantity["preset_options"]["learning_rate"] == 0.07
    assert quantity["loss"] == "mse"
    assert main(["train", "digits", *SMALL, "--json", "--output", str(tmp_path / "d.npz")]) == 0
    without = json.loads(capsys.readouterr().out)
    assert without["preset"] is None
    assert "preset_options" not in without


@pytest.mark.parametrize(
    ("argv", "option", "key", "value"),
    [
        (["--activation", "relu"], "activation", "layers", "relu"),
        (["--loss", "focal"], "loss", "loss", "focal"),
        (["--learning-rate", "0.5"], "learning_rate", "optimizer", "peak=0.5"),
        (["--schedule", "constant"], "schedule", "optimizer", "learning_rate=0.04,"),
        (["--beta2", "0.9"], "beta2", "optimizer", "beta2=0.9,"),
        (["--optimizer", "sgd"], "optimizer", "optimizer", "SGD(learning_rate=CosineLog(peak=0.01"),
        (["--optimizer", "adamw"], "optimizer", "optimizer", "beta2=0.95"),
        (["--optimizer", "rprop"], "optimizer", "optimizer", "Rprop(learning_rate=0.001"),
        (["--parametrization", "standard"], "parametrization", "layers", "selu"),
        (["--validation", "0"], "validation", "samples", "{'train': 96, 'test': 24}"),
        (["--validation", "10"], "validation", "samples", "'validation': 10"),
        (["--no-best-epoch"], "best_epoch", "stopped", "epochs"),
        (["--early-stopping", "1"], "early_stopping", "stopped", "callback"),
        (["--standardize", "none"], "standardize", "preset", "tabular"),
        (["--no-standardize"], "standardize", "preset", "tabular"),
        (["--numbers", "quantile"], "standardize", "preset", "tabular"),
        (["--norm", "layer", "--dropout", "0.1"], "norm", "layers", "layer_norm"),
        (["--residual"], "residual", "layers", "residual_sum"),
    ],
)
def test_given_options_win(
    argv: list[str],
    option: str,
    key: str,
    value: str,
    data: Path,
    capsys: Capture,
    tmp_path: Path,
) -> None:
    words = [*SMALL, *argv]
    if "rprop" in argv:
        words = [word for word in words if word not in ("--batch-size", "32")]
    result = train(capsys, data, tmp_path, "--target", "kind", *words)
    assert option not in result["preset_options"]
    assert value in str(result[key])


def test_numbers_alone_are_scaled_robustly_too(data: Path, capsys: Capture, tmp_path: Path) -> None:
    argv = ["--target", "price", "--columns", "size", *SMALL]
    train(capsys, data, tmp_path, *argv)
    net = cg.load(tmp_path / "model.npz")
    assert net.encoder is not None
    assert net.encoder.numbers == "robust"
    assert net.input_mean is None


def test_numbers_of_another_scale_win(data: Path, capsys: Capture, tmp_path: Path) -> None:
    train(capsys, data, tmp_path, "--target", "kind", "--numbers", "quantile", *SMALL)
    net = cg.load(tmp_path / "model.npz")
    assert net.encoder is not None
    assert net.encoder.numbers == "quantile"


def test_small_data_need_no_words_on_the_batch(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "small.csv"
    path.write_text("x,y\n" + "".join(f"{k * 0.7},{k % 2}\n" for k in range(20)))
    words = ["train", str(path), "--target", "y", "--preset", "tabular", "--epochs", "2"]
    assert main([*words, "--output", str(tmp_path / "m.npz")]) == 0
    captured = capsys.readouterr()
    assert "batch" not in captured.err
    assert re.search(r"^preset +tabular$", captured.out, re.MULTILINE)
    assert "2 epochs" in captured.out


def test_arrays_are_standardised_and_that_is_said(tmp_path: Path, capsys: Capture) -> None:
    result = train(capsys, "digits", tmp_path, *SMALL, "--epochs", "1")
    assert "standardize" not in result["preset_options"]
    assert any("--standardize robust of --preset tabular" in note for note in result["notes"])
    assert cg.load(tmp_path / "model.npz").input_mean is not None
    words = ["train", "digits", "--standardize", "robust", "--output", str(tmp_path / "m.npz")]
    assert main(words) == 1
    assert "--standardize robust: only for tables" in capsys.readouterr().err


def test_compressed_rows_are_refused(data: Path, capsys: Capture, tmp_path: Path) -> None:
    words = ["train", str(data), "--target", "kind", "--sparse", "yes"]
    words += ["--output", str(tmp_path / "m.npz")]
    needs = "--sparse yes: not with --scaling-rate{}, which needs dense rows"
    assert main([*words, "--preset", "tabular"]) == 1
    assert needs.format(" of --preset tabular") in capsys.readouterr().err
    assert main([*words, "--preset", "tabular", "--scaling-rate", "2"]) == 1
    assert needs.format("") in capsys.readouterr().err


def test_a_cross_validation_has_the_preset(data: Path, capsys: Capture) -> None:
    words = ["train", str(data), "--target", "kind", "--preset", "tabular", "--cv", "3", "--json"]
    assert main([*words, *SMALL]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["preset"] == "tabular"
    assert result["preset_options"]["activation"] == "selu"
    assert result["metrics"]["accuracy"]["mean"] > 0.7
    assert main([*words[:-1], *SMALL]) == 0
    assert re.search(r"^preset +tabular$", capsys.readouterr().out, re.MULTILINE)


def test_the_report_names_the_preset(data: Path, capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report has pictures, of the extra plot")
    page = tmp_path / "report.html"
    train(capsys, data, tmp_path, "--target", "kind", *SMALL, "--report", str(page))
    text = page.read_text()
    assert "tabular, which sets --standardize, --activation" in text
    assert "learned, at 6 times the learning rate" in text
    assert "scaled by median and quartiles" in text
    assert "neural tangent" in text
    assert "of the best epoch" in text


def test_help_has_the_values_of_the_recipe(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")  # lines break within options otherwise
    assert main(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert " ".join(preset.HELP.split()) in text
    classes, quantities = tabular_classifier(), tabular_regressor()
    for words in (
        f"--hidden {','.join(map(str, classes.hidden))} ",
        f"--activation {classes.activation} (quantities: {quantities.activation})",
        f"--scaling-rate {classes.scaling_rate:g} ",
        f"--loss 'cross_entropy({classes.label_smoothing:g})' ({quantities.loss})",
        f"--standardize {classes.numbers}",
        f"--learning-rate {classes.learning_rate:g} ({quantities.learning_rate:g})",
        f"--beta2 {classes.beta2:g} ",
        f"--epochs {classes.epochs} --batch-size {classes.batch_size} ",
        f"--validation {classes.validation:g} ",
    ):
        assert words in preset.HELP, words
    for name in preset.defaults():
        assert f"--{name.replace('_', '-')}" in preset.HELP
    assert main(["train", "data.csv", "--preset", "images"]) == 2
    assert "argument --preset: invalid choice: 'images'" in capsys.readouterr().err


def test_a_model_of_arrays_predicts_files(tmp_path: Path, capsys: Capture) -> None:
    """Columns of an array are columns of a file: never encoded inputs."""
    rng = np.random.default_rng(0)
    X = 50 + 20 * rng.normal(size=(60, 2))
    y = X[:, 0] * 3
    net, _ = tabular_regressor(rng=0, **RECIPE).fit(X, y=y)
    model = str(tmp_path / "model.npz")
    net.save(model)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "all.npy", np.column_stack([X, y]))
    np.savetxt(tmp_path / "X.csv", X, delimiter=",")
    expected = net.predict(X)
    for name in ("X.npy", "X.csv"):
        assert main(["predict", model, str(tmp_path / name)]) == 0
        lines = capsys.readouterr().out.split()
        np.testing.assert_allclose(np.array(lines[1:], float), expected, rtol=1e-6)
    assert main(["evaluate", model, str(tmp_path / "all.npy"), "--target", "-1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mae"] == pytest.approx(abs(expected - y).mean(), rel=1e-6)
    assert main(["predict", model, str(tmp_path / "all.npy")]) == 1
    assert "has 3 input columns, expected 2" in capsys.readouterr().err
    kinds = np.where(X[:, 0] > 50, "high", "low")
    net, _ = tabular_classifier(rng=0, **RECIPE).fit(X, y=kinds)
    net.save(model)
    assert main(["predict", model, str(tmp_path / "X.npy"), "--probabilities"]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.split()]
    assert rows[0] == ["prediction", "probability_high", "probability_low"]
    assert [row[0] for row in rows[1:]] == net.predict(X).tolist()
