"""Memory that ranks of one host have in common."""

import mpiexec
import pytest

PROGRAM = """
import os, sys
import numpy as np
from mpi4py import MPI
from cygrad.distributed import shared
from cygrad.distributed.failures import Failures

failures = Failures(MPI, MPI.COMM_WORLD)
rank, size = failures.rank, failures.size
files = len(os.listdir("/proc/self/fd"))
if "another-file" in sys.argv and rank == 1:        # as in a container with numbers of its own
    shared._identity = lambda file: (-2, -2)
if "no-memory" in sys.argv and rank == 0:
    del os.memfd_create
try:
    memory = shared.common_memory(failures, 0, 5000)
except shared.NoCommonMemory:
    memory = None
    sys.stdout.write("none\\n")
else:
    assert len(memory) == 5000 and not memory.any()
    MPI.COMM_WORLD.Barrier()
    memory[rank], memory[4999 - rank] = rank + 1, 10 * rank
    MPI.COMM_WORLD.Barrier()
    # In one piece: the lines of ranks are mixed.
    sys.stdout.write(f"{memory[:size].tolist()} {memory[5000 - size:].tolist()}\\n")
del memory
assert len(os.listdir("/proc/self/fd")) == files
"""


@pytest.mark.parametrize(
    ("words", "line"),
    [([], "[1, 2, 3] [20, 10, 0]"), (["another-file"], "none"), (["no-memory"], "none")],
)
def test_all_ranks_have_the_same_memory_or_none(words, line):
    done = mpiexec.run(3, "-c", PROGRAM, *words)
    assert done.stdout.count(line) == 3, done.stdout + done.stderr
    assert done.returncode == 0
