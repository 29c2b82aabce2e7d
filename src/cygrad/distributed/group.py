"""`Ranks`: the processes of a communicator, which make the same calls and decide in common."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from cygrad.distributed import agreement
from cygrad.distributed.failures import Failures, RankError
from cygrad.distributed.ring import Ring
from cygrad.training.clock import common_clock
from cygrad.training.group import Alone
from cygrad.training.history import DivergenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Ranks(Alone):
    """The ranks that train a network together; of one, a group that is alone.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    comm : mpi4py.MPI.Comm
        The ranks; more than one work on a communicator of their own.

    Attributes
    ----------
    failures : Failures
    comm : mpi4py.MPI.Comm
    ring : Ring
        After `open_ring`.
    """

    ring: Ring

    def __init__(self, mpi: Any, comm: Any) -> None:
        self.failures = Failures(mpi, comm)
        self.comm = self.failures.duplicate(comm) if self.size > 1 else comm
        self._interrupted = -1  # the rank, of the latest `agree`

    def open_ring(self, exact: bool) -> None:
        """Make the way of sums and parameters from rank to rank."""
        self.ring = Ring(self.comm, exact, self.failures)

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return self.failures.rank

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.failures.size

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def is_torn(self) -> bool:
        return self.ring.is_torn

    @property
    def leaves_together(self) -> bool:
        return self.size == 1 or self.failures.is_common

    def broadcast(self, array: Any, root: int = 0) -> None:
        """Take the numbers that an array has on one rank."""
        self.failures.wait(self.comm.Ibcast(array.view(np.uint8), root))

    @contextmanager
    def call(
        self, name: str, describe: Callable[[], dict[str, str]], *, is_short: bool = False
    ) -> Iterator[None]:
        """Train with other ranks: check that they make the same call.

        describe : returns texts that must be the same on all ranks
        is_short : whether nothing follows the last step, with signals that wait
        """
        failures, signals = self.failures, self.ring.signals
        failures.begin(name)
        with failures, self.telling(), signals.kept():
            known = {"call": name, **describe()}
            failures.signals = signals
            agreement.require(failures, known)
            failures.signals = None
            with common_clock(self._common_time), self._quiet():
                yield
            if not is_short:
                self.agree(False)
            failures.is_common = True  # all is done
            self.raise_interrupt()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell other ranks of an error that they do not have."""
        try:
            yield
        except (DivergenceError, RankError):
            raise
        except BaseException as error:
            if self.size > 1 and not self.failures.is_common:
                self.failures.tell(error)
            raise

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Leave warnings to rank 0."""
        if self.is_main:
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def _common_time(self) -> float:
        time = np.array([monotonic()])
        self.broadcast(time)
        return float(time[0])

    def make(self, make: Callable[[], T]) -> T:
        """Return what a function makes, unless it raises an error on any rank."""
        found, error = None, None
        try:
            with self.failures.preparing():
                found = make()
        except BaseException as raised:
            error = raised
        agreement.complete(self.failures, error)
        return cast("T", found)

    def prepare(self, make: Callable[[], T]) -> T:
        if self.size == 1:
            return make()
        time = self._common_time()
        with common_clock(lambda: time):
            return self.make(make)

    def agree(self, stops: bool) -> bool:
        if self.size == 1:
            return stops
        own = np.array([stops, self.rank + 1 if self.ring.signals.handle() else 0])
        found = agreement.largest(self.failures, own)
        self._interrupted = int(found[1]) - 1
        return bool(found[0])

    def raise_interrupt(self) -> None:
        rank = self._interrupted
        if rank >= 0:
            self._interrupted, self.failures.is_common = -1, True
            self.ring.signals.raise_kept()  # may raise what the handler of this rank raises
            raise KeyboardInterrupt(f"rank {rank} was interrupted")
