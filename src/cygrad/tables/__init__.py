"""Readers of data files. `read` returns a `Table` of samples and targets.

There is one module for each format. `files` chooses it by the first bytes of a file, `columns`
finds the target's column, and `table` decides whether targets are classes or quantities. Samples
that ship with the package are in `cygrad.datasets`. Nothing here depends on networks or training,
and no values are scaled, shuffled or filled in.
"""

from cygrad.tables.files import read
from cygrad.tables.table import Table

__all__ = ["Table", "read"]
