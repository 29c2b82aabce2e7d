"""The samples for ``cygrad train``, divided into a training and a test part."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cygrad import datasets, seeding
from cygrad.cli import columns
from cygrad.cli.options import DIGITS
from cygrad.training import validation

if TYPE_CHECKING:
    from cygrad.tables.encoder import Encoder

DEFAULT_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Dataset:
    """All samples, the rows of each part, and the names that the file gives.

    The validation part is empty, unless --validation takes it from the training part.
    """

    X: Any
    y: NDArray[Any]
    classes: tuple[str, ...] | None
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    features: tuple[str, ...] | None = None
    target: str | None = None
    validation: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    encoder: Encoder | None = None  # of a table; it has learned from the training part
    is_standardized: bool = False  # by the encoder
    notes: tuple[str, ...] = ()


def read_dataset(arguments: Namespace) -> Dataset:
    """Read the samples and divide them as the options require."""
    if arguments.data == DIGITS:
        X, y = datasets.load_digits()
        parts = datasets.split(y, DEFAULT_TEST_FRACTION)
        return _with_validation(Dataset(X, y, tuple("0123456789"), *parts), arguments)
    if arguments.target is not None and columns.has_columns(arguments.data):
        return _of_table(arguments)
    _refuse_table_options(arguments)
    target = None if arguments.target is None else arguments.target[0]
    samples = datasets.read(arguments.data, target, task=arguments.task)
    if samples.y is None:
        raise ValueError(f"{arguments.data} has no target, expected one named with --target")
    if samples.classes is not None and len(samples.classes) == 1:
        raise ValueError(f"{arguments.data} has one class, {samples.classes[0]!r}, expected two")
    parts = _parts(samples.y, samples.classes is not None, arguments)
    dataset = Dataset(
        samples.X, samples.y, samples.classes, *parts, samples.features, samples.target
    )
    return _with_validation(dataset, arguments)


def _of_table(arguments: Namespace) -> Dataset:
    """Read a table; what its columns become is learned from the training part alone."""
    table = columns.read(arguments)
    names = columns.names_in(table, arguments.target)
    if len(table.names) == len(names):
        raise ValueError(
            f"{arguments.data} has no column beside the target, expected at least one input"
        )
    targets = columns.with_targets(table, names, arguments.task)
    rows = targets.table
    parts = _parts(targets.y, targets.classes is not None, arguments)
    dataset = Dataset(None, targets.y, targets.classes, *parts, target=", ".join(names))
    dataset = _with_validation(dataset, arguments)
    if columns.is_plain(rows, names, arguments):
        options: dict[str, Any] = {"numbers": "none", "dtype": "float64", "sparse": False}
    else:
        if arguments.standardize == "shared":
            raise ValueError("--standardize shared: only for inputs that are all numbers")
        scaled = "none" if arguments.standardize == "none" else "standard"
        needs_dense = arguments.noise or arguments.input_dropout or arguments.residual
        sparse = False if needs_dense or arguments.report is not None else "auto"
        options = {"numbers": scaled, "dtype": arguments.dtype, "sparse": sparse}
    encoder = columns.encoder_for(targets, rows, arguments, dataset.train, **options)
    unseen: list[str] = []
    X = encoder.transform(rows, unseen)
    notes = (*table.notes, *targets.notes, *encoder.notes)
    return replace(
        dataset,
        X=X,
        features=encoder.input_names,
        encoder=encoder,
        is_standardized=options["numbers"] == "standard",
        notes=(
            *columns.with_options(notes),
            *(f"outside of the training part: {note}" for note in unseen),
        ),
    )


def _refuse_table_options(arguments: Namespace) -> None:
    """Raise a ValueError for options that only tables with a target have."""
    what = "tables with names of columns and --target"
    columns.refuse_reading_options(arguments, what)
    for option in ("columns", "drop", "keep", "categorical"):
        if getattr(arguments, option):
            raise ValueError(f"--{option}: only for {what}")
    if arguments.min_count > 1:
        raise ValueError(f"--min-count: only for {what}")
    if arguments.target is not None and len(arguments.target) > 1:
        raise ValueError(f"--target: {len(arguments.target)} of them, expected one for arrays")


def _parts(
    y: NDArray[Any], has_classes: bool, arguments: Namespace
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the training and of the test part."""
    fraction = arguments.test_fraction
    if fraction is None:
        fraction = DEFAULT_TEST_FRACTION
    if fraction == 0:
        return np.arange(len(y)), np.arange(0)
    return datasets.split(y, fraction, rng=arguments.seed, classes=has_classes)


def _with_validation(dataset: Dataset, arguments: Namespace) -> Dataset:
    """Take the validation part from the training part, if one was asked for."""
    if arguments.validation is None:
        return dataset
    rows = dataset.train
    count = validation.check_share(arguments.validation, len(rows))
    labels = None if dataset.classes is None else dataset.y[rows].astype(np.int64)
    seeds = seeding.seeds(arguments.seed, "validation")
    train, held_out = validation.split(len(rows), count, labels, seeds)
    return replace(dataset, train=rows[train], validation=rows[held_out])
