"""Scores of both estimators on held-out rows, over ten seeds, with their 95 % intervals.

Each seed divides the rows anew, a quarter of them held out, and draws the parameters. Both get the
same rows and the same seed. The intervals are Student's, and that of the differences decides: ours
is worse if it lies below 0 by more than rounding, and not worse if it lies above −1 %; otherwise
there are too few seeds.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

from ..programs import Array
from ..report import Column, Row
from ..settings import Settings
from .pair import OURS, THEIRS, Model, fitted, unavailable

TITLE = "Scores on held-out rows: mean over the seeds ± half the 95 % interval"
COLUMNS = (
    Column("data", "data", 10),
    Column("solver", "solver", 21),
    Column("seeds", "seeds", 5, "d"),
    Column("cygrad", "cygrad", 7, ".4f"),
    Column("cygrad ±", "±", 6, ".4f"),
    Column("scikit-learn", "sklearn", 7, ".4f"),
    Column("scikit-learn ±", "±", 6, ".4f"),
    Column("difference", "difference", 10, "+.4f"),
    Column("difference ±", "±", 6, ".4f"),
    Column("verdict", "verdict", 9),
)
DATA = ("digits", "cancer", "diabetes", "26 classes")
VARIANTS: dict[str, dict[str, Any]] = {
    "adam": {"solver": "adam"},
    "sgd": {"solver": "sgd"},
    "lbfgs": {"solver": "lbfgs"},
    "adam, early stopping": {"solver": "adam", "early_stopping": True},
}
SEEDS, FEW_SEEDS, QUICK_EPOCHS = 10, 3, 5
HELD_OUT = 0.25
MARGIN = 0.01
ROUNDING = 1e-6  # of a score: the tolerance of the parameters


def rows(settings: Settings) -> Iterator[Row]:
    reason = unavailable()
    if reason is not None:
        print(f"sklearn-scores: left out, {reason}", file=sys.stderr)
        return
    from .data import load

    for data in DATA:
        X, y = load(data, settings)
        for title, options in VARIANTS.items():
            print(f"sklearn-scores: {data}, {title}", file=sys.stderr, flush=True)
            scores = _scores(Model(data), options, X, y, settings)
            yield {"data": data, "solver": title, "seeds": len(scores[OURS]), **summary(scores)}


def _scores(
    model: Model, options: dict[str, Any], X: Array, y: Array, settings: Settings
) -> dict[str, list[float]]:
    """Return the scores of each library, by seeds."""
    from sklearn.model_selection import train_test_split

    if settings.quick:
        model = replace(model, max_iter=QUICK_EPOCHS)
    scores: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for seed in range(FEW_SEEDS if settings.quick else SEEDS):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=HELD_OUT, stratify=None if y.dtype.kind == "f" else y, random_state=seed
        )
        parameters = {**model.parameters, **options, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConvergenceWarning
            pair = fitted(parameters, X_train, y_train)
        for name, estimator in pair.items():
            scores[name].append(float(estimator.score(X_test, y_test)))
    return scores


def summary(scores: dict[str, list[float]]) -> dict[str, Any]:
    """Return means, half the widths of their intervals, and the verdict on the differences."""
    pairs = zip(scores[OURS], scores[THEIRS], strict=True)
    columns = {**scores, "difference": [ours - theirs for ours, theirs in pairs]}
    row: dict[str, Any] = {}
    for name, values in columns.items():
        row[name] = mean(values)
        row[f"{name} ±"] = half_width(values)
    return row | {"verdict": verdict(row["difference"], row["difference ±"])}


def half_width(values: Sequence[float]) -> float:
    """Return t · s / √n, of Student's distribution with n − 1 degrees of freedom, for 95 %."""
    from scipy.stats import t

    count = len(values)
    half: float = float(t.ppf(0.975, count - 1)) * stdev(values) / count**0.5
    return half


def verdict(difference: float, half: float) -> str:
    if difference + half < -ROUNDING:
        return "worse"
    return "not worse" if difference - half > -MARGIN else "unclear"
