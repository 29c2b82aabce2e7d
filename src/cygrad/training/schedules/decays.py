"""Schedules that fall by a rule of arithmetic: lines, powers, staircases."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training.schedules.functions import integer_powers, real_power
from cygrad.training.schedules.schedule import (
    Decay,
    Schedule,
    check_factors,
    check_positive,
    check_rates,
    check_whole_numbers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Constant(Schedule):
    """η(t) = value, as if the number itself were passed.

    Parameters
    ----------
    value : float
        0 or more.

    Examples
    --------
    >>> from cygrad.schedules import Constant
    >>> Constant(0.1)(1000)
    0.1
    """

    value: float

    def __post_init__(self) -> None:
        check_rates(self, "value")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(steps.shape, self.value)


class LinearDecay(Decay):
    """η(t) = initial + (final − initial) · min(t, steps) / steps.

    Step 0 has `initial`, and all steps from `steps` on have `final`, to the bit.

    Parameters
    ----------
    initial, final : float
        0 or more.
    steps : int
        1 or more.

    Examples
    --------
    >>> from cygrad.schedules import LinearDecay
    >>> [LinearDecay(1.0, 4)(step) for step in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        done = self.done(steps)
        return self.initial * (1 - done) + self.final * done


@dataclass(frozen=True)
class PolynomialDecay(Decay):
    """η(t) = final + (initial − final) · (1 − min(t, steps) / steps)ᵖ with p = power.

    Step 0 has `initial`, and all steps from `steps` on have `final`, to the bit. PyTorch's
    ``PolynomialLR`` has final 0, and Keras' ``PolynomialDecay`` final 1e-4 by default.

    Parameters
    ----------
    initial, final : float
        0 or more.
    steps : int
        1 or more.
    power : float
        p, above 0: 1 is `LinearDecay`, 2 a parabola that ends flat.

    References
    ----------
    L. Chen and others, "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", 2017, section 4.1.2: the "poly" policy, with power 0.9.

    Examples
    --------
    >>> from cygrad.schedules import PolynomialDecay
    >>> [PolynomialDecay(1.0, 4, power=2)(step) for step in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "power")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.between(real_power(1 - self.done(steps), self.power))


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """η(t) = initial · decayᵗ.

    Parameters
    ----------
    initial : float
        0 or more.
    decay : float
        Above 0 and at most 1.

    Examples
    --------
    >>> from cygrad.schedules import ExponentialDecay
    >>> [ExponentialDecay(1.0, 0.5)(step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    initial: float
    decay: float

    def __post_init__(self) -> None:
        check_rates(self, "initial")
        check_factors(self, "decay")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.initial * integer_powers(self.decay, steps)


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

    Examples
    --------
    >>> from cygrad.schedules import StepDecay
    >>> [StepDecay(1.0, 0.5, every=2)(step) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    initial: float
    factor: float
    every: int

    def __post_init__(self) -> None:
        check_rates(self, "initial")
        check_factors(self, "factor")
        check_whole_numbers(self, "every")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.initial * integer_powers(self.factor, steps // self.every)


@dataclass(frozen=True)
class MultiStepDecay(Schedule):
    """η(t) = initial · factorᵏ with k = the number of boundaries ≤ t: a staircase.

    A boundary is the first step with the lower rate, as in PyTorch's ``MultiStepLR``. In Keras'
    ``PiecewiseConstantDecay`` it is the last step with the higher one.

    Parameters
    ----------
    initial : float
        0 or more.
    factor : float
        Above 0 and at most 1.
    boundaries : sequence of int
        Steps of at least 1, in ascending order, each once.

    Examples
    --------
    >>> from cygrad.schedules import MultiStepDecay
    >>> [MultiStepDecay(1.0, 0.5, [2, 4])(step) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    initial: float
    factor: float
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        check_rates(self, "initial")
        check_factors(self, "factor")
        try:
            given = list(self.boundaries)
        except TypeError:
            raise TypeError(
                f"boundaries is {self.boundaries!r}, expected a sequence of integers"
            ) from None
        boundaries = tuple(
            checks.whole_number(boundary, f"boundaries[{index}]")
            for index, boundary in enumerate(given)
        )
        if any(first >= second for first, second in pairwise(boundaries)):
            raise ValueError(f"boundaries is {boundaries}, expected ascending steps, each once")
        object.__setattr__(self, "boundaries", boundaries)

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        boundaries = np.array(self.boundaries, dtype=np.int64)
        passed = np.searchsorted(boundaries, steps, side="right")
        return self.initial * integer_powers(self.factor, passed)


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """η(t) = initial / (1 + decay · t)ᵖ with p = power.

    Keras' ``InverseTimeDecay`` divides its ``decay_rate`` by ``decay_steps``; the quotient is
    `decay` here. With decay 1 and power 0.5 this is scikit-learn's "invscaling", by steps.

    Parameters
    ----------
    initial : float
        0 or more.
    decay : float
        0 or more.
    power : float
        p, above 0.

    References
    ----------
    H. Robbins, S. Monro, "A Stochastic Approximation Method", 1951: descent converges with rates
    whose sum is infinite and whose squares have a finite sum, as with p from above ½ to 1.

    Examples
    --------
    >>> from cygrad.schedules import InverseTimeDecay
    >>> [InverseTimeDecay(1.0, 0.5)(step) for step in (0, 2, 6)]
    [1.0, 0.5, 0.25]
    """

    initial: float
    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        check_rates(self, "initial", "decay")
        check_positive(self, "power")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        divisors = (1 + self.decay * steps).astype(np.float64, copy=False)
        return self.initial / real_power(divisors, self.power)
