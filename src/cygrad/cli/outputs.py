"""Where results go; whether they can go there is asked before the work, not after."""

from __future__ import annotations

import os
from pathlib import Path


def output_path(option: str, path: str | Path, reserved: dict[str, str | Path]) -> Path:
    """Return the file that an option names, if it can be written.

    Parameters
    ----------
    option : str
        The option, with its dashes.
    path : str or Path
        Its value.
    reserved : dict of str to path
        The files that it must not be, by what they are.

    Raises
    ------
    ValueError
        If it is one of them, is in no folder, or cannot be written.
    """
    path = Path(path)
    for role, other in reserved.items():
        if _same(path, other):
            raise ValueError(f"{option} {path} is the {role}, expected another file")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise ValueError(f"{option} {path} is in no folder that exists")
    if (path.exists() and not path.is_file()) or not os.access(folder, os.W_OK):
        raise ValueError(f"{option} {path} cannot be written")
    return path


def output_folder(option: str, path: str | Path) -> Path:
    """Make the folder that an option names, and return it, if files can be written there.

    Raises
    ------
    ValueError
        If something else has its name, or it cannot be made or written to.
    """
    folder = Path(path)
    if os.path.lexists(folder) and not folder.is_dir():
        raise ValueError(f"{option} {folder} is no folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{option} {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{option} {folder} cannot be written to")
    return folder


def _same(path: Path, other: str | Path) -> bool:
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)
