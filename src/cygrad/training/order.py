"""The order of the samples in an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from cygrad import checks
from cygrad._engine.frames import as_array
from cygrad._engine.training import is_permutation, permute
from cygrad.training.shards import Share

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.weights import Weights

Shuffle: TypeAlias = "bool | Callable[[int], ArrayLike]"


def check_shuffle(shuffle: object) -> Shuffle:
    """Return `shuffle` if it is a flag or a function."""
    if callable(shuffle):
        return cast("Callable[[int], ArrayLike]", shuffle)
    if isinstance(shuffle, (bool, np.bool_)):
        return bool(shuffle)
    raise TypeError(
        f"shuffle is {shuffle!r}, expected True, False or a function of the number of samples"
    )


class Order:
    """The row numbers of each epoch, in one array that is filled again.

    Parameters
    ----------
    n : int
        Number of rows of the data.
    rows : ndarray of int64 or None
        The rows that take part; None: all of them.
    shuffle : bool or function
        Whether each epoch has them in a new random order, or in that of `rows`; or a function of
        their number that returns a permutation of their positions.
    shards : int or None
        Number of shards of the rows that take part; not with a function.
    step_rows : int
        Rows of a step, for shards.
    """

    def __init__(
        self,
        n: int,
        rows: NDArray[np.int64] | None,
        shuffle: Shuffle,
        shards: int | None = None,
        step_rows: int = 1,
    ) -> None:
        self.size = n if rows is None else len(rows)
        self._rows = rows
        self._function = shuffle if callable(shuffle) else None
        self._share = None if shards is None else Share(self.size, shards, step_rows)
        self.is_random = shuffle is True
        #: True if the engine cannot draw the orders of several epochs alone.
        self.needs_python = callable(shuffle) or shards is not None
        has_order = shuffle or shards is not None
        self._permutation = np.empty(self.size, np.int64) if has_order else None
        self._order = self._permutation if rows is None else np.empty_like(rows)
        self._repeated: NDArray[np.int64] | None = None

    @property
    def permutation(self) -> NDArray[np.int64] | None:
        """A copy of the latest order from a function; None for other orders."""
        if self._function is None or self._permutation is None:
            return None
        return self._permutation.copy()

    def repeat(self, permutation: NDArray[np.int64] | None) -> None:
        """Take this order in the next epoch, in the place of one from the function."""
        self._repeated = permutation

    def draw(self, drawn: int | None, count: int) -> NDArray[np.int64] | None:
        """Return the first `count` rows of the next epoch; None for all rows in their order.

        A random order is made of the random number `drawn`, another one by a call of the function.

        Raises
        ------
        TypeError, ValueError
            If the function returns no permutation.
        """
        if self._permutation is None:
            if count == self.size:
                return self._rows
            return np.arange(count) if self._rows is None else self._rows[:count]
        if self._function is not None:
            if self._repeated is None:
                self._permutation[:] = _positions(self._function(self.size), self.size)
            else:
                self._permutation[:], self._repeated = self._repeated, None
            if not is_permutation(self._permutation):  # of the copy, which nobody else can change
                raise ValueError(
                    f"shuffle({self.size}) has numbers twice or out of range, expected each of 0 "
                    f"to {self.size - 1} once"
                )
        elif self._share is not None:
            self._share.order(drawn if self.is_random else None, self._permutation)
        else:
            assert drawn is not None
            permute(self._permutation, drawn)
        if self._rows is not None:
            # Indices are in range, and "clip" needs no buffer for the result.
            np.take(self._rows, self._permutation, out=self._order, mode="clip")
        assert self._order is not None
        return self._order if count == self.size else self._order[:count]


def read_rows(rows: ArrayLike, n: int, name: str = "rows") -> NDArray[np.int64]:
    """Return row numbers of n samples as a new array."""
    given = checks.array(rows, name)
    if given.dtype.kind not in "iu":
        hint = f"; for a mask pass np.flatnonzero({name})" if given.dtype.kind == "b" else ""
        raise TypeError(f"{name} has dtype {given.dtype}, expected integers{hint}")
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{name} has shape {given.shape}, expected (rows,) with at least one")
    least, most = int(given.min()), int(given.max())
    if least < 0 or most >= n:
        found = least if least < 0 else most
        raise ValueError(f"{name} has the number {found}, expected row numbers from 0 to {n - 1}")
    return np.array(given, np.int64)  # a copy, whose range stays as it was checked


def _positions(returned: ArrayLike, size: int) -> NDArray[np.integer]:
    """Return the order from a function as an array of so many integers."""
    name = f"shuffle({size})"
    positions = np.asarray(as_array(returned, name))
    if positions.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {positions.dtype}, expected integers")
    if positions.shape != (size,):
        raise ValueError(f"{name} has shape {positions.shape}, expected ({size},)")
    return positions


def rows_that_count(
    order: NDArray[np.int64] | None, weights: Weights, step_rows: int
) -> NDArray[np.int64] | None:
    """Return the rows of an epoch without the steps whose weights are all 0, which are not done.

    Parameters
    ----------
    order : ndarray of int64 or None
        The rows of the epoch; None: all of them, in their order.
    weights : ndarray of float64
        Of all samples.
    step_rows : int
        Rows of a step; the last one may have fewer.
    """
    of_rows = weights if order is None else weights[order]
    counts = np.maximum.reduceat(of_rows, np.arange(0, len(of_rows), step_rows)) > 0
    if counts.all():
        return order
    kept = np.flatnonzero(np.repeat(counts, step_rows)[: len(of_rows)])
    return kept if order is None else order[kept]
