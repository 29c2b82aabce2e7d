"""Memory that ranks of one host have in common, and what exact training has there."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from cygrad._engine.passes import load_number, store_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cygrad.distributed.failures import Failures

    Bytes = NDArray[np.uint8]

NAME = "cygrad-ranks"
#: Bytes between two counters, so that processors do not wait for each other's, and of a page.
COUNTER_BYTES, PAGE = 128, 4096
HEADER_NUMBERS = 4


class NoCommonMemory(Exception):
    """Ranks cannot have memory in common."""


class RunMemory:
    """Memory of the ranks of a run: counters, the header of a step, sums of blocks, parameters.

    Parameters
    ----------
    run : range
        The ranks.
    slots : int
        How many blocks have room at once.
    block_size, parameter_size : int
        Bytes of a block, and of all parameters.
    new : function
        Called with the size, it returns zeros that begin with a page: `own_memory` or, on all
        ranks together, `common_memory`.

    Attributes
    ----------
    block_size : int
    slots : list of ndarray of uint8
        Room for the sums of blocks.
    addresses : list of int
        The same.
    header : ndarray of float64
        Of a step that is complete.
    parameters : ndarray of uint8
    """

    def __init__(
        self,
        run: range,
        slots: int,
        block_size: int,
        parameter_size: int,
        new: Callable[[int], Bytes],
    ) -> None:
        # Of each rank, of the steps, and the header, each at a distance from the others.
        counters = _pages(COUNTER_BYTES * (len(run) + 2))
        stride = _pages(block_size) + PAGE  # not all at the same place of a cache
        end = counters + slots * stride
        memory = new(end + parameter_size)
        self._run, self.block_size = run, block_size
        places = range(counters, end, stride)
        self.slots = [memory[place : place + block_size] for place in places]
        self.addresses = [slot.ctypes.data for slot in self.slots]
        self.header = memory[counters - COUNTER_BYTES :][: 8 * HEADER_NUMBERS].view(np.float64)
        self.parameters = memory[end : end + parameter_size]
        self._counters = [memory.ctypes.data + COUNTER_BYTES * i for i in range(len(run) + 1)]

    def count(self, rank: int, blocks: int) -> None:
        """Tell the run that a rank has done so many blocks so far."""
        store_number(self._counters[rank - self._run[0]], blocks)

    def counted(self, rank: int) -> int:
        """Return how many blocks a rank of the run has done."""
        return load_number(self._counters[rank - self._run[0]])

    @property
    def steps(self) -> int:
        """Number of complete steps; the header and the parameters are those of the latest."""
        return load_number(self._counters[-1])

    @steps.setter
    def steps(self, number: int) -> None:
        store_number(self._counters[-1], number)


def own_memory(size: int) -> Bytes:
    """Return memory of one rank, zeros that begin with a page."""
    memory = np.zeros(size + PAGE, np.uint8)
    return memory[-memory.ctypes.data % PAGE :]


def _pages(size: int) -> int:
    """Return the size of whole pages for so many bytes."""
    return (size + PAGE - 1) // PAGE * PAGE


def common_memory(failures: Failures, first: int, size: int) -> Bytes:
    """Return memory that begins as zeros, and that ends with its last user.

    All ranks call it together. It is a file without a name, which other ranks open by the number of
    the process that has it: so nothing is left when a rank is killed, and no limit of ``/dev/shm``
    applies.

    Parameters
    ----------
    failures : Failures
    first : int
        The rank that makes the memory of this one: itself, or another one on this host.
    size : int
        Bytes, as on that rank.

    Returns
    -------
    ndarray of uint8, shape (size,)

    Raises
    ------
    NoCommonMemory
        On all ranks, if any of them cannot have it: the system has no such files, or the processes
        do not see each other.
    """
    own, memory, file = np.full(4, -1, np.int64), None, -1
    try:
        if first == failures.rank:
            file = os.memfd_create(NAME, os.MFD_CLOEXEC)
            os.ftruncate(file, size)
            memory = mmap.mmap(file, size)
            own[:] = os.getpid(), file, *_identity(file)
    except (OSError, AttributeError):
        memory = None
    found = np.empty((failures.size, 4), np.int64)
    failures.wait(failures.comm.Iallgather(own, found))
    if first != failures.rank:
        process, number, device, inode = (int(each) for each in found[first])
        memory = _opened(process, number, (device, inode), size)
    agreed = np.array([memory is not None], np.int64)
    failures.wait(failures.comm.Iallreduce(failures.mpi.IN_PLACE, agreed, failures.mpi.MIN))
    if file >= 0:
        os.close(file)  # all have it now, or nobody wants it
    if memory is None or not agreed[0]:
        raise NoCommonMemory
    return np.frombuffer(memory, np.uint8)


def _opened(process: int, number: int, identity: tuple[int, int], size: int) -> mmap.mmap | None:
    """Return the memory that another process has as a file of this number.

    In a container the same number can be that of a process that has nothing to do with it.
    """
    try:
        file = os.open(f"/proc/{process}/fd/{number}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return mmap.mmap(file, size) if _identity(file) == identity else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(file)


def _identity(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino
