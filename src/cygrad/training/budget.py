"""Budgets of one `Trainer.fit`: the epochs, steps and seconds after which it ends."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from cygrad import checks
from cygrad.training.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping


class Budget:
    """What one `fit` may spend: epochs, steps and seconds; None for no limit.

    Without any limit it is one epoch. Time begins when the budget is made.
    """

    def __init__(
        self, epochs: int | None, max_steps: int | None, max_seconds: float | None
    ) -> None:
        if epochs is None and max_steps is None and max_seconds is None:
            epochs = 1
        self.epochs = None if epochs is None else checks.whole_number(epochs, "epochs")
        self.max_steps = None if max_steps is None else checks.whole_number(max_steps, "max_steps")
        if max_seconds is not None and checks.number(max_seconds, "max_seconds", least=0) == 0:
            raise ValueError(f"max_seconds is {max_seconds}, expected a number above 0")
        self._begin = now()
        self._end = inf if max_seconds is None else self._begin + max_seconds
        self._steps_done = 0

    def state(self) -> dict[str, Any]:
        """Return what has been spent."""
        return {"steps": self._steps_done, "seconds": now() - self._begin}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Count what was spent before."""
        self._steps_done = state["steps"]
        self._begin -= state["seconds"]
        self._end -= state["seconds"]

    @property
    def epochs_alone(self) -> int | None:
        """The number of epochs if nothing else limits the training, else None."""
        return self.epochs if self.max_steps is None and self._end == inf else None

    @property
    def seconds_left(self) -> float | None:
        """The seconds that are left, None without a limit; 0 or less if there are none."""
        return None if self._end == inf else self._end - now()

    @property
    def is_over_time(self) -> bool:
        """True if no time is left."""
        return self._end <= now()

    def steps_of(self, steps: int) -> int:
        """Return how many of an epoch's steps may be done."""
        return steps if self.max_steps is None else min(steps, self.max_steps - self._steps_done)

    def epochs_of(self, steps: int) -> int | None:
        """Return how many epochs of so many steps there can be, None if only time limits them."""
        limits = [] if self.epochs is None else [self.epochs]
        if self.max_steps is not None:
            limits.append(-(-self.max_steps // steps))
        return min(limits, default=None)

    def spend(self, steps: int) -> None:
        """Count steps that are done."""
        self._steps_done += steps

    def spent(self, epoch: int, *, partial: bool) -> str | None:
        """Return the name of the limit that ends the training after an epoch, or None.

        With `partial`, the epoch has not done all its steps.
        """
        if epoch == self.epochs and not partial:
            return "epochs"
        if self.max_steps is not None and self._steps_done >= self.max_steps:
            return "max_steps"
        # An epoch that was cut short has been so by the one or the other.
        return "max_seconds" if partial or self.is_over_time else None
