"""Data as they come: `read` reads a file into a `Table` of named columns, numbers or text.

An `Encoder` makes inputs and targets of a network from the columns of a table.

- `files` chooses the reader by `signatures`; `delimited` reads text whose `layout` was guessed,
  from `sources` that may be compressed; `array_files` reads .npy, .npz and IDX, `svmlight` sparse
  samples; `arrays` and `frames` make tables of what is in memory.
- `columns` finds columns by their names or numbers, and rows without gaps in them.
- `sample_files` reads inputs and targets at once, for `cygrad.datasets.read`: `sample_rows`, `npy`
  and `idx` have the formats, `samples` decides between classes and quantities.
- `encoder` has the `Encoder`; `learning` decides what each column is, `encodings`, `scaling` and
  `dates` make its inputs, `joining` puts them side by side, `target_encoding` makes the targets;
  `learned_values` are for files; `description` shows them.

Nothing here depends on networks or training. Readers scale, shuffle and fill in nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# The modules of the public names, imported on first use: the command line needs few of them.
_LAZY = {
    "GAPS": "layout",
    "Column": "table",
    "Encoder": "encoder",
    "SparseRows": "sparse_rows",
    "SparseTable": "svmlight",
    "Table": "table",
    "read": "files",
    "read_svmlight": "svmlight",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
