"""The learning rates of a training: those of the optimiser's schedule, and a common factor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cygrad.training.schedules import Schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cygrad.training.optimizers import Optimizer


class Rates:
    """The learning rate of every step of a trainer: the optimiser's, times `scale`.

    Attributes
    ----------
    scale : float
        1 until `ReduceOnPlateau` or the user changes it.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self.scale = 1.0

    @property
    def are_constant(self) -> bool:
        """True if the optimiser's learning rate is a plain number."""
        return not callable(self._optimizer.learning_rate)

    @property
    def are_known_ahead(self) -> bool:
        """True if the rates are a function of the step that may be computed for many at once."""
        return isinstance(self._optimizer.learning_rate, Schedule)

    def bind(self, optimizer: Optimizer, steps_per_epoch: int) -> None:
        """Count epochs of so many steps, in the schedules of `optimizer` that count epochs."""
        rate = optimizer.learning_rate
        if isinstance(rate, Schedule):
            bound = rate.bound(steps_per_epoch)
            if bound is not rate:
                optimizer = _with_rate(optimizer, bound)
        self._optimizer = optimizer

    def at(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self._optimizer.learning_rate_at(step) * self.scale

    def ahead(self, first: int, count: int) -> NDArray[np.float64]:
        """Return the learning rates of consecutive steps."""
        rates = self._optimizer.learning_rates(first, count)
        return rates if self.scale == 1 else rates * self.scale


def _with_rate(optimizer: Any, rate: Schedule) -> Any:
    return replace(optimizer, learning_rate=rate)
