"""Steps of cygrad on shapes that the table of `steps` lacks: the share of the peak must not fall.

Odd layer sizes stand next to multiples of a vector. Wide outputs, single outputs, deep networks,
other activations, small batches and all samples at once follow. Only the operations of the
equations are counted, so that work on padding lowers the share.

With a small batch the time is that of the update's memory traffic: the weights and the states of
the optimiser, each read and written. It is printed next to that of plain passes over as many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

import numpy as np

from . import peak, timing
from .cases import Case, parse_case
from .contest import Contest, Measure, checked_contest
from .programs import PEERS, Program, installed
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings

TITLE = "Training step of cygrad on odd, wide, deep, small and large shapes"
COLUMNS = (
    Column("network", "network", 22),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("microseconds", "µs", 10, ",.2f"),
    Column("gflops", "GFLOP/s", 7, ".1f"),
    Column("share", "share", 5, ".1%"),
    Column("of round", "of round", 8, ".0%"),
    Column("traffic", "GB/s", 5, ".1f"),
    Column("passes", "passes", 6, ".1f"),
    Column("PyTorch ratio", "PyTorch", 7, ".2f"),
    Column("JAX ratio", "JAX", 6, ".2f"),
)
PAIRS = (  # odd, round
    ("20-50-50-3@16", "16-48-48-4@16"),
    ("300-100-7@50", "304-96-8@48"),
    ("13-77-1@1", "16-80-1@1"),
)
SHAPES = (
    "64-32-10000@64",
    "64-64-1000@64",
    "100-50-1@512",
    "17-256-256-6@256:regression",
    "784-128-10@64:tanh",
    "784-30-10@10:sigmoid",
    "32x20-1@32",
)
SMALL_BATCHES = ("256-256-256-1@4", "784-1024-1024-10@1", "12-400-300-1@8")
LARGE_BATCHES = (
    "4-32-16-4@10000:tanh:regression",
    "4-32-16-4@10000:regression",
    "20-100-1@5000",
    "64-64-10@1797",
    "784-128-10@4096",
)
MOST_UPDATES = 2e8  # of parameters in an epoch


def rows(settings: Settings) -> Iterator[Row]:
    for pair in PAIRS:
        odd, even = _timed(pair, settings)
        yield {**odd, "of round": odd["gflops"] / even["gflops"]}
        yield even
    for text in (*SHAPES, *SMALL_BATCHES, *LARGE_BATCHES):
        yield from _timed([text], settings)


def _timed(texts: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Return a row for each network; they are timed in turn."""
    rounds, duration = (3, 0.1) if settings.quick else (9, 0.3)
    measures: dict[str, Measure] = {
        "peak": partial(peak.fma_peak, settings.threads, settings.dtype)
    }
    cases = {text: _case(text, settings) for text in texts}
    for text, case in cases.items():
        contest = _contest(case, settings)
        for name in contest.contestants:
            measures[f"{text} {name}"] = contest.measure(name, duration)
        if text in SMALL_BATCHES:
            size = _traffic(case, settings.dtype) // 2
            measures[f"{text} passes"] = partial(peak.bandwidth, settings.threads, size)
    medians = timing.alternate(measures, rounds, settings.threads)
    return [_row(text, case, medians, settings) for text, case in cases.items()]


def _case(text: str, settings: Settings) -> Case:
    case = replace(parse_case(text), optimizer=settings.optimizer)
    case = case.shortened(ceil(case.parameters * case.steps / MOST_UPDATES))
    return case.shortened(4) if settings.quick else case


def _contest(case: Case, settings: Settings) -> Contest:
    peers: dict[str, type[Program]] = {}
    if settings.peers:
        ratios = {column.key for column in COLUMNS}
        peers = {name: it for name, it in installed(PEERS).items() if f"{name} ratio" in ratios}
    contest = checked_contest(case, settings.dtype, settings.threads, peers)
    if peers:
        contest.choose_threads()
    return contest


def _traffic(case: Case, dtype: str) -> int:
    """Return the bytes that an update reads and writes: the parameters and each state of them."""
    arrays = 3 if case.optimizer == "adam" else 2
    return 2 * arrays * case.parameters * np.dtype(dtype).itemsize


def _row(text: str, case: Case, medians: dict[str, float], settings: Settings) -> dict[str, Any]:
    prefix = f"{text} "
    own = {
        key.removeprefix(prefix): value for key, value in medians.items() if key.startswith(prefix)
    }
    passes = own.pop("passes", None)
    step = own.pop(CygradProgram.name)
    gflops = case.flops / step / 1e9
    return {
        "network": case.title,
        "batch": case.batch,
        "threads": settings.threads,
        "microseconds": 1e6 * step,
        "gflops": gflops,
        "peak": medians["peak"],
        "share": gflops / medians["peak"],
        "of round": None,
        "traffic": _traffic(case, settings.dtype) / step / 1e9 if passes else None,
        "passes": passes,
        **{f"{name} ratio": seconds / step for name, seconds in own.items()},
    }
