"""Training the same network by several programs: the check that all do the same, and their times.

Every program starts from the same parameters and gets the same data. First a few steps and then a
whole epoch in the same order must lead to the same parameters and losses. Then whole epochs of
shuffled batches are timed, the programs in turn, as a user would run them: set-up of a fit,
shuffling, gathering and the loss of the epoch included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from . import agreement, timing
from .cases import Case
from .programs import Parameters, Program, Unavailable, initial_parameters, training_data
from .programs.cygrad_program import CygradProgram
from .programs.plain_numpy import PlainNumpy
from .programs.tuned_numpy import TunedNumpy
from .settings import WrongResult

CHECKED_BATCHES, CHECKED_EPOCHS = 4, 2
MOST_EPOCHS = 32  # in one measure: the data must not be learnt by heart
FEWER_THREADS = 1

Measure = Callable[[], float]


class Contest:
    """One case in one dtype, with the programs that take part.

    `contestants` maps names to programs that are ready; `left_out` has the reasons of the others.
    """

    def __init__(
        self, case: Case, dtype: str, threads: int, programs: Mapping[str, type[Program]]
    ) -> None:
        self.case = case
        self.dtype = dtype
        self.threads = threads
        self.X, self.y = training_data(case, dtype)
        self.initial = initial_parameters(case, dtype)
        self.contestants: dict[str, Program] = {}
        self.left_out: list[str] = []
        for name, program in programs.items():
            try:
                self.contestants[name] = program(case, dtype, threads)
            except Unavailable as error:
                self.left_out.append(str(error))

    def check(self) -> dict[str, float]:
        """Train all over the same order of batches; the distance of each from NumPy's parameters.

        Tuned NumPy must be among the contestants. Those that are not exact must agree as in single
        precision, and of their losses that counts which their parameters have.
        """
        evaluator = PlainNumpy(self.case, self.dtype, self.threads)
        rows = min(CHECKED_BATCHES, self.case.steps) * self.case.batch
        after_steps = {
            name: self._trained(program, rows, CHECKED_EPOCHS)
            for name, program in self.contestants.items()
        }
        epoch_losses = {}
        for name, program in self.contestants.items():
            parameters, losses = self._trained(program, self.case.samples, 1)
            evaluator.start(parameters)
            epoch_losses[name] = [self._loss(evaluator), *losses]
        expected, expected_losses = after_steps.pop(TunedNumpy.name)
        distances = {}
        for name, (actual, losses) in after_steps.items():
            label = f"{self.case.network}, {name} against {TunedNumpy.name}"
            distances[name] = agreement.check_training(
                label,
                self.case,
                self.initial,
                expected,
                actual,
                (expected_losses[: len(losses)], losses),
                CHECKED_EPOCHS * rows // self.case.batch,
                float(np.finfo(self.dtype if self.contestants[name].exact else np.float32).eps),
            )
            agreement.check_losses(
                label, epoch_losses[TunedNumpy.name][: len(epoch_losses[name])], epoch_losses[name]
            )
        return distances

    def choose_threads(self) -> dict[str, int]:
        """Let every program that can be told its threads have one, if it is faster so."""
        for name, program in self.contestants.items():
            if program.adjustable and self.threads > FEWER_THREADS:
                times = {}
                for threads in FEWER_THREADS, self.threads:
                    program.threads = threads
                    self._run(program, 1)  # PyTorch compiles anew
                    timing.wait_until_idle(self.threads)
                    times[threads] = min(self._run(program, 1) for _ in range(3))
                program.threads = min(times, key=lambda threads: times[threads])
            self._check_cores(name, program)
        return {name: program.threads for name, program in self.contestants.items()}

    def measure(self, name: str, duration: float) -> Measure:
        """A measure of a contestant's seconds per step, over epochs that fill `duration`."""
        program = self.contestants[name]
        one = self._run(program, 1) * self.case.steps
        epochs = min(MOST_EPOCHS, max(1, round(duration / one)))
        return partial(self._run, program, epochs)

    def _run(self, program: Program, epochs: int) -> float:
        program.start(self.initial)  # every round does the same work
        seconds = timing.seconds(lambda: program.fit(self.X, self.y, epochs))
        return seconds / (epochs * self.case.steps)

    def _trained(
        self, program: Program, rows: int, epochs: int
    ) -> tuple[Parameters, Sequence[float]]:
        program.start(self.initial)
        losses = program.fit(self.X[:rows], self.y[:rows], epochs, shuffle=False)
        return program.parameters(), losses if program.exact else []

    def _loss(self, evaluator: PlainNumpy) -> float:
        """Mean loss of the evaluator's parameters over all samples."""
        outputs = evaluator.forward(self.X).astype(np.float64)
        if self.case.classification:
            return float(-np.log(outputs[np.arange(len(outputs)), self.y]).mean())
        return float(((outputs - self.y) ** 2).mean())

    def _check_cores(self, name: str, program: Program) -> None:
        """That the program keeps to its threads; they may wait, so that fewer is right."""
        one = self._run(program, 1) * self.case.steps
        epochs = max(1, round(0.2 / one))  # long enough for the system's count of processor time
        program.start(self.initial)
        timing.wait_until_idle(self.threads)
        used = timing.busy_cores(lambda: program.fit(self.X, self.y, epochs))
        if used > self.threads + 0.25:
            raise WrongResult(
                f"{self.case.network}, {name}: kept {used:.2f} cores busy, "
                f"expected at most {self.threads}"
            )


def checked_contest(case: Case, dtype: str, threads: int) -> Contest:
    """cygrad alone, after its results were held against those of tuned NumPy."""
    programs = {program.name: program for program in (CygradProgram, TunedNumpy)}
    contest = Contest(case, dtype, threads, programs)
    contest.check()
    del contest.contestants[TunedNumpy.name]
    return contest
