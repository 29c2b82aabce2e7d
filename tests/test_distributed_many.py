"""Many networks on several ranks: the results of one process, on all ranks."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mpi4py", reason="needs the extra mpi")
import mpiexec

PROGRAM = Path(__file__).with_name("mpi_many.py")


@pytest.mark.parametrize("ranks", [2, 3])
def test_results_of_one_process(ranks):
    done = mpiexec.run(ranks, PROGRAM)
    assert done.stdout.split("\n").count("the same bits") == ranks, done.stdout + done.stderr
    assert done.returncode == 0


def test_interrupt_of_one_rank_ends_all():
    done = mpiexec.run(2, PROGRAM, "interrupted")
    assert sorted(done.stdout.splitlines()) == [
        "0 KeyboardInterrupt: rank 1 was interrupted",
        "1 KeyboardInterrupt: ",
    ], done.stderr
    assert done.returncode == 0


def test_rank_that_dies_ends_all():
    assert mpiexec.run(2, PROGRAM, "killed", seconds=30).returncode != 0


def test_other_trainers_are_refused_on_all_ranks():
    lines = sorted(mpiexec.run(2, PROGRAM, "different").stdout.splitlines())
    for rank, line in enumerate(lines):
        assert line.startswith(f"{rank} RankError: rank 1 has trainers[0], ")
    assert len(lines) == 2
