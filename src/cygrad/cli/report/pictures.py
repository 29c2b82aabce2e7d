"""Pictures inside a page: the figures of `plotting` as self-contained SVG elements."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cygrad.cli.report.markup import Markup, element, scrolled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (4.4, 3.0)  # inches: the width of a phone, so that text is shown at its drawn size
# Text becomes outlines, which look the same with any fonts installed.
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "path",
}
LEAST_PIXELS = 66  # per inch of a wide picture, which scrolls on a phone
DPI = 150  # of images within the SVG
_REFERENCE = re.compile(r"(?<=^#).+|(?<=url\(#)[^)]+")


def check_matplotlib(option: str) -> None:
    """Raise a ValueError with the way to install matplotlib, if it cannot be imported."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{option} needs matplotlib ({error}): pip install 'cygrad[plot]'"
        ) from error


def picture(
    name: str, title: str, draw: Callable[..., object], size: tuple[float, float] = SIZE
) -> Markup:
    """Return an HTML figure with the drawing of ``draw(ax=ax)`` and a caption.

    Parameters
    ----------
    name : str
        Prefix of the ids in the picture; unique in the page.
    title : str
        The caption, and the text that screen readers read out.
    draw : callable
    size : (float, float)
        Width and height in inches.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):  # independent of the user's own settings
        figure = Figure(figsize=size, layout="constrained")
        draw(ax=figure.add_subplot())
        svg = _svg(figure, name)
    drawn = _inline(svg, name, title)
    if size[0] > SIZE[0]:
        drawn = scrolled(title, drawn)
    width = f"--width:{LEAST_PIXELS * size[0]:.0f}px"
    caption = element("figcaption", title)
    return element("figure", drawn, caption, class_="picture", style=width)


def _svg(figure: Figure, name: str) -> bytes:
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", dpi=DPI)
    return file.getvalue()


def _inline(svg: bytes, name: str, title: str) -> Markup:
    """Convert an SVG file to an SVG element of HTML, whose names have no namespaces.

    matplotlib uses the same ids in every picture. Ids that are referred to get the picture's name
    as a prefix, the others are removed. The style sheet of the SVG is removed as well, because it
    would apply to the whole page.
    """
    root = ElementTree.fromstring(svg)
    for node in root.iter():
        for child in list(node):
            if _local_name(child.tag) in ("metadata", "style"):
                node.remove(child)
    used = {match[0] for node in root.iter() for match in _references(node)}
    for node in root.iter():
        node.tag, node.text, node.tail = _local_name(node.tag), None, None
        node.attrib = {
            _local_name(key): _REFERENCE.sub(rf"{name}-\g<0>", value)
            for key, value in node.attrib.items()
            if key != "id" or value in used
        }
        if "id" in node.attrib:
            node.attrib["id"] = f"{name}-{node.attrib['id']}"
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": title}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _references(node: ElementTree.Element) -> Iterator[re.Match[str]]:
    for value in node.attrib.values():
        yield from _REFERENCE.finditer(value)


def _local_name(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]
