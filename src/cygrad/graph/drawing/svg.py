"""Drawings as SVG, for browsers, notebooks and vector programs."""

from __future__ import annotations

from xml.sax.saxutils import escape

from cygrad.graph.drawing import colours, measures
from cygrad.graph.drawing.scene import Dot, Path, Scene, Shape, Text

_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"

_STYLES = {
    "name": f'fill="{colours.INK}" font-weight="bold" font-style="italic"',
    "symbol": f'fill="{colours.INK}"',
    "caption": f'fill="{colours.INK}" font-style="italic"',
    "value": f'fill="{colours.VALUE}"',
    "gradient": f'fill="{colours.GRADIENT}"',
}


def svg(scene: Scene) -> str:
    """Return the scene as an SVG document; the same scene gives the same text."""
    width, height = _format(scene.width), _format(scene.height)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family="{_FONTS}">',
            f"<title>{escape(scene.title)}</title>",
            "<desc>Gates from left to right. Above each wire stands its value, below it the "
            "gradient of the output.</desc>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{colours.PAPER}"/>',
            f'<g {_style("none", colours.WIRE)} stroke-linecap="round">',
            *(_path(each) for each in scene.paths),
            "</g>",
            f"<g {_style(colours.GATE, colours.INK)}>",
            *(_shape(each) for each in scene.shapes),
            "</g>",
            *(_dot(each) for each in scene.dots),
            *(_text(each) for each in scene.texts),
            "</svg>\n",
        ]
    )


def _path(path: Path) -> str:
    (x, y), *others = path.points
    commands = [f"M{_format(x)} {_format(y)}"]
    for next_x, next_y in others:
        if next_y == y:
            commands.append(f"H{_format(next_x)}")
        else:
            middle = _format((x + next_x) / 2)
            commands.append(
                f"C{middle} {_format(y)} {middle} {_format(next_y)} "
                f"{_format(next_x)} {_format(next_y)}"
            )
        x, y = next_x, next_y
    return f'<path d="{" ".join(commands)}"/>'


def _shape(shape: Shape) -> str:
    left, _, top, _ = shape.box
    return (
        f'<rect x="{_format(left)}" y="{_format(top)}" width="{_format(shape.width)}" '
        f'height="{_format(2 * measures.RADIUS)}" rx="{_format(measures.RADIUS)}"/>'
    )


def _dot(dot: Dot) -> str:
    style = _style(colours.WIRE if dot.kind == "split" else colours.PAPER, colours.WIRE)
    radius = _format(measures.DOT)
    return f'<circle cx="{_format(dot.x)}" cy="{_format(dot.y)}" r="{radius}" {style}/>'


def _style(fill: str, stroke: str) -> str:
    return f'fill="{fill}" stroke="{stroke}" stroke-width="{measures.LINE}"'


def _text(text: Text) -> str:
    return (
        f'<text x="{_format(text.x)}" y="{_format(text.y)}" font-size="{_format(text.size)}" '
        f'text-anchor="{text.anchor}" {_STYLES[text.kind]}>{escape(text.text)}</text>'
    )


def _format(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
