"""`Export`: what functions return that write a file, or test it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cygrad.exchange.self_test import SelfTest


@dataclass(frozen=True)
class Export:
    """A file that an export has written.

    Attributes
    ----------
    path : str
    test : SelfTest or None
        The result of the self-test; None if it did not run.
    notes : tuple of str
        Why it did not run, and what else there is to know.
    """

    path: str
    test: SelfTest | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: " + "; ".join(self._described())

    def _described(self) -> list[str]:
        """Return the parts of the text after the path."""
        return [*([] if self.test is None else [str(self.test)]), *self.notes]
