"""Divide rows into a training and a test part, once or in folds. (The trainer draws batches.)"""

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
    keys = _keys(y)
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(f"test_fraction is {test_fraction}, expected a number between 0 and 1")
    rows = len(keys)
    order = _sorted_rows(keys, None if rng is None else np.random.default_rng(rng))
    position = np.arange(rows)
    is_test = np.floor((position + 1) * test_fraction) != np.floor(position * test_fraction)
    keys = keys[order]
    if _are_classes(keys) if classes is None else checks.flag(classes, "classes"):
        had_test = is_test.any()
        is_test = keep_every_class(is_test, keys)
        if had_test and not is_test.any():
            raise ValueError(
                f"no row is left to test: y has {len(np.unique(keys))} classes in {rows} rows, and "
                "each needs one to train on; expected classes with several rows, or quantities"
            )
    if not is_test.any() or is_test.all():
        raise ValueError(
            f"test_fraction is {test_fraction}, which leaves a part of {rows} rows empty"
        )
    return np.sort(order[~is_test]), np.sort(order[is_test])


def folds(
    y: NDArray[Any],
    k: int = 5,
    *,
    rng: int | np.random.Generator | np.random.SeedSequence | None = None,
    classes: bool | None = None,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Divide rows k times for a cross-validation: each row is in the test part of one fold.

    The rows are sorted by their targets and dealt to the folds in turn. The numbers of rows of a
    class in two folds differ by one at most, and quantities have a similar distribution in all
    folds. A class of at least two rows is in every training part; one of a single row is in all of
    them but one.

    Parameters
    ----------
    y : array, shape (n,) or (n, outputs)
        Targets. Rows with several outputs are sorted by the first one.
    k : int
        Number of folds, from 2 to n. With n of them a test part is one row.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Shuffles rows with equal targets, and deals each k neighbouring quantities in another order.
        None: the folds depend only on `y` and `k`.
    classes : bool or None
        Whether `y` are classes, as for `split`.

    Returns
    -------
    list of (train, test), each an ndarray of int64
        Row numbers, ascending. The test parts differ by one row at most.

    Raises
    ------
    TypeError, ValueError
        If `k` is no whole number from 2 to the number of rows, or `y` has another shape.

    References
    ----------
    R. Kohavi, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model
    Selection", IJCAI 1995, pp. 1137-1143: stratified folds.

    Examples
    --------
    >>> import cygrad as cg
    >>> for train, test in cg.datasets.folds(["a", "a", "b", "a", "b", "a"], 2):
    ...     print(train, test)
    [1 4 5] [0 2 3]
    [0 2 3] [1 4 5]
    """
    keys = _keys(y)
    rows = len(keys)
    checks.whole_number(k, "k", 2, rows)
    generator = None if rng is None else np.random.default_rng(rng)
    order = _sorted_rows(keys, generator)
    are_classes = _are_classes(keys[order]) if classes is None else checks.flag(classes, "classes")
    fold = np.arange(rows) % k
    if generator is not None and not are_classes:
        # Else the first fold would have the least of each k quantities, the last the greatest.
        blocks = np.tile(np.arange(k), (-(-rows // k), 1))
        whole = rows // k
        blocks[:whole] = generator.permuted(blocks[:whole], axis=1)
        fold = blocks.reshape(-1)[:rows]
    return [(np.sort(order[fold != number]), np.sort(order[fold == number])) for number in range(k)]


def _keys(y: NDArray[Any]) -> NDArray[Any]:
    """Return the target of each row by which rows are sorted."""
    y = np.asarray(y)
    if y.ndim not in (1, 2):
        raise ValueError(f"y has shape {y.shape}, expected (n,) or (n, outputs)")
    return y if y.ndim == 1 else y[:, 0]


def _sorted_rows(keys: NDArray[Any], generator: np.random.Generator | None) -> NDArray[np.int64]:
    """Return the rows in the order of their keys; those with the same key shuffled, or in order."""
    rows = len(keys)
    shuffled = np.arange(rows) if generator is None else generator.permutation(rows)
    order: NDArray[np.int64] = shuffled[np.argsort(keys[shuffled], kind="stable")]
    return order


def _are_classes(keys: NDArray[Any]) -> bool:
    """Return whether sorted targets look like classes."""
    if keys.dtype.kind == "f" and not (keys == np.floor(keys)).all():
        return False
    if keys.dtype.kind not in "biufOUST":
        return False
    return 2 * (1 + int((keys[1:] != keys[:-1]).sum())) <= len(keys)
