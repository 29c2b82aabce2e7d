"""How things look: colours, markers and line styles, the same in all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# M. Okabe, K. Ito, "Color Universal Design", 2008; the yellow, which is lost on white, comes last.
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
# As many as have no divisor in common with the colours: 56 pairs before one comes again.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":")

INK = "#333333"  # lines and texts that are no data
SEQUENTIAL = "viridis"  # of heights
DIVERGING = "RdBu_r"  # of values on both sides of zero

# Points on a curve that get a marker.
MARKS = 10

LONGEST_NAME = 24  # characters of a class's name


def color(index: int) -> str:
    """The colour of the class or curve of this number."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> str:
    """The marker of the class or curve of this number."""
    return MARKERS[index % len(MARKERS)]


def line_style(index: int) -> str:
    """The line style of the curve of this number."""
    return LINE_STYLES[index % len(LINE_STYLES)]


def tint(index: int, strength: float) -> tuple[float, float, float]:
    """The colour of this number mixed with white; strength 1 is the colour, 0 is white."""
    rgb = [int(color(index)[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (1 - strength * (1 - part) for part in rgb)
    return red, green, blue


def between(first: int, second: int, strength: float) -> Colormap:
    """A colour map from the tint of one number over white to that of another."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = [tint(first, strength), (1.0, 1.0, 1.0), tint(second, strength)]
    return LinearSegmentedColormap.from_list("cygrad", ends)


def escape_label(name: str) -> str:
    """What shows a name as it is: a $ would begin a formula, and a first _ hide it in a legend.

    It is one line, and leaves room for the picture: of a long name the middle is left out.
    """
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        half = LONGEST_NAME // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    name = name.replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


def curve(index: int, points: int) -> dict[str, Any]:
    """What `Axes.plot` takes for the curve of this number: colour, and some of the points marked.

    The marks of one curve lie between those of the next, so that curves on top of each other show.
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
    """What `Axes.scatter` takes for the samples of the class of this number."""
    return {"color": color(index), "marker": marker(index), "edgecolors": "white"}
