"""The samples for ``cygrad train``, divided into a training and a test part."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad import datasets, seeding
from cygrad.cli.options import DIGITS
from cygrad.training import validation

DEFAULT_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Dataset:
    """All samples, the rows of each part, and the names that the file gives.

    The validation part is empty, unless --validation takes it from the training part.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...] | None
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    features: tuple[str, ...] | None = None
    target: str | None = None
    validation: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))


def read_dataset(arguments: Namespace) -> Dataset:
    """Read the samples and divide them as the options require."""
    dataset = _read_parts(arguments)
    if arguments.validation is None:
        return dataset
    rows = dataset.train
    count = validation.check_share(arguments.validation, len(rows))
    labels = None if dataset.classes is None else dataset.y[rows].astype(np.int64)
    seeds = seeding.seeds(arguments.seed, "validation")
    train, held_out = validation.split(len(rows), count, labels, seeds)
    return replace(dataset, train=rows[train], validation=rows[held_out])


def _read_parts(arguments: Namespace) -> Dataset:
    """Read the samples and divide them into a training and a test part."""
    if arguments.data == DIGITS:
        X, y = datasets.load_digits()
        return Dataset(X, y, tuple("0123456789"), *datasets.split(y, DEFAULT_TEST_FRACTION))
    table = datasets.read(arguments.data, arguments.target, task=arguments.task)
    if table.y is None:
        raise ValueError(f"{arguments.data} has no target, expected one named with --target")
    if table.classes is not None and len(table.classes) == 1:
        raise ValueError(f"{arguments.data} has one class, {table.classes[0]!r}, expected two")
    fraction = arguments.test_fraction
    if fraction is None:
        fraction = DEFAULT_TEST_FRACTION
    if fraction == 0:
        train, test = np.arange(len(table.X)), np.arange(0)
    else:
        train, test = datasets.split(
            table.y, fraction, rng=arguments.seed, classes=table.classes is not None
        )
    return Dataset(table.X, table.y, table.classes, train, test, table.features, table.target)
