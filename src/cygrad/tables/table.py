"""`Table`: named columns of numbers or text, with gaps.

A column of numbers is a float64 array with NaN in its gaps. A column of text is kept as codes into
its different words, −1 in its gaps, so that a word is stored once. Nothing is read from files here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["number", "text"]

#: Columns that `repr` shows.
SHOWN_COLUMNS = 20


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table: numbers, or codes and words.

    Attributes
    ----------
    name : str
    numbers : ndarray of float64, shape (rows,), or None
        The numbers, NaN in gaps. None for text.
    codes : ndarray of int32, shape (rows,), or None
        Positions in `words`, −1 in gaps. None for numbers.
    words : tuple of str
        The different words in the order in which they first appear; no word is the empty tuple.
    is_time : bool
        True if the numbers are seconds since 1970, of times.
    is_boolean : bool
        True if the numbers are 0 and 1, of booleans of an array or a data frame.
    """

    name: str
    numbers: NDArray[np.float64] | None = None
    codes: NDArray[np.int32] | None = None
    words: tuple[str, ...] = ()
    is_time: bool = False
    is_boolean: bool = False

    @property
    def kind(self) -> Kind:
        """``"number"`` or ``"text"``."""
        return "text" if self.numbers is None else "number"

    @property
    def values(self) -> NDArray[Any]:
        """Numbers, or an array of the objects str and None."""
        if self.numbers is not None:
            return self.numbers
        values = np.empty(len(self.words) + 1, object)
        values[:-1] = self.words  # the last one, None, has the code −1
        return values[self.codes]

    @property
    def is_gap(self) -> NDArray[np.bool_]:
        """True in the rows without a value."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        assert self.codes is not None
        return self.codes < 0

    def take(self, rows: Any) -> Column:
        """Return the column of some rows, as an index of NumPy gives them."""
        if self.numbers is not None:
            return replace(self, numbers=self.numbers[rows])
        assert self.codes is not None
        return replace(self, codes=self.codes[rows])

    def without_ending(self, ending: str) -> Column:
        """Return the column with texts that lack an ending; what is nothing else is a gap."""
        if self.codes is None or not ending:
            return self
        position: dict[str, int] = {}
        codes = []
        for word in self.words:
            short = word.removesuffix(ending).rstrip(" ")
            codes.append(position.setdefault(short, len(position)) if short else -1)
        lookup = np.array([*codes, -1], np.int32)  # the last one for gaps
        return replace(self, codes=lookup[self.codes], words=tuple(position))

    def __len__(self) -> int:
        values = self.codes if self.numbers is None else self.numbers
        assert values is not None
        return len(values)

    def __repr__(self) -> str:
        gaps = int(self.is_gap.sum())
        words = "" if self.numbers is not None else f", {len(self.words)} words"
        return f"{self.name} ({self.kind}{words}{f', {gaps} gaps' if gaps else ''})"


class Table:
    """Named columns of numbers or text with gaps, as they come from a file, arrays or a data frame.

    ``table["name"]`` is the array of a column: float64 with NaN in gaps, or str with None in gaps.
    ``len(table)`` is the number of rows, and iteration is over the names of the columns.

    Attributes
    ----------
    names : tuple of str
        Names of the columns, all different.
    notes : tuple of str
        What was guessed, with the argument that decides it, and what was left out or changed.
    source : str
        The file's path, or what the table was made from; for messages.

    Examples
    --------
    >>> import cygrad as cg
    >>> table = cg.tables.Table.from_arrays({"size": [1.5, 2.0, None], "kind": ["a", None, "b"]})
    >>> table
    Table of 3 rows: size (number, 1 gaps), kind (text, 2 words, 1 gaps)
    >>> table["size"]
    array([1.5, 2. , nan])
    >>> table["kind"].tolist()
    ['a', None, 'b']
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        notes: Sequence[str] = (),
        source: str = "table",
        lines: NDArray[np.int64] | None = None,
        block: NDArray[np.float64] | None = None,
    ) -> None:
        lengths = {len(column) for column in columns}
        if not columns or len(lengths) > 1:
            raise ValueError(f"columns have the lengths {sorted(lengths)}, expected one length")
        self._columns = {column.name: column for column in columns}
        if len(self._columns) < len(columns):
            names = [column.name for column in columns]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{names.count(twice)} columns are named {twice!r}, expected one")
        self.notes = tuple(notes)
        self.source = source
        # Rows and lines, [(row, line), …], wherever a row is not on the line behind the one before.
        self._lines = lines
        self._rows = lengths.pop()
        # The columns of numbers, in the order of the table, are those of one array.
        self._block = block

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Any] | Sequence[Any] | NDArray[Any],
        names: Sequence[str] | None = None,
    ) -> Table:
        """Return a table of arrays.

        Parameters
        ----------
        arrays : mapping of str to array, sequence of arrays, or array of shape (rows, columns)
            Numbers, booleans (0 and 1) or text; gaps are None, NaN, NaT or masked. Times become
            seconds since 1970, durations become seconds.
        names : sequence of str or None
            Names of the columns, where `arrays` has none; by default column_1, column_2, …

        Raises
        ------
        TypeError
            If a column holds neither numbers nor text, or both.
        ValueError
            If lengths or the number of names differ, or a number is infinite.
        """
        from cygrad.tables import arrays as reader

        return reader.table(arrays, names)

    @classmethod
    def from_frame(cls, frame: Any) -> Table:
        """Return a table of a data frame: pandas, polars, PyArrow and others that narwhals knows.

        Nulls are gaps, and so is NaN. Categories are text, whatever they are made of; dates and
        times become seconds since 1970, durations seconds. Needs narwhals
        (``pip install 'cygrad[frames]'``).

        Raises
        ------
        ImportError
            If narwhals is not installed.
        TypeError
            If `frame` is no data frame, or a column holds neither numbers, text nor times.
        ValueError
            If a number is infinite, or `frame` has no columns.
        """
        from cygrad.tables import frames

        return frames.table(frame)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    @property
    def kinds(self) -> dict[str, Kind]:
        """``"number"`` or ``"text"`` for each name."""
        return {name: column.kind for name, column in self._columns.items()}

    @property
    def gaps(self) -> dict[str, int]:
        """The number of gaps for each name."""
        return {name: int(column.is_gap.sum()) for name, column in self._columns.items()}

    def column(self, name: str) -> Column:
        """Return a column with all that is known of it."""
        try:
            return self._columns[name]
        except KeyError:
            known = ", ".join(self.names[:SHOWN_COLUMNS])
            more = "" if len(self.names) <= SHOWN_COLUMNS else f", … ({len(self.names)} in all)"
            raise KeyError(f"{self.source} has the columns {known}{more}; no {name!r}") from None

    def numbers(self, names: Sequence[str] | None = None) -> NDArray[np.float64]:
        """Return columns of numbers as an array of shape (rows, columns).

        All columns of numbers of a file, in their order, are not copied.

        Parameters
        ----------
        names : sequence of str or None
            Names of columns; None takes all columns of numbers.

        Raises
        ------
        TypeError
            If a column holds text.
        ValueError
            If there is no column.
        """
        numeric = [name for name, column in self._columns.items() if column.kind == "number"]
        chosen = numeric if names is None else list(names)
        if self._block is not None and chosen == numeric:
            return self._block
        if not chosen:
            raise ValueError(f"{self.source} has no columns of numbers, expected at least one")
        columns = []
        for name in chosen:
            column = self.column(name)
            if column.numbers is None:
                raise TypeError(f"column {name!r} of {self.source} is text, expected numbers")
            columns.append(column.numbers)
        return np.column_stack(columns)

    def select(self, names: Sequence[str]) -> Table:
        """Return a table of some columns, in the order of `names`; nothing is copied."""
        columns = [self.column(name) for name in names]
        block = None
        if [name for name in self.names if self._columns[name].kind == "number"] == [
            column.name for column in columns if column.kind == "number"
        ]:
            block = self._block
        return Table(columns, notes=self.notes, source=self.source, lines=self._lines, block=block)

    def rename(self, names: Mapping[str, str]) -> Table:
        """Return a table with new names, by the old ones, of some columns; nothing is copied."""
        for name in names:
            self.column(name)  # raises a KeyError
        columns = [
            replace(column, name=names.get(name, name)) for name, column in self._columns.items()
        ]
        return Table(
            columns, notes=self.notes, source=self.source, lines=self._lines, block=self._block
        )

    def with_columns(self, columns: Iterable[Column]) -> Table:
        """Return a table of other columns with the same rows, with notes and source of this one."""
        return Table(tuple(columns), notes=self.notes, source=self.source, lines=self._lines)

    def take(self, rows: Any) -> Table:
        """Return a table of some rows: a slice, numbers of rows, or a boolean for each row."""
        columns = [column.take(rows) for column in self._columns.values()]
        lines = None
        if self._lines is not None:
            lines = np.column_stack(
                [np.arange(len(columns[0])), self._lines_of(np.arange(len(self))[rows])]
            )
        return Table(columns, notes=self.notes, source=self.source, lines=lines)

    def locate(self, row: int, name: str | None = None) -> str:
        """Return where a row, counted from 0, comes from: file, line, column; for messages."""
        place = f"row {row}"
        if self._lines is not None:
            place = f"line {self._lines_of(np.array([row]))[0]}"
        if name is None:
            return f"{self.source}, {place}"
        return f"{self.source}, {place}, column {self.names.index(name) + 1} ({name})"

    def _lines_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self._lines is not None
        jump = np.searchsorted(self._lines[:, 0], rows, side="right") - 1
        lines: NDArray[np.int64] = self._lines[jump, 1] + rows - self._lines[jump, 0]
        return lines

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise TypeError(
            "a Table is no array, expected table.numbers(), or a network with an encoder"
        )

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.column(name).values

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __repr__(self) -> str:
        shown = ", ".join(repr(self._columns[name]) for name in self.names[:SHOWN_COLUMNS])
        more = len(self.names) - SHOWN_COLUMNS
        return (
            f"Table of {len(self)} rows: {shown}{f', … ({more} more columns)' if more > 0 else ''}"
        )


def is_table(data: object) -> bool:
    """Return whether data have named columns: a `Table`, a data frame, or a mapping of arrays."""
    if isinstance(data, Table | Mapping):
        return True
    return hasattr(type(data), "columns")  # of the class: that of a lazy frame would be computed


def as_table(data: Any) -> Table:
    """Return data with named columns as a `Table`."""
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        return Table.from_arrays(data)
    if is_table(data):
        return Table.from_frame(data)
    raise TypeError(
        f"table is a {type(data).__name__}, expected a Table, a data frame or a mapping of arrays"
    )


def rows_table(X: Any, name: str = "X") -> Table:
    """Return a table of an array, or of a list of rows: column_1, column_2, …"""
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
        array = np.array(X, object)  # NumPy would make text of the numbers in a list
    if not array.ndim and array.dtype == object:
        raise TypeError(
            f"{name} is a {type(X).__name__}, expected a table, a data frame, a mapping of arrays, "
            "or an array of shape (n, columns)"
        )
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}, expected (n, columns)")
    return Table.from_arrays(array)
