"""Memory that ranks of one host have in common."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.distributed.failures import Failures

NAME = "cygrad-ranks"


def common_memory(failures: Failures, first: int, size: int) -> NDArray[np.uint8] | None:
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
    ndarray of uint8, shape (size,), or None
        None on all ranks, if any of them cannot have it: the system has no such files, or the
        processes do not see each other.
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
    return np.frombuffer(memory, np.uint8) if memory is not None and agreed[0] else None


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
