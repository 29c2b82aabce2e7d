"""The presets for tables next to scikit-learn's MLP, to our own defaults and to boosted trees.

Real data sets that come with packages, five splits of each; every contestant has its defaults, one
thread, and the same rows. Seconds are those of a whole fit, from the table to the model: the median
over the splits, in which contestants take turns.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from statistics import mean, median
from typing import TYPE_CHECKING

from ..report import Column, Row
from ..settings import Settings
from .scores import MEASURES, difference, ranks, standard_error, verdict

if TYPE_CHECKING:
    from .contest import Results
    from .data import DataSet
    from .networks import Contestant

PRESET, MLP, DEFAULTS, BOOSTING = "preset", "MLP", "defaults", "HistGB"
NAMES = (PRESET, MLP, DEFAULTS, BOOSTING)
TITLE = "Presets for tables: mean over the splits ± standard error, and seconds of a fit (1 thread)"
COLUMNS = (
    Column("data", "data", 9),
    Column("rows", "rows", 6, ",d"),
    Column("columns", "columns", 7, "d"),
    Column("texts", "text", 4, "d"),
    Column("gaps", "gaps", 6, ".1%"),
    Column("measure", "measure", 8),
    *(Column(f"{name} text", name, 15) for name in NAMES),
    Column("difference text", "preset − MLP", 16),
    Column("verdict", "preset is", 9),
    *(Column(f"{name} seconds", f"{name} s", 10, ".2f") for name in NAMES),
)


def rows(settings: Settings) -> Iterator[Row]:
    for package in "sklearn", "pandas":
        if find_spec(package) is None:
            print(f"presets: left out, {package} is not installed", file=sys.stderr)
            return
    from .contest import FEW_SPLITS, SPLITS, run
    from .data import DATA_SETS, QUICK, NotInstalled

    contestants = _contestants()
    count = FEW_SPLITS if settings.quick else SPLITS
    found: list[dict[str, float]] = []
    for data in DATA_SETS:
        if settings.quick and data.name not in QUICK:
            continue
        try:
            table = data.table()
        except NotInstalled as error:
            print(f"presets: {data.name} left out, {error}", file=sys.stderr)
            continue
        print(f"presets: {data.name}", file=sys.stderr, flush=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a table lacks is not said five times
            results = run(data, table, contestants, count)
        found.append(ranks({name: mean(values) for name, values in results.scores.items()}))
        yield {**_table_cells(data, table), **result_cells(data, results), "ranks": found[-1]}
    if found:
        yield mean_ranks(found)


def result_cells(data: DataSet, results: Results) -> dict[str, object]:
    """Return scores, differences of the preset from the others, and seconds."""
    cells: dict[str, object] = {"measure": MEASURES[data.task], "scores": results.scores}
    for name, values in results.scores.items():
        cells[f"{name} text"] = f"{mean(values):.4f} ± {standard_error(values):.4f}"
        cells[f"{name} seconds"] = median(results.seconds[name])
        if name != PRESET:
            cells[f"preset − {name}"] = difference(results.scores[PRESET], values)
    between, half = difference(results.scores[PRESET], results.scores[MLP])
    cells["difference text"] = f"{between:+.4f} ± {half:.4f}"
    return cells | {"verdict": verdict(between, half)}


def mean_ranks(found: list[dict[str, float]]) -> Row:
    """Return the last row: the mean of each contestant's ranks."""
    row: dict[str, object] = {"data": "mean rank", "measure": "", "sets": len(found)}
    for name in NAMES:
        row[f"{name} text"] = f"{mean(each[name] for each in found):.2f}"
    return row


def _table_cells(data: DataSet, table: object) -> Mapping[str, object]:
    from cygrad.tables import Table

    from .data import share_of_gaps

    assert isinstance(table, Table)
    kinds = [kind for name, kind in table.kinds.items() if name != data.target]
    return {
        "data": data.name,
        "rows": len(table),
        "columns": len(kinds),
        "texts": kinds.count("text"),
        "gaps": share_of_gaps(table, data.target),
    }


def _contestants() -> dict[str, Contestant]:
    from .networks import fit_defaults, fit_preset
    from .peers import fit_boosting, fit_mlp

    return {PRESET: fit_preset, MLP: fit_mlp, DEFAULTS: fit_defaults, BOOSTING: fit_boosting}
