"""`side_by_side`: run tasks in threads, each task in one thread, until all are done.

The tasks are calls that train a network. Within them the engine works outside the GIL, so that one
thread for each processor keeps all of them busy. The calling thread waits: it takes interrupts at
once, stops the others and waits until they have ended, so that no thread is left.
"""

from __future__ import annotations

from _thread import get_ident, start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar, cast

from cygrad._engine.interrupts import stopped
from cygrad.threads import limited

Result = TypeVar("Result")

TICK = 0.1  # seconds between two calls of `watch`


class Outcome(NamedTuple, Generic[Result]):
    """The outcome of a task: its result, or its error."""

    result: Result | None
    error: Exception | None

    def of_success(self) -> Result:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("Result", self.result)


def side_by_side(
    tasks: Sequence[Callable[[], Result]],
    threads: int,
    watch: Callable[[], object] = lambda: None,
) -> list[Outcome[Result]]:
    """Run all tasks, in up to `threads` threads; return their outcomes in the same order.

    Tasks begin in the order of the sequence. An error ends its own task alone. Each task may use as
    many threads as `threads` has for each task that is running: one, until fewer are left. Tasks
    see copies of the caller's context variables, such as NumPy's error state.

    Parameters
    ----------
    tasks : sequence of functions
        They are not called again, and can share what they only read.
    threads : int
    watch : function
        Called every tenth of a second by the calling thread; its error stops all tasks.

    Raises
    ------
    BaseException
        What a signal handler raises in the calling thread, such as KeyboardInterrupt, or a task, if
        it is no Exception. The tasks that run are stopped at the engine's next check, within 20 ms,
        and all threads have ended.
    """
    return _Crew(tasks, threads).run(watch) if tasks else []


class _Crew(Generic[Result]):
    """The threads of one call.

    There is no lock that an interrupt could leave locked: what threads share are lists, sets and an
    iterator, each changed by single calls.
    """

    def __init__(self, tasks: Sequence[Callable[[], Result]], threads: int) -> None:
        self._tasks = tasks
        self._threads = threads
        self._count = min(threads, len(tasks))
        self._numbers = iter(range(len(tasks)))  # each thread takes the next one
        self._outcomes: list[Outcome[Result]] = [Outcome(None, None)] * len(tasks)
        self._started: list[int] = []
        self._ended: list[int] = []
        self._working: set[int] = set()
        self._news: SimpleQueue[None] = SimpleQueue()  # of each thread, when it ends
        self._is_stopped = False
        self._fatal: BaseException | None = None

    def run(self, watch: Callable[[], object]) -> list[Outcome[Result]]:
        has_ended = False
        try:
            self._start()
            self._wait(watch)
            has_ended = True
        finally:
            while not has_ended:
                has_ended = self._end()
        if self._fatal is not None:
            raise self._fatal
        return self._outcomes

    def _start(self) -> None:
        begin = ((copy_context().run, (self._work,)) for _ in range(self._count))
        functions, arguments = zip(*begin, strict=True)
        try:
            # One call, so that an interrupt cannot come between a start and its entry in the list.
            self._started.extend(map(start_new_thread, functions, arguments))
        except RuntimeError:  # the system allows no more threads
            if not self._started:
                self._started.append(get_ident())
                self._work()

    def _wait(self, watch: Callable[[], object]) -> None:
        while len(self._ended) < len(self._started):
            with suppress(Empty):
                self._news.get(timeout=TICK)
            watch()

    def _end(self) -> bool:
        """Stop all tasks, and wait until the threads have ended. False: an interrupt came first."""
        try:
            self._stop()
            self._wait(lambda: None)
        except BaseException:
            return False
        return True

    def _stop(self) -> None:
        self._is_stopped = True
        stopped.update(self._working)

    def _share(self) -> int:
        """Return the threads for each task that is running."""
        return max(1, self._threads // max(1, self._count - len(self._ended)))

    def _work(self) -> None:
        """Run one task after another, in a thread of its own."""
        identifier = get_ident()
        self._working.add(identifier)
        try:
            with limited(self._share):
                for number in self._numbers:
                    if self._is_stopped:
                        break
                    self._outcomes[number] = self._run_task(number)
        except BaseException as error:
            if not self._is_stopped:
                self._fatal = error
                self._stop()
        finally:
            self._working.discard(identifier)
            stopped.discard(identifier)
            self._ended.append(identifier)
            self._news.put(None)

    def _run_task(self, number: int) -> Outcome[Result]:
        try:
            return Outcome(self._tasks[number](), None)
        except Exception as error:
            return Outcome(None, error)
