"""The command line on several processes, started by mpiexec or another launcher of MPI.

``cygrad train`` trains on all of them by `MPITrainer`, with --cv each some of the folds, and rank 0
prints and writes. The other commands run on rank 0, and the others end at once. mpi4py is imported
for trainings alone, and where a launcher does not give the number of processes.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from math import inf
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from cygrad.threads import default_threads, limited

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from cygrad.cli.signals import Signals
    from cygrad.training import Trainer

#: Variables with the rank and the number of processes, of MPICH and its kin, and Open MPI.
LAUNCHERS = (
    ("PMI_RANK", "PMI_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)
#: Seconds in which the others must come to the same end, after an error.
PATIENCE = 10.0
FINE, FAILED, FOLLOWED, INTERRUPTED = range(4)
TEXT_BYTES = 1000


def launched() -> tuple[int, int] | None:
    """Return the rank and the number of processes of a launcher; None: this one is alone."""
    for rank, size in LAUNCHERS:
        found = _number(rank), _number(size)
        if found[0] >= 0 and found[1] > 0:
            return found if found[1] > 1 else None
    # Slurm starts processes that have nothing to do with each other, too.
    if "PMIX_RANK" in os.environ or _number("SLURM_STEP_NUM_TASKS") > 1:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError):
            return None
        if MPI.COMM_WORLD.Get_size() > 1:
            return MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()
    return None


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else -1


class Ranks:
    """The processes of a launcher, from the view of one of them.

    Attributes
    ----------
    rank, size : int
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._have_ended = False

    @property
    def is_main(self) -> bool:
        """True on the rank that prints and writes."""
        return self.rank == 0

    def quietly(self, run: Callable[[], int]) -> int:
        """Call a function, whose output is shown on rank 0 alone."""
        with ExitStack() as stack:
            if not self.is_main:
                nothing = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect_stdout(nothing))
                stack.enter_context(redirect_stderr(nothing))
            return run()

    def run(self, command: ModuleType, arguments: Namespace, signals: Signals) -> None:
        """Run a command, and end on all ranks alike."""
        if arguments.command != "train":
            if self.is_main:
                command.run(arguments)
            return
        self._join(arguments)
        self._signals = signals
        arguments.ranks, error = self, None
        try:
            command.run(arguments)
        except BaseException as raised:
            if self._have_ended:
                raise
            error = raised
        self.agree(error)

    def _join(self, arguments: Namespace) -> None:
        """Come together with the other ranks."""
        from cygrad.distributed.failures import Failures
        from cygrad.exchange.libraries import library

        if arguments.data == "-":
            raise ValueError(f"FILE is -, expected a file: {self.size} processes share no stdin")
        try:
            self._mpi = library("mpi4py.MPI", "mpi")
        except RuntimeError as error:
            raise ModuleNotFoundError(
                f"mpi4py finds no MPI library: pip install 'cygrad[mpi]' ({error})"
            ) from None
        self._comm = self._mpi.COMM_WORLD.Dup()
        if self._comm.Get_size() != self.size:
            raise ValueError(
                f"{self.size} processes were started, and mpi4py finds {self._comm.Get_size()}: "
                f"expected the mpiexec of its library, {self._mpi.get_vendor()[0]}"
            )
        self._failures = Failures(self._mpi, self._comm.Dup())

    def trainer(self, *arguments: Any, **options: Any) -> Trainer:
        """Make a trainer of all ranks."""
        from cygrad.distributed import MPITrainer

        self.agree()
        return MPITrainer(*arguments, **options)

    def of_main(self, value: bool) -> bool:
        """Return the value that rank 0 has."""
        import numpy as np

        shared = np.array([value])
        self._failures.wait(self._comm.Ibcast(shared.view(np.uint8), 0))
        return bool(shared[0])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Train without the others, on this process's share of the processors."""
        share = max(default_threads() // self._failures.ranks_here, 1)
        with limited(lambda: share):
            yield

    def exchange(self, value: Any) -> list[Any]:
        """Return the values of all ranks, which JSON can hold."""
        import numpy as np

        own = np.frombuffer(json.dumps(value).encode(), np.uint8)
        counts = np.empty(self.size, np.int64)
        self._failures.wait(self._comm.Iallgather(np.array([len(own)], np.int64), counts))
        texts = np.empty(counts.sum(), np.uint8)
        self._failures.wait(self._comm.Iallgatherv(own, [texts, counts.tolist()]))
        ends = counts.cumsum().tolist()
        return [
            json.loads(texts[end - count : end].tobytes())
            for end, count in zip(ends, counts.tolist(), strict=True)
        ]

    def agree(self, error: BaseException | None = None) -> None:
        """Wait for all ranks; raise an error if one of them has one.

        After an error it is not called again.
        """
        import numpy as np

        from cygrad.distributed.failures import RankError

        received = self._signals.received or 0
        kind, text = FINE, ""
        if isinstance(error, KeyboardInterrupt):
            # Without a signal, it comes from another rank.
            kind, text = INTERRUPTED, str(error) if received else ""
        elif error is not None:
            kind = FOLLOWED if isinstance(error, RankError) else FAILED
            text = f"{type(error).__name__}: {error}"
        own = np.zeros(2 + TEXT_BYTES, np.uint8)
        encoded = text.encode()[:TEXT_BYTES]
        own[:2] = kind, received
        own[2 : 2 + len(encoded)] = np.frombuffer(encoded, np.uint8)
        all_of_them = np.empty((self.size, len(own)), np.uint8)
        self._wait(self._comm.Iallgather(own, all_of_them), error)
        kinds, numbers = all_of_them[:, 0], all_of_them[:, 1]
        self._have_ended = bool(kinds.any())
        if (kinds == FAILED).all() and (all_of_them == own).all():
            self._failures.forget()
        if (kinds == INTERRUPTED).any():
            self._signals.received = int(numbers.max()) or None
            raise KeyboardInterrupt(text if kind == INTERRUPTED else "")
        if error is not None and (kind == FAILED or not (kinds == FAILED).any()):
            raise error
        if self._have_ended:
            rank = int((kinds == FAILED).argmax())
            text = all_of_them[rank, 2:].tobytes().rstrip(b"\0").decode(errors="replace")
            raise RankError(rank, f"rank {rank} ended with {text}")

    def _wait(self, request: Any, error: BaseException | None) -> None:
        end = inf if error is None else monotonic() + PATIENCE
        while not request.Test():
            try:
                self._failures.check_now_and_then()
            except BaseException:
                self._have_ended = True
                raise
            if monotonic() > end:
                name = f"rank {self.rank} ended with {type(error).__name__}"
                print(f"cygrad: {name}: {error}", file=sys.__stderr__, flush=True)
                self._mpi.COMM_WORLD.Abort(1)
            sleep(0.001)
