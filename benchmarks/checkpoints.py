"""The cost of a checkpoint after each epoch, next to the same epochs without.

`rows` first goes on from a checkpoint and compares the bits. The time of an epoch is that between
two calls of a callback, so it has the copy of the state; the thread that writes takes its part of
the processors. There is a checkpoint after every second epoch of a training: the epochs that follow
one are compared with their neighbours, the median of the differences with the median of the times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

import cygrad as cg

from .programs import Array
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Checkpoints after each epoch: milliseconds of an epoch"
COLUMNS = (
    Column("network", "network", 18),
    Column("batch", "batch", 5),
    Column("steps", "steps", 6),
    Column("bytes", "kB", 7, ".0f"),
    Column("without", "without", 8, ".1f"),
    Column("with", "with", 8, ".1f"),
    Column("copy", "copy", 6, ".2f"),
    Column("cost", "cost", 7, ".1%"),
)
# Sizes, batch and steps of an epoch of 100 ms or more on one core.
CASES = (
    ((8, 32, 32, 1), 32, 30_000),
    ((784, 30, 10), 10, 8_000),
    ((784, 128, 10), 64, 600),
    ((784, 1024, 1024, 10), 256, 20),
)
ROWS = 4096  # of the samples; an epoch takes them several times, by their numbers
CHECKED_EPOCHS = 3


def rows(settings: Settings) -> Iterator[Row]:
    for sizes, batch, steps in CASES[:2] if settings.quick else CASES:
        X, y = _samples(sizes, batch * (steps // 10 if settings.quick else steps), settings.dtype)
        with TemporaryDirectory() as folder:
            path = os.path.join(folder, "run.npz")
            _check(sizes, batch, X, y, path, settings)
            measured = _measure(sizes, batch, X, y, path, settings)
            yield {
                "network": "-".join(map(str, sizes)),
                "batch": batch,
                "steps": len(X) // batch,
                "bytes": os.path.getsize(path) / 1e3,
                "without": 1e3 * measured["without"],
                "with": 1e3 * measured["with"],
                "copy": 1e3 * measured["copy"],
                "cost": measured["with"] / measured["without"] - 1,
            }


def _samples(sizes: tuple[int, ...], count: int, dtype: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (ROWS, sizes[0]), np.uint8)
    rows = np.arange(count) % ROWS
    y = rng.integers(0, sizes[-1], ROWS) if sizes[-1] > 1 else rng.random(ROWS)
    return X[rows], y[rows]


def _trainer(sizes: tuple[int, ...], batch: int, settings: Settings) -> cg.Trainer:
    inputs, *hidden, outputs = sizes
    last = cg.Dense(outputs, "softmax" if outputs > 1 else "identity")
    loss = "cross_entropy" if outputs > 1 else "mse"
    layers = [*(cg.Dense(units, "relu") for units in hidden), last]
    net = cg.Network(inputs, layers, loss=loss, dtype=settings.dtype, rng=0)
    net.set_standardization(np.full(inputs, 128.0), np.full(inputs, 1 / 74))
    return cg.Trainer(net, cg.Adam(1e-4), batch, rng=0, threads=settings.threads)


def _check(
    sizes: tuple[int, ...], batch: int, X: Array, y: Array, path: str, settings: Settings
) -> None:
    """Check that a training goes on from its checkpoint to the same bits."""
    size = 20 * batch
    X, y = X[:size], y[:size]
    whole, first, second = (_trainer(sizes, batch, settings) for _ in range(3))
    whole.fit(X, y, CHECKED_EPOCHS)
    first.fit(X, y, 1, callbacks=[cg.Checkpoint(path)])
    second.resume(path, X, y, epochs=CHECKED_EPOCHS, callbacks=[])
    if whole.net.parameters.tobytes() != second.net.parameters.tobytes():
        raise WrongResult(f"{sizes}: a training that goes on has other parameters")
    os.unlink(path)


class _Times(cg.Callback):
    """Takes the time after each epoch."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_epoch_end(self, trainer: cg.Trainer, epoch: int, logs: Mapping[str, float]) -> None:
        self.times.append(perf_counter())


class _TimedCheckpoint(cg.Checkpoint):
    """Takes the time that the training waits for a checkpoint."""

    def __init__(self, path: str) -> None:
        super().__init__(path, every=2)
        self.waited: list[float] = []

    def on_pause(self, run: Any) -> None:
        begin = perf_counter()
        super().on_pause(run)
        if len(run.history) % 2 == 0:
            self.waited.append(perf_counter() - begin)


def _measure(
    sizes: tuple[int, ...], batch: int, X: Array, y: Array, path: str, settings: Settings
) -> dict[str, float]:
    """Return the medians of the times of epochs, and of the copy of the state, in seconds."""
    trainers = {name: _trainer(sizes, batch, settings) for name in ("without", "with")}
    epochs = 12 if settings.quick else 60
    times, checkpoint = _Times(), _TimedCheckpoint(path)
    trainers["with"].fit(X, y, epochs, shuffle=False, callbacks=[times, checkpoint])
    trainers["without"].fit(X, y, epochs, shuffle=False)
    one, other = (trainer.net.parameters.tobytes() for trainer in trainers.values())
    if one != other:
        raise WrongResult(f"{sizes}: checkpoints have changed the parameters")
    # Those of epochs 2, 3, …; the hash of the data goes with the first checkpoint, after epoch 2.
    lengths = np.diff(times.times)
    without, after = lengths[2::2], lengths[3::2]
    differences = after[: len(without) - 1] - (without[:-1] + without[1:])[: len(after)] / 2
    return {
        "without": median(without.tolist()),
        "with": median(without.tolist()) + median(differences.tolist()),
        "copy": median(checkpoint.waited[1:]),
    }
