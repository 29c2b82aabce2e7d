"""The bytes of a file, decompressed and as UTF-8, block by block, with a bound on their number.

The kind of compression is found by the first bytes, not by the name. A small file can expand to
almost any size, so the text may have at most `max_bytes`, by default `FREE_BYTES` and `EXPANSION`
times the size of the compressed file. Files that are not compressed have no bound.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any

FREE_BYTES = 16 << 20
EXPANSION = 200
READ_BYTES = 1 << 18

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
DAMAGE = ("BadGzipFile", "LZMAError", "ZstdError")


class Source:
    """A file that is being read."""

    def __init__(
        self,
        path: Path,
        file: IO[bytes],
        raw: IO[bytes],
        size: int,
        limit: int | None,
        compression: str | None,
    ) -> None:
        self.path = path
        self.compression = compression
        self._file = file
        self._raw = raw
        self.size = size
        self._limit = limit
        self._count = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._encoding = "utf-8"
        self._ended = False

    def decode(self, encoding: str, start: bytes) -> bytes:
        """Convert the bytes read so far, and all that follow, from an encoding to UTF-8."""
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        return self._recode(start, False)

    def read(self, size: int) -> bytes:
        """Return at most about `size` bytes; none at the end."""
        if self._decoder is None:
            return self._bytes(size)
        text = b""
        while not text and not self._ended:
            data = self._bytes(size)
            self._ended = not data
            text = self._recode(data, self._ended)
        return text

    def _recode(self, data: bytes, is_last: bool) -> bytes:
        assert self._decoder is not None
        try:
            text = self._decoder.decode(data, is_last)
        except UnicodeError as error:
            place = max(0, self._count - len(data) + getattr(error, "start", 0)) + 1
            reason = getattr(error, "reason", error)
            raise ValueError(
                f"{self.path} is not {self._encoding} text near byte {place}: {reason}; "
                "expected another encoding="
            ) from None
        return text.encode("utf-8", "surrogatepass")

    def share_read(self) -> float:
        """Return the share of the file that was read, from 0 to 1."""
        return min(1.0, self._raw.tell() / self.size) if self.size else 0.0

    def _bytes(self, size: int) -> bytes:
        data = self._file.read(size)
        self._count += len(data)
        if self._limit is not None and self._count > self._limit:
            raise ValueError(
                f"{self.path} expands to more than {self._limit:,} bytes, which may exhaust the "
                "memory; max_bytes= allows more"
            )
        return data


class _Copy(type(Path())):  # type: ignore[misc]
    """The path of a copy of a file; as text it is the name of the original, for messages."""

    shown: str = ""

    def __str__(self) -> str:
        return self.shown or super().__str__()

    def __fspath__(self) -> str:
        return str(super().__str__())


@contextmanager
def regular_file(
    path: str | os.PathLike[str] | IO[bytes], max_bytes: int | None = None
) -> Iterator[Path]:
    """Yield the path of a file that can be read twice, and at any place.

    It is `path` itself, or a copy of a pipe or of an open file, which is removed afterwards.
    """
    if not isinstance(path, str | os.PathLike):
        if not hasattr(path, "read"):
            raise TypeError(f"path is {path!r}, expected a path or a binary file")
        name = getattr(path, "name", None)
        with _copied(path, name if isinstance(name, str) else "file", max_bytes) as copy:
            yield copy
        return
    path = path if isinstance(path, Path) else Path(path)
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # opening a folder raises the right error
        yield path
    elif stat.S_ISFIFO(mode):
        with path.open("rb") as file, _copied(file, str(path), max_bytes) as copy:
            yield copy
    else:
        raise ValueError(f"{path} is a device, expected a file")


@contextmanager
def decompressed_file(path: Path, max_bytes: int | None = None) -> Iterator[Path]:
    """Yield the path of the decompressed copy of a file."""
    with opened(path, max_bytes) as source, _copied(source, str(path), None) as copy:
        yield copy


@contextmanager
def _copied(file: Any, name: str, max_bytes: int | None) -> Iterator[Path]:
    from tempfile import TemporaryDirectory  # which few files need

    with TemporaryDirectory(prefix="cygrad-") as folder:
        copy = _Copy(folder, "copy")
        count = 0
        with open(copy, "wb") as target:
            while data := file.read(READ_BYTES):
                if not isinstance(data, bytes):
                    raise TypeError(f"{name} is open for text, expected a file opened with 'rb'")
                count += len(data)
                if max_bytes is not None and count > max_bytes:
                    raise ValueError(
                        f"{name} has more than {max_bytes:,} bytes; max_bytes= allows more"
                    )
                target.write(data)
        copy.shown = name
        yield copy


@contextmanager
def opened(path: Path, max_bytes: int | None) -> Iterator[Source]:
    """Open a file; damage that is found becomes a ValueError."""
    with ExitStack() as stack:
        raw: Any = stack.enter_context(path.open("rb"))
        size = path.stat().st_size
        first = raw.peek(6)[:6]
        kind = next((name for magic, name in MAGIC.items() if first.startswith(magic)), None)
        limit = None
        if kind is None:
            file = raw
        else:
            limit = FREE_BYTES + EXPANSION * size if max_bytes is None else max_bytes
            file = stack.enter_context(_decompressed(raw, kind, path))
        try:
            yield Source(path, file, raw, size, limit, kind)
        except Exception as error:
            # By their names: the modules of these errors are imported with the compression alone.
            is_damage = isinstance(error, EOFError)
            is_damage |= type(error).__name__ in DAMAGE or type(error).__module__ == "zlib"
            is_damage |= kind == "bz2" and isinstance(error, OSError) and error.errno is None
            if kind is None or not is_damage:
                raise
            raise ValueError(f"{path} is a damaged {kind} file: {error}") from None


def _decompressed(raw: IO[bytes], kind: str, path: Path) -> Any:
    if kind == "gzip":
        return import_module("gzip").GzipFile(fileobj=raw)
    if kind == "bz2":
        return import_module("bz2").BZ2File(raw)
    if kind == "xz":
        # The memory of the dictionary is bounded too: the largest preset needs 65 MiB.
        return io.BufferedReader(_XZ(raw), READ_BYTES)
    try:
        return import_module("compression.zstd").ZstdFile(raw)
    except ImportError:
        raise ValueError(
            f"{path} is compressed with zstd, which needs Python 3.14 or newer; "
            "expected gzip, bz2 or xz, or the file as 'unzstd' writes it"
        ) from None


class _XZ(io.RawIOBase):
    """An xz file whose decompression may take at most 128 MiB."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lzma = import_module("lzma")
        self._decompressor: Any = None
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor is None or self._decompressor.eof:
                data = (self._decompressor.unused_data if self._decompressor else b"").lstrip(b"\0")
                data = data or self._file.read(READ_BYTES).lstrip(b"\0")
                if not data:
                    return 0
                self._decompressor = self._lzma.LZMADecompressor(
                    self._lzma.FORMAT_XZ, memlimit=128 << 20
                )
            elif self._decompressor.needs_input:
                data = self._file.read(READ_BYTES)
                if not data:
                    raise EOFError("it ends before the end-of-stream marker")
            else:
                data = b""
            text = self._decompressor.decompress(data, len(buffer))
            if text:
                buffer[: len(text)] = text
                return len(text)
