"""Train many networks on several ranks and on one, and compare all that is left, bit by bit.

mpiexec -n 3 python tests/mpi_many.py            all cases
mpiexec -n 3 python tests/mpi_many.py WORD       one of them, or an end that is no success
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import numpy as np

import cygrad as cg

RNG = np.random.default_rng(3)
X = RNG.standard_normal((90, 8))
Y = RNG.integers(3, size=90)


def trainer(seed: int, **options: Any) -> cg.Trainer:
    layers = [cg.Dense(4 + 3 * (seed % 4), "tanh"), cg.Dropout(0.2), cg.Dense(3, "softmax")]
    dtype = ("float32", "float64")[seed % 2]
    net = cg.Network(8, layers, loss="cross_entropy", dtype=dtype, rng=seed)
    if options.pop("diverges", False):
        net.layers[-1].weights = np.full((3, layers[0].units), 3e38)
    rate = cg.CosineDecay(0.05, 60)
    optimizer = cg.SGD(rate) if seed % 3 else cg.Adam(rate)
    return cg.Trainer(net, optimizer, 16, rng=seed, **options)


def state(fitted: Any) -> list[Any]:
    """Return all that a training leaves, and what the next one does with it."""
    trainer, history, error = fitted[:3]
    found = [{name: history[name] for name in history if name != "seconds"}, history.stopped]
    found += [history is trainer.history, type(error), str(error), getattr(error, "step", None)]
    found += [fitted[4:], trainer.steps, trainer.learning_rate_scale, trainer.batch_losses]
    tree = trainer.training_state()
    found += [tree["parameters"], tree["optimizer_state"], tree["shuffling"]]
    found.append(history.statistics)
    if error is None:
        found += [trainer.fit(X, Y, 2).loss, trainer.net.parameters]
    return found


def several(fit: Any) -> list[Any]:
    options = {"validation": 0.2, "metrics": ["f1"], "train_metrics": True, "statistics": True}
    fitted = fit([trainer(seed) for seed in range(7)], X, Y, 5, **options)
    return [state(each) for each in fitted]


def callbacks(fit: Any) -> list[Any]:
    def own(trainer: cg.Trainer) -> list[Any]:
        return [cg.EarlyStopping(patience=1), cg.ReduceOnPlateau(patience=1)]

    rows = [None, np.arange(50), None, np.arange(40, 90)]
    trainers = [trainer(seed) for seed in range(3)]
    trainers.append(cg.Trainer(trainer(5).net, cg.SGD(0.1), rng=0))
    fitted = fit(trainers, X, Y, 9, rows=rows, callbacks=own, validation=0.3)
    return [state(each) for each in fitted]


def one_of_two_thousand(fit: Any) -> list[Any]:
    return [state(each) for each in fit([trainer(2)], X, Y, 2)]


def failing(fit: Any) -> list[Any]:
    def own(trainer: cg.Trainer) -> list[Any]:
        if trainer.batch_size == 9:
            raise LookupError("no callbacks")
        return []

    trainers = [trainer(seed, diverges=seed == 4) for seed in range(6)]
    trainers[1] = cg.Trainer(trainers[1].net, cg.SGD(0.1), batch_size=9, rng=0)
    with warnings.catch_warnings(record=True) as caught:
        fitted = fit(trainers, X, Y, 4, callbacks=own)
    assert len(caught) == warns, caught
    return [state(each) for each in fitted]


def validated(fit: Any) -> list[Any]:
    found = cg.cross_validate(
        trainer, X, Y, 4, folds=4, rng=0, metrics=["f1"], standardize=True, callbacks=None
    )
    return [[state(each) for each in found.folds], found.mean, found.outputs]


def searched(fit: Any) -> list[Any]:
    found = cg.grid(trainer, {"seed": [1, 2, 3], "threads": [1, 2]}, X, Y, 3, validation=0.2)
    return [str(found), [[state(each) for each in point.results] for point in found.points]]


def together(fit: Any) -> list[Any]:
    both = cg.ensemble(lambda seed: trainer(2 * seed), X, Y, 3, members=4)
    return [both.forward(X)]


CASES = (several, callbacks, one_of_two_thousand, failing, validated, searched, together)


def bits(value: Any) -> Any:
    """Return a value whose arrays are bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, (list, tuple)):
        return [bits(each) for each in value]
    if isinstance(value, dict):
        return {key: bits(each) for key, each in value.items()}
    return repr(value) if isinstance(value, float) else value


def stop_here(trainer: cg.Trainer) -> list[Any]:
    """Return a callback that ends a rank in the word's way."""

    def end(trainer: cg.Trainer, epoch: int, logs: Any) -> None:
        if epoch == 2 and rank == 1 and sys.argv[1] == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        if epoch == 2 and rank == 1 and sys.argv[1] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

    return [end]


def main() -> None:
    global rank, warns
    from mpi4py import MPI

    warnings.simplefilter("always")
    rank = MPI.COMM_WORLD.Get_rank()
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    shared = cg.distributed.fit_many
    if word in ("interrupted", "killed", "different"):
        trainers = [trainer(seed + (rank if word == "different" else 0)) for seed in range(4)]
        try:
            shared(trainers, X, Y, 10**6, callbacks=stop_here)
        except (KeyboardInterrupt, cg.distributed.RankError) as error:
            sys.stdout.write(f"{rank} {type(error).__name__}: {error}\n")
        return
    failed = 0
    for case in CASES:
        if word not in case.__name__:
            continue
        warns = True
        alone = bits(case(cg.fit_many))
        warns = rank == 0
        with cg.distributed.divided():
            found = bits(case(cg.fit_many))
        if found != alone or (case is several and bits(case(shared)) != alone):
            failed += 1
            sys.stdout.write(f"rank {rank}: {case.__name__} differs\n")
    if not failed:
        sys.stdout.write("the same bits\n")


if __name__ == "__main__":
    main()
