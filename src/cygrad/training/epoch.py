"""The place in a training: an epoch that has begun."""

from __future__ import annotations

#: The attributes that a checkpoint holds.
EPOCH_NAMES = ("number", "first_step", "steps", "planned", "rate", "drawn", "seconds")


class Epoch:
    """An epoch that has begun.

    Attributes
    ----------
    number : int
        Counted from 1.
    first_step : int
        The trainer's count of steps at its beginning.
    steps : int or None
        The steps of a whole epoch; None: not known yet.
    planned : int or None
        Those that the budget allows.
    rate : float
        The learning rate of its first step.
    drawn : int or None
        The random number of its order.
    total : float
        The divisor of its averages: the rows of the steps done, or the sum of their weights.
    seconds : float
        The time of its steps, up to the last pause.
    """

    def __init__(
        self,
        number: int,
        first_step: int,
        steps: int | None,
        planned: int | None,
        rate: float,
        drawn: int | None,
    ) -> None:
        self.number, self.first_step = number, first_step
        self.steps, self.planned = steps, planned
        self.rate, self.drawn = rate, drawn
        self.total = self.seconds = 0.0
