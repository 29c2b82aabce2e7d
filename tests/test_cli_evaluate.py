"""`cygrad evaluate`: results of each class and each target, in text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import cygrad as cg
from cygrad.cli import main


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    capsys.readouterr()
    assert main(["evaluate", *map(str, argv)]) == 0
    return capsys.readouterr().out


def result_of(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(capsys, *argv, "--json"))
    return result


def identity(classes: int, names: list[str] | None = None) -> cg.Network:
    """Return a classifier that predicts the class of the largest input."""
    layers = [cg.Dense(classes, "softmax")]
    net = cg.Network(classes, layers, loss="cross_entropy", dtype="float64")
    net.layers[0].weights, net.layers[0].biases = np.eye(classes), np.zeros(classes)
    net.classes = names
    return net


def samples_of(
    folder: Path, true: list[int], predicted: list[int], classes: int
) -> tuple[Path, Path]:
    """Write samples of which each has a given class and prediction; return data and model."""
    np.savez(folder / "data.npz", X=np.eye(classes)[predicted], y=np.array(true))
    return folder / "model.npz", folder / "data.npz"


TRUE = [0, 0, 0, 1, 1, 2, 2, 2, 2]
PREDICTED = [0, 0, 1, 1, 0, 0, 0, 1, 1]


def test_classes_by_hand(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model, data = samples_of(tmp_path, TRUE, PREDICTED, 3)
    identity(3, ["0", "1", "2"]).save(model)
    result = result_of(capsys, model, data)
    assert result["accuracy"] == pytest.approx(3 / 9)
    assert result["confusion_matrix"] == [[2, 1, 0], [1, 1, 0], [2, 2, 0]]
    assert [row["class"] for row in result["per_class"]] == ["0", "1", "2"]
    assert [row["samples"] for row in result["per_class"]] == [3, 2, 4]
    assert [row["precision"] for row in result["per_class"]] == [2 / 5, 1 / 4, None]
    assert [row["recall"] for row in result["per_class"]] == [2 / 3, 1 / 2, 0]
    assert [row["f1"] for row in result["per_class"]] == [4 / 8, 2 / 6, 0]
    assert [tuple(row.values()) for row in result["confusions"]] == [
        ("2", "0", 2),
        ("2", "1", 2),
        ("0", "1", 1),
        ("1", "0", 1),
    ]


def test_classes_as_in_scikit_learn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn")
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 5, (2, 200))
    model, data = samples_of(tmp_path, true.tolist(), predicted.tolist(), 5)
    identity(5).save(model)
    result = result_of(capsys, model, data)
    assert_array_equal(result["confusion_matrix"], metrics.confusion_matrix(true, predicted))
    precision, recall, f1, samples = metrics.precision_recall_fscore_support(true, predicted)
    for name, expected in (
        ("precision", precision),
        ("recall", recall),
        ("f1", f1),
        ("samples", samples),
    ):
        assert_allclose([row[name] for row in result["per_class"]], expected, rtol=1e-12)


@pytest.mark.parametrize("names", [["a", "bb", "c"], ["a", "a very long name", "c"]])
def test_matrix_in_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, names: list[str]
) -> None:
    _, data = samples_of(tmp_path, TRUE, PREDICTED, 3)
    np.savez(data, X=np.eye(3)[PREDICTED], y=np.array(names)[TRUE])
    identity(3, names).save(tmp_path / "model.npz")
    lines = run(capsys, tmp_path / "model.npz", data).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("confusion matrix"))
    heads, *rows = [line.split() for line in lines[start + 1 : start + 5]]
    is_short = len(names[1]) < 9
    assert heads == (names if is_short else ["1", "2", "3"])
    assert [row[-3:] for row in rows] == [["2", "1", "0"], ["1", "1", "0"], ["2", "2", "0"]]
    labels = [" ".join(row[:-3]) for row in rows]
    assert labels == (names if is_short else [f"{i} {name}" for i, name in enumerate(names, 1)])
    assert len({len(line) for line in lines[start + 1 : start + 5]}) == 1
    table = [line.split() for line in lines[start + 6 :]]
    assert table[0] == ["precision", "and", "recall", "of", "each", "class:"]
    assert table[-1] == ["c", "4", "–", "0.00", "%", "0.00", "%"]


def test_many_classes_have_their_most_frequent_confusions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    true = np.repeat(np.arange(30), 3)
    predicted = true.copy()
    predicted[true == 7] = [7, 9, 9]
    predicted[true == 20] = [20, 20, 1]
    model, data = samples_of(tmp_path, true.tolist(), predicted.tolist(), 30)
    identity(30, [f"class {i}" for i in range(30)]).save(model)
    np.savez(data, X=np.eye(30)[predicted], y=np.array([f"class {i}" for i in range(30)])[true])
    text = run(capsys, model, data)
    assert "confusion matrix" not in text
    lines = [line.split("  ") for line in text.splitlines()]
    assert [part.strip() for part in lines[6] if part] == ["class 7", "class 9", "2", "66.67 %"]
    assert [part.strip() for part in lines[7] if part] == ["class 20", "class 1", "1", "33.33 %"]
    worst = text.splitlines()[9:]
    assert worst[0].startswith("classes of the lowest recall")
    assert [line.split("  ")[0] for line in worst[2:4]] == ["class 7", "class 20"]
    assert len(worst) == 12
    assert np.trace(result_of(capsys, model, data)["confusion_matrix"]) == 87


def test_a_matrix_of_very_many_classes_is_left_out_of_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, data = samples_of(tmp_path, [0, 600, 3], [0, 5, 3], 601)
    identity(601).save(model)
    result = result_of(capsys, model, data)
    assert result["confusion_matrix"] is None
    assert result["confusions"] == [{"true": "600", "predicted": "5", "samples": 1}]
    assert len(result["per_class"]) == 601


@pytest.mark.parametrize("names", [None, ("no", "yes")])
def test_a_single_output_has_two_classes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, names: tuple[str, str] | None
) -> None:
    net = cg.Network(1, [cg.Dense(1, "sigmoid")], loss="binary_cross_entropy")
    net.parameters = [1.0, 0.0]
    net.classes = names
    net.save(tmp_path / "model.npz")
    y = np.array([0, 0, 1, 1, 1])
    targets = y if names is None else np.array(names)[y]
    np.savez(tmp_path / "data.npz", X=np.array([[-1.0], [2], [3], [4], [-5]]), y=targets)
    result = result_of(capsys, tmp_path / "model.npz", tmp_path / "data.npz")
    assert result["confusion_matrix"] == [[1, 1], [1, 2]]
    assert [row["class"] for row in result["per_class"]] == list(names or "01")


def test_decisions_of_several_outputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    net = cg.Network(2, [cg.Dense(2, "sigmoid")], loss="binary_cross_entropy")
    net.layers[0].weights, net.layers[0].biases = np.eye(2), np.zeros(2)
    net.save(tmp_path / "model.npz")
    X = np.array([[1.0, 1], [1, -1], [-1, -1], [-1, 1]])
    y = np.array([[1, 1], [1, 1], [1, 0], [0, 1]])
    np.savez(tmp_path / "data.npz", X=X, y=y)
    result = result_of(capsys, tmp_path / "model.npz", tmp_path / "data.npz")
    assert [tuple(row.values()) for row in result["per_class"]] == [
        ("0", 3, 1.0, 2 / 3, 4 / 5),
        ("1", 3, 1.0, 2 / 3, 4 / 5),
    ]
    assert "confusion_matrix" not in result
    text = run(capsys, tmp_path / "model.npz", tmp_path / "data.npz")
    assert "precision and recall of each output:" in text


def test_quantities_by_hand(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(101, 2))
    noise = rng.normal(size=(101, 2)) * [1, 50]
    y = X @ [[1, 0], [0, 100]] + noise
    net = cg.Network(2, [cg.Dense(2)], loss="mse", dtype="float64")
    net.layers[0].weights, net.layers[0].biases = np.diag([1.0, 100]), np.zeros(2)
    net.save(tmp_path / "model.npz")
    np.savez(tmp_path / "data.npz", X=X, y=y)
    rows = result_of(capsys, tmp_path / "model.npz", tmp_path / "data.npz")["per_target"]
    assert [row["target"] for row in rows] == ["output 1", "output 2"]
    for row, residuals, values in zip(rows, noise.T, y.T, strict=True):
        assert row["mae"] == pytest.approx(np.abs(residuals).mean())
        assert row["rmse"] == pytest.approx(np.sqrt(np.square(residuals).mean()))
        assert row["r2"] == pytest.approx(1 - np.square(residuals).mean() / values.var())
        ordered = np.sort(residuals)[[0, 5, 25, 50, 75, 95, 100]]
        assert list(row["residuals"]) == ["0", "0.05", "0.25", "0.5", "0.75", "0.95", "1"]
        assert_allclose(list(row["residuals"].values()), ordered, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", ["standard", "log", "none"])
def test_quantities_of_a_table_are_in_their_unit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scale: str
) -> None:
    rng = np.random.default_rng(0)
    size, price = rng.normal(size=30), rng.uniform(1000, 2000, 30)
    lines = [f"{a},{b}" for a, b in zip(size, price, strict=True)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["size,price", *lines]) + "\n")
    table = cg.tables.read(data)
    encoder = cg.tables.Encoder(target="price", target_scale=scale).fit(table)
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    net.save(tmp_path / "model.npz")
    (row,) = result_of(capsys, tmp_path / "model.npz", data)["per_target"]
    residuals = price - net.predict(table)
    assert row["target"] == "price"
    assert row["mae"] == pytest.approx(np.abs(residuals).mean(), rel=1e-6)
    assert row["residuals"]["1"] == pytest.approx(residuals.max(), rel=1e-6)
    text = run(capsys, tmp_path / "model.npz", data).splitlines()
    assert text[-1].split()[0] == "price"
    assert "quantiles of the residuals, true − predicted, in the unit of the target:" in text


def test_of_several_quantiles_the_middle_one_is_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net = cg.Network(1, [cg.Dense(3)], loss=cg.losses.pinball((0.1, 0.5, 0.9)), dtype="float64")
    net.parameters = [0.0, 1.0, 0.0, -9.0, 0.0, 9.0]
    net.save(tmp_path / "model.npz")
    X = np.arange(5.0)[:, None]
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0] + 1)
    (row,) = result_of(capsys, tmp_path / "model.npz", tmp_path / "data.npz")["per_target"]
    assert (row["target"], row["mae"]) == ("target", 1.0)


def test_an_unknown_class_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    identity(2, ["a", "b"]).save(tmp_path / "model.npz")
    np.savez(tmp_path / "data.npz", X=np.eye(2), y=np.array(["a", "c"]))
    argv = ["evaluate", str(tmp_path / "model.npz"), str(tmp_path / "data.npz")]
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "is 'c', expected one of a, b" in err
