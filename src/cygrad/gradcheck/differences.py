"""Central differences of C along lines through p, held against what backpropagation says.

Here is the mathematics of the check, for whatever has arrays of parameters and a number C that
depends on them. A line is p + t d: d changes a single parameter, or all of them at random. The
derivative along it is gᵀd by backpropagation, and by the central difference

    (C(p + h d) − C(p − h d)) / 2h

**The step.** The difference is off by h²/6 · C‴ for cutting the series short, and by ε/h for
rounding, where ε is the error of an evaluation of C. With ε = u |C| the sum is least at
h = (3 u C / C‴)^⅓, about u^⅓ where C and C‴ are of one size: 6.1·10⁻⁶ in float64, with u = 2⁻⁵²,
and 4.9·10⁻³ in float32, with u = 2⁻²³. What is left of the digits is u^⅔: about ten of them in
float64, five in float32.

**Rounding.** Each number z that is computed on the way to C is rounded by up to u |z|, which
changes C by u |z ∂C/∂z|. These errors have either sign, so together they come to about
u · ‖z ∂C/∂z‖, the root of the sum of squares; with C itself among the numbers. ε is taken as
`ROUNDING_FACTOR` times that.

**Truncation.** A difference that is too far from gᵀd may be so because C is too much curved for the
step. The error by h²/6 · C‴ becomes a sixteenth with a quarter of the step, and four times as large
with twice the step. So if the difference moves with the step by more than half of the disagreement,
smaller steps are taken; if not, gᵀd is wrong, and that smaller steps are less exact cannot hide it.
As C can look straight to a few steps that are all too large, every step is asked whose rounding is
small against the disagreement.

**Kinks.** relu, hinge, abs, max and min have points without a derivative. A step that crosses one
mixes the slopes of its two sides. Where gᵀd disagrees, the subject is asked at p − h d, p and
p + h d which side of each kink it is on; if the answers differ smaller steps are taken. If they
differ for the smallest too, then the kink is at p, and there is no derivative to compare with.
A kink that the subject does not know of is recognised by the slopes to the right and to the left of
p, which on a smooth curve come together as the step shrinks. The edge of C's domain counts as a
kink, and so does a place where C is so much curved that the differences do not settle.
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
    """u^⅓"""
    return float(roundoff ** (1 / 3))


def least_step(roundoff: float) -> float:
    """The least h whose smallest part still changes a parameter."""
    return 2 * roundoff / STEP_FACTORS[-1]


@dataclass(frozen=True)
class Differences:
    """How the derivatives of a subject are compared.

    Attributes
    ----------
    subject : Subject
    step : float
        h
    rtol, atol : float
        What is allowed besides rounding.
    """

    subject: Subject
    step: float
    rtol: float
    atol: float

    @property
    def noise(self) -> float:
        """ε, how far an evaluation of C may be off by rounding."""
        return ROUNDING_FACTOR * self.subject.roundoff * self.subject.rounding_scale

    def compare(self, direction: Direction) -> Comparison | None:
        """The two values of the derivative along a direction; None where C has a kink."""
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
        """Whether what was found with the first step is what other steps find, and no kink's work.

        Those that cannot tell because of rounding are not asked.
        """
        error = abs(comparison.analytic - comparison.numerical)
        for h in (2 * steps[0], *steps[1:]):
            other = self._difference(direction, h)
            if other.allowed <= error / 2 and not _agree(comparison, other):
                return False
        return not self._crosses(direction, steps[0])

    def _largest_step(self, direction: Direction) -> float:
        """h; less where many parameters move at once, so that C changes by no more than h C."""
        if is_entry(direction):
            return self.step
        # The root of the sum of squares is the size that gᵀd has on an average.
        slope = float(np.sqrt(sum(np.sum((p.gradient * p.along) ** 2) for p in direction)))
        if not slope > self.subject.rounding_scale:
            return self.step
        return max(
            self.step * self.subject.rounding_scale / slope, least_step(self.subject.roundoff)
        )

    def _difference(self, direction: Direction, h: float) -> Comparison:
        """Both derivatives, along the line between the two points as they were rounded."""
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
        """Whether there is a kink between p − h d and p + h d."""
        right, left = (self._at(direction, t, self.subject.sides)[0] for t in (h, -h))
        return not right == left == self.subject.sides_at_p

    def _has_gap(self, direction: Direction, steps: Sequence[float]) -> bool:
        """Whether the slopes to the right and to the left of p stay apart."""
        gaps = []
        for h in (steps[0], steps[-1]):
            right, here, left = (self._at(direction, t)[0] for t in (h, 0, -h))
            gaps.append(abs((right - here) - (here - left)) / h)
        return bool(gaps[1] > max(gaps[0] / 4, 2 * self.noise / steps[-1]))

    def _at(
        self, direction: Direction, t: float, function: Callable[[], Any] | None = None
    ) -> tuple[Any, list[NDArray[Any]]]:
        """C, or what else is asked for, at p + t d; and the values that are there."""
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
    """Whether two differences are nearer to each other than half of the way to gᵀd."""
    return abs(one.numerical - other.numerical) <= abs(one.analytic - one.numerical) / 2
