"""Data to train on: the digits that ship with the package, and the division of samples.

`load_digits` returns the digits, `split` divides rows into a training and a test part, `folds`
several times for a cross-validation. `read`, which reads a CSV, NumPy or IDX file into `Samples`,
is imported from `cygrad.tables`.
"""

from cygrad.datasets.digits import load_digits
from cygrad.datasets.splitting import folds, split
from cygrad.tables.sample_files import read
from cygrad.tables.samples import Samples

__all__ = ["Samples", "folds", "load_digits", "read", "split"]
