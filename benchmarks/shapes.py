"""Odd layer sizes next to multiples of a vector: the share of the peak must not fall.

Only the operations of the equations are counted, so that work on padding lowers the share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from . import peak, timing
from .cases import parse_case
from .contest import Measure, checked_contest
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings

TITLE = "Training step of cygrad on odd shapes and their round neighbours"
COLUMNS = (
    Column("network", "network", 15),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("microseconds", "µs", 9, ",.2f"),
    Column("gflops", "GFLOP/s", 7, ".1f"),
    Column("share", "share", 5, ".1%"),
    Column("of round", "of round", 8, ".0%"),
)
PAIRS = (  # odd, round
    ("20-50-50-3@16", "16-48-48-4@16"),
    ("300-100-7@50", "304-96-8@48"),
    ("13-77-1@1", "16-80-1@1"),
)


def rows(settings: Settings) -> Iterator[Row]:
    rounds, duration = (3, 0.1) if settings.quick else (9, 0.3)
    for pair in PAIRS:
        cases = {text: replace(parse_case(text), optimizer=settings.optimizer) for text in pair}
        measure_peak = partial(peak.fma_peak, settings.threads, settings.dtype)
        measures: dict[str, Measure] = {"peak": measure_peak}
        for text, case in cases.items():
            contest = checked_contest(case, settings.dtype, settings.threads)
            measures[text] = contest.measure(CygradProgram.name, duration)
        medians = timing.alternate(measures, rounds, settings.threads)
        gflops = {text: case.flops / medians[text] / 1e9 for text, case in cases.items()}
        odd, even = gflops.values()
        for text, case in cases.items():
            yield {
                "network": case.network,
                "batch": case.batch,
                "threads": settings.threads,
                "microseconds": 1e6 * medians[text],
                "gflops": gflops[text],
                "peak": medians["peak"],
                "share": gflops[text] / medians["peak"],
                "of round": odd / even if text == pair[0] else None,
            }
