"""`Samples`, the samples read from a file, and the interpretation of their targets.

A target is either the name of a class (classification) or a quantity (regression). `guess_task`
decides which, in the same way for all file formats, for samples and for tables. Nothing is read
from files here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["auto", "classification", "regression"]
TASKS: tuple[Task, ...] = get_args(Task)

#: With task "auto", whole numbers with more distinct values than this are quantities, unless they
#: are numbers of classes: at most so many, from 0 or 1 on, each of which occurs so often.
MOST_INTEGER_CLASSES = 20
MOST_NUMBERED_CLASSES = 100
LEAST_IN_NUMBERED_CLASS = 20
EXACT = 2**53  # whole numbers beyond it may be rounded
BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples as read from a file.

    Attributes
    ----------
    X : ndarray, shape (n, features)
        Inputs, in the file's own type if it has one, otherwise float64.
    y : ndarray or None
        Targets: int64 class indices, shape (n,), if `classes` is set; otherwise quantities,
        shape (n,) or (n, outputs). None if the file has no targets.
    features : tuple of str or None
        Names of the columns of `X`, if the file names them.
    target : str or None
        Name of the target, if the file names it.
    classes : tuple of str or None
        Names of the classes; `y` holds indices into them.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    features: tuple[str, ...] | None = None
    target: str | None = None
    classes: tuple[str, ...] | None = None


def targets(
    values: NDArray[Any],
    task: Task,
    classes: Sequence[str] | None,
    locate: Callable[[int], str],
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Return class indices and class names, or quantities and None.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, outputs)
        Numbers, booleans or text.
    task : {"auto", "classification", "regression"}
        "auto" means classification for text, booleans, and the numbers of `guess_task`, and
        regression for all other numbers.
    classes : sequence of str or None
        Names of the classes. None takes the distinct values in ascending order.
    locate : callable
        Returns the location in the file, for a message, of the target with a given row number.

    Raises
    ------
    ValueError
        If a number is not finite, a quantity is text, or a class is unknown.
    """
    is_text = values.dtype.kind not in "biuf"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
        raise ValueError(f"{locate(row)} is {values[row]}, expected a finite number")
    if classes is not None or task == "classification":
        is_classification = True
    elif task == "regression":
        is_classification = False
    else:
        is_number = not is_text and values.dtype.kind != "b"
        is_classification = not is_number or (values.ndim == 1 and guess_task(values)[0])
    if not is_classification:
        if is_text:
            raise ValueError(f"{locate(0)} is {values[0]!r}, expected a number")
        return values, None
    if values.ndim != 1:
        raise ValueError(f"{locate(0)} is one of {values.shape[1]} numbers, expected one class")
    distinct, indices = np.unique(values, return_inverse=True)
    names = tuple(_name(value) for value in distinct.tolist())
    if classes is None:
        return indices.astype(np.int64), names
    index_of = {name: index for index, name in enumerate(classes)}
    for position, name in enumerate(names):
        if name not in index_of:
            row = int(np.argmax(indices == position))
            raise ValueError(f"{locate(row)} is {name!r}, expected one of {_shortened(classes)}")
    return np.array([index_of[name] for name in names], np.int64)[indices], tuple(classes)


def guess_task(numbers: NDArray[Any]) -> tuple[bool, str]:
    """Return whether finite numbers are taken for classes, and the reason in words.

    They are if they are whole, whatever their type, and

    - at most 20 are different, and at most half of them, rounded up; or
    - at most 100 are different, which are 0, 1, 2, … or 1, 2, 3, …, each at least 20 times.
    """
    if numbers.dtype.kind == "f" and not (numbers == np.floor(numbers)).all():
        return False, "as some numbers are not whole"
    distinct, counts = np.unique(numbers, return_counts=True)
    n, count = len(numbers), len(distinct)
    if not n or max(-float(distinct[0]), float(distinct[-1])) > EXACT:
        return False, "as some numbers are large"
    if count <= MOST_INTEGER_CLASSES and 2 * count <= n + 1:
        return True, "as it has few different whole numbers"
    least, most = int(distinct[0]), int(distinct[-1])
    if (
        least in (0, 1)
        and most - least + 1 == count <= MOST_NUMBERED_CLASSES
        and counts.min() >= LEAST_IN_NUMBERED_CLASS
    ):
        return True, f"as it has all whole numbers from {least} to {most}, each many times"
    return False, f"as {count} of {n} whole numbers are different"


def check_finite(X: NDArray[Any], location: str) -> None:
    """Raise a ValueError if an input is NaN or infinite; the message counts from 1."""
    if X.dtype.kind != "f":
        return
    # In blocks: X may be mapped from a file larger than the memory.
    for start in range(0, len(X), BLOCK_ROWS):
        finite = np.isfinite(X[start : start + BLOCK_ROWS])
        if not finite.all():
            row, column = map(int, np.argwhere(~finite)[0])
            row += start
            raise ValueError(
                f"{location}, row {row + 1}, column {column + 1} is {X[row, column]}, "
                "expected a finite number"
            )


def _name(value: object) -> str:
    # 1 and 1.0 are the same class, whatever the type of the labels in the file.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode() if isinstance(value, bytes) else str(value)


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return shown if len(names) <= 10 else f"{shown}, ... ({len(names)} classes)"
