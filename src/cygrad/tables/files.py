"""Read a file into a `Table`; the format is found by its first bytes, not by its name."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from cygrad.tables import signatures
from cygrad.tables.columns import column_position
from cygrad.tables.delimited import read_delimited
from cygrad.tables.layout import GAPS, SEPARATORS, Options
from cygrad.tables.sources import decompressed_file, opened, regular_file
from cygrad.tables.table import Table

FIRST_BYTES = 1 << 16  # of comments, at most, above an ARFF file
PICKLES = (".pkl", ".pickle", ".joblib")


def read(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    separator: str | None = None,
    header: bool | None = None,
    names: Sequence[str] | None = None,
    kinds: Mapping[str | int, str] | None = None,
    gaps: Sequence[str] | None = None,
    decimal: str | None = None,
    quote: str | None = None,
    comments: str | None = None,
    encoding: str | None = None,
    arrays: Sequence[str] | None = None,
    sheet: str | int | None = None,
    strip: Mapping[str | int, str] | None = None,
    max_bytes: int | None = None,
    progress: bool | None = None,
) -> Table:
    """Read a file as named columns of numbers or text, with gaps.

    The format is found from the first bytes, not from the name:

    - **delimited text**, see below;
    - **.npy**: each column of the array is a column, other dimensions are flattened;
    - **.npz**: the columns of all arrays with the same number of rows, or of `arrays`. If there are
      ``x_train`` and ``y_train``, these are read, with a note;
    - **ARFF**, dense and sparse: nominal values keep their order, dates become seconds since 1970,
      and what is absent in a sparse row is 0, or the first value of a nominal attribute;
    - **IDX**, the format of MNIST: the pixels, and the column ``label`` if the file of the labels
      is in the same folder;
    - **Parquet**, **Feather** and **Arrow** (needs narwhals and pyarrow), **Excel** (pandas and
      openpyxl), **MATLAB** up to version 7 (SciPy): numbers, text and times, as `Table.from_frame`
      takes them. In Excel the first row is a header if it has text only.

    A pickle is refused: it runs code when it is opened.

    A number is ``[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?`` in ASCII and becomes the nearest
    double, as with Python's float; everything else is text or a gap. A column with one text is
    text, and so is one of whole numbers with zeros before them, such as 01, which are names.
    Whatever is not given by an argument is guessed, and each guess is in ``table.notes``.

    Blanks around fields are ignored, and so are empty lines. A field in quotes may hold separators,
    ends of lines and doubled quotes. Lines may end as on Windows; a byte order mark is passed over.
    Columns with the same name are numbered, and columns and rows at the end that are empty are
    left out, with a note. Files may be compressed with gzip, bz2, xz or, with Python 3.14, zstd.

    Parameters
    ----------
    path : str, os.PathLike or binary file
        An open file is read to its end; it needs no ``seek``.
    separator : str or None
        ``","``, ``";"``, ``"\\t"``, ``"|"``, ``" "`` for runs of white space, or ``""`` for one
        column.
    header : bool or None
        Whether the first row has the names of the columns.
    names : sequence of str or None
        Names of the columns, instead of those in the file; without names in the file and here they
        are column_1, column_2, …
    kinds : mapping of str or int to {"number", "text"}, or None
        Kinds of columns by name, or by number from 1 on, −1 for the last; a field of a column of
        numbers that is none is an error.
    gaps : sequence of str or None
        Fields that are gaps, as a whole; by default `GAPS`: empty, ``?``, ``NA``, ``N/A``, ``NaN``,
        ``nan``, ``null``, ``None`` and ``-``. A number, such as ``-200``, stands for its value.
    decimal : {".", ","} or None
        The decimal mark. Separators of thousands are never read.
    quote : str or None
        ``'"'``, ``"'"``, or ``""`` for quotes that are part of the text.
    comments : str or None
        Characters with which lines begin that are passed over; by default those of ``#%|`` with
        which lines at the start of the file begin. ``""`` for none.
    encoding : str or None
        Encoding of the text; by default UTF-8, or UTF-16 with a byte order mark.
    arrays : sequence of str or None
        Names of the arrays of a ``.npz`` or MATLAB file, such as ``["x_test", "y_test"]``.
    sheet : str, int or None
        Name or number, from 1 on, of the sheet of an Excel file; by default the first, with a note.
    strip : mapping of str or int to str, or None
        Endings to take off the texts of columns, by name or number, as in ``{"label": "."}``.
    max_bytes : int or None
        The most bytes of text of a compressed file. By default 16 MiB and 200 times its size, so
        that a small file cannot fill the memory. In formats that can be short for many values, the
        most bytes of these as numbers.
    progress : bool or None
        Whether progress is shown on stderr; None: on a terminal, if it takes more than 2 s.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the file is malformed: the message has line, column, field, and what was expected. If it
        is a pickle, or no text. If an argument is not among the choices, or not for this format.
    ImportError
        If a library that the format needs is not installed.
    OSError
        If the file cannot be read.

    Notes
    -----
    The memory taken is at most a multiple of the text: 8 bytes for a number, 4 for a text and once
    its words. Sources of the exact numbers are named in ``csrc/decimal.c``.
    """
    options = _options(separator, header, names, kinds, gaps, decimal, quote, comments)
    if encoding is not None:
        encoding = _encoding(encoding)
    for key, ending in (strip or {}).items():
        if not isinstance(ending, str):
            raise TypeError(f"strip[{key!r}] is {ending!r}, expected text")
    if max_bytes is not None and (isinstance(max_bytes, bool) or max_bytes < 1):
        raise ValueError(f"max_bytes is {max_bytes!r}, expected a whole number of at least 1")
    with opened_format(path, max_bytes) as (file, kind):
        for name, value in {"arrays": arrays, "sheet": sheet}.items():
            if value is not None and kind not in _FORMATS_WITH[name]:
                raise ValueError(f"{name} is {value!r}, but {file} is a file of {kind}")
        if kind in ("delimited text", "svmlight"):  # the reader refuses the latter
            table = read_delimited(file, options, encoding, max_bytes, progress)
        else:
            _refuse_options(file, options, encoding, kind)
            table = _read(file, kind, encoding, arrays, sheet, header, max_bytes)
        return table if not strip else _without_endings(table, strip)


@contextmanager
def opened_format(
    path: str | os.PathLike[str] | IO[bytes], max_bytes: int | None = None
) -> Iterator[tuple[Path, str]]:
    """Yield a file that can be read twice, and its format.

    That of arrays and of other libraries are decompressed first.
    """
    with ExitStack() as stack:
        file = stack.enter_context(regular_file(path, max_bytes))
        _refuse_pickles(file)
        with opened(file, max_bytes) as source:
            first = source.read(FIRST_BYTES)
            compression = source.compression
        kind = _format(file, first, compression is not None)
        is_text = kind in ("delimited text", "svmlight", "ARFF")
        # The labels of an IDX file are beside it, under its name.
        if compression is not None and not is_text and (kind, compression) != ("IDX", "gzip"):
            file = stack.enter_context(decompressed_file(file, max_bytes))
            kind = _format(file, first, False)
        yield file, kind


def _read(
    path: Path,
    kind: str,
    encoding: str | None,
    arrays: Sequence[str] | None,
    sheet: str | int | None,
    header: bool | None,
    max_bytes: int | None,
) -> Table:
    """Read a file of a format that is not delimited text."""
    # Imported here, as most files are text.
    from cygrad.tables import array_files, library_files
    from cygrad.tables.arff import read_arff

    match kind:
        case "ARFF":
            with opened(path, max_bytes) as source:
                return read_arff(source, encoding, max_bytes)
        case ".npy":
            return array_files.read_npy(path)
        case ".npz":
            return array_files.read_npz(path, arrays, max_bytes)
        case "IDX":
            return array_files.read_idx(path)
        case "MATLAB":
            return library_files.read_matlab(path, arrays, max_bytes)
        case "Parquet":
            return library_files.read_parquet(path, max_bytes)
        case "Arrow":
            return library_files.read_arrow(path, max_bytes)
    return library_files.read_excel(path, sheet, header, max_bytes)


_FORMATS_WITH = {"arrays": (".npz", "MATLAB"), "sheet": ("Excel",)}


def _format(path: Path, first: bytes, is_compressed: bool) -> str:
    """Return the format of a file that begins with these bytes, decompressed."""
    if signatures.is_arff(first):
        return "ARFF"
    if first.startswith(signatures.NPY_MAGIC):
        return ".npy"
    if first.startswith(signatures.ZIP_MAGIC):
        if not is_compressed:
            import zipfile

            members: list[str] = []
            with suppress(Exception), zipfile.ZipFile(path) as archive:  # else it is damaged
                members = archive.namelist()
            if "[Content_Types].xml" in members:
                return "Excel"
            if members and not any(member.endswith(".npy") for member in members):
                raise ValueError(
                    f"{path} is a ZIP archive of {members[0]!r}, without arrays; expected the file "
                    "in it, unpacked"
                )
        return ".npz"
    if first.startswith(signatures.EXCEL_MAGIC):
        return "Excel"
    if first.startswith(signatures.PARQUET_MAGIC):
        return "Parquet"
    if first.startswith(signatures.ARROW_MAGIC) or signatures.is_arrow_stream(first):
        return "Arrow"
    if first.startswith(signatures.MATLAB_MAGIC):
        return "MATLAB"
    if signatures.is_idx(first):
        return "IDX"
    has_ending = any(suffix.lower() in signatures.SVMLIGHT_ENDINGS for suffix in path.suffixes[-2:])
    return "svmlight" if has_ending or signatures.is_svmlight(first) else "delimited text"


def _without_endings(table: Table, endings: Mapping[str | int, str]) -> Table:
    """Return a table with texts that lack an ending, in the columns with these names or numbers."""
    columns = {name: table.column(name) for name in table.names}
    for key, ending in endings.items():
        name = table.names[
            column_position(table.source, key, len(table.names), table.names, "strip")
        ]
        columns[name] = columns[name].without_ending(ending)
    return table.with_columns(columns.values())


def _options(
    separator: str | None,
    header: bool | None,
    names: Sequence[str] | None,
    kinds: Mapping[str | int, str] | None,
    gaps: Sequence[str] | None,
    decimal: str | None,
    quote: str | None,
    comments: str | None,
) -> Options:
    """Check the arguments and return them."""
    if separator is not None and separator not in (*SEPARATORS, ""):
        raise ValueError(
            f"separator is {separator!r}, expected ',', ';', '|', '\\t', ' ' (white space) or ''"
        )
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal is {decimal!r}, expected '.' or ','")
    if decimal == "," and separator == ",":
        raise ValueError("decimal and separator are both ',', expected another separator")
    if quote not in (None, '"', "'", ""):
        raise ValueError(f"quote is {quote!r}, expected '\"', \"'\" or ''")
    if header not in (None, True, False):
        raise TypeError(f"header is {header!r}, expected True, False or None")
    if comments is not None and not (comments.isascii() and comments.isprintable()):
        raise ValueError(f"comments is {comments!r}, expected ASCII characters")
    if isinstance(gaps, str):
        raise TypeError(f"gaps is {gaps!r}, expected a sequence of texts, such as [{gaps!r}]")
    if isinstance(names, str):
        raise TypeError(f"names is {names!r}, expected a sequence of names")
    if names is not None and len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise ValueError(f"names has {twice!r} twice, expected different names")
    for key, kind in (kinds or {}).items():
        if kind not in ("number", "text"):
            raise ValueError(f"kinds[{key!r}] is {kind!r}, expected 'number' or 'text'")
    return Options(
        separator=separator,
        header=header,
        decimal=decimal,
        quote=quote,
        comments=comments,
        gaps=GAPS if gaps is None else tuple(dict.fromkeys(gaps)),
        guesses_gaps=gaps is None,
        kinds=kinds,
        names=names,
    )


def _refuse_options(path: Path, options: Options, encoding: str | None, kind: str) -> None:
    """Raise a ValueError if an argument for delimited text is given with another format."""
    plain = Options()
    for name in ("separator", "header", "names", "kinds", "gaps", "decimal", "quote", "comments"):
        value = getattr(options, name)
        if value != getattr(plain, name) and (name, kind) != ("header", "Excel"):
            raise ValueError(f"{name} is {value!r}, but {path} is a file of {kind}")
    if encoding is not None and kind != "ARFF":
        raise ValueError(f"encoding is {encoding!r}, but {path} is a file of {kind}")


def _encoding(name: str) -> str:
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"encoding is {name!r}, expected one that Python knows") from None


def _refuse_pickles(path: Path) -> None:
    """Raise a ValueError for a pickle, known by its name or its first bytes."""
    first = b""
    if path.is_file():
        with path.open("rb") as file:
            first = file.read(2)
    if any(suffix.lower() in PICKLES for suffix in path.suffixes) or (
        first[:1] == b"\x80" and first[1:] <= b"\x05"
    ):
        raise ValueError(
            f"{path} is a pickle, which runs code when it is opened, and is never read; save the "
            "data as .csv, .npz or Parquet instead"
        )
