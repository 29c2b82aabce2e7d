"""The data sets on which the estimators are compared, from scikit-learn and from MNIST's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn import datasets

from cygrad.datasets import read

from ..accuracy import IMAGES, TRAIN
from ..programs import Array
from ..settings import ROOT, Settings

MNIST = ROOT.parent / "shared" / "data" / "mnist-10k"  # where --mnist names no other folder
FEW_IMAGES, FEW_ROWS = 1000, 5000  # with --quick


def load(name: str, settings: Settings) -> tuple[Array, Array]:
    """Return float64 samples and their targets; raise FileNotFoundError if they are not here.

    Pixels are from 0 to 1; columns of the tables, and the target of diabetes, are standardised.
    """
    if name == "digits":
        X, y = datasets.load_digits(return_X_y=True)
        return X / 16, y
    if name == "cancer":
        X, y = datasets.load_breast_cancer(return_X_y=True)
        return _standardized(X), y
    if name == "diabetes":
        X, y = datasets.load_diabetes(return_X_y=True)
        return _standardized(X), _standardized(y)
    if name == "26 classes":
        return _made(2600, 16, classes=26, n_informative=14, n_clusters_per_class=2, class_sep=2.0)
    if name == "synthetic":
        return _made(FEW_ROWS if settings.quick else 100_000, 20)
    if name == "100 rows":
        return _made(100, 20)
    if name == "MNIST":
        return _mnist(FEW_IMAGES if settings.quick else TRAIN, settings.mnist or MNIST)
    raise ValueError(f"name is {name!r}, expected a data set")


def _standardized(X: Array) -> Array:
    standardized: Array = (X - X.mean(axis=0)) / X.std(axis=0)
    return standardized


def _made(rows: int, columns: int, classes: int = 2, **options: object) -> tuple[Array, Array]:
    X, y = datasets.make_classification(rows, columns, n_classes=classes, random_state=0, **options)
    return np.asarray(X), np.asarray(y)


def _mnist(rows: int, folder: Path) -> tuple[Array, Array]:
    if not (folder / IMAGES).is_file():
        raise FileNotFoundError(f"{IMAGES} is not in {folder}; --mnist names another folder")
    table = read(folder / IMAGES)
    assert table.y is not None
    return table.X[:rows] / 255, table.y[:rows]
