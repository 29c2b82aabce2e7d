"""Compare what all ranks must have in common, before they train together."""

from __future__ import annotations

import json
import re
import sys
from hashlib import blake2b, file_digest
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.distributed.failures import RankError
from cygrad.distributed.failures import describe as describe_error
from cygrad.training.checkpoints.description import describe_callback, describe_trainer
from cygrad.training.checkpoints.fingerprint import of_array
from cygrad.training.hooks import as_hooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cygrad.distributed.failures import Failures
    from cygrad.training.trainer import Trainer

#: What is shown of a value, and the size of the hash by which all are compared.
TEXT_LENGTH, HASH_BYTES = 160, 16
#: Arrays of more bytes are compared by so many of them, of some rows: a call is to begin at once,
#: and one step is soon done. The fewest rows that are compared.
ALL_BYTES, BYTES_OF_STEP, FEWEST_ROWS = 1 << 20, 1 << 15, 8
#: The arguments of `fit` that are data.
DATA = ("X", "y", "X_val", "y_val", "sample_weight", "sample_weight_val", "rows")


def state(trainer: Trainer) -> dict[str, str]:
    """Return, by names, what changes with the calls of a trainer, but for the parameters."""
    return {
        "steps": f"{trainer.steps}",
        "learning_rate_scale": f"{trainer.learning_rate_scale!r}",
    }


def identity(trainer: Trainer, *, with_parameters: bool = True) -> dict[str, str]:
    """Return, by names, what a trainer must have in common with those of other ranks."""
    import cygrad

    net = trainer.net
    description = describe_trainer(trainer)
    configuration = description.pop("net")
    found = {
        "cygrad": cygrad.__version__,
        "byte order": sys.byteorder,
        "network": json.dumps(configuration),
        "seeds": f"{trainer.seeds}",
    }
    for name, value in description.items():
        found[name] = json.dumps(value, default=_shown)
    found |= state(trainer)
    if with_parameters:
        found["parameters"] = f"with the hash {digest(net.engine.storage)}"
    return found


def describe(values: Mapping[str, Any], most_bytes: int = ALL_BYTES) -> dict[str, str]:
    """Return, by names, the data and the arguments of a call, in words."""
    found = {}
    for name, value in values.items():
        if value is None or name == "verbose":
            continue
        if name == "callbacks":
            callbacks = [describe_callback(each) for each in as_hooks(value)]
            for each in callbacks:  # rank 0 alone writes files
                (each["arguments"] or {}).pop("path", None)
            found[name] = json.dumps(callbacks, default=_shown)
        elif name == "checkpoint":
            found[name] = _file(value)
        else:
            found[name] = data_of(value, name, most_bytes) if name in DATA else _shown(value)
    return found


def _file(path: Any) -> str:
    """Return a hash of a file."""
    try:
        with open(path, "rb") as file:
            return f"with the hash {file_digest(file, 'sha1').hexdigest()}"
    except (OSError, TypeError, ValueError) as error:
        return describe_error(error)


def _shown(value: Any) -> str:
    """Return a value in words that are the same in all processes."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    if callable(value):
        return getattr(value, "name", getattr(value, "__name__", type(value).__name__))
    return re.sub(" at 0x[0-9a-f]+", "", f"{value!r}")


def data_of(value: Any, name: str, most_bytes: int) -> str:
    """Return shape, dtype and hash of data; of larger ones the hash of some rows."""
    if name == "X" and (callable(value) or not hasattr(value, "__len__")):
        return "batches"
    if hasattr(value, "shape") and getattr(value, "nbytes", 0) > most_bytes:
        count = max(len(value) * most_bytes // value.nbytes, min(FEWEST_ROWS, len(value)))
        rows = np.linspace(0, len(value) - 1, count).astype(np.intp)
        sample = value[rows]
    else:
        sample = value
    try:
        part = of_array(sample, name)
    except Exception as error:  # the training raises it again, if all ranks have it
        return describe_error(error)
    shape = tuple(getattr(value, "shape", part["shape"]))
    return f"of shape {shape}, {part['dtype']}, with the hash {part['hash']}"


def digest(array: Any) -> str:
    """Return a hash of the bytes of a contiguous array."""
    return blake2b(np.ascontiguousarray(array).view(np.uint8).data, digest_size=8).hexdigest()


def require(failures: Failures, values: Mapping[str, str]) -> None:
    """Raise a RankError on all ranks if the values of one differ from those of rank 0.

    Parameters
    ----------
    values : dict of str
    """
    if failures.size == 1:
        return
    record = json.dumps(values).encode()
    own = np.frombuffer(blake2b(record, digest_size=HASH_BYTES).digest(), np.uint8)
    if (_gather(failures, own) == own).all():
        return
    records = [json.loads(each) for each in _gather_bytes(failures, record)]
    first = records[0]
    for rank, other in enumerate(records):
        for name in (*first, *(name for name in other if name not in first)):
            one, two = other.get(name), first.get(name)
            if one != two:
                failures.is_common = True
                raise RankError(
                    rank,
                    f"rank {rank} has {_part(name, one, two)}, and rank 0 has "
                    f"{_part(name, two, one)}; expected the same on all ranks",
                )


def _part(name: str, text: str | None, other: str | None) -> str:
    """Return a value, or if it is long, the part where it differs from another one."""
    if text is None:
        return f"no {name}"
    if len(text) > TEXT_LENGTH and other is not None:
        pairs = enumerate(zip(text, other, strict=False))
        first = next((place for place, (a, b) in pairs if a != b), len(other))
        text = f"… {text[max(first - TEXT_LENGTH // 2, 0) :]}"
    return f"{name} {text[:TEXT_LENGTH]}"


def complete(failures: Failures, error: BaseException | None) -> None:
    """Raise an error on all ranks, if there is one on any: its own, or else a RankError."""
    if failures.size == 1:
        if error is not None:
            raise error
        return
    state = 0 if error is None else 2 if error is failures.refused else 1
    states = _gather(failures, np.array([state], np.uint8))[:, 0]
    if not states.any():
        return
    own = b"" if error is None else describe_error(error).encode()[:TEXT_LENGTH]
    texts = [text.decode(errors="replace") for text in _gather_bytes(failures, own)]
    rank = int((states == 1).argmax())
    if (states == 2).any():  # they have left an operation that can never be completed
        failures.lose(rank, f"rank {rank} ended with {texts[rank]}")
    failures.is_common = True
    if error is not None:
        raise error
    raise RankError(rank, f"rank {rank} ended with {texts[rank]}; nothing was changed")


def largest(failures: Failures, numbers: NDArray[Any]) -> NDArray[Any]:
    """Return the largest numbers of all ranks."""
    failures.wait(failures.comm.Iallreduce(failures.mpi.IN_PLACE, numbers, failures.mpi.MAX))
    return numbers


def _gather(failures: Failures, own: NDArray[Any]) -> NDArray[Any]:
    """Return the arrays of all ranks, which have the same size."""
    gathered = np.empty((failures.size, *own.shape), own.dtype)
    failures.wait(failures.comm.Iallgather(own, gathered))
    return gathered


def _gather_bytes(failures: Failures, own: bytes) -> list[bytes]:
    """Return the bytes of all ranks."""
    sizes = _gather(failures, np.array([len(own)]))[:, 0]
    row = np.zeros(int(sizes.max()), np.uint8)
    row[: len(own)] = np.frombuffer(own, np.uint8)
    rows = _gather(failures, row)
    return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]
