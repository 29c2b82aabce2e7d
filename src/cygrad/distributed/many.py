"""Many networks on several ranks: each rank trains some of them, and all get all results.

Results go from rank to rank as JSON and the bytes of arrays, and no code is in them.
"""

from __future__ import annotations

import builtins
import json
import warnings
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from cygrad.distributed import agreement
from cygrad.distributed.failures import Failures, RankError
from cygrad.distributed.signals import DeferredSignals
from cygrad.distributed.trainer import MPITrainer
from cygrad.exchange.libraries import library
from cygrad.threads import default_threads
from cygrad.training.checkpoints.file import from_values, to_values
from cygrad.training.history import DivergenceError, History, OptimizeResult
from cygrad.training.many import fitting
from cygrad.training.many.cross_validation import has_validation
from cygrad.training.many.fitting import Fitted
from cygrad.training.metrics.table import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad.training import Trainer
    from cygrad.training.many.fitting import CallbacksOf, FitArguments

STOP = 2  # tag of the message of an interrupted rank


def fit_many(
    trainers: Iterable[Trainer],
    X: Any,
    y: ArrayLike,
    epochs: int | None = None,
    *,
    rows: Sequence[ArrayLike | None] | None = None,
    callbacks: CallbacksOf | None = None,
    threads: int | None = None,
    verbose: bool = False,
    comm: Any = None,
    **options: Unpack[FitArguments],
) -> list[Fitted]:
    """Train many networks on the ranks of MPI, as `cygrad.fit_many` does on one process.

    Every rank makes the same trainers, and calls this with the same arguments. Each rank trains
    some of the networks, the largest ones being divided first, and at the end all ranks have the
    parameters, training states, histories and errors of all: bit by bit those of one process,
    besides times.

    Parameters
    ----------
    trainers, X, y, epochs, rows, callbacks, **options
        As for `cygrad.fit_many`. Callbacks run on the rank that trains the network, and it writes
        their files.
    threads : int or None
        Networks that a rank trains at the same time. None: the processors of the process, divided
        by the number of ranks on the same machine.
    verbose : bool
        Whether rank 0 shows the progress of its networks.
    comm : mpi4py.MPI.Comm or None
        The ranks; None: all of them.

    Returns
    -------
    list of Fitted
        On all ranks, in the order of `trainers`. Errors are those of Python and `DivergenceError`;
        one of another type is a `RankError` on the ranks that it did not happen on.

    Raises
    ------
    RankError
        If a rank has died, has an error of its own, or other trainers or arguments.
    KeyboardInterrupt
        On all ranks, if one of them is interrupted.
    TypeError, ValueError, Exception
        As from `cygrad.fit_many`.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(seed):
    ...     net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=seed)
    ...     return cg.Trainer(net, cg.Adam(1e-3), rng=seed)
    >>> trainers = [trainer(seed) for seed in range(10)]
    >>> results = cg.distributed.fit_many(trainers, X, y, epochs=3)
    >>> [len(each.history) for each in results]
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
    """
    with divided(comm):
        return fitting.fit_many(
            trainers,
            X,
            y,
            epochs,
            rows=rows,
            callbacks=callbacks,
            threads=threads,
            verbose=verbose,
            **options,
        )


@contextmanager
def divided(comm: Any = None) -> Iterator[None]:
    """Divide the networks of `fit_many`, `cross_validate`, `grid` and `ensemble` among ranks.

    Inside of ``with cg.distributed.divided():`` these functions work as `distributed.fit_many`.
    Warnings are left to rank 0.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm or None
        The ranks; None: all of them.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(rate):
    ...     net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    ...     return cg.Trainer(net, cg.Adam(rate), rng=0)
    >>> with cg.distributed.divided():
    ...     found = cg.grid(trainer, {"rate": [1e-6, 1e-2]}, X / 16, y, epochs=5, folds=3, rng=0)
    >>> found.best.setting
    {'rate': 0.01}
    """
    mpi = library("mpi4py.MPI", "mpi")
    comm = mpi.COMM_WORLD if comm is None else comm
    if comm.Get_size() == 1:
        yield
        return
    failures = Failures(mpi, comm)
    own = failures.duplicate(comm)
    before = fitting.division.set(Division(failures, own).fit_all)
    try:
        with nullcontext() if comm.Get_rank() == 0 else warnings.catch_warnings():
            if comm.Get_rank() > 0:
                warnings.simplefilter("ignore")
            yield
    finally:
        fitting.division.reset(before)
    failures.close()
    own.Free()


class Division:
    """The networks of a rank, and the results of all.

    Parameters
    ----------
    failures : Failures
    comm : mpi4py.MPI.Comm
        Of this object alone: a duplicate.
    """

    def __init__(self, failures: Failures, comm: Any) -> None:
        self._failures, self._comm = failures, comm
        self.rank, self.size = failures.rank, failures.size
        self._signals = DeferredSignals()
        self._were_interrupted = False

    def fit_all(
        self,
        trainers: Sequence[Trainer],
        X: Any,
        y: ArrayLike,
        epochs: int | None,
        rows: Sequence[ArrayLike | None],
        callbacks: CallbacksOf | None,
        threads: int | None,
        verbose: bool,
        options: FitArguments,
        after: Callable[[int], object],
    ) -> list[Fitted]:
        """Train all networks, as `cygrad.training.many.fitting.fit_all` does."""
        try:
            self._check(trainers, X, y, rows, {**options, "epochs": epochs})
            owners = self._owners(trainers)
            own = [index for index, owner in enumerate(owners) if owner == self.rank]
            if threads is None:
                threads = max(default_threads() // self._failures.ranks_here, 1)
            with self._signals.kept(), self._stopping():
                fitted = fitting.fit_here(
                    [trainers[index] for index in own],
                    X,
                    y,
                    epochs,
                    [rows[index] for index in own],
                    callbacks,
                    threads,
                    verbose and self.rank == 0,
                    options,
                    lambda index: after(own[index]),
                    self._watch,
                )
            mine = iter(fitted)
            return [
                self._give(next(mine), owner)
                if owner == self.rank
                else self._take(trainers[index], owner, options, partial(after, index))
                for index, owner in enumerate(owners)
            ]
        except BaseException as error:
            if not isinstance(error, RankError) and not self._were_interrupted:
                self._failures.tell(error)
            raise

    def _check(
        self,
        trainers: Sequence[Trainer],
        X: Any,
        y: Any,
        rows: Sequence[Any],
        options: Mapping[str, Any],
    ) -> None:
        """Raise an error if ranks have other trainers, data or arguments."""
        for trainer in trainers:
            if isinstance(trainer, MPITrainer):
                raise TypeError(f"trainers has {trainer!r}, expected a Trainer, of one rank")
        count = {"a number of trainers": f"{len(trainers)}"}
        agreement.require(self._failures, count)
        values = agreement.describe({"X": X, "y": y, **options})
        of_rows = [
            None if each is None else agreement.data_of(each, "rows", agreement.ALL_BYTES)
            for each in rows
        ]
        values["rows"] = f"{of_rows}"
        for index, trainer in enumerate(trainers):
            for name, value in agreement.identity(trainer).items():
                values[f"trainers[{index}], {name}"] = value
        agreement.require(self._failures, values)

    def _owners(self, trainers: Sequence[Trainer]) -> list[int]:
        """Return the rank that trains each network: the largest first, by parameters so far."""
        sizes = [trainer.net.engine.storage.size for trainer in trainers]
        given = [0] * self.size
        owners = [0] * len(sizes)
        for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
            owners[index] = rank = given.index(min(given))
            given[rank] += sizes[index]
        return owners

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Stop all ranks if one is interrupted; go on when all have trained their networks."""
        error, has_followed = None, False
        token = fitting.division.set(None)  # networks of callbacks are not divided
        try:
            yield
        except _OtherRank:
            has_followed = True
        except Exception:
            raise
        except BaseException as raised:
            error = raised
            for rank in range(self.size):
                if rank != self.rank:
                    self._failures.wait(self._comm.Isend(np.zeros(1, np.uint8), rank, STOP))
        finally:
            fitting.division.reset(token)
        flags = np.empty(self.size, np.uint8)
        own = np.array([error is not None], np.uint8)
        self._failures.wait(self._comm.Iallgather(own, flags))
        interrupted = np.flatnonzero(flags).tolist()
        for rank in interrupted:
            if rank != self.rank:
                self._failures.wait(self._comm.Irecv(np.empty(1, np.uint8), rank, STOP))
        self._were_interrupted = bool(interrupted)
        if error is not None:
            raise error
        assert interrupted or not has_followed
        if interrupted:
            raise KeyboardInterrupt(f"rank {interrupted[0]} was interrupted")

    def _watch(self) -> None:
        self._failures.check_now_and_then()
        if self._signals.handle():
            self._signals.raise_kept()
        if self._comm.Iprobe(tag=STOP):
            raise _OtherRank

    def _give(self, fitted: Fitted, owner: int) -> Fitted:
        """Send a result to all other ranks."""
        trainer, history, error = fitted
        tree: dict[str, Any] = {
            "training": trainer.training_state(),
            "history": history.state(),
            "optimize_result": history.optimize_result,
            "is_begun": history is trainer.history,
            "error": None,
        }
        if error is not None:
            tree["error"] = [type(error).__name__, str(error)]
        if isinstance(error, DivergenceError):
            tree["error"] += [error.step, error.epoch, error.history is not None]
        arrays: dict[str, NDArray[Any]] = {}
        values = to_values(tree, arrays)
        shapes = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
        parts = [np.frombuffer(json.dumps([values, shapes]).encode(), np.uint8)]
        parts += [
            np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays.values()
        ]
        message = np.concatenate(parts)
        self._broadcast(np.array([len(message), len(parts[0])], np.int64), owner)
        self._broadcast(message, owner)
        return fitted

    def _take(
        self, trainer: Trainer, owner: int, options: FitArguments, after: Callable[[], object]
    ) -> Fitted:
        """Take a result of another rank."""
        sizes = np.empty(2, np.int64)
        self._broadcast(sizes, owner)
        message = np.empty(sizes[0], np.uint8)
        self._broadcast(message, owner)
        values, shapes = json.loads(message[: sizes[1]].tobytes())
        arrays, start = {}, int(sizes[1])
        for name, (dtype, shape) in shapes.items():
            array = np.empty(shape, dtype)
            flat = array.reshape(-1).view(np.uint8)
            flat[:] = message[start : start + array.nbytes]
            arrays[name], start = array, start + array.nbytes
        tree = from_values(values, arrays)
        net = trainer.net
        trainer.restore_training_state(tree["training"])
        history = History(net.metric, False)
        if tree["history"]["names"] != list(history.keys()):
            metrics = read_metrics(options.get("metrics", ()), net)
            validated = has_validation(options)
            history = History(net.metric, validated, metrics, options.get("train_metrics", False))
        history.restore(tree["history"])
        if tree["optimize_result"] is not None:
            history.optimize_result = OptimizeResult(*tree["optimize_result"])
        if tree["is_begun"]:
            trainer.begin_history(history)
        error = None if tree["error"] is None else _error(owner, history, *tree["error"])
        if error is None:
            try:
                after()
            except Exception as raised:
                error = raised
        return Fitted(trainer, history, error)

    def _broadcast(self, array: NDArray[Any], owner: int) -> None:
        self._failures.wait(self._comm.Ibcast(array, owner))


class _OtherRank(BaseException):
    """Another rank was interrupted."""


def _error(rank: int, history: History, name: str, text: str, *step: Any) -> Exception:
    """Make an error of another rank again, if Python or cygrad has its type."""
    if step:
        return DivergenceError(step[0], step[1], history if step[2] else None)
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(text)
        except TypeError:
            pass
    return RankError(rank, f"{name}: {text}")
