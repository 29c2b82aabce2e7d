"""Schedules with the shape of a cosine: one fall, falls with restarts, waves, and one cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training.schedules.functions import (
    cosine_weights,
    integer_powers,
    octave_distances,
)
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

ANNEALINGS = ("cosine", "linear")
MOST_CYCLES = 30


class CosineDecay(Decay):
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

    Examples
    --------
    >>> from cygrad.schedules import CosineDecay
    >>> [round(CosineDecay(1.0, 4)(step), 4) for step in range(6)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.between(cosine_weights(self.done(steps)))


@dataclass(frozen=True)
class CosineRestarts(Decay):
    """`CosineDecay` again and again: SGDR, stochastic gradient descent with warm restarts.

    Cycle n has Tₙ = steps · multiplierⁿ steps and begins at step sₙ = T₀ + … + Tₙ₋₁::

        η(t) = final + (initial − final) · factorⁿ · (1 + cos(π (t − sₙ) / Tₙ)) / 2

    The beginnings are computed as integers, so each restart is exact: with factor 1, step sₙ has
    `initial`, to the bit. Keras' ``CosineDecayRestarts`` finds n by a logarithm in float32, and its
    13th restart has the rate 0.

    Parameters
    ----------
    initial, final : float
        0 or more.
    steps : int
        T₀, 1 or more.
    multiplier : int
        1 or more.
    factor : float
        The height of a cycle above `final`, divided by that of the cycle before: above 0 and at
        most 1.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017,
    equation 5, with factor 1.

    Examples
    --------
    >>> from cygrad.schedules import CosineRestarts
    >>> [round(CosineRestarts(1.0, 2, multiplier=2)(step), 4) for step in range(7)]
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    multiplier: int = 1
    factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_numbers(self, "multiplier")
        check_factors(self, "factor")

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        begins, lengths = [0], [self.steps]
        if self.multiplier == 1:
            cycles = steps // self.steps
            done = steps % self.steps / self.steps
        else:
            last = int(steps.max(initial=0))
            while begins[-1] + lengths[-1] <= last:
                begins.append(begins[-1] + lengths[-1])
                lengths.append(lengths[-1] * self.multiplier)
            cycles = np.searchsorted(begins, steps, side="right") - 1
            # The last length may exceed an int64.
            done = (steps - np.array(begins)[cycles]) / np.array(lengths, np.float64)[cycles]
        return self.between(integer_powers(self.factor, cycles) * cosine_weights(done))


@dataclass(frozen=True)
class CosineLog(Schedule):
    """η(t) = peak · (1 − cos(2π log₂(1 + (2ᵏ − 1) x))) / 2 with x = min(t, steps) / steps.

    k = `cycles` waves from 0 up to `peak` and down to 0, each twice as long as the one before. The
    rate is low after 1/15, 3/15, 7/15 and all of the steps if there are four: an epoch near one of
    these ends is often the best, so that the number of epochs need not be chosen for each data set.
    The ends are 0 to the bit where they fall on a step, and so are all steps from `steps` on.

    Parameters
    ----------
    peak : float
        The largest rate, 0 or more.
    steps : int
        Number of steps of all cycles together, 1 or more.
    cycles : int
        k, from 1 to 30.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", NeurIPS 2024, section 3: coslogₖ, with k = 4.

    Examples
    --------
    >>> from cygrad.schedules import CosineLog
    >>> [round(CosineLog(1.0, 6, cycles=2)(step), 4) for step in range(7)]
    [0.0, 0.9304, 0.0, 0.7184, 0.9304, 0.3237, 0.0]
    """

    peak: float
    steps: int
    cycles: int = 4

    def __post_init__(self) -> None:
        check_rates(self, "peak")
        check_whole_numbers(self, "steps")
        cycles = checks.whole_number(self.cycles, "cycles", 1, MOST_CYCLES)
        object.__setattr__(self, "cycles", cycles)

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        done = np.minimum(steps, self.steps).astype(np.float64)
        numbers = (self.steps + (2**self.cycles - 1) * done) / self.steps  # from 1 to 2ᵏ
        values: NDArray[np.float64] = self.peak * cosine_weights(1 - 2 * octave_distances(numbers))
        return values


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from a small rate to the peak, and down to almost nothing: the one-cycle policy.

    With η₀ = peak / initial_divisor and η₁ = η₀ / final_divisor, the rate goes from η₀ at step 0
    to `peak` at step rise · steps − 1, and on to η₁ at step steps − 1; with `symmetric`, back to
    η₀ at step 2 · rise · steps − 2 before it falls to η₁. Each part is half a period of a cosine,
    or a straight line.

    These are the values of PyTorch's ``OneCycleLR``, except that all steps after the last have η₁:
    PyTorch raises an error there. Its cycle of the momentum is not offered; PyTorch does it too
    unless ``cycle_momentum=False``.

    Parameters
    ----------
    peak : float
        The largest rate, 0 or more.
    steps : int
        Number of steps of the cycle, 1 or more.
    rise : float
        Share of the steps before the peak, above 0 and below 1; with `symmetric`, at most ½.
    initial_divisor, final_divisor : float
        Above 0.
    annealing : {"cosine", "linear"}
        The shape of each part.
    symmetric : bool
        Fall back to η₀ as slowly as the rate has risen, and then to η₁.

    References
    ----------
    L. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2018.

    Examples
    --------
    >>> from cygrad.schedules import OneCycle
    >>> schedule = OneCycle(1.0, 10)
    >>> [round(schedule(step), 4) for step in (0, 1, 2, 5, 9, 10)]
    [0.04, 0.52, 1.0, 0.6113, 0.0, 0.0]
    """

    peak: float
    steps: int
    rise: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 1e4
    annealing: str = "cosine"
    symmetric: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "peak", checks.number(self.peak, "peak", least=0))
        check_whole_numbers(self, "steps")
        check_positive(self, "initial_divisor", "final_divisor")
        checks.one_of(self.annealing, "annealing", ANNEALINGS)
        checks.flag(self.symmetric, "symmetric")
        rise = checks.number(self.rise, "rise", least=0)
        if not 0 < rise < 1 or (self.symmetric and rise > 0.5):
            bound = "at most 0.5 with symmetric=True" if self.symmetric else "below 1"
            raise ValueError(f"rise is {rise}, expected a number above 0 and {bound}")
        object.__setattr__(self, "rise", rise)

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        initial = self.peak / self.initial_divisor
        final = initial / self.final_divisor
        parts = [(self.rise * self.steps - 1, initial, self.peak)]
        if self.symmetric:
            parts.append((2 * self.rise * self.steps - 2, self.peak, initial))
        parts.append((self.steps - 1.0, parts[-1][2], final))
        values = np.full(steps.shape, final)
        begin = 0.0
        pending = steps < self.steps
        for end, first, last in parts:
            here = pending & (steps <= end)
            done = np.ones(here.sum())  # a part of no length is its end
            if end != begin:
                done = ((steps[here] - begin) / (end - begin)).astype(np.float64, copy=False)
            weights = cosine_weights(done) if self.annealing == "cosine" else 1 - done
            values[here] = first * weights + last * (1 - weights)
            pending &= ~here
            begin = end
        return values
