"""A thread that writes files, so that the training goes on meanwhile."""

from __future__ import annotations

from _thread import start_new_thread
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
        self._end: SimpleQueue[None] = SimpleQueue()  # of the thread
        self._started: list[int] = []  # the thread, if it has been started

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Run a job soon."""
        self._shared.waiting[key] = job
        self._keys.put(key)
        if not self._started:
            # The thread does not know the writer and ends with it, whatever ends the training.
            finalize(self, self._keys.put, None)
            arguments = (self._shared, self._keys, self._end)
            try:
                # One call, so that no interrupt can come between the start and its entry in the
                # list. Thread.start would wait for the thread, and an interrupt end this wait.
                self._started.extend(map(start_new_thread, [_run], [arguments]))
            except RuntimeError:  # the system allows no more threads
                self._shared.run(key)

    def close(self) -> None:
        """Wait until all jobs are done, and end the thread."""
        self._keys.put(None)
        started, end = self._started, self._end
        self._started, self._keys, self._end = [], SimpleQueue(), SimpleQueue()
        if started:
            end.get()

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
            self.errors.append(_without_frames(error))


def _without_frames(error: Exception) -> Exception:
    """Return an error whose frames, and what they use, need not stay in memory.

    They use the writer, and the thread, which has the error, ends with it.
    """
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


def _run(shared: _Shared, keys: SimpleQueue[str | None], end: SimpleQueue[None]) -> None:
    try:
        while (key := keys.get()) is not None:
            shared.run(key)
    finally:
        end.put(None)
