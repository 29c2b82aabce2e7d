"""The time that ends and pauses a training: if several processes share it, that of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from time import monotonic

_of_thread = local()


def now() -> float:
    """Return seconds from any beginning on, for decisions that all processes take alike."""
    source: Callable[[], float] = getattr(_of_thread, "source", monotonic)
    return source()


@contextmanager
def common_clock(source: Callable[[], float]) -> Iterator[None]:
    """Have `now` call a function, on this thread."""
    before = getattr(_of_thread, "source", monotonic)
    _of_thread.source = source
    try:
        yield
    finally:
        _of_thread.source = before
