"""Decide what each column of the training rows is, and learn its encoding.

A column is left out if it cannot help: constants, and numbers of rows and unique texts, which a
network can only learn by heart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cygrad.records import dataclass
from cygrad.tables import dates
from cygrad.tables.distinct import distinct_values
from cygrad.tables.encodings import (
    BOOLEANS,
    CYCLES,
    BooleanEncoding,
    CategoryEncoding,
    DateEncoding,
    Encoding,
    GapEncoding,
    Locate,
    NumberEncoding,
    words_and_codes,
)
from cygrad.tables.scaling import Scaling, is_rounding, learned, learned_of_indicator
from cygrad.tables.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns with fewer values are not taken for numbers of rows, or for unique texts.
LEAST_ROW_NUMBERS = 20
LEAST_UNIQUE_TEXTS = 10
#: A column with more inputs than this gets a note.
MANY_INPUTS = 1000

ROW_NUMBERS = "row numbers"
UNIQUE_TEXT = "unique text"


@dataclass(frozen=True)
class Choices:
    """The caller's choices for all columns; see `Encoder`."""

    numbers: str
    min_count: int
    categorical: Collection[str]
    dates: Mapping[str, str | None]
    keep: Collection[str]
    categories: str = "plain"


@dataclass(frozen=True)
class LearnedColumn:
    """A column and the inputs that it became.

    Attributes
    ----------
    name : str
    encoding : Encoding or None
        None if the column is left out.
    reason : str
        Why it is left out; empty otherwise.
    gaps, distinct : int
        Counts in the training rows; gaps are no value.
    formats : sequence of str
        Those of dates that its words have, though it was not taken for dates.
    """

    name: str
    encoding: Encoding | None
    reason: str
    gaps: int
    distinct: int
    formats: Sequence[str] = ()


def learn(column: Column, choices: Choices, locate: Locate) -> LearnedColumn:
    """Learn the encoding of a column from its training rows."""
    name = column.name
    gaps = column.is_gap
    count = int(gaps.sum())
    kept = name in choices.keep
    if count == len(gaps):
        return LearnedColumn(name, None, "no values", count, 0)
    is_category = name in choices.categorical
    if name in choices.dates or (column.is_time and not is_category):
        return _dates(column, gaps, choices.dates.get(name), name in choices.dates, locate)
    if column.numbers is not None and not is_category:
        present = column.numbers[~gaps]
        distinct = distinct_values(present)
        reason = "" if kept else _reason_of_numbers(present, distinct, count)
        encoding = None if reason else _number_encoding(name, present, distinct, count, choices)
        return LearnedColumn(name, encoding, reason, count, len(distinct))
    words, codes = words_and_codes(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    used = {words[code]: int(counts[code]) for code in np.flatnonzero(counts).tolist()}
    if not is_category and dates.are_dates(list(used)):
        return _dates(column, gaps, None, False, locate)
    rows = len(gaps) - count
    reason = ""
    if len(used) == 1 and not count:
        reason = "constant"
    elif len(used) == rows >= LEAST_UNIQUE_TEXTS:
        reason = UNIQUE_TEXT
    elif max(used.values()) < choices.min_count and not count:
        reason = f"no value in {choices.min_count} rows"
    if kept:
        reason = ""
    encoding = None if reason else _category_encoding(name, used, count, is_category, choices)
    formats = () if is_category else dates.formats_of(list(used))
    return LearnedColumn(name, encoding, reason, count, len(used), formats)


def notes_of(columns: Sequence[LearnedColumn]) -> list[str]:
    """Return notes on columns that are left out, may be dates, or became many inputs."""
    notes = []
    for each in columns:
        if each.formats:
            notes.append(
                f"column {each.name!r} was taken for text, and looks like dates of the format "
                f"{' or '.join(each.formats)} (dates=)"
            )
        if each.reason:
            notes.append(f"left out: column {each.name!r}, {each.reason} (keep=)")
        elif each.encoding is not None and len(each.encoding.input_names) > MANY_INPUTS:
            notes.append(
                f"column {each.name!r} became {len(each.encoding.input_names)} inputs "
                "(min_count= joins rare words, drop= leaves it out)"
            )
    return notes


def _reason_of_numbers(
    present: NDArray[np.float64], distinct: NDArray[np.float64], gaps: int
) -> str:
    """Return why a column of numbers cannot help, or an empty text."""
    rows = len(present)
    if len(distinct) == 1:
        return "" if gaps else "constant"
    spread = float(distinct[-1]) - float(distinct[0])  # floats overflow without a warning
    if not gaps and spread < 1e-9 * abs(float(distinct[0])):  # few columns need the exact answer
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(present.mean())
            if is_rounding(rows, mean, float(np.square(present - mean).mean())):
                return "constant"
    is_dense = distinct[0] >= 0 and distinct[-1] < 2 * rows
    if (
        len(distinct) == rows >= LEAST_ROW_NUMBERS
        and not gaps
        and is_dense
        and (distinct == np.floor(distinct)).all()
    ):
        return ROW_NUMBERS
    return ""


def _number_encoding(
    name: str,
    present: NDArray[np.float64],
    distinct: NDArray[np.float64],
    gaps: int,
    choices: Choices,
) -> Encoding:
    if len(distinct) == 1 and gaps:
        return GapEncoding(name)
    if distinct.tolist() == [0.0, 1.0] and choices.numbers != "none":
        ones = int(present.sum())
        return _boolean_encoding(name, ones, len(present), gaps, 2 * ones > len(present), choices)
    scaling = learned(present, choices.numbers, name)
    fill = float(present.mean()) if choices.numbers == "none" else 0.0
    return NumberEncoding(name, gaps > 0, scaling, fill)


def _category_encoding(
    name: str, used: Mapping[str, int], gaps: int, is_category: bool, choices: Choices
) -> Encoding:
    """Return the encoding of words with their counts."""
    if len(used) == 1 and gaps:
        return GapEncoding(name)
    rows = sum(used.values())
    if len(used) == 2 and {word.lower() for word in used} == BOOLEANS.keys() and not is_category:
        ones = sum(used[word] for word in used if word.lower() == "true")
        fills_one = max(sorted(used), key=lambda word: used[word]).lower() == "true"
        return _boolean_encoding(name, ones, rows, gaps, fills_one, choices)
    # Numbers that are categories stay in the order of their names: files have them as text, too.
    words = sorted(word for word in used if used[word] >= choices.min_count)
    rare = sorted(word for word in used if used[word] < choices.min_count)
    counts = [used[word] for word in words]
    if rare:
        counts.append(sum(used[word] for word in rare))
    fill = int(np.argmax(counts))
    encoding = CategoryEncoding(name, gaps > 0, tuple(words), tuple(rare), fill)
    if choices.categories == "plain":
        return encoding
    counts[fill] += gaps  # of the inputs of all rows
    scalings = [learned_of_indicator(count, rows + gaps) for count in counts]
    if encoding.is_pair:
        scalings = [_of_signs(scalings[1])]
    return replace(encoding, scalings=tuple(scalings))


def _boolean_encoding(
    name: str, ones: int, rows: int, gaps: int, fills_one: bool, choices: Choices
) -> BooleanEncoding:
    scaling = None
    if choices.categories == "robust":
        scaling = _of_signs(learned_of_indicator(ones + gaps * fills_one, rows + gaps))
    return BooleanEncoding(name, gaps > 0, 1.0 if fills_one else -1.0, scaling)


def _of_signs(scaling: Scaling) -> Scaling:
    """Return the scaling of 2x − 1 that has the values of that of x."""
    return replace(scaling, center=2 * scaling.center - 1, scale=2 * scaling.scale)


def _dates(
    column: Column,
    gaps: NDArray[np.bool_],
    pattern: str | None,
    takes_numbers: bool,
    locate: Locate,
) -> LearnedColumn:
    seconds = dates.column_seconds(column, pattern, locate, takes_numbers)
    present = seconds[~gaps]
    count, distinct = int(gaps.sum()), len(distinct_values(present))
    years, *others = dates.parts(present)
    year = None if years.min() == years.max() else learned(years, "standard", column.name)
    cycles = tuple(
        part for part, values in zip(CYCLES, others, strict=True) if values.min() != values.max()
    )
    if year is None and not cycles and not count:
        return LearnedColumn(column.name, None, "constant", count, distinct)
    if year is None and not cycles:
        return LearnedColumn(column.name, GapEncoding(column.name), "", count, distinct)
    encoding = DateEncoding(column.name, count > 0, pattern, takes_numbers, year, cycles)
    return LearnedColumn(column.name, encoding, "", count, distinct)
