"""Search with scikit-learn on a worker of Dask and on this process; print what comes of both.

In a program of its own: Dask leaves sockets and threads behind.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

import distributed
import joblib
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import GridSearchCV

from cygrad.sklearn import MLPClassifier, MLPRegressor
from cygrad.threads import default_threads


def search(estimator: Any, X: Any, y: Any) -> list[Any]:
    found = GridSearchCV(estimator, {"learning_rate_init": [1e-3, 1e-1]}, cv=2).fit(X, y)
    best = found.best_estimator_
    scores = found.cv_results_["mean_test_score"].tolist()
    return [scores, best.network_.parameters.tolist(), best.loss_curve_]


def searches() -> list[Any]:
    X, y = load_digits(return_X_y=True)
    regressor = MLPRegressor(
        hidden_layer_sizes=(300,), max_iter=3, early_stopping=True, random_state=0
    )
    return [
        search(MLPClassifier((16,), max_iter=5, random_state=0), X[:400], y[:400]),
        search(regressor, *make_regression(200, 8, random_state=0)),
    ]


def place() -> tuple[int, int]:
    return os.getpid(), default_threads()


def main() -> None:
    warnings.simplefilter("ignore")
    here = searches()
    # One worker, a process of its own, for two fits at a time.
    with distributed.Client(n_workers=1, threads_per_worker=2, dashboard_address=None):
        with joblib.parallel_backend("dask"):
            there = searches()
            places = joblib.Parallel()(joblib.delayed(place)() for _ in range(4))
        json.dump({"here": here, "there": there, "places": places, "own": place()}, sys.stdout)


if __name__ == "__main__":
    main()
