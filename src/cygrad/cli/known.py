"""Samples of a file for a model that was trained before: tables by the names of their columns."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import columns, reading
from cygrad.network.losses import row_of
from cygrad.records import dataclass
from cygrad.tables.columns import column_names
from cygrad.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.cli.arrays import Arrays  # it imports the readers of arrays
    from cygrad.network import Network
    from cygrad.tables.table import Column
    from cygrad.training.metrics import Metric


@dataclass(frozen=True, eq=False)
class KnownSamples:
    """Samples as a model takes them.

    Attributes
    ----------
    X : ndarray or SparseRows, shape (n, inputs)
    y : ndarray or None
        Targets as the model has learned them; None if they are not given.
    notes : tuple of str
        What the model had not seen in its training, and what was left out.
    id_name : str
        Name of the column of `ids`.
    ids : sequence of str
        A text for each row, if they were asked for.
    """

    X: Any
    y: NDArray[Any] | None
    notes: tuple[str, ...] = ()
    id_name: str = ""
    ids: Sequence[str] = ()


def read(net: Network, arguments: Namespace, needs_targets: bool = False) -> KnownSamples:
    """Read the samples of a file, and their targets if --target or `needs_targets` asks for them.

    Options of the training that the model keeps are used unless they are given. Rows without a
    target are left out where targets are needed.
    """
    if net.encoder is not None and net.encoder.array_columns is not None:
        net.encoder = net.encoder.of_tables()  # arrays are encoded here
    found = reading.read(arguments, net.reading, net.inputs)
    ending = arguments.strip_label
    if ending is None:
        ending = next(iter(net.reading.get("strip", {}).values()), None)
    try:
        if not isinstance(found, Table):
            return _of_arrays(net, found, arguments, needs_targets, ending)
        if net.encoder is None:
            return _of_numbers(net, found, arguments, needs_targets, ending)
        given = (
            [] if arguments.target is None else column_names(found, [arguments.target], "--target")
        )
        return _of_table(net, found, given, arguments, needs_targets, ending)
    except ValueError as error:
        used = "".join(f"; {note}" for note in found.notes if note.startswith("read as"))
        raise ValueError(f"{reading.with_flags(error)}{used}") from None


def _of_arrays(
    net: Network, found: Arrays, arguments: Namespace, needs_targets: bool, ending: str | None
) -> KnownSamples:
    if getattr(arguments, "id", None) is not None:
        raise ValueError("--id: only for tables and models that know the names of columns")
    encoder = net.encoder
    rows = found.test_rows()
    notes = list(found.notes)
    if found.test:
        notes.append(f"the samples are the {found.test} of the test part of the file")
    if encoder is not None and found.has_columns:
        table = found.table().take(rows)
        targets = [name for name in found.column_names if name in table]
        if arguments.target is None and set(encoder.columns) <= set(table.names):
            # What is usually the target of such a file can be an input of the model.
            targets = [name for name in targets if name not in encoder.columns]
        described = encoder.describe()
        inputs = sum(not row.taken_for.startswith("target") for row in described)
        width = len(table.names) - len(targets)
        is_whole = {row.column for row in described} == set(table.names)  # with the targets
        is_known = encoder.chooses_columns and set(encoder.columns) <= set(table.names)
        if width == inputs or is_known or (is_whole and not targets):
            table.notes = tuple(notes)
            return _of_table(net, table, targets, arguments, needs_targets, ending)
        if width != net.inputs:
            _check_width(width, inputs, arguments, found.source)
        notes.append("the columns are taken for encoded inputs, as many as the network has")
    X = found.checked_inputs()
    _check_width(X.shape[1], net.inputs, arguments, found.source)
    X = X[rows]
    if getattr(X, "indptr", None) is not None and not _takes_compressed(net):
        X = X.toarray()
    given = [column.take(rows).without_ending(ending or "") for column in found.targets]
    first = rows.start

    def locate(row: int, name: str) -> str:
        return found.locate(row + first, name)

    if encoder is not None and encoder.scales_targets and (given or needs_targets):
        raise ValueError(f"{found.source} has no names of columns, expected a table")
    is_guess = arguments.target is None and not needs_targets
    return _with_targets(
        net, X, given, locate, found.source, notes, needs_targets, is_guess=is_guess
    )


def _takes_compressed(net: Network) -> bool:
    """Return whether a network takes compressed rows, as the engine and the standardisation do."""
    if net.input_mean is not None:  # the mean of zeros is not 0
        return False
    adds_inputs = any(getattr(layer.description, "source", None) == 0 for layer in net.layers)
    return net.layers[0].kind == "dense" and not adds_inputs


def _of_numbers(
    net: Network, table: Table, arguments: Namespace, needs_targets: bool, ending: str | None
) -> KnownSamples:
    """Return the numbers of a table for a model that knows no names of columns."""
    if getattr(arguments, "id", None) is not None:
        raise ValueError("--id: only for tables and models that know the names of columns")
    names = [] if arguments.target is None else column_names(table, [arguments.target], "--target")
    inputs = [name for name in table.names if name not in names]
    hint = "" if names else "; no target is named, which may be text"
    for name in inputs:
        column = table.column(name)
        if column.codes is not None:
            row = int(np.argmax(column.codes >= 0))
            word = column.words[column.codes[row]] if column.words else ""
            raise ValueError(f"{table.locate(row, name)} is {word!r}, expected a number{hint}")
        if column.is_gap.any():
            place = table.locate(int(np.argmax(column.is_gap)), name)
            raise ValueError(f"{place} is a gap, expected a number")
    _check_width(len(inputs), net.inputs, arguments, table.source)
    given = [table.column(name).without_ending(ending or "") for name in names]
    X = table.numbers(inputs)
    notes = [note for note in table.notes if note.startswith("read as")]
    return _with_targets(net, X, given, table.locate, table.source, notes, needs_targets)


def _with_targets(
    net: Network,
    X: Any,
    given: list[Column],
    locate: Callable[[int, str], str],
    source: str,
    notes: list[str],
    needs_targets: bool,
    *,
    is_guess: bool = False,
) -> KnownSamples:
    """Return samples with the targets that are known for them.

    With `is_guess` the targets are in the file, but nothing asks for them: what is no target of the
    model is then not compared.
    """
    if not given:
        if needs_targets:
            raise ValueError(f"{source} has no target, expected one named with --target")
        return KnownSamples(X, None, tuple(notes))
    task = "regression" if net.classes is None else "classification"
    try:
        _, y, rows, found = columns.targets_of(given, task, locate, source, net.classes)
    except ValueError as error:
        if not is_guess:
            raise
        notes.append(f"the targets of the file are not compared: {error}")
        return KnownSamples(X, None, tuple(notes))
    if rows is not None and not needs_targets:
        notes.append("the targets of the file are not compared, as some rows have none")
        return KnownSamples(X, None, tuple(notes))
    if rows is not None:
        X = X[rows]
        notes += [note for note in found if note.startswith("left out")]
    if y.dtype.kind == "f" and (y == np.rint(y)).all() and (np.abs(y) < 2**53).all():
        y = y.astype(np.int64)  # class indices, if the model has no names for them
    return KnownSamples(X, y, tuple(notes))


def _check_width(width: int, expected: int, arguments: Namespace, source: str) -> None:
    if width != expected:
        hint = "; --target names a column to leave out" if arguments.target is None else ""
        raise ValueError(
            f"{source} has {width} input columns, expected {expected} for {arguments.model}{hint}"
        )


def _of_table(
    net: Network,
    table: Table,
    given: list[str],
    arguments: Namespace,
    needs_targets: bool,
    ending: str | None,
) -> KnownSamples:
    encoder = net.encoder
    assert encoder is not None
    id_name, ids = "", tuple[str, ...]()
    if getattr(arguments, "id", None) is not None:
        (id_name,) = column_names(table, [arguments.id], "--id")
        ids = texts(table, id_name)
    notes = [note for note in table.notes if note.startswith(("read as", "the samples are"))]
    table = columns.for_model(table, encoder, given, arguments.model)
    if ending:
        table = table.with_columns(
            [
                table.column(name).without_ending(ending if name in encoder.target_names else "")
                for name in table.names
            ]
        )
    y = None
    if needs_targets or given:
        if not encoder.target_names:
            raise ValueError(f"{arguments.model} knows no target")
        if needs_targets:
            for name in encoder.target_names:
                if name not in table:
                    raise ValueError(
                        f"{table.source} has no target {name!r}, expected one named with --target"
                    )
            complete = encoder.with_targets(table)
            if not len(complete):
                raise ValueError(f"{table.source} has no row with a target")
            if len(complete) < len(table):
                notes.append(f"left out: {len(table) - len(complete)} rows without a target")
                table = complete
        y = encoder.targets(table)
    X = encoder.transform(table, notes)
    return KnownSamples(X, y, tuple(notes), id_name, ids)


def texts(table: Table, name: str) -> tuple[str, ...]:
    """Return the values of a column as texts, gaps empty."""
    from cygrad.tables.encodings import words_and_codes

    words, codes = words_and_codes(table.column(name))
    texts = [*words, ""]
    return tuple(texts[code] for code in codes.tolist())


def predict(net: Network, samples: KnownSamples) -> NDArray[Any]:
    """Return class indices, or quantities in their unit."""
    predicted = net.predict(samples.X)
    if net.encoder is None or not net.encoder.scales_targets:
        return predicted
    return net.encoder.decode(predicted, moments=row_of(net.loss).outputs == "moments")


def evaluate(
    net: Network, samples: KnownSamples, metrics: Sequence[Metric] = ()
) -> dict[str, float]:
    """Return loss and metrics; those of quantities are in their unit."""
    assert samples.y is not None
    X, y = samples.X, samples.y
    results = net.evaluate(X, y)
    encoder = net.encoder
    if encoder is None or not encoder.scales_targets:
        if metrics:
            from cygrad.cli import loop

            return loop.evaluate(net, X, y, list(metrics))
        return results
    from cygrad.network.losses import middle_quantile

    actual, outputs = compared(net, X, y)
    results["mae"] = float(np.abs(outputs - actual).mean())
    middle = middle_quantile(net.loss, y, net.outputs)
    if middle is not None:
        actual, outputs = actual[:, [middle]], outputs[:, [middle]]
    for metric in metrics:
        results[metric.name] = metric(actual, outputs)
    return results


def compared(net: Network, X: Any, y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return quantities and the outputs that predict them, in their unit, both (n, k)."""
    from cygrad.network.losses import compared_outputs

    actual, outputs = compared_outputs(net.loss, y, net.forward(X))
    encoder = net.encoder
    if encoder is None or not encoder.scales_targets:
        return actual, outputs
    shape = actual.shape
    return encoder.decode(actual).reshape(shape), encoder.decode(outputs).reshape(shape)
