"""Arrays with the same numbers in other layouts of memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def unaligned(array: Array) -> Array:
    block = np.zeros(array.nbytes + 1, np.uint8)
    shifted = block[1:].view(array.dtype).reshape(array.shape)
    shifted[:] = array
    return shifted


def spread(array: Array) -> Array:
    """Return every second column of an array with other numbers between."""
    wide = np.full((array.shape[0], 2 * array.shape[1]), np.array(99).astype(array.dtype))
    wide[:, ::2] = array
    return wide[:, ::2]


#: Of matrices.
MATRICES: dict[str, Callable[[Array], Any]] = {
    "C order": np.copy,
    "Fortran order": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every second column": spread,
    "rows reversed": lambda X: X[::-1].copy()[::-1],
    "columns reversed": lambda X: X[:, ::-1].copy()[:, ::-1],
    "a part": lambda X: np.pad(X, 3)[3:-3, 3:-3],
    "read-only": read_only,
    "unaligned": unaligned,
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "list": lambda X: X.tolist(),
}

#: Of single samples.
VECTORS: dict[str, Callable[[Array], Array]] = {
    "plain": np.copy,
    "read-only": read_only,
    "every second": lambda x: np.repeat(x, 2)[::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "a column": lambda x: np.tile(x[:, np.newaxis], 3)[:, 1],
    "one number again and again": lambda x: np.broadcast_to(x[:1], x.shape),
    "unaligned": unaligned,
}
