"""Fit all contestants on the same splits of a data set, check them, and time their fits.

The rows are divided into five parts, classes evenly; each part is predicted once, by contestants
that were fitted on the other four. Before that the preset must give the same predictions twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np

from cygrad.tables import Table

from ..programs import Array
from ..settings import WrongResult
from .data import DataSet, Task
from .networks import Contestant, fit_preset
from .scores import score

SPLITS, FEW_SPLITS = 5, 2  # with --quick
CHECKED_EPOCHS = 3


@dataclass
class Results:
    """Scores and seconds of a fit, by contestants, for each split."""

    scores: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, score: float, seconds: float) -> None:
        self.scores.setdefault(name, []).append(score)
        self.seconds.setdefault(name, []).append(seconds)


def run(data: DataSet, table: Table, contestants: Mapping[str, Contestant], count: int) -> Results:
    """Fit the contestants in turn on the first `count` splits."""
    results = Results()
    for seed, (train, test) in enumerate(splits(table, data.target, data.task)):
        if seed == count:
            break
        training, held_out = table.take(train), table.take(test)
        if seed == 0:
            check_repetition(data, training, held_out)
        for name, fit in contestants.items():
            begin = perf_counter()
            fitted = fit(training, data.target, data.task, seed)
            seconds = perf_counter() - begin
            predicted = fitted.predict(held_out)
            results.add(name, score(data.task, held_out[data.target], predicted), seconds)
    return results


def splits(table: Table, target: str, task: Task) -> Iterator[tuple[Array, Array]]:
    """Return the training and the test rows of each split."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if task == "classification" else KFold
    rows = np.arange(len(table))
    yield from kind(SPLITS, shuffle=True, random_state=0).split(rows, table[target])


def check_repetition(data: DataSet, training: Table, held_out: Table) -> None:
    """Raise a WrongResult if a second fit of the preset, of a few epochs, has other bits."""
    fit = partial(fit_preset, training, data.target, data.task, 0, epochs=CHECKED_EPOCHS)
    first, second = (fit().predict(held_out) for _ in range(2))
    if not np.array_equal(first, second):
        raise WrongResult(f"{data.name}: two fits of the preset predict different values")
