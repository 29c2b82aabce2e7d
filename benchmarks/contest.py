"""Train the same network by several programs: check that all agree, then time them.

Every program starts from the same parameters and gets the same data. A few steps and then a whole
epoch, in the same order of samples, must give the same parameters and losses. Then whole epochs of
shuffled batches are timed, the programs in turn, as a user would run them: the time includes the
set-up of a fit, shuffling, gathering and the loss of the epoch. A single batch of all samples is
not shuffled.
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
MOST_EPOCHS, MOST_STEPS = 32, 512  # in one measure, the larger: the network must not overfit
FEWER_THREADS = 1

Measure = Callable[[], float]


class Contest:
    """One case in one dtype, with the programs that take part.

    `contestants` maps names to programs that are ready; `left_out` has the errors of the others.
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
        """Train all on the same order of batches; return their distances from NumPy's parameters.

        Tuned NumPy must be among the contestants. Programs that are not exact must agree as in
        single precision; for their losses only that of their final parameters is compared.
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
                label,
                epoch_losses[TunedNumpy.name][: len(epoch_losses[name])],
                epoch_losses[name],
                len(self.initial),
            )
        return distances

    def choose_threads(self) -> dict[str, int]:
        """Set every program with adjustable threads to one thread, if it is faster with one."""
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
        """Return a function that measures seconds per step, over epochs that fill `duration`."""
        program = self.contestants[name]
        one = self._run(program, 1) * self.case.steps
        most = max(MOST_EPOCHS, MOST_STEPS // self.case.steps)
        epochs = min(most, max(1, round(duration / one)))
        return partial(self._run, program, epochs)

    def _run(self, program: Program, epochs: int) -> float:
        program.start(self.initial)  # every round does the same work
        shuffle = self.case.shuffled
        seconds = timing.seconds(lambda: program.fit(self.X, self.y, epochs, shuffle=shuffle))
        return seconds / (epochs * self.case.steps)

    def _trained(
        self, program: Program, rows: int, epochs: int
    ) -> tuple[Parameters, Sequence[float]]:
        program.start(self.initial)
        losses = program.fit(self.X[:rows], self.y[:rows], epochs, shuffle=False)
        return program.parameters(), losses if program.exact else []

    def _loss(self, evaluator: PlainNumpy) -> float:
        """Return the mean loss over all samples, for the evaluator's parameters."""
        outputs = evaluator.forward(self.X).astype(np.float64)
        if self.case.classification:
            return float(-np.log(outputs[np.arange(len(outputs)), self.y]).mean())
        return float(((outputs - self.y) ** 2).mean())

    def _check_cores(self, name: str, program: Program) -> None:
        """Check that the program uses no more than its threads; waiting threads count as unused."""
        one = self._run(program, 1) * self.case.steps
        epochs = max(1, round(0.2 / one))  # long enough for the system's count of processor time
        program.start(self.initial)
        timing.wait_until_idle(self.threads)
        shuffle = self.case.shuffled
        used = timing.busy_cores(lambda: program.fit(self.X, self.y, epochs, shuffle=shuffle))
        if used > self.threads + 0.25:
            raise WrongResult(
                f"{self.case.network}, {name}: kept {used:.2f} cores busy, "
                f"expected at most {self.threads}"
            )


def checked_contest(
    case: Case, dtype: str, threads: int, peers: Mapping[str, type[Program]] | None = None
) -> Contest:
    """Return a contest of cygrad and `peers`, after a check of all against tuned NumPy."""
    programs: dict[str, type[Program]] = {
        program.name: program for program in (CygradProgram, TunedNumpy)
    }
    programs |= peers or {}
    contest = Contest(case, dtype, threads, programs)
    contest.check()
    del contest.contestants[TunedNumpy.name]
    return contest
