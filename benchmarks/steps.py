"""Time of one training step: cygrad next to its peers, and to the peak of the processor.

Every program trains the same network from the same parameters over the same data. First a few
steps in the same order must lead to the same parameters; then whole epochs of shuffled batches are
timed, the programs in turn, as a user would run them: set-up of a fit, shuffling, gathering and
the loss of the epoch included.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cygrad._engine import kernels

from . import agreement, timing
from .cases import Case
from .programs import Parameters, Program, initial_parameters, programs, training_data
from .programs.tuned_numpy import TunedNumpy
from .report import Column, Row
from .settings import Settings

TITLE = "Training step (forward, backward, Adam): µs, and times slower than cygrad"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("cygrad", "cygrad", 9, ",.1f"),
    Column("NumPy", "NumPy", 9, ",.1f"),
    Column("NumPy ratio", "ratio", 5, ".2f"),
    Column("plain NumPy", "plain", 9, ",.1f"),
    Column("plain NumPy ratio", "ratio", 5, ".2f"),
    Column("gflops", "GFLOP/s", 7, ".1f"),
    Column("peak", "peak", 6, ".1f"),
    Column("share", "share", 5, ".0%"),
)

CHECKED_BATCHES, CHECKED_EPOCHS = 4, 2


def rows(settings: Settings) -> Iterator[Row]:
    rounds, duration = (3, 0.5) if settings.quick else (5, 2.0)
    for whole in settings.cases:
        case = whole.shortened(4) if settings.quick else whole
        contestants = {name: program(case, settings.dtype) for name, program in programs().items()}
        start = initial_parameters(case, settings.dtype)
        distance = check(case, settings.dtype, contestants, start)
        yield {
            "network": case.network,
            "batch": case.batch,
            "steps": case.steps,
            "distance": distance,
            **_times(case, settings.dtype, contestants, start, rounds, duration),
        }


def check(
    case: Case, dtype: str, contestants: dict[str, Program], start: Parameters
) -> dict[str, float]:
    """Train all over the same order of batches; the distance of each from NumPy's parameters."""
    X, y = training_data(case, dtype)
    batches = min(CHECKED_BATCHES, case.steps)
    X, y = X[: batches * case.batch], y[: batches * case.batch]
    trained = {}
    for name, program in contestants.items():
        program.start(start)
        losses = program.fit(X, y, CHECKED_EPOCHS, shuffle=False)
        trained[name] = program.parameters(), losses
    expected, expected_losses = trained.pop(TunedNumpy.name)
    return {
        name: agreement.check_training(
            f"{case.network}, {name} against {TunedNumpy.name}",
            start,
            expected,
            actual,
            (expected_losses, losses),
            batches * CHECKED_EPOCHS,
        )
        for name, (actual, losses) in trained.items()
    }


def _times(
    case: Case,
    dtype: str,
    contestants: dict[str, Program],
    start: Parameters,
    rounds: int,
    duration: float,
) -> dict[str, float]:
    X, y = training_data(case, dtype)

    def measure(program: Program, epochs: int) -> float:
        program.start(start)  # every round does the same work
        return timing.seconds(lambda: program.fit(X, y, epochs)) / (epochs * case.steps)

    round_of_one = sum(measure(program, 1) for program in contestants.values()) * case.steps
    epochs = max(1, round(duration / round_of_one))
    measures = {name: partial(measure, program, epochs) for name, program in contestants.items()}
    taken = timing.alternate({**measures, "peak": partial(kernels.fma_peak, 0.05, dtype)}, rounds)
    peak = taken.pop("peak")
    gflops = case.flops / taken["cygrad"] / 1e9
    return {
        **{name: 1e6 * seconds for name, seconds in taken.items()},
        **{f"{name} ratio": seconds / taken["cygrad"] for name, seconds in taken.items()},
        "gflops": gflops,
        "peak": peak,
        "share": gflops / peak,
    }
