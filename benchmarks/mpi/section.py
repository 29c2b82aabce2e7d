"""A training step on several MPI ranks of one thread: measured here, predicted for a cluster.

First all programs are checked: exact mode must have the bits of `Trainer`, all-reduce the same bits
on all ranks, and both it and PyTorch's DistributedDataParallel the same parameters up to rounding.
Then they take turns on whole epochs: one rank, two and four in both modes, PyTorch, and again, so
that a disturbance meets all of them. Times are medians over the rounds, with the least one next to
them; speed-ups and ratios are medians over the rounds, where one rank has the mean of its times
before and after. More ranks than cores are there for the check of the model alone. `share` is the
part of the peak of fused multiply-adds of the cores that the ranks have.

The rows below, without measured times, have the model's prediction for ranks that are each one
thread of a processor as this one, on a network of `LATENCY` and `BANDWIDTH`; `model` describes it.
It has the least times that were measured here. In all rows, efficiency is the model's time of one
rank, divided by the number of ranks and by their time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from cygrad.distributed.ring import BLOCK_BYTES

from .. import machine, peak
from ..cases import Case, parse_case
from ..report import Column, Row
from ..settings import Settings
from . import model, turns
from .turns import Program

TITLE = "MPI: milliseconds per step on ranks of one thread, exact and by all-reduce"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("ranks", "ranks", 5),
    Column("exact", "exact", 8, ",.2f"),
    Column("exact least", "least", 8, ",.2f"),
    Column("exact speed-up", "speed-up", 8, ".2f"),
    Column("all-reduce", "allreduce", 9, ",.2f"),
    Column("all-reduce least", "least", 8, ",.2f"),
    Column("all-reduce speed-up", "speed-up", 8, ".2f"),
    Column("ratio", "exact/all", 9, ".2f"),
    Column("DDP", "PyTorch", 8, ",.2f"),
    Column("DDP ratio", "ratio", 5, ".2f"),
    Column("exact model", "model", 9, ",.2f"),
    Column("exact efficiency", "eff.", 5, ".0%"),
    Column("all-reduce model", "model all", 9, ",.2f"),
    Column("all-reduce efficiency", "eff.", 5, ".0%"),
    Column("share", "share", 5, ".0%"),
)
# Network, samples, and epochs of a measure.
NETWORKS = (
    ("784-256-10@128", 6400, 6),
    ("784-1024-1024-10@256", 5120, 3),
    ("2048-2048-2048-2048-10@256", 2048, 2),
)
MEASURED, PREDICTED = (2, 4), (8, 16, 32, 64, 128, 256)
LARGE_BATCH = 8192
LATENCY, BANDWIDTH = 2e-6, 12.5e9  # of the cluster's network: 100 Gbit/s
SMALL, LARGE = 8, BLOCK_BYTES  # messages to measure
PASS_ROUNDS = 3  # of those where passes are timed too
EXACT, ALL_REDUCE, DDP = "exact", "all-reduce", "DDP"

Times = dict[tuple[int, str], list[float]]  # by ranks and mode, one of each round


def rows(settings: Settings) -> Iterator[Row]:
    reason = unavailable()
    if reason is not None:
        print(f"mpi: left out, {reason}", file=sys.stderr)
        return
    peers = settings.peers and find_spec("torch") is not None
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        programs = {count: turns.ranks(count) for count in (1, *MEASURED)}
        if peers:
            programs[0] = turns.ddp(2, folder)
        for program in programs.values():
            stack.callback(program.close)
        for text, samples, epochs in NETWORKS:
            yield from _network(text, samples, epochs, programs, settings)


def unavailable() -> str | None:
    """Return the reason why no rank can be started here."""
    if find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return None if turns.mpiexec() else "there is no mpiexec"


def _network(
    text: str, samples: int, epochs: int, programs: dict[int, Program], settings: Settings
) -> Iterator[Row]:
    case = replace(parse_case(text), samples=samples, optimizer="adam")
    for count, program in programs.items():
        _report(f"{text}: check of {program.name}")
        program.ask("use", network=text, samples=samples, dtype=settings.dtype)
        if count == 1:
            program.ask("fit", mode=EXACT, epochs=1)
    rounds = 2 if settings.quick else 5
    times, work = _measure(case, epochs, programs, rounds, settings.dtype)
    here = _here(programs[2])
    cluster = replace(here, latency=LATENCY, bandwidth=BANDWIDTH, copies=False)
    cores = machine.cores()
    for count in (1, *MEASURED):
        used = min(count, cores)
        row = _row(work, count, here, cores)
        least = min(times[count, EXACT])
        share = case.flops / least / peak.fma_peak(used, settings.dtype) / 1e9
        yield (
            row
            | _measured(times, count, settings.peers)
            | {"share": share}
            | _notes(work, here, count, cores)
        )
    for batch in (case.batch, LARGE_BATCH):
        large = replace(work, case=replace(case, batch=batch))
        for count in PREDICTED:
            yield _row(large, count, cluster, None)


def _measure(
    case: Case, epochs: int, programs: dict[int, Program], rounds: int, dtype: str
) -> tuple[Times, model.Work]:
    """Let all programs take turns; return the times of each round, and the work of one rank."""
    one = programs[1]
    measures = {
        (count, mode): partial(programs[count].ask, "fit", mode=mode, epochs=epochs)
        for count in MEASURED
        for mode in (EXACT, ALL_REDUCE)
    }
    if 0 in programs:
        measures[2, DDP] = partial(programs[0].ask, "fit", mode=DDP, epochs=epochs)
    single = partial(one.ask, "fit", mode=EXACT, epochs=epochs)
    times: Times = {key: [] for key in measures}
    times[1, EXACT] = [single()]
    batch = case.batch
    rows_of_pass = sorted({1, batch // 64, batch // 16, batch // 4, batch // 2, batch} - {0})
    passes: dict[tuple[int, int], list[float]] = {}
    for number in range(rounds):
        _report(f"{case.network}: round {number + 1} of {rounds}")
        for key, measure in measures.items():
            times[key].append(measure())
        times[1, EXACT].append(single())
        for each in rows_of_pass if number < PASS_ROUNDS else ():
            for count in (1, 2) if each == 1 else (1,):
                seconds = one.ask("passes", rows=each, count=count)
                passes.setdefault((each, count), []).append(seconds)
    least = {key: min(part) for key, part in passes.items()}
    return times, _work(case, dtype, min(times[1, EXACT]), least)


def _work(case: Case, dtype: str, whole: float, least: dict[tuple[int, int], float]) -> model.Work:
    """Return the work of one rank, by the times of steps of some rows, in one pass or in two.

    A step of two passes less one of one pass is a pass without the update. A pass of all rows and
    the update are `whole`. Disturbed times could fall where rows increase: that is cut off.
    """
    known = sorted(rows for rows, count in least if count == 1)
    update = min(max(0.0, 2 * least[known[0], 1] - least[known[0], 2]), least[known[0], 1] / 2)
    passes = np.maximum.accumulate([least[rows, 1] - update for rows in known])
    passes *= (whole - update) / passes[-1]
    return model.Work(case, dtype, dict(zip(known, passes.tolist(), strict=True)), update)


def _here(two: Program) -> model.Network:
    """Measure the messages between two ranks of this machine, and the addition of sums."""
    small, large = (two.ask("ping", size=size) for size in (SMALL, LARGE))
    bandwidth = (LARGE - SMALL) / max(large - small, 1e-9)
    sums = np.ones((2, LARGE // 4), np.float32)
    adding = []
    for _ in range(20):
        begin = perf_counter()
        sums[0] += sums[1]
        adding.append(perf_counter() - begin)
    return model.Network(small, 0.0, bandwidth, LARGE / median(adding), copies=True)


def _row(
    work: model.Work, count: int, network: model.Network, cores: int | None
) -> dict[str, object]:
    row: dict[str, object] = {
        "network": work.case.network,
        "batch": work.case.batch,
        "ranks": count,
    }
    row |= {column.key: None for column in COLUMNS if column.key not in row}
    of_exact = network.shared if network.copies else network
    for name, predict, on in (
        (EXACT, model.exact, of_exact),
        (ALL_REDUCE, model.all_reduce, network),
    ):
        alone, seconds = predict(work, 1, on), predict(work, count, on, cores)
        row[f"{name} model"] = 1e3 * seconds
        row[f"{name} efficiency"] = alone / (count * seconds)
    return row


def _measured(times: Times, count: int, peers: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    pairs = zip(times[1, EXACT], times[1, EXACT][1:], strict=False)
    alone = [(before + after) / 2 for before, after in pairs]
    for mode in (EXACT, ALL_REDUCE, DDP):
        part = times.get((count, mode))
        if part is None:
            continue
        found[mode] = 1e3 * median(part)
        found[f"{mode} least"] = 1e3 * min(part)
        if count > 1:
            found[f"{mode} speed-up"] = _median_ratio(alone, part)
    if count > 1:
        found["ratio"] = _median_ratio(times[count, EXACT], times[count, ALL_REDUCE])
        if (count, DDP) in times:
            found["DDP ratio"] = _median_ratio(times[count, DDP], times[count, EXACT])
    return found


def _median_ratio(numerators: list[float], denominators: list[float]) -> float:
    return median(a / b for a, b in zip(numerators, denominators, strict=True))


def _notes(work: model.Work, here: model.Network, count: int, cores: int) -> dict[str, object]:
    if count == 1:
        passes = ", ".join(f"{1e3 * each:.2f} of {rows}" for rows, each in work.passes.items())
        return {
            "notes": [
                f"a pass takes {passes} rows, an update {1e3 * work.update:.2f} ms; a message "
                f"{1e6 * here.call:.1f} µs and {here.bandwidth / 1e9:.1f} GB/s here",
                f"the cluster's network: the same, and {1e6 * LATENCY:.0f} µs and "
                f"{BANDWIDTH / 1e9:.1f} GB/s",
            ]
        }
    if count > cores:
        return {"notes": [f"more ranks than the {cores} cores, for the check of the model alone"]}
    return {}


def _report(text: str) -> None:
    print(f"mpi: {text}", file=sys.stderr, flush=True)
