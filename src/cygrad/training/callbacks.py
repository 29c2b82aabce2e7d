"""Callbacks of `Trainer.fit`: the base class, and early stopping.

The protocol of the calls is in `trainer`. Callbacks use only the trainer's public methods. The
display of progress is not a callback, because it is updated within an epoch too; it is in
`progress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from cygrad import checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.training.trainer import Trainer

    Logs = Mapping[str, float]


class Callback:
    """Base class of callbacks of `Trainer.fit`; a subclass overrides the methods that it needs.

    All three methods may read and assign the parameters, and pickle the trainer.
    A function given as a callback is called as `on_epoch_end`.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        """Called once, after all arguments of `fit` are checked."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        """Called after each epoch.

        Parameters
        ----------
        trainer : Trainer
        epoch : int
            Counted from 1.
        logs : dict of str to float
            The epoch's row of the history; `History` lists the names.

        Returns
        -------
        bool or None
            True stops the training.
        """
        return None

    def on_train_end(self, trainer: Trainer) -> None:
        """Called once at the end of training, also after an error or an interrupt."""


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for a number of epochs.

    Parameters
    ----------
    patience : int
        Epochs without improvement before the training stops.
    monitor : str
        A name in the history. Higher is better for names that end in ``accuracy``, lower for all
        others.
    min_delta : float
        Smaller improvements do not count.
    restore_best : bool
        Whether to restore the parameters of the best epoch at the end of training; this needs one
        more copy of them. The optimiser's state stays that of the last epoch.

    Attributes
    ----------
    best : float
        The best value so far.
    best_epoch : int
        The epoch of the best value, counted from 1; 0 before the first.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, at the start of training, if the history will have
        no column `monitor`.
    """

    def __init__(
        self,
        patience: int,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.patience = checks.whole_number(patience, "patience")
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is {monitor!r}, expected a name in the history")
        self.monitor = monitor
        self.min_delta = checks.number(min_delta, "min_delta", least=0)
        self.restore_best = checks.flag(restore_best, "restore_best")
        self._begin()

    def _begin(self) -> None:
        self._sign = -1.0 if self.monitor.endswith("accuracy") else 1.0
        self.best = self._sign * inf
        self.best_epoch = 0
        self._parameters: NDArray[Any] | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        if self.monitor not in trainer.history:
            names = ", ".join(trainer.history)
            raise ValueError(f"monitor is {self.monitor!r}, expected one of {names}")
        self._begin()

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        # NaN is never an improvement.
        if self._sign * logs[self.monitor] < self._sign * self.best - self.min_delta:
            self.best, self.best_epoch = logs[self.monitor], epoch
            if self.restore_best:
                self._parameters = trainer.net.parameters
        return epoch - self.best_epoch >= self.patience

    def on_train_end(self, trainer: Trainer) -> None:
        if self._parameters is not None:
            trainer.net.parameters = self._parameters
            self._parameters = None
