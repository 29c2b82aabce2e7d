"""Colours, markers and line styles, the same in all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# M. Okabe, K. Ito, "Color Universal Design", 2008. Yellow comes last: on white it is hard to see.
COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#F0E442",
)
# Seven markers and eight colours have no common divisor: 56 pairs before one repeats.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":")

INK = "#333333"  # lines and texts that are not data
SEQUENTIAL = "viridis"  # colour map of heights
DIVERGING = "RdBu_r"  # colour map of values on both sides of zero

# Number of points on a curve that get a marker.
MARKS = 10

LONGEST_NAME = 24  # characters shown of a class name


def color(index: int) -> str:
    """Return the colour of the class or curve with this index."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> str:
    """Return the marker of the class or curve with this index."""
    return MARKERS[index % len(MARKERS)]


def line_style(index: int) -> str:
    """Return the line style of the curve with this index."""
    return LINE_STYLES[index % len(LINE_STYLES)]


def tint(index: int, strength: float) -> tuple[float, float, float]:
    """Return the colour with this index mixed with white; strength 1 is the colour, 0 is white."""
    rgb = [int(color(index)[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (1 - strength * (1 - part) for part in rgb)
    return red, green, blue


def between(first: int, second: int, strength: float) -> Colormap:
    """Return a colour map from the tint with one index over white to the tint with another."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = [tint(first, strength), (1.0, 1.0, 1.0), tint(second, strength)]
    return LinearSegmentedColormap.from_list("cygrad", ends)


def escape_label(name: str) -> str:
    """Escape a name for matplotlib: a $ would begin a formula, a leading _ hide it in a legend.

    The result is one line; the middle of a long name is left out.
    """
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        half = LONGEST_NAME // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    name = name.replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


def curve(index: int, points: int) -> dict[str, Any]:
    """Return the options of `Axes.plot` for the curve with this index: its colour and markers.

    Some points have markers, at other points in each curve, so that coinciding curves show.
    """
    every = max(1, points // MARKS)
    return {
        "color": color(index),
        "marker": marker(index),
        "markersize": 5,
        "markevery": (index * every // 3 % every, every),
        "linewidth": 1.5,
    }


def sample(index: int) -> dict[str, Any]:
    """Return the options of `Axes.scatter` for the samples of the class with this index."""
    return {"color": color(index), "marker": marker(index), "edgecolors": "white"}
