"""Streams for messages that are no results, such as progress: their errors end no computation.

Loggers and windows put objects with `write` alone in the place of sys.stderr; a program without a
console has None; and a stream can be closed, or its reader gone.
"""

from __future__ import annotations

import sys
from contextlib import suppress


class ErrorStream:
    """The present sys.stderr. What it cannot write is lost."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        #: For tqdm, which chooses the letters of its bars by it.
        self.encoding = getattr(self._stream, "encoding", None)

    def isatty(self) -> bool:
        """Return True if this is a terminal."""
        with suppress(Exception):
            return bool(self._stream.isatty())
        return False

    def write(self, text: str) -> int:
        """Write text, if that is possible."""
        with suppress(Exception):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(Exception):
            self._stream.flush()
