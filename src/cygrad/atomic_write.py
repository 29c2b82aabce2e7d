"""Replace a file in one step: after a crash, the complete old or the complete new file exists.

A new file is written in the same folder, synced and renamed. Networks, pictures, reports and
predictions are written in this way.
"""

from __future__ import annotations

import contextlib
import os
from binascii import crc32
from collections.abc import Iterator
from typing import IO, Any, Literal, overload


@overload
def atomic_write(
    path: str | os.PathLike[str], name: str = "path", *, text: Literal[False] = False
) -> contextlib.AbstractContextManager[IO[bytes]]: ...
@overload
def atomic_write(
    path: str | os.PathLike[str], name: str = "path", *, text: Literal[True]
) -> contextlib.AbstractContextManager[IO[str]]: ...
@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike[str], name: str = "path", *, text: bool = False
) -> Iterator[IO[Any]]:
    """Open a file to write; it is renamed to `path` when the block ends, or removed if it fails.

    If `path` is a link, the file it points to is replaced. The mode is that of any new file.

    Parameters
    ----------
    path : str or os.PathLike
        The file to create or replace.
    name : str
        Name of the argument or option, for the message.
    text : bool
        True opens the file for text (UTF-8, line ends unchanged), False for bytes.

    Raises
    ------
    ValueError
        If `path` exists and is not a file.
    OSError
        If the file cannot be written; `filename` is `path`, not the temporary file.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"{name} is {os.fspath(path)!r}, which is something other than a file")
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f"{_prefix(target)}{os.urandom(8).hex()}.tmp")
    try:
        with _new_file(temporary, text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        # Writing to a full disk fails without the name of a file, in NumPy also without a number.
        if isinstance(error, OSError) and error.filename in (None, temporary):
            if error.errno:
                raise OSError(error.errno, error.strerror, os.fspath(path)) from None
            reason = f"{str(error) or 'an error of writing'}; {os.fspath(path)!r} is not changed"
            raise OSError(reason) from error
        raise
    _sync_folder(folder)


def _prefix(target: str) -> str:
    """Return how names of temporary files for a file begin, short for any name of it."""
    return f".cygrad-{crc32(os.path.basename(target).encode(errors='surrogateescape')):08x}-"


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while they wrote a file have left beside it."""
    target = os.path.realpath(path)
    folder, prefix = os.path.dirname(target), _prefix(target)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and name.endswith(".tmp"):
                os.unlink(os.path.join(folder, name))


def _new_file(path: str, text: bool) -> IO[Any]:
    return open(path, "x", encoding="utf-8", newline="") if text else open(path, "xb")


def _sync_folder(folder: str) -> None:
    """Sync the folder, so that the new name survives a crash."""
    if os.name != "posix":
        return
    # Not all file systems can sync a folder, and the file has been renamed already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
