"""Tables of named columns for the commands: what becomes of their columns, and their targets."""

from __future__ import annotations

import re
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import values
from cygrad.cli.reading import with_flags
from cygrad.records import dataclass
from cygrad.tables.columns import column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.tables.encoder import Encoder
    from cygrad.tables.table import Column, Table
    from cygrad.tables.target_encoding import TargetEncoding

#: The ways of scaling numbers, besides that of --standardize.
NUMBERS = ("standard", "robust", "quantile", "quantile_uniform")


def add_column_options(parser: Any) -> None:
    """Add the options that choose columns."""
    group = parser.add_argument_group(
        "columns", "of a table, by their names or numbers, as in size,color or 1,-1"
    )
    group.add_argument(
        "--columns", metavar="NAMES", type=values.names, help="the only columns to take as inputs"
    )
    group.add_argument("--drop", metavar="NAMES", type=values.names, default=(), help="no inputs")
    group.add_argument(
        "--keep",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="inputs even if they are constant, number the rows, or are text that is never the "
        "same",
    )
    group.add_argument(
        "--categorical",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="numbers that are names: an input for each different one",
    )
    group.add_argument(
        "--min-count",
        metavar="N",
        type=values.integer(1),
        default=1,
        help="words in fewer rows share an input (default: 1)",
    )
    group.add_argument(
        "--numbers",
        choices=NUMBERS,
        default="standard",
        help="how numbers are scaled: by mean and deviation; robust, by median and quartiles, with "
        "smooth limits; or by their quantiles (default: standard)",
    )
    group.add_argument(
        "--dates",
        metavar="NAMES",
        type=values.dates,
        default={},
        help="dates, with their formats as in day=%%d.%%m.%%Y,hour=%%H.%%M; without a format ISO "
        "8601, or numbers that are seconds since 1970",
    )
    group.add_argument(
        "--sparse",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether inputs are compressed rows; auto: if there are many, and most of them are 0",
    )


@dataclass(frozen=True, eq=False)
class TargetedTable:
    """The rows of a table that have targets.

    Attributes
    ----------
    table : Table
    encoding : TargetEncoding
        Classes, or quantities in their unit.
    y : ndarray
        The targets of the rows.
    notes : tuple of str
    rows : ndarray of bool or None
        True for the rows of the file that have targets; None if all have.
    """

    table: Table
    encoding: TargetEncoding
    y: NDArray[Any]
    notes: tuple[str, ...]
    rows: NDArray[np.bool_] | None = None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, or None."""
        classes: tuple[str, ...] | None = getattr(self.encoding, "classes", None)
        return classes


def with_targets(table: Table, names: Sequence[str], task: Any) -> TargetedTable:
    """Return the rows with targets, and these targets of all parts."""
    encoding, y, rows, notes = targets_of(
        [table.column(name) for name in names], task, table.locate, table.source
    )
    return TargetedTable(table if rows is None else table.take(rows), encoding, y, notes, rows)


def targets_of(
    columns: list[Column],
    task: Any,
    locate: Callable[[int, str], str],
    source: str,
    classes: Sequence[str] | None = None,
) -> tuple[TargetEncoding, NDArray[Any], NDArray[np.bool_] | None, tuple[str, ...]]:
    """Return the encoding of targets, the targets, True for the rows that have one, and notes.

    None in place of these rows: all have one. The rule for classes and quantities is that of
    `cygrad.tables.samples.guess_task`, whatever the file.
    """
    from cygrad.tables.target_encoding import learn_targets

    notes: list[str] = []
    gaps = np.zeros(len(columns[0]), bool)
    for column in columns:
        gaps |= column.is_gap
    if gaps.all():
        raise ValueError(f"{source} has no row with a target")
    rows = None
    if gaps.any():
        rows = ~gaps
        place = locate(int(np.argmax(gaps)), columns[0].name)
        place = place.removeprefix(f"{source}, ").partition(", column")[0]
        notes.append(f"left out: {int(gaps.sum())} rows without a target, the first in {place}")
        columns = [column.take(rows) for column in columns]
        kept = np.flatnonzero(rows)
        whole = locate

        def locate(row: int, name: str) -> str:
            return whole(int(kept[row]), name)

    try:
        encoding = learn_targets(columns, task, "none", locate, notes, classes)
        y = encoding.encode(columns, locate)
    except ValueError as error:
        raise with_flags(error) from None
    return encoding, y, rows, tuple(notes)


def asks_for_columns(arguments: Namespace) -> str:
    """Return an option that is about single columns, or an empty text."""
    for option in ("columns", "drop", "keep", "categorical", "dates"):
        if getattr(arguments, option):
            return f"--{option}"
    if arguments.min_count > 1:
        return "--min-count"
    if arguments.numbers != "standard":
        return "--numbers"
    scale = getattr(arguments, "target_scale", "standard")
    return "--target-scale" if scale.startswith("log") else ""


def is_plain(table: Table, targets: Sequence[str], arguments: Namespace) -> bool:
    """Return whether all inputs are numbers without gaps, which the network itself standardises."""
    if arguments.categorical or arguments.dates or arguments.numbers != "standard":
        return False
    names = list(table.names)
    if arguments.columns is not None:
        names = column_names(table, arguments.columns, "--columns")
    without = {*targets, *column_names(table, arguments.drop, "--drop")}
    columns = [table.column(name) for name in names if name not in without]
    return all(
        column.kind == "number" and not column.is_time and not column.is_gap.any()
        for column in columns
    )


def encoder_for(
    data: TargetedTable | None,
    table: Table,
    arguments: Namespace,
    rows: Any,
    target_scale: str = "none",
    **options: Any,
) -> Encoder:
    """Return an encoder that has learned from some rows; its notes have what it would warn of."""
    from cygrad.tables.encoder import Encoder

    target = None if data is None else data.encoding.names
    encoder = Encoder(
        target,
        task="auto" if data is None or data.classes else "regression",
        classes=None if data is None else data.classes,
        target_scale=target_scale,
        columns=arguments.columns,
        drop=arguments.drop,
        keep=arguments.keep,
        categorical=arguments.categorical,
        dates=arguments.dates,
        min_count=arguments.min_count,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its notes say the same
        try:
            return encoder.fit(table if rows is None else table.take(rows))
        except ValueError as error:
            # The argument that the message begins with.
            start = r"^(?=(columns|drop|keep|categorical|dates) (is|has) )"
            raise with_flags(ValueError(re.sub(start, "--", str(error)))) from None


def for_model(table: Table, encoder: Encoder, given: Sequence[str], model: str) -> Table:
    """Return a table with the names that a model knows.

    A file without names has its columns in the order of the training: with the targets, or
    without them. The columns `given` get the names of the model's targets.

    Raises
    ------
    ValueError
        If columns are missing, or a file without names has another number of columns.
    """
    names = list(table.names)
    described = encoder.describe()
    inputs = [row.column for row in described if not row.taken_for.startswith("target")]
    others = [name for name in names if name not in given]
    new = {}
    if _are_numbered(others):
        has_all = not given and len(others) == len(described)
        is_known = set(encoder.columns) <= set(others) and (has_all or encoder.chooses_columns)
        if len(others) == len(inputs):
            new = dict(zip(others, inputs, strict=True))
        elif not is_known:
            hint = "" if given else "; --target names a column to leave out"
            raise ValueError(
                f"{table.source} has {len(others)} input columns, expected {len(inputs)} for "
                f"{model}{hint}"
            )
    if len(given) == len(encoder.target_names):
        for name, target in zip(given, encoder.target_names, strict=True):
            new[name] = target
        taken = {new[name] for name in given}
        names = [name for name in names if name in given or new.get(name, name) not in taken]
    return table.select(names).rename({name: new[name] for name in names if name in new})


def _are_numbered(names: Sequence[str]) -> bool:
    """Return whether names are those that columns without a name get: column_1, X_1, …"""
    return all(re.fullmatch(r"(column|X|x|X_train|x_train|train_x)_[0-9]+", name) for name in names)
