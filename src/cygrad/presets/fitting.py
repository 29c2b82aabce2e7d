"""Fit a recipe: from a table or arrays and their targets to a trained network with its encoder."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import seeding
from cygrad.network.weights import check_not_all_zero, read_weights
from cygrad.tables.columns import column_names
from cygrad.tables.encoder import Encoder
from cygrad.tables.table import Column, Table, as_table, is_table, rows_table
from cygrad.tables.target_encoding import learn_targets
from cygrad.training import validation as dividing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.presets.recipe import TabularRecipe
    from cygrad.training.history import History

#: The name of the column that `y` becomes, unless it has one.
TARGET = "y"


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows that have all targets, with their weights.

    Attributes
    ----------
    table : Table
    targets : list of str
        Names of the columns to predict.
    weights : ndarray or None
    width : int or None
        Number of columns, if the data are an array.
    """

    table: Table
    targets: list[str]
    weights: NDArray[Any] | None
    width: int | None


def fit(
    recipe: TabularRecipe,
    data: Any,
    target: Any,
    y: Any,
    validation: Any,
    sample_weight: ArrayLike | None,
    encoder_options: Mapping[str, Any],
    *,
    callbacks: Any,
    **options: Any,
) -> tuple[Network, History]:
    """Train a network; see `TabularRecipe.fit`, which has the same arguments."""
    samples = _read(data, target, y, sample_weight)
    training, held_out = _divided(recipe, samples, validation)
    encoder = recipe.encoder(samples.targets, array_columns=samples.width, **encoder_options)
    _learn(encoder, training.table)
    net = recipe.network_of(encoder)
    trainer = recipe.trainer(net, len(training.table))
    hooks = [*callbacks]
    if held_out is not None:
        hooks.append(recipe.best_epoch())
        options |= {
            "X_val": encoder.transform(held_out.table, []),
            "y_val": encoder.targets(held_out.table),
            "sample_weight_val": held_out.weights,
        }
    X, targets = encoder.transform(training.table, []), encoder.targets(training.table)
    options |= {"sample_weight": training.weights, "callbacks": hooks}
    try:
        history = trainer.fit(X, targets, recipe.epochs, **options)
    except KeyboardInterrupt:
        history = trainer.history
        if not len(history):
            raise
        which = "last" if held_out is None else "best"
        warnings.warn(
            f"interrupted after {len(history)} of {recipe.epochs} epochs: the network has the "
            f"parameters of the {which} one",
            stacklevel=3,
        )
    net.encoder = encoder
    return net, history


def _read(
    data: Any, target: Any, y: Any, sample_weight: ArrayLike | None, name: str = "data"
) -> Samples:
    """Return the rows with targets; a warning says how many have none."""
    table, names, width = _with_targets(data, target, y, name)
    weights = None
    if sample_weight is not None:
        weights = np.asarray(sample_weight)
        if weights.shape != (len(table),):
            raise ValueError(
                f"sample_weight has shape {weights.shape}, expected ({len(table)},), as data"
            )
        # Here the rows have the caller's numbers: later they are divided.
        check_not_all_zero(read_weights(weights, len(table), np.dtype(np.float64)))
    gaps = np.zeros(len(table), bool)
    for target_name in names:
        gaps |= table.column(target_name).is_gap
    if gaps.all():
        least = "two" if name == "data" else "one"
        raise ValueError(f"{name} has no rows with a target, expected at least {least}")
    if gaps.any():
        where = "" if name == "data" else f" in {name}"
        warnings.warn(f"left out: {int(gaps.sum())} rows without a target{where}", stacklevel=4)
        table = table.take(~gaps)
        weights = None if weights is None else weights[~gaps]
    return Samples(table, names, weights, width)


def _with_targets(
    data: Any, target: Any, y: Any, name: str = "data"
) -> tuple[Table, list[str], int | None]:
    """Return a table with the columns of the targets, their names, and the width of an array."""
    if isinstance(data, str | os.PathLike):
        raise TypeError(f"{name} is {data!r}, expected a table, as of cygrad.tables.read(path)")
    width = None
    if is_table(data):
        table = as_table(data)
    else:
        table = rows_table(data, name)
        width = len(table.names)
    if (target is None) == (y is None):
        given = "both are given" if y is not None else "neither is given"
        raise TypeError(f"target and y: {given}, expected a column of data, or its values in y")
    if y is None:
        several = not isinstance(target, str | int | np.integer) or isinstance(target, bool)
        names = column_names(table, target if several else [target], "target")
        if width is not None:
            raise TypeError("data is an array, expected y with the targets, not target")
        return table, names, width
    columns = _target_columns(y)
    for column in columns:
        if column.name in table:
            raise ValueError(
                f"y is named {column.name!r}, as a column of data; expected target={column.name!r} "
                "to predict that one, or another name"
            )
        if len(column) != len(table):
            raise ValueError(f"y has {len(column)} rows, and {name} {len(table)}")
    own = [table.column(name) for name in table.names]
    joined = Table([*own, *columns], notes=table.notes, source=table.source)
    return joined, [column.name for column in columns], width


def _target_columns(y: Any) -> list[Column]:
    """Return targets that are given beside the data as columns with names."""
    if is_table(y):
        table = as_table(y)
    else:
        array = y if isinstance(y, np.ndarray) else np.asarray(y)
        name = getattr(y, "name", None)
        if array.ndim == 2 and array.shape[1] > 1:
            names = [f"{TARGET}_{number}" for number in range(1, array.shape[1] + 1)]
            table = Table.from_arrays(array, names)
        else:
            values = array.ravel() if array.ndim == 2 else y
            table = Table.from_arrays({name if isinstance(name, str) and name else TARGET: values})
    return [table.column(name) for name in table.names]


def _divided(
    recipe: TabularRecipe, samples: Samples, validation: Any
) -> tuple[Samples, Samples | None]:
    """Return the rows to train on, and those to choose the epoch by, if there are any."""
    if validation is None or isinstance(validation, bool):
        raise TypeError(f"validation is {validation!r}, expected a share, a number or rows")
    if isinstance(validation, tuple):
        if len(validation) != 2:
            raise TypeError(f"validation has {len(validation)} parts, expected (data, y)")
        return samples, _own(samples, *validation)
    if not isinstance(validation, int | float | np.number):
        return samples, _own(samples, validation, None)
    table, names = samples.table, samples.targets
    columns = [table.column(name) for name in names]
    learned = learn_targets(columns, recipe.task, "none", table.locate, [])
    if validation == 0:
        return samples, None
    labels: NDArray[Any] | None = None
    if recipe.task == "classification":
        labels = learned.encode(columns, table.locate)
    rows = len(table)
    count = dividing.check_share(validation, rows)
    seeds = seeding.seeds(recipe.rng, "validation")
    parts = dividing.split(rows, count, labels, seeds)
    if len(parts[0]) < 2:
        raise ValueError(
            f"validation leaves {len(parts[0])} of {rows} rows to train on, expected at least 2; "
            "validation=0 trains on all"
        )
    training, held_out = (
        Samples(
            table.take(part),
            names,
            None if samples.weights is None else samples.weights[part],
            samples.width,
        )
        for part in parts
    )
    return training, held_out


def _own(samples: Samples, data: Any, y: Any) -> Samples:
    """Return validation rows of the caller."""
    if y is not None and is_table(data) == (samples.width is None):
        found = _read(data, None, y, None, "validation")
    elif y is None and samples.width is None:
        found = _read(data, samples.targets, None, None, "validation")
    else:
        what = "a table" if samples.width is None else "(X, y) of arrays"
        raise TypeError(f"validation is a {type(data).__name__}, expected {what}, as data")
    if found.targets != samples.targets:
        raise ValueError(f"validation has the targets {found.targets}, expected {samples.targets}")
    if found.width != samples.width:
        raise ValueError(f"validation has {found.width} columns, expected {samples.width}")
    return found


def _learn(encoder: Encoder, table: Table) -> None:
    """Fit the encoder, whose warnings are on the columns that only number the rows."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        encoder.fit(table)
    for each in found:
        warnings.warn(each.message, stacklevel=4)  # of the line that calls `TabularRecipe.fit`
