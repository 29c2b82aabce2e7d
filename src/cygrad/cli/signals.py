"""Ctrl-C and SIGTERM during a command: both end it as an interrupt does, with one line.

While a command is imported, they are only noted: a `KeyboardInterrupt` in the middle of an import
becomes another error on its way, or is lost.
"""

from __future__ import annotations

import signal
import threading

TYPE_CHECKING = False  # `typing` takes longer to import than the rest: Ctrl-C can come that soon
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Signals:
    """The signals that end a command, inside ``with Signals():``.

    `received` is the first of them, or None; `at_once` tells whether they raise an error. Where the
    caller has handlers of its own, or has the signals ignored, these stay.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():  # others cannot set handlers
            for number, default in _DEFAULTS.items():
                if signal.getsignal(number) == default:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        if self.at_once:
            raise KeyboardInterrupt

    def raise_from_now_on(self) -> None:
        """Raise a KeyboardInterrupt at each signal, and now if there was one."""
        self.at_once = True
        if self.received is not None:
            raise KeyboardInterrupt

    def ending(self) -> tuple[str, int]:
        """Return the word for the end of the command and its exit code, as shells report it."""
        number = self.received or signal.SIGINT
        return _WORDS[signal.Signals(number)], 128 + number
