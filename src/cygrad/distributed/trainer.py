"""`MPITrainer`: a trainer whose batches are shared by the ranks of an MPI communicator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cygrad import checks
from cygrad._engine.training import Training
from cygrad.distributed import agreement
from cygrad.distributed.failures import RankError
from cygrad.distributed.group import Ranks
from cygrad.exchange.libraries import library
from cygrad.threads import default_threads
from cygrad.training import LBFGS, Trainer
from cygrad.training.checkpoints.fingerprint import HASH_BYTES, of_array
from cygrad.training.shards import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.network.weights import Weights
    from cygrad.seeding import RandomSource
    from cygrad.training import History
    from cygrad.training.checkpoints.fingerprint import Fingerprint
    from cygrad.training.data import GivenData
    from cygrad.training.optimizers import Optimizer


class MPITrainer(Trainer):
    """Trains a network by mini-batch descent on several processes, to the same bits as on one.

    Every rank makes the same network and trainer and calls the same methods with the same
    arguments. Each batch, in the order of `Trainer`, is divided among the ranks by place: rank 0
    has its first rows, the last rank its last ones, and each computes forward and back with these
    alone. How many rows a rank has follows the times that ranks have taken; the bits do not.

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
    shards : int or None
        As for `Trainer`: the order of the samples is drawn by so many parts of the rows.
    own_rows : bool
        False: each rank is given all samples, in memory or as one file that is mapped. True: each
        is given only the rows of its shards, `rows_of`; then `shards` is needed, and at least one
        for each rank. The bits are those of ``Trainer(shards=…)`` with all rows, and depend on the
        number of shards, not on that of ranks.
    exact : bool
        True: sums over the rows of a batch are one chain from the first row of rank 0 to the last
        one of the last rank, as on one process, so that parameters, history and predictions have
        the bits of `Trainer` on any number of ranks. False: each rank sums its own rows, and
        ``MPI_Allreduce`` adds these sums: the bits are the same on all ranks, and depend on their
        number and on the MPI library. All ranks have as many rows then.

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
    The gradient of a layer goes from rank to rank in blocks of about 512 KB, or 64 KB with more
    than 4 ranks, and while one is on its way a rank computes the next; the last rank updates the
    parameters, and they come round in the same way [1]_. Between hosts each parameter is sent and
    received once. Ranks of one host with neighbouring numbers send each other nothing of this: they
    have sums and parameters in common memory, as large as the parameters and a few blocks. The
    optimiser's state is used on the last rank alone. With ``exact=False`` each rank sends and
    receives about two times as much as the parameters, and all ranks update all of them.

    What a rank decides alone on one process, all decide in common: Ctrl-C and SIGTERM end the
    training on all ranks after the same step, or after the callbacks of the epoch; a callback that
    stops the training on one rank stops it on all; seconds are those of rank 0, and a loss that is
    NaN is a `DivergenceError` everywhere. A second Ctrl-C, at least a second after the first, ends
    its rank at once, with an error on the others.

    Ranks that make another call, or with other arguments, and errors in arguments are found before
    anything is changed: all ranks raise an error, and can go on. Any other error on one rank, the
    end of its program or its death is a `RankError` on the others, within about a second;
    afterwards the trainer is of no more use, and the program ends all ranks when it ends.
    ``import cygrad.distributed`` belongs to the top of a program: from then on an uncaught error
    ends all ranks, also before there is a trainer. A rank that ends without an error before it has
    made its trainer is not noticed by MPI.

    Callbacks and validation run on every rank, with the same numbers;
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
        shards: int | None = None,
        own_rows: bool = False,
        accumulate: int = 1,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_global_norm: float | None = None,
    ) -> None:
        mpi = library("mpi4py.MPI", "mpi")
        self._group = group = Ranks(mpi, _checked_comm(mpi, comm))
        group.failures.begin("the making of a trainer")
        self._fingerprint: Fingerprint | None = None
        words = np.random.SeedSequence().generate_state(4)
        with group.telling(), group.failures:
            if group.size > 1:
                group.broadcast(words)

            def make() -> None:
                self._exact = checks.flag(exact, "exact")
                group.open_ring(self._exact)
                seeds = rng
                if rng is None and group.size > 1:
                    seeds = np.random.SeedSequence([int(word) for word in words])
                super(MPITrainer, self).__init__(
                    net,
                    optimizer,
                    batch_size,
                    seeds,
                    threads,
                    accumulate=accumulate,
                    clip_value=clip_value,
                    clip_norm=clip_norm,
                    clip_global_norm=clip_global_norm,
                    shards=shards,
                )
                self._own_rows = checks.flag(own_rows, "own_rows")
                if own_rows and (shards is None or shards < self.size):
                    raise ValueError(
                        f"shards is {shards} and own_rows is True, expected at least one shard for "
                        f"each of {self.size} ranks"
                    )
                if group.size > 1:
                    self._check_network()

            group.make(make)
            if group.size > 1:
                agreement.require(group.failures, self._identity(with_parameters=False))
                group.broadcast(net.engine.storage)

    def _identity(self, *, with_parameters: bool = True) -> dict[str, str]:
        more = {"exact": f"{self._exact}", "own_rows": f"{self._own_rows}"}
        return more | agreement.identity(self, with_parameters=with_parameters)

    @property
    def rank(self) -> int:
        """The number of this process among those that train together, from 0."""
        return self._group.rank

    @property
    def size(self) -> int:
        """Number of processes that train together."""
        return self._group.size

    @property
    def exact(self) -> bool:
        """True if the bits are those of `Trainer`."""
        return self._exact

    @property
    def group(self) -> Ranks:
        return self._group

    @property
    def max_threads(self) -> int | Callable[[], int]:
        if self._threads is None:
            return self._share_of_processors
        return super().max_threads

    def rows_of(self, n: int) -> range:
        """Return which of n rows belong to this rank's shards.

        Parameters
        ----------
        n : int
            Number of all rows.

        Returns
        -------
        range
            All rows, if there are no shards.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(2, [cg.Dense(1)], loss="mse")
        >>> trainer = cg.distributed.MPITrainer(net, cg.Adam(), shards=8, own_rows=True)
        >>> trainer.rows_of(1000)       # on the only rank
        range(0, 1000)
        """
        first = self._first_rows(checks.whole_number(n, "n"))
        return range(int(first[self.rank]), int(first[self.rank + 1]))

    def _first_rows(self, n: int) -> NDArray[np.int64]:
        """Return where the rows of each rank begin, and the last ones end, of n rows."""
        if self.shards is None or not self._own_rows:
            return np.array([0] + [n] * self.size)
        first = self._first_shards()
        starts = [Share(n, self.shards, n, 0, end).rows.stop for end in first[1:]]
        return np.array([0, *starts], np.int64)

    def _first_shards(self) -> list[int]:
        assert self.shards is not None
        return [rank * self.shards // self.size for rank in range(self.size + 1)]

    def together(self, rows: int, weights: Weights | None) -> tuple[int, Weights | None]:
        if not self._own_rows or self.size == 1:
            return rows, weights
        counts = np.zeros(self.size, np.int64)
        self._group.failures.wait(self._group.comm.Iallgather(np.array([rows]), counts))
        n = int(counts.sum())
        first = self._first_rows(n)
        differs = np.diff(first) != counts
        if differs.any():
            rank = int(differs.argmax())
            raise RankError(
                rank,
                f"rank {rank} has {counts[rank]} of {n} rows, expected {np.diff(first)[rank]}, "
                "those of rows_of",
            )
        shards = self._first_shards()
        assert self.shards is not None
        own = shards[self.rank + 1] - shards[self.rank]
        most = min(own * -(-self.step_rows // self.shards), self.step_rows)
        self._training.divide(first, most)
        if weights is None:
            return n, None
        gathered = np.empty(n)
        group = self._group
        places = [gathered, (counts, first[:-1]), group.failures.mpi.DOUBLE]
        group.failures.wait(group.comm.Iallgatherv(weights, places))
        return n, gathered

    def _share_of_processors(self) -> int:
        return max(default_threads() // self._group.failures.ranks_here, 1)

    def _new_training(self) -> Training:
        training = super()._new_training()
        if self.size > 1:
            training.join(self._group.ring)
        return training

    def _check_network(self) -> None:
        if self._net.engine.custom_loss is not None:
            raise ValueError(
                "net has a loss that is a Python function, which ranks cannot share; expected a "
                "loss of cygrad"
            )
        if isinstance(self._optimizer, LBFGS):
            raise ValueError("optimizer is LBFGS, which ranks cannot share; expected another one")

    @contextmanager
    def _together(
        self, name: str, values: dict[str, Any], *, is_short: bool = False
    ) -> Iterator[None]:
        """Train with other ranks, which make the same call with the same values.

        is_short : whether it has little to do: parameters are not compared, which takes as long as
            reading them, nor what a trainer was made with; of data less is compared
        """
        if self.size == 1:
            yield
            return

        def describe() -> dict[str, str]:
            common = {key: value for key, value in values.items() if key not in self._own_data}
            amount = agreement.BYTES_OF_STEP if is_short else agreement.ALL_BYTES
            own = agreement.state(self) if is_short else self._identity()
            return own | agreement.describe(common, amount)

        with self._group.call(name, describe, is_short=is_short):
            if self._own_rows:
                self._fingerprint = self._group.make(lambda: self._check_rows(values))
            yield

    @property
    def _own_data(self) -> tuple[str, ...]:
        """The names of the data of which each rank has its own rows."""
        return ("X", "y", "sample_weight") if self._own_rows else ()

    def _check_rows(self, values: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint of all rows, made of those of the shards."""
        self._check_own_rows(values["X"], values)
        found = {}
        for name in self._own_data:
            value = values.get(name)
            if value is None:
                continue
            array = np.asarray(value)
            n, _ = self.together(len(array), None)
            assert self.shards is not None
            first = self.rows_of(n).start
            hashes = np.zeros((self.shards, HASH_BYTES), np.uint8)
            for shard in range(*self._first_shards()[self.rank :][:2]):
                rows = Share(n, self.shards, n, shard, shard + 1).rows
                of_shard = of_array(array[rows.start - first : rows.stop - first], name)
                hashes[shard] = np.frombuffer(bytes.fromhex(of_shard["hash"]), np.uint8)
            # Each is 0 on all ranks but one.
            self._group.failures.wait(
                self._group.comm.Iallreduce(self._group.failures.mpi.IN_PLACE, hashes)
            )
            part = of_array(array[:0], name)
            part["shape"][0] = n
            found[name] = {**part, "hash": blake2b(hashes.tobytes()).hexdigest()}
        return found

    def fingerprint(self, given: GivenData) -> Fingerprint:
        own = self._fingerprint
        return super().fingerprint(given) if own is None else own

    def _check_own_rows(self, X: Any, options: Mapping[str, Any]) -> None:
        """Refuse what needs all rows on one rank, where each has its own."""
        if self._own_rows and self.size > 1 and hasattr(X, "indptr"):
            raise ValueError("X is sparse and own_rows is True, expected dense rows")
        for name in ("validation", "train_metrics", "statistics", "rows"):
            if self._own_rows and self.size > 1 and options.get(name) not in (None, False):
                raise ValueError(
                    f"{name} is {options[name]!r} and own_rows is True: no rank has all samples; "
                    "expected X_val and y_val, or own_rows=False"
                )
        if self._own_rows and self.size > 1 and options.get("class_weight") == "balanced":
            raise ValueError(
                'class_weight is "balanced" and own_rows is True: no rank has all targets; '
                "expected a dict of weights"
            )

    def fit(self, X: Any, y: Any = None, epochs: int | None = None, **options: Any) -> History:
        options = _read_once(options)
        with self._together("fit", {"X": X, "y": y, "epochs": epochs, **options}):
            return super().fit(X, y, epochs, **self._shown(options))

    def resume(self, path: Any, X: Any, y: Any = None, **options: Any) -> History:
        options = _read_once(options)
        with self._together("resume", {"checkpoint": path, "X": X, "y": y, **options}):
            return super().resume(path, X, y, **self._shown(options))

    def _shown(self, options: dict[str, Any]) -> dict[str, Any]:
        """Take `verbose` from rank 0: all go from epoch to epoch alike, and rank 0 shows them."""
        if self.size == 1:
            return options
        verbose = options.get("verbose")
        shared = np.array([-1 if verbose is None else bool(verbose)])
        self._group.broadcast(shared)
        if self._group.is_main:
            return options
        options.pop("verbose", None)
        return options if shared[0] < 0 else {**options, "verbose": bool(shared[0])}

    def _refuse_own_rows(self) -> None:
        if self._own_rows and self.size > 1:
            raise ValueError("own_rows is True, expected False, or fit, which has an order of rows")

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        self._refuse_own_rows()
        values = {"X": X, "y": y, "sample_weight": sample_weight}
        with self._together("partial_fit", values, is_short=True):
            return super().partial_fit(X, y, sample_weight)

    def step(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        self._refuse_own_rows()
        values = {"X": X, "y": y, "sample_weight": sample_weight}
        with self._together("step", values, is_short=True):
            return super().step(X, y, sample_weight)

    def learn_one(self, x: Any, y: Any) -> float:
        if self.size > 1:
            raise TypeError("learn_one takes one sample, which ranks cannot share; expected step")
        return super().learn_one(x, y)

    def training_state(self) -> dict[str, Any]:
        if self.size > 1:  # the last rank alone has used it
            for array in self._training.state:
                self._group.broadcast(array, self.size - 1)
        return super().training_state()

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "an MPITrainer cannot be pickled or copied: its communicator is that of this process; "
            "expected its net, or a Checkpoint"
        )


def _read_once(options: dict[str, Any]) -> dict[str, Any]:
    """Return arguments, with lists in the place of iterators."""
    return {
        name: list(value) if isinstance(value, Iterator) else value
        for name, value in options.items()
    }


def _checked_comm(mpi: Any, comm: Any) -> Any:
    """Return a communicator, or that of all ranks in the place of None."""
    if not mpi.Is_initialized() or mpi.Is_finalized():
        raise RuntimeError("MPI is not initialised, or finalised; expected MPI.Init() before")
    if mpi.Query_thread() < mpi.THREAD_SERIALIZED:
        raise RuntimeError(
            "MPI was initialised for one thread, and any thread of a training can send; expected "
            'mpi4py.rc.thread_level "serialized" or "multiple"'
        )
    if comm is None:
        return mpi.COMM_WORLD
    if not isinstance(comm, mpi.Intracomm) or comm == mpi.COMM_NULL:
        raise TypeError(f"comm is {comm!r}, expected a communicator of mpi4py with this process")
    return comm
