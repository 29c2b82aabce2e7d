"""Ticks of axes: integers for counts, short numbers on logarithmic axes, few on 3-D axes."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

from cygrad.plotting.figures import size_in_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLAIN = 1e-4, 1e5  # in this range plain numbers are shorter than powers of ten
FEW_DECADES = 2.5  # up to these, 1, 2 and 5 of each decade are shown
SMALL_AXES = 240.0  # points, of 3-D axes


def integer(axis: Any) -> None:
    """Put the ticks at integers, unless they were set by hand."""
    from matplotlib.ticker import MaxNLocator

    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def logarithmic(axis: Any) -> None:
    """Write plain numbers on a logarithmic axis; on a short one, 1, 2 and 5 in each decade.

    matplotlib by itself labels powers of ten, at most one on an axis of less than a decade.
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
    """Put fewer ticks on 3-D axes than matplotlib would, and still fewer on small ones."""
    bins = 5 if min(size_in_points(ax)) > SMALL_AXES else 3
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.get_major_locator().set_params(nbins=bins)
