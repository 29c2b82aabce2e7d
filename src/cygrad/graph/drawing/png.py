"""Drawings as PNG, through matplotlib: the same scene as in SVG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cygrad.graph.drawing import colours, measures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cygrad.graph.drawing.scene import Path, Scene, Text

PIXELS_PER_INCH = 96.0  # of the scene
RESOLUTION = 192.0  # of the picture
POINT = 72.0 / PIXELS_PER_INCH

_COLOURS = {"value": colours.VALUE, "gradient": colours.GRADIENT}
_ALIGNMENTS = {"start": "left", "middle": "center", "end": "right"}


def png(scene: Scene) -> bytes:
    """The scene as the bytes of a file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":  # it is there, and something that it needs is not
            raise
        raise ImportError(
            "drawing as .png needs matplotlib, which is not installed; .svg needs nothing, or "
            "pip install 'cygrad[plot]'",
            name="matplotlib",
        ) from None
    figure = Figure((scene.width / PIXELS_PER_INCH, scene.height / PIXELS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.axis("off")
    for path in scene.paths:
        _add_path(axes, path)
    _add_shapes(axes, scene)
    for text in scene.texts:
        _add_text(axes, text)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return file.getvalue()


def _add_path(axes: Axes, path: Path) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    (x, y), *others = path.points
    points, codes = [(x, y)], [Curve.MOVETO]
    for next_x, next_y in others:
        middle = (x + next_x) / 2
        points += [(middle, y), (middle, next_y), (next_x, next_y)]
        codes += [Curve.CURVE4] * 3
        x, y = next_x, next_y
    axes.add_patch(
        PathPatch(
            Curve(points, codes),
            fill=False,
            edgecolor=colours.WIRE,
            linewidth=1.5 * POINT,
            capstyle="round",
        )
    )


def _add_shapes(axes: Axes, scene: Scene) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    for shape in scene.shapes:
        radius = measures.RADIUS
        style = f"round,pad={radius},rounding_size={radius}"
        inner = shape.width - 2 * radius
        axes.add_patch(
            FancyBboxPatch(
                (shape.x - inner / 2, shape.y), inner, 0.0, boxstyle=style,
                facecolor=colours.GATE, edgecolor=colours.INK, linewidth=1.5 * POINT,
            )
        )  # fmt: skip
    for dot in scene.dots:
        fill = colours.WIRE if dot.kind == "split" else colours.PAPER
        axes.add_patch(
            Circle(
                (dot.x, dot.y), 3.0, zorder=2,
                facecolor=fill, edgecolor=colours.WIRE, linewidth=1.5 * POINT,
            )
        )  # fmt: skip


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
