"""The samples for ``cygrad train``, divided into a training and a test part."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad import datasets
from cygrad.cli.options import DIGITS

DEFAULT_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Dataset:
    """All samples, the rows to train and to test with, and the names that the file gives."""

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...] | None
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    features: tuple[str, ...] | None = None
    target: str | None = None


def read_dataset(arguments: Namespace) -> Dataset:
    """Read the samples and divide them as the options require."""
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
        train, test = datasets.split(table.y, fraction, rng=arguments.seed)
    return Dataset(table.X, table.y, table.classes, train, test, table.features, table.target)
