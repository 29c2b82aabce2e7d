"""``cygrad train``: the options on the network and on losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.cli.options import parse


def train(capsys: pytest.CaptureFixture[str], output: Path, *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["train", *argv, "--quiet", "--output", str(output), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Write one input and counts whose mean is exp(1 + input)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 200).round(3)
    path = tmp_path / "counts.csv"
    rows = zip(x, rng.poisson(np.exp(1 + x)), strict=True)
    path.write_text("x,n\n" + "".join(f"{a},{n}\n" for a, n in rows))
    return path


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Write one input and 500 + 100 times it, with normal noise of deviation 20."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 600).round(3)
    y = 500 + 100 * x + 20 * rng.standard_normal(600)
    path = tmp_path / "noisy.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b:.3f}\n" for a, b in zip(x, y, strict=True)))
    return path


def kinds(net: cg.Network) -> list[str]:
    return [layer.kind for layer in net.layers]


def test_layers_of_all_kinds_are_in_the_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = tmp_path / "model.npz"
    result = train(
        capsys, model, "digits", "--hidden", "32,32,16", "--activation", "gelu", "--norm", "batch",
        "--residual", "--dropout", "0.1", "--input-dropout", "0.05", "--noise", "0.02",
        "--epochs", "20", "--seed", "3",
    )  # fmt: skip
    net = cg.load(model)
    assert kinds(net) == [
        "noise", "dropout", "dense", "batch_norm", "dropout", "dense", "batch_norm", "dropout",
        "residual_sum", "dense", "batch_norm", "dropout", "dense",
    ]  # fmt: skip
    assert [layer.activation for layer in net.layers if layer.kind == "batch_norm"] == ["gelu"] * 3
    assert [layer.use_bias for layer in net.layers if layer.kind == "dense"] == [False] * 3 + [True]
    assert [layer["kind"] for layer in result["layers"]] == kinds(net)
    assert result["layers"][0]["deviation"] == 0.02
    assert [layer.get("rate") for layer in result["layers"]][1:5] == [0.05, None, None, 0.1]
    # The statistics of the norms and of the inputs are in the model: predictions are the same.
    X, y = cg.datasets.load_digits()
    _, test = cg.datasets.split(y, 0.2)
    assert net.evaluate(X[test], y[test]) == result["test"]
    assert result["test"]["accuracy"] > 0.93


def test_a_first_layer_as_wide_as_the_inputs_has_a_sum_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = tmp_path / "model.npz"
    argv = ["digits", "--residual", "--norm", "layer", "--epochs", "1"]
    train(capsys, model, *argv)
    net = cg.load(model)
    assert kinds(net) == ["dense", "layer_norm", "residual_sum", "dense"]
    assert net.layers[0].use_bias
    assert main(["train", *argv, "--quiet", "--output", str(model)]) == 0
    out = capsys.readouterr().out
    assert "network         64-64-10\n" in out
    assert "64 identity, layer norm relu, residual sum, 10 softmax\n" in out


def test_plain_networks_are_as_before(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    result = train(capsys, model, "digits", "--hidden", "8", "--epochs", "1", "--seed", "2")
    X, y = cg.datasets.load_digits()
    rows, _ = cg.datasets.split(y, 0.2)
    layers = [cg.Dense(8, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", dtype="float32", rng=2)
    net.standardize_inputs(X[rows], shared=True)
    history = cg.Trainer(net, cg.Adam(1e-3), 32, rng=2).fit(X[rows], y[rows])
    assert result["history"]["loss"] == history.loss
    np.testing.assert_array_equal(cg.load(model).parameters, net.parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leaky_relu", "leaky_relu"),
        ("leaky_relu(0.2)", cg.activations.leaky_relu(0.2)),
        ("leaky_relu(slope=0.2)", cg.activations.leaky_relu(0.2)),
        ("leaky_relu(0.01)", "leaky_relu"),
        ("sine(30)", cg.activations.sine(30)),
    ],
)
def test_activations_with_parameters(text: str, expected: object) -> None:
    assert parse(["train", "digits", "--activation", text]).activation == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("huber", "huber"),
        ("huber(0.5)", cg.losses.huber(0.5)),
        ("huber(delta=0.5)", cg.losses.huber(0.5)),
        ("huber(1)", "huber"),
        ("focal(1.5)", cg.losses.focal(1.5)),
        ("pinball(0.1, 0.5, 0.9)", cg.losses.pinball([0.1, 0.5, 0.9])),
        ("pinball(0.9)", cg.losses.pinball(0.9)),
        ("cross_entropy(label_smoothing=0.1)", cg.losses.cross_entropy(0.1)),
    ],
)
def test_losses_with_parameters(text: str, expected: object) -> None:
    assert parse(["train", "digits", "--loss", text]).loss == expected


@pytest.mark.parametrize("loss", ["focal(1)", "squared_hinge", "cross_entropy(0.1)"])
def test_losses_of_classes(loss: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    result = train(capsys, model, "digits", "--loss", loss, "--epochs", "10", "--metrics", "f1")
    assert result["loss"] == str(cg.load(model).loss)
    assert result["test"]["f1"] > 0.9


@pytest.mark.parametrize("loss", ["huber(0.5)", "mae", "log_cosh", "pinball"])
def test_losses_of_quantities(
    loss: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, noisy: Path
) -> None:
    model = tmp_path / "model.npz"
    argv = ["--loss", loss, "--hidden", "none", "--epochs", "40", "--learning-rate", "0.02"]
    result = train(capsys, model, str(noisy), "--target", "y", *argv)
    assert result["test"]["mae"] < 25
    np.testing.assert_allclose(cg.load(model).forward([[0.5]]), [[550]], atol=12)


def test_a_normal_distribution_is_in_the_unit_of_the_target(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, noisy: Path
) -> None:
    model, page = tmp_path / "model.npz", tmp_path / "report.html"
    argv = ["--loss", "gaussian_nll", "--hidden", "none", "--epochs", "60"]
    argv += ["--learning-rate", "0.02"]
    result = train(capsys, model, str(noisy), "--target", "y", *argv, "--metrics", "r2")
    assert result["test"]["r2"] > 0.8
    mean, log_variance = cg.load(model).forward([[0.5]])[0]
    assert mean == pytest.approx(550, abs=10)
    assert np.exp(log_variance / 2) == pytest.approx(20, rel=0.2)
    assert main(["predict", str(model), str(noisy), "--target", "y"]) == 0
    assert capsys.readouterr().out.startswith("prediction,log_variance\n")
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    argv[5] = "2"
    train(capsys, model, str(noisy), "--target", "y", *argv, "--report", str(page))
    assert page.read_text().count("Predicted and true values</figcaption>") == 1


def test_quantiles_are_side_by_side(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, noisy: Path
) -> None:
    model, page = tmp_path / "model.npz", tmp_path / "report.html"
    argv = ["--loss", "pinball(0.1,0.5,0.9)", "--hidden", "none", "--epochs", "60"]
    argv += ["--learning-rate", "0.02", "--validation", "0.2"]
    result = train(capsys, model, str(noisy), "--target", "y", *argv, "--metrics", "r2")
    assert result["test"]["r2"] > 0.8
    low, middle, high = cg.load(model).forward([[0.5]])[0]
    np.testing.assert_allclose([low, middle, high], [524.4, 550, 575.6], atol=12)
    assert main(["predict", str(model), str(noisy), "--target", "y"]) == 0
    assert capsys.readouterr().out.startswith("quantile_0.1,quantile_0.5,quantile_0.9\n")
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    argv[5] = "2"
    train(capsys, model, str(noisy), "--target", "y", *argv, "--report", str(page))
    # Of the quantiles the middle one is drawn: residuals of the others are no errors.
    assert "Predicted and true values" in page.read_text()
    assert "output 3" not in page.read_text()


def test_counts_are_not_standardised(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, counts: Path
) -> None:
    model, page = tmp_path / "model.npz", tmp_path / "report.html"
    argv = [str(counts), "--target", "n", "--task", "regression", "--loss", "poisson"]
    argv += ["--hidden", "none", "--learning-rate", "0.05"]
    result = train(capsys, model, *argv, "--epochs", "30")
    assert result["layers"][-1]["activation"] == "exp"
    assert result["test"]["deviance"] < 2
    np.testing.assert_allclose(cg.load(model).forward([[0.0]]), [[np.e]], rtol=0.2)
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    train(capsys, model, *argv, "--epochs", "2", "--report", str(page))
    text = page.read_text()
    assert "mean Poisson deviance" in text
    assert "in standard deviations of the target" not in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--activation", "softmax"], "argument --activation: 'softmax', expected one of identity"),
        (["--activation", "gelu(2)"], "argument --activation: 'gelu(2)', expected gelu"),
        (["--activation", "elu(a)"], "argument --activation: 'elu(a)', expected numbers"),
        (["--activation", "elu(0)"], "argument --activation: alpha of elu is 0"),
        (["--activation", "elu(x=1)"], "expected elu(alpha), with a number"),
        (["--activation", "elu(1"], "argument --activation: 'elu(1'"),
        (["--loss", "hubert"], "argument --loss: 'hubert', expected one of auto, cross_entropy"),
        (["--loss", "huber(0)"], "argument --loss: delta is 0.0"),
        (["--loss", "huber(1,2)"], "expected huber(delta), with a number"),
        (["--loss", "huber()"], "argument --loss: 'huber()', expected numbers"),
        (["--loss", "mse(1)"], "argument --loss: 'mse(1)', expected mse"),
        (["--loss", "pinball(2)"], "argument --loss: quantiles is"),
        (["--loss", "huber(__import__)"], "expected numbers in the brackets"),
        (
            ["--dropout", "1"],
            "argument --dropout: '1', expected a number of at least 0 and below 1",
        ),
        (["--norm", "group"], "argument --norm: invalid choice: 'group'"),
        (["--noise", "-1"], "argument --noise: '-1', expected a number of at least 0"),
        (["--hidden", "none", "--norm", "batch"], "argument --norm: only with hidden layers"),
        (["--hidden", "none", "--residual"], "argument --residual: only with hidden layers"),
        (["--hidden", "none", "--dropout", "0.1"], "argument --dropout: only with hidden layers"),
    ],
)
def test_wrong_options_are_named(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "digits", *argv]) == 2
    assert message in capsys.readouterr().err


def test_no_width_for_a_sum_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    argv = ["--residual", "--hidden", "32,16", "--output", str(tmp_path / "model.npz")]
    assert main(["train", "digits", *argv]) == 1
    assert "--residual: no hidden layer has as many inputs as units" in capsys.readouterr().err
