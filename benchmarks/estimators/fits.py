"""Whole fits of both estimators, compared, then timed in turn with the peak of the processor.

A fit agrees if it has the same number of epochs, and the same parameters or the same score.
Rounding errors grow during a fit; where they have changed more than that, a fit of a few epochs on
few rows must have the same parameters instead, and the ratio is that of the times per epoch. After
1,500 steps in single precision on the synthetic rows, ReLU's kinks have moved scikit-learn's own
parameters by 0.010 from those in double precision, and ours are 0.003 from scikit-learn's.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from .. import peak, timing
from ..cases import Case
from ..programs import Array
from ..report import Row
from ..settings import Settings, WrongResult
from .pair import OURS, THEIRS, TOLERANCE, Model, Pair, agreement, distance, fitted, make, sizes
from .results import Goal, result

SOLVERS = ("adam", "sgd", "lbfgs")
WIDE = (512, 1024)
FITS = (
    *(Model("digits", solver=solver) for solver in SOLVERS),
    Model("digits", (32, 32)),
    *(Model("digits", (units,), max_iter=20) for units in WIDE),
    Model("digits", dtype="float32"),
    Model("digits", (32, 32), dtype="float32"),
    *(Model("digits", (units,), dtype="float32", max_iter=20) for units in WIDE),
    *(Model("cancer", solver=solver) for solver in SOLVERS),
    Model("cancer", (32, 32)),
    Model("cancer", dtype="float32"),
    *(Model("diabetes", solver=solver) for solver in SOLVERS),
    Model("diabetes", (32, 32)),
    Model("diabetes", dtype="float32"),
    *(Model("synthetic", solver=solver, max_iter=3) for solver in ("adam", "sgd")),
    Model("synthetic", (32, 32), max_iter=3),
    Model("synthetic", (512,), max_iter=1),
    Model("synthetic", dtype="float32", max_iter=3),
    *(Model("MNIST", solver=solver, max_iter=5) for solver in SOLVERS),
    Model("MNIST", (32, 32), max_iter=5),
    *(Model("MNIST", (units,), max_iter=2) for units in WIDE),
    Model("MNIST", dtype="float32", max_iter=5),
    *(Model("MNIST", (units,), dtype="float32", max_iter=2) for units in WIDE),
)
FEW_EPOCHS, FEW_ROWS = 3, 1000  # of the check, where a whole fit does not agree
QUICK_EPOCHS = 5  # at most, with --quick


def goal(model: Model) -> Goal:
    """Return the ratio that is aimed at: 8 up to 100 units, 2 beyond."""
    return Goal(ratio=8.0 if max(model.hidden) <= 100 else 2.0)


def fit_row(model: Model, X: Array, y: Array, settings: Settings) -> Row:
    parameters = model.parameters
    if settings.quick:
        parameters["max_iter"] = min(model.max_iter, QUICK_EPOCHS)
    X = X.astype(model.dtype)
    pair = fitted(parameters, X, y)
    agrees = check(model.title, parameters, pair, X, y, TOLERANCE[model.dtype])
    measures: dict[str, Any] = {
        name: partial(_seconds, name, parameters, X, y) for name in (OURS, THEIRS)
    }
    measures["peak"] = partial(peak.fma_peak, 1, model.dtype)
    values = timing.in_turn(measures, 2 if settings.quick else 7)
    epochs = {name: pair[name].n_iter_ for name in (OURS, THEIRS)}
    row = result("fit", model, sizes(pair[OURS]), values, goal(model), epochs)
    flops = Case(sizes(pair[OURS]), batch=len(X), samples=len(X)).flops * epochs[OURS]
    highest = median(values["peak"])
    share = flops / median(values[OURS]) / 1e9 / highest
    row |= {"peak": highest, "share": share, "bound": row["ratio"] / share, "agrees": agrees}
    if agrees == "no":
        row["notes"] = [f"{model.title}: {_difference(pair, X, y)}; the ratio is per epoch"]
    return row


def check(
    title: str, parameters: dict[str, Any], pair: Pair, X: Array, y: Array, tolerance: float
) -> str:
    """Return what agrees of a whole fit; raise a WrongResult if a short one disagrees."""
    agrees = agreement(pair, X, y, tolerance)
    if agrees == "no":
        few = {**parameters, "max_iter": min(FEW_EPOCHS, parameters["max_iter"])}
        X, y = X[:FEW_ROWS], y[:FEW_ROWS]
        short = fitted(few, X, y)
        if agreement(short, X, y, tolerance) != "coefs":
            raise WrongResult(
                f"{title}, {len(X)} rows, {few['max_iter']} epochs: {_difference(short, X, y)}"
            )
    return agrees


def _difference(pair: Pair, X: Array, y: Array) -> str:
    parts = [
        f"{name} {estimator.n_iter_} epochs, score {estimator.score(X, y):.4f}"
        for name, estimator in pair.items()
    ]
    return f"{', '.join(parts)}, coefs_ differ by {distance(pair):.1e}"


def _seconds(name: str, parameters: dict[str, Any], X: Array, y: Array) -> float:
    estimator = make(parameters, y)[name]
    return timing.seconds(lambda: estimator.fit(X, y))
