"""Open files that may be compressed with gzip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; decompress it if it begins as a gzip file does.

    Damage that is found while the file is open becomes a ValueError.
    """
    with path.open("rb") as file:
        if not file.peek(2).startswith(GZIP_MAGIC):
            yield file
            return
        import gzip  # few files are compressed
        import zlib

        try:
            with gzip.GzipFile(fileobj=file) as decompressed:
                yield cast(IO[bytes], decompressed)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from None
