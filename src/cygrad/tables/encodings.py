"""Turn a column into inputs: as numbers, booleans, categories or dates, each with its gaps.

An encoding is learned from the training rows of a column and never changes. It gives `Part`s:
dense columns of inputs, or the position of the one input that is 1.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.tables import dates
from cygrad.tables.distinct import distinct_values
from cygrad.tables.scaling import Scaling
from cygrad.tables.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

BOOLEANS = {"false": 0.0, "true": 1.0}
SHOWN_WORDS = 3
#: The inputs of a date besides the year: the name of a part, and its number of values.
CYCLES = {"month": 12, "weekday": 7, "time": dates.DAY}

#: Returns where a row of a column comes from, for messages.
Locate = Callable[[int, str], str]


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the inputs of a column, for each row.

    Attributes
    ----------
    numbers : ndarray, shape (n, width), or None
    positions : ndarray of int, shape (n,), or None
        The input that is 1, from 0 to width − 1; −1 for none. The others are 0.
    width : int
    """

    numbers: Numbers | None
    positions: NDArray[np.int64] | None
    width: int


class Encoding(ABC):
    """The encoding of a column.

    Attributes
    ----------
    kind : str
        "number", "boolean", "category", "date" or "gaps".
    name : str
        Name of the column.
    has_gaps : bool
        Whether the column had gaps in the training: then an input is 1 in gaps, and 0 elsewhere.
    """

    kind: ClassVar[str]
    name: str
    has_gaps: bool

    @property
    @abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""

    @abstractmethod
    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        """Return the inputs of a column; `notes` gets what was filled in or is not known."""

    @abstractmethod
    def to_values(self) -> dict[str, Any]:
        """Return what was learned as values for JSON, without kind and name."""

    def _gap_names(self) -> tuple[str, ...]:
        return (f"{self.name}_gap",) if self.has_gaps else ()

    def _gap_parts(self, gaps: NDArray[np.bool_], notes: list[str]) -> list[Part]:
        if self.has_gaps:
            return [Part(gaps.astype(np.float64)[:, np.newaxis], None, 1)]
        count = int(gaps.sum())
        if count:
            notes.append(
                f"column {self.name!r}: {count} gaps are filled in, and there were none in the "
                "training"
            )
        return []


@dataclass(frozen=True)
class NumberEncoding(Encoding):
    """A number, scaled; 0 in gaps, which is the middle of the training numbers."""

    kind: ClassVar[str] = "number"
    name: str
    has_gaps: bool
    scaling: Scaling
    fill: float = 0.0

    @property
    def input_names(self) -> tuple[str, ...]:
        return (self.name, *self._gap_names())

    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        numbers = _numbers(column, locate)
        gaps = np.isnan(numbers)
        scaled = self.scaling.apply(numbers)
        scaled[gaps] = self.fill
        return [Part(scaled[:, np.newaxis], None, 1), *self._gap_parts(gaps, notes)]

    def to_values(self) -> dict[str, Any]:
        return {"scaling": self.scaling.to_values(), "fill": self.fill}

    @classmethod
    def from_values(cls, name: str, has_gaps: bool, values: Mapping[str, Any]) -> NumberEncoding:
        """Return the encoding of `to_values`, checked."""
        fill = checks.number(values["fill"], "fill")
        return cls(name, has_gaps, Scaling.from_values(values["scaling"]), fill)


@dataclass(frozen=True)
class BooleanEncoding(Encoding):
    """Numbers 0 and 1, or the words false and true: 2x − 1; other words 0; in gaps `fill`.

    With `scaling` that is scaled.
    """

    kind: ClassVar[str] = "boolean"
    name: str
    has_gaps: bool
    fill: float
    scaling: Scaling | None = None

    @property
    def input_names(self) -> tuple[str, ...]:
        return (self.name, *self._gap_names())

    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        gaps = column.is_gap
        if column.numbers is not None:
            numbers = 2 * column.numbers - 1
        else:
            assert column.codes is not None
            found = [BOOLEANS.get(word.lower(), math.nan) for word in column.words]
            known = np.array([*found, math.nan])
            numbers = 2 * known[column.codes] - 1
            unknown = np.isnan(numbers) & ~gaps
            if unknown.any():
                note_unseen(column, unknown, notes)
                numbers[unknown] = 0.0
        numbers[gaps] = self.fill
        if self.scaling is not None:
            numbers = self.scaling.apply(numbers)
        return [Part(numbers[:, np.newaxis], None, 1), *self._gap_parts(gaps, notes)]

    def to_values(self) -> dict[str, Any]:
        if self.scaling is None:
            return {"fill": self.fill}
        return {"fill": self.fill, "scaling": self.scaling.to_values()}

    @classmethod
    def from_values(cls, name: str, has_gaps: bool, values: Mapping[str, Any]) -> BooleanEncoding:
        """Return the encoding of `to_values`, checked."""
        scaling = Scaling.from_values(values["scaling"]) if "scaling" in values else None
        return cls(name, has_gaps, checks.number(values["fill"], "fill"), scaling)


@dataclass(frozen=True)
class CategoryEncoding(Encoding):
    """One input for each word, 1 where it occurs; one input, −1 or 1, if there are two words.

    Rare words have one input together. A word that the training had not has 0 in all inputs. In
    gaps the inputs are those of `fill`, the most frequent one.

    Attributes
    ----------
    words : tuple of str
        In ascending order.
    rare : tuple of str
        Words that share the last input.
    fill : int
        A position in `words`, or their number for the rare ones.
    scalings : tuple of Scaling
        One for each input; empty if the inputs are not scaled.
    """

    kind: ClassVar[str] = "category"
    name: str
    has_gaps: bool
    words: tuple[str, ...]
    rare: tuple[str, ...]
    fill: int
    scalings: tuple[Scaling, ...] = ()

    @property
    def is_pair(self) -> bool:
        """True if one input stands for two words."""
        return len(self.words) == 2 and not self.rare

    @property
    def input_names(self) -> tuple[str, ...]:
        words = self.words[1:] if self.is_pair else self.words
        names = [f"{self.name}={word}" for word in words]
        if self.rare:
            names.append(f"{self.name}=(rare)")
        return (*names, *self._gap_names())

    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        words, codes = words_and_codes(column)
        position = {word: index for index, word in enumerate(self.words)}
        position |= dict.fromkeys(self.rare, len(self.words))
        lookup = np.array([*(position.get(word, -1) for word in words), self.fill], np.int64)
        positions = lookup[codes]
        unseen = positions < 0
        if unseen.any():
            note_unseen(column, unseen, notes)
        if self.is_pair:
            values = np.array([-1.0, 1.0, 0.0])
            if self.scalings:
                values = self.scalings[0].apply(values)
            inputs = Part(values[positions][:, np.newaxis], None, 1)
        elif self.scalings:
            absent, present = (
                np.array([float(scaling.apply(np.array(value))) for scaling in self.scalings])
                for value in (0.0, 1.0)
            )
            numbers = np.tile(absent, (len(positions), 1))
            known = np.flatnonzero(~unseen)
            numbers[known, positions[known]] = present[positions[known]]
            inputs = Part(numbers, None, len(absent))
        else:
            inputs = Part(None, positions, len(self.words) + bool(self.rare))
        return [inputs, *self._gap_parts(codes < 0, notes)]

    def to_values(self) -> dict[str, Any]:
        values = {"words": list(self.words), "rare": list(self.rare), "fill": self.fill}
        if self.scalings:
            values["scalings"] = [scaling.to_values() for scaling in self.scalings]
        return values

    @classmethod
    def from_values(cls, name: str, has_gaps: bool, values: Mapping[str, Any]) -> CategoryEncoding:
        """Return the encoding of `to_values`, checked."""
        words, rare = names_of(values["words"], "words"), names_of(values["rare"], "rare")
        inputs = len(words) + bool(rare)
        if not inputs or len({*words, *rare}) < len(words) + len(rare):
            raise ValueError(f"words of column {name!r} are not different, or there are none")
        fill = checks.whole_number(values["fill"], "fill", 0, inputs - 1)
        scalings = tuple(Scaling.from_values(each) for each in values.get("scalings", ()))
        encoding = cls(name, has_gaps, words, rare, fill, scalings)
        if scalings and len(scalings) != (1 if encoding.is_pair else inputs):
            raise ValueError(f"scalings of column {name!r} are not one for each input")
        return encoding


@dataclass(frozen=True)
class DateEncoding(Encoding):
    """The year, standardised; month, day of the week and time of day as sine and cosine.

    In gaps all of them are 0. Parts that do not vary in the training are left out.

    Attributes
    ----------
    pattern : str or None
        The format of text, as in ``datetime.strptime``; None: ISO 8601.
    takes_numbers : bool
        Whether numbers that are no times count as seconds since 1970.
    year : Scaling or None
    cycles : tuple of {"month", "weekday", "time"}
    """

    kind: ClassVar[str] = "date"
    name: str
    has_gaps: bool
    pattern: str | None
    takes_numbers: bool
    year: Scaling | None
    cycles: tuple[str, ...]

    @property
    def input_names(self) -> tuple[str, ...]:
        names = [] if self.year is None else [f"{self.name}_year"]
        names += [f"{self.name}_{part}_{wave}" for part in self.cycles for wave in ("sin", "cos")]
        return (*names, *self._gap_names())

    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        seconds = dates.column_seconds(column, self.pattern, locate, self.takes_numbers)
        gaps = np.isnan(seconds)
        year, *others = dates.parts(seconds)
        numbers = np.empty((len(seconds), (self.year is not None) + 2 * len(self.cycles)))
        place = 0
        if self.year is not None:
            numbers[:, 0] = self.year.apply(year)
            place = 1
        for (part, period), values in zip(CYCLES.items(), others, strict=True):
            if part in self.cycles:
                angle = (2 * math.pi / period) * values
                numbers[:, place] = np.sin(angle)
                numbers[:, place + 1] = np.cos(angle)
                place += 2
        numbers[gaps] = 0.0
        inputs = [Part(numbers, None, numbers.shape[1])] if numbers.shape[1] else []
        return [*inputs, *self._gap_parts(gaps, notes)]

    def to_values(self) -> dict[str, Any]:
        return {
            "pattern": self.pattern,
            "takes_numbers": self.takes_numbers,
            "year": None if self.year is None else self.year.to_values(),
            "cycles": list(self.cycles),
        }

    @classmethod
    def from_values(cls, name: str, has_gaps: bool, values: Mapping[str, Any]) -> DateEncoding:
        """Return the encoding of `to_values`, checked."""
        pattern, year = values["pattern"], values["year"]
        if not isinstance(pattern, str | None):
            raise TypeError(f"pattern is {pattern!r}, expected a format or None")
        cycles = names_of(values["cycles"], "cycles")
        if [part for part in CYCLES if part in cycles] != list(cycles):
            raise ValueError(f"cycles is {cycles!r}, expected some of {', '.join(CYCLES)}")
        takes_numbers = checks.flag(values["takes_numbers"], "takes_numbers")
        scaling = None if year is None else Scaling.from_values(year)
        return cls(name, has_gaps, pattern, takes_numbers, scaling, cycles)


@dataclass(frozen=True)
class GapEncoding(Encoding):
    """1 in gaps, 0 elsewhere: of a column that has one value beside its gaps."""

    kind: ClassVar[str] = "gaps"
    name: str
    has_gaps: bool = True

    @property
    def input_names(self) -> tuple[str, ...]:
        return self._gap_names()

    def parts(self, column: Column, locate: Locate, notes: list[str]) -> list[Part]:
        return self._gap_parts(column.is_gap, notes)

    def to_values(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_values(cls, name: str, has_gaps: bool, values: Mapping[str, Any]) -> GapEncoding:
        """Return the encoding of `to_values`, checked."""
        if not has_gaps:
            raise ValueError(f"column {name!r} has one value and no gaps")
        return cls(name)


KINDS: dict[str, Any] = {
    each.kind: each
    for each in (NumberEncoding, BooleanEncoding, CategoryEncoding, DateEncoding, GapEncoding)
}


def names_of(values: Any, name: str) -> tuple[str, ...]:
    """Return a list of texts, from JSON, as a tuple, checked."""
    if not isinstance(values, list | tuple) or not all(isinstance(each, str) for each in values):
        raise TypeError(f"{name} is {values!r}, expected a list of texts")
    return tuple(values)


def words_and_codes(column: Column) -> tuple[Sequence[str], NDArray[Any]]:
    """Return the words of a column, numbers by their names, and codes into them, −1 in gaps."""
    if column.codes is not None:
        return column.words, column.codes
    assert column.numbers is not None
    distinct, codes = np.unique(column.numbers, return_inverse=True)  # NaN is the last, once
    if len(distinct) and np.isnan(distinct[-1]):
        codes = np.where(codes == len(distinct) - 1, -1, codes)
        distinct = distinct[:-1]
    return [number_name(number) for number in distinct.tolist()], codes


def number_name(number: float) -> str:
    """Return a number as a name: 1 and 1.0 are the same."""
    return str(int(number)) if number.is_integer() else str(number)


def note_unseen(column: Column, rows: NDArray[np.bool_], notes: list[str]) -> None:
    """Note the values of a column in `rows`, which the training did not have."""
    words, codes = words_and_codes(column)
    found = distinct_values(codes[rows]).tolist()
    shown = ", ".join(repr(words[code]) for code in found[:SHOWN_WORDS])
    more = ", …" if len(found) > SHOWN_WORDS else ""
    values = "value was" if rows.sum() == 1 else "values were"
    notes.append(
        f"column {column.name!r}: {int(rows.sum())} {values} not in the training ({shown}{more})"
    )


def _numbers(column: Column, locate: Locate) -> Numbers:
    """Return the numbers of a column, or of one without any value."""
    if column.numbers is not None:
        return column.numbers
    assert column.codes is not None
    present = np.flatnonzero(column.codes >= 0)
    if len(present):
        row = int(present[0])
        word = column.words[column.codes[row]]
        raise TypeError(
            f"{locate(row, column.name)} is {word!r}, expected numbers as in the training"
        )
    return np.full(len(column.codes), np.nan)
