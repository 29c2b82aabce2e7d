"""Damaged files are a ValueError or a valid object, soon and in little memory.

`tests/damage.py` makes and reads them; as a program, it reads as many as one likes.
"""

import subprocess
import sys
import time
from pathlib import Path

import damage
import numpy as np
import pytest

import cygrad as cg

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


@linux
@pytest.mark.parametrize(
    "count", [300, pytest.param(1_000_000, marks=pytest.mark.sweep, id="a million")]
)
@pytest.mark.parametrize("name", damage.READERS)
def test_damaged_files(name, count):
    done = subprocess.run(
        [sys.executable, damage.__file__, name, "--count", str(count)],
        env={**damage.os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(" 0 others\n")


@linux
@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda data: {}[data[0]], "KeyError"),
        (lambda data: time.sleep(0) or [0 for _ in iter(int, 1)], "TimeoutError"),
        (lambda data: np.ones(20 << 20), "MemoryError"),
    ],
    ids=["another error", "endless", "much memory"],
)
def test_what_must_not_be_is_found(monkeypatch, read, kind):
    whole = b"whole"

    def reader(path):
        data = path.read_bytes()
        return None if data == whole else read(data)

    monkeypatch.setattr(damage, "SECONDS", 0.1)
    monkeypatch.setitem(damage.READERS, "bad", ("csv", lambda: whole, reader))
    [outcome] = damage.read_damaged("bad", 1)
    assert outcome.startswith(f"seed 0: {kind}")


def test_changes_within_an_archive_keep_it_an_archive():
    whole = damage.READERS["model"][1]()
    changed = [damage.damaged_archive(whole, np.random.default_rng(seed)) for seed in range(20)]
    assert len({*changed, whole}) > 15
    for data in changed:
        with damage.zipfile.ZipFile(damage.io.BytesIO(data)) as archive:
            assert archive.testzip() is None
