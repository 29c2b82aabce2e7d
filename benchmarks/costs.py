"""Time without each constant of the engine's cost model, relative to the time with it.

The constants, `Costs` in ``_engine/plan.pxd``, decide how many threads share a pass, which
operations they split, and what is prepared for it. Each row has work for which a constant matters,
and sets it to the value that switches it off. The bits must not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

import cygrad as cg
from cygrad._engine import plan

from . import machine, timing
from .cases import Case
from .programs import initial_parameters, training_data
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Constants of the cost model: time without each of them, relative to with it"
COLUMNS = (
    Column("constant", "constant", 20),
    Column("value", "value", 8, ".3g"),
    Column("without", "off", 8, ".2g"),
    Column("work", "work", 34),
    Column("threads", "threads", 7),
    Column("microseconds", "µs", 10, ",.2f"),
    Column("ratio", "without", 7, ".2f"),
)
NEVER = 2**62


@dataclass(frozen=True)
class Trial:
    """A constant, its value that switches it off, and the work for which it matters.

    `call` is "fit", "step", "forward" or "predict_one".
    """

    constant: str
    without: float
    call: str
    case: Case
    threads: int


TRIALS = (
    # Threads share even the smallest operations.
    Trial("barrier", 0, "fit", Case((8, 32, 32, 1), 32, 8192), 2),
    # Numbers that go from one core's cache to another's cost nothing.
    Trial("transfer", 0, "fit", Case((32, 256, 32, 10), 64, 5120), 2),
    # Softmax is never split.
    Trial("softmax", 0, "fit", Case((64, 4096), 256, 2048), 2),
    # The gathering of a large batch is never split.
    Trial("gather", 0, "fit", Case((4096, 64, 10), 256, 2560), 2),
    # A thread is started for a single short step.
    Trial("thread_start", 0, "step", Case((64, 256, 10), 64, 64), 2),
    # Inference starts a thread for less work.
    Trial("inference_share", 1, "forward", Case((64, 64, 10), 256, 256), 2),
    # The GIL is released for the shortest calls.
    Trial("gil_release", 0, "predict_one", Case((8, 32, 32, 1), 1, 1), 1),
    # One shared input of the first layer, gathered by one thread.
    Trial("private_input_bytes", 0, "fit", Case((784, 128, 10), 64, 5120), 2),
    # Samples are not prefetched.
    Trial("prefetch_bytes", NEVER, "fit", Case((784, 128, 10), 64, 5120), 1),
    # A large batch is one block.
    Trial("block_bytes", NEVER, "fit", Case((4, 32, 16, 4), 10_000, 10_000), 1),
    # Blocks are as short as tiles allow.
    Trial("block_rows", 0, "fit", Case((784, 128, 10), 4096, 4096), 1),
    # Threads never compute blocks side by side.
    Trial("turn", NEVER, "fit", Case((64, 64, 10), 1797, 1797), 2),
    # Each panel is a call of its own.
    Trial("whole_operation", 0, "fit", Case((13, 77, 1), 1, 5120), 1),
)


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 5 if settings.quick else 15
    for trial in TRIALS:
        if trial.threads > machine.cores():
            continue
        values = {"with": plan.set_costs()[trial.constant], "without": trial.without}
        works = {name: _Work(trial, value, settings.dtype) for name, value in values.items()}
        _check(trial, *works.values())
        medians = timing.alternate(
            {name: work.measure for name, work in works.items()}, rounds, trial.threads
        )
        yield {
            "constant": trial.constant,
            "value": values["with"],
            "without": trial.without,
            "work": f"{trial.call} of {trial.case.network}, {trial.case.batch} rows",
            "threads": trial.threads,
            "microseconds": 1e6 * medians["with"],
            "ratio": medians["without"] / medians["with"],
        }


class _Work:
    """The work of a trial under one value of its constant."""

    def __init__(self, trial: Trial, value: float, dtype: str) -> None:
        self.costs = {trial.constant: value}
        self.program = CygradProgram(trial.case, dtype, trial.threads)
        self.program.start(initial_parameters(trial.case, dtype))
        self.X, self.y = training_data(trial.case, dtype)
        if trial.call == "fit":
            per_call = trial.case.steps
            work: Callable[[], object] = partial(self.program.fit, self.X, self.y, 1)
        else:
            per_call = 1
            work = self._single_call(trial)
        self.per_call = per_call
        self.work = work
        self.calls = 1
        while (seconds := self._seconds()) < 0.05:
            self.calls *= 1 if seconds == 0 else max(2, round(0.05 / seconds))

    def _single_call(self, trial: Trial) -> Callable[[], object]:
        network: cg.Network = self.program.network
        if trial.call == "step":
            return partial(self.program.trainer.step, self.X, self.y)
        if trial.call == "forward":
            return partial(network.forward, self.X, trial.threads)
        return partial(network.predict_one, self.X[0])

    def measure(self) -> float:
        """Return the seconds of a step, or of a call."""
        return self._seconds() / (self.calls * self.per_call)

    def _seconds(self) -> float:
        before = plan.set_costs(**self.costs)
        try:
            return timing.seconds(lambda: [self.work() for _ in range(self.calls)])
        finally:
            plan.set_costs(**before)

    def result(self) -> np.ndarray:
        before = plan.set_costs(**self.costs)
        try:
            self.program.start(initial_parameters(self.program.case, str(self.X.dtype)))
            self.program.fit(self.X, self.y, 1, shuffle=False)
            return self.program.network.parameters
        finally:
            plan.set_costs(**before)


def _check(trial: Trial, with_constant: _Work, without: _Work) -> None:
    if not np.array_equal(with_constant.result(), without.result()):
        raise WrongResult(f"{trial.constant} changes the parameters of {trial.case.network}")
