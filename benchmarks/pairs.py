"""This build of cygrad next to another, pair by pair: the ratio of their times, with its quartiles.

Each build has a process of its own, with the same network and data. The two take turns (A B, B A,
…) and each turn of one is divided by the turn of the other next to it, so that a machine that slows
down slows both. Several pairs of processes follow each other, because the places of code and data
in memory change with each. Both must return the same bits, or there is no ratio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median, quantiles

from . import timing
from .builds import PRESENT, Build
from .cases import Case
from .report import Column, Row
from .settings import Settings

TITLE = "This build next to another: µs, and the ratio of the times (below 1: this one is faster)"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("isa", "isa", 8),
    Column("call", "call", 11),
    Column("this", "this, µs", 11, ",.2f"),
    Column("other", "other, µs", 11, ",.2f"),
    Column("ratio", "ratio", 6, ".3f"),
    Column("lower", "25 %", 6, ".3f"),
    Column("upper", "75 %", 6, ".3f"),
    Column("bits", "bits", 6),
)
CALLS = ("step", "forward", "predict_one", "learn_one", "evaluate")
MOST = {"step": 32}  # epochs: the network must not overfit

Turns = dict[str, list[tuple[float, str]]]  # by build: seconds and hash of each turn


def rows(settings: Settings) -> Iterator[Row]:
    for full_case in settings.cases:
        case = full_case.shortened(4) if settings.quick else full_case
        yield from _compared(case, settings)


def _compared(case: Case, settings: Settings) -> Iterator[Row]:
    assert settings.against is not None  # the command line requires it
    folders = {"this": PRESENT, "other": settings.against}
    processes, rounds, duration = (2, 6, 0.02) if settings.quick else (4, 12, 0.05)
    turns: dict[str, Turns] = {}
    counts: dict[str, int] = {}
    for number in range(processes):
        with ExitStack() as stack:
            names = list(folders)[:: -1 if number % 2 else 1]
            builds = {
                name: stack.enter_context(closing(Build(folders[name], case, settings)))
                for name in names
            }
            calls = [
                call
                for call in CALLS
                if all(call in build.greeting["calls"] for build in builds.values())
            ]
            for call in calls:
                counts[call] = counts.get(call) or _count(builds["this"], call, case, duration)
            for call in calls:
                part = turns.setdefault(call, {"this": [], "other": []})
                _take_turns(builds, call, counts[call], rounds, part, settings.threads)
            isas = [builds[name].greeting["isa"] for name in folders]
    for call, part in turns.items():
        yield {
            "network": case.title,
            "batch": case.batch,
            "threads": settings.threads,
            "isa": isas[0] if isas[0] == isas[1] else ", ".join(isas),
            "call": call,
            **_ratios(part),
        }


def _count(build: Build, call: str, case: Case, duration: float) -> int:
    """Return how many epochs or calls fill `duration`."""
    count = 1
    for _ in range(2):  # the first call is slower
        seconds, _ = build.measure(call, count)
        whole = seconds * (case.steps if call == "step" else 1)
        count = max(1, round(duration / whole))
    return min(count, max(MOST.get(call, count), 512 // case.steps))


def _take_turns(
    builds: dict[str, Build], call: str, count: int, rounds: int, turns: Turns, threads: int
) -> None:
    for build in builds.values():
        build.measure(call, count)  # fills the caches
    order = list(builds)
    for _ in range(rounds):
        for name in order:
            timing.wait_until_idle(threads)
            turns[name].append(builds[name].measure(call, count))
        order.reverse()


def _ratios(turns: Turns) -> dict[str, object]:
    """Return the medians of the times, and of the ratios if all results have the same bits."""
    seconds = {name: [turn[0] for turn in part] for name, part in turns.items()}
    row: dict[str, object] = {name: 1e6 * median(part) for name, part in seconds.items()}
    if len({turn[1] for part in turns.values() for turn in part}) > 1:
        note = "the results of the two builds have different bits, so their times have no ratio"
        return row | {"ratio": None, "bits": "DIFFER", "notes": [note]}
    pairs = zip(seconds["this"], seconds["other"], strict=True)
    lower, middle, upper = quantiles([this / other for this, other in pairs], n=4)
    return row | {"ratio": middle, "lower": lower, "upper": upper, "bits": "same"}
