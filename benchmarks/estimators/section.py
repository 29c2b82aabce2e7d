"""Times of cygrad.sklearn next to scikit-learn's: same parameters, same random numbers.

Both have one thread and take turns. Settings are scikit-learn's defaults, but `max_iter` for large
networks and data. Times are medians, each with the least one next to it; `ratio` is the median over
the rounds; `share` is the part of the peak of fused multiply-adds that ours reaches, and `bound`
the ratio that the peak itself would have. Only matrix products of the equations are counted, and
for L-BFGS those of one evaluation in each iteration, although its line search may need more.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version

from cygrad._engine import kernels

from ..report import Column, Row
from ..settings import Settings
from . import calls, fits
from .pair import unavailable

TITLE = "cygrad.sklearn next to scikit-learn, one thread each: milliseconds"
COLUMNS = (
    Column("call", "call", 21),
    Column("data", "data", 9),
    Column("network", "network", 12),
    Column("solver", "solver", 6),
    Column("dtype", "dtype", 7),
    Column("epochs", "epochs", 6, "d"),
    Column("cygrad", "cygrad", 9, ",.3f"),
    Column("cygrad least", "least", 9, ",.3f"),
    Column("scikit-learn", "sklearn", 10, ",.3f"),
    Column("scikit-learn least", "least", 10, ",.3f"),
    Column("ratio", "ratio", 6, ".1f"),
    Column("goal", "goal", 9),
    Column("met", "met", 3),
    Column("share", "share", 5, ".0%"),
    Column("bound", "bound", 6, ".1f"),
    Column("agrees", "agrees", 6),
)

Task = tuple[str, Callable[[], Row]]  # its title, and what times it


def rows(settings: Settings) -> Iterator[Row]:
    reason = unavailable()
    if reason is not None:
        print(f"sklearn: left out, {reason}", file=sys.stderr)
        return
    notes = [_software()]
    for title, measure in _tasks(settings):
        print(f"sklearn: {title}", file=sys.stderr, flush=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConvergenceWarning: max_iter is meant
            row = measure()
        found = row.get("notes", [])
        assert isinstance(found, list)
        yield {**row, "notes": notes + found}
        notes = []


def _tasks(settings: Settings) -> Iterator[Task]:
    from .data import load

    absent = set()
    for model in fits.FITS:
        try:
            X, y = load(model.data, settings)
        except FileNotFoundError as error:
            if model.data not in absent:
                print(f"sklearn: {model.data} left out: {error}", file=sys.stderr)
            absent.add(model.data)
            continue
        yield f"fit of {model.title}", partial(fits.fit_row, model, X, y, settings)
    for table, measure in (
        (calls.PREDICTIONS, calls.prediction_row),
        (calls.SHORT_FITS, calls.short_row),
    ):
        for model, method in table:
            X, y = load(model.data, settings)
            yield f"{method} of {model.title}", partial(measure, model, method, X, y, settings)
    X, y = load(calls.SEARCH.data, settings)
    yield "GridSearchCV", partial(calls.search_row, X, y, settings)


def _software() -> str:
    """Return the versions, and the kernels that both libraries chose on this processor."""
    info = import_module("threadpoolctl").threadpool_info()  # it comes with scikit-learn
    blas = {
        f"{entry['internal_api']} {entry['version']} for {entry.get('architecture')}, "
        f"threads {entry['num_threads']}"
        for entry in info
        if entry["user_api"] == "blas"
    }
    return (
        f"cygrad with {kernels.selected()}; scikit-learn {version('scikit-learn')} with "
        f"{'; '.join(sorted(blas))}"
    )
