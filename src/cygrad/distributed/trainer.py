"""`MPITrainer`: a trainer whose batches are shared by the ranks of an MPI communicator."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cygrad import checks
from cygrad._engine.training import Training
from cygrad.distributed import agreement
from cygrad.distributed.failures import Failures, RankError
from cygrad.distributed.ring import Ring
from cygrad.exchange.libraries import library
from cygrad.threads import default_threads
from cygrad.training import LBFGS, Trainer
from cygrad.training.clock import common_clock
from cygrad.training.history import DivergenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cygrad.network import Network
    from cygrad.seeding import RandomSource
    from cygrad.training import History
    from cygrad.training.optimizers import Optimizer


class MPITrainer(Trainer):
    """Trains a network by mini-batch descent on several processes, to the same bits as on one.

    Every rank makes the same network and trainer and calls the same methods with the same
    arguments. Each batch is divided among the ranks by place, in the order of `Trainer`: rank r of
    R has the rows from r n // R to (r + 1) n // R of the n rows of a batch, and computes forward
    and back with these alone.

    Parameters
    ----------
    net : Network
        As for `Trainer`. All ranks take the parameters that it has on rank 0.
    optimizer, batch_size, rng, accumulate, clip_value, clip_norm, clip_global_norm
        As for `Trainer`. The batch is that of all ranks together. Of `rng` None, all take the seeds
        of rank 0.
    threads : int or None
        Of each rank. None: the processors of this process, divided by the number of ranks that run
        on the same machine.
    comm : mpi4py.MPI.Comm or None
        The ranks that train together; None: all of them.
    exact : bool
        True: sums over the rows of a batch are one chain from the first row of rank 0 to the last
        one of the last rank, as on one process, so that parameters, history and predictions have
        the bits of `Trainer` on any number of ranks. False: each rank sums its own rows, and
        ``MPI_Allreduce`` adds these sums: the bits are the same on all ranks, and depend on their
        number and on the MPI library.

    Raises
    ------
    ModuleNotFoundError
        If mpi4py is not installed.
    RankError
        If ranks have another version of cygrad, another network or other arguments. Its `rank` has
        the number of the first one that differs from rank 0. Processors may differ: the bits do not
        depend on them.
    TypeError, ValueError
        As from `Trainer`.

    Notes
    -----
    The gradient of a layer goes from rank to rank in blocks of about 256 KB, and while one is on
    its way a rank computes the next; the last rank updates the parameters, and they come round in
    the same way [1]_. A rank sends and receives each parameter once, and the optimiser's state is
    used on the last rank alone. With ``exact=False`` a rank sends and receives about as much, and
    all ranks update all parameters.

    What a rank decides alone on one process, all decide in common: Ctrl-C and SIGTERM end the
    training on all ranks after the same step, seconds are those of rank 0, and a loss that is NaN
    is a `DivergenceError` everywhere. An error on one rank, or its death, is a `RankError` on the
    others, within about a second; afterwards the trainer is of no more use, and the program ends
    all ranks when it ends. Callbacks and validation run on every rank, with the same numbers;
    progress is shown, and files of `Checkpoint` and `CSVLogger` are written, by rank 0.

    `learn_one`, losses that are Python functions and `LBFGS` are not shared and refused, and a
    trainer cannot be pickled.

    References
    ----------
    .. [1] P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
       workstations", Journal of Parallel and Distributed Computing 69 (2009): the ring, for sums
       in any order.

    Examples
    --------
    On one process it is a `Trainer`:

    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    >>> trainer = cg.distributed.MPITrainer(net, cg.Adam(1e-3), rng=0)
    >>> len(trainer.fit(X, y, epochs=3)), trainer.rank, trainer.size
    (3, 0, 1)
    """

    def __init__(
        self,
        net: Network,
        optimizer: Optimizer,
        batch_size: int = 32,
        rng: RandomSource = None,
        threads: int | None = None,
        *,
        comm: Any = None,
        exact: bool = True,
        accumulate: int = 1,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_global_norm: float | None = None,
    ) -> None:
        mpi = library("mpi4py.MPI", "mpi")
        comm = mpi.COMM_WORLD if comm is None else comm
        self._exact = checks.flag(exact, "exact")
        self._failures = Failures(mpi, comm.Dup())
        self._comm = comm.Dup()
        self._ring = Ring(comm.Dup(), self._exact, self._failures)
        with self._telling():
            if rng is None and self.size > 1:
                rng = self._common_seed()
            super().__init__(
                net,
                optimizer,
                batch_size,
                rng,
                threads,
                accumulate=accumulate,
                clip_value=clip_value,
                clip_norm=clip_norm,
                clip_global_norm=clip_global_norm,
            )
            if self.size > 1:
                self._check_network()
                self._broadcast(net.engine.storage)
                agreement.require(self._failures, self._comm, agreement.identity(self))

    @property
    def rank(self) -> int:
        """The number of this process among those that train together, from 0."""
        rank: int = self._ring.rank
        return rank

    @property
    def size(self) -> int:
        """Number of processes that train together."""
        size: int = self._ring.size
        return size

    @property
    def exact(self) -> bool:
        """Whether the bits are those of `Trainer`."""
        return self._exact

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def max_threads(self) -> int | Callable[[], int]:
        if self._threads is None:
            return self._share_of_processors
        return super().max_threads

    def _share_of_processors(self) -> int:
        return max(default_threads() // self._failures.ranks_here, 1)

    def _new_training(self) -> Training:
        training = super()._new_training()
        if self.size > 1:
            training.join(self._ring)
        return training

    def _check_network(self) -> None:
        if self._net.engine.custom_loss is not None:
            raise ValueError(
                "net has a loss that is a Python function, which ranks cannot share; expected a "
                "loss of cygrad"
            )
        if self._net.engine.has_batch_norm:
            raise ValueError("net has batch norm, which ranks cannot share yet")
        if isinstance(self._optimizer, LBFGS):
            raise ValueError("optimizer is LBFGS, which ranks cannot share; expected another one")

    def _common_seed(self) -> np.random.SeedSequence:
        words = np.random.SeedSequence().generate_state(4)
        self._broadcast(words)
        return np.random.SeedSequence([int(word) for word in words])

    def _broadcast(self, array: Any, root: int = 0) -> None:
        """Take the numbers that an array has on one rank."""
        self._failures.wait(self._comm.Ibcast(array.view(np.uint8), root))

    def _common_time(self) -> float:
        time = np.array([monotonic()])
        self._broadcast(time)
        return float(time[0])

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell other ranks of an error that they do not have."""
        try:
            yield
        except (DivergenceError, RankError):
            raise
        except BaseException as error:
            if self.size > 1 and not self._ring.has_common_error:
                self._failures.tell(error)
            raise

    @contextmanager
    def _together(self, data: Mapping[str, Any], **options: Any) -> Iterator[None]:
        """Train with other ranks: check that they have the same data and arguments."""
        if self.size == 1:
            yield
            return
        with self._telling(), common_clock(self._common_time), self._quiet():
            values = agreement.identity(self) | agreement.describe(data, options)
            agreement.require(self._failures, self._comm, values)
            yield

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Leave warnings to rank 0."""
        if self.is_main:
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def fit(self, X: Any, y: Any = None, epochs: int | None = None, **options: Any) -> History:
        with self._together({"X": X, "y": y}, epochs=epochs, **options):
            return super().fit(X, y, epochs, **self._shown(options))

    def resume(self, path: Any, X: Any, y: Any = None, **options: Any) -> History:
        with self._together({"X": X, "y": y}, **options):
            return super().resume(path, X, y, **self._shown(options))

    def _shown(self, options: dict[str, Any]) -> dict[str, Any]:
        return options if self.is_main else {**options, "verbose": False}

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        with self._together({"X": X, "y": y, "sample_weight": sample_weight}):
            return super().partial_fit(X, y, sample_weight)

    def step(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        with self._telling():
            return super().step(X, y, sample_weight)

    def learn_one(self, x: Any, y: Any) -> float:
        if self.size > 1:
            raise TypeError("learn_one takes one sample, which ranks cannot share; expected step")
        return super().learn_one(x, y)

    def training_state(self) -> dict[str, Any]:
        if self.size > 1:  # the last rank alone has used it
            for array in self._training.state:
                self._broadcast(array, self.size - 1)
        return super().training_state()

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "an MPITrainer cannot be pickled or copied: its communicator is that of this process; "
            "expected its net, or a Checkpoint"
        )
