"""Time of an epoch on sparse samples, next to the same samples as a dense array.

1 % of the numbers are not zero, 100 in each row. `epochs` compares the parameters bit by bit before
it times. Adam updates all weights in each step, whatever the gradient: with small batches, this is
most of the sparse time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

import cygrad as cg

from . import timing
from .programs import Array
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Sparse samples, 1 % non-zeros: milliseconds of an epoch"
COLUMNS = (
    Column("network", "network", 11),
    Column("rows", "rows", 6),
    Column("optimizer", "optimizer", 9),
    Column("batch", "batch", 6),
    Column("dense", "dense", 8, ".1f"),
    Column("sparse", "sparse", 8, ".1f"),
    Column("ratio", "ratio", 6, ".1f"),
)
ROWS, INPUTS, UNITS, OUTPUTS = 20_000, 10_000, 64, 2
FEW_ROWS = 2_000  # with --quick
SPACING = 100  # columns for each non-zero
CASES = (("adam", 64), ("adam", 256), ("adam", 1024), ("sgd", 64))
CHECKED_STEPS = 3


def rows(settings: Settings) -> Iterator[Row]:
    count = FEW_ROWS if settings.quick else ROWS
    sparse, dense, y = samples(count, INPUTS, settings.dtype)
    for optimizer, batch in CASES:
        measured = epochs(
            sparse, dense, y, optimizer, batch, settings, rounds=1 if settings.quick else 3
        )
        yield {
            "network": f"{INPUTS}-{UNITS}-{OUTPUTS}",
            "rows": count,
            "optimizer": optimizer,
            "batch": batch,
            "dense": 1e3 * measured["dense"],
            "sparse": 1e3 * measured["sparse"],
            "ratio": measured["dense"] / measured["sparse"],
        }


def samples(count: int, inputs: int, dtype: str) -> tuple[Any, Array, Array]:
    """Return samples in compressed rows and as an array, and their classes."""
    rng = np.random.default_rng(0)
    each = inputs // SPACING
    columns = np.arange(each) * SPACING + rng.integers(0, SPACING, (count, each))
    numbers = rng.normal(size=(count, each)).astype(dtype)
    dense = np.zeros((count, inputs), dtype)
    np.put_along_axis(dense, columns, numbers, axis=1)
    sparse = SimpleNamespace(
        format="csr",
        shape=(count, inputs),
        indptr=np.arange(0, count * each + 1, each),
        indices=columns.ravel().astype(np.int32),
        data=numbers.ravel(),
    )
    return sparse, dense, (numbers[:, 0] > 0).astype(np.int64)


def epochs(
    sparse: Any,
    dense: Array,
    y: Array,
    optimizer: str,
    batch: int,
    settings: Settings,
    rounds: int,
) -> dict[str, float]:
    """Return the seconds of an epoch on sparse and on dense samples."""
    parameters = []
    for X in (sparse, dense):
        trainer = _trainer(X.shape[1], optimizer, batch, settings)
        trainer.fit(X, y, max_steps=CHECKED_STEPS)
        parameters.append(trainer.net.parameters)
    if not np.array_equal(parameters[0], parameters[1]):
        raise WrongResult(f"sparse samples, {optimizer}: other parameters than dense samples")
    measures = {
        name: partial(_epoch, _trainer(X.shape[1], optimizer, batch, settings), X, y)
        for name, X in (("dense", dense), ("sparse", sparse))
    }
    return timing.alternate(measures, rounds, settings.threads)


def _trainer(inputs: int, optimizer: str, batch: int, settings: Settings) -> cg.Trainer:
    layers = [cg.Dense(UNITS, "relu"), cg.Dense(OUTPUTS, "softmax")]
    net = cg.Network(inputs, layers, loss="cross_entropy", dtype=settings.dtype, rng=0)
    rule: Any = cg.Adam(1e-3) if optimizer == "adam" else cg.SGD(1e-2)
    return cg.Trainer(net, rule, batch_size=batch, rng=0, threads=settings.threads)


def _epoch(trainer: cg.Trainer, X: Any, y: Array) -> float:
    """Train for an epoch; the time is that of its steps, without the checks of X."""
    return trainer.fit(X, y).seconds[0]
