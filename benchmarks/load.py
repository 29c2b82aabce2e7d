"""Training where others leave less than the whole machine: a busy process, and quotas.

`rows` trains the same network under all conditions, in turn, and compares the bits of all. Next to
each time, as a multiple of that of the same threads alone, is the fair one. A process that never
waits takes half of the core on which it is, or, where it may go to any, as much as each thread.
With a quota the processor time is that of the same threads alone, and the quota is how much of it
passes in each second.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from time import perf_counter, process_time, sleep

import numpy as np

import cygrad as cg

from . import machine
from .conditions import PERIOD, NoControlGroup, busy_process, quota
from .programs import Array
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Training beside a busy process, and with a quota of processor time"
COLUMNS = (
    Column("network", "network", 18),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("condition", "condition", 22),
    Column("milliseconds", "ms", 8, ",.0f"),
    Column("processor", "cpu ms", 8, ",.0f"),
    Column("ratio", "ratio", 6, ".2f"),
    Column("fair", "fair", 6, ".2f"),
)
# Sizes, batch, and steps of a fit of 200 ms or more.
CASES = (
    ((784, 128, 10), 64, 2000),
    ((784, 1024, 1024, 10), 256, 24),
)
ROWS = 4096  # of the samples
QUOTAS = (0.5, 1.0)
ALONE, PINNED, ANYWHERE = "alone", "busy, on one core", "busy, on any core"

Times = tuple[float, float]  # of the clock and of the processors, in seconds


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 2 if settings.quick else 5
    thread_counts = sorted({1, machine.cores()})
    conditions = [ALONE, PINNED, ANYWHERE, *(f"quota of {share:g}" for share in QUOTAS)]
    notes = []
    try:
        with quota(1):
            pass
    except NoControlGroup as error:
        notes = [str(error)]
        conditions = conditions[:3]
    for sizes, batch, steps in CASES:
        X, y = _samples(sizes, batch)
        epochs = max(1, batch * (steps // 5 if settings.quick else steps) // len(X))
        found: dict[tuple[int, str], list[Times]] = {}
        results = set()
        for _ in range(rounds):
            for condition in conditions:
                with _under(condition):
                    for threads in thread_counts:
                        trainer = _trainer(sizes, batch, settings.dtype, threads)
                        times = _fit(trainer, X, y, epochs)
                        found.setdefault((threads, condition), []).append(times)
                        results.add(trainer.net.parameters.tobytes())
        if len(results) > 1:
            raise WrongResult(f"{sizes}: the parameters depend on threads or conditions")
        for threads in thread_counts:
            alone = _medians(found[threads, ALONE])
            for condition in conditions:
                clock, processor = _medians(found[threads, condition])
                yield {
                    "network": "-".join(map(str, sizes)),
                    "batch": batch,
                    "threads": threads,
                    "condition": condition,
                    "milliseconds": 1e3 * clock,
                    "processor": 1e3 * processor,
                    "ratio": clock / alone[0],
                    "fair": _fair(condition, threads, alone),
                    "notes": notes,
                }
                notes = []


def _fair(condition: str, threads: int, alone: Times) -> float:
    if condition.startswith("quota"):
        share = float(condition.rpartition(" ")[2])
        return max(1.0, alone[1] / (share * alone[0]))
    if condition == ALONE or threads < machine.cores():
        return 1.0
    return threads / (threads - 0.5) if condition == PINNED else (threads + 1) / threads


@contextmanager
def _under(condition: str) -> Iterator[None]:
    with ExitStack() as stack:
        if condition.startswith("quota"):
            group = stack.enter_context(quota(float(condition.rpartition(" ")[2])))
            group.add(os.getpid())
            sleep(PERIOD / 1e6)  # what was left of the quota's first period is over
        elif condition != ALONE:
            core = max(os.sched_getaffinity(0)) if condition == PINNED else None
            stack.enter_context(busy_process(core))
        yield


def _samples(sizes: tuple[int, ...], batch: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    count = ROWS // batch * batch
    X = rng.standard_normal((count, sizes[0]), np.float32)
    return X, rng.integers(0, sizes[-1], count)


def _trainer(sizes: tuple[int, ...], batch: int, dtype: str, threads: int) -> cg.Trainer:
    layers = [*(cg.Dense(units, "relu") for units in sizes[1:-1]), cg.Dense(sizes[-1], "softmax")]
    net = cg.Network(sizes[0], layers, loss="cross_entropy", dtype=dtype, rng=0)
    return cg.Trainer(net, cg.Adam(1e-4), batch, rng=0, threads=threads)


def _fit(trainer: cg.Trainer, X: Array, y: Array, epochs: int) -> Times:
    begin, used = perf_counter(), process_time()
    trainer.fit(X, y, epochs)
    return perf_counter() - begin, process_time() - used


def _medians(times: list[Times]) -> Times:
    return median(clock for clock, _ in times), median(processor for _, processor in times)
