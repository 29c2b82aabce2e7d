"""The base class of callbacks, and the column of the history that some of them watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.training.trainer import Trainer

    Logs = Mapping[str, float]


class Callback:
    """Base class of callbacks of `Trainer.fit`; a subclass overrides the methods that it needs.

    The methods that begin with "on" may read and assign the parameters, and pickle the trainer.
    One that remembers something from epoch to epoch overrides `state` and `restore` too, so that
    a training can go on from a checkpoint.
    A function given as a callback is called as `on_epoch_end`.

    Examples
    --------
    >>> import cygrad as cg
    >>> class Count(cg.Callback):
    ...     epochs = 0
    ...     def on_epoch_end(self, trainer, epoch, logs):
    ...         self.epochs += 1
    >>> count = Count()
    >>> net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    >>> history = cg.Trainer(net, cg.SGD(0.1), 1).fit([[1.0]], [2.0], 3, callbacks=[count])
    >>> count.epochs
    3
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

    def state(self) -> Mapping[str, Any]:
        """Return what `restore` needs to go on from here, for a checkpoint.

        Called between two epochs or steps. Values can be None, numbers, text, arrays of numbers,
        and lists and dicts of these; they must not change afterwards.
        """
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; called by `Trainer.resume` after `on_train_begin`."""


def saved_number(state: Mapping[str, Any], name: str) -> Any:
    """Return a number of a callback's state, or raise a ValueError."""
    value = state[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {value!r}, expected a number")
    return value


def check_monitor(monitor: object) -> str:
    """Return the name of a column if it is text."""
    if not isinstance(monitor, str):
        raise TypeError(f"monitor is {monitor!r}, expected a name in the history")
    return monitor


def direction(trainer: Trainer, monitor: str) -> float:
    """Return 1 if lower values of a column of the history are better, and −1 if higher ones are.

    Raises
    ------
    ValueError
        If the history has no such column, or neither direction is better.
    """
    history = trainer.history
    if monitor not in history:
        names = ", ".join(history)
        raise ValueError(f"monitor is {monitor!r}, expected one of {names}")
    higher = history.higher_is_better(monitor)
    if higher is None:
        raise ValueError(
            f"monitor is {monitor!r}, whose better direction is not known; expected a "
            "metrics.Metric with higher_is_better=True or False"
        )
    return -1.0 if higher else 1.0
