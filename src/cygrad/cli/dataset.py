"""The samples for ``cygrad train``, divided into a training and a test part."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import datasets, seeding
from cygrad.cli import columns, preset, reading
from cygrad.cli.arrays import Arrays, dense_option
from cygrad.cli.options import DIGITS
from cygrad.records import dataclass
from cygrad.tables.columns import column_names
from cygrad.training import validation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.tables.encoder import Encoder
    from cygrad.tables.table import Table

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
    reading: dict[str, Any] = field(default_factory=dict)  # for `Network.reading`


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
    test : ndarray of int64 or None
        The rows that the file gives as test part.
    reading : dict
        The options that read the file, for `Network.reading`.
    """

    y: NDArray[Any]
    classes: tuple[str, ...] | None
    target: str | None = None
    X: Any = None
    features: tuple[str, ...] | None = None
    targets: columns.TargetedTable | None = None
    notes: tuple[str, ...] = ()
    test: NDArray[np.int64] | None = None
    reading: dict[str, Any] = field(default_factory=dict)

    def divide(
        self, train: NDArray[np.int64], test: NDArray[np.int64], arguments: Namespace
    ) -> Dataset:
        """Return the samples with a division, and all that is learned from the training part.

        The validation part that the options ask for is taken from the training part.
        """
        dataset = Dataset(
            self.X, self.y, self.classes, train, test, self.features, self.target, notes=self.notes
        )
        dataset = replace(dataset, reading=self.reading)
        dataset = _with_validation(dataset, arguments)
        return dataset if self.targets is None else _encoded(dataset, self.targets, arguments)


def read_dataset(arguments: Namespace) -> Dataset:
    """Read the samples and divide them as the options require."""
    samples = read_undivided(arguments)
    if arguments.data == DIGITS:
        parts = datasets.split(samples.y, DEFAULT_TEST_FRACTION)
    elif samples.test is not None and arguments.test_fraction is None:
        given = samples.test
        note = "the test part is that of the file (--test-fraction divides all samples)"
        samples = replace(samples, notes=(*samples.notes, note))
        parts = np.setdiff1d(np.arange(len(samples.y)), given), given
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
        asking = columns.asks_for_columns(arguments)
        if asking or reading.given(arguments):
            raise ValueError(f"{asking or 'options of reading'}: not for the digits")
        images, labels = datasets.load_digits()
        return Undivided(labels, tuple("0123456789"), X=images)
    found = reading.read(arguments)
    options = reading.given(arguments)
    if isinstance(found, Arrays):
        options |= found.reading
        asking = columns.asks_for_columns(arguments)
        X = None if asking and found.has_columns else found.inputs()
        if X is not None:
            if asking:
                raise ValueError(f"{asking}: not for svmlight, whose columns have no names")
            return _of_arrays(found, X, arguments, options)
        return _of_table(found.table(), found.column_names, found.test, arguments, options)
    if arguments.target is None:
        _refuse_without_target(found)
    names = column_names(found, arguments.target, "--target")
    return _of_table(found, names, 0, arguments, options)


def _of_arrays(found: Arrays, X: Any, arguments: Namespace, options: dict[str, Any]) -> Undivided:
    """Return inputs as they are, and the targets."""
    if not found.targets:
        raise ValueError(f"{found.source} has no target, expected one named with --target")
    name = ", ".join(column.name for column in found.targets)
    given = [_stripped(column, arguments.strip_label) for column in found.targets]
    encoding, y, rows, notes = columns.targets_of(given, arguments.task, found.locate, found.source)
    if rows is not None:
        X = X[rows]
    return Undivided(
        y,
        getattr(encoding, "classes", None),
        name,
        X,
        notes=tuple(reading.with_options((*found.notes, *notes))),
        test=_given_test(found.test, len(found.X), rows),
        reading=options,
    )


def _of_table(
    table: Table, names: list[str], test: int, arguments: Namespace, options: dict[str, Any]
) -> Undivided:
    """Return the rows of a table that have targets."""
    if not names:
        raise ValueError(f"{table.source} has no target, expected one named with --target")
    if len(table.names) == len(names):
        raise ValueError(
            f"{table.source} has no column beside the target, expected at least one input"
        )
    if arguments.strip_label:
        options["strip"] = dict.fromkeys(names, arguments.strip_label)
        table = table.with_columns(
            [
                _stripped(table.column(name), arguments.strip_label if name in names else None)
                for name in table.names
            ]
        )
    targets = columns.with_targets(table, names, arguments.task)
    if targets.classes is not None and arguments.target_scale != "standard":
        raise ValueError("--target-scale: the targets are classes, expected quantities")
    notes = tuple(reading.with_options((*table.notes, *targets.notes)))
    return Undivided(
        targets.y,
        targets.classes,
        ", ".join(names),
        targets=targets,
        notes=notes,
        test=_given_test(test, len(table), targets.rows),
        reading=options,
    )


def _stripped(column: Any, ending: str | None) -> Any:
    return column if not ending else column.without_ending(ending)


def _given_test(test: int, n: int, rows: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    """Return the rows of the test part, the last ones, among those with a target."""
    if not test:
        return None
    is_test = np.arange(n) >= n - test
    found = np.flatnonzero(is_test if rows is None else is_test[rows])
    if not 0 < len(found) < (n if rows is None else int(rows.sum())):
        raise ValueError("the training or the test part has no row with a target")
    return found


def _refuse_without_target(table: Table) -> None:
    """Raise a ValueError: a table needs --target."""
    for name in table.names:
        column = table.column(name)
        if column.codes is not None and (column.codes >= 0).any():
            row = int(np.argmax(column.codes >= 0))
            word = column.words[column.codes[row]]
            raise ValueError(
                f"{table.locate(row, name)} is {word!r}, expected a number; no target is named "
                "with --target, which may be text"
            )
    raise ValueError(f"{table.source} has no target, expected one named with --target")


def _encoded(dataset: Dataset, targets: columns.TargetedTable, arguments: Namespace) -> Dataset:
    """Return the data with inputs; what columns become is learned from the training part alone."""
    rows = targets.table
    is_robust = arguments.standardize == "robust"
    scale = "none"
    if arguments.target_scale.startswith("log"):
        scale = arguments.target_scale
    if arguments.numbers != "standard" and arguments.standardize != "auto":
        raise ValueError(f"--numbers {arguments.numbers}: not with --standardize")
    if not is_robust and columns.is_plain(rows, targets.encoding.names, arguments):
        options: dict[str, Any] = {"numbers": "none", "dtype": "float64", "sparse": False}
    else:
        if arguments.standardize == "shared":
            raise ValueError("--standardize shared: only for inputs that are all numbers")
        scaled = "none" if arguments.standardize == "none" else arguments.numbers
        scaled = "robust" if is_robust else scaled
        option = dense_option(arguments, 0)
        sparse: bool | str = False if option or arguments.residual else "auto"
        if arguments.sparse != "auto":
            sparse = arguments.sparse == "yes"
        if sparse is True and option:
            raise ValueError(f"--sparse yes: not with {option}, which needs dense rows")
        options = {"numbers": scaled, "dtype": arguments.dtype, "sparse": sparse}
        if is_robust:
            options["categories"] = "robust"
    encoder = columns.encoder_for(targets, rows, arguments, dataset.train, scale, **options)
    unseen: list[str] = []
    # Compressed rows give the same bits. The encoder of the model keeps its own default.
    is_sparse = options["sparse"]
    if is_sparse == "auto":
        is_sparse = encoder.trains_faster_sparse
    X = encoder.transform(rows, unseen, sparse=is_sparse)
    y = dataset.y
    if scale != "none":
        try:
            y = encoder.targets(rows)
        except ValueError as error:
            raise reading.with_flags(error) from None
    return replace(
        dataset,
        X=X,
        y=y,
        features=encoder.input_names,
        encoder=encoder,
        is_standardized=options["numbers"] != "none",
        notes=(
            *dataset.notes,
            *reading.with_options(encoder.notes),
            *(f"outside of the training part: {note}" for note in unseen),
        ),
    )


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
