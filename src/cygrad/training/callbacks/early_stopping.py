"""Early stopping: end a training that improves no more, and go back to its best epoch."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks
from cygrad.training.callbacks.callback import (
    Callback,
    check_monitor,
    direction,
    saved_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cygrad.training.callbacks.callback import Logs
    from cygrad.training.trainer import Trainer

TIES = ("first", "last")


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for a number of epochs.

    Parameters
    ----------
    patience : int or None
        Epochs without improvement before the training stops. None: it runs to its last epoch, and
        only the parameters of the best one are restored.
    monitor : str
        A name in the history: the loss or a metric. Whether higher or lower is better is a property
        of the metric, see `cygrad.metrics`.
    min_delta : float
        Smaller improvements do not count.
    restore_best : bool
        Whether to restore the parameters of the best epoch at the end of training, with the running
        statistics of batch norms; this needs one more copy of them. The optimiser's state stays
        that of the last epoch.
    ties : {"first", "last"}
        Which of several epochs with the same best value is the best one. An epoch that equals the
        best is no improvement for `patience` in either case.

    Attributes
    ----------
    best : float
        The best value so far; infinite before the first.
    best_epoch : int
        The epoch of the best value, the first or the last of equal ones by `ties`, counted from 1;
        0 before the first.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or, at the start of training, if the history will have
        no column `monitor`, or a direction of it is not known.

    Notes
    -----
    NaN is never an improvement, and an epoch with NaN counts as one without.

    References
    ----------
    L. Prechelt, "Early Stopping - But When?", 1998.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    >>> stopping = cg.EarlyStopping(3, "val_accuracy")
    >>> trainer = cg.Trainer(net, cg.Adam(0.01), rng=0)
    >>> history = trainer.fit(X, y, 100, validation=0.2, callbacks=[stopping])
    >>> len(history) == stopping.best_epoch + 3 < 100
    True
    """

    def __init__(
        self,
        patience: int | None,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        restore_best: bool = True,
        ties: Literal["first", "last"] = "first",
    ) -> None:
        self.patience = None if patience is None else checks.whole_number(patience, "patience")
        self.monitor = check_monitor(monitor)
        self.min_delta = checks.number(min_delta, "min_delta", least=0)
        self.restore_best = checks.flag(restore_best, "restore_best")
        self.ties = checks.one_of(ties, "ties", TIES)
        self._begin(1.0)

    def _begin(self, sign: float) -> None:
        self._sign = sign
        self.best = sign * inf
        self.best_epoch = self._improved_epoch = 0
        self._parameters: NDArray[Any] | None = None

    def __repr__(self) -> str:
        ties = "" if self.ties == "first" else f", ties={self.ties!r}"
        return (
            f"EarlyStopping({self.patience}, {self.monitor!r}, min_delta={self.min_delta}, "
            f"restore_best={self.restore_best}{ties})"
        )

    def on_train_begin(self, trainer: Trainer) -> None:
        self._begin(direction(trainer, self.monitor))
        storage = trainer.net.engine.storage
        self._layout = storage.shape, storage.dtype

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        value = logs[self.monitor]
        # NaN is never an improvement, and equals nothing.
        improves = self._sign * value < self._sign * self.best - self.min_delta
        if improves:
            self._improved_epoch = epoch
        if improves or (self.ties == "last" and value == self.best and self._improved_epoch):
            self.best, self.best_epoch = value, epoch
            if self.restore_best:
                self._parameters = trainer.net.engine.storage.copy()
        return self.patience is not None and epoch - self._improved_epoch >= self.patience

    def state(self) -> Mapping[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "improved_epoch": self._improved_epoch,
            "parameters": self._parameters,  # a copy, which is never changed
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        parameters = state["parameters"]
        if parameters is not None and (parameters.shape, parameters.dtype) != self._layout:
            raise ValueError(f"parameters has {parameters.dtype} of shape {parameters.shape}")
        self.best = saved_number(state, "best")
        self.best_epoch = saved_number(state, "best_epoch")
        self._improved_epoch = saved_number(state, "improved_epoch")
        self._parameters = parameters

    def on_train_end(self, trainer: Trainer) -> None:
        if self._parameters is not None:
            np.copyto(trainer.net.engine.storage, self._parameters)
            self._parameters = None
