"""The layout of delimited text, guessed from its first rows: separator, header, decimal comma.

What an argument gives is not guessed. Each guess is a note, with the argument that decides it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from cygrad.records import dataclass

#: Fields that are gaps, unless `gaps` gives others.
GAPS = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None", "-")

SEPARATORS = {"\t": "tab", ";": "';'", ",": "','", "|": "'|'", " ": "white space"}
COMMENTS = "#%|"
SAMPLE_ROWS = 100
SAMPLE_FIELDS = 3_000  # but at least three rows
MOST_COLUMNS = 1_000_000
#: Numbers in the first row that follow each other, as in 2019, 2020, 2021, are names of columns.
COUNTING_NAMES = 3


class Record(NamedTuple):
    """A row as it is in the text: its first byte and line, its fields, and where it ends."""

    start: int
    line: int
    fields: list[str]
    end: int
    next_line: int


@dataclass(frozen=True)
class Options:
    """The arguments of `read` for delimited text; None is guessed."""

    separator: str | None = None
    header: bool | None = None
    decimal: str | None = None
    quote: str | None = None
    comments: str | None = None
    gaps: tuple[str, ...] = GAPS
    guesses_gaps: bool = True
    kinds: Mapping[str | int, str] | None = None
    names: Sequence[str] | None = None


@dataclass(frozen=True)
class Layout:
    """All that must be known before rows are read.

    Attributes
    ----------
    separator : str
        One character; a blank for white space, empty for one column.
    start, line : int
        Where the rows begin in the text.
    names : list of str or None
        The names in the header.
    is_text : list of bool
        For each column whether it has text in the first rows.
    """

    separator: str
    quote: str
    decimal: str
    comments: str
    start: int
    line: int
    width: int
    names: list[str] | None
    is_text: list[bool]
    notes: list[str]


@cache
def number_pattern(decimal: str) -> re.Pattern[str]:
    """Return the pattern of numbers."""
    point = re.escape(decimal)
    return re.compile(rf"[+-]?(?:[0-9]+{point}?[0-9]*|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


@cache
def _either_pattern() -> re.Pattern[str]:
    return re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


@cache
def _field_pattern(separator: str, quote: str) -> re.Pattern[str]:
    blanks = "[ ]*" if separator == "\t" else r"[ \t]*"
    ends = r"\r\n" if separator != " " else r"\r\n \t"
    between = {"": r"(?!)", " ": r"[ \t]+(?![\r\n]|\Z)"}.get(separator, re.escape(separator))
    inside = rf"[^{re.escape(separator)}{ends}]*"
    quoted = rf"{quote}((?:[^{quote}]|{quote}{quote})*+){quote}" if quote else "((?!))"
    return re.compile(
        rf"{blanks}(?:{quoted}|({inside}))(?:{blanks}(\r\n|\n|\r|\Z)|{blanks}({between}))"
        if separator != " "
        else rf"{blanks}(?:{quoted}|({inside}))(?:{blanks}(\r\n|\n|\r|\Z)|({between}))"
    )


_LINE_END = re.compile(r"\r\n|\n|\r|\Z")


def records(
    text: str, start: int, line: int, separator: str, quote: str, comments: str
) -> list[Record]:
    """Return the first rows, as far as they can be divided into fields."""
    has_returns = "\r" in text
    found: list[Record] = []
    count = 0
    while start < len(text) and (
        len(found) < 3 or (len(found) < SAMPLE_ROWS and count < SAMPLE_FIELDS)
    ):
        begin, first_line = start, line
        if has_returns:
            match = _LINE_END.search(text, start)
            assert match is not None
            stop, start = match.span()
        else:
            stop = text.find("\n", start)
            stop, start = (len(text), len(text)) if stop < 0 else (stop, stop + 1)
        is_blank = False
        if quote and text.find(quote, begin, stop) >= 0:
            record = _quoted_record(text, begin, line, separator, quote)
            if record is None:
                return found
            fields, start, line = record
        else:  # divided by the methods of str, which take a tenth of the time
            fields = _divided(text[begin:stop], separator)
            is_blank = fields == [""]
        line += 1
        if not is_blank and not (comments and text[begin:start].lstrip(" \t")[:1] in comments):
            found.append(Record(begin, first_line, fields, start, line))
            count += len(fields)
    return found


def _divided(row: str, separator: str) -> list[str]:
    """Return the fields of a row without quotes."""
    if separator == " ":
        return [field for field in row.replace("\t", " ").split(" ") if field] or [""]
    fields = row.split(separator) if separator else [row]
    return [field.strip(" \t") for field in fields]


def _quoted_record(
    text: str, start: int, line: int, separator: str, quote: str
) -> tuple[list[str], int, int] | None:
    """Return the fields of a row with quotes, its end, and the line on which it ends.

    None: a quote is not closed, or goes on behind.
    """
    pattern = _field_pattern(separator, quote)
    fields: list[str] = []
    while True:
        match = pattern.match(text, start)
        if match is None:
            return None
        quoted, plain, end, _ = match.groups()
        if quoted is not None:
            fields.append(quoted.replace(quote * 2, quote))
            line += len(_LINE_END.findall(quoted)) - 1
        elif plain.startswith(quote):
            return None
        else:
            fields.append(plain.strip(" \t"))
        start = match.end()
        if end is not None:
            return fields, start, line


def guess(text: str, is_whole: bool, options: Options, place: str) -> Layout | None:
    """Return the layout; None: more of the text is needed.

    Parameters
    ----------
    text : str
        The beginning of the file, each byte one character.
    is_whole : bool
        Whether this is all of it.
    options : Options
    place : str
        The file, for messages.
    """
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    notes: list[str] = []
    start, line, separator = 0, 1, options.separator
    told = re.match(r'"?sep=(.)"?[ ]*(?:\r\n|\n|\r)', text, re.IGNORECASE)
    if told and separator is None:
        separator, start, line = told[1], told.end(), 2
        if separator not in SEPARATORS:
            raise ValueError(f"{place}, line 1: separator is {separator!r}, {_EXPECTED_SEPARATOR}")
        notes.append(f"separator {SEPARATORS[separator]}, from the first line")
    start, line, comments, passed = _pass_comments(text, start, line, options.comments)
    if passed:
        notes.append(
            f"guessed: {len(passed)} comment line{'s' if len(passed) > 1 else ''} at the start, "
            f"and all others that begin with {' or '.join(map(repr, comments))} (comments=)"
        )
    if not text[start:].strip():
        if is_whole:
            raise ValueError(f"{place} has no rows")
        return None
    quote = options.quote
    if quote is None:
        quote = _quote(text[start : start + 4096])
        if quote == "'":
            notes.append('guessed: quote "\'" (quote=)')
    rows: list[Record] | None = None
    if separator is None:
        separator, rows = _separator(text, start, line, quote, comments, place)
        guessed = SEPARATORS.get(separator)
        notes.append(f"guessed: {f'separator {guessed}' if guessed else 'one column'} (separator=)")
    if rows is None:
        rows = records(text, start, line, separator, quote, comments)
    if len(rows) < 3 and not is_whole:
        return None
    if not rows:  # an open quote
        rows = records(text, start, line, separator, "", comments)[:1]
    if not rows:
        raise ValueError(f"{place} has no rows")
    width = len(rows[0].fields)
    if width > MOST_COLUMNS:
        raise ValueError(f"{place} has {width:,} columns, expected at most {MOST_COLUMNS:,}")
    decimal = options.decimal
    if decimal is None:
        decimal = _decimal(rows, separator, place)
        if decimal == ",":
            notes.append("guessed: decimal comma (decimal=)")
    is_number = number_pattern(decimal).fullmatch
    gaps = {gap.encode().decode("latin-1") for gap in options.gaps}
    header = options.header
    below = _present_below(rows, width, gaps)
    has_numbers = [all(map(is_number, fields)) for fields in below]
    names = None
    if header is None and passed and len(passed[-1][1:].strip()) > 0:
        names = _commented_names(passed[-1], rows, separator, quote, is_number, gaps)
        if names is not None:
            header = False
            notes.append("guessed: header in the last comment line (header=)")
    if header is None:
        header, reason = _header(rows, below, has_numbers, is_number, gaps, place)
        if header:
            _refuse_gaps_in_header(rows[0], gaps, place)
        notes.append(f"guessed: {'header' if header else 'no header'}{reason} (header=)")
    start, line = rows[0].start, rows[0].line
    if header:
        names, start, line = rows[0].fields, rows[0].end, rows[0].next_line
        if is_whole and not text[start:].strip():
            raise ValueError(f"{place} has a header and no rows")
    else:
        for column, field in enumerate(field.strip(" \t") for field in rows[0].fields):
            if field not in gaps:
                below[column].append(field)
                has_numbers[column] = has_numbers[column] and is_number(field) is not None
    is_text = [
        not numbers or _LEADING_ZERO_OF_SOME.search("\n".join(["", *fields])) is not None
        for numbers, fields in zip(has_numbers, below, strict=True)
    ]
    return Layout(
        separator,
        quote,
        decimal,
        comments,
        start,
        line,
        width,
        names,
        is_text,
        notes,
    )


_LEADING_ZERO_OF_SOME = re.compile(r"\n[+-]?0[0-9]+(?:\n|\Z)")  # among fields, each behind \n
_ZERO_FIRST = re.compile(r"[ \t]*[+-]?0[0-9]+[ \t]*")
_EXPECTED_SEPARATOR = "expected one of ',', ';', '|', a tab, or ' ' for white space"


def has_leading_zero(field: str) -> bool:
    """Return whether a whole number begins as 00 or 01, as numbers in names do."""
    return "0" in field and _ZERO_FIRST.fullmatch(field) is not None


def _present_below(rows: list[Record], width: int, gaps: set[str]) -> list[list[str]]:
    """Return the fields of each column behind the first row, without gaps."""
    fields = [row.fields for row in rows[1:]]
    return [
        [
            field
            for row in fields
            if column < len(row) and (field := row[column].strip(" \t")) not in gaps
        ]
        for column in range(width)
    ]


def _pass_comments(
    text: str, start: int, line: int, comments: str | None
) -> tuple[int, int, str, list[str]]:
    """Return where the first row begins, its line, the characters of comments, and the comments."""
    known = COMMENTS if comments is None else comments
    passed: list[str] = []
    found = "" if comments is None else comments
    blank = re.compile(r"(?:[ \t]*(?:\r\n|\n|\r))*+").match(text, start)
    if blank is not None:
        passed_over = blank[0]
        start = blank.end()
        line += passed_over.count("\n") + passed_over.count("\r") - passed_over.count("\r\n")
    for match in re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|\Z)").finditer(text, start):
        content = match[1].lstrip(" \t")
        if content and content[0] not in known:
            break
        if content[:1] == "|" and comments is None and "|" not in found and content.count("|") > 1:
            break  # a row between bars
        if content:
            passed.append(content)
            found += content[0] if content[0] not in found else ""
        if match.end() == len(text):
            return len(text), line, found, [] if comments is not None else passed
        start, line = match.end(), line + 1
    return start, line, found, [] if comments is not None else passed


def _quote(text: str) -> str:
    """Return the single quote if all of the first rows have fields between single quotes."""
    lines = [line for line in re.split(r"[\r\n]+", text)[:20] if line.strip(" \t")]
    enclosed = re.compile(r"(?:^|[,;\t| ])[ ]*'[^'\"]*'[ ]*(?:$|[,;\t| ])")
    if lines and all(enclosed.search(line) and '"' not in line for line in lines[:-1] or lines):
        return "'"
    return '"'


def _separator(
    text: str, start: int, line: int, quote: str, comments: str, place: str
) -> tuple[str, list[Record]]:
    """Return the separator with which the first rows have the same number of fields, and the rows.

    Of several it is that with the largest share of numbers; of equal ones the first of SEPARATORS,
    as a comma between tabs or semicolons may be a decimal comma. Rows divided by white space count
    only if they have several kinds of it, or nothing but numbers.
    """
    first_line = re.compile(r"[^\r\n]*").match(text, start)
    assert first_line is not None
    for mark in SEPARATORS:
        if first_line[0].count(mark) > MOST_COLUMNS:
            raise ValueError(f"{place} has more than {MOST_COLUMNS:,} columns, expected fewer")
    regular: dict[str, list[Record]] = {}
    irregular: dict[str, tuple[int, list[Record]]] = {}
    for mark in SEPARATORS:
        if mark not in text and (mark != " " or "\t" not in text):
            continue
        rows = records(text, start, line, mark, quote, comments)
        widths = Counter(len(row.fields) for row in rows)
        if not rows or len(rows[0].fields) < 2:
            # A title above a table is refused as a row, with its line.
            width, count = max(widths.items(), key=lambda item: item[::-1], default=(1, 0))
            if width > 1 and mark != " " and 2 * count >= len(rows):
                irregular[mark] = 0, rows
            continue
        if len(widths) == 1:
            regular[mark] = rows
        else:
            irregular[mark] = widths[len(rows[0].fields)], rows
    if len(regular) == 1:
        return regular.popitem()
    if regular:
        shares = {mark: _share_of_numbers(rows) for mark, rows in regular.items()}
        blank = shares.pop(" ", None)
        best = max(shares, key=lambda mark: shares[mark])
        if blank is not None and (
            (best == "\t" and blank > shares[best]) or (blank == 1 and shares[best] < 1)
        ):
            best = " "
        return best, regular[best]
    irregular.pop(" ", None) if len(irregular) > 1 else None
    if irregular:
        best = max(irregular, key=lambda mark: irregular[mark][0])
        # Words with blanks between them in one column are not rows of a table.
        if best != " " or irregular[best][0] > len(irregular[best][1]) // 2:
            return best, irregular[best][1]
    return "", records(text, start, line, "", quote, comments)


def _share_of_numbers(rows: list[Record]) -> float:
    """Return the share of numbers and gaps among the fields behind the first row."""
    fields = [field for row in rows[1:] or rows for field in row.fields]
    either = _either_pattern()
    count = sum(field in GAPS or either.fullmatch(field) is not None for field in fields)
    return count / len(fields)


def _decimal(rows: list[Record], separator: str, place: str) -> str:
    """Return the comma if there are numbers with a comma and none with a point."""
    if separator == ",":
        return "."
    numbers = [
        field
        for row in rows
        for field in row.fields
        if ("," in field or "." in field) and _either_pattern().fullmatch(field)
    ]
    if not numbers or any("." in number for number in numbers):
        return "."
    if all(re.fullmatch(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", number) for number in numbers):
        raise ValueError(
            f"{place}: {numbers[0]!r} may have a decimal comma or a comma between thousands; "
            "expected decimal=',', or the numbers without separators of thousands"
        )
    return ","


def _commented_names(
    comment: str,
    rows: list[Record],
    separator: str,
    quote: str,
    is_number: Callable[[str], object],
    gaps: set[str],
) -> list[str] | None:
    """Return the fields of a comment as names, if it has as many as the rows, which are numbers."""
    fields = records(comment[1:].strip(), 0, 1, separator, quote, "")
    first = rows[0].fields
    if not fields or len(fields[0].fields) != len(first) or len(first) < 2:
        return None
    names = fields[0].fields
    if any(is_number(name) for name in names) or not any(map(is_number, first)):
        return None
    return names


def _header(
    rows: list[Record],
    below: list[list[str]],
    has_numbers: list[bool],
    is_number: Callable[[str], object],
    gaps: set[str],
    place: str,
) -> tuple[bool, str]:
    """Return whether the first row is a header, and the reason in words.

    It is one if a column of numbers has a name, and none if a column of numbers, or of words that
    recur, goes on in it.
    """
    first, others = rows[0].fields, rows[1:]
    numbers = [field.strip(" \t") for field in first if is_number(field.strip(" \t"))]
    if len(numbers) >= COUNTING_NAMES and _is_count(numbers) and others:
        second = [field.strip(" \t") for field in others[0].fields]
        if not _is_count(second):
            return True, ", as its numbers count the columns"
    named: list[int] = []
    continued_columns: list[int] = []
    recurring = 0
    for column, field in enumerate(field.strip(" \t") for field in first):
        present = below[column]
        if field in gaps or not present:
            continue
        if has_numbers[column]:
            (continued_columns if is_number(field) else named).append(column)
        elif field in present:
            continued_columns.append(column)
        elif len(set(present)) * 2 <= len(present):
            recurring += 1
    if named and continued_columns:
        a, b = named[0], continued_columns[0]
        raise ValueError(
            f"{place}, line {rows[0].line}: the first row may be a header (column {a + 1} is "
            f"{_short(first[a])}, above numbers) or not (column {b + 1} is {_short(first[b])}, as "
            "below); expected header=True or header=False"
        )
    if named:
        return True, ""
    if continued_columns or numbers:
        return False, ""
    if recurring or any(field.strip(" \t") not in gaps for field in first):
        return True, "" if recurring else ", as it holds no number"
    return False, ""


def _refuse_gaps_in_header(first: Record, gaps: set[str], place: str) -> None:
    """Raise a ValueError if a name in a guessed header is a gap that is written, such as ``?``."""
    for column, field in enumerate(field.strip(" \t") for field in first.fields):
        if field and field in gaps:
            raise ValueError(
                f"{place}, line {first.line}, column {column + 1}: the first row may be a header, "
                f"and {_short(field)} in it is a gap; expected header=True, which takes it for a "
                "name, or header=False"
            )


def _is_count(fields: list[str]) -> bool:
    """Return whether fields are whole numbers that follow each other."""
    if not all(re.fullmatch(r"[0-9]{1,9}", field) for field in fields):
        return False
    numbers = list(map(int, fields))
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _short(field: str) -> str:
    text = repr(field.encode("latin-1").decode("utf-8", "replace"))
    return text if len(text) <= 40 else f"{text[:37]}…'"
