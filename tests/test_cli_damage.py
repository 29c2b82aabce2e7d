"""Damaged files on the command line: an answer or one line, and nothing written."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from damage import FORMATS, damaged

from cygrad.cli import main

SEEDS = 40  # of each format; thousands were run by hand


def check(
    capsys: pytest.CaptureFixture[str], name: str, target: str, argv: list[str], seed: int
) -> None:
    """Run a command on a damaged file, and check what it leaves."""
    before = set(os.listdir())
    named = ["--target", target] if target and argv[0] in ("train", "describe") else []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = main([*argv, name, *named])
    out, err = capsys.readouterr()
    place = f"{argv[0]} of {name}, seed {seed}: {err}"
    assert code in (0, 1), place
    if code:
        assert out == "", place
        assert err.count("\n") == 1, place
        assert err.startswith("cygrad: "), place
        assert set(os.listdir()) == before, place


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make, target = FORMATS[name]
    if name == "idx":
        labels = struct.pack(">2xBBI", 8, 1, 40) + bytes(i % 2 for i in range(40))
        Path("labels.idx").write_bytes(labels)
        target = "labels.idx"
    whole = make()
    Path(f"whole.{name}").write_bytes(whole)
    training = ["--epochs", "1", "--hidden", "2", "--quiet", "--output", "net.npz"]
    named = ["--target", target] if target else []
    assert main(["train", f"whole.{name}", *named, *training]) == 0
    Path("net.npz").rename("model.npz")
    capsys.readouterr()
    for seed in range(SEEDS):
        data = damaged(whole, np.random.default_rng(seed))
        Path(f"d.{name}").write_bytes(data)
        check(capsys, f"d.{name}", target, ["train", *training], seed)
        Path("net.npz").unlink(missing_ok=True)
        check(capsys, f"d.{name}", target, ["predict", "model.npz"], seed)
        check(capsys, f"d.{name}", target, ["describe"], seed)
