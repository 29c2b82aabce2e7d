"""Weights as images: the pattern of inputs that each unit responds to."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isqrt, log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.plotting import style
from cygrad.plotting.figures import axes_for
from cygrad.plotting.networks import check_network, resolve_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cygrad.network import Network


def weights_as_images(
    net: Network,
    *,
    layer: int | None = None,
    shape: tuple[int, int] | None = None,
    units: int | Sequence[int] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the weights into each unit of a layer as an image, all of them in one picture.

    All images share one scale, symmetric about zero. They follow the order of the units, row after
    row; the ticks on the left give the first unit of each row.

    Parameters
    ----------
    net : Network
    layer : int or None
        Index of a dense layer; −1 is the last layer. None takes the first dense layer.
    shape : (int, int) or None
        Rows and columns of an image; their product is the number of the layer's inputs. None makes
        square images, which needs a square number of inputs.
    units : int, sequence of int or None
        The units to draw: the first n, those with these indices, or all.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    **kwargs
        For ``Axes.imshow``.

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
    index = _dense_layer(net, layer)
    rows, columns = _shape(shape, net.layers[index].inputs, index)
    shown = _units(units, net.layers[index].units)
    images = net.layers[index].weights[shown].reshape(len(shown), rows, columns)
    per_row = _images_per_row(len(shown), rows / columns)
    mosaic, gap = _mosaic(images, per_row)

    ax = axes_for(ax)
    largest = float(np.abs(images).max()) or 1.0
    artist_options = {"cmap": style.DIVERGING, "vmin": -largest, "vmax": largest}
    image = ax.imshow(
        np.ma.masked_invalid(mosaic), **(artist_options | {"interpolation": "nearest"} | kwargs)
    )
    ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.8)
    first = range(0, len(shown), per_row)
    middles = [(rows - 1) / 2 + line * (rows + gap) for line in range(len(first))]
    ax.set_yticks(middles, [str(shown[unit]) for unit in first])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.set_ylabel("unit")
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


def _dense_layer(net: Network, layer: int | None) -> int:
    dense = [index for index, each in enumerate(net.layers) if each.kind == "dense"]
    if layer is None:
        if not dense:
            raise ValueError("net has no dense layer, expected one")
        return dense[0]
    index = resolve_index(layer, "layer", len(net.layers))
    if index not in dense:
        raise ValueError(
            f"layer is {layer}, and layers[{index}] is {net.layers[index].description!r}; "
            f"expected a dense layer: {', '.join(map(str, dense)) or 'there is none'}"
        )
    return index


def _shape(shape: tuple[int, int] | None, inputs: int, layer: int) -> tuple[int, int]:
    if shape is None:
        side = isqrt(inputs)
        if side * side != inputs:
            raise ValueError(
                f"shape is None and layers[{layer}] has {inputs} inputs, which is no square; "
                "expected (rows, columns)"
            )
        return side, side
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"shape is {shape!r}, expected (rows, columns) or None")
    rows, columns = (checks.whole_number(side, "shape") for side in shape)
    if rows * columns != inputs:
        raise ValueError(f"shape is {shape!r}, and layers[{layer}] has {inputs} inputs")
    return rows, columns


def _units(units: int | Sequence[int] | None, count: int) -> list[int]:
    if units is None:
        return list(range(count))
    if isinstance(units, (Sequence, np.ndarray)) and not isinstance(units, str):
        if len(units) == 0:
            raise ValueError("units is empty, expected at least one index")
        return [resolve_index(unit, "units", count) for unit in units]
    return list(range(checks.whole_number(units, "units", most=count)))


def _images_per_row(count: int, height: float) -> int:
    """Return the number of images in a row: about 6 : 5 in all, if possible with full rows.

    `height` is the height of an image of width 1.
    """
    best = sqrt(count * 1.2 * height)
    divisors = [size for size in range(1, count + 1) if count % size == 0]
    nearest = min(divisors, key=lambda size: abs(log(size / best)))
    if abs(log(nearest / best)) < log(1.5):
        return nearest
    return min(count, max(1, round(best)))


def _mosaic(images: NDArray[Any], per_row: int) -> tuple[NDArray[Any], int]:
    """Return all images in one, with NaN between them, and the width of that gap in pixels."""
    count, rows, columns = images.shape
    gap = max(1, ceil(min(rows, columns) / 12))
    lines = ceil(count / per_row)
    mosaic = np.full((lines * (rows + gap) - gap, per_row * (columns + gap) - gap), np.nan)
    for index, image in enumerate(images):
        top, left = index // per_row * (rows + gap), index % per_row * (columns + gap)
        mosaic[top : top + rows, left : left + columns] = image
    return mosaic, gap
