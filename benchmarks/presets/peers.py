"""The contestants of scikit-learn, in the pipelines that its documentation shows for such tables.

Both get a data frame with the numbers and texts of the table, NaN in gaps.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from cygrad.tables import Table

from ..programs import Array
from .data import Task


class Pipeline:
    """A pipeline of scikit-learn that takes tables."""

    def __init__(self, pipeline: Any, table: Table, target: str) -> None:
        self._pipeline = pipeline
        self._inputs = _inputs(table, target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConvergenceWarning: 200 epochs are the default
            self._pipeline.fit(frame(table, self._inputs), table[target])

    def predict(self, table: Table) -> Array:
        predicted: Array = self._pipeline.predict(frame(table, self._inputs))
        return predicted


def fit_mlp(table: Table, target: str, task: Task, seed: int) -> Pipeline:
    """Fit scikit-learn's MLP with its defaults; quantities are standardised for it."""
    numbers, texts = _kinds(table, target)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                texts,
            ),
        ]
    )
    if task == "classification":
        pipeline = make_pipeline(columns, MLPClassifier(random_state=seed))
    else:
        regressor = MLPRegressor(random_state=seed)
        pipeline = make_pipeline(
            columns, TransformedTargetRegressor(regressor, transformer=StandardScaler())
        )
    return Pipeline(pipeline, table, target)


def fit_boosting(table: Table, target: str, task: Task, seed: int) -> Pipeline:
    """Fit histogram gradient boosting with its defaults, which knows categories and gaps."""
    _, texts = _kinds(table, target)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    columns = ColumnTransformer([("texts", codes, texts)], remainder="passthrough")
    kind = {
        "classification": HistGradientBoostingClassifier,
        "regression": HistGradientBoostingRegressor,
    }[task]
    categories = list(range(len(texts)))
    boosting = kind(categorical_features=categories, random_state=seed)
    return Pipeline(make_pipeline(columns, boosting), table, target)


def frame(table: Table, names: list[str]) -> Any:
    """Return columns as a data frame of pandas, with texts as objects."""
    pandas: Any = import_module("pandas")
    series = {}
    for name in names:
        column = table.column(name)
        values = column.values
        if column.kind == "text":
            values = np.where(column.is_gap, np.nan, values)
        series[name] = pandas.Series(values, dtype=values.dtype)
    return pandas.DataFrame(series)


def _inputs(table: Table, target: str) -> list[str]:
    return [name for name in table.names if name != target]


def _kinds(table: Table, target: str) -> tuple[list[str], list[str]]:
    """Return the names of the columns of numbers, and of those of text."""
    inputs = _inputs(table, target)
    numbers = [name for name in inputs if table.kinds[name] == "number"]
    return numbers, [name for name in inputs if name not in numbers]
