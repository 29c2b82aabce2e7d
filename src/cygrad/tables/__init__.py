"""Data as they come: `read` reads a file into a `Table` of named columns, numbers or text.

An `Encoder` makes inputs and targets of a network from the columns of a table.

- `files` chooses the reader; `delimited` reads text whose `layout` was guessed, from `sources` that
  may be compressed; `arrays` and `frames` make tables of what is in memory;
  `array_files` reads .npy, .npz and IDX, `svmlight` sparse samples.
- `sample_files` reads inputs and targets at once, for `cygrad.datasets.read` and the command line:
  `sample_rows`, `npy` and `idx` have the formats, `samples` decides between classes and quantities.
- `encoder` has the `Encoder`; `learning` decides what each column is, `encodings`, `scaling` and
  `dates` make its inputs, `target_encoding` the targets; `description` shows them.

Nothing here depends on networks or training. Readers scale, shuffle and fill in nothing.
"""

from cygrad.tables.encoder import Encoder
from cygrad.tables.files import read
from cygrad.tables.layout import GAPS
from cygrad.tables.sparse_rows import SparseRows
from cygrad.tables.svmlight import SparseTable, read_svmlight
from cygrad.tables.table import Column, Table

__all__ = [
    "GAPS",
    "Column",
    "Encoder",
    "SparseRows",
    "SparseTable",
    "Table",
    "read",
    "read_svmlight",
]
