"""Read delimited text into a `Table`: numbers exactly, text by its words, every guess in the notes.

The layout is guessed in `cygrad.tables.layout`, rows are read in `cygrad._engine.delimited`. The
text is never held as a whole: its blocks are read one after the other, and once more only if a
column of numbers turns out to be text behind the first rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._engine.delimited import (
    NUMBERS,
    NUMBERS_SO_FAR,
    PADDING,
    SKIPPED,
    TEXT,
    RowParser,
)
from cygrad.tables.layout import GAPS, Layout, Options, guess, has_leading_zero, number_pattern
from cygrad.tables.progress import Progress
from cygrad.tables.signatures import is_svmlight
from cygrad.tables.sources import Source, opened
from cygrad.tables.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1 << 20
SAMPLE = 1 << 16
SHOWN = 40  # characters of a field in a message
SHOWN_NAMES = 10
CHECKED_WORDS = 100_000  # of a column, for numbers among them

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_delimited(
    path: Path,
    options: Options,
    encoding: str | None,
    max_bytes: int | None,
    progress: bool | None,
) -> Table:
    """Read a file of delimited text; see `cygrad.tables.read`."""
    reader = _Reader(path, options, encoding, max_bytes, progress)
    return reader.table()


class _Reader:
    def __init__(
        self,
        path: Path,
        options: Options,
        encoding: str | None,
        max_bytes: int | None,
        progress: bool | None,
    ) -> None:
        self._path = path
        self._options = options
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._progress = progress
        self._notes: list[str] = []
        self._layout: Layout | None = None
        self._names: list[str] = []

    def table(self) -> Table:
        parser, kinds = self._parse(None)
        changed = dict(parser.other)
        layout = self._known_layout()
        rows = parser.rows
        blocks = {column: (parser, slot) for slot, column in enumerate(_text_columns(kinds))}
        if changed:
            again = bytes(TEXT if column in changed else SKIPPED for column in range(len(kinds)))
            second, _ = self._parse(again)
            if second.rows != rows:
                raise ValueError(f"{self._path} changed while it was read")
            blocks |= {column: (second, slot) for slot, column in enumerate(sorted(changed))}
        rows -= parser.empty_tail
        if parser.empty_tail:
            self._notes.append(f"left out: {parser.empty_tail} empty rows at the end")
        if rows == 0:
            raise ValueError(f"{self._path} has no rows")

        numeric = [column for column, kind in enumerate(kinds) if kind not in (TEXT, SKIPPED)]
        block = _array(parser.numbers, np.float64, len(numeric))[:rows]
        kept = [slot for slot, column in enumerate(numeric) if column not in changed]
        if len(kept) < len(numeric):
            block = block[:, kept]
        codes = {id(one): _array(one.codes, np.int32, len(one.words)) for one, _ in blocks.values()}
        columns: list[Column] = []
        for slot, column in enumerate(numeric[index] for index in kept):
            self._check_number(parser, column)
            columns.append(Column(self._names[column], block[:, slot]))
        for column, (one, slot) in blocks.items():
            words = tuple(one.words[slot])
            columns.append(
                Column(self._names[column], codes=codes[id(one)][:rows, slot], words=words)
            )
        position = {name: index for index, name in enumerate(self._names)}
        columns.sort(key=lambda column: position[column.name])
        columns = self._without_empty(columns, layout)
        lines = np.frombuffer(parser.jumps, np.int64).reshape(-1, 2)
        numbers = [column for column in columns if column.kind == "number"]
        table = Table(
            columns,
            notes=(),
            source=str(self._path),
            lines=lines,
            block=block[:, : len(numbers)] if numbers else None,
        )
        self._note_gaps([parser, *(one for one, _ in blocks.values())], table)
        self._note_text(table, changed, position)
        table.notes = tuple(self._notes)
        return table

    # --- rows ---------------------------------------------------------------------------------

    def _parse(self, kinds: bytes | None) -> tuple[RowParser, bytes]:
        """Read all rows; None: with the kinds that are given, or guessed from the first rows."""
        with (
            opened(self._path, self._max_bytes) as source,
            Progress(self._path.name, self._progress) as progress,
        ):
            sample, is_last = self._sample(source)
            layout = self._known_layout()
            if kinds is None:
                kinds = self._kinds(layout)
            parser = RowParser(
                layout.separator.encode(),
                layout.quote.encode(),
                layout.decimal.encode(),
                layout.comments.encode(),
                kinds,
                [gap.encode() for gap in self._options.gaps],
                self._gap_values(layout),
                layout.line,
            )
            buffer = bytearray(max(BLOCK, 2 * len(sample)) + PADDING)
            start, stop = layout.start, len(sample)
            buffer[:stop] = sample
            del sample
            while True:
                buffer[stop : stop + PADDING] = bytes(PADDING)
                used = parser.feed(buffer, start, stop, is_last)
                if parser.failure is not None:
                    self._raise(parser, layout, bytes(buffer[used:stop]), is_last)
                progress.show(source.share_read())
                if is_last:
                    break
                rest = stop - used
                buffer[:rest] = buffer[used:stop]
                start, stop = 0, rest
                if len(buffer) - PADDING - stop < BLOCK // 2:
                    buffer += bytes(len(buffer))
                data = source.read(len(buffer) - PADDING - stop)
                if stop + len(data) + PADDING > len(buffer):  # UTF-8 takes more than the file
                    buffer += bytes(stop + len(data) + PADDING - len(buffer))
                buffer[stop : stop + len(data)] = data
                stop += len(data)
                is_last = not data
            parser.finish()
        return parser, kinds

    def _sample(self, source: Source) -> tuple[bytes, bool]:
        """Read the first rows, and guess the layout from them unless it is known."""
        start = source.read(SAMPLE)
        if not start:
            raise ValueError(f"{self._path} is empty")
        mark = next((mark for mark in BYTE_ORDER_MARKS if start.startswith(mark)), b"")
        encoding = BYTE_ORDER_MARKS.get(mark, "utf-8") if self._encoding is None else self._encoding
        if encoding != "utf-8":
            start = source.decode(encoding, start)
            if self._encoding is None and self._layout is None:
                self._notes.append(f"guessed: encoding {encoding} (encoding=)")
            mark = "\ufeff".encode()
        text, is_last = start.removeprefix(mark), False
        if self._layout is None:
            _refuse_other_formats(text, self._path)
        while self._layout is None:
            self._layout = guess(text.decode("latin-1"), is_last, self._options, str(self._path))
            if self._layout is None:
                more = source.read(max(SAMPLE, len(text)))
                text, is_last = text + more, not more
            else:
                self._notes += self._layout.notes
                self._names = self._column_names(self._layout)
        while len(text) < self._layout.start and not is_last:
            more = source.read(SAMPLE)
            text, is_last = text + more, not more
        if len(text) < self._layout.start:
            raise ValueError(f"{self._path} changed while it was read")
        return text, is_last

    def _known_layout(self) -> Layout:
        assert self._layout is not None
        return self._layout

    def _gap_values(self, layout: Layout) -> list[float]:
        """Return the gaps that are numbers, as −200 is also −200.0, and NaN for the others."""
        pattern = number_pattern(layout.decimal)
        return [
            float(gap.replace(layout.decimal, ".")) if pattern.fullmatch(gap) else np.nan
            for gap in self._options.gaps
        ]

    def _kinds(self, layout: Layout) -> bytes:
        kinds = [TEXT if is_text else NUMBERS_SO_FAR for is_text in layout.is_text]
        for key, kind in (self._options.kinds or {}).items():
            kinds[self._position(key)] = TEXT if kind == "text" else NUMBERS
        return bytes(kinds)

    def _position(self, key: str | int) -> int:
        """Return the column with a name, or with a number counted from 1, or from −1 at the end."""
        width = len(self._names)
        if isinstance(key, str):
            if key in self._names:
                return self._names.index(key)
            raise ValueError(
                f"kinds names {key!r}, expected a column of {self._path}: {_some(self._names)}"
            )
        if key == 0 or abs(key) > width:
            raise ValueError(
                f"kinds names column {key}, expected one of {self._path}: 1 to {width}, "
                f"or -{width} to -1"
            )
        return key - 1 if key > 0 else width + key

    def _column_names(self, layout: Layout) -> list[str]:
        """Return different names: those given, those of the header, or column_1, column_2, …"""
        given = self._options.names
        if given is not None:
            if len(given) != layout.width:
                raise ValueError(
                    f"names has {len(given)} names, expected {layout.width} for {self._path}"
                )
            return list(given)
        if layout.names is None:
            return [f"column_{number}" for number in range(1, layout.width + 1)]
        names: list[str] = []
        taken: set[str] = set()
        numbers: dict[str, int] = {}  # for each name that recurs the next number to try
        try:
            header = [name.encode("latin-1").decode() for name in layout.names]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self._path}: a name in the header is not UTF-8 text: {error.object!r}; "
                "expected another encoding=, such as 'latin-1'"
            ) from None
        given_names = set(header)
        for number, name in enumerate(header, 1):
            unique = name or f"column_{number}"
            if unique in taken or (unique != name and unique in given_names):
                count = numbers.get(unique, 2)
                while f"{unique}.{count}" in taken or f"{unique}.{count}" in given_names:
                    count += 1
                numbers[unique] = count + 1
                unique = f"{unique}.{count}"
            if unique != name:
                what = f"a second {_shown(name)}" if name else "without name"
                self._notes.append(f"column {number} is {what}: named {_shown(unique)}")
            names.append(unique)
            taken.add(unique)
        return names

    # --- what was read --------------------------------------------------------------------------

    def _check_number(self, parser: RowParser, column: int) -> None:
        place = f"column {column + 1} ({self._names[column]})"
        if column in parser.infinite:
            line, field = parser.infinite[column]
            raise ValueError(
                f"{self._path}, line {line}, {place} is {_shown(field)}, expected a number below "
                f"1.8e308; kinds={{{self._names[column]!r}: 'text'}} reads the column as text"
            )
        if column in parser.rounded:
            line, field = parser.rounded[column]
            self._notes.append(
                f"{place}: whole numbers beyond 2**53 are rounded, such as {_shown(field)} in line "
                f"{line} (kinds= reads text)"
            )

    def _without_empty(self, columns: list[Column], layout: Layout) -> list[Column]:
        """Leave out columns at the end that have neither a name nor a value."""
        kept = len(columns)
        while kept > 1 and not (layout.names and layout.names[kept - 1]):
            column = columns[kept - 1]
            if self._options.names is not None or not column.is_gap.all():
                break
            kept -= 1
        if kept < len(columns):
            names = {_shown(column.name) for column in columns[kept:]}
            self._notes = [
                note for note in self._notes if note.rpartition(": named ")[2] not in names
            ]
            self._notes.append(f"left out: {len(names)} empty columns at the end")
        return columns[:kept]

    def _note_gaps(self, parsers: Sequence[RowParser], table: Table) -> None:
        if not self._options.guesses_gaps:
            return
        found = [any(flags) for flags in zip(*(one.found_gaps for one in parsers), strict=True)]
        words = [repr(gap) for gap, is_found in zip(GAPS, found, strict=True) if is_found]
        if words and (total := sum(table.gaps.values())):
            self._notes.append(f"guessed: gaps {', '.join(words)}, {total} in all (gaps=)")

    def _note_text(
        self, table: Table, changed: Mapping[int, tuple[int, bytes]], position: Mapping[str, int]
    ) -> None:
        """Refuse text that is meant as numbers, and note columns of text that hold numbers too."""
        layout = self._known_layout()
        forced = {self._position(key) for key in self._options.kinds or {}}
        texts = []
        for name in table.names:
            column = table.column(name)
            if column.kind == "number" or position[name] in forced:
                continue
            texts.append(name)
            self._check_words(column, table, layout, changed.get(position[name]))
        if texts:
            self._notes.append(f"guessed: text in {_some(texts)} (kinds=)")

    def _check_words(
        self, column: Column, table: Table, layout: Layout, first: tuple[int, bytes] | None
    ) -> None:
        assert column.codes is not None
        is_number = number_pattern(layout.decimal).fullmatch
        words = column.words[:CHECKED_WORDS]
        numbers = np.array([is_number(word.strip(" \t")) is not None for word in words], bool)
        others = [word for word, number in zip(words, numbers, strict=True) if not number]
        if others:
            word, place = others[0], ""
        elif first is not None and not has_leading_zero(first[1].decode("utf-8", "replace")):
            word = first[1].decode("utf-8", "replace")  # it comes behind all the words checked
            place = f"{self._path}, line {first[0]}"
            others = [word]
        else:
            zero = next(filter(has_leading_zero, words), None)
            if zero is not None:
                self._notes.append(
                    f"column {column.name!r} is text, as {_shown(zero)} has a zero before its "
                    "digits (kinds= reads numbers)"
                )
            return
        is_meant = all(_reason(other, layout.decimal) for other in others)
        if not place and (is_meant or numbers.any()):
            place = table.locate(int(np.argmax(column.codes == words.index(word))))
        if is_meant:
            number = table.names.index(column.name) + 1
            raise ValueError(
                f"{place}, column {number} ({column.name}) is {_shown(word)}, expected a number "
                f"{_reason(word, layout.decimal)}; kinds={{{column.name!r}: 'text'}} reads the "
                "column as text"
            )
        codes = column.codes[(column.codes >= 0) & (column.codes < len(words))]
        count = int(np.bincount(codes, minlength=len(words))[numbers].sum())
        if count:
            present = int((column.codes >= 0).sum())
            self._notes.append(
                f"column {column.name!r} is text, as {_shown(word)} in "
                f"{place.rpartition(', ')[2]} is no number; {count} of {present} are "
                "(gaps= if it is a gap)"
            )

    def _raise(self, parser: RowParser, layout: Layout, rest: bytes, is_last: bool) -> None:
        reason, line, column, detail = parser.failure
        place = f"{self._path}, line {line}"
        name = f" ({_shown(self._names[column])[1:-1]})" if column < len(self._names) else ""
        where = f"{place}, column {column + 1}{name if layout.names else ''}"
        if reason == "fields":
            row = _shown(re.split(rb"[\r\n]", rest, maxsplit=1)[0], 80)
            wrong = min(detail, layout.width) + 1
            raise ValueError(
                f"{place}, column {wrong}: the row has {detail} "
                f"{'field' if detail == 1 else 'fields'}, expected {layout.width} as in the first "
                f"row{self._separator_hint(layout)}: {row}"
            )
        field = _shown(detail) if isinstance(detail, bytes) else ""
        if reason == "no number":
            raise ValueError(f"{where} is {field}, expected a number")
        if reason == "unclosed":
            raise ValueError(
                f"{where}: the quote {layout.quote} before {field} is not closed; quote='' takes "
                "quotes as part of the text"
            )
        if reason == "behind quote":
            raise ValueError(
                f"{where} goes on behind its closing quote: {field}, expected a separator; "
                f"a quote inside quotes is doubled, and quote='' takes quotes as part of the text"
            )
        if reason == "utf-8":
            raise ValueError(
                f"{where} is not UTF-8 text: {detail[:SHOWN]!r}; expected another encoding=, such "
                "as 'latin-1' or 'cp1252'"
            )
        raise ValueError(f"{where}: a byte is 0, expected text")

    def _separator_hint(self, layout: Layout) -> str:
        if self._options.separator is not None or layout.separator == "":
            return ""
        return f" (separator {layout.separator!r} is guessed)"


def _text_columns(kinds: bytes) -> list[int]:
    return [column for column, kind in enumerate(kinds) if kind == TEXT]


def _array(data: bytearray, dtype: Any, columns: int) -> NDArray[Any]:
    if not data:
        return np.empty((0, columns), dtype)
    return np.frombuffer(data, dtype).reshape(-1, columns)


def _refuse_other_formats(start: bytes, path: Path) -> None:
    """Raise a ValueError for files that are known not to be delimited text."""
    head = start[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<?xml")):
        kind = "XML" if head.startswith(b"<?xml") else "HTML, perhaps the page of an error"
        raise ValueError(f"{path} is {kind}, expected rows of fields")
    if _JSON.match(head):
        raise ValueError(
            f"{path} is JSON, expected rows of fields; Table.from_frame takes what "
            "pandas.read_json returns"
        )
    if head.startswith(b"%pdf-"):
        raise ValueError(f"{path} is PDF, expected rows of fields")
    if is_svmlight(start):
        raise ValueError(f"{path} is in the format of svmlight, expected tables.read_svmlight")
    if b"\0" in start[:4096]:
        raise ValueError(
            f"{path} is not text: it begins with {start[:8]!r}; expected text, or encoding="
        )


#: How JSON begins: an object, or an array of objects or of arrays.
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*\[|(?:\[\s*)?\{\s*"[^"\n]*"\s*:)')
_FIRST_OF_NUMBERS = (*"+-.,0123456789", "\u2212")


def _reason(word: str, decimal: str) -> str:
    """Return what is wrong with a word that is meant as a number; nothing if it is not."""
    if word.lstrip()[:1] not in _FIRST_OF_NUMBERS:
        return ""
    plain = word.replace("\u2212", "-").strip()
    if plain != word:
        plain = re.sub(r"\s", "", plain)
        if number_pattern(decimal).fullmatch(plain):
            return "in ASCII digits, with '-' and without other spaces"
        return ""
    if re.fullmatch(
        r"[+-]?[0-9]{1,3}(?:([,.'\u2019 \u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]+)?", word
    ):
        return "without separators of thousands"
    other = "," if decimal == "." else "."
    if number_pattern(other).fullmatch(word):
        return f"with the decimal mark {decimal!r}, or decimal={other!r}"
    return ""


def _shown(field: str | bytes, most: int = SHOWN) -> str:
    if isinstance(field, bytes):
        field = field.decode("utf-8", "replace")
    return repr(field if len(field) <= most else field[: most - 1] + "…")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(_shown(name)[1:-1] for name in names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown}, … ({len(names)} in all)"
