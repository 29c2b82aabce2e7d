"""Progress of reading a long file, on stderr."""

from __future__ import annotations

from time import monotonic
from typing import Any, Self

from cygrad.streams import ErrorStream

SECONDS_BEFORE = 2.0  # on a terminal nothing is shown for files that are read sooner
SECONDS_BETWEEN_DRAWINGS = 0.1
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """The share of a file that was read: a line that is redrawn on a terminal, lines elsewhere.

    Parameters
    ----------
    name : str
        What is read.
    wanted : bool or None
        Whether it is shown; None: on a terminal, if it takes long.
    """

    def __init__(self, name: str, wanted: bool | None) -> None:
        self._name = name
        self._stream = ErrorStream()
        self._on_terminal = self._stream.isatty()
        self._is_shown = self._on_terminal if wanted is None else wanted
        self._next = monotonic() + (SECONDS_BEFORE if wanted is None else 0.0)
        self._length = 0

    def show(self, share: float) -> None:
        """Show the share, from 0 to 1, unless it was shown just now."""
        if self._is_shown and monotonic() >= self._next:
            self._write(share)
            between = SECONDS_BETWEEN_DRAWINGS if self._on_terminal else SECONDS_BETWEEN_LINES
            self._next = monotonic() + between

    def _write(self, share: float) -> None:
        text = f"reading {self._name}  {100 * share:3.0f} %"
        if self._on_terminal:
            self._stream.write("\r" + text.ljust(self._length))
            self._length = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._length:
            self._stream.write("\r" + " " * self._length + "\r")
            self._stream.flush()
