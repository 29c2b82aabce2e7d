"""What all ranks must have in common, before they train together."""

from __future__ import annotations

import json
import sys
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.distributed.failures import RankError
from cygrad.training.checkpoints.description import describe_trainer
from cygrad.training.checkpoints.fingerprint import of_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cygrad.distributed.failures import Failures
    from cygrad.training.trainer import Trainer

#: What is shown of a value, and what is compared of it.
TEXT_BYTES, HASH_BYTES = 112, 16
#: Arrays of more bytes are compared by so many of their rows.
ALL_BYTES, SOME_ROWS = 1 << 26, 4096
#: The arguments of `fit` that are data.
DATA = ("X_val", "y_val", "sample_weight_val", "rows")


def identity(trainer: Trainer) -> dict[str, str]:
    """Return, by names, what a trainer must have in common with those of other ranks."""
    import cygrad

    net = trainer.net
    description = describe_trainer(trainer)
    configuration = description.pop("net")
    state = {"steps": trainer.steps, "learning_rate_scale": trainer.learning_rate_scale}
    return {
        "cygrad": cygrad.__version__,
        "byte order": sys.byteorder,
        "network": json.dumps(configuration),
        "trainer": json.dumps({**description, **state}, default=str),
        "parameters": f"with the hash {digest(net.engine.storage)}",
        "seeds": f"{trainer.seeds}",
    }


def describe(data: Mapping[str, Any]) -> dict[str, str]:
    """Return, by names, data that all ranks have."""
    return {name: data_of(value, name) for name, value in data.items() if value is not None}


def describe_options(options: Mapping[str, Any]) -> dict[str, str]:
    """Return, by names, the other arguments of a call; validation data are among them."""
    found = {}
    for name, value in options.items():
        if name in ("verbose", "sample_weight"):
            continue
        if name in DATA and value is not None:
            found[name] = data_of(value, name)
        elif name == "callbacks" and value is not None:
            found[name] = ", ".join(type(each).__name__ for each in value)
        elif name == "metrics" and isinstance(value, (list, tuple)):
            # The text of a function has its address.
            names = [
                getattr(each, "name", "a function") if callable(each) else each for each in value
            ]
            found[name] = f"{names}"
        else:
            found[name] = "a function" if callable(value) else f"{value!r}"
    return {"arguments": json.dumps(sorted(found))} | found


def data_of(value: Any, name: str) -> str:
    """Return shape, dtype and hash of data; of large ones the hash of some rows."""
    if name == "X" and (callable(value) or not hasattr(value, "__len__")):
        return "batches"
    if hasattr(value, "shape") and hasattr(value, "nbytes") and value.nbytes > ALL_BYTES:
        rows = np.linspace(0, len(value) - 1, SOME_ROWS).astype(np.intp)
        sample = value[rows]
    else:
        sample = value
    part = of_array(sample, name)
    shape = tuple(getattr(value, "shape", part["shape"]))
    return f"of shape {shape}, {part['dtype']}, with the hash {part['hash']}"


def digest(array: Any) -> str:
    """Return a hash of the bytes of a contiguous array."""
    return blake2b(np.ascontiguousarray(array).view(np.uint8).data, digest_size=8).hexdigest()


def require(failures: Failures, comm: Any, values: Mapping[str, str]) -> None:
    """Raise a RankError on all ranks if the values of one differ from those of rank 0.

    Parameters
    ----------
    values : dict of str
        By the same names on all ranks.
    """
    rows = np.zeros((len(values), TEXT_BYTES + HASH_BYTES), np.uint8)
    for row, value in zip(rows, values.values(), strict=True):
        text = value.encode()
        row[: min(len(text), TEXT_BYTES)] = np.frombuffer(text[:TEXT_BYTES], np.uint8)
        found = blake2b(text, digest_size=HASH_BYTES).digest()
        row[TEXT_BYTES:] = np.frombuffer(found, np.uint8)
    size = comm.Get_size()
    gathered = np.empty((size, *rows.shape), np.uint8)
    failures.wait(comm.Iallgather(rows, gathered))
    for rank in range(1, size):
        differs = (gathered[rank] != gathered[0]).any(1)
        if differs.any():
            index = int(differs.argmax())
            texts = [
                gathered[each, index, :TEXT_BYTES].tobytes().rstrip(b"\0").decode(errors="replace")
                for each in (rank, 0)
            ]
            raise RankError(
                rank,
                f"rank {rank} has {list(values)[index]} {texts[0]}, and rank 0 has {texts[1]}; "
                "expected the same on all ranks",
            )
