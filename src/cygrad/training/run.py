"""The running of one `Trainer.fit`: an object that knows the place in the training at any time.

A run goes through its epochs in four methods, `begin`, `begin_epoch`, `train_epoch` and
`end_epoch`, and all that it needs to go on later is in its attributes, in the trainer and in the
callbacks. `Run` has what all runs do; `ArrayRun` trains on samples in arrays, and `BatchRun`, in
`batches`, on batches that are read one after another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.training.clock import now
from cygrad.training.epoch import EPOCH_NAMES, Epoch
from cygrad.training.history import DivergenceError, History
from cygrad.training.hooks import pausing_hooks, restore, state_of
from cygrad.training.order import Order, rows_that_count
from cygrad.training.plain import epochs_at_once
from cygrad.training.progress import Progress
from cygrad.training.statistics import epoch_statistics, last_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cygrad._engine.training import Training
    from cygrad.training.budget import Budget
    from cygrad.training.data import FitData, GivenData
    from cygrad.training.fitting import FitOptions
    from cygrad.training.hooks import Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.order import Shuffle
    from cygrad.training.statistics import LayerStatistics
    from cygrad.training.trainer import Trainer
    from cygrad.training.validation import Validation


#: What values of a damaged file raise where they are used.
ABSURD = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)


class DamagedState(ValueError):
    """A state of a checkpoint that makes no sense; the trainer is as it was before."""


class Run(ABC):
    """A training from its first epoch to its last.

    Parameters
    ----------
    trainer : Trainer
    budget : Budget
    hooks : list of Hooks
        The callbacks.
    held_out, trained : Validation or None
        As in `FitData`.
    metrics : list of Metric
    verbose : bool

    Attributes
    ----------
    history : History
    epoch : Epoch or None
        The present one; None between two.
    given : GivenData
    options : FitOptions
        The arguments of `fit`.
    """

    given: GivenData
    options: FitOptions

    def __init__(
        self,
        trainer: Trainer,
        budget: Budget,
        hooks: Sequence[Hooks],
        held_out: Validation | None,
        trained: Validation | None,
        metrics: list[Metric],
        *,
        verbose: bool,
        statistics: bool = False,
    ) -> None:
        self.trainer = trainer
        self.budget = budget
        self.hooks, self.metrics = hooks, metrics
        self.history = History(
            trainer.net.metric, held_out is not None, metrics, trained is not None
        )
        self.epoch: Epoch | None = None
        self._pausing = pausing_hooks(hooks)
        self._held_out, self._trained = held_out, trained
        self._statistics = statistics
        self._verbose = verbose
        self._progress: Progress | None = None
        self._training: Training = trainer.exclusive()
        self._began = 0.0
        self._engine = trainer.net.engine
        self._before: NDArray[Any] = np.empty_like(self._engine.storage)

    def __call__(self, reset: bool = False, state: Mapping[str, Any] | None = None) -> History:
        """Train, as `Trainer.fit` describes it, or go on from a state of `state`."""
        before = self.trainer.training_state() if state is not None else {}
        try:
            return self._run(reset, state)
        except DamagedState:  # some of it was restored, and callbacks can have changed the network
            self.trainer.restore_training_state(before)
            raise

    def _run(self, reset: bool, state: Mapping[str, Any] | None) -> History:
        with self.trainer.exclusive(), ExitStack() as cleanup:
            self.begin(cleanup, reset, state)
            while self.history.stopped is None:
                if self.epoch is None and self.train_together():
                    continue
                self.begin_epoch()
                self.train_epoch()
                self.end_epoch()
        return self.history

    def begin(
        self, cleanup: ExitStack, reset: bool, state: Mapping[str, Any] | None = None
    ) -> None:
        """Begin the training, inside of `Trainer.exclusive`; `cleanup` is to be closed after it."""
        trainer = self.trainer
        if state is not None:
            with self._restoring():
                self.restore(state)
            if self.history.stopped == "epochs" and self.budget.epochs != len(self.history):
                self.history.stopped = None  # there are more of them now
        else:
            self.plan_epoch(0 if reset else trainer.steps)
        if reset:
            trainer.begin_anew()
            self.plan_epoch(0)  # now without the scale of the learning rate
        trainer.begin_history(self.history)
        for index, hook in enumerate(self.hooks):
            hook.on_train_begin(trainer)
            cleanup.callback(hook.on_train_end, trainer)
            if state is not None:
                with self._restoring():
                    restore(hook, state["callbacks"][index])
        if self._verbose and trainer.group.is_main:
            self._progress = cleanup.enter_context(self.new_progress())

    @staticmethod
    @contextmanager
    def _restoring() -> Iterator[None]:
        """Raise a DamagedState where a state makes no sense."""
        try:
            yield
        except ABSURD as error:
            raise DamagedState(f"{type(error).__name__}: {error}") from error

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on from here, between two epochs or steps.

        Arrays that the training changes are copied.
        """
        epoch = self.epoch
        within = None
        if epoch is not None:
            within = {
                **{name: getattr(epoch, name) for name in EPOCH_NAMES},
                "sums": list(self._training.sums),
                "before": self._before.copy(),
                **self.place(),
            }
        return {
            "training": self.trainer.training_state(),
            "history": self.history.state(),
            "budget": self.budget.state(),
            "epoch": within,
            "callbacks": [state_of(hook) for hook in self.hooks],
            **self.plans(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of `state`, which was checked."""
        self.trainer.restore_training_state(state["training"])
        self.history.restore(state["history"])
        self.budget.restore(state["budget"])
        self.restore_plans(state)
        within = state["epoch"]
        if within is None:
            self.plan_epoch(self.trainer.steps)
            return
        self.plan_epoch(within["first_step"])
        self.restore_place(within)
        epoch = self.draw_epoch(within["drawn"])
        for name in EPOCH_NAMES:
            setattr(epoch, name, within[name])
        np.copyto(self._before, within["before"])
        self._training.sums = tuple(within["sums"])
        self.epoch = epoch

    def place(self) -> dict[str, Any]:
        """Return the place in the present epoch, besides its steps."""
        return {}

    def plans(self) -> dict[str, Any]:
        """Return what is known of later epochs."""
        return {}

    def restore_plans(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take the values of `plans`."""

    def restore_place(self, within: Mapping[str, Any]) -> None:  # noqa: B027
        """Take the values of `place`, before the order of the epoch is made again."""

    @abstractmethod
    def plan_epoch(self, step: int) -> None:
        """Compute what can be known before the epoch that begins with a step; raise errors."""

    @abstractmethod
    def new_progress(self) -> Progress:
        """Return the display."""

    @abstractmethod
    def draw_epoch(self, drawn: int | None = None) -> Epoch:
        """Return the next epoch, whose order is made of the random number `drawn`, or a new one."""

    @abstractmethod
    def train_steps(self, epoch: Epoch) -> bool:
        """Do the steps of the epoch that are left; return whether the next one diverged."""

    @abstractmethod
    def count_total(self, epoch: Epoch, done: int) -> None:
        """Set `epoch.total` after so many steps."""

    def train_together(self) -> bool:
        """Train many epochs in one call, where nothing comes between them. False: not possible."""
        return False

    def begin_epoch(self) -> None:
        """Draw the order of the next epoch and keep a copy of the parameters."""
        if self.epoch is None:
            epoch = self.draw_epoch()
            self._engine.copy_storage(self._before)
            self.epoch = epoch

    def train_epoch(self) -> None:
        """Do the steps of the epoch, and list it in the history.

        An interrupt can come after its last step and before its entry in the history; then it is
        listed all the same, with NaN for what has not been computed.
        """
        epoch = self.epoch
        assert epoch is not None
        try:
            self._began = now() - epoch.seconds
            diverged = self.train_steps(epoch)
            self._check(epoch, diverged)
            epoch.seconds = now() - self._began
            self.budget.spend(self.steps_done)
            self._list(epoch, *self._evaluate(epoch))
        except BaseException as error:
            self._leave(epoch, isinstance(error, Exception))
            raise

    @property
    def steps_done(self) -> int:
        """Steps done in the present epoch."""
        return 0 if self.epoch is None else self._training.steps - self.epoch.first_step

    def end_epoch(self) -> None:
        """Show the epoch, call the callbacks, and find out whether another one follows."""
        epoch, history, trainer = self.epoch, self.history, self.trainer
        assert epoch is not None
        if self._progress is not None:
            self._progress.epoch_done(history.last())
        # Call all callbacks, also after one that stops the training.
        stops = [hook.on_epoch_end(trainer, epoch.number, history.last()) for hook in self.hooks]
        is_partial = history.partial_steps > 0
        spent = self.budget.spent(epoch.number, partial=is_partial)
        if trainer.group.agree(any(stops)) and not is_partial:
            spent = "callback"
        history.stopped = spent
        self.epoch = None
        if spent is None:
            self.plan_epoch(trainer.steps)
        for hook in self._pausing:
            hook.on_pause(self)
        trainer.group.raise_interrupt()

    def pause(self, epoch: Epoch) -> None:
        """Call the callbacks that pause the training within an epoch."""
        epoch.seconds = now() - self._began
        for hook in self._pausing:
            hook.on_pause(self)

    def limits(self, seconds: float | None) -> tuple[int | None, float | None]:
        """Return steps and seconds until the next pause, or `seconds` if these are fewer.

        0 or less: it is due.
        """
        steps: int | None = None
        for hook in self._pausing:
            of_hook, more = hook.until_pause(self)
            if of_hook is not None:
                steps = of_hook if steps is None else min(steps, of_hook)
            seconds = more if seconds is None else min(seconds, seconds if more is None else more)
        return steps, seconds

    def _check(self, epoch: Epoch, diverged: bool) -> None:
        """If training diverged, restore the parameters and raise a DivergenceError."""
        # The update of the last step can overflow, and no later loss would show it.
        if diverged or not self._engine.finite:
            done = self.steps_done
            self._restore()
            raise DivergenceError(done + 1 if diverged else done, epoch.number, self.history)

    def _restore(self) -> None:
        """Return to the parameters before the epoch, with a new optimiser."""
        self._training.reset()
        np.copyto(self._engine.storage, self._before)

    def _evaluate(
        self, epoch: Epoch
    ) -> tuple[tuple[float, ...], tuple[LayerStatistics, ...] | None]:
        """Return the metrics after the epoch, and the statistics of the layers."""
        statistics = self.layer_statistics() if self._statistics else None
        values: tuple[float, ...] = ()
        if self._trained is None and self._held_out is None:
            return values, statistics
        trainer, net = self.trainer, self.trainer.net
        threads = trainer.max_threads
        if self._trained is not None:
            self._trained.evaluate(net, threads)
            values += self._trained.metrics(net)
        held_out = self._held_out
        if held_out is not None:
            values += trainer.averages(held_out.evaluate(net, threads), held_out.total)
            values += held_out.metrics(net)
        return values, statistics

    def layer_statistics(self) -> tuple[LayerStatistics, ...] | None:
        """Return the statistics of the layers after the epoch."""
        return None

    def _list(
        self,
        epoch: Epoch,
        evaluated: tuple[float, ...],
        statistics: tuple[LayerStatistics, ...] | None,
    ) -> None:
        """Enter the epoch into the history."""
        done = self.steps_done
        self.count_total(epoch, done)
        loss, metric, _ = self._training.sums
        values = self.trainer.averages((loss, metric), epoch.total)
        partial = done if epoch.steps is None or done < epoch.steps else 0
        self.history.append(
            *values,
            *evaluated,
            epoch.rate,
            epoch.seconds,
            partial_steps=partial,
            statistics=statistics,
        )

    @property
    def can_go_on(self) -> bool:
        """True if `state` is complete at any step of an epoch."""
        return True

    def _leave(self, epoch: Epoch, is_error: bool) -> None:
        """Leave an epoch that an error or an interrupt has ended."""
        if not self._engine.finite or self.trainer.group.is_torn:
            self._restore()
        elif len(self.history) < epoch.number and self.steps_done == epoch.planned:
            missing = len(self.history.keys()) - 4  # loss, metric, rate and seconds are known
            self._list(epoch, (nan,) * missing, () if self._statistics else None)
        elif len(self.history.statistics) < len(self.history) and self._statistics:
            self.history.statistics.append(())
        elif (
            not is_error
            and len(self.history) < epoch.number
            and self.can_go_on
            and self.trainer.group.leaves_together
        ):
            for hook in self._pausing:
                hook.on_leave(self)


class ArrayRun(Run):
    """A training on samples in arrays.

    Parameters
    ----------
    data : FitData
    shuffle : bool or function
    step_rows : int
        Rows of a step.
    """

    def __init__(
        self,
        trainer: Trainer,
        data: FitData,
        budget: Budget,
        hooks: Sequence[Hooks],
        metrics: list[Metric],
        shuffle: Shuffle,
        step_rows: int,
        *,
        verbose: bool,
        statistics: bool,
    ) -> None:
        super().__init__(
            trainer,
            budget,
            hooks,
            data.held_out,
            data.trained,
            metrics,
            verbose=verbose,
            statistics=statistics,
        )
        self._data = data
        rows, self._weights = trainer.together(data.samples.rows, data.weights)
        self.order = Order(rows, data.rows, shuffle, trainer.shards, step_rows)
        self._step_rows = step_rows
        self._steps = -(-self.order.size // step_rows)
        self._poll: Callable[[int, float], None] | None = None
        self._rates: NDArray[np.float64] | None = None
        self._rows: NDArray[np.int64] | None = None
        self._size = 0  # rows of a whole epoch

    def begin(
        self, cleanup: ExitStack, reset: bool, state: Mapping[str, Any] | None = None
    ) -> None:
        self.trainer.bind_rates(self._steps)
        super().begin(cleanup, reset, state)

    def place(self) -> dict[str, Any]:
        return {"permutation": self.order.permutation}

    def restore_place(self, within: Mapping[str, Any]) -> None:
        self.order.repeat(within["permutation"])

    def _epochs_together(self) -> int:
        """Return the number of epochs that nothing separates, for the next call of the engine."""
        data, epochs = self._data, self.budget.epochs_alone
        needs_python = (
            (self.hooks or self._verbose or self._statistics or self.order.needs_python)
            or not (data.held_out is None and data.trained is None and self._weights is None)
            or not self.trainer.rates_are_known_ahead
        )
        if epochs is None or needs_python:
            return 1
        most = epochs_at_once(self.trainer.net, self.order.size, self._steps)
        return min(most, epochs - len(self.history))

    def train_together(self) -> bool:
        count = self._epochs_together()
        trainer, training, history = self.trainer, self._training, self.history
        first, first_step = len(history), trainer.steps
        if count == 1:
            return False
        try:
            rates = trainer.rates_of(first_step, count * self._steps)
        except (TypeError, ValueError):  # one of them is not valid, but its epoch may never come
            return False
        data = self._data
        try:
            _, diverged = training.epochs(
                data.samples,
                data.targets,
                data.rows,
                trainer.stream if self.order.is_random else None,
                count,
                self._before,
                history._rows,
                rates,
                trainer.max_threads,
            )
        except BaseException:
            if not self._engine.finite or trainer.group.is_torn:
                self._restore()
            raise
        if len(history) < first + count:
            begin = first_step + (len(history) - first) * self._steps
            rate = training.rate if rates is None else float(rates[begin - first_step])
            self.epoch = Epoch(len(history) + 1, begin, self._steps, self._steps, rate, None)
            self._check(self.epoch, diverged)
        if len(history) == self.budget.epochs:
            history.stopped = "epochs"
        else:
            self.plan_epoch(trainer.steps)
        return True

    def plan_epoch(self, step: int) -> None:
        self._rates = self.trainer.rates_of(step, self.budget.steps_of(self._steps))

    def new_progress(self) -> Progress:
        size, epochs = self.order.size, self.budget.epochs_of(self._steps)
        scale = 1 if self.trainer.net.reduction == "mean" else size
        progress = Progress(epochs, size, self._step_rows, scale, len(self.history) + 1)
        self._poll = progress.poll if progress.on_terminal else None
        return progress

    def draw_epoch(self, drawn: int | None = None) -> Epoch:
        weights, step_rows = self._weights, self._step_rows
        if drawn is None and self.order.is_random:
            drawn = self.trainer.draw()
        size, allowed = self.order.size, self.budget.steps_of(self._steps) * step_rows
        if weights is None:
            rows = self.order.draw(drawn, min(allowed, size))
        else:
            rows = rows_that_count(self.order.draw(drawn, size), weights, step_rows)
            size = size if rows is None else len(rows)
            if allowed < size:
                rows = (np.arange(size) if rows is None else rows)[:allowed]
        self._rows, self._size = rows, size
        steps, rates = -(-size // step_rows), self._rates
        return Epoch(
            len(self.history) + 1,
            self._training.steps,
            steps,
            -(-min(allowed, size) // step_rows),
            self._training.rate if rates is None else float(rates[0]),
            drawn,
        )

    def train_steps(self, epoch: Epoch) -> bool:
        data, budget, training = self._data, self.budget, self._training
        samples, targets, weights = data.samples, data.targets, self._weights
        threads = self.trainer.max_threads
        planned = epoch.planned
        assert planned is not None
        done = self.steps_done
        while True:
            last, seconds = planned, budget.seconds_left
            if self._pausing:
                steps, seconds = self.limits(seconds)
                last = planned if steps is None else done + max(steps, 1)
            *_, done, diverged = training.epoch(
                samples,
                targets,
                self._rows,
                self._rates,
                self._poll,
                threads,
                seconds,
                weights,
                False,
                done,
                last,
            )
            if diverged or done >= planned or not self._pausing or budget.is_over_time:
                return diverged
            self.pause(epoch)

    def count_total(self, epoch: Epoch, done: int) -> None:
        if self._weights is None:
            epoch.total = min(done * self._step_rows, self._size)
        else:
            epoch.total = self._training.sums[2]

    def layer_statistics(self) -> tuple[LayerStatistics, ...] | None:
        rows_done = min(self.steps_done * self._step_rows, self._size)
        return epoch_statistics(
            self.trainer.net,
            self._data.samples,
            self._data.targets,
            last_batch(self._rows, rows_done, self._step_rows),
            self._before,
            self.trainer.steps,
            self.trainer.max_threads,
            self._weights,
        )
