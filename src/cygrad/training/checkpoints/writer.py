"""A thread that writes files, so that the training goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Writer:
    """Runs jobs on a thread, one after another.

    Of the jobs with the same key that wait, only the latest is run: where writing takes longer than
    the time between two checkpoints, some are left out, and no more than two copies are in memory.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}
        self._condition = threading.Condition()
        self._errors: list[Exception] = []
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Run a job soon."""
        with self._condition:
            self._waiting[key] = job
            self._is_closed = False
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="cygrad-checkpoint", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError:  # the system allows no more threads
                    self._run_job(self._waiting.pop(key))
            self._condition.notify_all()

    def close(self) -> None:
        """Wait until all jobs are done, and end the thread."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def take_errors(self) -> list[Exception]:
        """Return the errors of the jobs since the last call."""
        errors, self._errors = self._errors, []
        return errors

    def _run_job(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # whatever class the writer raises
            self._errors.append(error)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._is_closed:
                    self._condition.wait()
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.pop(next(iter(self._waiting)))
            self._run_job(job)
