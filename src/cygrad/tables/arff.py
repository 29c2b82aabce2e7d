"""Read ARFF, the format of Weka and OpenML: attributes with types, then dense or sparse rows.

A nominal attribute is a column of text whose words are the declared ones, in their order. In a
sparse row what is absent is 0, and for a nominal attribute its first value. Dates are seconds since
1970 (UTC).
Source: I. H. Witten, E. Frank, M. A. Hall, C. J. Pal, "Data Mining", 4th edition, appendix B.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cygrad.tables.layout import MOST_COLUMNS, number_pattern
from cygrad.tables.sources import EXPANSION, FREE_BYTES, Source
from cygrad.tables.table import Column, Table

BLOCK = 1 << 20
GAP = "?"
DEFAULT_DATE = "yyyy-MM-dd'T'HH:mm:ss"

_QUOTED = r"""'((?:[^'\\]|\\.)*+)'|"((?:[^"\\]|\\.)*+)\""""
_NAME = re.compile(rf"""[ \t]*(?:{_QUOTED}|([^\s'"{{}},%]+))""")
_VALUE = re.compile(rf"""[ \t]*(?:{_QUOTED}|([^,'"{{}}%]*))[ \t]*(?:(,)|(%.*)?\Z)""")
_SPARSE = re.compile(rf"""[ \t]*([0-9]+)[ \t]+(?:{_QUOTED}|([^,'"{{}}%]*))[ \t]*(?:(,)|\Z)""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}

#: The letters of Java's SimpleDateFormat that are read.
_DATE_PARTS = {
    "yyyy": r"(?P<year>[0-9]{4})",
    "yy": r"(?P<short_year>[0-9]{2})",
    "MM": r"(?P<month>[0-9]{1,2})",
    "M": r"(?P<month>[0-9]{1,2})",
    "dd": r"(?P<day>[0-9]{1,2})",
    "d": r"(?P<day>[0-9]{1,2})",
    "HH": r"(?P<hour>[0-9]{1,2})",
    "H": r"(?P<hour>[0-9]{1,2})",
    "mm": r"(?P<minute>[0-9]{1,2})",
    "ss": r"(?P<second>[0-9]{1,2})",
    "SSS": r"(?P<millisecond>[0-9]{1,3})",
}


@dataclass
class _Attribute:
    """A column that is being read: numbers, or codes into words."""

    name: str
    kind: str  # numeric, nominal, string or date
    numbers: array[float] = field(default_factory=lambda: array("d"))
    codes: array[int] = field(default_factory=lambda: array("i"))
    words: dict[str, int] = field(default_factory=dict)
    date: re.Pattern[str] | None = None


def read_arff(source: Source, encoding: str | None, max_bytes: int | None) -> Table:
    """Read an ARFF file; see `cygrad.tables.read`."""
    path = source.path
    if encoding not in (None, "utf-8"):
        source.decode(str(encoding), b"")
    lines = _lines(source)
    attributes = _header(path, lines)
    places: list[int] = []
    notes: list[str] = []
    absent_text: set[str] = set()
    limit = 8 * FREE_BYTES + EXPANSION * source.size if max_bytes is None else max_bytes
    for line, text in lines:
        content = text.strip(" \t")
        if not content or content[0] == "%":
            continue
        place = f"{path}, line {line}"
        if content[0] == "{":
            if 8 * len(attributes) * (len(places) + 1) > limit:
                raise ValueError(
                    f"{place}: the sparse rows take more than {limit:,} bytes; max_bytes= allows "
                    "more"
                )
            _read_sparse(place, content, attributes, absent_text)
        else:
            _read_dense(place, content, attributes)
        places.append(line)
    if not places:
        raise ValueError(f"{path} has no rows")
    for name in sorted(absent_text):
        notes.append(f"column {name!r}: text that is absent in sparse rows is a gap")
    columns = []
    for one in attributes:
        if one.kind in ("numeric", "date"):
            numbers = np.array(one.numbers, np.float64)
            columns.append(Column(one.name, numbers, is_time=one.kind == "date"))
        else:
            columns.append(
                Column(one.name, codes=np.array(one.codes, np.int32), words=tuple(one.words))
            )
        if one.kind == "date":
            notes.append(f"column {one.name!r}: seconds since 1970 as numbers")
    rows = np.column_stack([np.arange(len(places)), places])
    return Table(columns, notes=notes, source=str(path), lines=rows)


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1 on, and the text of each line."""
    rest, line, is_last = b"", 0, False
    while not is_last:
        block = source.read(BLOCK)
        is_last = not block
        rest += block
        if not is_last and rest.endswith(b"\r"):
            continue
        parts = re.split(rb"\r\n|\n|\r", rest)
        rest = b"" if is_last else parts.pop()
        for part in parts:
            line += 1
            try:
                yield line, part.decode("utf-8-sig" if line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{source.path}, line {line}, byte {error.start + 1} is not UTF-8 text; "
                    "expected another encoding=, such as 'latin-1'"
                ) from None


def _header(path: object, lines: Iterator[tuple[int, str]]) -> list[_Attribute]:
    attributes: list[_Attribute] = []
    names: dict[str, int] = {}
    for line, text in lines:
        content = text.strip(" \t")
        if not content or content[0] == "%":
            continue
        place = f"{path}, line {line}"
        keyword, _, rest = content.partition("\t" if "\t" in content.split(" ")[0] else " ")
        match keyword.lower():
            case "@relation":
                pass
            case "@attribute":
                attribute = _attribute(place, rest.strip(" \t"))
                if attribute.name in names:
                    raise ValueError(
                        f"{place}: attribute {_shown(attribute.name)} is declared in line "
                        f"{names[attribute.name]} too, expected different names"
                    )
                names[attribute.name] = line
                attributes.append(attribute)
                if len(attributes) > MOST_COLUMNS:
                    raise ValueError(f"{path} has more than {MOST_COLUMNS:,} columns")
            case "@data":
                if not attributes:
                    raise ValueError(f"{place}: there is no @attribute before @data")
                return attributes
            case _:
                raise ValueError(
                    f"{place} is {_shown(content)}, expected @relation, @attribute or @data"
                )
    raise ValueError(f"{path} ends before @data")


def _attribute(place: str, text: str) -> _Attribute:
    match = _NAME.match(text)
    if match is None:
        raise ValueError(f"{place}: @attribute has no name")
    name = _value(match[1], match[2], match[3])
    kind = text[match.end() :].strip(" \t")
    if kind.startswith("{"):
        return _Attribute(name, "nominal", words=_nominal(place, name, kind))
    word, *others = kind.split(None, 1) or [""]
    word = word.lower()
    if word in ("numeric", "real", "integer"):
        return _Attribute(name, "numeric")
    if word == "string":
        return _Attribute(name, "string")
    if word == "date":
        given = _NAME.match(others[0]) if others else None
        form = DEFAULT_DATE if given is None else _value(given[1], given[2], given[3])
        return _Attribute(name, "date", date=_date_pattern(place, form))
    raise ValueError(
        f"{place}: attribute {_shown(name)} has the type {_shown(kind)}, expected numeric, real, "
        "integer, string, date or {values}"
    )


def _nominal(place: str, name: str, text: str) -> dict[str, int]:
    inside, closed, _ = text[1:].rpartition("}")
    words: dict[str, int] = {}
    start = 0
    while closed:
        match = _VALUE.match(inside, start)
        if match is None:
            break
        quoted, double, plain, more, _ = match.groups()
        word = _value(quoted, double, None if plain is None else plain.strip(" \t"))
        if word in words:
            raise ValueError(f"{place}: attribute {_shown(name)} has {_shown(word)} twice")
        words[word] = len(words)
        start = match.end()
        if more is None:
            return words
    raise ValueError(f"{place}: the values of {_shown(name)} are {_shown(text)}, expected {{a, b}}")


def _date_pattern(place: str, form: str) -> re.Pattern[str]:
    """Return a regular expression for a date format of Java."""
    pattern = ""
    for quoted, letters, other in re.findall(r"'([^']*)'|([A-Za-z]+)|([^A-Za-z'])", form):
        for run in [run[0] for run in re.finditer(r"([A-Za-z])\1*", letters)]:
            if run not in _DATE_PARTS:
                raise ValueError(
                    f"{place}: the date format {_shown(form)} has {run!r}, expected only "
                    f"{', '.join(_DATE_PARTS)}"
                )
            pattern += _DATE_PARTS[run]
        pattern += re.escape(quoted or other)
    try:
        return re.compile(pattern)
    except re.error:
        raise ValueError(f"{place}: the date format {_shown(form)} has a part twice") from None


def _read_dense(place: str, content: str, attributes: list[_Attribute]) -> None:
    if not any(mark in content for mark in "'\"{}%"):
        fields: list[tuple[str, bool]] = [(text.strip(" \t"), False) for text in content.split(",")]
    else:
        fields = []
        start = 0
        while True:
            match = _VALUE.match(content, start)
            if match is None:
                raise ValueError(
                    f"{place}, column {len(fields) + 1} cannot be read: "
                    f"{_shown(content[start:])}, expected a value and a comma"
                )
            quoted, double, plain, more, _ = match.groups()
            if plain is not None:
                fields.append((plain.strip(" \t"), False))
            else:
                fields.append((_value(quoted, double, None), True))
            start = match.end()
            if more is None:
                break
    if len(fields) == 1 < len(attributes) and not fields[0][1]:
        fields = [(text, False) for text in fields[0][0].split()]  # between blanks
    if len(fields) != len(attributes):
        raise ValueError(
            f"{place}, column {min(len(fields), len(attributes)) + 1}: the row has {len(fields)} "
            f"values, expected {len(attributes)}, one for each attribute"
        )
    for column, (attribute, (text, is_quoted)) in enumerate(zip(attributes, fields, strict=True)):
        _append(place, column, attribute, None if text == GAP and not is_quoted else text)


def _read_sparse(
    place: str, content: str, attributes: list[_Attribute], absent_text: set[str]
) -> None:
    inside, closed, behind = content[1:].rpartition("}")
    inside = inside.strip(" \t")
    if not closed or (behind.strip(" \t") and not behind.strip(" \t").startswith("%")):
        raise ValueError(f"{place} is {_shown(content)}, expected a sparse row {{column value, …}}")
    found: dict[int, str | None] = {}
    start, last = 0, -1
    while inside:
        match = _SPARSE.match(inside, start)
        if match is None:
            raise ValueError(f"{place} has {_shown(inside[start:])}, expected a column and a value")
        number, quoted, double, plain, more = match.groups()
        column = int(number[:10])
        if not last < column < len(attributes):
            raise ValueError(
                f"{place} has column {column}, expected increasing ones from 0 to "
                f"{len(attributes) - 1}"
            )
        last = column
        text = _value(quoted, double, None if plain is None else plain.strip(" \t"))
        found[column] = None if plain is not None and text == GAP else text
        start = match.end()
        if more is None:
            break
    for column, attribute in enumerate(attributes):
        if column in found:
            _append(place, column, attribute, found[column])
        elif attribute.kind in ("numeric", "date"):
            attribute.numbers.append(0.0)
        elif attribute.kind == "nominal":
            attribute.codes.append(0)
        else:
            attribute.codes.append(-1)
            absent_text.add(attribute.name)


def _append(place: str, column: int, attribute: _Attribute, text: str | None) -> None:
    """Append a value; None is a gap."""
    if attribute.kind == "numeric":
        if text is None:
            attribute.numbers.append(np.nan)
            return
        if number_pattern(".").fullmatch(text):
            number = float(text)
            if number - number == 0:
                attribute.numbers.append(number)
                return
        expected = "a number"
    elif attribute.kind == "date":
        if text is None:
            attribute.numbers.append(np.nan)
            return
        seconds = _seconds(attribute, text)
        if seconds is not None:
            attribute.numbers.append(seconds)
            return
        expected = "a date in the format of the attribute"
    elif text is None:
        attribute.codes.append(-1)
        return
    elif attribute.kind == "string":
        attribute.codes.append(attribute.words.setdefault(text, len(attribute.words)))
        return
    else:
        code = attribute.words.get(text)
        if code is not None:
            attribute.codes.append(code)
            return
        shown = ", ".join(list(attribute.words)[:10])
        expected = f"one of {shown}{', …' if len(attribute.words) > 10 else ''}"
    raise ValueError(
        f"{place}, column {column + 1} ({attribute.name}) is {_shown(text)}, expected {expected}"
    )


def _seconds(attribute: _Attribute, text: str) -> float | None:
    assert attribute.date is not None
    match = attribute.date.fullmatch(text)
    if match is None:
        return None
    parts: dict[str, Any] = {key: int(value) for key, value in match.groupdict().items()}
    year = parts.get("year", 1970)
    if "short_year" in parts:
        year = parts["short_year"] + (1900 if parts["short_year"] >= 70 else 2000)
    try:
        moment = datetime(
            year,
            parts.get("month", 1),
            parts.get("day", 1),
            parts.get("hour", 0),
            parts.get("minute", 0),
            parts.get("second", 0),
            parts.get("millisecond", 0) * 1000,
            UTC,
        )
    except ValueError:
        return None
    return moment.timestamp()


def _value(quoted: str | None, double: str | None, plain: str | None) -> str:
    """Return a value without its quotes and escapes."""
    if plain is not None:
        return plain
    inside = quoted if quoted is not None else double or ""
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), inside)


def _shown(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= 40 else text[:39] + "…")
