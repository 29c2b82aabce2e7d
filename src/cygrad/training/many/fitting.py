"""`fit_many`: train many networks on the same samples, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, Unpack

from cygrad import checks
from cygrad.threads import check_threads, default_threads
from cygrad.training.history import History
from cygrad.training.many.crew import side_by_side
from cygrad.training.progress import Count
from cygrad.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cygrad.network import Network
    from cygrad.training.hooks import EpochFunction, Hooks
    from cygrad.training.metrics.table import MetricLike
    from cygrad.training.order import Shuffle

SHOWN_FAILURES = 5  # numbers of networks in a warning

#: A function in the place of `fit_here`, which divides the networks among processes.
division: ContextVar[Callable[..., list[Fitted]] | None] = ContextVar("division", default=None)

CallbacksOf = Callable[[Trainer], "Iterable[Hooks | EpochFunction]"]


class FitArguments(TypedDict, total=False):
    """The other arguments of `Trainer.fit`, the same for all networks."""

    validation: float | None
    X_val: ArrayLike | None
    y_val: ArrayLike | None
    sample_weight_val: ArrayLike | None
    metrics: Iterable[MetricLike]
    train_metrics: bool
    shuffle: Shuffle
    max_steps: int | None
    max_seconds: float | None
    reset: bool
    statistics: bool
    sample_weight: ArrayLike | None
    class_weight: Mapping[Any, float] | Literal["balanced"] | None


class Fitted(NamedTuple):
    """One of many networks after its training.

    Attributes
    ----------
    trainer : Trainer
    history : History
        The epochs that are complete, also if the training failed.
    error : Exception or None
        Why it failed, such as a `DivergenceError`; None: it did not.
    """

    trainer: Trainer
    history: History
    error: Exception | None

    @property
    def net(self) -> Network:
        """The trained network."""
        return self.trainer.net


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
    **options: Unpack[FitArguments],
) -> list[Fitted]:
    """Train many networks on the same samples, as many at a time as there are processors.

    Each network has the bits of its own ``trainer.fit(X, y, epochs, …)``. One that fails ends
    alone: the others are finished, a warning names it, and its result has the error.

    Parameters
    ----------
    trainers : iterable of Trainer
        Of different networks, which can have different layers, optimisers and dtypes.
    X, y : array_like
        As for `Trainer.fit`. All networks read them in place.
    epochs : int or None
        As for `Trainer.fit`.
    rows : sequence of array_like of int, or None
        For each trainer the row numbers of its samples, or None for all of them.
    callbacks : function or None
        Called with each trainer, it returns the callbacks of its fit: new ones, because networks
        are trained at the same time, such as ``lambda trainer: [cg.EarlyStopping()]``.
    threads : int or None
        Networks to train at the same time. None: as for `Trainer`. Each network has one thread;
        when fewer networks are left, each has as many as there are threads for it.
    verbose : bool
        Whether to show the progress of all on stderr, in one line.
    **options
        The other arguments of `Trainer.fit`, for all networks.

    Returns
    -------
    list of Fitted
        Trainer, history and error of each network, in the order of `trainers`.

    Raises
    ------
    TypeError, ValueError
        If `trainers`, `rows`, `callbacks`, `threads` or `verbose` is not as described, or two
        trainers have the same network.
    Exception
        The error of the first network, if all of them fail.

    Warns
    -----
    UserWarning
        If some of the networks fail.

    Notes
    -----
    Networks run in threads outside the GIL. Between epochs, callbacks, validation and metrics need
    it, one network at a time; without them a small network runs many epochs in one call.

    An interrupt (Ctrl-C) stops all networks between two steps, within 0.1 s, unless a callback
    takes longer; then no thread is left, and all networks and trainers are usable, as after an
    interrupt of `Trainer.fit`. ``trainer.history`` has the complete epochs.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(seed):
    ...     net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=seed)
    ...     return cg.Trainer(net, cg.Adam(1e-3), rng=seed)
    >>> results = cg.fit_many([trainer(seed) for seed in range(10)], X, y, epochs=3)
    >>> [len(each.history) for each in results]
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
    """
    chosen = _check_trainers(trainers)
    of_each = check_rows(rows, len(chosen))
    fitted = fit_all(chosen, X, y, epochs, of_each, callbacks, threads, verbose, options)
    report(fitted)
    return fitted


def fit_all(
    trainers: Sequence[Trainer],
    X: Any,
    y: ArrayLike,
    epochs: int | None,
    rows: Sequence[ArrayLike | None],
    callbacks: CallbacksOf | None,
    threads: int | None,
    verbose: bool,
    options: FitArguments,
    after: Callable[[int], object] = lambda index: None,
) -> list[Fitted]:
    """Train all networks as `fit_many` does, without a report on those that failed.

    Parameters
    ----------
    after : function
        Called with the index of each network that has been trained, by its thread.
    """
    train = division.get() or fit_here
    return train(trainers, X, y, epochs, rows, callbacks, threads, verbose, options, after)


def fit_here(
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
    watch: Callable[[], object] = lambda: None,
) -> list[Fitted]:
    """Train all networks on this process.

    Parameters
    ----------
    watch : function
        Called every tenth of a second by the calling thread; its error stops all networks.
    """
    if callbacks is not None and not callable(callbacks):
        raise TypeError(
            f"callbacks is {callbacks!r}, expected a function of a trainer that returns its own "
            "list of callbacks"
        )
    most = default_threads() if threads is None else check_threads(threads)
    verbose = checks.flag(verbose, "verbose")

    def fit(index: int) -> Fitted:
        trainer, error = trainers[index], None
        before = trainer.history
        try:
            own = () if callbacks is None else callbacks(trainer)
            trainer.fit(X, y, epochs, rows=rows[index], callbacks=own, **options)
            after(index)
        except Exception as raised:
            error = raised
        history = trainer.history
        if history is before:  # an argument was refused
            history = History(trainer.net.metric, False)
        return Fitted(trainer, history, error)

    # The largest first, so that the last ones end at about the same time.
    order = sorted(range(len(trainers)), key=lambda index: -trainers[index].net.engine.storage.size)
    tasks = [partial(fit, index) for index in order]
    if verbose:
        with Count("networks", len(trainers) * (epochs or 1)) as bar:
            show = _Watch(bar, trainers, epochs or 1)

            def show_and_watch() -> None:
                show()
                watch()

            outcomes = side_by_side(tasks, most, show_and_watch)
            show()
    else:
        outcomes = side_by_side(tasks, most, watch)
    of_index = dict(zip(order, outcomes, strict=True))
    return [of_index[index].of_success() for index in range(len(trainers))]


class _Watch:
    """The progress of all networks, by the epochs in their histories."""

    def __init__(self, bar: Count, trainers: Sequence[Trainer], epochs: int) -> None:
        self._bar = bar
        self._trainers = trainers
        self._epochs = epochs
        self._before = [trainer.history for trainer in trainers]

    def __call__(self) -> None:
        count = len(self._trainers)
        done, ended, losses = 0, 0, []
        for trainer, before in zip(self._trainers, self._before, strict=True):
            history = trainer.history
            if history is before or len(history) == 0:
                continue
            losses.append(history.last()["loss"])
            ended += history.stopped is not None
            done += self._epochs if history.stopped else min(len(history), self._epochs)
        text = f"{ended}/{count}"
        if losses:
            text += f"  mean loss {sum(losses) / len(losses):.4g}"
        self._bar.show(done, text)


def _check_trainers(trainers: Iterable[Trainer]) -> list[Trainer]:
    if isinstance(trainers, Trainer) or not isinstance(trainers, Iterable):
        raise TypeError(f"trainers is {trainers!r}, expected a list of trainers")
    chosen = list(trainers)
    if not chosen:
        raise ValueError("trainers is empty, expected at least one trainer")
    seen: dict[int, int] = {}
    for index, trainer in enumerate(chosen):
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainers[{index}] is {trainer!r}, expected a Trainer")
        other = seen.setdefault(id(trainer.net), index)
        if other != index:
            raise ValueError(
                f"trainers[{index}] has the network of trainers[{other}], expected different ones"
            )
    return chosen


def check_rows(rows: Any, count: int, what: str = "trainers") -> Sequence[ArrayLike | None]:
    """Return the argument `rows`, with an entry for each network."""
    if rows is None:
        return [None] * count
    if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__"):
        raise TypeError(
            f"rows is {rows!r}, expected a list with row numbers for each of the {what}"
        )
    if len(rows) != count:
        raise ValueError(f"rows has {len(rows)} entries, expected one for each of {count} {what}")
    checked: Sequence[ArrayLike | None] = rows
    return checked


def report(fitted: Sequence[Any], stacklevel: int = 2) -> None:
    """Warn of networks that failed; if all did, raise the error of the first one.

    fitted: Fitted, or others with an error. stacklevel: as for `warnings.warn`, counted from the
    caller.
    """
    failed = [index for index, each in enumerate(fitted) if each.error is not None]
    if not failed:
        return
    error = fitted[failed[0]].error
    assert error is not None
    if len(failed) == len(fitted):
        if len(failed) > 1:
            error.add_note(f"All {len(failed)} networks failed; this is the error of the first.")
        raise error
    numbers = ", ".join(map(str, failed[:SHOWN_FAILURES]))
    more = len(failed) - SHOWN_FAILURES
    warnings.warn(
        f"{len(failed)} of {len(fitted)} networks failed: numbers {numbers}"
        f"{f' and {more} more' if more > 0 else ''}; number {failed[0]} with "
        f"{type(error).__name__}: {error}",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
