"""Many networks at once: `fit_many` on several cores next to one, and next to other libraries.

Before anything is timed, all networks must have the bits of fits one after the other. scikit-learn
trains them in processes of joblib, which have been started before; JAX trains all in one compiled
call, ``vmap`` over the networks of a scan over the epochs of `programs.jax_scan`. Both do as many
steps of as many samples, in the same dtype; scikit-learn draws its own parameters, and JAX's
parameters after some steps must be those of cygrad. The time includes making the networks in
scikit-learn only, whose `fit` does so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np

import cygrad as cg

from . import agreement, timing
from .cases import BETA1, BETA2, EPSILON, LEARNING_RATE, Case, parse_case
from .programs import Array, Parameters, initial_parameters, training_data
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Many networks at once, 1,000 samples: fit_many with these threads, and with one"
COLUMNS = (
    Column("network", "network", 18),
    Column("count", "networks", 8),
    Column("epochs", "epochs", 6),
    Column("threads", "threads", 7),
    Column("milliseconds", "ms", 8, ",.1f"),
    Column("one", "1 thread", 9, ",.1f"),
    Column("speed-up", "speed-up", 8, ".2f"),
    Column("making", "making", 7, ",.1f"),
    Column("scikit-learn", "scikit-learn", 12, ",.0f"),
    Column("scikit-learn ratio", "ratio", 6, ".1f"),
    Column("JAX", "JAX", 8, ",.1f"),
    Column("JAX ratio", "ratio", 6, ".2f"),
)
NETWORKS = (
    "8-32-32-1@25:regression",
    "4-8-1@25:regression",
    "16-32-3@25",
    "32-32-32-32-10@25",
)
SAMPLES, COUNT, EPOCHS = 1000, 100, 20
QUICK_COUNT = 20
# scikit-learn's loss after the training, of other first parameters, as a multiple of cygrad's.
LOSS_FACTOR = 3

Trainers = list[cg.Trainer]


def rows(settings: Settings) -> Iterator[Row]:
    count, rounds = (QUICK_COUNT, 3) if settings.quick else (COUNT, 7)
    for number, text in enumerate(NETWORKS):
        case = replace(parse_case(text), samples=SAMPLES, optimizer="adam")
        X, y = training_data(case, settings.dtype)
        make = partial(_trainers, case, settings.dtype, count)
        _check(make, X, y, settings.threads)
        threads = settings.threads
        measures: dict[str, Callable[[], float]] = {
            "many": partial(_seconds, make, X, y, threads),
            "one": partial(_seconds, make, X, y, 1),
            "making": partial(timing.seconds, make),
        }
        if settings.peers and number == 0:
            measures |= _peers(case, settings.dtype, count, X, y, threads)
        medians = timing.alternate(measures, rounds, threads)
        row: dict[str, object] = {
            "network": case.title,
            "count": count,
            "epochs": EPOCHS,
            "threads": threads,
            "milliseconds": 1e3 * medians["many"],
            "one": 1e3 * medians["one"],
            "speed-up": medians["one"] / medians["many"],
            "making": 1e3 * medians["making"],
        }
        for name in ("scikit-learn", "JAX"):
            if settings.peers:
                row[name] = 1e3 * medians[name] if name in medians else None
                row[f"{name} ratio"] = medians[name] / medians["many"] if name in medians else None
        yield row


def _trainers(case: Case, dtype: str, count: int) -> Trainers:
    output = "softmax" if case.classification else "identity"
    loss = "cross_entropy" if case.classification else "mse"
    hidden = [cg.Dense(units, case.hidden) for units in case.sizes[1:-1]]
    layers = [*hidden, cg.Dense(case.sizes[-1], output)]
    optimizer = cg.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
    nets = [
        cg.Network(case.sizes[0], layers, loss=loss, dtype=dtype, rng=seed) for seed in range(count)
    ]
    return [cg.Trainer(net, optimizer, case.batch, rng=seed) for seed, net in enumerate(nets)]


def _check(make: Callable[[], Trainers], X: Array, y: Array, threads: int) -> None:
    """Compare all networks with their twins that are trained one after the other."""
    many, single = make(), make()
    results = cg.fit_many(many, X, y, EPOCHS, threads=threads)
    for result, twin in zip(results, single, strict=True):
        history = twin.fit(X, y, EPOCHS)
        if (
            result.net.parameters.tobytes() != twin.net.parameters.tobytes()
            or result.history.loss != history.loss
        ):
            raise WrongResult("fit_many: the bits differ from those of one fit after the other")


def _seconds(make: Callable[[], Trainers], X: Array, y: Array, threads: int) -> float:
    trainers = make()
    return timing.seconds(lambda: cg.fit_many(trainers, X, y, EPOCHS, threads=threads))


def _peers(
    case: Case, dtype: str, count: int, X: Array, y: Array, threads: int
) -> dict[str, Callable[[], float]]:
    """Check the other libraries; return the measures of those that are installed."""
    measures: dict[str, Callable[[], float]] = {}
    if find_spec("sklearn") is not None:
        loss = np.median(
            [each.history.loss[-1] for each in _fitted(case, dtype, count, X, y, threads)]
        )
        fits = partial(_fit_sklearn, case, count, X, y, threads)
        found = float(np.median(fits()))  # starts the processes, too
        if not loss / LOSS_FACTOR <= found <= loss * LOSS_FACTOR:
            raise WrongResult(f"scikit-learn: the loss is {found:.3g}, expected about {loss:.3g}")
        measures["scikit-learn"] = partial(timing.seconds, fits)
    if find_spec("jax") is not None:
        measures["JAX"] = _jax(case, dtype, count, X, y)
    return measures


def _fitted(
    case: Case, dtype: str, count: int, X: Array, y: Array, threads: int
) -> list[cg.training.many.Fitted]:
    return cg.fit_many(_trainers(case, dtype, count), X, y, EPOCHS, threads=threads)


def _fit_sklearn(case: Case, count: int, X: Array, y: Array, threads: int) -> list[float]:
    """Train all networks by scikit-learn and joblib; return their losses, as (a − y)²."""
    from joblib import Parallel, delayed  # type: ignore[import-untyped]

    jobs = Parallel(n_jobs=threads)
    return list(jobs(delayed(_fit_one)(case, X, y.ravel(), seed) for seed in range(count)))


def _fit_one(case: Case, X: Array, y: Array, seed: int) -> float:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    net = MLPRegressor(
        hidden_layer_sizes=case.sizes[1:-1],
        batch_size=case.batch,
        max_iter=EPOCHS,
        alpha=0,
        tol=0,
        n_iter_no_change=EPOCHS,
        random_state=seed,
        learning_rate_init=LEARNING_RATE,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, y)
    return 2 * float(net.loss_)  # ½ (a − y)²


def _jax(case: Case, dtype: str, count: int, X: Array, y: Array) -> Callable[[], float]:
    """Check and compile JAX's training of all networks; return its measure."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    from .programs import jax_scan

    program = jax_scan.JaxScan(case, dtype, 1)
    rng = np.random.default_rng(0)
    starts = [initial_parameters(case, dtype)] * count

    def epochs(state: jax_scan.State, X: jax.Array, y: jax.Array, orders: jax.Array) -> object:
        return lax.scan(lambda s, order: jax_scan._epoch(case, s, X, y, order), state, orders)

    run = jax.jit(jax.vmap(epochs, in_axes=(0, None, None, 0)))

    def state() -> jax_scan.State:
        states = []
        for parameters in starts:
            program.start(parameters)
            states.append(program.state)
        stacked: jax_scan.State = jax.tree.map(lambda *arrays: jnp.stack(arrays), *states)
        return stacked

    def orders(epoch_count: int, shuffle: bool) -> Array:
        rows = [
            rng.permutation(len(X)) if shuffle else np.arange(len(X))
            for _ in range(count * epoch_count)
        ]
        return np.array(rows, np.int32).reshape(count, epoch_count, -1, case.batch)

    inputs, targets = jnp.asarray(X), jnp.asarray(y)
    (trained, *_), _ = run(state(), inputs, targets, orders(1, False))
    twin = CygradProgram(case, dtype, 1)
    twin.start(starts[0])
    losses = twin.fit(X, y, 1, shuffle=False)
    actual: Parameters = [(np.array(w[-1]).T, np.array(b[-1])) for w, b in trained]
    agreement.check_training(
        f"{case.network}, JAX's vmap against cygrad",
        case,
        starts[0],
        twin.parameters(),
        actual,
        (losses, losses),
        case.steps,
        float(np.finfo(dtype).eps),
    )
    begin = state()
    jax.block_until_ready(run(begin, inputs, targets, orders(EPOCHS, True)))  # compiled for these

    def measure() -> float:
        return timing.seconds(
            lambda: jax.block_until_ready(run(begin, inputs, targets, orders(EPOCHS, True)))
        )

    return measure
