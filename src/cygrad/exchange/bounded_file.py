"""Read a whole file of another program, which has at most a gigabyte unless a format says more."""

from __future__ import annotations

import os

MAX_BYTES = 1 << 30


def read_bounded(path: str | os.PathLike[str], limit: int = MAX_BYTES, why: str = "") -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    path : str or os.PathLike
    limit : int
        The most bytes.
    why : str
        The reason for the limit, for the message.

    Raises
    ------
    ValueError
        If it has more.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{os.fspath(path)!r} has more than {limit:,} bytes{why}")
    return data
