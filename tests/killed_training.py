"""A training with checkpoints that tests kill, as a program: python killed_training.py CASE FILE.

It prints a line when the training begins.
"""

import sys
from typing import Any, NamedTuple

import numpy as np

import cygrad as cg

ROWS, INPUTS, CLASSES = 600, 20, 3
EPOCHS = 12


class Case(NamedTuple):
    """What is trained, and when checkpoints are written."""

    dtype: str
    threads: int
    accumulate: int
    weighted: bool
    writes: dict[str, Any]


CASES = [
    Case("float32", 1, 1, False, {"every_steps": 7}),
    Case("float64", 2, 2, True, {"every_steps": 5}),
    Case("float32", 2, 2, False, {"seconds": 0.01}),
    Case("float64", 1, 1, True, {"every": 1}),
    Case("float32", 2, 1, True, {"every": 2, "seconds": 0.02}),
    Case("float64", 2, 1, False, {"every_steps": 3, "keep_best": "val_loss"}),
]


def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
    y = (X @ rng.normal(size=(INPUTS, CLASSES)) + rng.normal(size=(ROWS, CLASSES))).argmax(axis=1)
    return X, y, rng.integers(0, 3, ROWS).astype(float)


def trainer(case):
    hidden = [cg.Dense(256, "relu"), cg.BatchNorm(), cg.Dropout(0.3), cg.Dense(256, "tanh")]
    net = cg.Network(
        INPUTS,
        [*hidden, cg.GaussianNoise(0.1), cg.Dense(CLASSES, "softmax")],
        loss="cross_entropy",
        dtype=case.dtype,
        rng=1,
    )
    rate = cg.Warmup(10, cg.CosineDecay(2e-3, 200))
    return cg.Trainer(
        net, cg.Adam(rate), 32, rng=2, threads=case.threads, accumulate=case.accumulate
    )


def callbacks():
    return [cg.EarlyStopping(6, min_delta=1e-3), cg.ReduceOnPlateau(0.5, 1, "val_loss")]


def fit(case, path=None):
    """Train to the end; return trainer and history."""
    own = trainer(case)
    X, y, weights = data()
    checkpoints = [] if path is None else [cg.Checkpoint(path, **case.writes)]
    history = own.fit(
        X,
        y,
        EPOCHS,
        validation=0.25,
        metrics=["f1"],
        statistics=True,
        sample_weight=weights if case.weighted else None,
        callbacks=[*checkpoints, *callbacks()],
    )
    return own, history


def resume(case, path):
    """Go on with a training that was killed; return trainer and history."""
    own = trainer(case)
    X, y, weights = data()
    history = own.resume(path, X, y, sample_weight=weights if case.weighted else None)
    return own, history


if __name__ == "__main__":
    print("begins", flush=True)
    fit(CASES[int(sys.argv[1])], sys.argv[2])
