"""The base class of schedules, and the checks of their arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np

from cygrad import checks
from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Schedule(ABC):
    """A learning rate for every step; the first step is 0.

    A subclass defines `values`, which must depend on the steps only: the trainer computes the rates
    of many steps ahead. Calling the schedule gives one of them, with the same bits.

    Examples
    --------
    >>> import numpy as np
    >>> from cygrad.schedules import Schedule
    >>> class Halves(Schedule):
    ...     def values(self, steps):
    ...         return 1 / (1 + steps)
    >>> Halves()(3)
    0.25
    """

    @abstractmethod
    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the learning rates of the given steps.

        Parameters
        ----------
        steps : ndarray of int64, any shape

        Returns
        -------
        ndarray of float64, the same shape
        """

    def __call__(self, step: int) -> float:
        """Return the learning rate of one step."""
        return float(self.values(np.array([step], dtype=np.int64))[0])

    def bound(self, steps_per_epoch: int) -> Self:
        """Return the schedule for epochs of so many steps: itself, unless it counts epochs."""
        return self


@dataclass(frozen=True)
class Decay(Schedule):
    """A change from one rate to another over a number of steps."""

    initial: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rates(self, "initial", "final")
        check_whole_numbers(self, "steps")

    def done(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the fraction of the change that is done, from 0 to 1."""
        done: NDArray[np.float64] = np.minimum(steps, self.steps) / self.steps
        return done

    def between(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rates with this weight of `initial`; 1 and 0 give both ends to the bit."""
        return self.initial * weight + self.final * (1 - weight)


def check_rates(schedule: Schedule, *names: str) -> None:
    """Check the named numbers of a frozen schedule, at least 0, and store them as floats."""
    for name in names:
        object.__setattr__(schedule, name, checks.number(getattr(schedule, name), name, least=0))


def check_whole_numbers(schedule: Schedule, *names: str) -> None:
    """Check the named numbers of a frozen schedule, at least 1, and store them as integers."""
    for name in names:
        object.__setattr__(schedule, name, checks.whole_number(getattr(schedule, name), name))


def check_factors(schedule: Schedule, *names: str) -> None:
    """Check the named factors of a frozen schedule, above 0 and at most 1."""
    check_rates(schedule, *names)
    for name in names:
        factor = getattr(schedule, name)
        if not 0 < factor <= 1:
            raise ValueError(f"{name} is {factor}, expected a number above 0 and at most 1")


def check_positive(schedule: Schedule, *names: str) -> None:
    """Check the named numbers of a frozen schedule, above 0."""
    check_rates(schedule, *names)
    for name in names:
        if getattr(schedule, name) == 0:
            raise ValueError(f"{name} is 0, expected a number above 0")
