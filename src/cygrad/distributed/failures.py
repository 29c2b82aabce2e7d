"""Errors of one rank, of which all others are told."""

from __future__ import annotations

import atexit
import os
import socket
import sys
from hashlib import blake2b
from time import monotonic
from typing import Any

import numpy as np

#: Seconds between two looks for an error of another rank, and for ranks that have died.
INTERVAL, LIFE_INTERVAL = 0.02, 0.5
TAG = 1
#: Tests of a request before other processes may have the processor.
SPINS = 200
TEXT_BYTES = 400


class RankError(RuntimeError):
    """Another rank has failed, or differs from this one.

    Attributes
    ----------
    rank : int
        Its number.
    """

    def __init__(self, rank: int, message: str) -> None:
        super().__init__(message)
        self.rank = rank

    def __reduce__(self) -> tuple[type[RankError], tuple[int, str]]:
        return RankError, (self.rank, str(self))


class Failures:
    """What has failed on which rank.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    comm : mpi4py.MPI.Comm
        Of this object alone: a duplicate.
    """

    def __init__(self, mpi: Any, comm: Any) -> None:
        self.mpi, self._comm = mpi, comm
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.error: RankError | None = None
        self._sent: list[Any] = []
        self._next, self._next_life = 0.0, 0.0
        self._processes = self._on_this_host()

    def _on_this_host(self) -> dict[int, int]:
        """Return the process of each other rank on this host."""
        own = np.zeros(2, np.int64)
        host = f"{socket.gethostname()} {_boot_id()}".encode()
        own[0] = int.from_bytes(blake2b(host, digest_size=7).digest(), "big")
        own[1] = os.getpid()
        all_of_them = np.empty((self.size, 2), np.int64)
        self._comm.Allgather(own, all_of_them)
        alike = all_of_them[:, 0] == own[0]
        return {
            rank: int(all_of_them[rank, 1])
            for rank in range(self.size)
            if rank != self.rank and alike[rank]
        }

    @property
    def ranks_here(self) -> int:
        """Number of ranks on this host."""
        return len(self._processes) + 1

    def wait(self, request: Any) -> None:
        """Wait for a request, unless a rank fails."""
        tests = 0
        while not request.Test():
            tests += 1
            if tests > SPINS:
                os.sched_yield()
                self.check_now_and_then()

    def tell(self, error: BaseException) -> None:
        """Tell all other ranks of an error of this one, and that they are not to wait for it."""
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.error = RankError(self.rank, f"rank {self.rank} ended with {text}")
        message = np.zeros(TEXT_BYTES, np.uint8)
        encoded = text.encode()[:TEXT_BYTES]
        message[: len(encoded)] = np.frombuffer(encoded, np.uint8)
        for rank in range(self.size):
            if rank != self.rank:
                self._sent.append((self._comm.Isend(message, rank, TAG), message))
        self._abort_at_exit()

    def check_now_and_then(self) -> None:
        """Raise a RankError if another rank has failed; look for it once in a while."""
        now = monotonic()
        if now >= self._next:
            self._next = now + INTERVAL
            self.check()
        if now >= self._next_life:
            self._next_life = now + LIFE_INTERVAL
            for rank, process in self._processes.items():
                if not _lives(process):
                    self._fail(rank, f"rank {rank} has died: its process {process} has ended")

    def check(self) -> None:
        """Raise a RankError if another rank has failed, or has done so before."""
        if self.error is not None:
            raise RankError(self.error.rank, f"{self.error}; make a new trainer on all ranks")
        status = self.mpi.Status()
        if self.size > 1 and self._comm.Iprobe(self.mpi.ANY_SOURCE, TAG, status):
            message = np.zeros(TEXT_BYTES, np.uint8)
            self._comm.Recv(message, status.Get_source(), TAG)
            text = message.tobytes().rstrip(b"\0").decode(errors="replace")
            rank = status.Get_source()
            self._fail(rank, f"rank {rank} ended with {text}")

    def _fail(self, rank: int, message: str) -> None:
        self.error = RankError(rank, message)
        self._abort_at_exit()
        raise RankError(rank, message)

    def forget(self) -> None:
        """Let the ranks end one by one: all have had the same error at the same place."""
        atexit.unregister(_abort)

    def _abort_at_exit(self) -> None:
        """End all ranks when this process ends: MPI would wait for messages that nobody takes."""
        atexit.register(_abort, self.mpi)


def _abort(mpi: Any) -> None:
    if mpi.Is_initialized() and not mpi.Is_finalized():
        sys.stdout.flush()
        sys.stderr.flush()
        mpi.COMM_WORLD.Abort(1)


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read()
    except OSError:
        return ""


def _lives(process: int) -> bool:
    """Return whether a process of this host lives; one that has ended may not have been reaped."""
    try:
        os.kill(process, 0)
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except ProcessLookupError:
        return False
    except OSError:
        return True  # of another user, or there is no /proc
