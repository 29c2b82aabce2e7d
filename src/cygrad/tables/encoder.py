"""`Encoder`: from the columns of a table to the inputs and targets of a network.

Everything is learned from the rows given to `fit`, and from nothing else. `learning` decides what a
column is, `encodings` and `scaling` have the inputs, `joining` puts them side by side,
`target_encoding` has the targets. Networks keep a fitted encoder and save it (`Network.encoder`).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks
from cygrad.tables import learned_values, target_encoding
from cygrad.tables.columns import check_names, column_names, complete_rows, shortened
from cygrad.tables.description import DescribedColumn, Description
from cygrad.tables.distinct import distinct_values
from cygrad.tables.encodings import (
    CategoryEncoding,
    Encoding,
    names_of,
    words_and_codes,
)
from cygrad.tables.joining import compressed_rows, dense_rows
from cygrad.tables.learning import ROW_NUMBERS, UNIQUE_TEXT, Choices, LearnedColumn, learn, notes_of
from cygrad.tables.samples import TASKS, Task
from cygrad.tables.scaling import METHODS
from cygrad.tables.sparse_rows import SPARSE_INPUTS, SPARSE_SHARE
from cygrad.tables.table import Table, as_table, is_table, rows_table
from cygrad.tables.target_encoding import SCALES, ClassTarget, QuantityTargets

if TYPE_CHECKING:
    from numpy.typing import NDArray

Names = Sequence[str | int]

# From here on a training is faster with compressed rows: by half with 100 inputs, of which 14 are
# stored, 64 units and batches of 256, and no slower with 32 of each.
FASTER_SPARSE_INPUTS = 64
FASTER_SPARSE_SHARE = 6


class Encoder:
    """The way from the columns of a table to the inputs of a network, learned from training rows.

    - **Numbers** are standardised, see `numbers`; a column of 0 and 1, or of the words false and
      true, has the input −1 or 1.
    - **Text**, and what is in `categorical`, has one input for each word, which is 1 where the word
      occurs and else 0; of two words, one input that is −1 or 1. Words that the training did not
      have are 0 in all inputs, and are reported.
    - **Dates**, which are text of ISO 8601, times of a data frame, and what is in `dates`, have the
      year, standardised, and month, day of the week and seconds of the day as sine and cosine.
    - **Gaps** get the middle of the numbers (0 as an input), or the most frequent word. A column
      that had gaps in the training has one more input, which is 1 in gaps.
    - **Left out** are columns with one value, numbers of rows (different whole numbers from 0 to
      less than twice the number of rows), and text that is different in each row; the latter two
      with a warning, and only if there are other columns.

    Parameters
    ----------
    target : str, int, sequence of them, or None
        The column to predict, by its name, or its number from 1 on, −1 for the last; several
        columns are quantities.
    task : {"auto", "classification", "regression"}
        "auto" takes text, and whole numbers with few different values, for the names of classes:
        at most 20 that occur twice on average, or at most 100 from 0 or 1 on, without a gap, that
        occur 20 times each.
    classes : sequence of str or None
        Names of the classes in the order of their indices, where the training rows may lack some.
        None: those of the training rows, in ascending order.
    target_scale : {"standard", "log", "log1p", "none"}
        Quantities are standardised by mean and deviation of the training rows; before that "log"
        takes their logarithm, "log1p" ln(1 + y). "none" leaves them, as the loss poisson needs it.
    columns : sequence of str or int, or None
        The only columns that become inputs. None: all but the targets.
    drop : sequence of str or int
        Columns that do not become inputs.
    keep : sequence of str or int
        Columns that are not left out, whatever they seem to be.
    categorical : sequence of str or int
        Columns of numbers, or of dates, that are categories.
    dates : sequence of str or int, or mapping of them to str or None
        Columns that are dates; a format is that of ``datetime.strptime``, as in
        ``{"day": "%d.%m.%Y"}``, and None ISO 8601. Numbers are seconds since 1970.
    numbers : {"standard", "robust", "quantile", "quantile_uniform", "none"}
        How numbers are scaled: see Notes.
    categories : {"plain", "robust"}
        How the inputs of words and of booleans are scaled: "plain" leaves them at 0, 1 and −1,
        "robust" scales each as a number is with ``numbers="robust"``: an input that is 1 in less
        than a quarter of the rows becomes 1.66 where it is 1, as in RealMLP.
    min_count : int
        Words in fewer training rows have one input together.
    sparse : bool or "auto"
        Whether `transform` gives compressed rows (CSR), which the first layer reads faster if most
        inputs are 0. "auto": with 256 inputs or more, of which a row has at most one in 16.
    dtype : {"float32", "float64"}
        The type of the inputs.
    array_columns : int or None
        With a number, arrays of shape (n, `array_columns`) stand for tables with the columns
        column_1, column_2, …, here and for a network with this encoder. None: only tables do, and
        arrays are encoded inputs for the network.

    Attributes
    ----------
    notes : tuple of str
        What was guessed, with the argument that decides it, and what was left out.

    Notes
    -----
    With x̄ and s, median and quartiles of the training rows,
    "standard" is (x − x̄) / s; "robust" is z / √(1 + (z / 3)²) with z = (x − median) / (q₇₅ − q₂₅),
    or with half the range where the quartiles are equal, as in RealMLP; "quantile" is the quantile
    of the normal distribution for the share of smaller training numbers, "quantile_uniform" that of
    the uniform distribution with variance 1.

    Examples
    --------
    >>> import cygrad as cg
    >>> table = cg.tables.Table.from_arrays({
    ...     "size": [1.0, 2.0, None, 3.0], "color": ["red", "blue", "red", "green"],
    ...     "kind": ["a", "b", "a", "b"]})
    >>> encoder = cg.tables.Encoder(target="kind").fit(table)
    >>> encoder.input_names
    ('size', 'size_gap', 'color=blue', 'color=green', 'color=red')
    >>> encoder.transform(table).round(2).tolist()[2]
    [0.0, 1.0, 0.0, 0.0, 1.0]
    >>> encoder.targets(table), encoder.classes
    (array([0, 1, 0, 1]), ('a', 'b'))
    """

    def __init__(
        self,
        target: str | int | Names | None = None,
        *,
        task: Task = "auto",
        classes: Sequence[str] | None = None,
        target_scale: str = "standard",
        columns: Names | None = None,
        drop: Names = (),
        keep: Names = (),
        categorical: Names = (),
        dates: Names | Mapping[str | int, str | None] = (),
        numbers: str = "standard",
        categories: str = "plain",
        min_count: int = 1,
        sparse: bool | Literal["auto"] = "auto",
        dtype: str = "float32",
        array_columns: int | None = None,
    ) -> None:
        single = isinstance(target, str | int) and not isinstance(target, bool)
        self._target = (
            None if target is None else check_names([target] if single else target, "target")
        )
        if self._target is not None and not self._target:
            raise ValueError("target is empty, expected at least one column, or None")
        self._task: Any = checks.one_of(task, "task", TASKS)
        self._classes = None if classes is None else names_of(classes, "classes")
        if self._classes is not None and len({*self._classes}) < max(2, len(self._classes)):
            raise ValueError(f"classes is {classes!r}, expected two or more different names")
        self._target_scale = checks.one_of(target_scale, "target_scale", SCALES)
        self._columns = None if columns is None else check_names(columns, "columns")
        self._drop, self._keep = check_names(drop, "drop"), check_names(keep, "keep")
        self._categorical = check_names(categorical, "categorical")
        given = dates.items() if isinstance(dates, Mapping) else ((key, None) for key in dates)
        self._dates = dict(given)
        check_names(list(self._dates), "dates")
        for key, pattern in self._dates.items():
            if not isinstance(pattern, str | None):
                raise TypeError(f"dates[{key!r}] is {pattern!r}, expected a format or None")
        self._numbers = checks.one_of(numbers, "numbers", METHODS)
        self._categories = checks.one_of(categories, "categories", ("plain", "robust"))
        self._min_count = checks.whole_number(min_count, "min_count")
        self._sparse: Any = sparse if sparse == "auto" else checks.flag(sparse, "sparse")
        self._dtype = checks.one_of(dtype, "dtype", checks.DTYPES)
        if array_columns is not None:
            array_columns = checks.whole_number(array_columns, "array_columns")
        self._array_columns = array_columns
        self.notes: tuple[str, ...] = ()
        self._learned: tuple[LearnedColumn, ...] | None = None
        self._targets: ClassTarget | QuantityTargets | None = None
        self._target_counts: tuple[tuple[int, int], ...] = ()  # gaps and different values

    # Learning

    def fit(self, table: Any) -> Encoder:
        """Learn from the training rows, and from nothing else; return the encoder.

        Rows without a target are passed over, with a note.

        Parameters
        ----------
        table : Table, data frame, or mapping of str to array

        Raises
        ------
        TypeError, ValueError
            If there is no such column, no row with targets, or no input.

        Warns
        -----
        UserWarning
            If row numbers or unique texts are left out; it names them.
        """
        table = as_table(table)
        notes: list[str] = []
        target_names = [] if self._target is None else column_names(table, self._target, "target")
        chosen = self._input_columns(table, target_names)
        counts: list[tuple[int, int]] = []
        if target_names:
            gaps = [int(table.column(name).is_gap.sum()) for name in target_names]
            complete = complete_rows(table, target_names)
            count = len(table) - len(complete)
            if count:
                notes.append(f"left out: {count} rows without a target")
                table = complete
        if not len(table):
            raise ValueError(f"{table.source} has no rows{' with targets' * bool(target_names)}")
        targets = None
        if target_names:
            columns = [table.column(name) for name in target_names]
            targets = target_encoding.learn_targets(
                columns, self._task, self._target_scale, table.locate, notes, self._classes
            )
            distinct = [len(distinct_values(words_and_codes(column)[1])) for column in columns]
            counts = list(zip(gaps, distinct, strict=True))
        choices = Choices(
            self._numbers,
            self._min_count,
            column_names(table, self._categorical, "categorical"),
            dict(zip(column_names(table, self._dates, "dates"), self._dates.values(), strict=True)),
            column_names(table, self._keep, "keep"),
            self._categories,
        )
        learned = [learn(table.column(name), choices, table.locate) for name in chosen]
        ids = [each.name for each in learned if each.reason in (ROW_NUMBERS, UNIQUE_TEXT)]
        if ids and not any(each.encoding is not None for each in learned):
            # Nothing else is there to learn from: then they are meant.
            choices = replace(choices, keep={*choices.keep, *ids})
            learned = [learn(table.column(name), choices, table.locate) for name in chosen]
            notes.append(f"kept: {', '.join(map(repr, ids))}, though only numbers of rows")
            ids = []
        notes += notes_of(learned)
        if not any(each.encoding is not None for each in learned):
            reasons = ", ".join(f"{each.name!r}: {each.reason}" for each in learned)
            reasons = reasons or "none is left beside the targets"
            raise ValueError(f"{table.source} has no column that can be an input ({reasons})")
        self._learned, self._targets, self.notes = tuple(learned), targets, tuple(notes)
        self._target_counts = tuple(counts)
        if ids:
            warnings.warn(
                f"left out, as they only number the rows: {', '.join(map(repr, ids))}; keep= "
                "makes inputs of them",
                stacklevel=2,
            )
        return self

    def _input_columns(self, table: Table, targets: list[str]) -> list[str]:
        given = list(table.names)
        if self._columns is not None:
            given = column_names(table, self._columns, "columns")
        dropped = column_names(table, self._drop, "drop")
        for name in column_names(table, self._keep, "keep"):
            if name in dropped:
                raise ValueError(f"column {name!r} is in keep and in drop")
        return [name for name in given if name not in targets and name not in dropped]

    # Use

    def transform(
        self, table: Any, notes: list[str] | None = None, *, sparse: bool | None = None
    ) -> Any:
        """Return the inputs of a network for each row.

        Parameters
        ----------
        table : Table, data frame, or mapping of str to array
            The columns of the training, in any order; others are ignored. With `array_columns` also
            an array of that many columns.
        notes : list or None
            Gets what was not known from the training: unseen words, and gaps in columns that had
            none. None: a warning has it.
        sparse : bool or None
            Whether the rows are compressed. None: as the argument of the encoder says.

        Returns
        -------
        ndarray or SparseRows, shape (n, inputs)

        Raises
        ------
        ValueError
            If columns are missing; the message lists them. If text is no date.
        TypeError
            If a column that had numbers is text.
        RuntimeError
            If the encoder is not fitted.
        """
        table = self._as_table(table)
        encodings = self._encodings()
        missing = [each.name for each in encodings if each.name not in table]
        if missing:
            raise ValueError(
                f"{table.source} lacks the columns {shortened(missing)}; it has "
                f"{shortened(table.names)}"
            )
        found: list[str] = []
        parts = [
            part
            for each in encodings
            for part in each.parts(table.column(each.name), table.locate, found)
        ]
        if notes is not None:
            notes += found
        elif found:
            warnings.warn(f"{table.source}: {'; '.join(found)}", stacklevel=2)
        shape = len(table), self.inputs
        dtype = np.dtype(self._dtype)
        with np.errstate(over="ignore"):  # the network names the row of an infinite input
            is_sparse = self.is_sparse if sparse is None else checks.flag(sparse, "sparse")
            return (compressed_rows if is_sparse else dense_rows)(parts, shape, dtype)

    def targets(self, table: Any) -> NDArray[Any]:
        """Return the targets of each row, as a network learns them.

        Returns
        -------
        ndarray
            Class indices, int64, shape (n,), into `classes`; or standardised quantities, float64,
            shape (n,) or (n, targets).

        Raises
        ------
        ValueError
            If a row has no target (`with_targets` leaves those out) or an unknown class.
        """
        table = as_table(table)
        encoding = self._target_encoding()
        missing = [name for name in encoding.names if name not in table]
        if missing:
            raise ValueError(f"{table.source} lacks the target {shortened(missing)}")
        return encoding.encode([table.column(name) for name in encoding.names], table.locate)

    def with_targets(self, table: Any) -> Table:
        """Return the rows that have all targets."""
        return complete_rows(as_table(table), self._target_encoding().names)

    def target_array(self, y: Any) -> NDArray[Any]:
        """Return targets that are given beside a table, as a network learns them.

        Parameters
        ----------
        y : array_like, shape (n,) or (n, targets)
            What the columns of the targets would hold: names of classes, or quantities.
        """
        names = self._target_encoding().names
        if isinstance(y, Table) or hasattr(y, "columns"):
            return self.targets(y)
        array = np.asarray(y)
        columns = [y] if array.ndim == 1 else list(array.T)
        if len(columns) != len(names):
            raise ValueError(f"y has {len(columns)} columns, expected {len(names)}")
        return self.targets(dict(zip(names, columns, strict=True)))

    def decode(self, predicted: NDArray[Any], *, moments: bool = False) -> NDArray[Any]:
        """Return what a network predicts as names of classes, or in the unit of the quantities.

        Parameters
        ----------
        predicted : ndarray
            Class indices, shape (n,), or outputs, shape (n, k).
        moments : bool
            Whether the second half of the outputs are logarithms of variances.

        Returns
        -------
        ndarray
            Names of classes as objects str, or numbers or booleans if the column has these, (n,);
            quantities, float64, shape (n,) for one output, (n, k) for several.
        """
        encoding = self._target_encoding()
        if isinstance(encoding, ClassTarget):
            return encoding.decode(predicted)
        return encoding.decode(predicted, moments=moments)

    def describe(self) -> Description:
        """Return a table of the columns: what each was taken for, its inputs, gaps and values."""
        self._encodings()
        assert self._learned is not None
        rows = [
            DescribedColumn(
                each.name,
                f"left out: {each.reason}" if each.encoding is None else each.encoding.kind,
                0 if each.encoding is None else len(each.encoding.input_names),
                each.gaps,
                each.distinct,
            )
            for each in self._learned
        ]
        what = "quantity" if self.classes is None else "classes"
        rows += [
            DescribedColumn(name, f"target: {what}", 0, gaps, distinct)
            for name, (gaps, distinct) in zip(self.target_names, self._target_counts, strict=True)
        ]
        return Description(rows)

    # Properties

    @property
    def is_fitted(self) -> bool:
        """True after `fit`."""
        return self._learned is not None

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return len(self.input_names)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs: of columns, as in size, color=red, day_month_sin, size_gap."""
        return tuple(name for each in self._encodings() for name in each.input_names)

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """The encoding of each column that became inputs."""
        return tuple(self._encodings())

    @property
    def target_encoding(self) -> ClassTarget | QuantityTargets | None:
        """The encoding of the targets; None without a target."""
        self._encodings()
        return self._targets

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that became inputs."""
        return tuple(each.name for each in self._encodings())

    @property
    def chooses_columns(self) -> bool:
        """True if `columns` or `drop` leave out columns of the training."""
        return self._columns is not None or bool(self._drop)

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the columns to predict; none without a target."""
        self._encodings()
        return () if self._targets is None else self._targets.names

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, in the order of their indices; None for quantities."""
        self._encodings()
        return self._targets.classes if isinstance(self._targets, ClassTarget) else None

    @property
    def outputs(self) -> int:
        """Number of outputs for the targets: one for each class or quantity."""
        classes = self.classes
        return len(self.target_names) if classes is None else len(classes)

    @property
    def numbers(self) -> str:
        """The argument `numbers`: how numbers are scaled."""
        return self._numbers

    @property
    def array_columns(self) -> int | None:
        """The argument `array_columns`: the columns of arrays that stand for tables, or None."""
        return self._array_columns

    @property
    def scales_targets(self) -> bool:
        """True if quantities are learned in another unit than that of the table."""
        self._encodings()
        return isinstance(self._targets, QuantityTargets) and self._targets.scale != "none"

    @property
    def takes_logarithms(self) -> bool:
        """True if logarithms of the quantities are learned."""
        self._encodings()
        return isinstance(self._targets, QuantityTargets) and self._targets.scale.startswith("log")

    @property
    def dtype(self) -> str:
        """The dtype of the inputs."""
        return self._dtype

    @property
    def is_sparse(self) -> bool:
        """True if `transform` gives compressed rows."""
        if self._sparse != "auto":
            return bool(self._sparse)
        return self._has_mostly_zeros(SPARSE_INPUTS, SPARSE_SHARE)

    @property
    def trains_faster_sparse(self) -> bool:
        """True if a network whose first layer is dense learns faster from compressed rows."""
        return self._has_mostly_zeros(FASTER_SPARSE_INPUTS, FASTER_SPARSE_SHARE)

    def _has_mostly_zeros(self, least: int, share: int) -> bool:
        """Return whether there are so many inputs, of which a row stores at most one in `share`."""
        stored = 0
        for each in self._encodings():
            width = len(each.input_names) - each.has_gaps
            is_one_hot = isinstance(each, CategoryEncoding) and not each.scalings
            stored += 1 if is_one_hot else width
        return self.inputs >= least and stored * share <= self.inputs

    # Files and copies

    def config(self) -> dict[str, Any]:
        """Return arguments and what was learned as values for JSON; floats keep their bits."""
        self._encodings()
        assert self._learned is not None
        return {
            "arguments": {
                "target": None if self._target is None else list(self._target),
                "task": self._task,
                "classes": None if self._classes is None else list(self._classes),
                "target_scale": self._target_scale,
                "columns": None if self._columns is None else list(self._columns),
                "drop": list(self._drop),
                "keep": list(self._keep),
                "categorical": list(self._categorical),
                "dates": [[key, pattern] for key, pattern in self._dates.items()],
                "numbers": self._numbers,
                "min_count": self._min_count,
                "sparse": self._sparse,
                "dtype": self._dtype,
                # Files of encoders without these keep their form.
                **({} if self._array_columns is None else {"array_columns": self._array_columns}),
                **({} if self._categories == "plain" else {"categories": self._categories}),
            },
            **learned_values.to_values(self._learned, self._targets, self._target_counts),
            "notes": list(self.notes),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Encoder:
        """Return the encoder of `config`, after a check of all that it holds.

        Raises
        ------
        KeyError, TypeError, ValueError
            If something is missing, or not as described.
        """
        arguments = dict(config["arguments"])
        arguments["dates"] = {key: pattern for key, pattern in arguments["dates"]}
        encoder = cls(**arguments)
        learned, targets, counts = learned_values.from_values(config)
        encoder.notes = names_of(config["notes"], "notes")
        encoder._learned, encoder._targets, encoder._target_counts = learned, targets, counts
        return encoder

    def copy(self) -> Encoder:
        """Return an encoder that has learned the same."""
        return copy.copy(self)  # what it has learned never changes: `fit` replaces it

    def of_tables(self) -> Encoder:
        """Return an encoder that has learned the same, for which no array stands for a table."""
        encoder = self.copy()
        encoder._array_columns = None
        return encoder

    def __repr__(self) -> str:
        if not self.is_fitted:
            return "Encoder, not fitted"
        target = ", ".join(self.target_names) or "no target"
        return f"Encoder of {len(self.columns)} columns to {self.inputs} inputs ({target})"

    def _encodings(self) -> list[Encoding]:
        if self._learned is None:
            raise RuntimeError("the encoder is not fitted, expected fit(table) before")
        return [each.encoding for each in self._learned if each.encoding is not None]

    def _as_table(self, data: Any) -> Table:
        if self._array_columns is None or is_table(data):
            return as_table(data)
        table = rows_table(data)
        if len(table.names) != self._array_columns:
            raise ValueError(
                f"X has {len(table.names)} columns, expected {self._array_columns} as in the "
                "training"
            )
        return table

    def _target_encoding(self) -> ClassTarget | QuantityTargets:
        self._encodings()
        if self._targets is None:
            raise ValueError("the encoder has no target, expected Encoder(target=...)")
        return self._targets
