"""Drawings as PNG, by matplotlib: the same scene as in SVG."""

from __future__ import annotations

import io
import math
from itertools import chain
from typing import TYPE_CHECKING

from cygrad.graph.drawing import colours, measures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cygrad.graph.drawing.scene import Dot, Path, Scene, Shape, Text

PIXELS_PER_INCH = 96.0  # of the scene
RESOLUTION = 192.0  # of the picture, unless it would be too large
MAX_PIXELS = 1e8  # in all
MAX_SIDE = 3e4  # pixels in a row or a column
POINT = 72.0 / PIXELS_PER_INCH

#: Distance of the control points from the ends of a curve for a quarter of the unit circle.
CONTROL_DISTANCE = 0.5523

Point = tuple[float, float]
Curve = tuple[Point, Point, Point]  # two control points and the end

_COLOURS = {"value": colours.VALUE, "gradient": colours.GRADIENT}
_ALIGNMENTS = {"start": "left", "middle": "center", "end": "right"}


def png(scene: Scene) -> bytes:
    """Return the scene as the bytes of a file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from cygrad.plotting.figures import need_matplotlib

    need_matplotlib("drawing as .png", ".svg needs nothing, or ")
    from matplotlib.figure import Figure

    figure = Figure((scene.width / PIXELS_PER_INCH, scene.height / PIXELS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.axis("off")
    for path in scene.paths:
        _add_path(axes, path)
    for shape in scene.shapes:
        _add_shape(axes, shape)
    for dot in scene.dots:
        _add_dot(axes, dot)
    for text in scene.texts:
        _add_text(axes, text)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_resolution(scene), metadata={"Software": None})
    return file.getvalue()


def _resolution(scene: Scene) -> float:
    by_length = MAX_SIDE / max(scene.width, scene.height)
    by_area = math.sqrt(MAX_PIXELS / (scene.width * scene.height))
    return min(RESOLUTION, PIXELS_PER_INCH * min(by_length, by_area))


def _add_path(axes: Axes, path: Path) -> None:
    (x, y), *others = path.points
    curves = []
    for next_x, next_y in others:
        middle = (x + next_x) / 2
        curves.append(((middle, y), (middle, next_y), (next_x, next_y)))
        x, y = next_x, next_y
    _add_curves(axes, path.points[0], curves, "none", colours.WIRE)


def _add_shape(axes: Axes, shape: Shape) -> None:
    """Two half circles, each of two quarters, with straight lines from one to the other."""
    left, right, top, bottom = shape.box
    radius = measures.RADIUS
    near = (1 - CONTROL_DISTANCE) * radius  # what a control point keeps from the corner
    inner_left, inner_right = left + radius, right - radius
    curves = [
        ((right - near, top), (right, top + near), (right, shape.y)),
        ((right, bottom - near), (right - near, bottom), (inner_right, bottom)),
        ((inner_right, bottom), (inner_left, bottom), (inner_left, bottom)),
        ((left + near, bottom), (left, bottom - near), (left, shape.y)),
        ((left, top + near), (left + near, top), (inner_left, top)),
        ((inner_left, top), (inner_right, top), (inner_right, top)),
    ]
    _add_curves(axes, (inner_right, top), curves, colours.GATE, colours.INK)


def _add_curves(axes: Axes, start: Point, curves: list[Curve], fill: str, stroke: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    outline = Outline(
        [start, *chain.from_iterable(curves)],
        [Outline.MOVETO] + [Outline.CURVE4] * (3 * len(curves)),
    )
    style = {"facecolor": fill, "edgecolor": stroke, "linewidth": measures.LINE * POINT}
    axes.add_patch(PathPatch(outline, capstyle="round", **style))


def _add_dot(axes: Axes, dot: Dot) -> None:
    from matplotlib.patches import Circle

    fill = colours.WIRE if dot.kind == "split" else colours.PAPER
    style = {"facecolor": fill, "edgecolor": colours.WIRE, "linewidth": measures.LINE * POINT}
    axes.add_patch(Circle((dot.x, dot.y), measures.DOT, **style))


def _add_text(axes: Axes, text: Text) -> None:
    axes.text(
        text.x,
        text.y,
        text.text,
        fontsize=text.size * POINT,
        fontfamily="DejaVu Sans",  # comes with matplotlib
        fontweight="bold" if text.kind == "name" else "normal",
        fontstyle="italic" if text.kind in ("name", "caption") else "normal",
        color=_COLOURS.get(text.kind, colours.INK),
        horizontalalignment=_ALIGNMENTS[text.anchor],
        verticalalignment="baseline",
        parse_math=False,
    )
