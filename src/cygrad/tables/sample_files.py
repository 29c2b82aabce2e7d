"""Read a file of samples in any of the formats; each format has a module of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cygrad.tables.idx import read_idx
from cygrad.tables.npy import read_npy, read_npz
from cygrad.tables.sample_rows import read_csv
from cygrad.tables.samples import TASKS, Samples, Task
from cygrad.tables.signatures import NPY_MAGIC, ZIP_MAGIC, is_idx, read_first_bytes


def read(
    path: str | os.PathLike[str],
    target: str | int | None = None,
    *,
    task: Task = "auto",
    classes: Sequence[str] | None = None,
) -> Samples:
    """Read samples and, if the file has them, their targets.

    The format is found from the first bytes, not from the name. CSV and IDX files may be compressed
    with gzip.

    - **CSV**, UTF-8: one sample per row, with fields separated by tab, semicolon or comma, in this
      order of preference. The first row is a header if none of its fields is a number, or if
      `target` is a name. All columns except the target hold numbers.
    - **.npy**: one array, one sample per row. The file is memory-mapped, not copied.
    - **.npz**: inputs in the array ``X`` (or ``x``), targets in ``y`` or the array named `target`.
    - **IDX**, the format of MNIST: images. Labels come from the file `target`; without `target`,
      from the file in the same folder whose name has ``labels`` and ``idx1`` instead of ``images``
      and ``idx3``, if it exists.

    Samples with more than one dimension, such as images, are flattened.

    Parameters
    ----------
    path : str or os.PathLike
    target : str, int or None
        Column of the targets in a CSV file (name or number) or ``.npy`` file (number). Columns
        count from 1, as in error messages; -1 is the last one. For the other formats see above.
        With None every column is an input.
    task : {"auto", "classification", "regression"}
        "classification" if targets are names of classes, "regression" if they are quantities.
        "auto" means classification for text, booleans, and whole numbers of any type with few
        different values: at most 20 that occur twice on average, or at most 100 from 0 or 1 on,
        without a gap, that occur 20 times each.
    classes : sequence of str or None
        Names of the classes, in the order of their indices. None takes the distinct targets of the
        file, in ascending order.

    Returns
    -------
    Samples

    Raises
    ------
    ValueError
        If the file is malformed (the message gives the line and column, or the byte), or if
        `target` or `task` is not among the choices.
    OSError
        If a file cannot be read.
    """
    if task not in TASKS:
        raise ValueError(f"task is {task!r}, expected one of {', '.join(TASKS)}")
    if isinstance(target, bool) or not isinstance(target, str | int | None):
        raise TypeError(f"target is {target!r}, expected a name, a number or None")
    path = Path(path)
    first_bytes = read_first_bytes(path)
    if first_bytes.startswith(NPY_MAGIC):
        return read_npy(path, target, task, classes)
    if first_bytes.startswith(ZIP_MAGIC):
        return read_npz(path, target, task, classes)
    if is_idx(first_bytes):
        return read_idx(path, target, task, classes)
    if path.suffix in (".npy", ".npz"):
        raise ValueError(f"{path} is not a {path.suffix} file: it begins with {first_bytes!r}")
    return read_csv(path, target, task, classes)
