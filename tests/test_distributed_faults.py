"""Ranks that fail, differ or are interrupted: all end with a clear error, and none waits forever.

The programs are the cases of `mpi_faults`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import cygrad as cg
from cygrad._engine import kernels

pytest.importorskip("mpi4py", reason="needs the extra mpi")
PROGRAM = Path(__file__).with_name("mpi_faults.py")
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)
RANKS = 3
#: From the time when all ranks are in their case.
WITHIN, HANGS = 10, 60
SUMS = pytest.mark.parametrize("sums", [(), ("sums",)], ids=["exact", "sums"])


@cache
def is_open_mpi() -> bool:
    found = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True)
    return "Open MPI" in found.stdout


class Done(NamedTuple):
    """How a program has ended."""

    output: str
    status: int
    seconds: float

    def of_ranks(self, text: str) -> list[int]:
        """Return the ranks that have printed a line with a text, in order."""
        # It can begin within a line of a traceback.
        return sorted(map(int, re.findall(f"([0-9]): [^\n]*{re.escape(text)}", self.output)))


def launch(
    *words: str,
    ranks: int = RANKS,
    options: tuple[str, ...] = (),
    command: list[str] | None = None,
) -> subprocess.Popen:
    """Start a case on some ranks; return when all are there."""
    more = ["--allow-run-as-root", "--oversubscribe"] if is_open_mpi() else []
    usual = ["-n", str(ranks), sys.executable, str(PROGRAM), *words]
    process = subprocess.Popen(
        [MPIEXEC, *more, *options, *(command or usual)],
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "all are there":
            break
    return process


def end_of(process: subprocess.Popen) -> Done:
    """Wait for the end of a program; one that hangs fails the test."""
    begin = time.monotonic()
    try:
        output, _ = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        pytest.fail(f"it hangs:\n{output}")
    return Done(output, process.returncode, time.monotonic() - begin)


def run(*words: str, **options: Any) -> Done:
    return end_of(launch(*words, **options))


def assert_good(done: Done, ranks: int = RANKS) -> None:
    assert done.of_ranks("ends") == list(range(ranks)), done.output
    assert done.status == 0, done.output


# Ranks that end


@SUMS
@pytest.mark.parametrize("case", ["killed", "exits-at-once", "killed-before"])
def test_dead_rank_ends_all(case, sums):
    done = run(case, *sums)
    assert done.of_ranks("ends") == [], done.output
    assert done.status != 0
    assert done.seconds < WITHIN


def test_dead_rank_is_named():
    # After a signal MPICH's launcher ends all others even so.
    if is_open_mpi():
        pytest.skip("its launcher ends all ranks at once")
    done = run("exits-at-once", options=("-disable-auto-cleanup",))
    assert done.output.count("RankError: rank 1 has died: its process") == RANKS - 1, done.output
    assert done.status != 0
    assert done.seconds < WITHIN


@SUMS
@pytest.mark.parametrize(
    ("case", "error", "others"),
    [
        ("callback-fails", "ValueError: no luck", RANKS - 1),
        ("callback-exits", "SystemExit: 5", RANKS - 1),
        ("reader-fails", "MemoryError: no memory", RANKS - 1),
        ("fails-after", "ValueError: no luck", RANKS - 1),
        ("fails-before", "ValueError: no data", 0),
    ],
)
def test_error_of_one_rank(case, error, others, sums):
    done = run(case, *sums)
    named = f"RankError: rank 1 ended with {error}"
    assert done.output.count(named) == others, done.output
    assert done.of_ranks("ends") == [], done.output
    assert done.status != 0
    assert done.seconds < WITHIN


@pytest.mark.parametrize("case", ["ends-after", "ends-before-another"])
def test_program_of_one_rank_ends(case):
    done = run(case)
    assert done.output.count("RankError: rank 1 ended its program") == RANKS - 1, done.output
    assert done.of_ranks("ends") == [1]
    assert done.status != 0
    assert done.seconds < WITHIN


@pytest.mark.parametrize("case", ["another-trainer", "another-makes"])
def test_other_calls(case):
    done = run(case)
    assert done.of_ranks("RankError: rank") == list(range(RANKS)), done.output
    assert done.output.count("expected the same calls on all ranks") == RANKS, done.output
    assert done.seconds < WITHIN


def test_new_trainer_after_an_error():
    done = run("callback-is-caught")
    assert done.of_ranks("goes on") == list(range(RANKS)), done.output
    assert done.of_ranks("RankError: rank 1 ended with ValueError: no luck") == [0, 2]
    assert done.seconds < WITHIN


# Ranks that differ, and trainings that diverge


@SUMS
@pytest.mark.parametrize("case", ["trainers-differ", "calls-differ", "iterators", "diverges"])
def test_all_ranks_find_it_and_go_on(case, sums):
    assert_good(run(case, *sums))


@SUMS
def test_decisions_of_one_rank_are_those_of_all(sums):
    assert_good(run("decisions", *sums))


def test_processors_are_divided():
    assert_good(run("threads"))


def test_processors_of_other_kinds():
    available = kernels.available()
    if len(available) < 2:
        pytest.skip("this machine has one variant of the engine")
    command = [sys.executable, str(PROGRAM), "other-isa"]
    parts = []
    for isa in (available[0], available[-1], available[1]):
        parts += [":", "-n", "1", "env", f"CYGRAD_ISA={isa}", *command]
    done = run("other-isa", command=parts[1:])
    assert_good(done)
    assert {line.split()[-1] for line in re.findall("isa .*", done.output)} >= {
        available[0],
        available[-1],
    }


# Interrupts


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    "words",
    [
        ("1", "SIGINT", "fit"),
        ("0", "SIGTERM", "epochs"),
        ("1", "SIGTERM", "callback"),
        ("2", "SIGINT", "validation"),
        ("all", "SIGINT", "epochs"),
        ("all", "SIGTERM", "fit"),
        ("1", "SIGINT", "callback", "sums"),
    ],
    ids=" ".join,
)
def test_interrupts_end_all_ranks_at_the_same_step(words):
    who, name, what, *sums = words
    assert_good(run("interrupted", who, name, what, "3", *sums))


# Checkpoints


@pytest.mark.parametrize("seconds", [0.1, 0.7])
def test_killed_training_goes_on_with_other_ranks(tmp_path, seconds):
    path = tmp_path / "run.npz"
    process = launch("writes", str(path))
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(seconds)
    # The launcher's end ends the ranks, which are in groups of their own.
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=HANGS)
    done = run("resumes", str(path), ranks=2)
    assert done.of_ranks("the same") == [0, 1], done.output


def test_full_disk(tmp_path):
    done = run("full-disk", str(tmp_path / "run.npz"))
    assert done.of_ranks("full") == list(range(RANKS)), done.output
