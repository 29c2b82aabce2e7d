"""Times in text: ISO 8601 or a format that is given, as seconds since 1970, and their parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from cygrad.tables.distinct import distinct_values
from cygrad.tables.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 86400
FORMATS = tuple(
    day + time
    for day in (
        *("%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y"),
        *("%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y-%m-%d"),
    )
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
)
CHECKED_WORDS = 1000  # of a column, for a format of dates
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_NEARLY_DATE = re.compile(r"\d{1,4}[./ -](?:\d\d?|[A-Za-z]{3})[./ -]\d|[A-Za-z]{3} \d", re.ASCII)


def are_dates(words: Sequence[str]) -> bool:
    """Return whether words are all dates, or dates with times, of ISO 8601, and there are any."""
    if not words or _ISO.fullmatch(words[0]) is None:
        return False
    try:
        seconds_of(words)
    except ValueError:
        return False
    return True


def formats_of(words: Sequence[str]) -> list[str]:
    """Return the usual formats, other than ISO 8601, in which all of the first words are dates."""
    some = words[:CHECKED_WORDS]
    # Most words have no date's digits and marks, and need no attempt.
    if not some or _NEARLY_DATE.match(some[0]) is None:
        return []
    return [pattern for pattern in FORMATS if _fits(some, pattern)]


def _fits(words: Sequence[str], pattern: str) -> bool:
    try:
        seconds_of(words, pattern)
    except ValueError:
        return False
    return True


def seconds_of(words: Sequence[str], pattern: str | None = None) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC for each word; a time without an offset counts as UTC.

    Parameters
    ----------
    words : sequence of str
    pattern : str or None
        The format, as in ``datetime.strptime``; None: ISO 8601.

    Raises
    ------
    ValueError
        If a word is no such date; its second argument is the word's position.
    """
    seconds = np.empty(len(words))
    for position, word in enumerate(words):
        try:
            if pattern is not None:
                moment = datetime.strptime(word, pattern)
            elif _ISO.fullmatch(word) is not None:
                moment = datetime.fromisoformat(word)
            else:
                raise ValueError
        except ValueError:
            raise ValueError(f"{word!r} is no date", position) from None
        seconds[position] = seconds_of_date(moment)
    return seconds


def seconds_of_date(moment: date) -> float:
    """Return seconds since 1970 in UTC of a date or datetime; one without an offset is in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH).total_seconds()


def column_seconds(
    column: Column,
    pattern: str | None,
    locate: Callable[[int, str], str],
    takes_numbers: bool,
) -> NDArray[np.float64]:
    """Return the seconds since 1970 of a column of times, NaN in gaps.

    Raises
    ------
    TypeError
        If the column has numbers that are no times, and `takes_numbers` is False.
    ValueError
        If a word is no date.
    """
    if column.numbers is not None:
        is_empty = bool(np.isnan(column.numbers).all())
        if not (column.is_time or takes_numbers or is_empty):
            raise TypeError(
                f"{locate(0, column.name)} is a number, expected dates as in the training"
            )
        return column.numbers
    assert column.codes is not None
    seconds = np.full(len(column.words) + 1, np.nan)
    used = distinct_values(column.codes)
    used = used[used >= 0].tolist()
    try:
        seconds[used] = seconds_of([column.words[code] for code in used], pattern)
    except ValueError as error:
        row = int(np.argmax(column.codes == used[error.args[1]]))
        expected = "a date of ISO 8601, as 2024-03-31" if pattern is None else pattern
        raise ValueError(
            f"{locate(row, column.name)} is {column.words[column.codes[row]]!r}, "
            f"expected {expected}"
        ) from None
    found: NDArray[np.float64] = seconds[column.codes]
    return found


def parts(seconds: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return year, month (1 to 12), day of the week (0 is Monday) and seconds of the day.

    Gaps, which are NaN, give those of 1 January 1970, 0:00.
    """
    filled = np.where(np.isnan(seconds), 0.0, seconds)
    days = np.floor(filled / DAY)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    years, month = np.divmod(months, 12)
    return (
        years + 1970.0,
        month + 1.0,
        np.mod(days + 3, 7),  # 1 January 1970 was a Thursday
        filled - days * DAY,
    )
