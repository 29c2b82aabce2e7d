"""Formats of files on the command line, stdin and stdout, and options that a model keeps."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import cygrad as cg
from cygrad.cli import main

QUICK = ["--epochs", "2", "--hidden", "4", "--quiet"]
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in a folder of its own, with bytes on stdin; return stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run_command(*argv: str | Path, code: int = 0, stdin: bytes = b"") -> tuple[str, str]:
        capsys.readouterr()
        file = io.TextIOWrapper(io.BytesIO(stdin))
        monkeypatch.setattr(sys, "stdin", file)
        assert main(list(map(str, argv))) == code
        out, err = capsys.readouterr()
        if code:
            assert out == ""
            assert err.count("\n") == 1
        return out, err

    return run_command


def trained(run: Run, *argv: str | Path, stdin: bytes = b"") -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run("train", *argv, *QUICK, "--json", stdin=stdin)[0])
    return result


def predicted(out: str) -> list[str]:
    return [row[0] for row in csv.reader(out.splitlines())][1:]


def svm(X: Any, y: Any, first: int = 1) -> str:
    return "".join(
        f"{label} " + " ".join(f"{i + first}:{x!r}" for i, x in enumerate(row) if x) + "\n"
        for row, label in zip(X.tolist(), y, strict=True)
    )


@pytest.fixture
def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) * (rng.random((80, 5)) < 0.7)
    X[:, 0] = X[:, 4] = 0
    X[0] = X[40] = 1.5
    return X, np.where(X[:, 1] > 0, 1, -1)


def test_a_named_target_of_a_file_with_parts(run: Run) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    parts = {"x_train": X[:50], "y_train": y[:50], "x_test": X[50:], "y_test": y[50:]}
    np.savez("d.npz", **parts)
    result = trained(run, "d.npz", "--target", "y_train")
    assert (result["inputs"], result["samples"]) == (3, {"train": 50, "test": 10})
    assert result["test"] == trained(run, "d.npz")["test"]
    # Another target: all other arrays are inputs, as cygrad describe says.
    np.savez("e.npz", x_train=X, y_train=y, w=y + 0.5 * X[:, 0])
    assert trained(run, "e.npz", "--target", "w")["inputs"] == 4
    out, _ = run("predict", "e-model.npz", "e.npz")
    assert len(predicted(out)) == 60
    assert run("predict", "e-model.npz", "e.npz", "--target", "w")[0] == out
    assert "60 rows, 4 inputs" in run("describe", "e.npz", "--target", "w")[0]


class TestSvmlight:
    @pytest.mark.parametrize("ending", [".svm", ".libsvm", ".svmlight", ".svm.gz", ".txt"])
    def test_all_commands(self, run: Run, rows: Any, tmp_path: Path, ending: str) -> None:
        text = svm(*rows).encode()
        data = Path(f"d{ending}")
        data.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
        out, err = run("train", data, "--epochs", "40", "--json")
        assert json.loads(out)["classes"] == ["-1", "1"]
        assert "columns count from 1, as there is no column 0 (--zero-based)" in err
        assert "guessed: 5 columns, the largest one (--features)" in err
        net = cg.load("d-model.npz")
        assert net.reading == {"zero_based": False}
        X, y = rows
        names = [str(label) for label in y.tolist()]
        accuracy = net.evaluate(X, (y + 1) // 2)["accuracy"]
        assert accuracy > 0.8
        out, err = run("predict", "d-model.npz", data)
        assert np.mean([a == b for a, b in zip(predicted(out), names, strict=True)]) == accuracy
        assert "read as for the training: --no-zero-based" in err
        assert f"accuracy {100 * accuracy:.2f} % (80 samples)" in err
        assert json.loads(run("evaluate", "d-model.npz", data, "--json")[0])["samples"] == 80
        out, _ = run("describe", data)
        assert out.startswith(f"80 rows, 5 inputs, {np.count_nonzero(X)} numbers that are not 0\n")

    def test_the_first_column_and_their_number_are_those_of_the_training(
        self, run: Run, rows: Any
    ) -> None:
        X, y = rows
        Path("zero.svm").write_text(svm(X, y, first=0))
        _, err = run("train", "zero.svm", *QUICK)
        assert err == ""
        net = cg.load("zero-model.npz")
        assert net.reading == {"zero_based": True}
        # Without its columns at both ends a file does not show from where it counts.
        few = X.copy()
        few[:, [0, 4]] = 0
        Path("few.svm").write_text(svm(few, y, first=0))
        out, _ = run("predict", "zero-model.npz", "few.svm")
        assert net.classes is not None
        assert predicted(out) == [net.classes[index] for index in net.predict(few)]
        Path("more.svm").write_text("1 5:2\n")
        _, err = run("predict", "zero-model.npz", "more.svm", code=1)
        assert "more.svm, line 1: column 5 is outside 0 to 4; read as for the training" in err
        run("predict", "zero-model.npz", "more.svm", "--no-zero-based")

    def test_labels_that_the_model_does_not_know(self, run: Run, rows: Any) -> None:
        Path("d.svm").write_text(svm(*rows))
        run("train", "d.svm", *QUICK)
        Path("new.svm").write_text("0 2:1\n0 3:1\n")
        out, err = run("predict", "d-model.npz", "new.svm")
        assert len(predicted(out)) == 2
        assert "the targets of the file are not compared: new.svm, line 1, the target is '0'" in err
        _, err = run("evaluate", "d-model.npz", "new.svm", code=1)
        assert "new.svm, line 1, the target is '0', expected one of -1, 1" in err

    def test_networks_that_need_dense_rows(self, run: Run) -> None:
        rng = np.random.default_rng(0)
        X = np.zeros((40, 300))
        for row in X:
            row[rng.choice(300, 5, replace=False)] = 1.5
        X[0, [0, -1]] = 2.5
        y = np.arange(40) % 2
        Path("d.svm").write_text(svm(X, y, first=0))
        Path("d.csv").write_text("a,y\n" + "".join(f"w{i % 9},{i % 2}\n" for i in range(40)))
        for argv in (
            ["--scaling-rate", "6"],
            ["--noise", "0.1"],
            ["--input-dropout", "0.1"],
            ["--residual", "--hidden", "300"],
        ):
            words = ["train", "d.svm", *QUICK, *argv]
            _, err = run(*words, code=1)
            message = f"d.svm has compressed rows, which {argv[0]} does not take; --sparse no"
            assert err.startswith(f"cygrad: {message}")
            run(*words, "--sparse", "no", "--standardize", "none")
            net = cg.load("d-model.npz")
            out, _ = run("predict", "d-model.npz", "d.svm")
            assert net.classes is not None
            assert predicted(out) == [net.classes[index] for index in net.predict(X)]
            if "--residual" not in argv:
                words = ["train", "d.csv", "--target", "y", *QUICK, *argv, "--sparse", "yes"]
                assert f"--sparse yes: not with {argv[0]}" in run(*words, code=1)[1]

    def test_many_columns_stay_sparse(self, run: Run) -> None:
        rng = np.random.default_rng(0)
        X = np.zeros((120, 400))
        X[np.arange(120), rng.integers(0, 400, 120)] = 1
        X[:, 7] = np.arange(120) % 2
        X[0, 399] = 1
        Path("d.svm").write_text(svm(X, X[:, 7].astype(int)))
        run("train", "d.svm", "--epochs", "30", "--quiet")
        net = cg.load("d-model.npz")
        assert net.inputs == 400
        assert net.input_mean is None
        assert json.loads(run("evaluate", "d-model.npz", "d.svm", "--json")[0])["accuracy"] > 0.95
        run("train", "d.svm", *QUICK, "--sparse", "no")
        assert cg.load("d-model.npz").input_mean is not None

    def test_refusals(self, run: Run, rows: Any) -> None:
        Path("d.svm").write_text(svm(*rows))
        _, err = run("train", "d.svm", *QUICK, "--target", "y", code=1)
        assert "--target is y, but d.svm is a file of svmlight" in err
        _, err = run("train", "d.svm", *QUICK, "--drop", "1", code=1)
        assert "--drop: not for svmlight" in err
        Path("far.svm").write_text("1 2:1\n0 2000000000:1\n" * 9)
        _, err = run("train", "far.svm", *QUICK, code=1)
        assert "far.svm has 2,000,000,000 columns, and only 18 numbers" in err
        Path("bad.svm").write_text("1 2:1\n0 x:1\n")
        _, err = run("train", "bad.svm", *QUICK, code=1)
        assert "bad.svm, line 2 has the entry 'x:1', expected column:number" in err
        assert not list(Path().glob("*.npz"))


class TestArrays:
    @pytest.mark.parametrize("labels", [[0.0, 1.0], list(range(1, 27)), [0.5, 1, 2]])
    @pytest.mark.parametrize("each", [4, 20])
    def test_the_same_task_in_all_formats(
        self, run: Run, tmp_path: Path, labels: list[float], each: int
    ) -> None:
        y = np.array(labels * each, float)
        x = np.arange(len(y)) % 7
        lines = [f"{a},{b}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        Path("float.csv").write_text("x,y\n" + "\n".join(lines))
        np.save("d.npy", np.c_[x, y])
        np.savez("d.npz", X=x[:, np.newaxis], y=y)
        Path("d.svm").write_text(svm(x[:, np.newaxis].astype(float), y.tolist()))
        files = [("float.csv", "y"), ("d.npy", "-1"), ("d.npz", "y"), ("d.svm", None)]
        if (y == np.rint(y)).all():
            np.savez("int.npz", X=x[:, np.newaxis], y=y.astype(np.int64))
            Path("int.csv").write_text("x,y\n" + "\n".join(line[:-2] for line in lines))
            for name, array in (("images-idx3", x.reshape(-1, 1, 1)), ("labels-idx1", y)):
                head = struct.pack(f">2xBB{array.ndim}I", 8, array.ndim, *array.shape)
                Path(name).write_bytes(head + array.astype(np.uint8).tobytes())
            files += [("int.npz", "y"), ("int.csv", "y"), ("images-idx3", None)]
        results = {}
        for name, target in files:
            argv = [] if target is None else ["--target", target]
            result = trained(run, name, *argv, "--output", "m.npz")
            notes = [note for note in result["notes"] if note.startswith("guessed: target")]
            assert len(notes) == 1
            assert "--task" in notes[0]
            results[name] = result["classes"], notes[0].partition(" is ")[2]
            samples = None if name.endswith("svm") else cg.datasets.read(name, target)
            assert samples is None or (samples.classes or ()) == tuple(result["classes"] or ())
        assert len(set(map(str, results.values()))) == 1
        classes = results["float.csv"][0]
        assert (classes is not None) == (len(labels) == 2 or (len(labels) == 26 and each == 20))

    def test_a_test_part_in_the_file(self, run: Run) -> None:
        rng = np.random.default_rng(0)
        X = rng.integers(0, 256, (70, 3, 2), np.uint8)
        y = (X[:, 0, 0] > 127).astype(np.uint8)
        np.savez("d.npz", x_train=X[:50], y_train=y[:50], x_test=X[50:], y_test=y[50:])
        result = trained(run, "d.npz")
        assert result["samples"] == {"train": 50, "test": 20}
        assert (
            "the test part is that of the file (--test-fraction divides all samples)"
            in (result["notes"])
        )
        net = cg.load("d-model.npz")
        assert len(np.unique(net.input_mean)) == 1, "bytes share a scale"
        flat = X.reshape(70, 6)
        assert_allclose(net.input_mean, flat[:50].mean())
        assert result["test"] == net.evaluate(flat[50:], y[50:])
        out, err = run("predict", "d-model.npz", "d.npz")
        assert len(predicted(out)) == 20
        assert "the samples are the 20 of the test part of the file" in err
        result = trained(run, "d.npz", "--test-fraction", "0.5")
        assert result["samples"] == {"train": 35, "test": 35}

    def test_gaps_text_and_options_make_columns(self, run: Run) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3))
        y = X[:, 2] > 0
        X[::5, 0] = np.nan
        np.savez("d.npz", X=X, y=y)
        trained(run, "d.npz")
        net = cg.load("d-model.npz")
        assert net.encoder is not None
        assert net.encoder.input_names == ("X_1", "X_1_gap", "X_2", "X_3")
        expected, _ = run("predict", "d-model.npz", "d.npz", "--target", "y")
        np.save("d.npy", X)
        assert run("predict", "d-model.npz", "d.npy")[0] == expected
        np.savetxt("d.csv", X, delimiter=",", header="X_1,X_2,X_3", comments="", fmt="%.17g")
        assert run("predict", "d-model.npz", "d.csv")[0] == expected
        trained(run, "d.npy", "--target", "3", "--drop", "1", "--output", "m.npz")
        net = cg.load("m.npz")
        assert net.encoder is not None
        assert net.encoder.columns == ("column_2",)
        result = trained(run, "d.npz", "--drop", "X_1", "--output", "m.npz")
        assert result["classes"] == ["False", "True"]
        assert predicted(run("predict", "m.npz", "d.npz")[0])[0] in ("False", "True")
        for option in (["--drop", "1"], ["--target-scale", "log"], ["--decimal", ","]):
            assert "not for the digits" in run("train", "digits", *QUICK, *option, code=1)[1]
        np.savez("t.npz", size=X[:, 0], color=rng.choice(["red", "blue"], 60), label=y)
        result = trained(run, "t.npz", "--target", "label", "--output", "m.npz")
        assert result["inputs"] == 3
        _, err = run("train", "t.npz", *QUICK, code=1)
        assert "t.npz has the arrays size, color, label, expected one named X" in err

    @pytest.mark.parametrize("option", [("--drop", "1"), ("--columns", "2,3")])
    def test_columns_without_names_that_were_left_out(
        self, run: Run, option: tuple[str, str]
    ) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3))
        y = np.where(X[:, 1] > 0, 1, 0)
        np.savez("d.npz", X=X, y=y)
        np.save("d.npy", np.c_[X, y])
        np.savetxt("d.csv", np.c_[X, y], delimiter=",", fmt="%.17g")
        np.save("x.npy", X)
        np.save("few.npy", X[:, 1:])
        np.save("more.npy", np.c_[X, y, y])
        for name, target in (("d.npz", "y"), ("d.npy", "4"), ("d.csv", "4")):
            trained(run, name, "--target", target, *option, "--output", "m.npz")
            net = cg.load("m.npz")
            assert net.classes is not None
            expected = [net.classes[index] for index in net.predict(X[:, 1:])]
            assert predicted(run("predict", "m.npz", name, "--target", target)[0]) == expected
            for other in ("x.npy", "few.npy") if name != "d.npz" else ("few.npy",):
                assert predicted(run("predict", "m.npz", other)[0]) == expected
            assert json.loads(run("evaluate", "m.npz", name, "--target", target, "--json")[0])
        trained(run, "d.npy", "--target", "4", "--numbers", "robust", "--output", "m.npz")
        _, err = run("predict", "m.npz", "more.npy", "--target", "4", code=1)
        assert "more.npy has 4 input columns, expected 3 for m.npz" in err

    def test_text_for_a_model_without_names(self, run: Run) -> None:
        net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
        net.save("m.npz")
        Path("d.csv").write_text("a;b;c\n1,5;2;3\n2,5;-1e1;4\n")
        out, err = run("predict", "m.npz", "d.csv", "--target", "c")
        assert_array_equal(
            np.array(predicted(out), np.float32), net.predict([[1.5, 2], [2.5, -10]])
        )
        assert err.startswith("mae ")
        for text, message in (
            ("1,x\n2,y\n", "line 1, column 2 (column_2) is 'x', expected a number"),
            ("1,2\n2,\n", "line 2, column 2 (column_2) is a gap, expected a number"),
            ("1_0,2\n2,3\n", "line 1, column 1 (column_1) is '1_0', expected a number"),
        ):
            Path("d.csv").write_text(text)
            assert message in run("predict", "m.npz", "d.csv", "--no-header", code=1)[1]


class TestStreams:
    def test_text(self, run: Run) -> None:
        data = b"a;b;kind\n" + b"".join(
            b"%d;%d,5;%s\n" % (i, i % 9, b"xy"[i % 2 :][:1]) for i in range(40)
        )
        Path("d.csv").write_bytes(data)
        trained(run, "-", "--target", "kind", stdin=data)
        model = cg.load("stdin-model.npz")
        trained(run, "d.csv", "--target", "kind")
        assert_array_equal(model.parameters, cg.load("d-model.npz").parameters)
        expected, _ = run("predict", "d-model.npz", "d.csv")
        assert run("predict", "d-model.npz", "-", stdin=data)[0] == expected
        assert run("predict", "d-model.npz", "-", "--output", "-", stdin=data)[0] == expected
        expected, _ = run("evaluate", "d-model.npz", "d.csv")
        assert run("evaluate", "d-model.npz", "-", stdin=data)[0] == expected
        expected, _ = run("describe", "d.csv")
        assert run("describe", "-", stdin=gzip.compress(data))[0] == expected
        assert sorted(path.name for path in Path().iterdir()) == [
            "d-model.npz", "d.csv", "stdin-model.npz",
        ]  # fmt: skip

    def test_arrays(self, run: Run) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(40, 3))
        file = io.BytesIO()
        np.savez(file, X=X, y=X[:, 0] > 0)
        result = trained(run, "-", "--output", "m.npz", stdin=file.getvalue())
        assert result["classes"] == ["False", "True"]
        file = io.BytesIO()
        np.save(file, X)
        out, _ = run("predict", "m.npz", "-", stdin=file.getvalue())
        net = cg.load("m.npz")
        assert predicted(out) == [("False", "True")[index] for index in net.predict(X)]
        out, _ = run("predict", "m.npz", "-", stdin=svm(X, [0] * 40).encode())
        assert len(predicted(out)) == 40

    def test_failures(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        _, err = run("train", "-", "--target", "a", stdin=b"a,b\n1,2\n3\n", code=1)
        assert "line 3, column 2: the row has 1 field" in err
        _, err = run("train", "-", "--target", "a", code=1)
        assert "is empty" in err
        _, err = run("train", "-", "--target", "a", "--max-bytes", "5", stdin=b"a,b\n1,2\n", code=1)
        assert "has more than 5 bytes; --max-bytes allows more" in err
        _, err = run("train", "-", "--target", "a", "--output", "-", stdin=b"a,b\n1,2\n", code=1)
        assert "--output is -, expected the path of a file" in err
        assert not list(Path().iterdir())
        monkeypatch.setattr(sys, "stdin", None)
        assert main(["describe", "-"]) == 1


class TestSavedOptions:
    def test_predict_reads_as_train_did(self, run: Run) -> None:
        lines = [f"{i % 5},5;{-200 if i % 4 == 0 else i**2};{'uv'[i % 2]}." for i in range(40)]
        Path("d.txt").write_text("\n".join(lines))
        options = ["--separator", ";", "--decimal", ",", "--no-header", "--missing", "-200"]
        trained(run, "d.txt", "--target", "3", *options, "--strip-label", ".")
        net = cg.load("d-model.npz")
        assert net.classes == ("u", "v")
        assert net.reading == {
            "separator": ";", "header": False, "decimal": ",",
            "gaps": [*cg.tables.GAPS, "-200"], "strip": {"column_3": "."},
        }  # fmt: skip
        table = cg.tables.read("d.txt", **net.reading)
        assert table.column("column_3").words == ("u", "v")
        assert table.gaps["column_2"] == 10
        out, err = run("predict", "d-model.npz", "d.txt", "--target", "3")
        assert predicted(out) == net.predict(table).tolist()
        assert err.splitlines()[0] == (
            "cygrad: read as for the training: --separator ';' --no-header --decimal , "
            "--missing -200"
        )
        Path("e.txt").write_text("\n".join(lines).replace(";", "|"))
        argv = ["predict", "d-model.npz", "e.txt", "--target", "3"]
        assert predicted(run(*argv, "--separator", "|")[0]) == predicted(out)
        _, err = run(*argv, code=1)
        assert err.endswith(
            "; read as for the training: --separator ';' --no-header --decimal , --missing -200\n"
        )
        frame = {"column_1": [0.5], "column_2": [np.nan]}
        np.savez("x.npz", X=[[0.5, np.nan]])
        assert predicted(run("predict", "d-model.npz", "x.npz")[0]) == net.predict(frame).tolist()

    def test_labels_with_an_ending(self, run: Run) -> None:
        rows = [f"{i % 13}, {['no', 'yes'][i % 2]}" for i in range(40)]
        Path("d.csv").write_text("\n".join(rows))
        Path("t.csv").write_text("|1x3 Cross validator\n" + ".\n".join(rows) + ".\n\n")
        trained(run, "d.csv", "--target", "2")
        _, err = run("evaluate", "d-model.npz", "t.csv", "--target", "2", code=1)
        assert err == (
            "cygrad: t.csv, line 2, column 2 (column_2) is 'no.', expected one of no, yes; "
            "--strip-label '.' takes off the ending\n"
        )
        expected, _ = run("evaluate", "d-model.npz", "d.csv", "--target", "2")
        argv = ["d-model.npz", "t.csv", "--target", "2"]
        assert run("evaluate", *argv, "--strip-label", ".")[0] == expected
        _, err = run("predict", *argv, "--strip-label", ".")
        assert err.startswith("accuracy ")
        trained(run, "d.csv", "--target", "2", "--strip-label", ".")
        assert run("evaluate", *argv)[0] == expected

    def test_in_python(self, tmp_path: Path) -> None:
        net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
        assert net.reading == {}
        net.reading = {"separator": ";", "gaps": ("", "-200")}
        assert net.reading == {"separator": ";", "gaps": ["", "-200"]}
        net.reading["gaps"].append("?")
        assert net.reading == {"separator": ";", "gaps": ["", "-200"]}
        net.reading = {"kinds": {"code": "text"}}
        net.reading["kinds"]["size"] = "text"
        assert net.reading == {"kinds": {"code": "text"}}
        net.reading = {"separator": ";", "gaps": ("", "-200")}
        net.save(tmp_path / "m.npz")
        assert cg.load(tmp_path / "m.npz").reading == net.reading
        assert net.as_dtype("float64").reading == net.reading
        with pytest.raises(TypeError, match="reading is 3, expected a mapping"):
            net.reading = 3  # type: ignore[assignment]
        with pytest.raises(TypeError, match="expected values for JSON"):
            net.reading = {"a": object()}


class TestEncoderOptions:
    @pytest.fixture
    def houses(self, run: Run) -> Path:
        rng = np.random.default_rng(0)
        size = rng.normal(size=300).round(3)
        day = np.datetime64("2024-01-01") + rng.integers(0, 900, 300)
        price = np.exp(6 + 2 * size)
        lines = [
            f"{a},{str(b)[8:]}.{str(b)[5:7]}.{str(b)[:4]},{c:.4f}"
            for a, b, c in zip(size, day, price, strict=True)
        ]
        Path("h.csv").write_text("size,sold,price\n" + "\n".join(lines))
        return Path("h.csv")

    def test_numbers_and_dates(self, run: Run, houses: Path) -> None:
        argv = [houses, "--target", "price", "--numbers", "robust"]
        trained(run, *argv, "--dates", "sold=%d.%m.%Y")
        net = cg.load("h-model.npz")
        assert net.encoder is not None
        assert net.encoder.numbers == "robust"
        assert net.input_mean is None
        kinds = {row.column: row.taken_for for row in net.encoder.describe()}
        assert kinds == {"size": "number", "sold": "date", "price": "target: quantity"}
        _, err = run("train", *argv, "--dates", "sold=%Y", *QUICK, code=1)
        assert "h.csv, line 2, column 2 (sold) is '" in err
        _, err = run("train", *argv, "--dates", "when", *QUICK, code=1)
        assert "--dates is 'when', expected a column of h.csv, which has the columns" in err
        _, err = run("train", *argv, "--standardize", "none", *QUICK, code=1)
        assert "--numbers robust: not with --standardize" in err
        out, _ = run("describe", houses, "--dates", "2=%d.%m.%Y", "--json")
        assert json.loads(out)["columns"][1]["taken_for"] == "date"

    @pytest.mark.parametrize("scale", ["log", "log1p", "none", "standard"])
    def test_target_scale(self, run: Run, houses: Path, scale: str) -> None:
        argv = ["--target", "price", "--target-scale", scale, "--columns", "size"]
        out, _ = run(
            "train", houses, *argv, "--epochs", "150", "--learning-rate", "0.01", "--quiet",
            "--json", "--metrics", "rmse",
        )  # fmt: skip
        result = json.loads(out)
        net, table = cg.load("h-model.npz"), cg.tables.read(houses)
        assert net.encoder is not None
        assert net.encoder.takes_logarithms == scale.startswith("log")
        price = table["price"]
        out, err = run("predict", "h-model.npz", houses, "--target", "price")
        found = np.array(predicted(out), float)
        assert_array_equal(found.astype(np.float32), net.predict(table).astype(np.float32))
        mae = np.abs(found - price).mean()
        assert float(err.split()[1]) == pytest.approx(mae, rel=1e-4)
        parts = result["train"]["mae"] * 240 + result["test"]["mae"] * 60
        assert parts / 300 == pytest.approx(mae, rel=1e-4)
        evaluated = json.loads(run("evaluate", "h-model.npz", houses, "--json")[0])
        assert evaluated["mae"] == pytest.approx(mae, rel=1e-4)
        if scale.startswith("log"):
            take = getattr(np, scale)
            assert np.abs(take(found) - take(price)).max() < 0.6

    def test_logarithms_that_do_not_exist(self, run: Run) -> None:
        Path("d.csv").write_text("x,y\n" + "".join(f"{i * i},{i / 4 - 1}\n" for i in range(40)))
        argv = ["train", "d.csv", "--target", "y", "--target-scale", "log", *QUICK]
        assert (
            "d.csv, line 2, column 2 (y) is -1, expected a number above 0" in run(*argv, code=1)[1]
        )
        argv = [*argv, "--task", "classification"]
        assert "--target-scale: the targets are classes" in run(*argv, code=1)[1]
        assert not list(Path().glob("*.npz"))


def test_bad_files_get_one_line_with_options_of_the_command_line(run: Run) -> None:
    page = b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n"
    rows = b"4,x,u\n5,y,v\n6,x,u\n7,y,v\n"
    for data, message in (
        (gzip.compress(page), "is HTML, perhaps the page of an error, expected rows of fields"),
        (page, "is HTML, perhaps the page of an error, expected rows of fields"),
        (b"a,b,c\n" + rows + b'"1,234.5",x,u\n', "line 6, column 1 (a) is '1,234.5', expected a"),
        (b"a,b,c\n" + rows + "\u22121,x,u\n".encode(), "line 6, column 1 (a) is '\u22121'"),
        (b"a,b,c\n" + rows + "\u00a01,x,u\n".encode(), "line 6, column 1 (a) is '\\xa01'"),
        (b"a,b,c\n" + rows + b"1,234.5,x,u\n", "line 6, column 4: the row has 4 fields, exp"),
        (b"age, ?, c\n" + rows, "line 1, column 2: the first row may be a header, and '?' in it"),
        (b"a,b,c\n" + rows + b"\xe9,x,u\n", "expected another --encoding, such as 'latin-1'"),
        (b"a,b,c\n" + rows + b'8,"x,u\n', "--quote none takes quotes as part of the text"),
        (b"a,b,c\n" + rows + b"8,x\0,u\n", "d.csv is not text"),
    ):  # fmt: skip
        Path("d.csv").write_bytes(data)
        _, err = run("train", "d.csv", "--target", "c", "--epochs", "1", code=1)
        assert message in err
        assert "=" not in err.replace("d.csv", ""), "arguments are options"
        assert [path.name for path in Path().iterdir()] == ["d.csv"]
        with pytest.raises(ValueError, match=r"d\.csv"):
            cg.tables.read("d.csv")
    Path("d.csv").write_bytes(b"a,b,c\n" + rows + b'"1,234.5",x,u\n')
    assert trained(run, "d.csv", "--target", "c", "--text", "a")["classes"] == ["u", "v"]
    Path("d.csv").write_bytes(b"a,b,c\n" + rows + b"9,\xe9,u\n")
    assert trained(run, "d.csv", "--target", "c", "--encoding", "latin-1")["inputs"] == 4


def test_names_of_columns_that_look_like_arguments_stay(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"w{i % 3},{i % 7},4\n" for i in range(30))
    (tmp_path / "data.csv").write_text(f"temp (T=20),count (keep=),last (drop=)\n{rows}")
    lines = run("describe", "data.csv")[0].splitlines()
    assert "guessed: text in temp (T=20)" in lines
    assert "left out: column 'last (drop=)', constant (--keep)" in lines
