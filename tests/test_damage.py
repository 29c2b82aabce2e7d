"""Damaged files are a ValueError or a valid object, soon and in little memory.

`tests/damage.py` makes and reads them; as a program, it reads as many as one likes.
"""

import os
import signal
import subprocess
import sys
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
def test_damaged_files(tmp_path, name, count):
    done = subprocess.run(
        [sys.executable, damage.__file__, name, "--count", str(count)],
        # A file at which the process ends is left there.
        env={
            **os.environ,
            "PYTHONPATH": str(Path(cg.__file__).parents[1]),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(" 0 others\n")


def run(code, *arguments):
    """Run code in a process of its own, whose time and memory are not those of the tests."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )


BAD = """
import sys
import damage, numpy as np

def reader(path):
    data = path.read_bytes()
    return None if data == b"whole" else eval(sys.argv[1])

damage.SECONDS = 0.1
damage.READERS["bad"] = ("csv", lambda: b"whole", reader)
print(*damage.read_damaged("bad", 1), end="")
"""


@linux
@pytest.mark.parametrize(
    ("read", "kind"),
    [
        ("{}[data[0]]", "KeyError"),
        ("[None for _ in iter(int, 1) if _]", "TimeoutError"),
        ("np.ones(20 << 20)", "MemoryError"),
    ],
    ids=["another error", "endless", "much memory"],
)
def test_what_must_not_be_is_found(read, kind):
    done = run(BAD, read)
    assert done.stderr == ""
    assert done.stdout.startswith(f"seed 0: {kind}")


@linux
def test_code_that_never_comes_back_to_python_ends_the_process():
    code = (
        "import damage; damage.LAST_SECONDS = 0.1; forever = 'a' * 40\n"
        "import re; from pathlib import Path\n"
        "def read(path): re.fullmatch('(a?){40}a{40}b', 'a' * 60)\n"
        "damage.outcome_of(read, Path(), 0, damage.Record())"
    )
    done = run(code)
    assert done.returncode == -signal.SIGPROF, done.stderr
    assert "in read" in done.stderr


COLUMNS = 15_000
CROWDED = {
    "columns of one name": b",".join([b"a"] * COLUMNS) + b"\n" + b",".join([b"2"] * COLUMNS),
    "columns of two names": b"a,a.2," * COLUMNS + b"b\n" + b"2,3," * COLUMNS + b"4",
    "columns without name": b"a" + b"," * COLUMNS + b"\n1" + b",3" * COLUMNS,
    "empty columns": b"a" + b"," * COLUMNS + b"\n1" + b"," * COLUMNS + b"\n2" + b"," * COLUMNS,
    "names in a comment": b"#" + b"a," * COLUMNS + b"b\n" + b"1," * COLUMNS + b"2\n",
}


READ = """
import sys
from pathlib import Path
import damage, cygrad

whole, path = map(Path, sys.argv[1:])
cygrad.tables.read(whole)  # imports what it needs
print(damage.outcome_of(cygrad.tables.read, path, path.stat().st_size, damage.Record()))
"""


@linux
@pytest.mark.parametrize("crowd", CROWDED)
def test_many_columns_are_read_within_the_limits(tmp_path, crowd):
    """They took time that grew as the square of their number, or as its cube."""
    whole, path = tmp_path / "whole.csv", tmp_path / "data.csv"
    whole.write_bytes(b"a,b\n1,2\n")
    path.write_bytes(CROWDED[crowd])
    done = run(READ, whole, path)
    assert done.stderr == ""
    assert done.stdout == "read\n"


def test_changes_within_an_archive_keep_it_an_archive():
    whole = damage.READERS["model"][1]()
    changed = [damage.damaged_archive(whole, np.random.default_rng(seed)) for seed in range(20)]
    assert len({*changed, whole}) > 15
    for data in changed:
        with damage.zipfile.ZipFile(damage.io.BytesIO(data)) as archive:
            assert archive.testzip() is None
