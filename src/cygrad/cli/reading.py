"""Options that say how a file is read, and files read as they say: as tables, or as arrays.

Models keep the options of their training (`Network.reading`); predict and evaluate use them, and
options that are given win. Arrays (.npy, .npz, IDX, svmlight) stay as they are where nothing asks
for columns: the pixels of images as bytes, and sparse rows as they are stored.
"""

from __future__ import annotations

import argparse
import re
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cygrad.cli import values

if TYPE_CHECKING:
    from cygrad.cli.arrays import Arrays
    from cygrad.tables.table import Table

#: The word to give in place of a file, for stdin; and of --output, for stdout.
STREAM = "-"
SEPARATORS = {"tab": "\t", "space": " ", "none": "", ",": ",", ";": ";", "|": "|", "\\t": "\t"}
QUOTES = {'"': '"', "'": "'", "none": ""}
#: The options that stand for the arguments named in notes and errors; other arguments have none.
_OPTIONS = {
    "separator": "--separator",
    "header": "--no-header",
    "decimal": "--decimal",
    "quote": "--quote",
    "encoding": "--encoding",
    "gaps": "--missing",
    "kinds": "--text",
    "strip": "--strip-label",
    "max_bytes": "--max-bytes",
    "zero_based": "--zero-based",
    "columns": "--features",
    "keep": "--keep",
    "drop": "--drop",
    "dates": "--dates",
    "min_count": "--min-count",
    "task": "--task",
}
#: Notes on columns of text, of which --text makes no numbers.
_NO_OPTION = (" (kinds=)", " (kinds= reads numbers)")


def add_options(parser: Any) -> None:
    """Add the options that say how a file is read."""
    group = parser.add_argument_group("text", "what is not given is guessed, and said")
    group.add_argument(
        "--separator",
        metavar="CHAR",
        choices=tuple(SEPARATORS),
        help="between fields: ',', ';', '|', tab, space (for runs of white space), or none",
    )
    group.add_argument("--decimal", metavar="CHAR", choices=(".", ","), help="decimal mark")
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row has the names of the columns",
    )
    group.add_argument(
        "--missing",
        metavar="TEXT",
        action="append",
        help="a field that is a gap, besides empty ones, ?, NA, nan and the like; a number, such "
        "as -200, in any spelling; several times for several",
    )
    group.add_argument(
        "--text", metavar="NAMES", type=values.names, help="columns of text, whatever they hold"
    )
    group.add_argument("--quote", metavar="CHAR", choices=tuple(QUOTES), help="\", ' or none")
    group.add_argument("--encoding", metavar="NAME", help="such as latin-1 (default: UTF-8)")
    group = parser.add_argument_group("other files")
    group.add_argument(
        "--strip-label",
        metavar="ENDING",
        help="take this ending off the labels, such as the full stop of <=50K.",
    )
    group.add_argument(
        "--zero-based",
        action=argparse.BooleanOptionalAction,
        help="whether columns of svmlight files count from 0",
    )
    group.add_argument(
        "--features",
        metavar="N",
        type=values.integer(1),
        help="number of columns of a svmlight file (default: the largest, or that of the model)",
    )
    group.add_argument(
        "--max-bytes",
        metavar="N",
        type=values.integer(1),
        help="the most bytes of what is compressed, or comes from stdin",
    )


def given(arguments: Namespace) -> dict[str, Any]:
    """Return the options as arguments of `cygrad.tables.read`, as a model keeps them."""
    from cygrad.tables.layout import GAPS

    options: dict[str, Any] = {
        "separator": SEPARATORS.get(arguments.separator),
        "header": arguments.header,
        "decimal": arguments.decimal,
        "gaps": None if not arguments.missing else [*GAPS, *arguments.missing],
        "kinds": None if arguments.text is None else dict.fromkeys(arguments.text, "text"),
        "quote": QUOTES.get(arguments.quote),
        "encoding": arguments.encoding,
        "zero_based": arguments.zero_based,
    }
    return {name: value for name, value in options.items() if value is not None}


def read(
    arguments: Namespace, saved: Mapping[str, Any] | None = None, features: int | None = None
) -> Table | Arrays:
    """Read the file that the options name.

    Parameters
    ----------
    arguments : argparse.Namespace
    saved : mapping or None
        The options of the training, for those that are not given.
    features : int or None
        Number of columns of a svmlight file; None takes the largest.

    Raises
    ------
    ValueError
        If the file cannot be read as the options say; arguments in the message are options.
    """
    from cygrad.tables.files import opened_format
    from cygrad.tables.files import read as read_table

    options = given(arguments)
    source = _stdin() if arguments.data == STREAM else arguments.data
    used: dict[str, Any] = {}
    try:
        with opened_format(source, arguments.max_bytes) as (path, kind):
            of_kind = _FOR.get(kind, ())
            used = {
                name: value
                for name, value in (saved or {}).items()
                if name in of_kind and name not in options
            }
            for name in options:
                if name not in of_kind:
                    what = "svmlight" if name == "zero_based" else "tables of text"
                    flag = _NO_VALUE.get(name, _OPTIONS[name])
                    raise ValueError(f"{flag}: only for {what}, and {path} is a file of {kind}")
            found: Table | Arrays
            if kind in ARRAYS:
                from cygrad.cli import arrays

                zero_based = {**used, **options}.get("zero_based")
                features = features or arguments.features
                found = arrays.read(arguments, path, kind, zero_based, features)
            else:
                limit = arguments.max_bytes
                found = read_table(path, **{**used, **options}, max_bytes=limit)
    except ValueError as error:
        raise ValueError(_with_flags(str(error)) + _as_in_training(used, "; ")) from None
    found.notes = (*found.notes, *filter(None, [_as_in_training(used)]))
    return found


_NO_VALUE = {"header": "--header", "zero_based": "--zero-based"}
ARRAYS = (".npy", ".npz", "IDX", "svmlight")
_FOR = {
    "delimited text": ("separator", "header", "decimal", "gaps", "kinds", "quote", "encoding"),
    "ARFF": ("encoding",),
    "Excel": ("header",),
    "svmlight": ("zero_based",),
}


def _stdin() -> Any:
    if sys.stdin is None:
        raise ValueError("stdin is closed, expected a file")
    return sys.stdin.buffer


def _as_in_training(used: Mapping[str, Any], before: str = "") -> str:
    """Return what a model's options are, for a note or an error."""
    if not used:
        return ""
    flags = " ".join(_flag(name, value) for name, value in used.items())
    return f"{before}read as for the training: {flags}"


def _flag(name: str, value: Any) -> str:
    """Return an argument of `cygrad.tables.read` as options of the command line."""
    import shlex

    if name == "header" or name == "zero_based":
        return f"--{'' if value else 'no-'}{name.replace('_', '-')}"
    if name == "gaps":
        from cygrad.tables.layout import GAPS

        return " ".join(f"--missing {shlex.quote(gap)}" for gap in value if gap not in GAPS)
    if name == "kinds":
        return f"--text {shlex.quote(','.join(value))}"
    words = {**{mark: word for word, mark in SEPARATORS.items() if word != "\\t"}, "": "none"}
    return f"{_OPTIONS[name]} {shlex.quote(words.get(value, value))}"


def _with_flags(message: str) -> str:
    """Return an error with options of the command line in place of arguments."""
    for pattern, flag in _ARGUMENTS:
        message = re.sub(pattern, flag, message)
    return message


_ARGUMENTS = (
    (r"kinds=\{('[^']*'): 'text'\}", r"--text \1"),
    (r"tables\.read with strip=\{'[^']*': ('[^']*')\}", r"--strip-label \1"),
    (r"header=True", "--header"),
    (r"header=False", "--no-header"),
    (r"(separator|decimal|quote)=('[^']*'|\"[^\"]*\")", r"--\1 \2"),
    (r"--quote ''", "--quote none"),
    (r"max_bytes=", "--max-bytes"),
    (r"another encoding=", "another --encoding"),
    (r", or encoding=", ", or --encoding"),
    (r"zero_based=", "--zero-based"),
    (r"columns=", "--features"),
)


def with_flags(error: ValueError) -> ValueError:
    """Return an error with options of the command line in place of the arguments it names."""
    return ValueError(_with_flags(str(error)))


def with_options(notes: Iterable[str]) -> list[str]:
    """Return notes with the options of the command line in place of the arguments they name.

    These are at the end of a note; before it there can be names of columns, as in size (x=3).
    """
    from cygrad.tables.description import one_line

    def option(match: re.Match[str]) -> str:
        if match[0] in _NO_OPTION:
            return ""
        known = all(name in _OPTIONS for name in re.findall(r"(\w+)=", match[0]))
        return re.sub(r"(\w+)=", lambda name: _OPTIONS[name[1]], match[0]) if known else ""

    # Names of columns may have line ends.
    return [re.sub(r" \([^()]*\b\w+=[^()]*\)$", option, one_line(note)) for note in notes]


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to stderr, a line for each."""
    for note in notes:
        print(f"cygrad: {note}", file=sys.stderr)
