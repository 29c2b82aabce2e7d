"""Reduce on plateau: lower the learning rate when a metric improves no more."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from cygrad import checks
from cygrad.training.callbacks.callback import (
    Callback,
    check_monitor,
    direction,
    saved_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cygrad.training.callbacks.callback import Logs
    from cygrad.training.trainer import Trainer


class ReduceOnPlateau(Callback):
    """Multiply the learning rate by a factor when a column of the history has stopped improving.

    It counts as PyTorch's ``ReduceLROnPlateau``: a value v is an improvement on the best one, b, if
    v < b · (1 − threshold) where lower is better, and v > b · (1 + threshold) where higher is; with
    `absolute`, v < b − threshold and v > b + threshold. After more than `patience` epochs in turn
    without one the rate η becomes max(η · factor, min_rate); the count begins again, and the next
    `cooldown` epochs do not count. Keras' callback is absolute, and lowers after exactly
    `patience` epochs.

    It lowers ``Trainer.learning_rate_scale``, so a schedule goes on below it.

    Parameters
    ----------
    factor : float
        Above 0 and below 1.
    patience : int
        Epochs without improvement that are tolerated, 0 or more.
    monitor : str
        A name in the history: the loss or a metric. Whether higher or lower is better is a property
        of the metric, see `cygrad.metrics`.
    threshold : float
        0 or more.
    absolute : bool
        Whether the threshold is a difference, or a share of the best value. A share needs values
        of at least 0.
    cooldown : int
        0 or more.
    min_rate : float
        Least learning rate, 0 or more.
    eps : float
        The rate is not lowered by as little as that.

    Attributes
    ----------
    best : float
        The best value so far; infinite before the first.
    bad_epochs, cooldown_left : int
        The counts.

    Raises
    ------
    TypeError, ValueError
        As for `EarlyStopping`.

    Notes
    -----
    A `fit` that goes on where the latest one with this object has ended continues the counts, also
    after both were pickled; any other begins anew. NaN is no improvement.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    >>> trainer = cg.Trainer(net, cg.SGD(0.1), batch_size=1)
    >>> callback = cg.ReduceOnPlateau(0.5, patience=0, monitor="loss", threshold=1e9)
    >>> [round(rate, 6) for rate in
    ...  trainer.fit([[1.0]], [2.0], 4, callbacks=[callback]).learning_rate]
    [0.1, 0.1, 0.05, 0.025]
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        monitor: str = "val_loss",
        *,
        threshold: float = 1e-4,
        absolute: bool = False,
        cooldown: int = 0,
        min_rate: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.factor = checks.number(factor, "factor")
        if not 0 < self.factor < 1:
            raise ValueError(f"factor is {self.factor}, expected a number above 0 and below 1")
        self.patience = checks.whole_number(patience, "patience", 0)
        self.monitor = check_monitor(monitor)
        self.threshold = checks.number(threshold, "threshold", least=0)
        self.absolute = checks.flag(absolute, "absolute")
        self.cooldown = checks.whole_number(cooldown, "cooldown", 0)
        self.min_rate = checks.number(min_rate, "min_rate", least=0)
        self.eps = checks.number(eps, "eps", least=0)
        self._begin(1.0)

    def _begin(self, sign: float) -> None:
        self._sign = sign
        self.best = sign * inf
        self.bad_epochs = self.cooldown_left = 0
        self._steps = 0

    def __repr__(self) -> str:
        return (
            f"ReduceOnPlateau({self.factor}, {self.patience}, {self.monitor!r}, "
            f"threshold={self.threshold}, absolute={self.absolute}, cooldown={self.cooldown}, "
            f"min_rate={self.min_rate}, eps={self.eps})"
        )

    def on_train_begin(self, trainer: Trainer) -> None:
        sign = direction(trainer, self.monitor)
        if trainer.steps == 0 or trainer.steps != self._steps:
            self._begin(sign)

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        if self._improves(logs[self.monitor]):
            self.best, self.bad_epochs = logs[self.monitor], 0
        else:
            self.bad_epochs += 1
        if self.cooldown_left > 0:
            self.cooldown_left -= 1
            self.bad_epochs = 0
        if self.bad_epochs > self.patience:
            self._lower(trainer)
            self.cooldown_left, self.bad_epochs = self.cooldown, 0
        self._steps = trainer.steps
        return None

    def state(self) -> Mapping[str, Any]:
        return {
            "best": self.best,
            "bad_epochs": self.bad_epochs,
            "cooldown_left": self.cooldown_left,
            "steps": self._steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.best = saved_number(state, "best")
        self.bad_epochs = saved_number(state, "bad_epochs")
        self.cooldown_left = saved_number(state, "cooldown_left")
        self._steps = saved_number(state, "steps")

    def _improves(self, value: float) -> bool:
        if self.best in (inf, -inf):
            return self._sign * value < self._sign * self.best
        if self.absolute:
            return self._sign * value < self._sign * self.best - self.threshold
        return self._sign * value < self._sign * self.best * (1 - self._sign * self.threshold)

    def _lower(self, trainer: Trainer) -> None:
        rate = trainer.learning_rate
        lower = max(rate * self.factor, self.min_rate)
        if rate - lower > self.eps:
            trainer.learning_rate_scale *= lower / rate
