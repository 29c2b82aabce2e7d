"""Divide rows that are sorted by class: every class keeps at least one row to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def keep_every_class(drawn: NDArray[np.bool_], classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return `drawn`, changed so that of each class at least one row is not drawn.

    Other rows are drawn for those that are given back, evenly over the classes that have more than
    one row left; fewer, if there are not so many.

    Parameters
    ----------
    drawn : ndarray of bool, shape (n,)
        The rows that are drawn, for a test.
    classes : ndarray, shape (n,)
        The class of each row, ascending.
    """
    n = len(classes)
    starts = np.flatnonzero(np.append(True, classes[1:] != classes[:-1]))
    rows = np.diff(np.append(starts, n))
    lost = np.add.reduceat(drawn, starts, dtype=np.int64) == rows
    if not lost.any():
        return drawn
    kept = drawn.copy()
    kept[starts[lost]] = False
    # The first of each class that is not drawn stays; the others can be drawn.
    class_of = np.repeat(np.arange(len(starts)), rows)
    free = np.flatnonzero(~kept)
    first = np.append(True, class_of[free[1:]] != class_of[free[:-1]])
    spare = free[~first]
    count = min(int(lost.sum()), len(spare))
    if count:
        kept[spare[(np.arange(count) * len(spare) + len(spare) // 2) // count]] = True
    return kept
