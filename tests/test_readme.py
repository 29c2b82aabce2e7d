"""The README's example does what it says."""

from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_the_first_example_runs(tmp_path, monkeypatch, capsys):
    example = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert (tmp_path / "digits.npz").exists()
    X, y, test = (names[name] for name in ("X", "y", "test"))
    assert names["net"].evaluate(X[test], y[test])["accuracy"] >= 0.97
    assert "epoch 30/30" in capsys.readouterr().err
