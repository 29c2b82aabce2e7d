"""``cygrad describe``: show what a training would take the columns of a table for."""

from __future__ import annotations

from argparse import Namespace

import numpy as np

from cygrad.cli import columns, reading
from cygrad.cli.arrays import Arrays
from cygrad.cli.summary import print_json, print_lines
from cygrad.tables.columns import column_names


def run(arguments: Namespace) -> None:
    """Print what becomes of each column, and all that was guessed or left out."""
    table = reading.read(arguments)
    names: list[str] = []
    if isinstance(table, Arrays):
        if not table.has_columns:
            _describe_sparse(table, arguments)
            return
        names, table = table.column_names, table.table()
    elif arguments.target is not None:
        names = column_names(table, arguments.target, "--target")
    targets = None
    if names:
        targets = columns.with_targets(table, names, arguments.task)
    rows = table if targets is None else targets.table
    encoder = columns.encoder_for(targets, rows, arguments, None)
    described = encoder.describe()
    made = () if targets is None else targets.notes
    notes = reading.with_options((*table.notes, *made, *encoder.notes))
    if arguments.json:
        print_json(
            {
                "data": arguments.data,
                "rows": len(table),
                "inputs": encoder.inputs,
                "columns": [row._asdict() for row in described],
                "notes": notes,
            }
        )
        return
    summary = f"{len(table):,} rows, {encoder.inputs:,} inputs"
    print_lines([*str(described).splitlines(), "", summary, *notes])


def _describe_sparse(found: Arrays, arguments: Namespace) -> None:
    """Print sizes of a svmlight file, whose columns have no names."""
    rows, inputs = found.X.shape
    stored = int(np.count_nonzero(found.X.data if hasattr(found.X, "indptr") else found.X))
    _, _, _, notes = columns.targets_of(found.targets, arguments.task, found.locate, found.source)
    texts = reading.with_options((*found.notes, *notes))
    if arguments.json:
        print_json(
            {
                "data": arguments.data,
                "rows": rows,
                "inputs": inputs,
                "stored": stored,
                "columns": [],
                "notes": texts,
            }
        )
        return
    print_lines([f"{rows:,} rows, {inputs:,} inputs, {stored:,} numbers that are not 0", *texts])
