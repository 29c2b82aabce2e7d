"""Training on batches that are read one after another: for data that do not fit in memory.

`BatchSource` iterates over what the user gave, anew in each epoch; `Reader` does so on a thread of
its own, a few batches ahead of the training; `BatchRun` is the run of `Trainer.fit` on such data.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import finalize

import numpy as np

from cygrad.training.data import read_data, read_sample_weights
from cygrad.training.epoch import Epoch
from cygrad.training.order import Order, rows_that_count
from cygrad.training.progress import Progress
from cygrad.training.run import Run

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network import Network
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
        self.order = Order(len(source), None, shuffle) if is_sequence else None
        self._is_used = False

    @property
    def count(self) -> int | None:
        """The number of batches, None if it is not known."""
        return self.order.size if self.order is not None else None

    def epoch(self, drawn: int | None, done: int = 0) -> Iterator[tuple[int, Any]]:
        """Begin the next epoch; return its batches with their numbers.

        Parameters
        ----------
        drawn : int or None
            The random number of a random order.
        done : int
            Batches that are passed over.

        Raises
        ------
        ValueError
            If the batches are those of an iterator that the epoch before has used up.
        """
        source = self._source
        if self.order is not None:
            size = self.order.size
            order = self.order.draw(drawn, size)
            rows: Sequence[int] = range(size) if order is None else order.tolist()
            return ((row, source[row]) for row in rows[done:])
        if not isinstance(source, Iterable):
            return islice(enumerate(source()), done, None)
        batches = iter(source)
        if batches is source and self._is_used:
            raise ValueError(
                "X is an iterator, which ended with the epoch before; for more epochs expected a "
                "sequence or an iterable of batches, or a function that returns one"
            )
        self._is_used = True
        return islice(enumerate(batches), done, None)


class Batch(NamedTuple):
    """A batch as the engine takes it."""

    samples: Samples
    targets: Targets
    weights: Weights | None = None


def read_batch(net: Network, number: int, given: Any) -> Batch:
    """Check one batch and convert it for the engine."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        kind = f"{type(given).__name__}"
        if isinstance(given, (tuple, list)):
            kind += f" of {len(given)}"
        raise TypeError(f"batch {number} is a {kind}, expected (X, y) or (X, y, weights)")
    X, y, weights = given if len(given) == 3 else (*given, None)
    suffix = f" of batch {number}"
    samples, targets = read_data(net, X, y, suffix)
    weights = read_sample_weights(net, weights, samples.rows, f"sample_weight{suffix}")
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
        self._shared = _Shared()
        # The thread does not know the reader and ends with it, whatever has ended the block.
        finalize(self, self._shared.places.put, False)
        self._thread = threading.Thread(
            target=_read, args=(self._shared, [items], convert), name="cygrad-reader", daemon=True
        )

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:
            self._shared.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._shared.stop()
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            item = self._shared.queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            self._shared.places.put(True)
            yield item


class _Shared:
    """The state that a reader shares with its thread.

    Attributes
    ----------
    queue : SimpleQueue
        Batches, then the error that has ended the reading, or None.
    places : SimpleQueue of bool
        True for each batch that may be read, False to end.
    """

    def __init__(self) -> None:
        self.queue: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self.places: SimpleQueue[bool] = SimpleQueue()
        self.is_stopped = False
        for _ in range(AHEAD):
            self.places.put(True)

    def stop(self) -> None:
        self.is_stopped = True  # before the batches that may still be read
        self.places.put(False)


def _read(
    shared: _Shared,
    given: list[Iterator[tuple[int, Any]]],
    convert: Callable[[int, Any], Batch],
) -> None:
    """Read the only item of `given`, on the thread."""
    items = given.pop()
    end: BaseException | None = None
    try:
        while shared.places.get() and not shared.is_stopped:
            item = next(items, None)
            if item is None:
                break
            shared.queue.put(convert(*item))
    except BaseException as error:  # for the thread that takes the batches
        end = error
    finally:
        items = iter(())  # a generator of the user ends here, and not at another time
        shared.queue.put(end)


class Place(NamedTuple):
    """Steps and rows of an epoch before a batch, and the rows of its steps and of all of it."""

    steps: int
    rows: int
    step_rows: int
    size: int


class BatchRun(Run):
    """A training on batches.

    Parameters
    ----------
    source : BatchSource
    """

    def __init__(
        self,
        trainer: Trainer,
        source: BatchSource,
        budget: Budget,
        hooks: Sequence[Hooks],
        held_out: Validation | None,
        metrics: list[Metric],
        *,
        verbose: bool,
    ) -> None:
        super().__init__(trainer, budget, hooks, held_out, None, metrics, verbose=verbose)
        self.source = source
        #: Steps of an epoch, as far as they are known.
        self.expected_steps = source.count or UNKNOWN_STEPS
        #: Batches that are done in the present epoch.
        self.batches_done = 0
        self._place = Place(0, 0, 0, 0)
        #: Those of an epoch that goes on.
        self._passed_over = 0, self._place
        self._items: Iterator[tuple[int, Any]] | None = None
        self._is_partial = self._has_weights = False

    def plan_epoch(self, step: int) -> None:
        self.trainer.bind_rates(self.expected_steps)

    @property
    def can_go_on(self) -> bool:
        return False  # only between two batches

    def plans(self) -> dict[str, Any]:
        return {"expected_steps": self.expected_steps}

    def restore_plans(self, state: Mapping[str, Any]) -> None:
        self.expected_steps = state["expected_steps"]

    def place(self) -> dict[str, Any]:
        order = self.source.order
        return {
            "batches_done": self.batches_done,
            "rows_done": self.rows_done,
            "permutation": None if order is None else order.permutation,
        }

    def restore_place(self, within: Mapping[str, Any]) -> None:
        steps_done = self.trainer.steps - within["first_step"]
        place = Place(steps_done, within["rows_done"], 0, 0)
        self._passed_over = within["batches_done"], place
        if self.source.order is not None:
            self.source.order.repeat(within["permutation"])

    def new_progress(self) -> Progress:
        return Progress(self.budget.epochs, 1, 1, 1)

    def draw_epoch(self, drawn: int | None = None) -> Epoch:
        order, training = self.source.order, self._training
        if drawn is None and order is not None and order.is_random:
            drawn = self.trainer.draw()
        rate = self.trainer.rates_of(training.steps, 1)
        first_rate = training.rate if rate is None else float(rate[0])
        self.batches_done, self._place = self._passed_over
        self._passed_over = 0, Place(0, 0, 0, 0)
        self._items = self.source.epoch(drawn, self.batches_done)
        self._is_partial = self._has_weights = False
        return Epoch(len(self.history) + 1, training.steps, None, None, first_rate, drawn)

    def train_steps(self, epoch: Epoch) -> bool:
        net, budget = self.trainer.net, self.budget
        with Reader(self._take_items(), lambda *item: read_batch(net, *item)) as reader:
            for batch in reader:
                done = self.steps_done
                left = budget.seconds_left
                if done and (budget.steps_of(done + 1) <= done or (left is not None and left <= 0)):
                    self._is_partial = True
                    break
                if self._train(epoch, batch, left, done):
                    return True
                self.batches_done += 1
                if self._is_partial:
                    break
                self._pause_if_due(epoch)
        if self.steps_done == 0:
            weight = " with a weight above 0" if self._has_weights else ""
            raise ValueError(f"X gave no batch{weight} in this epoch, expected at least one")
        self.expected_steps = self.steps_done
        epoch.steps = None if self._is_partial else self.steps_done
        epoch.planned = self.steps_done
        return False

    def _pause_if_due(self, epoch: Epoch) -> None:
        if self._pausing and self.steps_done and self.batches_done != self.source.count:
            limits = self.limits(None)
            if any(limit is not None and limit <= 0 for limit in limits):
                self.pause(epoch)

    def _take_items(self) -> Iterator[tuple[int, Any]]:
        """Return the batches, and keep no reference, so that the reader's thread ends them."""
        items, self._items = self._items, None
        assert items is not None
        return items

    @property
    def rows_done(self) -> int:
        """Rows of the steps done in the present epoch, without those that have weights."""
        steps, rows, step_rows, size = self._place
        return rows + min((self.steps_done - steps) * step_rows, size)

    def _train(self, epoch: Epoch, batch: Batch, seconds: float | None, before: int) -> bool:
        """Do the steps of one batch, as many as the budget allows; return whether it diverged.

        before : steps of the epoch that are done.
        """
        trainer, size = self.trainer, batch.samples.rows
        step_rows = min(trainer.step_rows, size)
        order: NDArray[np.int64] | None = None
        weights = batch.weights
        if weights is not None:
            self._has_weights = True
            order = rows_that_count(None, weights, step_rows)
            size = size if order is None else len(order)
            if size == 0:
                return False
        steps = -(-size // step_rows)
        allowed = self.budget.steps_of(before + steps) - before
        rows = min(allowed * step_rows, size)
        if rows < size:
            order = np.arange(rows) if order is None else order[:rows]
        rows_of_steps = (step_rows, size) if weights is None else (0, 0)
        self._place = Place(before, self.rows_done, *rows_of_steps)
        if self.batches_done + 1 == self.source.count:
            epoch.planned, epoch.steps = before + allowed, before + steps
        *_, done, diverged = self._training.epoch(
            batch.samples,
            batch.targets,
            order,
            trainer.rates_of(trainer.steps, allowed),
            None,
            trainer.max_threads,
            seconds=seconds,
            weights=weights,
            continues=before > 0,
        )
        self._is_partial = done < steps and not diverged
        return diverged

    def count_total(self, epoch: Epoch, done: int) -> None:
        epoch.total = self.rows_done + self._training.sums[2]
