"""Divide rows into a training and a test part. (The trainer draws batches.)"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad import checks
from cygrad.stratification import keep_every_class


def split(
    y: NDArray[Any],
    test_fraction: float = 0.2,
    *,
    rng: int | np.random.Generator | np.random.SeedSequence | None = None,
    classes: bool | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide rows into a training and a test part with similar targets.

    The rows are sorted by their targets, and every 1/`test_fraction`-th of them goes to the test
    part. Each class then has the same share of both parts, up to one row, and quantities have a
    similar distribution. Of every class at least one row is in the training part.

    Parameters
    ----------
    y : array, shape (n,) or (n, outputs)
        Targets. Rows with several outputs are sorted by the first one.
    test_fraction : float
        Share of the rows in the test part, between 0 and 1; the number of rows is rounded down.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Shuffles rows with equal targets. None keeps their order in `y`: then the parts depend only
        on `y` and `test_fraction`.
    classes : bool or None
        Whether `y` are classes. None: they are if they are text, booleans or whole numbers, of
        which each one occurs at least twice on average.

    Returns
    -------
    train, test : ndarray of int64
        Row numbers, ascending.

    Raises
    ------
    ValueError
        If `test_fraction` is out of range, or one of the parts would be empty.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.datasets.split([0, 0, 0, 0, 1, 2, 2, 2, 2, 2], 0.2)
    (array([0, 1, 2, 3, 4, 5, 7, 8]), array([6, 9]))
    """
    y = np.asarray(y)
    if y.ndim not in (1, 2):
        raise ValueError(f"y has shape {y.shape}, expected (n,) or (n, outputs)")
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(f"test_fraction is {test_fraction}, expected a number between 0 and 1")
    rows = y.shape[0]
    shuffled = np.arange(rows) if rng is None else np.random.default_rng(rng).permutation(rows)
    keys = y if y.ndim == 1 else y[:, 0]
    order = shuffled[np.argsort(keys[shuffled], kind="stable")]
    position = np.arange(rows)
    is_test = np.floor((position + 1) * test_fraction) != np.floor(position * test_fraction)
    keys = keys[order]
    if _are_classes(keys) if classes is None else checks.flag(classes, "classes"):
        is_test = keep_every_class(is_test, keys)
    if not is_test.any() or is_test.all():
        raise ValueError(
            f"test_fraction is {test_fraction}, which leaves a part of {rows} rows empty"
        )
    return np.sort(order[~is_test]), np.sort(order[is_test])


def _are_classes(keys: NDArray[Any]) -> bool:
    """Return whether sorted targets look like classes."""
    if keys.dtype.kind == "f" and not (keys == np.floor(keys)).all():
        return False
    if keys.dtype.kind not in "biufOUST":
        return False
    return 2 * (1 + int((keys[1:] != keys[:-1]).sum())) <= len(keys)
