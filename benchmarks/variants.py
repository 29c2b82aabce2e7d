"""Time of one training step of cygrad alone, in both dtypes and with both optimisers, in turn.

Compared with single precision and Adam, double precision should take twice as long, and SGD with
momentum no longer than Adam.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from . import peak, timing
from .cases import OPTIMIZERS
from .contest import Measure, checked_contest
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings

TITLE = "Training step of cygrad by dtype and optimiser: µs"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("float32 adam", "f32 Adam", 10, ",.1f"),
    Column("float32 share", "share", 5, ".0%"),
    Column("float32 sgd", "f32 SGD", 10, ",.1f"),
    Column("float32 sgd ratio", "/Adam", 5, ".2f"),
    Column("float64 adam", "f64 Adam", 10, ",.1f"),
    Column("float64 share", "share", 5, ".0%"),
    Column("float64 ratio", "/f32", 5, ".2f"),
    Column("float64 sgd", "f64 SGD", 10, ",.1f"),
    Column("float64 sgd ratio", "/Adam", 5, ".2f"),
)
DTYPES = ("float32", "float64")


def rows(settings: Settings) -> Iterator[Row]:
    rounds, duration = (3, 0.1) if settings.quick else (7, 0.5)
    for full_case in settings.cases:
        case = full_case.shortened(4) if settings.quick else full_case
        measures: dict[str, Measure] = {
            f"{dtype} peak": partial(peak.fma_peak, settings.threads, dtype) for dtype in DTYPES
        }
        for dtype in DTYPES:
            for optimizer in OPTIMIZERS:
                contest = checked_contest(
                    replace(case, optimizer=optimizer), dtype, settings.threads
                )
                measures[f"{dtype} {optimizer}"] = contest.measure(CygradProgram.name, duration)
        medians = timing.alternate(measures, rounds, settings.threads)
        row: dict[str, object] = {
            "network": case.title,
            "batch": case.batch,
            "threads": settings.threads,
            "float64 ratio": medians["float64 adam"] / medians["float32 adam"],
        }
        for dtype in DTYPES:
            adam, sgd = medians[f"{dtype} adam"], medians[f"{dtype} sgd"]
            row |= {
                f"{dtype} adam": 1e6 * adam,
                f"{dtype} sgd": 1e6 * sgd,
                f"{dtype} sgd ratio": sgd / adam,
                f"{dtype} share": case.flops / adam / 1e9 / medians[f"{dtype} peak"],
            }
        yield row
