"""The order of samples that are divided into shards, for one process or for many.

Several processes that have different rows of the same data can follow this order: each draws the
part of its own shards, from one random number for the epoch, and no process needs the rows or the
order of another one. The order depends on the number of shards, not on that of the processes.

Shards. S shards divide n rows into contiguous parts of ⌈n / S⌉ or ⌊n / S⌋ rows, the larger ones
first, as ``numpy.array_split`` does. With P(s, e) = s ⌊e / S⌋ + min(s, e mod S), shard s has the
rows from P(s, n) to P(s + 1, n) − 1. More shards than rows are the same as one for each row.

Steps. The n places of an epoch go to the shards in turn: place q is one of shard q mod S.
Step b has the places from b B to min((b + 1) B, n) − 1, for B rows of a step, and takes the rows of
shard 0 first, then those of shard 1, and so on. So of the first e places, shards 0 to s − 1 have
P(s, e), and shard s has P(s + 1, e) − P(s, e) = ⌈(e − s) / S⌉. This number never falls with e; it
is the size of the shard for e = n; and the sum over all shards is P(S, e) = e. Hence every row
comes once in an epoch, every step but the last has B rows, and what two shards give to a step
differs by one row at most. (Shares of e rounded down, ⌊e P(s + 1, n) / n⌋ − ⌊e P(s, n) / n⌋, would
not do: as differences of two such numbers they can fall with e.)

Random order. Shard s has its rows in the order that `cygrad._engine.training.permute` draws for
their number, with the seed r xor m(s): r is the epoch's random number, and m(s) the output
of SplitMix64 [1]_ for the counter s γ. Because m(0) = 0, one shard has the order of no shards.

References
----------
.. [1] G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators",
   OOPSLA 2014.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad._engine.training import permute

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_AT_ONCE = 1 << 14  # whose places are computed together


class Share:
    """The rows that some neighbouring shards give to the steps of an epoch.

    Parameters
    ----------
    n : int
        Rows of all shards together.
    shards : int
        Number of shards.
    step_rows : int
        Rows of a step, of all shards together; the last step has the rest.
    first, end : int, int or None
        The shards of this share, from `first` to `end` − 1; None: to the last one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    A process has the last two of three shards of ten rows, and each step takes four:

    >>> share = Share(10, 3, 4, first=1)
    >>> share.rows
    range(4, 10)
    >>> places, counts = share.steps()
    >>> places, counts          # the first place in the batch, and how many follow
    (array([2, 1, 1]), array([2, 3, 1]))
    >>> share.order(None)       # its rows in their order, counted from its first one
    array([0, 3, 1, 2, 4, 5])
    >>> batch = Share(10, 3, 4).order(drawn=7)[:4]      # the first one of an epoch
    >>> share.rows.start + share.order(drawn=7)[:2] == batch[2:]
    array([ True,  True])
    """

    def __init__(
        self, n: int, shards: int, step_rows: int, first: int = 0, end: int | None = None
    ) -> None:
        self._n = n = checks.whole_number(n, "n")
        shards = checks.whole_number(shards, "shards")
        self._step_rows = min(checks.whole_number(step_rows, "step_rows"), n)
        end = shards if end is None else checks.whole_number(end, "end", 0, shards)
        self._shards = min(shards, n)  # no others have rows
        self._first = min(checks.whole_number(first, "first", 0, end), n)
        self._end = min(end, n)
        steps = -(-n // self._step_rows)
        self._ends = np.minimum(np.arange(steps + 1, dtype=np.int64) * self._step_rows, n)
        #: The numbers of its rows among all of them.
        self.rows = range(*(int(self._before(shard, n)) for shard in (self._first, self._end)))

    def _before(self, shard: Any, places: Any) -> Any:
        """Return P(shard, places): how many of the first places the shards before one have."""
        return shard * (places // self._shards) + np.minimum(shard, places % self._shards)

    def steps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each step, the first place of these rows in the batch, and their number.

        The rows of a share follow each other in a batch; a share can have none in a short one.
        """
        first, end = (self._before(shard, self._ends) for shard in (self._first, self._end))
        return np.diff(first), np.diff(end - first)

    def order(self, drawn: int | None, out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the order of these rows in an epoch, as positions in `rows`.

        Parameters
        ----------
        drawn : int or None
            The random number of the epoch, from 0 to 2⁶⁴ − 1; None: the rows of each shard in
            their own order.
        out : ndarray of int64 or None
            The array to fill and return, shape (len(rows),).

        Notes
        -----
        This takes time for each row, and for each shard in each step: more shards than a step has
        rows take longer than the rows.
        """
        order = np.empty(len(self.rows), np.int64) if out is None else out
        shards = np.arange(self._first, self._end + 1, dtype=np.int64)
        edges = self._before(shards, self._n) - self.rows.start
        rows = np.arange(len(order), dtype=np.int64)  # those of each shard in their order
        if drawn is not None:
            for shard, (begin, end) in enumerate(pairwise(edges.tolist()), self._first):
                permute(rows[begin:end], drawn ^ _mixed(shard))
                rows[begin:end] += begin
        steps = max(1, ROWS_AT_ONCE // max(self._step_rows, len(shards)))
        done = 0
        for step in range(0, len(self._ends) - 1, steps):
            ends = self._ends[step : step + steps + 1, np.newaxis]
            given = np.diff(self._before(shards, ends))  # [steps + 1, shards]
            counts = np.diff(given, axis=0).ravel()
            # A shard's rows in a step follow each other in `rows` and in `order`.
            offsets = (edges[:-1] + given[:-1]).ravel() - (np.cumsum(counts) - counts)
            taken = np.repeat(offsets, counts)
            taken += np.arange(len(taken))
            np.take(rows, taken, out=order[done : done + len(taken)], mode="clip")
            done += len(taken)
        return order


def _mixed(shard: int) -> int:
    """Return the number of a shard that makes its seed: the output of SplitMix64."""
    mask = (1 << 64) - 1
    counter = shard * 0x9E3779B97F4A7C15 & mask
    counter = (counter ^ counter >> 30) * 0xBF58476D1CE4E5B9 & mask
    counter = (counter ^ counter >> 27) * 0x94D049BB133111EB & mask
    return counter ^ counter >> 31
