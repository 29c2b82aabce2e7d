"""Tests of the command line: its output, its files and its errors."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import cygrad as cg
from cygrad.cli import main, predict

SMALL = ["--quiet", "--hidden", "8", "--epochs", "3"]


def train_json(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["train", *map(str, argv), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def failure(capsys: pytest.CaptureFixture[str], code: int, *argv: str | Path) -> str:
    """Run a command that must fail, and return its one line on stderr."""
    capsys.readouterr()
    assert main(list(map(str, argv))) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("cygrad")
    return err


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four measures of three well separated kinds of flowers, and their names."""
    rng = np.random.default_rng(0)
    names = ["rose", "aster", "tulip"]
    path = tmp_path_factory.mktemp("data") / "flowers.csv"
    with path.open("w") as file:
        file.write("a,b,kind,c,d\n")
        for i in range(150):
            a, b, c, d = rng.normal(i % 3 * 5, 1, 4).round(3)
            file.write(f"{a},{b},{names[i % 3]},{c},{d}\n")
    return path


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two measures of houses and their prices, which are large numbers."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "houses.csv"
    with path.open("w") as file:
        file.write("area;age;price\n")
        for area, age in rng.uniform((30, 0), (200, 90), (300, 2)):
            file.write(f"{area:.1f};{age:.0f};{250_000 + 4_000 * area - 1_500 * age:.2f}\n")
    return path


@pytest.fixture(scope="module")
def flower_model(flowers: Path) -> Path:
    path = flowers.with_name("flowers.npz")
    arguments = ["train", flowers, "--target", "kind", "--quiet", "--output", path]
    assert main(list(map(str, arguments))) == 0
    return path


# --- train --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_digits_by_default(capsys: pytest.CaptureFixture[str], tmp_path: Path, seed: str) -> None:
    output = tmp_path / "model.npz"
    result = train_json(capsys, "digits", "--seed", seed, "--quiet", "--output", output)
    assert result["test"]["accuracy"] >= 0.97
    assert result["samples"] == {"train": 1438, "test": 359}
    assert result["samples_per_second"] == pytest.approx(
        result["epochs"] * 1438 / result["seconds"]
    )
    X, y = cg.datasets.load_digits()
    _, test = cg.datasets.split(y, 0.2)
    net = cg.load(output)
    assert net.evaluate(X[test], y[test]) == result["test"]
    assert net.classes == tuple("0123456789")


def test_digits_without_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--epochs", "2"]) == 0
    out, err = capsys.readouterr()
    summary = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert summary.keys() == {"task", "network", "train", "test", "time", "samples/s", "saved"}
    assert summary["task"] == "classification (10 classes)"
    assert summary["network"] == "64-64-10"
    assert summary["test"].endswith("% (359 samples)")
    assert summary["saved"].split() == ["to", "digits-model.npz"]
    assert "loss" in err
    assert (tmp_path / "digits-model.npz").is_file()
    assert main(["train", "digits", "--epochs", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_same_seed_same_bits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parameters = []
    for number, seed in enumerate(("3", "3", "4")):
        path = tmp_path / f"{number}.npz"
        train_json(capsys, "digits", *SMALL, "--seed", seed, "--output", path)
        parameters.append(cg.load(path).parameters)
    assert_array_equal(parameters[0], parameters[1])
    assert not np.array_equal(parameters[0], parameters[2])


def test_text_classes(capsys: pytest.CaptureFixture[str], flowers: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.npz"
    result = train_json(
        capsys, flowers, "--target", "3", "--quiet", "--hidden", "16,8", "--activation", "tanh",
        "--epochs", "60", "--batch-size", "10", "--optimizer", "sgd", "--learning-rate", "0.05",
        "--momentum", "0.9", "--weight-decay", "1e-4", "--dtype", "float64", "--seed", "7",
        "--test-fraction", "0.3", "--output", output,
    )  # fmt: skip
    assert result["task"] == "classification"
    assert result["classes"] == ["aster", "rose", "tulip"]
    assert result["samples"] == {"train": 105, "test": 45}
    assert result["test"]["accuracy"] >= 0.95
    assert [layer["units"] for layer in result["layers"]] == [16, 8, 3]
    assert [layer["activation"] for layer in result["layers"]] == ["tanh", "tanh", "softmax"]
    assert (result["batch_size"], result["epochs"], result["seed"]) == (10, 60, 7)
    for part in ("0.05", "0.9", "0.0001"):
        assert part in result["optimizer"]
    assert len(result["history"]["loss"]) == 60
    assert cg.load(output).dtype == np.float64


def test_inputs_are_standardised_by_the_training_part(
    capsys: pytest.CaptureFixture[str], flowers: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model.npz"
    train_json(capsys, flowers, "--target", "kind", *SMALL, "--seed", "5", "--output", output)
    table = cg.datasets.read(flowers, "kind")
    assert table.y is not None
    train, _ = cg.datasets.split(table.y, 0.2, rng=5)
    net = cg.load(output)
    assert net.input_mean is not None
    assert net.input_scale is not None
    assert_allclose(net.input_mean, table.X[train].mean(axis=0))
    assert_allclose(net.input_scale, 1 / table.X[train].std(axis=0))
    train_json(capsys, flowers, "--target", "kind", *SMALL, "--no-standardize", "--output", output)
    assert cg.load(output).input_mean is None


@pytest.mark.parametrize("loss", ["mse", "quadratic"])
def test_quantities_keep_their_unit(
    capsys: pytest.CaptureFixture[str], houses: Path, tmp_path: Path, loss: str
) -> None:
    output = tmp_path / "model.npz"
    result = train_json(
        capsys, houses, "--target", "price", "--loss", loss, "--hidden", "none", "--quiet",
        "--epochs", "100", "--learning-rate", "0.01", "--output", output,
    )  # fmt: skip
    assert result["task"] == "regression"
    assert result["classes"] is None
    # The prices are linear in the inputs, so a linear network learns them up to rounding.
    assert result["test"]["mae"] < 500
    net = cg.load(output)
    assert net.layers[-1].activation == "identity"
    prediction = net.forward([[100.0, 10.0], [40.0, 80.0]])
    assert_allclose(prediction, [[635_000], [290_000]], rtol=0.01)


def test_few_integers_are_classes_by_default(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, output = tmp_path / "data.csv", tmp_path / "model.npz"
    data.write_text("".join(f"{i % 7},{i % 3 - 1}\n" for i in range(60)))
    result = train_json(capsys, data, "--target", "-1", *SMALL, "--output", output)
    assert result["classes"] == ["-1", "0", "1"]
    result = train_json(
        capsys, data, "--target", "-1", *SMALL, "--task", "regression", "--output", output
    )
    assert result["classes"] is None
    assert "mae" in result["test"]


def test_hinge_and_no_test_part(
    capsys: pytest.CaptureFixture[str], flowers: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model.npz"
    result = train_json(
        capsys, flowers, "--target", "kind", *SMALL, "--loss", "hinge", "--test-fraction", "0",
        "--output", output,
    )  # fmt: skip
    assert result["test"] is None
    assert result["samples"] == {"train": 150, "test": 0}
    assert result["layers"][-1]["activation"] == "identity"


def test_npz_idx_and_several_outputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "model.npz"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2, 3))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0] * 1000)
    result = train_json(capsys, tmp_path / "data.npz", *SMALL, "--output", output)
    assert result["inputs"] == 6
    assert result["layers"][-1]["units"] == 3
    assert main(["predict", str(output), str(tmp_path / "data.npz")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "prediction_1,prediction_2,prediction_3"

    images = rng.integers(0, 256, (50, 2, 2), np.uint8)
    labels = (images.mean(axis=(1, 2)) > 127).astype(np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = struct.pack(f">2xBB{array.ndim}I", 8, array.ndim, *array.shape)
        (tmp_path / name).write_bytes(header + array.tobytes())
    result = train_json(capsys, tmp_path / "images-idx3", *SMALL, "--output", output)
    assert result["classes"] == ["0", "1"]


def test_few_samples_make_one_batch(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, output = tmp_path / "data.csv", tmp_path / "model.npz"
    data.write_text("".join(f"{i},{i / 4}\n" for i in range(5)))
    result = train_json(capsys, data, "--target", "2", *SMALL, "--output", output)
    assert result["batch_size"] == 4
    arguments = ("--batch-size", "5", "--output", output)
    assert main(["train", *map(str, (data, "--target", "2", *SMALL, *arguments))]) == 0
    message = capsys.readouterr().err
    assert "--batch-size is 5, and there are 4 samples" in message


# --- predict ------------------------------------------------------------------------------------


def test_predictions_are_names_and_can_be_scored(
    capsys: pytest.CaptureFixture[str], flowers: Path, flower_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    argv = ["predict", flower_model, flowers, "--target", "kind", "--probabilities"]
    assert main([*map(str, argv), "--output", str(output)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    header, *rows = rows_of(output)
    names = ["aster", "rose", "tulip"]
    assert header == ["prediction", *(f"probability_{name}" for name in names)]
    probabilities = np.array([row[1:] for row in rows], np.float32)
    table = cg.datasets.read(flowers, "kind")
    net = cg.load(flower_model)
    assert_array_equal(probabilities, net.forward(table.X))
    assert [row[0] for row in rows] == [names[i] for i in net.predict(table.X)]
    accuracy = net.evaluate(table.X, np.asarray(table.y))["accuracy"]
    assert err == f"accuracy {100 * accuracy:.2f} % (150 samples)\n"
    assert main([*map(str, argv)]) == 0
    assert capsys.readouterr().out == output.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_prediction_without_targets(
    capsys: pytest.CaptureFixture[str], flowers: Path, flower_model: Path, tmp_path: Path
) -> None:
    data = tmp_path / "new.csv"
    data.write_text("0,0,0,0\n5,5,5,5\n")
    assert main(["predict", str(flower_model), str(data)]) == 0
    assert capsys.readouterr() == ("prediction\nrose\naster\n", "")


def test_predicted_quantities_are_written_to_the_bit(
    capsys: pytest.CaptureFixture[str], houses: Path, tmp_path: Path
) -> None:
    model, output = tmp_path / "model.npz", tmp_path / "out.csv"
    for dtype in ("float32", "float64"):
        train_json(capsys, houses, "--target", "price", *SMALL, "--dtype", dtype, "--output", model)
        argv = ["predict", model, houses, "--target", "-1", "--output", output]
        assert main(list(map(str, argv))) == 0
        assert capsys.readouterr().err.startswith("mae ")
        header, *rows = rows_of(output)
        assert header == ["prediction"]
        expected = cg.load(model).forward(cg.datasets.read(houses, -1).X)
        assert_array_equal(np.array(rows, dtype), expected)


@pytest.mark.parametrize("loss", ["mse", "hinge"])
def test_predictions_that_overflow_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, loss: str
) -> None:
    net = cg.Network(2, [cg.Dense(2, weights_init=1.0)], loss=loss, rng=0)
    net.save(tmp_path / "model.npz")
    (tmp_path / "data.csv").write_text("1,2\n3e38,3e38\n")
    output = tmp_path / "out.csv"
    argv = ["predict", tmp_path / "model.npz", tmp_path / "data.csv", "--output", output]
    message = failure(capsys, 1, *argv)
    if loss == "mse":
        assert "data.csv, sample 2: the prediction is [inf inf], expected inputs" in message
    else:
        assert "X has outputs in row 1 that are NaN or infinite" in message
    assert not output.exists()


def test_bytes_share_one_scale(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A pixel that is 0 in nearly all images is not scaled up, and the network learns as well."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = (rng.random((300, 12)) * 60 + 150 * (np.arange(12) % 3 == y[:, None])).astype(np.uint8)
    X[:, 5] = 0
    X[4, 5] = 255
    np.savez(tmp_path / "images.npz", X=X, y=y)
    model = tmp_path / "model.npz"
    argv = ["train", tmp_path / "images.npz", "--output", model, "--epochs", "30"]
    assert main(list(map(str, argv))) == 0
    err = capsys.readouterr().err
    assert err.startswith("cygrad: the inputs are unsigned bytes, standardised by one mean and")
    assert "--standardize columns" in err.splitlines()[0]
    net = cg.load(model)
    assert len(np.unique(net.input_scale)) == 1
    shared = net.evaluate(X, y)["accuracy"]
    for option in ("columns", "none"):
        main([*map(str, argv), "--standardize", option, "--quiet"])
        assert capsys.readouterr().err == ""
        net = cg.load(model)
        assert (net.input_scale is None) == (option == "none")
        assert shared >= net.evaluate(X, y)["accuracy"]
    main([*map(str, argv), "--standardize", "shared", "--quiet"])
    assert len(np.unique(cg.load(model).input_scale)) == 1


def test_predicting_with_networks_made_in_python(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, model = tmp_path / "data.csv", tmp_path / "model.npz"
    data.write_text("x,y\n-9,0\n9,1\n")
    net = cg.Network(1, [cg.Dense(1, "sigmoid")], loss="binary_cross_entropy")
    net.parameters = [1.0, 0.0]
    for classes, names in ((None, ["0", "1"]), (("0", "1"), ["0", "1"])):
        net.classes = classes
        net.save(model)
        argv = ["predict", model, data, "--target", "y", "--probabilities"]
        assert main(list(map(str, argv))) == 0
        out, err = capsys.readouterr()
        header, *rows = csv.reader(out.splitlines())
        assert header == ["prediction", "probability_0", "probability_1"]
        assert [row[0] for row in rows] == names
        for row, right in zip(rows, net.forward([[-9], [9]])[:, 0], strict=True):
            assert [float(text) for text in row[1:]] == pytest.approx([1 - right, right], abs=1e-7)
        assert err == "accuracy 100.00 % (2 samples)\n"


def test_labels_that_exclude_nothing_have_a_probability_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.save(tmp_path / "X.npy", [[-9.0], [9.0]])
    net = cg.Network(1, [cg.Dense(2, "sigmoid")], loss="binary_cross_entropy", dtype="float64")
    net.parameters = [1.0, 0.5, 0.0, 0.0]
    net.classes = ("round", "red")
    net.save(tmp_path / "model.npz")
    argv = [str(tmp_path / "model.npz"), str(tmp_path / "X.npy"), "--probabilities"]
    assert main(["predict", *argv]) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header[-2:] == ["probability_round", "probability_red"]
    found = np.array([row[-2:] for row in rows], float)
    assert_array_equal(found, net.forward([[-9.0], [9.0]]))


def test_output_is_replaced_as_a_whole(
    flowers: Path, flower_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def writerow(self, row: object) -> None:
            pass

        def writerows(self, rows: object) -> None:
            raise OSError(28, "No space left on device", "out.csv")

    output = tmp_path / "out.csv"
    output.write_text("old")
    monkeypatch.setattr(csv, "writer", lambda *_, **__: Full())
    argv = ["predict", flower_model, flowers, "--target", "kind", "--output", output]
    assert main(list(map(str, argv))) == 1
    assert output.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


# --- info and version ---------------------------------------------------------------------------


def test_info(capsys: pytest.CaptureFixture[str], flower_model: Path) -> None:
    assert main(["info", "--json"]) == 0
    config = json.loads(capsys.readouterr().out)
    assert config["cygrad"] == cg.__version__
    assert config["isa"] in config["isa_available"]
    assert main(["info"]) == 0
    assert config["isa"] in capsys.readouterr().out

    assert main(["info", str(flower_model), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["inputs"] == 4
    assert summary["parameters"] == 5 * 64 + 65 * 3
    assert summary["classes"] == ["aster", "rose", "tulip"]
    assert summary["standardized"] is True
    assert main(["info", str(flower_model)]) == 0
    out = capsys.readouterr().out
    assert "64 relu, 3 softmax" in out
    assert "aster, rose, tulip" in out
    assert out.splitlines()[-1].split() == ["standardized", "yes"]


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cygrad {cg.__version__}\n"
    for argv in (["--help"], ["train", "--help"], ["predict", "--help"], ["info", "--help"]):
        assert main(argv) == 0
        assert "usage: cygrad" in capsys.readouterr().out


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "COMMAND"),
        (["grow"], "invalid choice: 'grow'"),
        (["train"], "required: FILE"),
        (["train", "digits", "--epochs", "0"], "--epochs: '0', expected an integer of at least 1"),
        (["train", "digits", "--epochs", "many"], "expected an integer of at least 1"),
        (["train", "digits", "--learning-rate", "-1"], "expected a number of at least 0"),
        (["train", "digits", "--learning-rate", "nan"], "expected a number of at least 0"),
        (["train", "digits", "--weight-decay", "inf"], "expected a number of at least 0"),
        (["train", "x.csv", "--test-fraction", "1"], "at least 0 and below 1"),
        (["train", "digits", "--hidden", "3,,4"], "'3,,4', expected units as in 64,32, or none"),
        (["train", "digits", "--hidden", "0"], "expected units"),
        (["train", "digits", "--activation", "softmax"], "'softmax', expected one of"),
        (["train", "digits", "--momentum", "0.9"], "only with --optimizer sgd"),
        (["train", "digits", "--target", "3"], "--target: the digits have their own"),
        (["train", "digits", "--test-fraction", "0.5"], "--test-fraction: the digits have"),
        (["train", "digits", "--task", "regression"], "the digits are classes"),
        (["train", "digits", "--epoch", "3"], "unrecognized arguments"),
        (["predict", "model.npz"], "required: FILE"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert message in failure(capsys, 2, *argv)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["missing.csv", "--target", "x"], "cygrad: missing.csv: No such file or directory"),
        (["FLOWERS"], "has no target, expected one named with --target"),
        (["FLOWERS", "--target", "sort"], "--target is 'sort', expected a column of "),
        (
            ["FLOWERS", "--target", "kind", "--task", "regression"],
            "line 2, column 3 (kind) is 'rose', expected a number",
        ),
        (
            ["FLOWERS", "--target", "kind", "--loss", "mse"],
            "expected cross_entropy or focal or hinge",
        ),
        (["digits", "--loss", "mse"], "--loss is mse, expected cross_entropy or focal"),
        (["FLOWERS", "--target", "kind", "--output", "FLOWERS"], "is the data"),
        (["digits", "--output", "nowhere/model.npz"], "is in no folder that exists"),
        (["digits", "--output", "."], "cannot be written"),
    ],
)
def test_train_failures(
    capsys: pytest.CaptureFixture[str],
    flowers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = [str(flowers) if part == "FLOWERS" else part for part in argv]
    if argv == [str(flowers)]:
        flowers = tmp_path / "numbers.csv"
        flowers.write_text("1,2\n3,4\n")
        argv = [str(flowers)]
    before = flowers.read_bytes()
    assert message in failure(capsys, 1, "train", *argv)
    assert flowers.read_bytes() == before
    assert not list(tmp_path.glob("*.npz"))


def test_targets_too_large_are_refused_before_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    for exponent, dtype in ((60, "float32"), (200, "float64")):
        data.write_text("".join(f"{row},{row}e{exponent}\n" for row in range(40)))
        message = failure(
            capsys, 1, "train", data, "--target", "2", "--dtype", dtype, "--output", tmp_path / "m"
        )
        assert message == f"cygrad: the targets are too large for {dtype}\n"
    assert os.listdir(tmp_path) == ["data.csv"]


def test_json_has_no_infinity(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("".join(f"{row},{row}e30\n" for row in range(40)))
    argv = (data, "--target", "2", "--epochs", "1", "--output", tmp_path / "model.npz")
    result = train_json(capsys, *argv)
    assert result["test"]["loss"] is None  # its square is beyond float32
    assert 1e30 < result["test"]["mae"] < 1e32


def test_one_class_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,a\n2,a\n")
    assert "has one class, 'a', expected two" in failure(capsys, 1, "train", data, "--target", "2")


def test_divergence_saves_nothing(
    capsys: pytest.CaptureFixture[str], houses: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model.npz"
    message = failure(
        capsys, 1, "train", houses, "--target", "price", "--optimizer", "sgd",
        "--learning-rate", "1e9", "--quiet", "--output", output,
    )  # fmt: skip
    assert "epoch" in message
    assert "step" in message
    assert not output.exists()


def test_predict_failures(
    capsys: pytest.CaptureFixture[str], flowers: Path, flower_model: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2,3,4,5\n")
    message = failure(capsys, 1, "predict", flower_model, data)
    assert "has 5 input columns, expected 4" in message
    assert "--target names a column to leave out" in message
    assert "expected a cygrad network" in failure(capsys, 1, "predict", flowers, data)
    data.write_text("1,2,3,4,lily\n")
    message = failure(capsys, 1, "predict", flower_model, data, "--target", "-1")
    assert "line 1, column 5 (kind) is 'lily', expected one of aster, rose, tulip" in message
    net = cg.Network(4, [cg.Dense(1)], loss="mse")
    net.save(tmp_path / "mse.npz")
    message = failure(capsys, 1, "predict", tmp_path / "mse.npz", data, "--probabilities")
    assert "was trained with mse" in message
    data.write_text("1,2,3,4\n")
    message = failure(capsys, 1, "predict", flower_model, data, "--output", tmp_path)
    assert "something other than a file" in message
    for what, path in (("model", flower_model), ("data", data)):
        before = path.read_bytes()
        message = failure(capsys, 1, "predict", flower_model, data, "--output", path)
        assert f"is the {what}, expected another file" in message
        assert path.read_bytes() == before


def test_characters_that_stdout_cannot_encode(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    net = cg.Network(1, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.classes = ("rosé", "赤")
    model, data, answers = (str(tmp_path / name) for name in ("wine.npz", "new.csv", "out.csv"))
    net.save(model)
    Path(data).write_text("a\n1\n2\n")

    def run(*argv: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
            patch.setattr(sys, "stdout", stdout)
            return main(list(argv)), stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]

    code, out = run("info", model)
    assert code == 0
    assert "classes         ros\\xe9, \\u8d64\n" in out
    code, out = run("predict", model, data)
    assert (code, out) == (1, ""), "predictions are written correctly or not at all"
    assert "class 'rosé' cannot be written in ascii" in capsys.readouterr().err
    assert run("predict", model, data, "--output", answers) == (0, "")
    assert len(Path(answers).read_text(encoding="utf-8").split()) == 3


def test_training_with_closed_stdout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    output = tmp_path / "model.npz"
    argv = ["train", "digits", "--epochs", "1", "--quiet", "--output", str(output)]
    assert main(argv) == 0
    assert output.exists()


def test_defects_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "load_network", lambda _: {}["defect"])
    with pytest.raises(KeyError, match="defect"):
        main(["predict", "model.npz", "data.csv"])


def test_an_interrupt_of_the_imports_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> object:
        raise KeyboardInterrupt

    options = ModuleType("cygrad.cli.options")
    options.__getattr__ = interrupted  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "cygrad.cli.options", options)
    assert main(["train", "digits"]) == 130
    assert capsys.readouterr() == ("", "cygrad: interrupted, nothing was saved\n")


def test_interrupt_saves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cg.Trainer, "fit", interrupted)
    message = failure(capsys, 130, "train", "digits", "--output", tmp_path / "model.npz")
    assert message == "cygrad: interrupted, nothing was saved\n"
    assert not list(tmp_path.iterdir())


# --- the program itself -------------------------------------------------------------------------


@contextmanager
def start(folder: Path, *argv: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    program = subprocess.Popen(
        [sys.executable, "-m", "cygrad", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        try:
            yield program
        except BaseException:
            program.kill()  # else a test that fails waits for its end
            raise


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(5_000, 16))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0])
    with start(tmp_path, "train", "data.npz", "--epochs", "1000000") as program:
        assert program.stderr is not None
        while not (line := program.stderr.readline()).startswith(b"epoch"):  # after the guesses
            assert line
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=15)
    assert program.returncode == 130
    assert out == b""
    assert err.splitlines()[-1] == b"cygrad: interrupted, nothing was saved"
    assert b"Traceback" not in err
    assert os.listdir(tmp_path) == ["data.npz"]


def test_reader_that_closes_the_pipe(flower_model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros((100_000, 4)))
    with start(tmp_path, "predict", flower_model, "data.npy") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == b"prediction\n"
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 1


def test_an_unknown_instruction_set_gives_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cygrad", "info"],
        env={**os.environ, "CYGRAD_ISA": "sse9"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("cygrad: CYGRAD_ISA is 'sse9', expected one")
    assert done.stderr.count("\n") == 1


def test_predicting_imports_nothing_of_training(flower_model: Path, flowers: Path) -> None:
    code = (
        "import sys; from cygrad.cli import main; assert main(sys.argv[1:]) == 0; "
        "print([name for name in sys.modules if name.startswith(('cygrad.training', "
        "'cygrad.experiments', 'cygrad.datasets', 'matplotlib'))], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", flower_model, flowers, "--target", "kind"],
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"
