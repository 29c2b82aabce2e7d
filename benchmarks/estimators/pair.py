"""An estimator of each library with the same parameters: make them, fit them, compare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..programs import Array

OURS, THEIRS = "cygrad", "scikit-learn"
MODULES = {OURS: "cygrad.sklearn", THEIRS: "sklearn.neural_network"}
SEED = 0
TOLERANCE = {"float64": 1e-6, "float32": 1e-3}  # of parameters and outputs
LARGEST_SPLIT = 0.02  # of scores, where rounding errors have grown

Pair = dict[str, Any]  # by OURS and THEIRS


@dataclass(frozen=True)
class Model:
    """A network on a data set: the parameters that are not scikit-learn's defaults."""

    data: str
    hidden: tuple[int, ...] = (100,)
    solver: str = "adam"
    dtype: str = "float64"
    max_iter: int = 200

    @property
    def title(self) -> str:
        units = "-".join(map(str, self.hidden))
        return f"{self.data}, {units}, {self.solver}, {self.dtype}, max_iter {self.max_iter}"

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "hidden_layer_sizes": self.hidden,
            "solver": self.solver,
            "max_iter": self.max_iter,
            "random_state": SEED,
        }


def unavailable() -> str | None:
    """Return the reason why there is nothing to compare here."""
    return None if find_spec("sklearn") else "scikit-learn is not installed"


def make(parameters: Mapping[str, Any], y: Array) -> Pair:
    """Return an unfitted estimator of each library; floats as targets mean regression."""
    name = "MLPRegressor" if y.dtype.kind == "f" else "MLPClassifier"
    kinds = {key: getattr(import_module(module), name) for key, module in MODULES.items()}
    return {OURS: kinds[OURS](**parameters, n_threads=1), THEIRS: kinds[THEIRS](**parameters)}


def fitted(parameters: Mapping[str, Any], X: Array, y: Array) -> Pair:
    return {name: estimator.fit(X, y) for name, estimator in make(parameters, y).items()}


def sizes(estimator: Any) -> tuple[int, ...]:
    """Return the sizes of the layers, from the inputs to the outputs."""
    return (len(estimator.coefs_[0]), *(weights.shape[1] for weights in estimator.coefs_))


def agreement(pair: Pair, X: Array, y: Array, tolerance: float) -> str:
    """Return what is the same after as many epochs: "coefs", "score", or "no" if neither is.

    Parameters may differ by `tolerance`, scores of regressors too, accuracies not at all.
    """
    if pair[OURS].n_iter_ != pair[THEIRS].n_iter_:
        return "no"
    if distance(pair) <= tolerance:
        return "coefs"
    scores = [estimator.score(X, y) for estimator in pair.values()]
    allowed = tolerance if y.dtype.kind == "f" else 0.0
    return "score" if abs(scores[0] - scores[1]) <= allowed else "no"


def distance(pair: Pair) -> float:
    """Return the largest difference of two parameters, infinite where shapes differ."""
    arrays = [[*pair[name].coefs_, *pair[name].intercepts_] for name in (OURS, THEIRS)]
    shapes = [[array.shape for array in part] for part in arrays]
    if shapes[0] != shapes[1]:
        return float("inf")
    differences = [np.abs(a - b).max() for a, b in zip(*arrays, strict=True)]
    return float(np.max(differences))  # NaN where there is one, which no tolerance allows
