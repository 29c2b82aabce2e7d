"""Ticks: whole numbers where something is counted, plain numbers where they are short, and few."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

from cygrad.plotting.figures import size_in_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLAIN = 1e-4, 1e5  # between these a number is shorter than its power of ten
FEW_DECADES = 2.5  # 1, 2 and 5 of each are shown
SMALL_AXES = 240.0  # points, of 3-D axes


def integer(axis: Any) -> None:
    """Ticks at whole numbers, where matplotlib chooses them; ticks that were set stay."""
    from matplotlib.ticker import MaxNLocator

    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def logarithmic(axis: Any) -> None:
    """Plain numbers on a logarithmic axis, and 1, 2 and 5 times the powers of ten on a short one.

    By itself matplotlib writes powers of ten, of which less than a decade has at most one.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if low < PLAIN[0] or high > PLAIN[1]:
        return
    short = log10(high / low) < FEW_DECADES
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if short else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def three_d(ax: Axes) -> None:
    """Fewer ticks on 3-D axes than matplotlib would have; fewer still on small ones."""
    bins = 5 if min(size_in_points(ax)) > SMALL_AXES else 3
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.get_major_locator().set_params(nbins=bins)
