"""Tests of the README: its examples run, and its counts are right."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import cygrad as cg

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    parts = README.read_text(encoding="utf-8").split("```python\n")[1:]
    examples = [part.split("```")[0] for part in parts]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(examples[0], "README.md", "exec"), names)
    assert (tmp_path / "digits.npz").exists()
    X, y, test = (names[name] for name in ("X", "y", "test"))
    assert names["net"].evaluate(X[test], y[test])["accuracy"] >= 0.97
    assert "epoch 30/30" in capsys.readouterr().err
    exec(compile(examples[1], "README.md", "exec"), names)
    assert names["deep"].evaluate(X[test], y[test])["accuracy"] >= 0.97
    steps = names["trainer"].steps
    exec(compile(examples[2], "README.md", "exec"), names)
    assert names["trainer"].steps == steps + 1 + 1 + 57  # 1797 rows in batches of 32
    exec(compile(examples[3], "README.md", "exec"), names)
    assert names["folds"].mean["accuracy"] > 0.9
    assert names["found"].best.mean["accuracy"] > 0.9
    assert cg.load(tmp_path / "five.npz").evaluate(X[test], y[test])["accuracy"] > 0.9
    if find_spec("matplotlib") is not None:
        from matplotlib import pyplot

        pyplot.switch_backend("agg")
        exec(compile(examples[4], "README.md", "exec"), names)
        pyplot.close("all")
        assert (tmp_path / "weights.svg").exists()
    if find_spec("sklearn") is not None:
        exec(compile(examples[5], "README.md", "exec"), names)
        assert names["classifier"].score(X[test], y[test]) >= 0.95
    if find_spec("mpi4py") is not None:  # and MPI is there
        exec(compile(examples[6], "README.md", "exec"), names)
        assert names["together"].steps == 2 * 8
    exec(compile(examples[7], "README.md", "exec"), names)
    drawn = (tmp_path / "circuit.svg").read_text(encoding="utf-8")
    assert drawn == (README.parent / "tests" / "circuit.svg").read_text(encoding="utf-8")
    assert names["value"].tolist() == [-32.0, -28.0, -24.0]


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_counts():
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert f"there are {len(cg.graph.GATES)} gates" in text
    assert len(cg.experiments.EXPERIMENTS) == 10
    assert "Ten experiments" in text
    assert f"{len(cg.network.ACTIVATIONS)} activations" in text
    assert f"{len(cg.network.LOSSES)} losses" in text
    assert f"{len(cg.training.optimizers.__all__)} optimisers and L-BFGS" in text
