"""Predictions of one row, fits of 100 rows for one epoch, and a search over 24 small networks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import timing
from ..programs import Array
from ..report import Row
from ..settings import Settings, WrongResult
from .pair import LARGEST_SPLIT, OURS, THEIRS, TOLERANCE, Model, agreement, fitted, make, sizes
from .results import Goal, result

PREDICTIONS = (
    (Model("digits", max_iter=5), "predict"),
    (Model("digits", max_iter=5), "predict_proba"),
    (Model("digits", dtype="float32", max_iter=5), "predict"),
    (Model("digits", dtype="float32", max_iter=5), "predict_proba"),
    (Model("diabetes", max_iter=5), "predict"),
)
SHORT_FITS = (
    (Model("100 rows", max_iter=1), "fit"),
    (Model("100 rows", max_iter=1), "partial_fit"),
    (Model("100 rows", dtype="float32", max_iter=1), "fit"),
)
SEARCH = Model("cancer")
GRID: dict[str, list[Any]] = {  # 24 networks
    "hidden_layer_sizes": [(8,), (16,), (16, 16)],
    "alpha": [1e-4, 1e-3, 1e-2, 1e-1],
    "learning_rate_init": [1e-3, 1e-2],
}
FOLDS = 3
QUICK_EPOCHS = 5  # of each network of the search, with --quick
PREDICTION_GOAL, SHORT_GOAL, SEARCH_GOAL = Goal(ratio=10), Goal(milliseconds=0.25), Goal(ratio=10)
CHECKED_ROWS, CHECKED_CALLS = 50, 3


def prediction_row(model: Model, method: str, X: Array, y: Array, settings: Settings) -> Row:
    X = X.astype(model.dtype)
    pair = fitted(model.parameters, X, y)
    calls = {name: getattr(pair[name], method) for name in (OURS, THEIRS)}
    for index in range(CHECKED_ROWS):
        ours, theirs = (call(X[index : index + 1]) for call in calls.values())
        close = np.allclose(ours, theirs, rtol=0, atol=TOLERANCE[model.dtype])
        if not (close and np.shape(ours) == np.shape(theirs)):
            raise WrongResult(f"{model.title}, {method}: gives {ours}, expected {theirs}")
    measures = {name: timing.per_call(call, X[:1]) for name, call in calls.items()}
    seconds = timing.in_turn(measures, 5 if settings.quick else 15)
    row = result(f"{method}, 1 row", model, sizes(pair[OURS]), seconds, PREDICTION_GOAL)
    return row | {"agrees": "output"}


def short_row(model: Model, method: str, X: Array, y: Array, settings: Settings) -> Row:
    X = X.astype(model.dtype)
    options = {"classes": np.unique(y)} if method == "partial_fit" else {}
    pair = make(model.parameters, y)
    calls = {name: partial(getattr(pair[name], method), **options) for name in (OURS, THEIRS)}
    for call in calls.values():
        for _ in range(CHECKED_CALLS):
            call(X, y)
    agrees = agreement(pair, X, y, TOLERANCE[model.dtype])
    if agrees != "coefs":
        raise WrongResult(f"{model.title}, {method}: the parameters differ")
    measures = {name: timing.per_call(call, X, y) for name, call in calls.items()}
    seconds = timing.in_turn(measures, 5 if settings.quick else 15)
    call_text = f"{method}, {len(X)} rows"
    row = result(call_text, model, sizes(pair[OURS]), seconds, SHORT_GOAL)
    return row | {"epochs": 1, "agrees": agrees}


def search_row(X: Array, y: Array, settings: Settings) -> Row:
    from sklearn.model_selection import GridSearchCV

    parameters = SEARCH.parameters
    if settings.quick:
        parameters["max_iter"] = QUICK_EPOCHS
    searches = {
        name: GridSearchCV(estimator, GRID, cv=FOLDS, n_jobs=1)
        for name, estimator in make(parameters, y).items()
    }
    scores = [search.fit(X, y).cv_results_["mean_test_score"] for search in searches.values()]
    difference = float(np.abs(scores[0] - scores[1]).max())
    if not difference <= LARGEST_SPLIT:
        raise WrongResult(f"GridSearchCV: scores are {scores[0]}, expected {scores[1]}")
    measures = {name: partial(_seconds, search, X, y) for name, search in searches.items()}
    seconds = timing.in_turn(measures, 1 if settings.quick else 3)
    count = len(scores[0])
    row = result(f"GridSearchCV, {count}", SEARCH, (), seconds, SEARCH_GOAL)
    notes = [f"GridSearchCV: scores differ by {difference:.4f} at most"] if difference else []
    return row | {
        "network": "8, 16, 16-16",
        "agrees": "no" if difference else "score",
        "notes": notes,
    }


def _seconds(search: Any, X: Array, y: Array) -> float:
    return timing.seconds(lambda: search.fit(X, y))
