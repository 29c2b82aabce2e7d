"""How data come in: readers of files, and what they read, a `Table` of samples and targets.

One module for each format; `files` picks by the first bytes of a file, `columns` finds the column
that a caller means, and `table` decides what the targets are. Samples that ship with the package
live in `cygrad.datasets`. Nothing here knows of networks or of training, and nothing is scaled,
shuffled or filled in.
"""

from cygrad.tables.files import read
from cygrad.tables.table import Table

__all__ = ["Table", "read"]
