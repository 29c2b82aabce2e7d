"""Measure times: in turn, over several rounds, as medians.

Programs that are compared take turns (A B C, A B C, …), so that a machine that slows down slows
all of them, and the median over the rounds ignores single disturbances. There is a pause between
programs with several threads, because threads of some libraries spin on after the work.
"""

from __future__ import annotations

import gc
import timeit
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, process_time, sleep
from typing import Any

PAUSE = 0.05  # seconds; OpenBLAS spins for about 25 ms, OpenMP for a few


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def busy_cores(work: Callable[[], object]) -> float:
    """Return the number of cores that the work keeps busy, over all threads of the process."""
    begin, used = perf_counter(), process_time()
    work()
    return (process_time() - used) / (perf_counter() - begin)


def alternate(
    measures: Mapping[str, Callable[[], float]], rounds: int, threads: int = 1
) -> dict[str, float]:
    """Call all measures once per round, and return the median of each."""
    values = in_turn(measures, rounds, threads)
    return {name: median(numbers) for name, numbers in values.items()}


def in_turn(
    measures: Mapping[str, Callable[[], float]], rounds: int, threads: int = 1
) -> dict[str, list[float]]:
    """Call all measures once per round, and return the values of each, by rounds."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            wait_until_idle(threads)
            values[name].append(measure())
    return values


def wait_until_idle(threads: int) -> None:
    """Wait until the threads of the previous program are idle."""
    if threads > 1:
        sleep(PAUSE)


def per_call(
    function: Callable[..., object],
    *arguments: Any,
    duration: float = 0.02,
    collect_garbage: bool = False,
) -> Callable[[], float]:
    """Return a function that measures the seconds per call, over calls that fill `duration`.

    The call is in timeit's own loop, which costs a few nanoseconds; a closure would cost fifty.
    timeit stops the garbage collector; `collect_garbage` keeps it on, for functions that leave
    cycles of objects behind.
    """
    named = {f"x{index}": argument for index, argument in enumerate(arguments)}
    timer = timeit.Timer(
        f"f({', '.join(named)})",
        setup=gc.enable if collect_garbage else "pass",
        globals={"f": function, **named},
    )
    calls, elapsed = timer.autorange()
    number = max(1, round(duration * calls / elapsed))
    return lambda: timer.timeit(number) / number
