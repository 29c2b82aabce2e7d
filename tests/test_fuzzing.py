"""Inputs that are changed by the code they reach: numbers, rows of text, and files of all formats.

`tests/fuzz_programs.py` runs libFuzzer on what is compiled, `tests/fuzz_files.py` atheris on files.
"""

import os
import subprocess
import sys
from pathlib import Path

import damage
import fuzz_programs
import pytest

import cygrad as cg

linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
pytestmark = linux


def many(count, mark=()):
    """Return a small number of inputs with a mark, and a million for the sweep."""
    return pytest.mark.parametrize(
        "count",
        [
            pytest.param(count, marks=mark, id="some"),
            pytest.param(1_000_000, marks=pytest.mark.sweep, id="a million"),
        ],
    )


def run(name, folder, count, seeds=(), **changes):
    """Compile a program, perhaps from something changed, and run it; skip where that cannot be."""
    try:
        if changes:
            folder.mkdir(exist_ok=True)
            command = getattr(fuzz_programs, f"build_{name}")(folder, **changes)
        else:
            command = fuzz_programs.build(name, folder)
        seeds = [*fuzz_programs.SEEDS[name](), *seeds]
        return fuzz_programs.run(name, folder, command, count, seeds)
    except fuzz_programs.NoFuzzer as error:
        pytest.skip(str(error))


def check(done, count):
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"Done {count} runs" in done.stdout
    assert "bytes for one input" in done.stdout
    # A program without coverage has two features at most.
    assert int(done.stdout.rpartition(" ft: ")[2].split()[0]) > 100


@many(100_000)
def test_numbers(tmp_path, count):
    """Each number is that of strtod, bit for bit, with its end and properties."""
    check(run("decimal", tmp_path, count), count)


@pytest.mark.parametrize("power", [-200, -5, 60])
def test_a_wrong_power_is_found(tmp_path, power):
    words = fuzz_programs.power_words()
    words[2 * (power + 342)] ^= 1 << 9  # about the last bit of a double
    # Whether chance leads to this exponent differs from run to run. \2: a text, as it is.
    near = [b"\2%de%d" % (7**20 * number, power) for number in range(1, 100)]
    done = run("decimal", tmp_path, 1000, near, words=words)
    assert done.returncode != 0
    assert "another number" in done.stdout


@many(3_000, pytest.mark.slow)
def test_rows(tmp_path, count):
    """Rows in blocks and in one piece are those of `plain_rows`."""
    pytest.importorskip("Cython")
    check(run("rows", tmp_path, count), count)


FAULTS = {
    "an end of line on both sides of a block's end": (
        "            if p == end and not is_last:\n                return ROW_INCOMPLETE\n",
        "",
        "AssertionError",
    ),
    "memory for doubled quotes": (
        "realloc(self.unquoted, 2 * size + 16)",
        "realloc(self.unquoted, size)",
        "heap-buffer-overflow",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_rows_is_found(tmp_path, fault):
    pytest.importorskip("Cython")
    right, wrong, message = FAULTS[fault]
    text = (fuzz_programs.ROOT / "src/cygrad/_engine/delimited.pyx").read_text()
    assert text.count(right) == 1
    source = tmp_path / "delimited.pyx"
    source.write_text(text.replace(right, wrong))
    done = run("rows", tmp_path, 20_000, source=source)
    assert done.returncode != 0
    assert message in done.stdout


@many(500)
@pytest.mark.parametrize("name", damage.READERS)
def test_files(tmp_path, name, count):
    pytest.importorskip("atheris")
    program = Path(__file__).with_name("fuzz_files.py")
    done = subprocess.run(
        [sys.executable, program, name, "-n", str(count), "--folder", tmp_path],
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert done.stdout.endswith(" 0 others\n")
    # Files that reach new code are kept, so there is code to be reached.
    assert len(list((tmp_path / "corpus").iterdir())) > 3
