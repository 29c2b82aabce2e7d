"""Time of a step as a function of the width of a network, the batch, and the threads.

The network for the widths is w-w-w-10: its second layer has all three products (forward, weight
gradient and hidden delta), the first layer only two. Batches go up to 65,536 samples, which takes
2 GB of memory; two rows have all their samples in one batch, which is not shuffled. The threads go
up to ``--threads``, for the networks of the table. With several threads, the batches too are timed
in turn with one thread: a speed-up below 1 is a wrong choice of the plan. Every row is timed in
turn with the peak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from . import peak, timing
from .cases import Case, parse_case
from .contest import checked_contest
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings

TITLE = "Growth: training step of cygrad along one axis"
COLUMNS = (
    Column("axis", "axis", 7),
    Column("network", "network", 22),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("microseconds", "µs", 11, ",.1f"),
    Column("per sample", "µs/sample", 9, ",.2f"),
    Column("gflops", "GFLOP/s", 7, ".1f"),
    Column("peak", "peak", 6, ".1f"),
    Column("share", "share", 5, ".0%"),
    Column("speed-up", "speed-up", 8, ".2f"),
)
WIDTHS = tuple(2**power for power in range(4, 13))
BATCHES = tuple(2**power for power in range(17))
FULL_BATCHES = ("4-32-16-4@10000:tanh:regression", "20-100-1@5000")
DATA = 2**20  # numbers in X, or two batches if they are more


def rows(settings: Settings) -> Iterator[Row]:
    threads = settings.threads
    for width in WIDTHS[:: 2 if settings.quick else 1]:
        yield from _timed("width", _case((width, width, width, 10), 256), [threads], settings)
    batches = [_case((784, 128, 10), batch) for batch in BATCHES[:: 4 if settings.quick else 1]]
    for case in (*batches, *map(parse_case, FULL_BATCHES)):
        numbers = sorted({1, threads})
        yield list(_timed("batch" if case.shuffled else "full", case, numbers, settings))[-1]
    if threads > 1:
        for case in settings.cases:
            yield from _timed("threads", case, range(1, threads + 1), settings)


def _case(sizes: tuple[int, ...], batch: int) -> Case:
    return Case(sizes, batch, samples=max(2, DATA // (sizes[0] * batch)) * batch)


def _timed(axis: str, case: Case, numbers: Sequence[int], settings: Settings) -> Iterator[Row]:
    """Yield a row per number of threads; the speed-up is relative to the first number."""
    rounds, duration = (3, 0.05) if settings.quick else (5, 0.2)
    case = replace(case, optimizer=settings.optimizer)
    steps, peaks = {}, {}
    for threads in numbers:
        contest = checked_contest(case, settings.dtype, threads)
        steps[f"step {threads}"] = contest.measure(CygradProgram.name, duration)
        peaks[f"peak {threads}"] = partial(peak.fma_peak, threads, settings.dtype)
    medians = timing.alternate({**steps, **peaks}, rounds, max(numbers))
    for threads in numbers:
        step, peak_gflops = medians[f"step {threads}"], medians[f"peak {threads}"]
        gflops = case.flops / step / 1e9
        yield {
            "axis": axis,
            "network": case.title,
            "batch": case.batch,
            "threads": threads,
            "microseconds": 1e6 * step,
            "per sample": 1e6 * step / case.batch,
            "gflops": gflops,
            "peak": peak_gflops,
            "share": gflops / peak_gflops,
            "speed-up": medians[f"step {numbers[0]}"] / step if len(numbers) > 1 else None,
        }
