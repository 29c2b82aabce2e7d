"""Damaged files on the command line: an answer or one line, and nothing written."""

from __future__ import annotations

import gzip
import io
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cygrad.cli import main

SEEDS = 40  # of each format; thousands were run by hand


def _csv() -> bytes:
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{'?' if a > 1 else int(a * 10)},{w},2024-01-{i % 28 + 1:02},{k}"
        for i, (a, w, k) in enumerate(
            zip(rng.normal(size=40), rng.choice(["x", '"a,b"', "é"], 40), "uv" * 20, strict=True)
        )
    ]
    return "\n".join(["a,b,word,day,y", *rows, ""]).encode()


def _arff() -> bytes:
    head = "% c\n@relation r\n@attribute a numeric\n@attribute 'b c' {x,y}\n@attribute y {u,v}\n"
    dense = [f"{i}, {'xy'[i % 2]}, {'uv'[i % 3 % 2]}" for i in range(20)]
    sparse = [f"{{0 {i}, 2 v}}" for i in range(20)]
    return (head + "@data\n" + "\n".join(dense + sparse) + "\n").encode()


def _svmlight() -> bytes:
    return "".join(f"{i % 2} 1:{i / 7} {i % 5 + 2}:-1e-3 # c\n" for i in range(40)).encode()


def _npz() -> bytes:
    file = io.BytesIO()
    X = np.arange(120, dtype=np.float32).reshape(40, 3) ** 2
    np.savez(file, X=X, y=np.array(["u", "v"] * 20))
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.c_[np.arange(40.0) ** 2, np.arange(40) % 2, np.arange(40) % 3])
    return file.getvalue()


def _idx() -> bytes:
    return struct.pack(">2xBB2I", 8, 2, 40, 6) + bytes(range(240))


FORMATS: dict[str, tuple[Callable[[], bytes], str]] = {
    "csv": (_csv, "y"),
    "csv.gz": (lambda: gzip.compress(_csv(), mtime=0), "y"),
    "arff": (_arff, "y"),
    "svm": (_svmlight, ""),
    "npz": (_npz, "y"),
    "npy": (_npy, "2"),
    "idx": (_idx, ""),
}
PIECES = (
    b"", b",", b"\n", b'"', b"'", b"{", b":", b"\0", b"nan", b"1e999", b"\xff", b"-", b"?", b"%",
    b" ", b"\r", b"99999999999999999999", b"0x1", b"\xe2\x88\x92", b"@data\n",
)  # fmt: skip


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return data with a few bytes changed, removed, repeated or put in."""
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data) + 1))
        length = int(rng.choice([0, 1, 1, 3, 40, len(data)]))
        match rng.integers(5):
            case 0:
                data = data[:place] + data[place + length :]
            case 1:
                data = data[:place] + PIECES[rng.integers(len(PIECES))] + data[place + length % 4 :]
            case 2:
                data = data[:place] + data[place : place + length] * 2 + data[place + length :]
            case 3 if data:
                place %= len(data)
                flipped = bytes([data[place] ^ 1 << int(rng.integers(8))])
                data = data[:place] + flipped + data[place + 1 :]
            case _:
                data = data[:place] + rng.bytes(length % 50) + data[place:]
    return data


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
