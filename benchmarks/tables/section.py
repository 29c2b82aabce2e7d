"""Time of a table with text from the file to the result: whole processes, started anew.

A first prediction, on the command line and in Python, is timed next to ``import numpy``; a training
next to the pipeline that does the same with scikit-learn: reading, one input for each word,
standardised numbers, gaps filled in, an MLP, accuracies of the training and the test part, and the
model in a file. Before any is timed, both must have made the same number of steps, and predict a
second file with the same accuracy, but for what is left to chance.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from operator import truediv
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cygrad as cg

from .. import timing
from ..processes import THREAD_VARIABLES
from ..report import Column, Row
from ..settings import Settings, WrongResult
from . import data

TITLE = "Tables: ms for a whole fresh process, from the file to the result"
COLUMNS = (
    Column("task", "task", 27),
    Column("process", "process", 15),
    Column("milliseconds", "ms", 7, ",.0f"),
    Column("least", "least", 7, ",.0f"),
    Column("ratio", "ratio", 6, ".2f"),
    Column("goal", "goal", 17),
    Column("met", "met", 3),
)
ROWS, FEW_ROWS, NEW_ROWS, MORE_ROWS = 30_000, 3_000, 1_000, 5_000
UNITS, BATCH_SIZE, EPOCHS, TEST_SHARE = 64, 256, 10, 0.2
COLD_ROUNDS, TRAINING_ROUNDS = 21, 7
#: The accuracies of both models over the second file differ by this at most.
TOLERANCE = 0.02
MOST_MILLISECONDS, MOST_RATIO, MORE_MILLISECONDS = 350, 1.6, 150
LEAST_GAIN = 5.0

PIPELINE = str(Path(__file__).with_name("pipeline.py"))
OURS, THEIRS, NUMPY = "cygrad", "scikit-learn", "import numpy"
IN_PYTHON = (
    "import sys, cygrad as cg; net = cg.load(sys.argv[1]); net.predict(cg.tables.read(sys.argv[2]))"
)

Command = Sequence[str]


def rows(settings: Settings) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        programs = Programs(Path(folder), FEW_ROWS if settings.quick else ROWS)
        has_peer = settings.peers and all(map(find_spec, ("pandas", "sklearn")))
        programs.check(has_peer)
        yield from _predictions(programs, has_peer, 3 if settings.quick else COLD_ROUNDS)
        yield from _trainings(programs, has_peer, 1 if settings.quick else TRAINING_ROUNDS)


class Programs:
    """The commands over tables in a folder, which it writes."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self._folder = folder
        for name, size, seed in (("data", count, 1), ("new", NEW_ROWS, 2), ("more", MORE_ROWS, 3)):
            data.write(folder / f"{name}.csv", size, seed)

    def train(self, name: str) -> Command:
        """Return the command that trains and saves a model."""
        table, target = self._path("data.csv"), data.TARGET
        if name == THEIRS:
            numbers = [str(number) for number in (UNITS, BATCH_SIZE, EPOCHS, TEST_SHARE)]
            return [PIPELINE, "train", table, self._model(name), target, *numbers]
        options = {
            "target": target,
            "output": self._model(name),
            "hidden": UNITS,
            "batch-size": BATCH_SIZE,
            "epochs": EPOCHS,
            "test-fraction": TEST_SHARE,
        }
        given = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        return ["-m", "cygrad", "train", table, *given, "--quiet", "--json"]

    def predict(self, name: str, table: str = "new") -> Command:
        """Return the command that writes the predictions of a table."""
        path, model = self._path(f"{table}.csv"), self._model(name)
        if name == THEIRS:
            return [PIPELINE, "predict", path, model, data.TARGET, self._output(name, table)]
        return ["-m", "cygrad", "predict", model, path, "--output", self._output(name, table)]

    def predict_in_python(self) -> Command:
        """Return a program that predicts and writes nothing."""
        return ["-c", IN_PYTHON, self._model(OURS), self._path("new.csv")]

    def check(self, has_peer: bool) -> None:
        """Train and predict, and raise `WrongResult` if the programs do not do the same."""
        ours = json.loads(run(self.train(OURS)))
        found = {
            "steps": len(ours["history"]["loss"]) * -(-ours["samples"]["train"] // BATCH_SIZE),
            "accuracy": self._accuracy(OURS),
        }
        expected = EPOCHS * -(-(self.count - round(TEST_SHARE * self.count)) // BATCH_SIZE)
        if found["steps"] != expected:
            raise WrongResult(f"cygrad makes {found['steps']} steps, expected {expected}")
        run(self.predict(OURS))
        net = cg.load(self._model(OURS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of words that few training rows lack
            in_memory = net.predict(cg.tables.read(self._path("new.csv"))).tolist()
        if in_memory != column(self._output(OURS, "new"), "prediction"):
            raise WrongResult("cygrad predict writes other predictions than Network.predict has")
        if not has_peer:
            return
        theirs = json.loads(run(self.train(THEIRS)))
        if theirs["steps"] != expected:
            raise WrongResult(f"scikit-learn makes {theirs['steps']} steps, expected {expected}")
        run(self.predict(THEIRS))
        accuracy = self._accuracy(THEIRS)
        if abs(accuracy - found["accuracy"]) > TOLERANCE:
            raise WrongResult(
                f"accuracies of {found['accuracy']:.3f} and {accuracy:.3f}, expected equal ones"
            )

    def _accuracy(self, name: str) -> float:
        run(self.predict(name, "more"))
        predicted = column(self._output(name, "more"), "prediction")
        expected = column(self._path("more.csv"), data.TARGET)
        return sum(map(str.__eq__, predicted, expected)) / len(expected)

    def _path(self, name: str) -> str:
        return str(self._folder / name)

    def _model(self, name: str) -> str:
        return self._path(f"{name}.npz" if name == OURS else f"{name}.joblib")

    def _output(self, name: str, table: str) -> str:
        return self._path(f"{name}-{table}.csv")


def _predictions(programs: Programs, has_peer: bool, rounds: int) -> Iterator[Row]:
    commands = {
        NUMPY: ["-c", "import numpy"],
        "cygrad predict": programs.predict(OURS),
        "cygrad in Python": programs.predict_in_python(),
    }
    if has_peer:
        commands[THEIRS] = programs.predict(THEIRS)
    times = _times(commands, rounds)
    numpy = 1e3 * median(times[NUMPY])
    most = min(MOST_MILLISECONDS, MOST_RATIO * numpy + MORE_MILLISECONDS)
    for name, values in times.items():
        has_goal = name.startswith(OURS)
        yield {
            "task": f"first prediction, {NEW_ROWS} rows",
            **_row(name, values),
            "ratio": 1e3 * median(values) / numpy,
            "goal": f"at most {most:.0f} ms" if has_goal else None,
            "met": ("yes" if 1e3 * median(values) <= most else "no") if has_goal else None,
        }


def _trainings(programs: Programs, has_peer: bool, rounds: int) -> Iterator[Row]:
    times = _times({name: programs.train(name) for name in (OURS, THEIRS)[: 1 + has_peer]}, rounds)
    for name, values in times.items():
        # The ratio of each round, as the machine can be slower in one than in another.
        gain = median(map(truediv, values, times[OURS])) if name == THEIRS else None
        yield {
            "task": f"training, {programs.count} rows",
            **_row(name, values),
            "ratio": gain,
            "goal": f"at least {LEAST_GAIN:g} × ours" if gain else None,
            "met": None if gain is None else "yes" if gain >= LEAST_GAIN else "no",
        }


def _row(name: str, values: Sequence[float]) -> Row:
    return {"process": name, "milliseconds": 1e3 * median(values), "least": 1e3 * min(values)}


def _times(commands: Mapping[str, Command], rounds: int) -> dict[str, list[float]]:
    for command in commands.values():
        run(command)  # writes the bytecode, reads the files
    return timing.in_turn(
        {name: partial(timing.seconds, partial(run, each)) for name, each in commands.items()},
        rounds,
    )


def run(command: Command) -> str:
    """Run a program with this Python and this cygrad, and return what it prints."""
    # Python must be allowed to write bytecode, as it is after an installation; the threads are
    # those that each program chooses.
    without = {"PYTHONDONTWRITEBYTECODE", *THREAD_VARIABLES}
    environment = {key: value for key, value in os.environ.items() if key not in without}
    paths = [str(Path(cg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise WrongResult(f"{' '.join(command[:3])} ended with {done.stderr.strip()[-500:]}")
    return done.stdout


def column(path: str, name: str) -> list[str]:
    """Return the fields of a column."""
    with open(path, newline="") as file:
        return [row[name] for row in csv.DictReader(file)]
