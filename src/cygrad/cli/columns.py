"""Tables of named columns for the commands: how they are read, and what becomes of their columns.

Arrays (.npy, .npz, IDX) have no names and go another way, see `cygrad.datasets.read`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cygrad.cli import values
from cygrad.tables.columns import target_column
from cygrad.tables.idx import is_idx
from cygrad.tables.npy import NPY_MAGIC, ZIP_MAGIC
from cygrad.tables.sample_files import read_first_bytes

if TYPE_CHECKING:
    from cygrad.tables.encoder import Encoder
    from cygrad.tables.table import Table
    from cygrad.tables.target_encoding import TargetEncoding

SEPARATORS = {"tab": "\t", "space": " ", "none": "", ",": ",", ";": ";", "|": "|", "\\t": "\t"}
#: The options that stand for the arguments named in notes; other arguments have none.
_OPTIONS = {
    "separator": "--separator",
    "header": "--no-header",
    "decimal": "--decimal",
    "gaps": "--missing",
    "keep": "--keep",
    "drop": "--drop",
    "min_count": "--min-count",
    "task": "--task",
}


def add_reading_options(parser: Any) -> None:
    """Add the options that say how a table is read."""
    group = parser.add_argument_group("text", "what is not given is guessed, and said")
    group.add_argument(
        "--separator",
        metavar="CHAR",
        choices=tuple(SEPARATORS),
        help="between fields: ',', ';', '|', tab, space (for runs of white space), or none",
    )
    group.add_argument("--decimal", metavar="CHAR", choices=(".", ","), help="decimal mark")
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row has the names of the columns",
    )
    group.add_argument(
        "--missing",
        metavar="TEXT",
        action="append",
        help="a field that is a gap, besides empty ones, ?, NA, nan and the like; a number, such "
        "as -200, in any spelling; several times for several",
    )


def refuse_reading_options(arguments: Namespace, why: str) -> None:
    """Raise a ValueError, with the reason, if there are options of `add_reading_options`."""
    for option in ("separator", "decimal", "header", "missing"):
        if getattr(arguments, option) is not None:
            raise ValueError(f"--{option}: only for {why}")


def add_column_options(parser: Any) -> None:
    """Add the options that choose columns."""
    group = parser.add_argument_group(
        "columns", "of a table, by their names or numbers, as in size,color or 1,-1"
    )
    group.add_argument(
        "--columns", metavar="NAMES", type=_names, help="the only columns to take as inputs"
    )
    group.add_argument("--drop", metavar="NAMES", type=_names, default=(), help="no inputs")
    group.add_argument(
        "--keep",
        metavar="NAMES",
        type=_names,
        default=(),
        help="inputs even if they are constant, number the rows, or are text that is never the "
        "same",
    )
    group.add_argument(
        "--categorical",
        metavar="NAMES",
        type=_names,
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


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r}, expected names as in size,color")
    return names


def has_columns(path: str) -> bool:
    """Return whether a file is read as a table of named columns, and not as arrays."""
    if os.path.exists(path) and not os.path.isfile(path):
        return True  # a pipe can be read once only
    start = read_first_bytes(Path(path))
    if start.startswith(NPY_MAGIC) or is_idx(start):
        return False
    suffix = Path(path).suffix
    if start.startswith(ZIP_MAGIC):
        return suffix.lower() == ".xlsx"
    return suffix not in (".npy", ".npz")


def read(arguments: Namespace) -> Table:
    """Read the table that the options name."""
    from cygrad.tables.files import read as read_file
    from cygrad.tables.layout import GAPS

    options: dict[str, Any] = {"header": arguments.header, "decimal": arguments.decimal}
    if arguments.separator is not None:
        options["separator"] = SEPARATORS[arguments.separator]
    if arguments.missing:
        options["gaps"] = (*GAPS, *arguments.missing)
    options = {name: value for name, value in options.items() if value is not None}
    return read_file(arguments.data, **options)


def names_in(table: Table, columns: Sequence[str]) -> list[str]:
    """Return the names of columns that are given by name or number."""
    return [
        table.names[target_column(table.source, column, len(table.names), table.names)]
        for column in columns
    ]


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
    """

    table: Table
    encoding: TargetEncoding
    y: NDArray[Any]
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, or None."""
        classes: tuple[str, ...] | None = getattr(self.encoding, "classes", None)
        return classes


def with_targets(table: Table, names: Sequence[str], task: Any) -> TargetedTable:
    """Return the rows with targets, and these targets of all parts."""
    from cygrad.tables.target_encoding import learn_targets

    notes = []
    gaps = np.zeros(len(table), bool)
    for name in names:
        gaps |= table.column(name).is_gap
    if gaps.all():
        raise ValueError(f"{table.source} has no row with a target")
    if gaps.any():
        notes.append(
            f"left out: {int(gaps.sum())} rows without a target, the first in "
            f"{table.locate(int(np.argmax(gaps))).rpartition(', ')[2]}"
        )
        table = table.take(~gaps)
    columns = [table.column(name) for name in names]
    encoding = learn_targets(columns, task, "none", table.locate, notes)
    return TargetedTable(table, encoding, encoding.encode(columns, table.locate), tuple(notes))


def is_plain(table: Table, targets: Sequence[str], arguments: Namespace) -> bool:
    """Return whether all inputs are numbers without gaps, which the network itself standardises."""
    if arguments.categorical:
        return False
    names = list(table.names)
    if arguments.columns is not None:
        names = names_in(table, arguments.columns)
    without = {*targets, *names_in(table, arguments.drop)}
    columns = [table.column(name) for name in names if name not in without]
    return all(
        column.kind == "number" and not column.is_time and not column.is_gap.any()
        for column in columns
    )


def encoder_for(
    data: TargetedTable | None, table: Table, arguments: Namespace, rows: Any, **options: Any
) -> Encoder:
    """Return an encoder that has learned from some rows; its notes have what it would warn of."""
    from cygrad.tables.encoder import Encoder

    target = None if data is None else data.encoding.names
    encoder = Encoder(
        target,
        task="auto" if data is None or data.classes else "regression",
        classes=None if data is None else data.classes,
        target_scale="none",
        columns=arguments.columns,
        drop=arguments.drop,
        keep=arguments.keep,
        categorical=arguments.categorical,
        min_count=arguments.min_count,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its notes say the same
        return encoder.fit(table if rows is None else table.take(rows))


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to stderr, a line for each."""
    for note in notes:
        print(f"cygrad: {note}", file=sys.stderr)


def with_options(notes: Iterable[str]) -> list[str]:
    """Return notes with the options of the command line in place of the arguments they name."""

    def option(match: re.Match[str]) -> str:
        known = all(name in _OPTIONS for name in re.findall(r"(\w+)=", match[0]))
        return re.sub(r"(\w+)=", lambda name: _OPTIONS[name[1]], match[0]) if known else ""

    return [re.sub(r" \([^()]*\b\w+=[^()]*\)", option, note) for note in notes]


def for_model(table: Table, encoder: Encoder, target: str | None, model: str) -> Table:
    """Return a table with the names that a model knows.

    A file without header has its columns in the order of the training: with the targets, or
    without them. The column `target` gets the name of the model's target.

    Raises
    ------
    ValueError
        If columns are missing, or a file without header has another number of columns.
    """
    names = list(table.names)
    given = None if target is None else names_in(table, [target])[0]
    described = encoder.describe()
    inputs = [row.column for row in described if not row.taken_for.startswith("target")]
    new = {}
    if names == [f"column_{number}" for number in range(1, len(names) + 1)]:
        others = [name for name in names if name != given]
        has_all = given is None and len(others) == len(described)
        if len(others) == len(inputs):
            new = dict(zip(others, inputs, strict=True))
        elif not has_all or not set(encoder.columns) <= set(names):
            hint = "" if given is not None else "; --target names a column to leave out"
            raise ValueError(
                f"{table.source} has {len(others)} input columns, expected {len(inputs)} for "
                f"{model}{hint}"
            )
    if given is not None and len(encoder.target_names) == 1:
        new[given] = encoder.target_names[0]
        names = [name for name in names if name == given or new.get(name, name) != new[given]]
    return table.select(names).rename(new)
