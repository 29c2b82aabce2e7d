"""Rows of delimited text, read slowly and simply: what `RowParser` must find, field by field.

The text is one string of which each character is a byte. It is divided into rows and fields first,
as they stand there; then each field is given its value. Nothing here knows of blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from cygrad._engine.delimited import NUMBERS, NUMBERS_SO_FAR, SKIPPED, TEXT

SHOWN = 256  # bytes of a field in what a message is made from


class Settings(NamedTuple):
    """The arguments of `RowParser`."""

    separator: bytes
    quote: bytes
    point: bytes
    comments: bytes
    kinds: bytes
    gaps: Sequence[bytes]
    gap_values: Sequence[float]
    line: int = 1


@dataclass
class Rows:
    """What is found in a text; the names are those of `RowParser`."""

    numbers: list[list[float]] = field(default_factory=list)
    codes: list[list[int]] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    empty_tail: int = 0
    line: int = 1
    found_gaps: set[bytes] = field(default_factory=set)
    other: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    rounded: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    zeros: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    infinite: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    failure: tuple[str, int, int, bytes | int] | None = None


class Refused(Exception):
    """Reason, line, column, and a part of the text or the number of fields."""


class Field(NamedTuple):
    """A field: its characters, whether they were in quotes, and those as they stand in the text."""

    text: str
    is_quoted: bool
    written: str


def read_rows(data: bytes, settings: Settings) -> Rows:
    """Read a whole text."""
    text = data.decode("latin-1")
    reader = _Reader(settings)
    place = 0
    try:
        while place < len(text):
            place = reader.read_row(text, place)
    except Refused as refused:
        reason, line, column, detail = refused.args
        reader.rows.failure = (reason, line, column, detail)
    return reader.rows


class _Reader:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.separator = settings.separator.decode()
        self.quote = settings.quote.decode()
        self.point = re.escape(settings.point.decode())
        self.blanks = " " if self.separator == "\t" else " \t"
        self.kinds = list(settings.kinds)
        self.rows = Rows(line=settings.line)
        self.rows.words = [[] for kind in self.kinds if kind == TEXT]

    def skip(self, text: str, place: int) -> int:
        while text[place : place + 1] in tuple(self.blanks):
            place += 1
        return place

    def read_row(self, text: str, place: int) -> int:
        """Read one line, or a row of several lines; return where the next begins."""
        first = self.skip(text, place)
        end = len(re.match(r"[^\r\n]*", text[place:])[0]) + place
        if first == end or text[first] in self.settings.comments.decode():
            self.rows.line += 1
            return behind_line(text, end)
        rows, begin = self.rows, self.rows.line
        numbers, codes, count, are_empty = [], [], 0, True
        lines = 1
        words = iter(range(len(rows.words)))
        while True:
            one, place = self.divide(text, place, begin, count)
            lines += line_ends(one.written) if one.is_quoted else 0
            kind = self.settings.kinds[count] if count < len(self.kinds) else SKIPPED
            are_empty &= one.text == "" and not one.is_quoted
            if kind == TEXT:
                codes.append(self.code(one, next(words), begin, count))
            elif kind != SKIPPED:
                numbers.append(self.number(one, begin, count))
            count += 1
            if place == len(text) or text[place] in "\r\n":
                break
            if text[place] == "\0":
                raise Refused("nul", begin, count - 1, b"")
            if self.separator != " ":
                place += 1
        if count != len(self.kinds):
            raise Refused("fields", begin, count, count)
        rows.numbers.append(numbers)
        rows.codes.append(codes)
        rows.lines.append(begin)
        rows.empty_tail = rows.empty_tail + 1 if are_empty else 0
        rows.line += lines
        return behind_line(text, place)

    def divide(self, text: str, place: int, line: int, column: int) -> tuple[Field, int]:
        """Return the field at a place, and the place of what ends it."""
        place = self.skip(text, place)
        if self.quote and text[place : place + 1] == self.quote:
            return self.divide_quoted(text, place, line, column)
        ends = "\r\n\0" + (self.separator if self.separator != " " else self.blanks)
        end = place
        while end < len(text) and text[end] not in ends:
            end += 1
        if text[end : end + 1] == "\0":
            raise Refused("nul", line, column, b"")
        written = text[place:end].rstrip(self.blanks)
        return Field(written, False, written), self.skip(text, end)

    def divide_quoted(self, text: str, place: int, line: int, column: int) -> tuple[Field, int]:
        quote = self.quote
        end = place + 1
        while True:
            if end == len(text):
                raise Refused("unclosed", line, column, cut(text[place + 1 :]))
            if text[end] == "\0":
                raise Refused("nul", line, column, b"")
            if text[end] == quote:
                if text[end + 1 : end + 2] != quote:
                    break
                end += 1
            end += 1
        written = text[place + 1 : end]
        stop = self.skip(text, end + 1)
        is_end = stop == len(text) or text[stop] in "\r\n\0"
        is_end |= self.separator != " " and text[stop : stop + 1] == self.separator
        if not is_end and not (self.separator == " " and stop > end + 1):
            raise Refused("behind quote", line, column, cut(text[place : stop + 1]))
        return Field(written.replace(quote * 2, quote), True, written), stop

    def code(self, one: Field, slot: int, line: int, column: int) -> int:
        raw = one.text.encode("latin-1")
        try:
            word = raw.decode()
        except UnicodeDecodeError:
            raise Refused("utf-8", line, column, raw[:SHOWN]) from None
        if raw in self.settings.gaps:
            self.rows.found_gaps.add(raw)
            return -1
        words = self.rows.words[slot]
        if word not in words:
            words.append(word)
        return words.index(word)

    def number(self, one: Field, line: int, column: int) -> float:
        """Return the number of a field, NaN for a gap and in a column that has turned into text."""
        if self.kinds[column] == SKIPPED:
            return float("nan")
        rows = self.rows
        text = one.text.strip(self.blanks)
        raw = text.encode("latin-1")
        is_number = re.fullmatch(
            rf"[+-]?([0-9]+{self.point}?[0-9]*|{self.point}[0-9]+)([eE][+-]?[0-9]+)?", text
        )
        # Between quotes a gap is what is written there, before it is a number.
        if raw in self.settings.gaps and (one.is_quoted or not is_number):
            rows.found_gaps.add(raw)
            return float("nan")
        if not is_number:
            if self.kinds[column] == NUMBERS:
                raise Refused("no number", line, column, raw[:SHOWN])
            rows.other.setdefault(column, (line, raw[:SHOWN]))
            self.kinds[column] = SKIPPED
            return float("nan")
        value = float(text.replace(self.settings.point.decode(), "."))
        if re.fullmatch("[+-]?0[0-9]+", text):
            if self.kinds[column] == NUMBERS_SO_FAR:
                rows.other.setdefault(column, (line, raw[:SHOWN]))
                self.kinds[column] = SKIPPED
                return float("nan")
            rows.zeros.setdefault(column, (line, raw[:SHOWN]))
        if abs(value) == float("inf"):
            rows.infinite.setdefault(column, (line, raw[:SHOWN]))
        if re.fullmatch("[+-]?[0-9]+", text) and not is_exact(text, value):
            rows.rounded.setdefault(column, (line, raw[:SHOWN]))
        gaps = zip(self.settings.gaps, self.settings.gap_values, strict=True)
        equal = {gap for gap, gap_value in gaps if value == gap_value}
        rows.found_gaps |= equal
        return float("nan") if equal else value


def is_exact(text: str, value: float) -> bool:
    """Return whether a whole number is this double."""
    if abs(value) == float("inf"):
        return False
    number = 0
    for digit in text.lstrip("+-0"):  # int() refuses thousands of digits
        number = 10 * number + int(digit)
    return Fraction(abs(value)) == number


def line_ends(text: str) -> int:
    return len(re.findall(r"\r\n|\r|\n", text))


def behind_line(text: str, place: int) -> int:
    """Return the place behind the end of line that is at a place."""
    return place + len(re.match(r"(\r\n|\r|\n)?", text[place:])[0])


def cut(text: str) -> bytes:
    return text.encode("latin-1")[:SHOWN]
