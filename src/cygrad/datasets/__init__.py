"""Data to train on: a set of digits that ships with the package, and readers of files.

:func:`load_digits` returns the digits, :func:`read` reads a CSV, NumPy or IDX file into a
:class:`Table`, and :func:`split` divides the rows of either into a training and a test part.
Reading is all that is done here: nothing is scaled, shuffled or filled in.
"""

from cygrad.datasets.digits import load_digits
from cygrad.datasets.files import read
from cygrad.datasets.splitting import split
from cygrad.datasets.table import Table

__all__ = ["Table", "load_digits", "read", "split"]
