"""The first bytes by which files of each format are known, without the readers of the formats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cygrad.tables.compression import open_decompressed

if TYPE_CHECKING:
    from pathlib import Path

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = (b"ARROW1", b"FEA1")
EXCEL_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MATLAB_MAGIC = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
#: The types of values in IDX files, by the third byte.
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: The endings of svmlight's files, which are text.
SVMLIGHT_ENDINGS = (".svm", ".libsvm", ".svmlight")
_FIRST_LINES = re.compile(
    rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*+"  # comments and empty lines
    rb"[-+0-9.eE]++(?:[ \t]+qid:[0-9]+)?(?:[ \t]+[0-9]+:[-+0-9.eE]++)++\s"
)


def read_first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with open_decompressed(path) as file:
        first_bytes = file.read(8)
    if not first_bytes:
        raise ValueError(f"{path} is empty")
    return first_bytes


def is_arff(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is an ARFF file."""
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith((b"%", b"@")):
        return False
    comments = rb"(?:\s*+%[^\r\n]*+[\r\n]++)*+\s*+"
    return re.match(comments + rb"@relation\b", start, re.IGNORECASE) is not None


def is_arrow_stream(first: bytes) -> bool:
    """Return whether bytes begin with a message of an Arrow stream: its mark, and its size."""
    size = int.from_bytes(first[4:8], "little")
    return first[:4] == b"\xff\xff\xff\xff" and 0 < size < 1 << 30 and size % 8 == 0


def is_idx(magic: bytes) -> bool:
    """Return True if a file that begins with these bytes is an IDX file."""
    return len(magic) >= 4 and magic[:2] == b"\0\0" and magic[2] in IDX_TYPES and magic[3] > 0


def is_svmlight(first: bytes) -> bool:
    """Return whether a file that begins with these bytes has lines ``target column:number …``."""
    return _FIRST_LINES.match(first) is not None
