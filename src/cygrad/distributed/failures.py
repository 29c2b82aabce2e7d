"""Errors of one rank, of which all others are told, and ranks that have ended or do something else.

An error that all ranks find in common leaves everything usable. One that a rank has alone does not:
the others stop waiting for it, and the program ends all ranks when it ends, because MPI would wait
for messages that nobody takes. A rank that has ended its program is noticed by the others where
they wait for it, and so is one that waits in another call.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from time import monotonic, sleep
from typing import Any

import numpy as np

from cygrad.distributed.signals import DeferredSignals

#: Seconds between two looks for messages of other ranks, and for ranks that have died.
INTERVAL, LIFE_INTERVAL = 0.02, 0.5
#: Looks for which what a rank waits for may still come, after the rank that sends it has ended or
#: begun its next call.
PATIENCE = 25
#: Seconds for which a rank that ends with an error waits for the others to end too.
END_SECONDS = 3.0
FAILED, ENDED, WAITS, REFUSED = 11, 12, 13, 14  # tags
#: Tests of a request before other processes may have the processor.
SPINS = 200
TEXT_BYTES = 400
NUMBER_BYTES = 8

#: The latest of this process, which end with it.
_latest: deque[Failures] = deque(maxlen=16)
#: Requests that were given up: what they write to must stay in memory.
given_up: list[Any] = []
_process = os.getpid()


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
    """Finds out which rank has failed, and tells the others of an error of this one.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    comm : mpi4py.MPI.Comm
        The ranks. Messages are sent in a duplicate.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm
        The duplicate, where all ranks call the same operations in the same order.
    error : RankError or None
        What has ended the common work.
    refused : RankError or None
        An error of another rank before the present call has changed anything.
    is_common : bool
        Whether all ranks leave the present call with an error, and can go on with another one.
    call : int
        Number of calls that all ranks take part in, so far.
    is_active : bool
        Whether the latest of them still runs here.
    hosts : list of int
        A number of each rank's host.
    """

    def __init__(self, mpi: Any, comm: Any) -> None:
        self.mpi, self.comm = mpi, comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self.error: RankError | None = None
        self._is_known = False  # has been raised here
        self.is_common = False
        self.call, self.name, self.is_active = 0, "the making of a trainer", False
        #: Those that end the wait for the beginning of a call.
        self.signals: DeferredSignals | None = None
        self.refused: RankError | None = None
        self._is_preparing = False
        self._sent: list[Any] = []
        self._next, self._next_life, self._announced = 0.0, 0.0, 0
        self._looks = 0
        #: By ranks: a message, and the look when it came.
        self._ended: dict[int, tuple[str, int]] = {}
        self._waiting: dict[int, tuple[int, str, int]] = {}
        self.hosts, self._processes = [0], dict[int, int]()
        self._is_open = False
        if self.size > 1:
            self.comm = self.duplicate(comm)
            self._is_open = True
            _latest.append(self)
            self._find_processes()

    def duplicate(self, comm: Any) -> Any:
        """Return a duplicate of a communicator, when all ranks make one."""
        new, request = comm.Idup()
        self.wait(request)
        return new

    def _find_processes(self) -> None:
        """Find the host of each rank, and the processes of the other ones on this host."""
        own = np.zeros(2, np.int64)
        host = f"{socket.gethostname()} {_boot_id()}".encode()
        own[0] = int.from_bytes(blake2b(host, digest_size=7).digest(), "big")
        own[1] = os.getpid()
        all_of_them = np.empty((self.size, 2), np.int64)
        self.wait(self.comm.Iallgather(own, all_of_them))
        self.hosts = [int(host) for host in all_of_them[:, 0]]
        self._processes = {
            rank: int(all_of_them[rank, 1])
            for rank in range(self.size)
            if rank != self.rank and self.hosts[rank] == own[0]
        }

    @property
    def ranks_here(self) -> int:
        """Number of ranks on this host."""
        return len(self._processes) + 1

    def begin(self, name: str) -> None:
        """Begin a call that all ranks take part in."""
        self.check()
        for rank, (text, _) in self._ended.items():
            self._fail(rank, text)
        self.call += 1
        self.name, self.is_active, self.is_common = name, True, False
        self.refused, self._is_preparing = None, False

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.is_active, self.signals = False, None

    def wait(self, request: Any) -> None:
        """Wait for a request, unless a rank fails."""
        tests = 0
        try:
            while not request.Test():
                tests += 1
                if tests > SPINS:
                    os.sched_yield()
                    self.check_now_and_then()
        except BaseException:
            given_up.append(request)
            raise

    def tell(self, error: BaseException) -> None:
        """Tell all other ranks of an error of this one, and that they are not to wait for it."""
        if self.error is None:
            text = f"rank {self.rank} ended with {describe(error)}"
            self.lose(self.rank, text)
            self._send(FAILED, self.rank, text)
            self._is_known = True

    def leave(self, text: str) -> None:
        """Tell all other ranks that the program of this one ends."""
        self._send(ENDED, self.rank, text)

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Tell all other ranks of an error, and raise one that another rank has told.

        Within this, nothing of common use is changed.
        """
        self._is_preparing = True
        try:
            yield
        except BaseException as error:
            if error is not self.refused:
                self._send(REFUSED, self.call, f"rank {self.rank} ended with {describe(error)}")
            raise
        finally:
            self._is_preparing = False

    def _send(self, tag: int, number: int, text: str) -> None:
        """Send a message to all other ranks, and do not wait for it."""
        message = np.zeros(NUMBER_BYTES + TEXT_BYTES, np.uint8)
        message[:NUMBER_BYTES].view(np.int64)[:] = number
        encoded = text.encode()[:TEXT_BYTES]
        message[NUMBER_BYTES:][: len(encoded)] = np.frombuffer(encoded, np.uint8)
        for rank in range(self.size if self._is_open else 0):
            if rank != self.rank:
                self._sent.append((self.comm.Isend(message, rank, tag), message))

    def _receive(self) -> None:
        """Take the messages that have come."""
        status, mpi = self.mpi.Status(), self.mpi
        while self._is_open and self.comm.Iprobe(mpi.ANY_SOURCE, mpi.ANY_TAG, status):
            message = np.zeros(NUMBER_BYTES + TEXT_BYTES, np.uint8)
            rank, tag = status.Get_source(), status.Get_tag()
            self.comm.Recv(message, rank, tag)
            number = int(message[:NUMBER_BYTES].view(np.int64)[0])
            text = message[NUMBER_BYTES:].tobytes().rstrip(b"\0").decode(errors="replace")
            if tag == WAITS:
                self._waiting[rank] = number, text, self._looks
            elif tag == ENDED:
                self._ended[rank] = text, self._looks
            elif tag == REFUSED:
                if number == self.call and self.refused is None:
                    self.refused = RankError(rank, text)
            elif self.error is None:
                self.lose(number, text)

    def check_now_and_then(self) -> None:
        """Raise a RankError if this rank waits in vain; look for that once in a while.

        Between two calls a request is to be tested.
        """
        now = monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        if self.signals is not None:
            self.signals.raise_old()
        for each in _latest:
            each._look(self)
        if self not in _latest:
            self._look(self)
        if now >= self._next_life:
            self._next_life = now + LIFE_INTERVAL
            for rank, process in self._processes.items():
                if not _lives(process):
                    self._fail(rank, f"rank {rank} has died: its process {process} has ended")
            if self._announced < self.call:
                self._announced = self.call
                self._send(WAITS, self.call, self.name)

    def _look(self, waiting: Failures) -> None:
        """Raise a RankError if `waiting`, this or another one, waits in vain."""
        if waiting is not self and (self.error is not None or self.is_active):
            return
        self._looks += 1
        self._receive()
        if waiting is self:
            self.check()
        for rank, (text, look) in self._ended.items():
            if self._looks - look > PATIENCE and waiting._has(self, rank):
                waiting._fail(rank, text)
        for rank, (call, name, look) in self._waiting.items():
            if call > self.call and self._looks - look > 2 * PATIENCE:
                where = name if waiting is self else f"{name} of another trainer"
                error = (
                    f"rank {rank} waits in {where}, and rank {self.rank} in {waiting.name}; "
                    "expected the same calls on all ranks"
                )
                if waiting is not self:
                    self._send(FAILED, self.rank, error)
                waiting._send(FAILED, self.rank, error)
                waiting._fail(rank, error)

    def _has(self, other: Failures, rank: int) -> bool:
        """Return whether a rank of another communicator has the same number in this one."""
        if other is self:
            return True
        groups = other.comm.Get_group(), self.comm.Get_group()
        found: list[int] = self.mpi.Group.Translate_ranks(groups[0], [rank], groups[1])
        return found[0] == rank

    def check(self) -> None:
        """Raise a RankError if another rank has failed, or has done so before."""
        self._receive()
        if self.refused is not None and self._is_preparing:
            raise self.refused
        if self.error is not None:
            more = "; make a new trainer on all ranks" if self._is_known else ""
            self._is_known = True
            raise RankError(self.error.rank, f"{self.error}{more}")

    def lose(self, rank: int, text: str) -> None:
        self.error = RankError(rank, text)

    def _fail(self, rank: int, message: str) -> None:
        self.lose(rank, message)
        self._is_known = True
        self._send(FAILED, rank, message)  # others may not see it
        raise RankError(rank, message)

    def close(self) -> None:
        """Free the communicator, on all ranks."""
        _latest.remove(self)
        self.comm.Free()

    @staticmethod
    def forget() -> None:
        """Let the ranks end one by one: all have had the same error at the same place."""
        _latest.clear()

    def end(self) -> None:
        """Wait a while until all ranks end."""
        latest = monotonic() + END_SECONDS
        while self._are_missing() and monotonic() < latest:
            self._receive()
            sleep(0.005)

    def _are_missing(self) -> bool:
        """Return whether a rank has not ended."""
        return any(
            rank not in self._ended
            and (rank not in self._processes or _lives(self._processes[rank]))
            for rank in range(self.size)
            if rank != self.rank
        )


def describe(error: BaseException) -> str:
    """Return class and message of an error."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@atexit.register
def _end() -> None:
    """End the part of this process: tell the others, and end them all after an error."""
    error: BaseException | None = getattr(sys, "last_value", None)
    mpi: Any = sys.modules.get("mpi4py.MPI")
    if os.getpid() != _process:
        return
    if mpi is None or not mpi.Is_initialized():
        if error is not None and int(os.environ.get("PMI_SIZE", 1)) > 1:
            # MPICH's mpiexec would let the others wait in MPI_Init; by a signal it ends them.
            sys.stdout.flush()
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return
    if mpi.Is_finalized() or mpi.COMM_WORLD.Get_size() == 1:
        return
    failed = [each for each in _latest if each.error is not None]
    how = "ended its program" if error is None else f"ended with {describe(error)}"
    with contextlib.suppress(Exception):
        for each in _latest:
            each.leave(f"rank {each.rank} {how}")
    if error is None and not failed:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(Exception):
        if _latest:
            (failed or _latest)[-1].end()
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
