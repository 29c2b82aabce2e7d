"""The samples for ``cygrad train``, divided into a training and a test part."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cygrad import datasets, seeding
from cygrad.cli import columns, preset
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


@dataclass(frozen=True)
class Undivided:
    """All samples of a file, before they are divided.

    Attributes
    ----------
    y : ndarray
    classes : tuple of str or None
    target : str or None
        Name of the target, or of several.
    X : ndarray or None
        Inputs; None for a table.
    features : tuple of str or None
        Names of the inputs.
    targets : TargetedTable or None
        The rows of a table that have targets; None for arrays.
    notes : tuple of str
        What was guessed or left out in reading.
    """

    y: NDArray[Any]
    classes: tuple[str, ...] | None
    target: str | None = None
    X: Any = None
    features: tuple[str, ...] | None = None
    targets: columns.TargetedTable | None = None
    notes: tuple[str, ...] = ()

    def divide(
        self, train: NDArray[np.int64], test: NDArray[np.int64], arguments: Namespace
    ) -> Dataset:
        """Return the samples with a division, and all that is learned from the training part.

        The validation part that the options ask for is taken from the training part.
        """
        dataset = Dataset(
            self.X, self.y, self.classes, train, test, self.features, self.target, notes=self.notes
        )
        dataset = _with_validation(dataset, arguments)
        return dataset if self.targets is None else _encoded(dataset, self.targets, arguments)


def read_dataset(arguments: Namespace) -> Dataset:
    """Read the samples and divide them as the options require."""
    samples = read_undivided(arguments)
    if arguments.data == DIGITS:
        parts = datasets.split(samples.y, DEFAULT_TEST_FRACTION)
    else:
        parts = _parts(samples.y, samples.classes is not None, arguments)
    return samples.divide(*parts, arguments)


def read_undivided(arguments: Namespace) -> Undivided:
    """Read the samples that the options name."""
    samples = _read(arguments)
    notes = preset.settle(arguments, samples.classes is not None, samples.targets is not None)
    if arguments.standardize == "robust" and samples.targets is None:
        raise ValueError("--standardize robust: only for tables with names of columns and --target")
    return replace(samples, notes=(*samples.notes, *notes))


def _read(arguments: Namespace) -> Undivided:
    if arguments.data == DIGITS:
        X, y = datasets.load_digits()
        return Undivided(y, tuple("0123456789"), X=X)
    if arguments.target is not None and columns.has_columns(arguments.data):
        return _read_table(arguments)
    _refuse_table_options(arguments)
    target = None if arguments.target is None else arguments.target[0]
    samples = datasets.read(arguments.data, target, task=arguments.task)
    if samples.y is None:
        raise ValueError(f"{arguments.data} has no target, expected one named with --target")
    if samples.classes is not None and len(samples.classes) == 1:
        raise ValueError(f"{arguments.data} has one class, {samples.classes[0]!r}, expected two")
    return Undivided(samples.y, samples.classes, samples.target, samples.X, samples.features)


def _read_table(arguments: Namespace) -> Undivided:
    table = columns.read(arguments)
    names = columns.names_in(table, arguments.target)
    if len(table.names) == len(names):
        raise ValueError(
            f"{arguments.data} has no column beside the target, expected at least one input"
        )
    targets = columns.with_targets(table, names, arguments.task)
    notes = tuple(columns.with_options((*table.notes, *targets.notes)))
    return Undivided(targets.y, targets.classes, ", ".join(names), targets=targets, notes=notes)


def _encoded(dataset: Dataset, targets: columns.TargetedTable, arguments: Namespace) -> Dataset:
    """Return the data with inputs; what columns become is learned from the training part alone."""
    rows = targets.table
    is_robust = arguments.standardize == "robust"
    if not is_robust and columns.is_plain(rows, targets.encoding.names, arguments):
        options: dict[str, Any] = {"numbers": "none", "dtype": "float64", "sparse": False}
    else:
        if arguments.standardize == "shared":
            raise ValueError("--standardize shared: only for inputs that are all numbers")
        scaled = "none" if arguments.standardize == "none" else "standard"
        scaled = "robust" if is_robust else scaled
        needs_dense = arguments.noise or arguments.input_dropout or arguments.residual
        needs_dense = needs_dense or arguments.scaling_rate is not None
        sparse = False if needs_dense or arguments.report is not None else "auto"
        options = {"numbers": scaled, "dtype": arguments.dtype, "sparse": sparse}
        if is_robust:
            options["categories"] = "robust"
    encoder = columns.encoder_for(targets, rows, arguments, dataset.train, **options)
    unseen: list[str] = []
    X = encoder.transform(rows, unseen)
    return replace(
        dataset,
        X=X,
        features=encoder.input_names,
        encoder=encoder,
        is_standardized=options["numbers"] in ("standard", "robust"),
        notes=(
            *dataset.notes,
            *columns.with_options(encoder.notes),
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
