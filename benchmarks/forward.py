"""Latency of ``net.forward`` on a single row, next to the tuned NumPy program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import agreement, timing
from .cases import parse_case
from .programs import initial_parameters, training_data
from .programs.cygrad_program import CygradProgram
from .programs.tuned_numpy import TunedNumpy
from .report import Column, Row
from .settings import Settings

TITLE = "Forward pass of one row: µs per call"
COLUMNS = (
    Column("network", "network", 23),
    Column("cygrad", "cygrad", 9, ".2f"),
    Column("NumPy", "NumPy", 9, ".2f"),
    Column("ratio", "ratio", 5, ".2f"),
)
NETWORKS = ("8-32-32-1", "64-64-10", "784-128-10")


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 5 if settings.quick else 25
    for network in NETWORKS:
        case = replace(parse_case(network), batch=1, samples=1)
        x, _ = training_data(case, settings.dtype)
        measures = {}
        outputs = {}
        for program in CygradProgram, TunedNumpy:
            contestant = program(case, settings.dtype, settings.threads)
            contestant.start(initial_parameters(case, settings.dtype))
            outputs[program.name] = contestant.forward(x).copy()
            measures[program.name] = timing.per_call(contestant.forward, x)
        agreement.check_outputs(network, outputs["NumPy"], outputs["cygrad"], max(case.sizes))
        medians = timing.alternate(measures, rounds)
        yield {
            "network": network,
            **{name: 1e6 * seconds for name, seconds in medians.items()},
            "ratio": medians["NumPy"] / medians["cygrad"],
        }
