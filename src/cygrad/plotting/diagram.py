"""The diagram of a network: its units as circles, its weights as lines between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cygrad import checks
from cygrad.network.descriptions import kind_text
from cygrad.network.residual import ResidualSum
from cygrad.plotting import style
from cygrad.plotting.figures import axes_for, size_in_points
from cygrad.plotting.networks import check_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.network.layers import Layer

# Lengths, where the distance between two neighbouring units of a layer is 1.
RADIUS = 0.4
CAPTION_HEIGHT = 1.5  # below the units
CAPTION_LINE = 0.45
LEGEND_HEIGHT = 1.0  # above the units
SKIP_HEIGHT = 0.4  # of a line around a residual block, above those in it
NAME_WIDTH = 5.0  # at most, of the name of a class
SIDE_MARGIN = 0.9  # on either side of the outer units' centres
POSITIVE, NEGATIVE = style.color(0), style.color(1)
HEAD_LENGTH, HEAD_WIDTH = 0.24, 0.2
THINNEST, THICKEST = 0.3, 3.0  # lines, in points
UNWEIGHTED = 0.8  # lines of layers without weights, in points
ARROWS = ("forward", "backward")


class _Column(NamedTuple):
    """The drawn units of a layer, or the drawn inputs."""

    x: float
    units: list[int]  # from top to bottom
    ys: list[float]
    gap: float | None  # y of the dots that replace the omitted units


def network_diagram(
    net: Network,
    *,
    most: int = 8,
    unit_labels: Sequence[Sequence[Any] | None] | None = None,
    captions: Sequence[str | None] | None = None,
    weight_labels: bool = False,
    arrows: Literal["forward", "backward"] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw a network from its inputs on the left to its outputs on the right.

    Each line is a weight: blue and solid if it is positive, orange and dashed if it is negative.
    Thicker lines are larger weights, on one scale for the whole network. Biases are not drawn. The
    activation and the number of units are written below each layer, the network's class
    names, if it has any, beside the outputs.

    Units of a norm, of scaling, dropout or noise and of a residual sum have one line each, from the
    unit before; those of a norm or scaling are its weights γ, the others thin and black. A line
    from above the input of a residual block to its sum shows the block.

    Parameters
    ----------
    net : Network
    most : int
        Largest number of units to draw for a layer, at least 3; dots replace the middle of a
        larger layer.
    unit_labels : sequence of sequences, or None
        Labels on the units: for the inputs, then for each layer, a text or a number for every
        unit, drawn or not, or None for no labels. ``[None, *activations]``, for example.
    captions : sequence of str or None
        Texts below the inputs, then below each layer, instead of the activation and the number of
        units; None keeps these.
    weight_labels : bool
        Whether to write the weight on each line, in two digits, instead of the scale above the
        network: for layers of a few units.
    arrows : {"forward", "backward"} or None
        Arrow heads at the right ends of the lines or at the left; None draws none.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure. Its axis lines are hidden.
    **kwargs
        For the ``Circle`` of every unit.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described.
    """
    check_network(net)
    sizes = [net.inputs, *(layer.units for layer in net.layers)]
    most = checks.whole_number(most, "most", least=3)
    labels = _labels(unit_labels, sizes)
    texts = _captions(net, captions)
    skips = _skips(net)
    weight_labels = checks.flag(weight_labels, "weight_labels")
    if arrows is not None:
        checks.one_of(arrows, "arrows", ARROWS)

    tallest = min(most, max(sizes))
    spacing = max(2.2, 0.55 * tallest)
    if weight_labels:  # they have to fit between the circles
        spacing = max(spacing, 1 + max(min(pair) for pair in pairwise(min(most, n) for n in sizes)))
    columns = [_column(spacing * index, size, most) for index, size in enumerate(sizes)]
    half = (tallest - 1) / 2
    ax = axes_for(ax, size=(max(6.4, 1.6 * len(sizes)), 4.8))
    ax.set_aspect("equal")
    ax.set_xlim(-SIDE_MARGIN, columns[-1].x + SIDE_MARGIN)
    more_lines = max(0, *(text.count("\n") - 1 for text in texts))
    top = half + SKIP_HEIGHT * max((level for _, _, level in skips), default=0)
    ax.set_ylim(-half - CAPTION_HEIGHT - CAPTION_LINE * more_lines, top + LEGEND_HEIGHT)
    ax.set_axis_off()

    # Thick lines would cover small circles.
    thickest = min(THICKEST, 0.1 * _points_per_unit(ax))
    largest = _draw_weights(ax, net, columns, arrows, thickest)
    if weight_labels:
        _write_weights(ax, net, columns)
    else:
        _draw_scale(ax, columns[-1].x / 2, top + 0.75, largest, thickest)
    _draw_skips(ax, columns, skips, half)
    _draw_units(ax, columns, labels, kwargs)
    _draw_texts(ax, net, columns, texts, -half - 0.6)
    return ax


def _labels(
    labels: Sequence[Sequence[Any] | None] | None, sizes: list[int]
) -> list[list[str] | None]:
    """Return the text on each unit of each column."""
    if labels is None:
        return [None] * len(sizes)
    if len(labels) != len(sizes):
        raise ValueError(
            f"unit_labels has {len(labels)} entries, "
            f"expected {len(sizes)}: the inputs and each layer"
        )
    texts: list[list[str] | None] = []
    for index, (column, size) in enumerate(zip(labels, sizes, strict=True)):
        name = f"unit_labels[{index}]"
        if column is not None and (isinstance(column, str) or len(column) != size):
            raise ValueError(f"{name} is {column!r}, expected {size} texts or numbers")
        texts.append(None if column is None else [_format_label(label, name) for label in column])
    return texts


def _format_label(label: object, name: str) -> str:
    """Return a text as it is, and a number in two digits: −0.25, 7.5e−6."""
    if isinstance(label, str):
        return label
    if not isinstance(label, Real):
        raise TypeError(f"{name} holds {label!r}, expected a text or a number")
    return f"{float(label):.2g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def _captions(net: Network, captions: Sequence[str | None] | None) -> list[str]:
    """Return the text below each column."""
    texts = [f"inputs\n{net.inputs:,}"]
    for layer in net.layers:
        names = [] if layer.kind == "dense" else [kind_text(layer.description)]
        if layer.kind == "dense" or layer.activation != "identity":
            names.append(str(layer.activation))
        texts.append("\n".join([*names, f"{layer.units:,}"]))
    if captions is None:
        return texts
    if isinstance(captions, str) or len(captions) != len(texts):
        raise ValueError(f"captions is {captions!r}, expected {len(texts)} texts or None")
    pairs = zip(texts, captions, strict=True)
    return [text if given is None else given for text, given in pairs]


def _column(x: float, size: int, most: int) -> _Column:
    if size <= most:
        return _Column(x, list(range(size)), [(size - 1) / 2 - unit for unit in range(size)], None)
    # The dots take one slot.
    above = most // 2
    units = [*range(above), *range(size - (most - 1 - above), size)]
    slots = [slot for slot in range(most) if slot != above]
    ys = [(most - 1) / 2 - slot for slot in slots]
    return _Column(x, units, ys, (most - 1) / 2 - above)


def _draw_weights(
    ax: Axes, net: Network, columns: list[_Column], arrows: str | None, thickest: float
) -> float:
    """Draw a line for every weight between two drawn units, the largest on top.

    Lines without a weight are black. Return the weight of the thickest line.
    """
    from matplotlib.collections import LineCollection, PolyCollection

    ends, values = _lines(net, columns)
    plain = np.isnan(values)
    largest = float(np.abs(values[~plain]).max(initial=0)) or 1.0
    order = np.argsort(np.abs(values), kind="stable")
    ends, values, plain = ends[order], values[order], plain[order]
    colors = np.where(plain, style.INK, np.where(values > 0, POSITIVE, NEGATIVE)).tolist()
    widths = np.maximum(THINNEST, thickest * np.abs(values) / largest)
    widths[plain] = min(UNWEIGHTED, thickest)
    styles = ["--" if value < 0 else "-" for value in values]
    if arrows is not None:
        tips = ends if arrows == "forward" else ends[:, ::-1]
        ax.add_collection(PolyCollection(_arrow_heads(tips), facecolors=colors, zorder=1.5))
    ax.add_collection(
        LineCollection(ends, colors=colors, linewidths=widths, linestyles=styles, zorder=1)
    )
    return largest


def _draw_scale(ax: Axes, middle: float, y: float, largest: float, thickest: float) -> None:
    """Draw the legend: a positive and a negative line with the weight of the thickest line."""
    from cygrad.plotting.fitting import write

    for side, color, line in ((-1, POSITIVE, "-"), (1, NEGATIVE, "--")):
        xs = [middle + side * distance for distance in (0.3, 0.95)]
        ax.plot(xs, [y, y], color=color, linewidth=thickest, linestyle=line)
        text = f"weight {_format_label(-side * largest, 'weight')}"
        artist_options = {"ha": "right" if side < 0 else "left"}
        write(ax, middle + side * 1.1, y, text, (middle + SIDE_MARGIN - 1.1, 0.5), **artist_options)


def _write_weights(ax: Axes, net: Network, columns: list[_Column]) -> None:
    """Write the weight on each line, in an evenly spaced column between two layers."""
    from cygrad.plotting.fitting import write

    for layer, (left, right) in zip(net.layers, pairwise(columns), strict=True):
        if not layer.has_weights:
            continue
        smaller = 1 if layer.kind != "dense" else min(len(left.ys), len(right.ys))
        # Close to the larger layer, where the lines of its units do not cross yet.
        part = smaller / (smaller + 1) if len(right.ys) > len(left.ys) else 1 / (smaller + 1)
        weights = layer.weights
        longest = max(len(_format_label(weight, "weights")) for weight in weights.flat)
        for unit, below, y, y_below in _pairs(layer, left, right):
            center = (1 - part) * left.x + part * right.x, (1 - part) * y_below + part * y
            weight = weights[unit] if weights.ndim == 1 else weights[unit, below]
            text = _format_label(weight, "weights")
            max_size = 0.9 * len(text) / longest, 0.85 / (smaller + 1)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            write(ax, *center, text, max_size, bbox=box, zorder=1.8)


def _lines(net: Network, columns: list[_Column]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the lines, (lines, 2, 2), and their weights.

    A weight of 0 has no line, and lines of layers without weights have the weight NaN.
    """
    ends, values = [], []
    for layer, (left, right) in zip(net.layers, pairwise(columns), strict=True):
        weights = layer.weights if layer.has_weights else np.full(layer.units, np.nan)
        for unit, below, y, y_below in _pairs(layer, left, right):
            weight = weights[unit] if weights.ndim == 1 else weights[unit, below]
            if weight == 0:
                continue
            start, end = np.array([left.x, y_below]), np.array([right.x, y])
            inset = RADIUS * (end - start) / np.linalg.norm(end - start)
            ends.append([start + inset, end - inset])
            values.append(weight)
    return np.array(ends).reshape(-1, 2, 2), np.array(values, dtype=np.float64)


def _pairs(layer: Layer, left: _Column, right: _Column) -> Iterator[tuple[int, int, float, float]]:
    """Yield the connected units that are drawn: the unit, the unit before it, and both heights."""
    units = zip(right.units, right.ys, strict=True)
    before = zip(left.units, left.ys, strict=True)
    for (unit, y), (below, y_below) in product(units, before):
        if layer.kind == "dense" or unit == below:
            yield unit, below, y, y_below


def _skips(net: Network) -> list[tuple[int, int, int]]:
    """Return the columns of input and sum of each residual block, and its height in levels."""
    skips: list[tuple[int, int, int]] = []
    for column, layer in enumerate(net.layers, 1):
        if isinstance(layer.description, ResidualSum):
            source = layer.description.source
            inner = [level for first, _, level in skips if first >= source]
            skips.append((source, column, 1 + max(inner, default=0)))
    return skips


def _draw_skips(
    ax: Axes, columns: list[_Column], skips: list[tuple[int, int, int]], half: float
) -> None:
    """Draw a line with an arrow head over each residual block, from its input to its sum."""
    for source, column, level in skips:
        # A column can end one block and begin others.
        begin, end = columns[source].x + 0.1 + 0.15 / level, columns[column].x - 0.1
        y = half + RADIUS + 0.2 + SKIP_HEIGHT * (level - 1)
        low, high = columns[source].ys[0] + RADIUS, columns[column].ys[0] + RADIUS
        artist_options = {"color": style.INK, "linewidth": UNWEIGHTED, "zorder": 1}
        ax.plot([begin, begin, end, end], [low, y, y, high + 0.1], **artist_options)
        tip = np.array([[end, high], [end - 0.08, high + 0.14], [end + 0.08, high + 0.14]])
        ax.fill(*tip.T, color=style.INK, linewidth=0, zorder=1)


def _arrow_heads(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the triangles of arrow heads at the second ends of lines, (lines, 3, 2)."""
    tips = ends[:, 1]
    along = ends[:, 1] - ends[:, 0]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = along[:, ::-1] * [-1, 1]
    back = tips - HEAD_LENGTH * along
    return np.stack([tips, back + HEAD_WIDTH / 2 * across, back - HEAD_WIDTH / 2 * across], axis=1)


def _draw_units(
    ax: Axes, columns: list[_Column], labels: list[list[str] | None], kwargs: dict[str, Any]
) -> None:
    """Draw the units as circles with their labels, and dots for the omitted ones."""
    from matplotlib.patches import Circle

    from cygrad.plotting.fitting import write

    written = [text for texts in labels if texts is not None for text in texts]
    longest = max(map(len, written), default=1)
    artist_options = {"facecolor": "white", "edgecolor": style.INK, "linewidth": 1.2, "zorder": 2}
    for column, texts in zip(columns, labels, strict=True):
        for unit, y in zip(column.units, column.ys, strict=True):
            ax.add_patch(Circle((column.x, y), RADIUS, **(artist_options | kwargs)))
            if texts is not None:
                max_size = 1.75 * RADIUS * len(texts[unit]) / longest, RADIUS
                write(ax, column.x, y, texts[unit], max_size, zorder=3)
        if column.gap is not None:
            for y in (column.gap + 0.25, column.gap, column.gap - 0.25):
                ax.add_patch(Circle((column.x, y), 0.04, color=style.INK))


def _draw_texts(
    ax: Axes, net: Network, columns: list[_Column], captions: list[str], y: float
) -> None:
    """Write the captions, and the names of the classes beside the outputs."""
    from cygrad.plotting.fitting import write

    spacing = columns[1].x - columns[0].x
    widths = [max(map(len, caption.split("\n"))) for caption in captions]
    for column, caption, width in zip(columns, captions, widths, strict=True):
        max_size = 0.9 * spacing * width / max(1, *widths), CAPTION_LINE * (1 + caption.count("\n"))
        write(ax, column.x, y, caption, max_size, va="top")
    if net.classes is not None and len(net.classes) == net.outputs:
        last = columns[-1]
        for unit, height in zip(last.units, last.ys, strict=True):
            artist_options = {"ha": "left", "in_layout": True}
            name = style.escape_label(net.classes[unit])
            write(ax, last.x + 1.4 * RADIUS, height, name, (NAME_WIDTH, 0.7), **artist_options)


def _points_per_unit(ax: Axes) -> float:
    """Return the size of one unit of length in points, for axes of equal scales."""
    width, height = size_in_points(ax)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return float(min(width / (right - left), height / (top - bottom)))
