"""`SparseRows`: numbers in compressed rows (CSR) with the attributes of SciPy's, without SciPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Compressed rows are the default with at least this many inputs, of which a row stores at most one
# in so many. Below, most users expect an array.
SPARSE_INPUTS = 256
SPARSE_SHARE = 16


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Numbers in compressed rows (CSR), with the attributes that SciPy's matrices have.

    Networks and trainers take it as X. ``scipy.sparse.csr_array((X.data, X.indices, X.indptr),
    X.shape)`` has more operations.

    Attributes
    ----------
    data : ndarray
        The numbers, row by row.
    indices : ndarray of int32
        Their columns, from 0 on, increasing in each row.
    indptr : ndarray of int64, shape (rows + 1,)
        Where each row begins in `data` and `indices`.
    shape : (int, int)
    """

    data: NDArray[Any]
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]
    shape: tuple[int, int]
    format: str = "csr"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""
        return self.data.dtype

    def toarray(self) -> NDArray[Any]:
        """Return all numbers as an array of `shape`."""
        dense = np.zeros(self.shape, self.dtype)
        dense[np.repeat(np.arange(self.shape[0]), np.diff(self.indptr)), self.indices] = self.data
        return dense

    def __getitem__(self, rows: Any) -> SparseRows:
        """Return some rows: a slice, numbers of rows, or a boolean for each row."""
        chosen = np.atleast_1d(np.arange(self.shape[0])[rows])
        if chosen.ndim != 1:
            raise IndexError(f"rows has {chosen.ndim} dimensions, expected one")
        counts = np.diff(self.indptr)[chosen]
        indptr = np.concatenate(([0], np.cumsum(counts)))
        places = np.arange(indptr[-1]) + np.repeat(self.indptr[chosen] - indptr[:-1], counts)
        return SparseRows(
            self.data[places], self.indices[places], indptr, (len(chosen), self.shape[1])
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"SparseRows of shape ({rows}, {columns}), {len(self.data)} numbers of {self.dtype}"
