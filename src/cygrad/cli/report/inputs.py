"""Sections on the inputs: what became of the columns of a table, and how important each is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cygrad.cli.report.markup import Markup, columns_table, element
from cygrad.cli.report.results import METRICS, counted
from cygrad.cli.report.run import Run
from cygrad.tables.description import HEADINGS

if TYPE_CHECKING:
    from cygrad.network import Network
    from cygrad.training.metrics import Importances

MOST_DESCRIBED = 200  # columns in the table of the encoder
SHOWN = 30  # columns in the table of importances

# What a report computes: a few seconds at most.
REPEATS = 5
MOST_COLUMNS = 100
LEAST_COLUMNS = 10
MOST_INPUTS = 100  # of arrays, where each input is a column; images have more
MOST_ROWS = 2000
LEAST_ROWS = 200
MOST_PRODUCTS = 5e10  # multiply-adds of all predictions


def columns(run: Run) -> Iterator[Markup]:
    """Yield the table of the encoder, if there is one."""
    encoder = run.dataset.encoder
    if encoder is None:
        return
    described = list(encoder.describe())
    caption = "Columns in the training part, and what they became"
    if len(described) > MOST_DESCRIBED:
        caption += f", the first {MOST_DESCRIBED} of {len(described):,}"
    rows = [
        (row.column, row.taken_for, *(f"{number:,}" for number in row[2:]))
        for row in described[:MOST_DESCRIBED]
    ]
    yield columns_table(caption, HEADINGS, rows, texts=2)


def importance(run: Run) -> Iterator[Markup]:
    """Yield the permutation importance of the columns of a table, or of few inputs."""
    part, rows = run.displayed_samples()
    names = _names(run)
    if len(rows) < 2 or not names:
        return
    from cygrad.training.metrics import permutation_importance

    net = run.net
    count, most_rows = _budget(net.n_parameters, len(names), len(rows))
    chosen = list(names)
    if count < len(names):
        chosen = _with_largest_weights(net, names, count)
    sampled = rows
    if most_rows < len(rows):
        generator = np.random.default_rng(run.arguments.seed)
        sampled = np.sort(generator.choice(rows, most_rows, replace=False))
    found = permutation_importance(
        net,
        run.dataset.X[sampled],
        run.dataset.y[sampled],
        columns=chosen,
        repeats=REPEATS,
        rng=run.arguments.seed,
    )
    what = "column" if run.dataset.encoder is not None else "input"
    metric = METRICS.get(found.metric, found.metric)
    change = f"fall of the {metric}" if found.metric == "accuracy" else f"rise of the {metric}"
    text = f"How much worse the predictions become when the values of one {what} are shuffled: the "
    text += f"{change}, in the mean of {REPEATS} repetitions, and its standard deviation. "
    text += f"Measured on {'' if len(sampled) == len(rows) else f'{len(sampled):,} of '}"
    text += f"{counted(len(rows), part)}"
    if count < len(names):
        text += f", for the {count} of {len(names):,} {what}s with the largest weights in the "
        text += "first layer"
    text += f". {what.capitalize()}s with the same information share their importance."
    yield element("p", text)
    yield _table(found, names, what, change)


def _names(run: Run) -> dict[str, str]:
    """Return the names to show, by those of `permutation_importance`; none of too many inputs."""
    if run.dataset.encoder is not None:
        return {name: name for name in run.dataset.encoder.columns}
    count = run.net.inputs
    if count > MOST_INPUTS:
        return {}
    features = run.dataset.features
    return {
        str(index): f"input {index + 1}" if features is None else features[index]
        for index in range(count)
    }


def _budget(parameters: int, columns: int, rows: int) -> tuple[int, int]:
    """Return how many columns are measured, and with how many samples."""
    products = REPEATS * max(parameters, 1)
    affordable = int(MOST_PRODUCTS / (products * LEAST_ROWS))
    columns = min(columns, MOST_COLUMNS, max(LEAST_COLUMNS, affordable))
    return columns, min(rows, MOST_ROWS, max(LEAST_ROWS, int(MOST_PRODUCTS / (products * columns))))


def _with_largest_weights(net: Network, names: dict[str, str], count: int) -> list[str]:
    """Return the columns whose inputs have the largest weights, in their own order."""
    first = next((layer for layer in net.layers if layer.kind == "dense"), None)
    if first is None or first.weights_shape[1] != net.inputs:
        return list(names)[:count]
    sizes = np.square(first.weights.astype(np.float64)).sum(axis=0)
    if net.encoder is not None:
        widths = [row.inputs for row in net.encoder.describe() if row.inputs]
        sizes = np.add.reduceat(sizes, np.cumsum([0, *widths[:-1]]))
    chosen = np.sort(np.argsort(-sizes, kind="stable")[:count])
    return [list(names)[index] for index in chosen.tolist()]


def _table(found: Importances, names: dict[str, str], what: str, change: str) -> Markup:
    scale = 100 if found.metric == "accuracy" else 1
    unit = ", %" if found.metric == "accuracy" else ""
    mean, std = found.mean, found.std
    largest = max(float(mean.max()), 0.0)
    rows = []
    for index in found.order[:SHOWN].tolist():
        share = max(float(mean[index]), 0.0) / largest if largest else 0.0
        bar = element("span", class_="bar", style=f"--share:{share:.3f}")
        numbers = (f"{scale * value[index]:.3g}" for value in (mean, std))
        rows.append((names[found.names[index]], bar, *numbers))
    caption = "Importance by permutation"
    if len(found.names) > SHOWN:
        caption += f", the largest {SHOWN} of {len(found.names)}"
    return columns_table(caption, (what, "", f"{change}{unit}", "deviation"), rows, texts=2)
