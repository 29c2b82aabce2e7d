"""Schedules made of another one: with a rise before it, or counted in epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training.schedules.decays import Constant
from cygrad.training.schedules.schedule import Schedule, check_rates, check_whole_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight rise over a number of steps, then another schedule from its beginning.

    With η₁ = then(0) and n = steps::

        η(t) = start + (η₁ − start) · t / n    for t < n
        η(t) = then(t − n)                     from t = n on

    Without `start` it is η₁ / (n + 1): the rate rises in n + 1 equal steps from 0, and no step is
    lost on the rate 0. A start of 0 gives 0 for the first step only, as integer or float. Keras'
    ``CosineDecay`` with a ``warmup_target`` and the integer 0 as ``initial_learning_rate`` stays at
    0 for ever.

    Parameters
    ----------
    steps : int
        n, 1 or more.
    then : Schedule or float
        What follows; a number is `Constant`.
    start : float or None
        The rate of step 0, 0 or more.

    References
    ----------
    P. Goyal and others, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
    section 2.2.

    Examples
    --------
    >>> from cygrad.schedules import LinearDecay, Warmup
    >>> schedule = Warmup(3, LinearDecay(1.0, 4))
    >>> [schedule(step) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    steps: int
    then: Schedule
    start: float | None = None

    def __post_init__(self) -> None:
        check_whole_numbers(self, "steps")
        object.__setattr__(self, "then", _as_schedule(self.then, "then"))
        if self.start is not None:
            check_rates(self, "start")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        early = steps < self.steps
        if not early.any():
            return self.then.values(steps - self.steps)
        later = self.then.values(np.maximum(steps - self.steps, 0))
        target = self.then(0)
        if self.start is None:
            rise = target * ((steps + 1) / (self.steps + 1))
        else:
            done = steps / self.steps
            rise = self.start * (1 - done) + target * done
        return np.where(early, rise, later)

    def bound(self, steps_per_epoch: int) -> Self:
        return replace(self, then=self.then.bound(steps_per_epoch))


@dataclass(frozen=True)
class PerEpoch(Schedule):
    """η(t) = schedule(⌊t / steps_per_epoch⌋): a schedule that counts epochs instead of steps.

    Parameters
    ----------
    schedule : Schedule
        A function of the epoch, counted from 0.
    steps_per_epoch : int or None
        1 or more. None: the number of steps that `Trainer.fit` does in an epoch of its samples; the
        rates are known within `fit` only, and `values` raises an error.

    Notes
    -----
    The epochs are those of the trainer's count of steps, which goes on from one `fit` to the next.
    `Trainer.step` and `Trainer.learn_one` have no epochs: they need `steps_per_epoch`, unless a
    `fit` before them has counted it.

    Examples
    --------
    >>> from cygrad.schedules import ExponentialDecay, PerEpoch
    >>> [PerEpoch(ExponentialDecay(1.0, 0.5), 3)(step) for step in range(7)]
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    """

    schedule: Schedule
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", _as_schedule(self.schedule, "schedule"))
        if self.steps_per_epoch is not None:
            check_whole_numbers(self, "steps_per_epoch")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.steps_per_epoch is None:
            raise ValueError(
                "steps_per_epoch is None, which is known within Trainer.fit only; "
                "expected PerEpoch(schedule, steps_per_epoch)"
            )
        return self.schedule.values(steps // self.steps_per_epoch)

    def bound(self, steps_per_epoch: int) -> Self:
        if self.steps_per_epoch is not None:
            return self
        return replace(self, steps_per_epoch=steps_per_epoch)


def _as_schedule(value: Schedule | float, name: str) -> Schedule:
    if isinstance(value, Schedule):
        return value
    try:
        return Constant(checks.number(value, name, least=0))
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected a Schedule or a number") from None
