"""Samples of a file for a model that was trained before: tables by the names of their columns."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cygrad.cli import columns
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from cygrad.network import Network
    from cygrad.tables.samples import Samples, Task
    from cygrad.tables.table import Table
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

    Rows without a target are left out where targets are needed.
    """
    width = None if net.encoder is None else net.encoder.array_columns
    if net.encoder is not None and width is not None:
        net.encoder = net.encoder.of_tables()  # arrays are encoded here
    if net.encoder is not None and columns.has_columns(arguments.data):
        return _of_table(net, arguments, needs_targets)
    what = "tables and models that know the names of columns"
    if getattr(arguments, "id", None) is not None:
        raise ValueError(f"--id: only for {what}")
    columns.refuse_reading_options(arguments, what)
    from cygrad import datasets

    task: Task = "regression" if net.classes is None else "classification"
    samples = datasets.read(arguments.data, arguments.target, task=task, classes=net.classes)
    if width is not None and (samples.y is not None or not needs_targets):
        return _of_array(net, samples, width, arguments)
    if net.encoder is not None and net.encoder.scales_targets and samples.y is not None:
        raise ValueError(f"{arguments.data} has no names of columns, expected a table")
    if needs_targets and samples.y is None:
        raise ValueError(f"{arguments.data} has no target, expected one named with --target")
    if samples.X.shape[1] != net.inputs:
        hint = "; --target names a column to leave out" if arguments.target is None else ""
        raise ValueError(
            f"{arguments.data} has {samples.X.shape[1]} input columns, "
            f"expected {net.inputs} for {arguments.model}{hint}"
        )
    return KnownSamples(samples.X, samples.y)


def _of_array(net: Network, samples: Samples, width: int, arguments: Namespace) -> KnownSamples:
    """Encode the columns of an array, for a model that was trained on one."""
    encoder = net.encoder
    assert encoder is not None
    if samples.X.shape[1] != width:
        hint = "; --target names a column to leave out" if arguments.target is None else ""
        raise ValueError(
            f"{arguments.data} has {samples.X.shape[1]} input columns, expected {width} for "
            f"{arguments.model}{hint}"
        )
    from cygrad.tables.table import Table

    notes: list[str] = []
    X = encoder.transform(Table.from_arrays(np.asarray(samples.X)), notes)
    y = samples.y
    if y is not None and encoder.scales_targets:
        y = encoder.target_array(y)
    return KnownSamples(X, y, tuple(notes))


def _of_table(net: Network, arguments: Namespace, needs_targets: bool) -> KnownSamples:
    encoder = net.encoder
    assert encoder is not None
    table = columns.read(arguments)
    id_name, ids = "", tuple[str, ...]()
    if getattr(arguments, "id", None) is not None:
        (id_name,) = columns.names_in(table, [arguments.id])
        ids = texts(table, id_name)
    table = columns.for_model(table, encoder, arguments.target, arguments.model)
    notes: list[str] = []
    y = None
    if needs_targets or arguments.target is not None:
        if not encoder.target_names:
            raise ValueError(f"{arguments.model} knows no target")
        if needs_targets:
            for name in encoder.target_names:
                if name not in table:
                    raise ValueError(
                        f"{arguments.data} has no target {name!r}, expected one named with --target"
                    )
            complete = encoder.with_targets(table)
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
