"""Tables from data frames of pandas, polars, PyArrow and others, through narwhals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cygrad.tables import arrays
from cygrad.tables.table import Column, Table


def table(frame: Any, source: str | None = None) -> Table:
    """Return a table of a data frame; see `Table.from_frame`."""
    try:
        import narwhals.stable.v1 as nw
    except ImportError:
        raise ImportError(
            "Table.from_frame needs narwhals, as from: pip install 'cygrad[frames]'"
        ) from None
    try:
        data = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise TypeError(
            f"frame is a {type(frame).__name__}, expected a data frame such as that of pandas, "
            "polars or PyArrow"
        ) from None
    except ValueError as error:  # columns of the same name
        text = " ".join(str(error).split())
        raise ValueError(f"frame has columns of the same name: {text}") from None
    if not data.columns:
        raise ValueError("frame has no columns, expected at least one")
    notes: list[str] = []
    columns = [
        _column(nw, str(name), series, notes)  # names of pandas can be numbers
        for name, series in zip(data.columns, data.iter_columns(), strict=True)
    ]
    if source is None:
        source = f"frame of {nw.get_native_namespace(data).__name__}"
    return Table(columns, notes=notes, source=source)


def _column(nw: Any, name: str, series: Any, notes: list[str]) -> Column:
    kind = series.dtype
    gaps = np.asarray(series.is_null().to_numpy(), bool)
    if kind == nw.Boolean:
        values = np.asarray(series.fill_null(False).to_numpy(), bool)
        return arrays.numbers(name, values, gaps, notes)
    if kind.is_numeric():
        if kind.is_decimal():
            series = series.cast(nw.Float64)
        filled = series.fill_null(0) if gaps.any() else series
        return arrays.numbers(name, np.asarray(filled.to_numpy()), gaps, notes)
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return arrays.text(name, series.to_list(), gaps)
    if kind == nw.Object:
        return arrays.objects(name, series.to_list(), gaps, notes)
    if kind in (nw.Date, nw.Datetime):
        seconds = series.cast(nw.Datetime("us")) if kind == nw.Date else series
        moments = seconds.dt.timestamp("us")
        notes.append(f"column {name!r}: seconds since 1970 as numbers")
    elif kind == nw.Duration:
        moments = series.dt.total_microseconds()
        notes.append(f"column {name!r}: seconds as numbers")
    else:
        known = getattr(nw.to_native(series), "dtype", kind) if kind == nw.Unknown else kind
        raise TypeError(f"column {name!r} has dtype {known}, expected numbers, text or times")
    filled = np.asarray(moments.fill_null(0).to_numpy(), np.float64)
    column = arrays.numbers(name, filled / 1e6, gaps, notes)
    return replace(column, is_time=kind != nw.Duration)
