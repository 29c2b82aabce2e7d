"""Files that take their place in one step: a crash leaves the old file or the new one, both whole.

A new file is written beside the old one, synced and renamed, and so is whatever the command line
and `storage` write. What is in the files is their affair.
"""

from __future__ import annotations

import contextlib
import os
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
    """A file to write, which gets the name `path` when the block ends, and is gone if it fails.

    A link stays a link: what it points to is replaced. The mode is that of any new file.

    Parameters
    ----------
    path : str or os.PathLike
        What the file will be called.
    name : str
        What the user knows `path` by.
    text : bool
        Whether to open it for text, UTF-8 with line ends as they are written, or for bytes.

    Raises
    ------
    ValueError
        If `path` is there and is something other than a file.
    OSError
        If the file cannot be written; it names `path`, not the file beside it.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"{name} is {os.fspath(path)!r}, which is something other than a file")
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".cygrad-{os.urandom(8).hex()}.tmp")
    try:
        with _new_file(temporary, text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise
    _sync_folder(folder)


def _new_file(path: str, text: bool) -> IO[Any]:
    return open(path, "x", encoding="utf-8", newline="") if text else open(path, "xb")


def _sync_folder(folder: str) -> None:
    """Have the new name survive a crash too."""
    if os.name != "posix":
        return
    # Not all file systems can sync a folder, and by now the file is in its place.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
