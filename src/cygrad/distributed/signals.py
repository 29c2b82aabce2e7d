"""Signals that wait until a step is done on all ranks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredSignals:
    """Keeps signals that have a handler in Python, between the first `begin` and the last `end`.

    Only the main thread has handlers; on others nothing is kept.

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

    def begin(self) -> None:
        """Keep them from now on."""
        self._depth += 1
        if threading.current_thread() is not threading.main_thread() or self._depth > 1:
            return
        self.error = None
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._keep)

    def _keep(self, number: int, frame: FrameType | None) -> None:
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
        self.handle()
        self._handlers = {}
        self.raise_kept()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep signals in a ``with`` statement."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def raise_kept(self) -> None:
        """Raise what a handler has raised."""
        error, self.error = self.error, None
        if error is not None:
            raise error
