"""Checkpoints in files: a tree of values and arrays in an `.npz` archive, see `network.archive`.

The header has the tree, with the names of arrays in the place of arrays, "format" ("cygrad
checkpoint"), "version" (of the format, an integer) and "cygrad" (the version that wrote it).
Parameters and optimiser's states have the layout of the engine, in panels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import __version__, checks
from cygrad.atomic_write import atomic_write
from cygrad.network import archive
from cygrad.network.archive import UnsupportedFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "cygrad checkpoint"
VERSION = 1
#: The key of the name of an array, in its place.
ARRAY = "array of the file"


def write(
    path: str | os.PathLike[str], tree: Mapping[str, Any], constant: Mapping[str, Any] | None = None
) -> None:
    """Replace a checkpoint in one step.

    Parameters
    ----------
    tree : dict
        As for `to_values`.
    constant : dict
        More of it, values for JSON already.
    """
    arrays: dict[str, NDArray[Any]] = {}
    values = {**(constant or {}), **to_values(tree, arrays)}
    header = {"format": FORMAT, "version": VERSION, "cygrad": __version__, **values}
    with atomic_write(path) as file:
        archive.write(file, header, arrays)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the tree of a checkpoint.

    Raises
    ------
    ValueError
        If the file is no checkpoint, is damaged or cut short, or has a newer format.
    OSError
        If there is no such file, or it cannot be read.
    """
    name = archive.path_name(path)

    def contents(names: Iterable[str], read_member: Callable[[str], bytes]) -> dict[str, Any]:
        header = archive.read_header(read_member("header.npy"), name, FORMAT)
        version = checks.whole_number(header["version"], "version")
        if version > VERSION:
            raise UnsupportedFile(
                f"{name!r} has format {version}, written by cygrad {header.get('cygrad')}; cygrad "
                f"{__version__} reads formats up to {VERSION}: a newer cygrad is needed"
            )
        arrays = {}
        for member in names:
            if member != "header.npy":
                array = member.removesuffix(".npy")
                arrays[array] = _read_array(read_member(member), array)
        tree: dict[str, Any] = from_values(header, arrays)
        return tree

    return archive.read(path, FORMAT, contents)


def may_be_replaced(path: str | os.PathLike[str]) -> bool:
    """Return whether an existing file is a checkpoint, or empty."""
    if os.path.getsize(path) == 0:
        return True

    def contents(names: Iterable[str], read_member: Callable[[str], bytes]) -> None:
        archive.read_header(read_member("header.npy"), "", FORMAT)

    try:
        archive.read(path, FORMAT, contents)
    except ValueError:
        return False
    return True


def _read_array(data: bytes, name: str) -> NDArray[Any]:
    shape, dtype, start = archive.npy_header(data)
    if dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {dtype}, expected numbers")
    return archive.read_array(data, name, shape, dtype, start)


def to_values(tree: Any, arrays: dict[str, NDArray[Any]], name: str = "state") -> Any:
    """Return a tree as values for JSON; its arrays are added to `arrays`.

    Raises
    ------
    TypeError
        If something else is in the tree than None, truth values, numbers, text, arrays of numbers,
        and lists, tuples and dicts of these, with text as keys.
    """
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    if isinstance(tree, np.generic):
        return tree.item()
    if isinstance(tree, np.ndarray) and tree.dtype.kind in "biuf":
        own = f"{_ascii(name)}_{len(arrays)}"
        arrays[own] = tree
        return {ARRAY: own}
    if isinstance(tree, (list, tuple)):
        return [to_values(each, arrays, name) for each in tree]
    if isinstance(tree, Mapping) and all([isinstance(key, str) for key in tree]):
        return {key: to_values(each, arrays, key) for key, each in tree.items()}
    raise TypeError(
        f"{name} is {tree!r}, expected None, numbers, text, arrays of numbers, lists or dicts"
    )


def _ascii(key: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key)


def from_values(values: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the tree of `to_values`; tuples are lists."""
    if isinstance(values, list):
        return [from_values(each, arrays) for each in values]
    if isinstance(values, dict):
        if values.keys() == {ARRAY}:
            return arrays[values[ARRAY]]
        return {key: from_values(each, arrays) for key, each in values.items()}
    return values
