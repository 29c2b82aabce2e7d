"""The callback that writes checkpoints."""

from __future__ import annotations

import os
import warnings
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from cygrad import checks
from cygrad.atomic_write import remove_leftovers
from cygrad.network import archive, storage
from cygrad.training.callbacks.callback import (
    Callback,
    check_monitor,
    direction,
    saved_number,
)
from cygrad.training.checkpoints import file
from cygrad.training.checkpoints.description import (
    describe_callback,
    describe_options,
    describe_trainer,
    remember_class,
)
from cygrad.training.checkpoints.writer import Writer
from cygrad.training.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cygrad.training.callbacks.callback import Logs
    from cygrad.training.run import Run
    from cygrad.training.trainer import Trainer

ON_ERROR = ("warn", "raise")


@remember_class
class Checkpoint(Callback):
    """Write the complete state of a training to a file, for `Trainer.resume`.

    A training that was killed and goes on from its checkpoint ends with the same parameters, the
    same history (besides the times) and the same predictions, bit by bit, as one that was not.

    The file holds the parameters, running statistics of batch norms, the optimiser's state, the
    count of steps, which is the place in a schedule, the random streams, the place in the epoch
    with its sums, the history, the state of all callbacks (see `Callback.state`), the arguments
    of trainer and `fit`, and a fingerprint of the data. It holds no code and no data.

    It is written after each epoch, or when `every`, `every_steps` or `seconds` say so, at the end
    of the training, and when Ctrl-C ends it within an epoch. A thread writes a copy of the state
    while the training goes on. The file is replaced in one step: until the new one is on the disk,
    the one before is whole. What a killed process has left beside it is removed by the next
    training with this file.

    Parameters
    ----------
    path : str or os.PathLike
        The name of the file. An older checkpoint is replaced.
    every : int or None
        Number of epochs between two checkpoints. None: 1, if `every_steps` and `seconds` are None
        too.
    every_steps : int or None
        Number of steps between two checkpoints, also within an epoch.
    seconds : float or None
        Time between two checkpoints, also within an epoch.
    keep_best : str or None
        A name in the history: the network of its best epoch is saved too, in the file `best_path`,
        which `cygrad.load` reads.
    on_error : {"warn", "raise"}
        What a checkpoint that cannot be written does: a RuntimeWarning, with which the training
        goes on, or the OSError, which ends it.

    Attributes
    ----------
    best_path : str
        `path` with "-best" before its ending.
    best : float
        The best value of `keep_best` so far; infinite before the first.
    best_epoch : int
        Its epoch, counted from 1; 0 before the first.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; at the start of training, if `path` is an existing file
        that is no checkpoint, or the history will have no column `keep_best`.
    OSError
        At the start of training, if there is no such folder.

    Notes
    -----
    Where writing takes longer than the time between two checkpoints, some are left out. With
    `LBFGS` there are no checkpoints, because its memory is in SciPy.

    Batches are recognised by their number only, and within an epoch checkpoints are written
    between two of them. Where they come from a function or an iterable, those before are read
    again and passed over; a random order of its own is not restored.

    Examples
    --------
    >>> import cygrad as cg, os, tempfile
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer():
    ...     net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    ...     return cg.Trainer(net, cg.Adam(1e-3), rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.npz")
    ...     history = trainer().fit(X, y, epochs=3, callbacks=[cg.Checkpoint(path)])
    ...     resumed = trainer().resume(path, X, y, epochs=5)
    >>> len(resumed), resumed.loss[:3] == history.loss
    (5, True)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: int | None = None,
        *,
        every_steps: int | None = None,
        seconds: float | None = None,
        keep_best: str | None = None,
        on_error: Literal["warn", "raise"] = "warn",
    ) -> None:
        self.path = archive.path_name(path)
        if every is None and every_steps is None and seconds is None:
            every = 1
        self.every = None if every is None else checks.whole_number(every, "every")
        self.every_steps = every_steps
        if every_steps is not None:
            self.every_steps = checks.whole_number(every_steps, "every_steps")
        self.seconds = None if seconds is None else checks.number(seconds, "seconds", least=0)
        self.keep_best = None if keep_best is None else check_monitor(keep_best)
        self.on_error = checks.one_of(on_error, "on_error", ON_ERROR)
        root, ending = os.path.splitext(self.path)
        self.best_path = f"{root}-best{ending}"
        self._begin(1.0)

    def _begin(self, sign: float) -> None:
        self._sign = sign
        self.best = sign * inf
        self.best_epoch = 0
        self._steps = 0
        self._time = now()
        self._writer: Writer | None = None
        self._constant: dict[str, Any] | None = None

    def __repr__(self) -> str:
        names = ("every", "every_steps", "seconds", "keep_best")
        given = [f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name)]
        if self.on_error != "warn":
            given.append(f"on_error={self.on_error!r}")
        return f"Checkpoint({', '.join([repr(self.path), *given])})"

    def __getstate__(self) -> dict[str, Any]:
        # The thread and the data are those of one training.
        return {**self.__dict__, "_writer": None, "_constant": None}

    def on_train_begin(self, trainer: Trainer) -> None:
        sign = 1.0 if self.keep_best is None else direction(trainer, self.keep_best)
        self._begin(sign)
        if trainer.group.is_main:
            self.check_file()
            for path in (self.path, self.best_path):
                remove_leftovers(path)
        self._steps = trainer.steps
        self._writer = Writer()

    def check_file(self) -> None:
        """Raise an error if a file cannot be written there, or another one would be lost."""
        target = os.path.realpath(self.path)
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            raise FileNotFoundError(2, "No such folder for the checkpoint", self.path)
        exists = os.path.exists(target)
        if exists and (not os.path.isfile(target) or not file.may_be_replaced(target)):
            raise ValueError(f"path is {self.path!r}, which exists and is no checkpoint")

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        if self.keep_best is not None:
            value = logs[self.keep_best]
            if self._sign * value < self._sign * self.best:  # NaN never is
                self.best, self.best_epoch = value, epoch
                config, arrays, path = trainer.net.config(), trainer.net.arrays(), self.best_path
                if trainer.group.is_main:
                    self._submit(path, lambda: storage.save(path, config, arrays))
        return None

    def until_pause(self, run: Run) -> tuple[int | None, float | None]:
        steps = seconds = None
        if self.every_steps is not None:
            steps = self.every_steps - (run.trainer.steps - self._steps)
        if self.seconds is not None:
            seconds = self.seconds - (now() - self._time)
        return steps, seconds

    def on_pause(self, run: Run) -> None:
        self._report()
        is_due = any(limit is not None and limit <= 0 for limit in self.until_pause(run))
        if run.epoch is None:
            epochs = len(run.history)
            is_due = is_due or (self.every is not None and epochs % self.every == 0)
            is_due = is_due or run.history.stopped is not None
        if is_due:
            self._write(run)

    def on_leave(self, run: Run) -> None:
        self._write(run)

    def _write(self, run: Run) -> None:
        """Copy the state of a training, and have it written."""
        self._steps, self._time = run.trainer.steps, now()
        state, path = run.state(), self.path
        if not run.trainer.group.is_main:
            return

        def write() -> None:
            # Computed by the first job, on the thread: the data are hashed there.
            if self._constant is None:
                self._constant = {
                    "trainer": describe_trainer(run.trainer),
                    "options": describe_options(run.options, run.metrics),
                    "data": run.trainer.fingerprint(run.given),
                    "callback": [hook is self for hook in run.hooks].index(True),
                    "callbacks": [describe_callback(hook) for hook in run.hooks],
                }
            file.write(path, {"state": state}, self._constant)

        self._submit(path, write)

    def _submit(self, path: str, job: Any) -> None:
        assert self._writer is not None
        self._writer.submit(path, job)

    def state(self) -> Mapping[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.best = saved_number(state, "best")
        self.best_epoch = saved_number(state, "best_epoch")

    def _report(self) -> None:
        """Warn of the errors of the thread, or raise the first of them."""
        errors = [] if self._writer is None else self._writer.take_errors()
        for error in errors:
            if self.on_error == "raise":
                raise error
            warnings.warn(
                f"the checkpoint {self.path!r} could not be written: {error}; the training goes "
                "on, and the checkpoint before is still there if there was one",
                RuntimeWarning,
                stacklevel=2,
            )

    def on_train_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._report()
        self._writer = self._constant = None
