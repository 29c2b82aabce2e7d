"""Compare central differences of C along lines through p with backpropagation.

This is the mathematics of the check, for any arrays of parameters and a number C that depends on
them. A line is p + t d: d changes a single parameter, or all of them at random. The derivative
along it is gᵀd by backpropagation, and by the central difference

    (C(p + h d) − C(p − h d)) / 2h

**The step.** The difference has a truncation error of h²/6 · C‴ and a rounding error of ε/h, where
ε is the error of an evaluation of C. With ε = u |C| the sum is least at h = (3 u C / C‴)^⅓, about
u^⅓ if C and C‴ are of the same size: 6.1·10⁻⁶ in float64, with u = 2⁻⁵², and 4.9·10⁻³ in float32,
with u = 2⁻²³. The relative error is then u^⅔: about ten digits are right in float64, five in
float32.

**Rounding.** Each intermediate number z of C is rounded by up to u |z|, which changes C by
u |z ∂C/∂z|. These errors have random signs, so their sum is about u · ‖z ∂C/∂z‖, the root of the
sum of squares; C itself is one of the numbers. ε is taken as `ROUNDING_FACTOR` times that.

**Truncation.** A difference may be too far from gᵀd because C is curved too much for the step. The
error h²/6 · C‴ becomes a sixteenth with a quarter of the step, and four times as large with twice
the step. So if the difference changes with the step by more than half of the disagreement, smaller
steps are taken. If not, gᵀd is wrong, and the larger rounding error of smaller steps cannot hide
it. C can look straight at a few steps that are all too large, so every step is tried whose rounding
error is small compared with the disagreement.

**Kinks.** relu, abs, max and min, and some losses, have points without a derivative. A step that
crosses one mixes the slopes of its two sides. If gᵀd disagrees, the sides of all kinks are compared
at p − h d, p and p + h d; if they differ, smaller steps are taken. If they differ for the smallest
step too, the kink is at p, and there is no derivative to compare with. A kink unknown to the
subject is detected by the slopes to the right and to the left of p: on a smooth curve they converge
as the step shrinks. The edge of C's domain counts as a kink, and so does a point where C is so
curved that the differences do not converge.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.gradcheck.report import Comparison
from cygrad.gradcheck.subject import is_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cygrad.gradcheck.subject import Direction, Subject

ROUNDING_FACTOR = 2
STEP_FACTORS = (1, 1 / 4, 1 / 16, 1 / 64, 1 / 256)


def best_step(roundoff: float) -> float:
    """Return the best step, u^⅓."""
    return float(roundoff ** (1 / 3))


def least_step(roundoff: float) -> float:
    """Return the least h whose smallest fraction still changes a parameter."""
    return 2 * roundoff / STEP_FACTORS[-1]


@dataclass(frozen=True)
class Differences:
    """Comparison of the derivatives of a subject.

    Attributes
    ----------
    subject : Subject
    step : float
        h
    rtol, atol : float
        Tolerances besides rounding.
    """

    subject: Subject
    step: float
    rtol: float
    atol: float

    @property
    def noise(self) -> float:
        """ε, the largest rounding error of an evaluation of C."""
        return ROUNDING_FACTOR * self.subject.roundoff * self.subject.rounding_scale

    def compare(self, direction: Direction) -> Comparison | None:
        """Return both values of the derivative along a direction; None if C has a kink."""
        try:
            return self._compare(direction)
        finally:
            for piece in direction:
                piece.array.set_values(piece.array.values)

    def _compare(self, direction: Direction) -> Comparison | None:
        steps = [self._largest_step(direction) * factor for factor in STEP_FACTORS]
        coarse = self._difference(direction, steps[0])
        accepted = coarse.error <= 1
        # The mean of the slopes on both sides of a kink may be right by chance.
        if (not accepted or self.subject.at_kink) and self._crosses(direction, steps[-1]):
            return None
        if accepted:
            return coarse
        for level, smaller in enumerate(steps[1:]):
            fine = self._difference(direction, smaller)
            if fine.error <= 1 and coarse.error <= 2:
                return fine
            if _agree(coarse, fine) and self._is_confirmed(direction, steps[level:], coarse):
                return None if self._has_gap(direction, steps) else coarse
            if fine.error <= 1:
                return fine
            previous, coarse = coarse, fine
        finite = isfinite(coarse.analytic - coarse.numerical)
        return None if finite and not _agree(coarse, previous) else coarse

    def _is_confirmed(
        self, direction: Direction, steps: Sequence[float], comparison: Comparison
    ) -> bool:
        """Return True if other steps agree with the first one, and no kink is near.

        Steps with too large a rounding error are skipped.
        """
        error = abs(comparison.analytic - comparison.numerical)
        for h in (2 * steps[0], *steps[1:]):
            other = self._difference(direction, h)
            if other.allowed <= error / 2 and not _agree(comparison, other):
                return False
        return not self._crosses(direction, steps[0])

    def _largest_step(self, direction: Direction) -> float:
        """Return h, or less if many parameters move at once, so that C changes by at most h C."""
        if is_entry(direction):
            return self.step
        # The root of the sum of squares is the average size of gᵀd.
        slope = float(np.sqrt(sum(np.sum((p.gradient * p.along) ** 2) for p in direction)))
        if not slope > self.subject.rounding_scale:
            return self.step
        return max(
            self.step * self.subject.rounding_scale / slope, least_step(self.subject.roundoff)
        )

    def _difference(self, direction: Direction, h: float) -> Comparison:
        """Return both derivatives, along the line between the two points after rounding."""
        loss_right, right = self._at(direction, h)
        loss_left, left = self._at(direction, -h)
        steps = [to.astype(np.float64) - start for to, start in zip(right, left, strict=True)]
        width = float(steps[0][0]) if is_entry(direction) else 2 * h
        moved = zip(direction, steps, strict=True)
        analytic = float(sum(piece.gradient @ (step / width) for piece, step in moved))
        numerical = (loss_right - loss_left) / width
        allowed = self.atol + self.rtol * max(abs(analytic), abs(numerical))
        allowed += 2 * self.noise / abs(width)
        return self._comparison(direction, analytic, numerical, allowed)

    def _comparison(
        self, direction: Direction, analytic: float, numerical: float, allowed: float
    ) -> Comparison:
        array, index = direction[0].array, None
        if is_entry(direction):
            index = tuple(map(int, np.unravel_index(direction[0].start, array.values.shape)))
        if len(direction) > 1:
            return Comparison(self.subject.name_of_all, None, None, analytic, numerical, allowed)
        return Comparison(array.parameter, array.layer, index, analytic, numerical, allowed)

    def _crosses(self, direction: Direction, h: float) -> bool:
        """Return True if there is a kink between p − h d and p + h d."""
        right, left = (self._at(direction, t, self.subject.sides)[0] for t in (h, -h))
        return not right == left == self.subject.sides_at_p

    def _has_gap(self, direction: Direction, steps: Sequence[float]) -> bool:
        """Return True if the slopes to the right and to the left of p do not converge."""
        gaps = []
        for h in (steps[0], steps[-1]):
            right, here, left = (self._at(direction, t)[0] for t in (h, 0, -h))
            gaps.append(abs((right - here) - (here - left)) / h)
        return bool(gaps[1] > max(gaps[0] / 4, 2 * self.noise / steps[-1]))

    def _at(
        self, direction: Direction, t: float, function: Callable[[], Any] | None = None
    ) -> tuple[Any, list[NDArray[Any]]]:
        """Return C, or the result of `function`, at p + t d, and the parameters there."""
        before = [piece.values.copy() for piece in direction]
        try:
            for piece, p in zip(direction, before, strict=True):
                piece.values[:] = p + t * piece.along
                piece.array.set_values(piece.array.values)
            there = [piece.values.copy() for piece in direction]
            return (function or self.subject.loss)(), there
        finally:
            for piece, p in zip(direction, before, strict=True):
                piece.values[:] = p


def _agree(one: Comparison, other: Comparison) -> bool:
    """Return True if two differences are closer to each other than half the distance to gᵀd."""
    return abs(one.numerical - other.numerical) <= abs(one.analytic - one.numerical) / 2
