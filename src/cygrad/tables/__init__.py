"""Data as they come: `read` reads a file into a `Table` of named columns, numbers or text.

- `files` chooses the reader; `delimited` reads text whose `layout` was guessed, from `sources` that
  may be compressed; `arrays` and `frames` make tables of what is in memory;
  `array_files` reads .npy, .npz and IDX, `svmlight` sparse samples.
- `sample_files` reads inputs and targets at once, for `cygrad.datasets.read` and the command line:
  `sample_rows`, `npy` and `idx` have the formats, `samples` decides between classes and quantities.

Nothing here depends on networks or training, and no values are scaled, shuffled or filled in.
"""

from cygrad.tables.files import read
from cygrad.tables.layout import GAPS
from cygrad.tables.svmlight import SparseRows, SparseTable, read_svmlight
from cygrad.tables.table import Column, Table

__all__ = ["GAPS", "Column", "SparseRows", "SparseTable", "Table", "read", "read_svmlight"]
