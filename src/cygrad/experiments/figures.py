"""Figures, curves, legends and percentages for the pictures of several experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches; pyplot would keep and show it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_curves(
    ax: Axes,
    x: Sequence[float] | NDArray[Any],
    curves: Mapping[str, Sequence[float] | NDArray[Any]],
) -> None:
    """Draw one curve for each label, with a legend if there are several."""
    for number, (label, y) in enumerate(curves.items()):
        ax.plot(x, y, label=label, **style.curve(number, len(y)))
    if len(curves) > 1:
        ax.legend()


def legend_beside(ax: Axes) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def in_percent(axis: Any, label: str) -> None:
    """Write the shares on an axis as percentages."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axis.set_label_text(f"{label} [%]")
