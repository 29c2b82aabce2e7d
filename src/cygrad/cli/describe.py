"""``cygrad describe``: show what a training would take the columns of a table for."""

from __future__ import annotations

from argparse import Namespace

from cygrad.cli import columns
from cygrad.cli.summary import print_json, print_lines


def run(arguments: Namespace) -> None:
    """Print what becomes of each column, and all that was guessed or left out."""
    if not columns.has_columns(arguments.data):
        raise ValueError(f"{arguments.data} is a file of arrays, expected a table")
    table = columns.read(arguments)
    targets = None
    if arguments.target is not None:
        names = columns.names_in(table, arguments.target)
        targets = columns.with_targets(table, names, arguments.task)
    rows = table if targets is None else targets.table
    encoder = columns.encoder_for(targets, rows, arguments, None)
    described = encoder.describe()
    made = () if targets is None else targets.notes
    notes = columns.with_options((*table.notes, *made, *encoder.notes))
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
