"""The way of numbers from rank to rank in exact training: the link that the engine works with.

``_engine/ranks.pyx`` defines the order in which a rank computes; `Ring` moves the numbers, by
non-blocking calls of MPI on the engine's own memory. Sums of the gradient go from rank 0 to the
last one, block after block, and the updated parameters from there to rank 0 and on. A rank that
waits moves on whatever else has arrived, looks for an error of another rank, and lets other
processes have the processor.

Ranks of one host with neighbouring numbers, a run, send each other no blocks. They have sums and
parameters in common memory, and a rank counts the blocks whose sums it has completed. Nobody
changes a parameter that another rank still reads: a rank gives the sums of a block when it has
computed the δ that depend on it, and the new parameters come of the sums of all ranks.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.distributed.failures import SPINS, Failures, RankError, given_up
from cygrad.distributed.shared import (
    HEADER_NUMBERS,
    NoCommonMemory,
    RunMemory,
    common_memory,
    own_memory,
)
from cygrad.distributed.signals import DeferredSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

GRADIENT, PARAMETERS, LOSS, HEADER, STATISTICS = range(1, 6)  # tags
BLOCK_BYTES = 1 << 19
#: With more ranks, smaller blocks: the last one has the first block after that of all others.
FEW_RANKS, SMALL_BLOCK_BYTES = 4, 1 << 16
#: The unit of the parts of a batch: 1 / WHOLE.
WHOLE = 1 << 16
#: Of the difference between ranks, what is made up for in the next call; shorter calls are noise.
GAIN, LEAST_TIME = 0.3, 0.005
#: Blocks that a run of ranks holds at once: as many as they can be apart.
SLOTS = 8


def runs_of(hosts: Sequence[int]) -> list[range]:
    """Return the ranks of each run: ranks of one host, one after another."""
    firsts = [i for i, host in enumerate(hosts) if i == 0 or host != hosts[i - 1]]
    return [range(*ends) for ends in pairwise([*firsts, len(hosts)])]


def block_bytes(ranks: int, exact: bool) -> int:
    """Return the size of a block for so many ranks, about."""
    return SMALL_BLOCK_BYTES if exact and ranks > FEW_RANKS else BLOCK_BYTES


class Ring:
    """Moves the numbers of one rank.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Of this ring alone: a duplicate.
    exact : bool
        Whether sums travel as chains; else they are added by Allreduce.
    failures : Failures

    Attributes
    ----------
    rank, size : int
    block_bytes : int
        The size of a block, about.
    signals : DeferredSignals
        Those of this process.
    is_interrupted : bool
        Whether a signal's handler has raised an error.
    is_torn : bool
        Whether a step was given up, so that some parameters may be new and others old.
    """

    def __init__(self, comm: Any, exact: bool, failures: Failures) -> None:
        self.comm, self.exact, self._failures = comm, exact, failures
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.block_bytes = block_bytes(self.size, exact)
        self._last = self.size - 1
        self._before = (self.rank - 1) % self.size
        self._after = (self.rank + 1) % self.size
        self._find_run(failures.hosts if exact else range(self.size))
        self.signals = DeferredSignals()
        self._memory: RunMemory | None = None
        self._blocks: list[Bytes] = []
        self._gradients: list[Any] = []
        self._own = self._common = np.empty(0, np.uint8)  # parameters
        self.is_torn = self._is_open = False
        self._parts: NDArray[np.float64] | None = None  # of a batch, of each rank
        self._began = self._waited = 0.0
        self._begin_step()

    def _find_run(self, hosts: Sequence[int]) -> None:
        """Find the run of this rank; and if it is the first one of it, the way of parameters."""
        runs = runs_of(hosts)
        number = next(i for i, run in enumerate(runs) if self.rank in run)
        self._run = runs[number]
        self._leads = self.rank == self._run[0]
        is_first, is_last = number == 0, number == len(runs) - 1
        #: From where parameters come to this rank, and where it sends them; None: it does not.
        self._source = self._target = None
        if self._leads and not is_last:
            self._source = self._last if is_first else runs[number - 1][0]
            self._target = runs[number + 1][0] if number + 2 < len(runs) else None
        elif self.rank == self._last and len(runs) > 1:
            self._target = runs[0][0]

    def shares(self, rows: int, row_work: float, update_work: float) -> NDArray[np.int64]:
        """Return the part of a batch before each rank's rows, and all of it, in 1 / WHOLE.

        In exact training these do not change a bit, and follow the times that ranks take. At first
        the last rank has fewer rows, because it updates.

        Parameters
        ----------
        rows : int
            Of a batch.
        row_work, update_work : float
            The times of a row and of the update, in the same unit.
        """
        if self._parts is None:
            update = update_work / (row_work * rows) if self.exact else 0.0
            last = max((1 + update) / self.size - update, 0.0)
            self._parts = np.full(self.size, (1 - last) / (self.size - 1))
            self._parts[-1] = last
        ends = np.rint(np.cumsum(self._parts) / self._parts.sum() * WHOLE).astype(np.int64)
        return np.concatenate([[0], ends])

    def _rebalance(self, times: NDArray[np.float64]) -> None:
        """Give rows from ranks that worked for long to those that waited."""
        if self.exact and self._parts is not None and times.mean() > LEAST_TIME:
            parts = self._parts + GAIN * (times.mean() - times) / times.sum()
            self._parts = np.maximum(parts, 0)

    @property
    def is_interrupted(self) -> bool:
        return self.signals.handle()

    # The engine's calls

    def use(
        self,
        parameters: Bytes,
        gradient: Any,
        blocks: Sequence[tuple[int, int]],
        message: Bytes,
        *,
        sends_at_once: bool,
    ) -> Bytes:
        """Take the memory to work with, and return the parameters to work with.

        Ranks of a run have them in common during a call of the engine: a copy of those of its last
        rank, which `end_call` copies to the own ones of each.

        Parameters
        ----------
        parameters : ndarray of uint8
            All of them, with other numbers of the layers.
        gradient : ndarray of float32 or float64, or None
            The stored gradient, in the layout of the parameters.
        blocks : list of (first byte, bytes)
            Ranges of the parameters, in the order in which their gradients are computed.
        message : ndarray of uint8
            Loss, metric, penalty and a flag, each 8 bytes, and partial sums.
        sends_at_once : bool
            Whether `give` is called when a block is updated; else all are when the step ends.
        """
        self._message, self._sends_at_once = message, sends_at_once
        self._numbers = message[: 8 * HEADER_NUMBERS].view(np.float64)
        if gradient is not None:
            item = gradient.itemsize
            self._gradients = [
                gradient[first // item : (first + size) // item] for first, size in blocks
            ]
        most = max((size for _, size in blocks), default=0)
        if self.exact and (self._memory is None or self._memory.block_size < most):
            self._memory = self._new_memory(most, len(parameters))
            self._block_number = self._step_number = 0  # of those that are over
        self._own = parameters
        self._common = parameters
        if self._memory is not None and len(self._run) > 1:
            self._common = self._memory.parameters
            if self.rank == self._run[-1]:
                self._common[:] = parameters  # before all meet in `begin_call`
        self._blocks = [self._common[first : first + size] for first, size in blocks]
        return self._common

    def _new_memory(self, block_size: int, parameter_size: int) -> RunMemory:
        """Return memory of the run; if ranks can have none in common, each is a run from now on."""
        if any(a == b for a, b in pairwise(self._failures.hosts)):
            new = partial(common_memory, self._failures, self._run[0])
            with suppress(NoCommonMemory):
                return RunMemory(self._run, SLOTS, block_size, parameter_size, new)
            self._find_run(range(self.size))
        return RunMemory(self._run, SLOTS, block_size, 0, own_memory)

    @property
    def _room(self) -> RunMemory:
        assert self._memory is not None
        return self._memory

    def _count(self, blocks: int) -> None:
        """Tell the run that this rank has done so many blocks of this step."""
        self._room.count(self.rank, self._block_number + blocks)

    def _counted(self, rank: int) -> int:
        """Return how many blocks of this step a rank of the run has done."""
        return self._room.counted(rank) - self._block_number

    def _has_room(self, block: int) -> bool:
        return self._counted(self._run[-1]) > block - SLOTS

    def _slot(self, block: int) -> int:
        return (self._block_number + block) % SLOTS

    def _begin_step(self) -> None:
        self._sends: deque[Any] = deque()  # of blocks, in their order
        self._sent = 0  # blocks
        self._receives: list[Any] = []  # of blocks
        self._other_sends: deque[Any] = deque()
        self._reductions: list[Any] = []
        self._awaited: list[Any] = []  # requests of blocks of parameters
        self._arrived = 0

    def receive_sums(self) -> None:
        """Wait for loss, metric and partial sums of the rank before."""
        self._wait(self.comm.Irecv(self._message, self._before, LOSS))

    def send_sums(self) -> None:
        """Give them to the next rank."""
        self._other_sends.append(self.comm.Isend(self._message, self._after, LOSS))

    def add_sums(self) -> None:
        """Add loss and metric of all ranks, and take the largest flag."""
        mpi = self._failures.mpi
        sums, flags = self._numbers[:2].copy(), self._numbers[3:].copy()
        one = self.comm.Iallreduce(mpi.IN_PLACE, sums, mpi.SUM)
        other = self.comm.Iallreduce(mpi.IN_PLACE, flags, mpi.MAX)
        self._wait(one)
        self._wait(other)
        self._numbers[:2], self._numbers[3:] = sums, flags

    def take(self, block: int) -> int:
        """Return the address of a block's sums, or of room for them on rank 0."""
        if not self._leads:
            self._wait_until(lambda: self._counted(self.rank - 1) > block)
        elif self.rank == 0:
            self._wait_until(lambda: self._has_room(block))
        else:
            self._move_on()
            self._wait_until(lambda: len(self._receives) > block)
            self._wait(self._receives[block])
        return self._room.addresses[self._slot(block)]

    def give(self, block: int) -> None:
        """Send a block's sums to the next rank, or its new parameters from the last one."""
        if not self.exact:
            numbers = self._gradients[block]
            mpi = self._failures.mpi
            self._reductions.append(self.comm.Iallreduce(mpi.IN_PLACE, numbers, mpi.SUM))
            return
        if self.rank < self._last and self.rank == self._run[-1]:
            sums = self._sums(block)
            self._sends.append(self.comm.Isend(sums, self._after, GRADIENT))
        else:
            self._count(block + 1)
        if self._source is not None:
            memory = self._blocks[block]
            self._awaited.append(self.comm.Irecv(memory, self._source, PARAMETERS))
        elif self.rank == self._last and self._sends_at_once:
            self._publish(block)
        self._move_on()

    def wait_for_sums(self) -> None:
        """Wait until the gradients of all ranks are added."""
        for request in self._reductions:
            self._wait(request)
        self._reductions = []

    def finish(self) -> None:
        """Wait until the step is done on this rank: all has arrived, and all is sent."""
        if not self.exact:
            self.wait_for_sums()
            return
        room = self._room
        if self.rank == self._last:
            if not self._sends_at_once:
                for block in range(len(self._blocks)):
                    self._publish(block)
            room.header[:] = self._numbers
        elif self._source is not None:
            while self._arrived < len(self._blocks):
                self._wait(self._awaited[self._arrived])
                self._move_on()
            self._wait(self.comm.Irecv(room.header, self._source, HEADER))
        step = self._step_number + 1
        if self.rank == self._last or self._source is not None:
            if self._target is not None:
                self._other_sends.append(self.comm.Isend(room.header, self._target, HEADER))
            room.steps = step
        else:
            self._wait_until(lambda: room.steps == step)
        self._numbers[:] = room.header
        self._wait_until(lambda: not (self._sends or self._other_sends))
        self._block_number += len(self._blocks)
        self._step_number = step
        self._begin_step()

    def begin_call(self, rows: int, batch_size: int, first: int, batches: int) -> None:
        """Keep signals for later, until `close_call`: a step cannot be left by one rank alone.

        The numbers must be the same on all ranks.
        """
        self.signals.begin()
        self._is_open = True
        self._failures.check()
        own = np.array([rows, batch_size, first, batches])
        found = np.empty((self.size, len(own)), np.int64)
        self._wait(self.comm.Iallgather(own, found))
        differs = (found != found[0]).any(1)
        if differs.any():
            self._failures.is_common = True
            rank = int(differs.argmax())
            n, m = (f"{each[0]} rows, of which a step takes {each[1]}" for each in found[[rank, 0]])
            raise RankError(
                rank, f"rank {rank} has {n}, and rank 0 has {m}; expected the same on all ranks"
            )
        self._began, self._waited = perf_counter(), 0.0

    def end_call(self, rank: int, error: BaseException | None) -> None:
        """Raise an interrupt that any rank had, on all of them.

        Parameters
        ----------
        rank : int
            The rank that was interrupted in a step, or a negative number.
        error : BaseException or None
            An error that only this rank knows.
        """
        if error is not None or self.is_interrupted:
            rank = self.rank
        if self._common is not self._own:
            self._own[:] = self._common  # before all meet, and the next call begins
        own = np.array([rank, perf_counter() - self._began - self._waited])
        found = np.empty((self.size, 2))
        self._wait(self.comm.Iallgather(own, found))
        self._rebalance(found[:, 1])
        interrupted = int(found[:, 0].max())
        self._failures.is_common = interrupted >= 0
        if error is not None:
            raise error
        if interrupted >= 0:
            self.signals.raise_kept()
            raise KeyboardInterrupt(f"rank {interrupted} was interrupted")

    def close_call(self) -> None:
        """Handle the signals that have come, if a call was begun."""
        if self._is_open:
            self._is_open = False
            self.signals.end()

    # Chains over the rows of the batch, and what comes of them

    def receive_chain(self, numbers: memoryview) -> None:
        """Wait for numbers that the rank before has left."""
        if self.rank > 0:
            self._wait(self.comm.Irecv(numbers, self._before, STATISTICS))

    def send_chain(self, numbers: memoryview) -> None:
        """Give them to the next rank, and take those of the last one."""
        if self.rank < self._last:
            self._wait(self.comm.Isend(numbers, self._after, STATISTICS))
        self._wait(self.comm.Ibcast(numbers, self._last))

    # Requests

    def _sums(self, block: int) -> Bytes:
        return self._room.slots[self._slot(block)][: len(self._blocks[block])]

    def _publish(self, block: int) -> None:
        """Send updated parameters."""
        if self._target is not None:
            memory = self._blocks[block]
            self._other_sends.append(self.comm.Isend(memory, self._target, PARAMETERS))

    def _move_on(self) -> None:
        """Do what can be done without waiting."""
        if not self.exact:
            return
        while self._sends and self._sends[0].Test():
            self._sends.popleft()
            self._sent += 1
            self._count(self._sent)
        if self._leads and self.rank > 0:
            while (block := len(self._receives)) < len(self._blocks) and self._has_room(block):
                request = self.comm.Irecv(self._sums(block), self._before, GRADIENT)
                self._receives.append(request)
        while self._arrived < len(self._awaited) and self._awaited[self._arrived].Test():
            self._publish(self._arrived)
            self._arrived += 1
        while self._other_sends and self._other_sends[0].Test():
            self._other_sends.popleft()

    def _wait(self, request: Any) -> None:
        """Wait for a request, and move on others meanwhile."""
        if request is not None:
            self._wait_until(request.Test, request)

    def _wait_until(self, is_done: Callable[[], bool], request: Any = None) -> None:
        """Wait for something, and move on other things meanwhile."""
        if is_done():
            return
        tests, began = 0, perf_counter()
        try:
            while not is_done():
                tests += 1
                if tests > SPINS:
                    os.sched_yield()
                    self._failures.check_now_and_then()
                if tests % 16 == 0:
                    self._move_on()
        except BaseException:
            self._give_up(request)
            raise
        self._waited += perf_counter() - began

    def _give_up(self, request: Any) -> None:
        """Receive no parameters any more. What other requests use stays in memory."""
        self.is_torn = True
        for each in self._awaited[self._arrived :]:
            each.Cancel()
        given_up.append((self, request))
