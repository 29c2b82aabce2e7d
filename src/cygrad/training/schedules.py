"""Schedules: learning rates η that are functions of the step, counted from 0.

An optimiser takes a schedule as its ``learning_rate`` and checks the values that it returns; the
trainer counts the steps.

The values are computed with +, −, ×, ÷ only, without the power or cosine of a library: those differ
in the last bit between machines, and training runs must not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Schedule(ABC):
    """A learning rate for every step; the first step is 0.

    A subclass defines `values`. Calling the schedule gives one of them, with the same bits.
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


def _check(schedule: Schedule, *names: str) -> None:
    """Check the named rates of a frozen schedule and store them as floats."""
    for name in names:
        object.__setattr__(schedule, name, checks.number(getattr(schedule, name), name, least=0))


@dataclass(frozen=True)
class Constant(Schedule):
    """η(t) = value, as if the number itself were passed.

    Parameters
    ----------
    value : float
        0 or more.
    """

    value: float

    def __post_init__(self) -> None:
        _check(self, "value")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(steps.shape, self.value)


@dataclass(frozen=True)
class _Decay(Schedule):
    """A change from one rate to another over a number of steps."""

    initial: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "initial", "final")
        checks.whole_number(self.steps, "steps")

    def _done(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the fraction of the change that is done, from 0 to 1."""
        done: NDArray[np.float64] = np.minimum(steps, self.steps) / self.steps
        return done


class LinearDecay(_Decay):
    """η(t) = initial + (final − initial) · min(t, steps) / steps.

    Step 0 has `initial`, and all steps from `steps` on have `final`, to the bit.

    Parameters
    ----------
    initial, final : float
        0 or more.
    steps : int
        1 or more.
    """

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        done = self._done(steps)
        return self.initial * (1 - done) + self.final * done


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """η(t) = initial · decayᵗ.

    Parameters
    ----------
    initial : float
        0 or more.
    decay : float
        Above 0 and at most 1.
    """

    initial: float
    decay: float

    def __post_init__(self) -> None:
        _check(self, "initial")
        _check_factor(self, "decay")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.initial * _powers(self.decay, steps)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """η(t) = initial · factorᵏ with k = ⌊t / every⌋: a staircase.

    Parameters
    ----------
    initial : float
        0 or more.
    factor : float
        Above 0 and at most 1.
    every : int
        Number of steps with the same rate, 1 or more.
    """

    initial: float
    factor: float
    every: int

    def __post_init__(self) -> None:
        _check(self, "initial")
        _check_factor(self, "factor")
        checks.whole_number(self.every, "every")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.initial * _powers(self.factor, steps // self.every)


class CosineDecay(_Decay):
    """η(t) = final + (initial − final) · (1 + cos(π x)) / 2 with x = min(t, steps) / steps.

    Half a period of a cosine, flat at both ends. All steps from `steps` on have `final`, to the
    bit.

    Parameters
    ----------
    initial, final : float
        0 or more.
    steps : int
        1 or more.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017,
    equation 5, without the restarts.
    """

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        done = self._done(steps)
        # (1 + cos(π x)) / 2 = 1 − sin²(π x / 2) = sin²(π (1 − x) / 2): exact at both ends.
        squares = _sine(np.minimum(done, 1 - done) * (pi / 2)) ** 2
        weight = np.where(done < 0.5, 1 - squares, squares)
        return self.initial * weight + self.final * (1 - weight)


def _check_factor(schedule: Schedule, name: str) -> None:
    factor = checks.number(getattr(schedule, name), name, least=0)
    if not 0 < factor <= 1:
        raise ValueError(f"{name} is {factor}, expected a number above 0 and at most 1")
    object.__setattr__(schedule, name, factor)


def _powers(base: float, exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return base ** exponents, by repeated squaring."""
    powers = np.ones(exponents.shape)
    while exponents.any():
        powers[exponents & 1 == 1] *= base
        base *= base
        exponents = exponents >> 1
    return powers


def _sine(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sin of angles from 0 to π/4: Taylor's series to power 17, exact up to rounding."""
    squares = angles * angles
    tail = np.ones_like(angles)
    for power in range(16, 0, -2):
        tail = 1 - squares / (power * (power + 1)) * tail
    return angles * tail
