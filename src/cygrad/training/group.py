"""The processes that train a network together: `Alone`, of which `distributed.group` has others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Alone:
    """One process, which decides for itself.

    Of several processes, each has an object with these methods, and calls them when the others do.
    """

    @property
    def is_main(self) -> bool:
        """True if this process writes files: of several that train together, only one does."""
        return True

    @property
    def is_torn(self) -> bool:
        """True if a step was given up in the middle."""
        return False

    @property
    def leaves_together(self) -> bool:
        """True if an error that ends an epoch ends it on all of them."""
        return True

    def prepare(self, make: Callable[[], T]) -> T:
        """Return what a function makes of the arguments of a call."""
        return make()

    def agree(self, stops: bool) -> bool:
        """Return whether the training stops after an epoch."""
        return stops

    def raise_interrupt(self) -> None:
        """Raise a KeyboardInterrupt if a process was interrupted before the latest `agree`."""
