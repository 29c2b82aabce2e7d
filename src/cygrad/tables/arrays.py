"""Columns of a table from arrays and lists: their type is known, so only None and NaN are gaps."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.tables.dates import seconds_of_date
from cygrad.tables.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS: tuple[type, ...] = (Real, Decimal, np.bool_)
OTHERS: tuple[tuple[tuple[type, ...], str], ...] = (((str, bytes), "text"), ((date,), "dates"))
KINDS = "numbers, text or dates, all of one kind"
EXACT = 2**53  # of the whole numbers up to here, each is a double


def table(arrays: Any, names: Sequence[str] | None) -> Table:
    """Return a table of arrays; see `Table.from_arrays`."""
    if isinstance(arrays, Mapping):
        if names is not None:
            raise ValueError("names are given, but arrays has names already")
        names, parts = list(arrays), list(arrays.values())
    elif isinstance(arrays, np.ndarray):
        if arrays.ndim != 2:
            raise ValueError(f"arrays has shape {arrays.shape}, expected (rows, columns)")
        parts = list(arrays.T)
    else:
        parts = list(arrays)
    if not parts:
        raise ValueError("arrays is empty, expected at least one column")
    if names is None:
        names = [f"column_{number}" for number in range(1, len(parts) + 1)]
    if len(names) != len(parts):
        raise ValueError(f"names has {len(names)} names, expected {len(parts)}")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the name of a column is {name!r}, expected text")
    notes: list[str] = []
    columns = [column(name, part, notes) for name, part in zip(names, parts, strict=True)]
    lengths = {one.name: len(one) for one in columns}
    for name, length in lengths.items():
        if length != len(columns[0]):
            raise ValueError(
                f"column {name!r} has {length} rows, expected {len(columns[0])} "
                f"as in column {columns[0].name!r}"
            )
    return Table(columns, notes=notes, source="arrays")


def column(name: str, values: Any, notes: list[str]) -> Column:
    """Return the column of an array or a list; `notes` gets what was changed."""
    masked = sys.modules.get("numpy.ma")  # who has a masked array has imported it; we do not
    mask = None
    if masked is not None and isinstance(values, masked.MaskedArray):
        mask = masked.getmaskarray(values)
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind in "US" and not isinstance(values, np.ndarray):
        array = np.array(values, object)  # NumPy would make text of the numbers in a list
    if array.ndim != 1:
        raise ValueError(f"column {name!r} has shape {array.shape}, expected one dimension")
    kind = array.dtype.kind
    if kind in "biuf":
        return numbers(name, array, mask, notes)
    if kind in "mM":
        return times(name, array, mask, notes)
    if kind in "US":
        return text(name, array.tolist(), mask)
    if kind in "OT":
        return objects(name, array.tolist(), mask, notes)
    raise TypeError(f"column {name!r} has dtype {array.dtype}, expected numbers or text")


def numbers(
    name: str, array: NDArray[Any], gaps: NDArray[np.bool_] | None, notes: list[str]
) -> Column:
    """Return a column of numbers: NaN where `gaps` is True."""
    result = np.array(array, np.float64)
    if gaps is not None:
        result[gaps] = np.nan
    infinite = np.isinf(result)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"column {name!r} holds {array[row]} in row {row}, expected finite numbers"
        )
    if array.dtype.kind in "iu" and len(array):
        least, most = int(array.min()), int(array.max())
        if least < -EXACT or most > EXACT:
            notes.append(f"column {name!r}: whole numbers beyond 2**53 are rounded")
    return Column(name, result, is_boolean=array.dtype.kind == "b")


def times(
    name: str, array: NDArray[Any], gaps: NDArray[np.bool_] | None, notes: list[str]
) -> Column:
    """Return times as seconds since 1970 (UTC), or durations as seconds."""
    is_duration = array.dtype.kind == "m"
    unit = np.datetime_data(array.dtype)[0]
    if unit in ("generic", "Y", "M") and is_duration:
        raise TypeError(f"column {name!r} has dtype {array.dtype}, expected a unit of fixed length")
    missing = np.isnat(array)
    if gaps is not None:
        missing |= gaps
    zero = array.dtype.type(0, "s")
    step = np.timedelta64(1, "s")
    result = np.full(len(array), np.nan)
    result[~missing] = (array[~missing] - zero) / step
    what = "seconds" if is_duration else "seconds since 1970"
    notes.append(f"column {name!r}: {what} as numbers")
    return Column(name, result, is_time=not is_duration)


def text(name: str, values: Iterable[Any], gaps: NDArray[np.bool_] | None) -> Column:
    """Return a column of text; None is a gap, and so are the rows in which `gaps` is True."""
    codes_of: dict[str | None, int] = {}
    codes = []
    for row, value in enumerate(values):
        if value is None or (gaps is not None and gaps[row]):
            codes.append(-1)
            continue
        if isinstance(value, bytes):
            try:
                value = value.decode()
            except UnicodeDecodeError:
                raise ValueError(f"column {name!r} is not UTF-8 text in row {row}") from None
        codes.append(codes_of.setdefault(str(value), len(codes_of)))
    words = tuple(str(word) for word in codes_of)
    return Column(name, codes=np.array(codes, np.int32), words=words)


def objects(
    name: str, values: list[Any], gaps: NDArray[np.bool_] | None, notes: list[str]
) -> Column:
    """Return a column of objects that are all numbers, all text or all dates, beside the gaps."""
    missing = np.array([_is_gap(value) for value in values], bool)
    if gaps is not None:
        missing |= gaps
    present = [(row, values[row]) for row in np.flatnonzero(~missing).tolist()]
    wanted, kind = NUMBERS, "numbers"
    if present and not isinstance(present[0][1], NUMBERS):
        first = present[0][1]
        wanted, kind = next((one for one in OTHERS if isinstance(first, one[0])), ((), ""))
    for row, value in present:
        if not isinstance(value, wanted):
            raise TypeError(
                f"column {name!r} holds {value!r} ({type(value).__name__}) in row {row}, "
                f"expected {f'{kind} as before' if kind and row != present[0][0] else KINDS}"
            )
    if kind == "text":
        return text(name, values, missing)
    if kind == "dates":
        moments = np.zeros(len(values))
        moments[~missing] = [seconds_of_date(value) for _, value in present]
        notes.append(f"column {name!r}: seconds since 1970 as numbers")
        return replace(numbers(name, moments, missing, notes), is_time=True)
    result = np.full(len(values), np.nan)
    whole = [value for _, value in present if isinstance(value, int)]
    if any(abs(value) > EXACT for value in whole):
        notes.append(f"column {name!r}: whole numbers beyond 2**53 are rounded")
    for row, value in present:
        try:
            result[row] = float(value)
        except OverflowError:
            result[row] = math.inf
    are_booleans = bool(present) and all(isinstance(value, bool | np.bool_) for _, value in present)
    return replace(numbers(name, result, None, notes), is_boolean=are_booleans)


def _is_gap(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str | bytes):
        return False
    try:
        return bool(value != value)  # NaN, NaT
    except TypeError:  # pandas.NA
        return True
