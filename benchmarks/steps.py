"""Time of one training step: cygrad next to NumPy and other libraries, and to the peak.

`contest` checks and times the programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from . import peak, timing
from .contest import Contest
from .programs import programs
from .report import Column, Row
from .settings import Settings

TITLE = "Training step (forward, backward, update): µs of cygrad, how many times longer the others"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("threads", "threads", 7),
    Column("cygrad", "cygrad, µs", 10, ",.1f"),
    Column("NumPy ratio", "NumPy", 6, ".2f"),
    Column("plain NumPy ratio", "plain", 6, ".2f"),
    Column("Cython, plain loops ratio", "loops", 6, ".1f"),
    Column("scikit-learn ratio", "sklearn", 7, ".2f"),
    Column("PyTorch ratio", "PyTorch", 7, ".2f"),
    Column("PyTorch compiled ratio", "compiled", 8, ".2f"),
    Column("JAX ratio", "JAX", 6, ".2f"),
    Column("gflops", "GFLOP/s", 7, ".1f"),
    Column("peak", "peak", 6, ".1f"),
    Column("share", "share", 5, ".0%"),
)


def rows(settings: Settings) -> Iterator[Row]:
    rounds, duration = (3, 0.5) if settings.quick else (5, 2.0)
    classes = programs(settings.peers)
    for full_case in settings.cases:
        case = full_case.shortened(4) if settings.quick else full_case
        contest = Contest(case, settings.dtype, settings.threads, classes)
        distance = contest.check()
        threads = contest.choose_threads()
        yield {
            "network": case.title,
            "batch": case.batch,
            "threads": settings.threads,
            "steps": case.steps,
            "distance": distance,
            **dict.fromkeys(f"{name} ratio" for name in classes),  # of those left out
            **_times(contest, rounds, duration),
            "threads of": threads,
            "notes": [*contest.left_out, *_thread_notes(settings.threads, threads)],
        }


def _times(contest: Contest, rounds: int, duration: float) -> dict[str, float]:
    share = duration / len(contest.contestants)
    measures = {name: contest.measure(name, share) for name in contest.contestants}
    measure_peak = partial(peak.fma_peak, contest.threads, contest.dtype)
    medians = timing.alternate({**measures, "peak": measure_peak}, rounds, contest.threads)
    peak_gflops = medians.pop("peak")
    gflops = contest.case.flops / medians["cygrad"] / 1e9
    return {
        **{name: 1e6 * seconds for name, seconds in medians.items()},
        **{f"{name} ratio": seconds / medians["cygrad"] for name, seconds in medians.items()},
        "gflops": gflops,
        "peak": peak_gflops,
        "share": gflops / peak_gflops,
    }


def _thread_notes(threads: int, chosen: dict[str, int]) -> list[str]:
    """Return a note on the programs that were faster with fewer threads."""
    names = [name for name, number in chosen.items() if number < threads]
    return [f"faster on one thread, and timed so: {', '.join(names)}"] if names else []
