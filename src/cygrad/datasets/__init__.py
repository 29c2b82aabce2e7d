"""Data to train on: a set of digits that ships with the package, and the division of samples.

:func:`load_digits` returns the digits, and :func:`split` divides rows into a training and a test
part. :func:`read` and :class:`Table`, which read a CSV, NumPy or IDX file, are handed on from
`cygrad.tables`, where the readers live.
"""

from cygrad.datasets.digits import load_digits
from cygrad.datasets.splitting import split
from cygrad.tables import Table, read

__all__ = ["Table", "load_digits", "read", "split"]
