"""Compare what ranks train together with what one process trains, bit by bit.

mpiexec -n 4 python tests/mpi_bits.py            all cases
mpiexec -n 4 python tests/mpi_bits.py dropout    those with the word in their name
                           … --planted plain     with another learning rate on the ranks
                           … --small-blocks      with many blocks of the parameters
                           … --hosts=AABB        as if ranks 2 and 3 were on another host
                           … --no-memory         as if ranks could have no common memory

Every rank trains each case alone with `Trainer`, and with the others by `MPITrainer`.
"""

from __future__ import annotations

import copy
import os
import socket
import sys
import warnings
from typing import Any

import numpy as np
from mpi4py import MPI

import cygrad as cg
from cygrad._engine import plan
from cygrad.distributed import ring

rng = np.random.default_rng(0)
ROWS, INPUTS = 145, 21
X = rng.normal(size=(ROWS, INPUTS))
LABELS = rng.integers(0, 3, ROWS)
NUMBERS = rng.normal(size=(ROWS, 2))
WEIGHTS = rng.integers(0, 3, ROWS).astype(float)
WEIGHTS[32:48] = 0  # a batch without weight, in the order of the rows


def hidden(*more: Any) -> list[Any]:
    return [cg.Dense(40, "relu"), *more, cg.Dense(19, "tanh")]


def classifier(layers: list[Any] | None = None, dtype: str = "float32", **options: Any) -> Any:
    layers = [*(hidden() if layers is None else layers), cg.Dense(3, "softmax")]
    return cg.Network(INPUTS, layers, loss="cross_entropy", dtype=dtype, rng=0, **options)


def regression(loss: str = "mse", outputs: int = 2) -> Any:
    return cg.Network(INPUTS, [*hidden(), cg.Dense(outputs)], loss=loss, dtype="float64", rng=0)


ADAM = cg.Adam(1e-2)
# Name: network, optimiser, targets, arguments of the trainer, arguments of `fit`.
Case = tuple[Any, Any, Any, dict[str, Any], dict[str, Any]]
CASES: dict[str, Case] = {
    "plain": (classifier(), ADAM, LABELS, {}, {}),
    "float64": (classifier(dtype="float64"), ADAM, LABELS, {}, {}),
    "two threads": (classifier(), ADAM, LABELS, {"threads": 2}, {}),
    "no shuffle": (classifier(), ADAM, LABELS, {}, {"shuffle": False}),
    "one row": (classifier(), ADAM, LABELS, {"batch_size": 1}, {"max_steps": 30}),
    "three rows": (classifier(), ADAM, LABELS, {"batch_size": 3}, {"max_steps": 30}),
    "all rows": (classifier(), ADAM, LABELS, {"batch_size": 200}, {}),
    "accumulate": (classifier(), ADAM, LABELS, {"accumulate": 3}, {}),
    "sum": (classifier(reduction="sum"), cg.SGD(1e-3), LABELS, {}, {}),
    "regression": (regression(), ADAM, NUMBERS, {}, {}),
    "quadratic": (regression("quadratic"), ADAM, NUMBERS, {}, {}),
    "many outputs": (regression(outputs=50), ADAM, rng.normal(size=(ROWS, 50)), {}, {}),
    "wide layers": (
        cg.Network(
            INPUTS,
            [cg.Dense(300, "relu"), cg.Dense(300, "gelu"), cg.Dense(2)],
            loss="mse",
            rng=0,
        ),
        ADAM,
        NUMBERS,
        {"threads": 2},
        {},
    ),
    "dropout": (classifier(hidden(cg.Dropout(0.4))), ADAM, LABELS, {}, {}),
    "noise": (classifier([cg.GaussianNoise(0.1), *hidden()]), ADAM, LABELS, {}, {}),
    "layer norm": (classifier(hidden(cg.LayerNorm())), ADAM, LABELS, {}, {}),
    "batch norm": (classifier(hidden(cg.BatchNorm())), ADAM, LABELS, {"batch_size": 20}, {}),
    "batch norms": (
        classifier([cg.BatchNorm(), *hidden(cg.BatchNorm(trainable=False)), cg.BatchNorm()]),
        cg.SGD(0.1),
        LABELS,
        {"batch_size": 20, "clip_global_norm": 0.5, "threads": 2},
        {"sample_weight": rng.random(ROWS)},
    ),
    "batch norm, few rows": (
        classifier(hidden(cg.BatchNorm()), "float64"),
        ADAM,
        LABELS,
        {"batch_size": 3, "shards": 8},
        {"max_steps": 20},
    ),
    "scaling": (classifier([cg.Scaling(), *hidden()]), ADAM, LABELS, {}, {}),
    "residual": (
        classifier([cg.Dense(40, "relu"), cg.Residual([cg.Dense(40, "tanh")])]),
        ADAM,
        LABELS,
        {},
        {},
    ),
    "frozen": (
        classifier([cg.Dense(40, "relu", trainable=False), cg.Dense(9, trainable="biases")]),
        ADAM,
        LABELS,
        {},
        {},
    ),
    "weights": (classifier(), ADAM, LABELS, {}, {"sample_weight": WEIGHTS, "shuffle": False}),
    "balanced": (classifier(), ADAM, LABELS, {}, {"class_weight": "balanced"}),
    "clip_value": (classifier(), ADAM, LABELS, {"clip_value": 1e-2}, {}),
    "clip_norm": (classifier(), ADAM, LABELS, {"clip_norm": 0.1}, {}),
    "clip_global_norm": (classifier(), ADAM, LABELS, {"clip_global_norm": 0.1}, {}),
    "penalty": (classifier(), cg.Adam(1e-2, l2_penalty=1e-2), LABELS, {}, {}),
    "max_norm": (classifier(), cg.SGD(0.1, max_norm=0.5), LABELS, {}, {}),
    "momentum": (classifier(), cg.SGD(0.1, momentum=0.9, nesterov=True), LABELS, {}, {}),
    "adamw": (classifier(), cg.AdamW(1e-2), LABELS, {}, {}),
    "nadam": (classifier(), cg.NAdam(1e-2), LABELS, {}, {}),
    "radam": (classifier(), cg.RAdam(1e-2), LABELS, {}, {}),
    "adamax": (classifier(), cg.Adamax(1e-2), LABELS, {}, {}),
    "adagrad": (classifier(), cg.Adagrad(1e-2), LABELS, {}, {}),
    "adadelta": (classifier(), cg.Adadelta(1.0), LABELS, {}, {}),
    "rmsprop": (classifier(), cg.RMSProp(1e-3), LABELS, {}, {}),
    "lion": (classifier(), cg.Lion(1e-3), LABELS, {}, {}),
    "rprop": (classifier(), cg.Rprop(), LABELS, {"batch_size": ROWS}, {}),
    "schedule": (classifier(), cg.Adam(cg.CosineDecay(1e-2, 40)), LABELS, {}, {}),
    "shards": (classifier(hidden(cg.Dropout(0.4))), ADAM, LABELS, {"shards": 9}, {}),
    "shards, weights": (
        classifier(),
        ADAM,
        LABELS,
        {"shards": 12},
        {"sample_weight": WEIGHTS, "class_weight": {0: 2.0}, "shuffle": False},
    ),
    "shards, penalty": (
        regression(),
        cg.Adam(1e-2, l2_penalty=1e-2),
        NUMBERS,
        {"shards": 7, "clip_norm": 0.1},
        {"X_val": X[:20], "y_val": NUMBERS[:20]},
    ),
    "validation": (
        classifier(),
        ADAM,
        LABELS,
        {},
        {"validation": 0.2, "metrics": ["f1"], "callbacks": [cg.EarlyStopping(patience=1)]},
    ),
}


def sparse() -> None:
    """Add cases with sparse samples, where SciPy is installed."""
    try:
        from scipy.sparse import csr_array
    except ImportError:
        return
    few = csr_array(np.where(np.abs(X) > 1, X, 0))
    CASES["sparse"] = (classifier(), ADAM, LABELS, {}, {"X": few})
    CASES["sparse, clipped"] = (classifier(), ADAM, LABELS, {"clip_norm": 0.1}, {"X": few})


def train(kind: Any, case: Case, optimizer: Any = None, own_rows: bool = False) -> tuple[Any, Any]:
    net, usual, y, options, fit = case
    options = {"batch_size": 16, "threads": 1, **options}
    if own_rows:
        options["own_rows"] = True
    trainer = kind(copy.deepcopy(net), optimizer or usual, **options, rng=5)
    fit = {"epochs": 3, **fit}
    rows: Any = slice(None)
    if own_rows:
        found = trainer.rows_of(ROWS)
        rows = slice(found.start, found.stop)
        if "sample_weight" in fit:
            fit["sample_weight"] = fit["sample_weight"][rows]
    history = trainer.fit(fit.pop("X", X)[rows], y[rows], **fit)
    return trainer, history


def same_training(alone: Any, one: Any, together: Any, other: Any) -> bool:
    """Return whether two trainings have the same bits."""
    pairs = [(alone.net.engine.storage, together.net.engine.storage)]
    pairs += [(one[key], other[key]) for key in one if key != "seconds"]
    pairs += [(alone.batch_losses, together.batch_losses), (alone.steps, together.steps)]
    states = [each.training_state()["optimizer_state"] for each in (alone, together)]
    pairs += zip(*states, strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def refuse(*arguments: object) -> int:
    raise OSError("there is no common memory")


def main() -> None:
    warnings.simplefilter("ignore")
    plan.set_costs(barrier=0)  # split all among the threads
    sparse()
    planted = cg.Adam(1e-2 * (1 + 1e-6)) if "--planted" in sys.argv else None
    if "--small-blocks" in sys.argv:
        ring.BLOCK_BYTES = 1024
    rank = MPI.COMM_WORLD.Get_rank()
    hosts = [word.partition("=")[2] for word in sys.argv if word.startswith("--hosts=")]
    if hosts:
        socket.gethostname = lambda: hosts[0][rank]
    if "--no-memory" in sys.argv and rank == 1:
        os.memfd_create = refuse
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    failed = 0
    for name, case in CASES.items():
        if words and not any(word in name for word in words):
            continue
        alone, one = train(cg.Trainer, case)
        for own_rows in (False, True) if "shards" in case[3] else (False,):
            together, other = train(cg.distributed.MPITrainer, case, planted, own_rows)
            if not same_training(alone, one, together, other):
                failed += 1
                sys.stdout.write(f"rank {together.rank} of {together.size}: {name} differs\n")
    if not failed:
        sys.stdout.write("the same bits\n")


if __name__ == "__main__":
    main()
