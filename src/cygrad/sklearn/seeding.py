"""The random numbers of a fit: NumPy's `RandomState`, as scikit-learn uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.utils import check_random_state

# To make a RandomState takes fifty times as long as to seed one: as long as a small fit.
_unused: list[RandomState] = []
MOST_UNUSED = 8


@contextmanager
def stream_of_fit(random_state: Any) -> Iterator[RandomState]:
    """Return the stream of a `random_state` for one fit: of an integer, the same in each fit."""
    if not isinstance(random_state, (int, np.integer)):
        yield check_random_state(random_state)
        return
    stream = _unused.pop() if _unused else RandomState()
    stream.seed(random_state)
    try:
        yield stream
    finally:
        if len(_unused) < MOST_UNUSED:
            _unused.append(stream)


class Continued:
    """The stream of `partial_fit`, which goes on from call to call with the same `random_state`."""

    def __init__(self, random_state: Any) -> None:
        self._given = random_state
        self._stream = check_random_state(random_state)

    @classmethod
    def after(cls, before: Continued | None, random_state: Any) -> Continued:
        """Return the one of the call before if it has this `random_state`, or else a new one."""
        if before is None or (before._given is not random_state and before._given != random_state):
            return cls(random_state)
        return before

    @property
    def stream(self) -> RandomState:
        """The random numbers; those of None are NumPy's own, and not kept."""
        return check_random_state(None) if self._given is None else self._stream

    def __getstate__(self) -> dict[str, Any]:
        return {"_given": self._given, "_stream": None if self._given is None else self._stream}
