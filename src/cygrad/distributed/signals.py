"""Signals that wait until all ranks can stop at the same step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: A launcher and a terminal can send the same signal both; a later one is a second one.
SECOND = 1.0
#: Seconds that one waits for ranks that are in no common call yet.
OLD = 0.5


class DeferredSignals:
    """Keeps signals that have a handler in Python, between the first `begin` and the last `end`.

    A second one of a user who does not want to wait is handled at once. Only the main thread has
    handlers; on others nothing is kept.

    Attributes
    ----------
    error : BaseException or None
        What a handler has raised.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._handlers: dict[int, Any] = {}
        self._depth = 0
        self._came: list[tuple[int, FrameType | None]] = []
        self._first = 0.0

    def begin(self) -> None:
        """Keep them from now on."""
        self._depth += 1
        if self._depth > 1 or threading.current_thread() is not threading.main_thread():
            return
        self.error, self._first = None, 0.0
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._keep)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        now = monotonic()
        if self._first and now - self._first > SECOND:
            self._handlers[number](number, frame)
            return
        self._first = self._first or now
        self._came.append((number, frame))

    def handle(self) -> bool:
        """Call the handlers of those that have come; return whether one has raised an error."""
        while self._came:
            number, frame = self._came.pop(0)
            try:
                self._handlers[number](number, frame)
            except BaseException as error:
                self.error = error
        return self.error is not None

    def end(self) -> None:
        """Set the handlers again after the last call, and raise what one of them has raised."""
        self._depth -= 1
        if self._depth > 0:
            return
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        try:
            self.raise_kept()
        finally:
            self._handlers = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep signals in a ``with`` statement."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def raise_old(self) -> None:
        """Raise what a handler raises for a signal that has waited for a while."""
        if self._came and monotonic() - self._first > OLD:
            self.raise_kept()

    def raise_kept(self) -> None:
        """Raise what a handler has raised."""
        self.handle()
        error, self.error = self.error, None
        if error is not None:
            raise error
