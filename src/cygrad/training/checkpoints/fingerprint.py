"""The fingerprint of data: shape, dtype and a hash, to recognise them when a training goes on."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._engine.frames import as_array
from cygrad.network import encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.training.data import GivenData

BLOCK_BYTES = 1 << 22  # hashed at once: between two blocks signals are handled
HASH_BYTES = 16

Fingerprint = dict[str, dict[str, Any]]


def fingerprint(net: Network, given: GivenData) -> Fingerprint:
    """Return the fingerprint of each part of the data, by its name as an argument of `fit`.

    Equal numbers of the same dtype have the same fingerprint in any memory layout. Tables are
    encoded first. Of batches only the number is known, if they are a sequence.
    """
    if given.y is None:
        length = len(given.X) if hasattr(given.X, "__len__") else None
        found: Fingerprint = {"X": {"batches": length}}
    else:
        found = {"X": _of_inputs(net, given.X, "X")}
    for name, value in given._asdict().items():
        if name != "X" and value is not None:
            found[name] = _of_inputs(net, value, name) if name == "X_val" else of_array(value, name)
    return found


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """Return in words how data differ from those of a checkpoint; None if they do not."""
    for name in (*expected, *(name for name in found if name not in expected)):
        if name not in found:
            return f"{name} is not given, and the training had it; expected the same data"
        if name not in expected:
            return f"{name} is given, and the training was without it; expected the same data"
        for part in ("batches", "shape", "dtype"):
            one, other = found[name].get(part), expected[name].get(part)
            if one != other:
                shown = [tuple(each) if part == "shape" and each else each for each in (one, other)]
                return (
                    f"{name} has {part} {shown[0]}, and that of the training {shown[1]}; expected "
                    "the same data"
                )
        if found[name] != expected[name]:
            return f"{name} has other values than that of the training; expected the same data"
    return None


def _of_inputs(net: Network, X: Any, name: str) -> dict[str, Any]:
    if encoding.takes(net.encoder, X):
        assert net.encoder is not None
        X = net.encoder.transform(X, [])
    return of_array(X, name)


def of_array(given: Any, name: str) -> dict[str, Any]:
    """Return the fingerprint of an array, of what becomes one, or of a sparse matrix."""
    found = blake2b(digest_size=HASH_BYTES)
    if hasattr(given, "indptr"):
        parts = [given.data, given.indices, given.indptr]
        shape, dtype = given.shape, given.dtype
    else:
        array = np.asarray(as_array(given, name))
        parts, shape, dtype = [array], array.shape, array.dtype
    for part in parts:
        for block in _blocks(np.asarray(part)):
            found.update(block)
    kind = "sparse " if hasattr(given, "indptr") else ""
    return {"shape": list(shape), "dtype": f"{kind}{dtype.name}", "hash": found.hexdigest()}


def _blocks(array: NDArray[Any]) -> Iterator[Any]:
    """Yield the bytes of an array in C order."""
    if array.dtype.hasobject:
        for value in array.ravel():
            yield f"{type(value).__name__} {value!r}\0".encode()
        return
    if array.ndim == 0:
        yield array.tobytes()
        return
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    rows = max(1, BLOCK_BYTES * len(array) // max(array.nbytes, 1))
    for start in range(0, len(array), rows):
        block = np.ascontiguousarray(array[start : start + rows])
        yield block.reshape(-1).view(np.uint8).data
