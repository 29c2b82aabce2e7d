"""Read texts that libFuzzer makes with `RowParser`, and compare with `plain_rows`.

    python tests/fuzz_programs.py rows -n 1000000       compiles what this needs, and runs it

A program for a Python with AddressSanitizer before it and the extension compiled for libFuzzer. The
first bytes of an input choose the layout and how the text is divided into blocks; a second parser
reads it as one block. Both must find the same as `plain_rows`, in little time and memory.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from plain_rows import Rows, Settings, read_rows

SEPARATORS = (b",", b";", b"\t", b"|", b" ", b"")
QUOTES = (b'"', b"'", b"")
COMMENTS = (b"", b"#", b"%#|")
GAPS = ((), (b"", b"?", b"NA", b"-"), (b"-200", b"x"), (b"0", b"007", b"\xc3\xa9"))
HEAD = 10  # bytes of an input before its text


def settings(head: bytes) -> tuple[Settings, list[int]]:
    """Return what the first bytes of an input choose: a layout, and the sizes of the blocks."""
    separator = SEPARATORS[head[0] % len(SEPARATORS)]
    point = b"," if head[1] & 1 and separator != b"," else b"."
    gaps = GAPS[head[2] % len(GAPS)]
    values = [number(gap) for gap in gaps]
    kinds = bytes(kind % 4 for kind in head[5 : 6 + head[4] % 4])
    quote, comments = QUOTES[head[3] % 3], COMMENTS[head[3] // 3 % 3]
    line = 1 + head[3] // 9
    layout = Settings(separator, quote, point, comments, kinds, gaps, values, line)
    return layout, [1 + head[9] % 16, 1 + head[9] // 16 * 5]


def number(gap: bytes) -> float:
    return float(gap) if gap.strip(b"-").isdigit() else float("nan")


def head(separator: bytes, gaps: int, quote: int, kinds: bytes, blocks: int) -> bytes:
    """Return the first bytes that choose a layout."""
    first = [SEPARATORS.index(separator), 0, gaps, quote, len(kinds) - 1]
    return bytes(first) + kinds.ljust(4, b"\0") + bytes([blocks])


def seeds() -> list[bytes]:
    """Return texts of each layout, kind of column and end of line."""
    rows = b'1,"a, ""b""",2.5\r\n# c\n-0,x,1e3\n\n?,"",007\n9007199254740993,\xc3\xa9,1e999\n'
    found = []
    for separator in SEPARATORS:
        text = rows.replace(b",", separator) if separator else rows
        for number, kinds in enumerate((b"\0\1\0", b"\2\1\2", b"\0\1\3", b"\1\1\1")):
            kinds = kinds if separator else kinds[:1]
            found.append(head(separator, number, number + 3, kinds, 0xF3) + text)
    # Many digits: between two doubles, a double, and neither.
    digits = (
        b"9007199254740993." + b"0" * 20 + b"1,1" + b"0" * 20 + b"\n" + b"1" * 25 + b",'it''s'\r"
    )
    found.append(head(b",", 1, 1, b"\0\0", 0xFF) + digits.partition(b"\n")[0])
    found.append(head(b",", 1, 1, b"\0\2", 0xF7) + digits)
    words = b"'" + b"word " * 20 + b"'\n'" + b"word " * 20 + b"'\r\n'\n\r'"
    found.append(head(b",", 1, 1, b"\1", 0x17) + words)
    return found


def check(module: Any, driver: Any, data: bytes) -> None:
    """Read an input in both ways, and assert that it is what `plain_rows` finds."""
    if len(data) < HEAD:
        return
    layout, sizes = settings(data[:HEAD])
    text = data[HEAD:]
    expected = summary(read_rows(text, layout), layout)
    for blocks in ([len(text)], sizes):
        driver.fuzz_begin(len(data))
        parser = module.RowParser(*layout)
        parse(module, parser, text, blocks)
        driver.fuzz_end()
        found = summary(rows_of(parser, layout), layout)
        assert found == expected, f"{layout}, blocks {blocks}\n{found}\n{expected}"


def parse(module: Any, parser: Any, text: bytes, sizes: list[int]) -> None:
    """Read a text in blocks of these sizes in turn, as `cygrad.tables.delimited` does."""
    buffer = bytearray(module.PADDING)
    stop = place = turn = 0
    while True:
        block = text[place : place + sizes[turn % len(sizes)]]
        place += len(block)
        turn += 1
        buffer[stop:] = block + bytes(module.PADDING)
        stop += len(block)
        is_last = place == len(text)
        used = parser.feed(buffer, 0, stop, is_last)
        if parser.failure is not None or is_last:
            assert parser.failure is not None or used == stop, "not all of the text is read"
            break
        del buffer[:used]
        stop -= used
    parser.finish()


def rows_of(parser: Any, layout: Settings) -> Rows:
    """Return what a parser has found as `plain_rows` does."""
    rows = Rows(words=parser.words, empty_tail=parser.empty_tail, line=parser.line)
    numeric = sum(kind in (0, 2) for kind in layout.kinds)
    count = parser.rows
    numbers = np.frombuffer(bytes(parser.numbers), np.float64).reshape(count, numeric)
    codes = np.frombuffer(bytes(parser.codes), np.int32).reshape(count, len(parser.words))
    rows.numbers, rows.codes = numbers.tolist(), codes.tolist()
    jumps = np.frombuffer(bytes(parser.jumps), np.int64).reshape(-1, 2).tolist()
    for row in range(count):
        if jumps and jumps[0][0] == row:
            rows.lines.append(jumps.pop(0)[1])
        else:
            rows.lines.append(rows.lines[-1] + 1)
    assert not jumps, "a jump behind the rows"
    rows.found_gaps = {
        gap for gap, is_found in zip(layout.gaps, parser.found_gaps, strict=True) if is_found
    }
    rows.other, rows.rounded = parser.other, parser.rounded
    rows.zeros, rows.infinite, rows.failure = parser.zeros, parser.infinite, parser.failure
    return rows


def summary(rows: Rows, layout: Settings) -> dict[str, Any]:
    """Return what must be equal; of a text that cannot be read, the rows before that and why."""
    numbers = [[value.hex() for value in row] for row in rows.numbers]
    numeric = [column for column, kind in enumerate(layout.kinds) if kind in (0, 2)]
    for slot, column in enumerate(numeric):
        # It is text from some row on, and nobody reads its numbers; also where a row that cannot be
        # read may have made it text.
        if column in rows.other or (rows.failure and layout.kinds[column] == 2):
            for row in numbers:
                row[slot] = ""
    same = {"numbers": numbers, "codes": rows.codes, "lines": rows.lines, "failure": rows.failure}
    if rows.failure is not None:
        return same
    more = ("words", "empty_tail", "line", "found_gaps", "other", "rounded", "zeros", "infinite")
    return {**same, **{name: getattr(rows, name) for name in more}}


def load(path: Path) -> Any:
    """Import the extension that was compiled for libFuzzer."""
    name = "cygrad._engine.delimited"
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def main() -> int:
    folder = Path(sys.argv[1])
    module, driver = load(folder / "delimited.so"), ctypes.CDLL(str(folder / "driver.so"))

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t)
    def test(data: Any, size: int) -> int:
        try:
            check(module, driver, ctypes.string_at(data, size))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os.abort()
        return 0

    words = [sys.argv[0].encode(), *(argument.encode() for argument in sys.argv[2:])]
    arguments = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    code: int = driver.fuzz_run(len(words), arguments, test)
    return code


if __name__ == "__main__":
    sys.exit(main())
