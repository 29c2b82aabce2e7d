"""Training on batches that are read one after another: for data that do not fit in memory.

`BatchSource` iterates over what the user gave, anew in each epoch; `Reader` does so on a thread of
its own, a few batches ahead of the training; `fit_batches` is `Trainer.fit` for such data.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from cygrad.training.history import History
from cygrad.training.order import Order, rows_that_count
from cygrad.training.progress import Progress

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.random import Generator
    from numpy.typing import NDArray

    from cygrad._engine.samples import Samples
    from cygrad._engine.training import Training
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.training.budget import Budget
    from cygrad.training.hooks import Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.order import Shuffle
    from cygrad.training.trainer import Trainer
    from cygrad.training.validation import Validation

AHEAD = 2  # batches that wait to be trained on
UNKNOWN_STEPS = 2**40  # of an epoch whose end nobody knows: schedules by epochs stay in the first


class BatchSource:
    """The batches of each epoch.

    Parameters
    ----------
    source : sequence, iterable or function
        With ``len(source)`` and ``source[i]``; or iterable; or a function without arguments that
        returns an iterable for each epoch.
    shuffle : bool or function
        Whether the batches of a sequence come in a new random order in each epoch; or a function
        for their order, which other sources refuse.
    """

    def __init__(self, source: Any, shuffle: Shuffle) -> None:
        is_sequence = hasattr(source, "__len__") and hasattr(source, "__getitem__")
        if (
            isinstance(source, (str, bytes, Mapping))
            or hasattr(source, "__array__")
            or hasattr(source, "indptr")
            or not (is_sequence or isinstance(source, Iterable) or callable(source))
        ):
            raise TypeError(
                f"y is None and X is a {type(source).__name__}, expected X and y; or, as X, a "
                "sequence or an iterable of batches (X, y), or a function that returns one"
            )
        if callable(shuffle) and not is_sequence:
            raise ValueError(
                f"shuffle is {shuffle!r} and X is a {type(source).__name__}, whose batches have no "
                "other order than theirs; expected a sequence, or shuffle True or False"
            )
        self._source = source
        self._is_sequence = is_sequence
        self._order = Order(len(source), None, shuffle) if is_sequence else None
        self._is_used = False

    @property
    def count(self) -> int | None:
        """The number of batches, None if it is not known."""
        return self._order.size if self._order is not None else None

    def epoch(self, stream: Generator | None) -> Iterator[tuple[int, Any]]:
        """Begin the next epoch; return its batches with their numbers.

        Raises
        ------
        ValueError
            If the batches are those of an iterator that the epoch before has used up.
        """
        source = self._source
        if self._order is not None:
            size = self._order.size
            drawn = self._order.draw(stream, size)
            rows = range(size) if drawn is None else drawn.tolist()
            return ((row, source[row]) for row in rows)
        if not isinstance(source, Iterable):
            return enumerate(source())
        batches = iter(source)
        if batches is source and self._is_used:
            raise ValueError(
                "X is an iterator, which ended with the epoch before; for more epochs expected a "
                "sequence or an iterable of batches, or a function that returns one"
            )
        self._is_used = True
        return enumerate(batches)


class Batch(NamedTuple):
    """A batch as the engine takes it."""

    samples: Samples
    targets: Targets
    weights: Weights | None = None


def read_batch(trainer: Trainer, number: int, given: Any) -> Batch:
    """Check one batch and convert it for the engine."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        kind = f"{type(given).__name__}"
        if isinstance(given, (tuple, list)):
            kind += f" of {len(given)}"
        raise TypeError(f"batch {number} is a {kind}, expected (X, y) or (X, y, weights)")
    X, y, weights = given if len(given) == 3 else (*given, None)
    suffix = f" of batch {number}"
    samples, targets = trainer._read_data(X, y, suffix)
    weights = trainer._weights(weights, samples.rows, f"sample_weight{suffix}")
    return Batch(samples, targets, weights)


class Reader:
    """Reads ahead on a thread; iterating gives what it has read, in order.

    An error of the iterator is raised where the batches are taken, with its traceback. At the end
    of the ``with`` block the thread ends, when its current read has returned.

    Parameters
    ----------
    items : iterator
        Its generators are closed by the same thread.
    convert : function
        Called for each item, on the thread.
    """

    def __init__(
        self, items: Iterator[tuple[int, Any]], convert: Callable[[int, Any], Batch]
    ) -> None:
        self._items = items
        self._convert = convert
        self._queue: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self._places = threading.Semaphore(AHEAD)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="cygrad-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped = True
        self._places.release()
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            self._places.release()
            yield item

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            while True:
                self._places.acquire()
                if self._stopped:
                    break
                item = next(self._items, None)
                if item is None:
                    break
                self._queue.put(self._convert(*item))
        except BaseException as error:  # for the thread that takes the batches
            end = error
        finally:
            self._items = iter(())  # a generator of the user ends here, and not at another time
            self._queue.put(end)


def fit_batches(
    trainer: Trainer,
    batches: Any,
    *,
    budget: Budget,
    held_out: Validation | None,
    metrics: list[Metric],
    hooks: list[Hooks],
    shuffle: Shuffle,
    verbose: bool,
    reset: bool,
) -> History:
    """Train on batches, as `Trainer.fit` describes it."""
    source = BatchSource(batches, shuffle)
    steps = source.count or UNKNOWN_STEPS
    engine = trainer.net.engine
    with trainer._training as training, ExitStack() as cleanup:
        if reset:
            trainer._begin_anew()
        trainer._history = history = History(trainer.net.metric, held_out is not None, metrics)
        for hook in hooks:
            hook.on_train_begin(trainer)
            cleanup.callback(hook.on_train_end, trainer)
        progress = None
        if verbose:
            progress = cleanup.enter_context(Progress(budget.epochs, 1, 1, 1))
        parameters_before = np.empty_like(engine.storage)
        for epoch in count(1):
            trainer._rates.bind(trainer._optimizer, steps)
            trainer._rates_changed()
            rate = trainer._rates_of(trainer.steps, 1)
            first_rate = training.rate if rate is None else float(rate[0])
            stream = trainer._shuffling if shuffle is True else None
            run = _Epoch(trainer, training, source.epoch(stream), budget)
            begin = perf_counter()
            engine.copy_storage(parameters_before)
            *sums, done, diverged = run()
            trainer._check_epoch(epoch, done, diverged, parameters_before)
            seconds = perf_counter() - begin
            values = trainer._averages(sums, run.total)
            if held_out is not None:
                found = held_out.evaluate(trainer.net, trainer._max_threads)
                values += trainer._averages(found, held_out.total)
                values += held_out.metrics(trainer.net)
            history.append(*values, first_rate, seconds)
            history.partial_steps = done if run.is_partial else 0
            if progress is not None:
                progress.epoch_done(history.last())
            stops = [hook.on_epoch_end(trainer, epoch, history.last()) for hook in hooks]
            spent = budget.spent(epoch, partial=run.is_partial)
            if any(stops) and not run.is_partial:
                spent = "callback"
            if spent is not None:
                history.stopped = spent
                break
            steps = done
    return history


class _Epoch:
    """One epoch: called, it trains on all batches, or until the budget is spent.

    Attributes
    ----------
    total : float
        The rows of the steps done, or the sum of their weights.
    is_partial : bool
        Whether batches were left.
    """

    def __init__(
        self,
        trainer: Trainer,
        training: Training,
        items: Iterator[tuple[int, Any]],
        budget: Budget,
    ) -> None:
        self._trainer, self._training, self._budget = trainer, training, budget
        self._items: Iterator[tuple[int, Any]] | None = items
        self.total = 0.0
        self.is_partial = self._has_weights = False

    def __call__(self) -> tuple[float, float, int, bool]:
        """Return the sums of loss and metric, the steps, and whether the next one diverged."""
        trainer, budget = self._trainer, self._budget
        loss = metric = 0.0
        steps = 0
        with Reader(self._take_items(), lambda *item: read_batch(trainer, *item)) as reader:
            for batch in reader:
                left = budget.seconds_left
                if steps and (budget.steps_of(1) < 1 or (left is not None and left <= 0)):
                    self.is_partial = True
                    break
                more_loss, more_metric, done, diverged = self._train(batch, left, steps > 0)
                loss, metric, steps = loss + more_loss, metric + more_metric, steps + done
                budget.spend(done)
                if diverged:
                    return loss, metric, steps, True
                if self.is_partial:
                    break
        if steps == 0:
            weight = " with a weight above 0" if self._has_weights else ""
            raise ValueError(f"X gave no batch{weight} in this epoch, expected at least one")
        return loss, metric, steps, False

    def _take_items(self) -> Iterator[tuple[int, Any]]:
        """Return the batches, and keep no reference, so that the reader's thread ends them."""
        items, self._items = self._items, None
        assert items is not None
        return items

    def _train(
        self, batch: Batch, seconds: float | None, continues: bool
    ) -> tuple[float, float, int, bool]:
        """Do the steps of one batch, as many as the budget allows.

        continues : whether others of the epoch have gone before.
        """
        trainer, size = self._trainer, batch.samples.rows
        step_rows = min(trainer._step_rows, size)
        order: NDArray[np.int64] | None = None
        weights = batch.weights
        if weights is not None:
            self._has_weights = True
            order = rows_that_count(None, weights, step_rows)
            size = size if order is None else len(order)
            if size == 0:
                return 0.0, 0.0, 0, False
        steps = -(-size // step_rows)
        allowed = self._budget.steps_of(steps)
        rows = min(allowed * step_rows, size)
        if rows < size:
            order = np.arange(rows) if order is None else order[:rows]
        results = self._training.epoch(
            batch.samples,
            batch.targets,
            order,
            trainer._rates_of(trainer.steps, allowed),
            None,
            trainer._max_threads,
            seconds=seconds,
            weights=weights,
            continues=continues,
        )
        if weights is None:
            self.total += min(results[2] * step_rows, size)
        else:
            self.total += self._training.weight_done
        self.is_partial = results[2] < steps and not results[3]
        return results
