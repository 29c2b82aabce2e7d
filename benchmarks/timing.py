"""How times are taken: in turn, several rounds, medians.

Programs that are compared take turns (A B C, A B C, …), so that a machine that slows down slows
all of them, and a median over the rounds drops what a single disturbance adds.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def alternate(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median of what each measure returns, all measures once per round."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: median(values) for name, values in taken.items()}


def per_call(
    function: Callable[[Any], object], argument: Any, duration: float = 0.02
) -> Callable[[], float]:
    """A measure of the seconds per call, over so many calls as fill `duration`.

    The call stands in timeit's own loop, which costs a few nanoseconds, where a closure would
    cost fifty.
    """
    timer = timeit.Timer("f(x)", globals={"f": function, "x": argument})
    calls, taken = timer.autorange()
    number = max(1, round(duration * calls / taken))
    return lambda: timer.timeit(number) / number
