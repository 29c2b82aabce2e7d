"""A thread that writes files, so that the training goes on meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from weakref import finalize


class Writer:
    """Runs jobs on a thread, one after another.

    Of the jobs with the same key that wait, only the latest is run: where writing takes longer than
    the time between two checkpoints, some are left out, and no more than two copies are in memory.

    There are no locks, which an interrupt between acquiring and using one would leave closed.
    """

    def __init__(self) -> None:
        self._shared = _Shared()
        self._keys: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Run a job soon."""
        self._shared.waiting[key] = job
        self._keys.put(key)
        if self._thread is None:
            # The thread does not know the writer and ends with it, whatever ends the training.
            finalize(self, self._keys.put, None)
            self._thread = threading.Thread(
                target=_run, args=(self._shared, self._keys), name="cygrad-checkpoint", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:  # the system allows no more threads
                self._thread = None
                self._shared.run(key)

    def close(self) -> None:
        """Wait until all jobs are done, and end the thread."""
        self._keys.put(None)
        thread, self._thread, self._keys = self._thread, None, SimpleQueue()
        if thread is not None:
            with contextlib.suppress(RuntimeError):  # an interrupt came before its start
                thread.join()

    def take_errors(self) -> list[Exception]:
        """Return the errors of the jobs since the last call."""
        errors, found = self._shared.errors, []
        while errors:  # the thread may add to them
            found.append(errors.pop(0))
        return found


class _Shared:
    """The jobs that wait, and the errors of those that were run."""

    def __init__(self) -> None:
        self.waiting: dict[str, Callable[[], None]] = {}
        self.errors: list[Exception] = []

    def run(self, key: str) -> None:
        job = self.waiting.pop(key, None)
        try:
            if job is not None:
                job()
        except Exception as error:  # whatever class the writer raises
            self.errors.append(error)


def _run(shared: _Shared, keys: SimpleQueue[str | None]) -> None:
    while (key := keys.get()) is not None:
        shared.run(key)
