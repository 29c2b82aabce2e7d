"""Output paths, checked before the work starts."""

from __future__ import annotations

import os
from pathlib import Path


def output_path(option: str, path: str | Path, reserved: dict[str, str | Path]) -> Path:
    """Return the path of an output file, after a check that it can be written.

    Parameters
    ----------
    option : str
        The option that sets the path, with its dashes.
    path : str or Path
        The value of the option.
    reserved : dict of str to path
        Files that must not be overwritten, by their role ("data" or "model").

    Raises
    ------
    ValueError
        If the path is one of `reserved`, its folder does not exist, or it cannot be written.
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
    """Create the folder that an option names, check that it is writable, and return it.

    Raises
    ------
    ValueError
        If the path is no folder, or the folder cannot be created or written to.
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
