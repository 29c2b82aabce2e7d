"""The hidden projection: the samples in the space of a hidden layer's activations."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network.activations import row_of
from cygrad.plotting import style, ticks
from cygrad.plotting.figures import axes_for
from cygrad.plotting.networks import (
    check_network,
    class_names,
    classifies,
    resolve_index,
    samples,
    target_classes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network

ELEVATION = 15  # degrees, of the view of a plane
FACING = 0.15  # sine of the angle between the view and the plane
PADDING = 0.05  # of the extent, on every side


def hidden_projection(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    layer: int = -2,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the samples at the activations of a hidden layer.

    Two units give two axes, three units three. A single unit gives one axis, with a separate line
    for each class. For more units the first three principal components are drawn, and the labels
    of the axes give their shares of the variance. If an output layer for two classes follows up to
    three units, the line or plane that separates the predicted classes is drawn too. 3-D axes are
    turned so that this plane is seen almost edge-on; ``ax.view_init`` turns them elsewhere.

    Parameters
    ----------
    net : Network
    X : array_like, shape (n, inputs)
        Samples, at least two.
    y : array_like, shape (n,) or (n, outputs)
        Targets, as for `Network.evaluate`: classes get a colour and a marker each, the numbers of
        a single output a colour scale.
    layer : int
        Index of the hidden layer; 0 is the first, −2 the last, before the output layer.
    ax : matplotlib axes or None
        Where to draw, 3-D axes for three units and more; None makes a new figure.
    **kwargs
        For ``Axes.scatter``.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    K. Pearson, "On lines and planes of closest fit to systems of points in space", 1901: the
    principal components.
    """
    check_network(net)
    index = _hidden_layer(net, layer)
    rows = samples(net, X)
    activations = net.backward(rows, y, input_gradient=False).activations[index]
    coordinates, labels = _project(activations.astype(np.float64), index)
    if coordinates.shape[1] == 1:
        heights = target_classes(net, y, len(rows)) if classifies(net) else np.zeros(len(rows))
        coordinates, labels = np.column_stack([coordinates, heights]), [*labels, ""]

    ax = axes_for(ax, three_d=coordinates.shape[1] == 3)
    _draw_samples(ax, net, y, coordinates, kwargs)
    low, high = _bounding_box(coordinates)
    if net.layers[index].units == 1:
        low[1], high[1] = low[1] - 0.5, high[1] + 0.5
        ax.set_yticks([])
    if net.layers[index].units <= 3 and index == len(net.layers) - 2:
        _draw_boundary(ax, net, low, high)
    for name, label, start, end in zip("xyz", labels, low, high, strict=False):
        ax.set(**{f"{name}label": label, f"{name}lim": (start, end)})
    if coordinates.shape[1] == 3:
        ax.set_box_aspect(None, zoom=0.87)  # room for the label of the third axis
        ticks.three_d(ax)
    return ax


def _hidden_layer(net: Network, layer: int) -> int:
    if len(net.layers) == 1:
        raise ValueError("net has no hidden layer, expected at least one below the output layer")
    index = resolve_index(layer, "layer", len(net.layers))
    if index == len(net.layers) - 1:
        raise ValueError(f"layer is {layer}, the output layer; expected 0 to {index - 1}")
    return index


def _project(activations: NDArray[np.float64], layer: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return the coordinates of the samples, (n, 1) to (n, 3), and the labels of the axes."""
    units = activations.shape[1]
    if units <= 3:
        return activations, [f"unit {unit} of layers[{layer}]" for unit in range(units)]
    centred = activations - activations.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    # Fewer than three samples have fewer components: the others are zero.
    missing = max(0, 3 - len(lengths))
    lengths = np.pad(lengths, (0, missing))[:3]
    directions = np.pad(directions, ((0, missing), (0, 0)))[:3]
    # The sign of a component is arbitrary; its largest entry is made positive.
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(3), largest])[:, np.newaxis]
    variance = float((centred**2).sum()) or 1.0
    labels = [
        f"component {index + 1} ({100 * lengths[index] ** 2 / variance:.0f} %)"
        for index in range(3)
    ]
    return centred @ directions.T, labels


def _draw_samples(
    ax: Axes, net: Network, y: ArrayLike, coordinates: NDArray[np.float64], kwargs: dict[str, Any]
) -> None:
    artist_options: dict[str, Any] = {"s": 30, "linewidths": 0.6, "zorder": 2}
    if classifies(net):
        classes = target_classes(net, y, len(coordinates))
        for index, name in enumerate(class_names(net)):
            members = coordinates[classes == index]
            named = style.sample(index) | artist_options | {"label": style.escape_label(name)}
            ax.scatter(*members.T, **(named | kwargs))
        ax.legend(title="class", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    elif net.outputs == 1:
        values = np.asarray(y, dtype=np.float64).reshape(len(coordinates))
        artist_options |= {"c": values, "cmap": style.SEQUENTIAL, "edgecolors": "white"}
        points = ax.scatter(*coordinates.T, **(artist_options | kwargs))
        ax.figure.colorbar(points, ax=ax, label="target", shrink=0.8)
    else:
        ax.scatter(*coordinates.T, **(style.sample(0) | artist_options | kwargs))


def _bounding_box(
    coordinates: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest corner of a box around the samples and their padding."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    padding = PADDING * (high - low)
    padding[padding == 0] = 0.5
    return low - padding, high + padding


def _draw_boundary(
    ax: Axes, net: Network, low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Draw the line or plane between the two predicted classes, as far as it is in the box."""
    output = net.layers[-1]
    if output.kind != "dense":
        return
    # Where a increases with z, the z of two classes are equal on their boundary.
    if not classifies(net) or output.units > 2 or not row_of(output.activation).increasing:
        return
    weights, biases = output.weights.astype(np.float64), output.biases.astype(np.float64)
    normal, offset = weights[-1], biases[-1]
    if output.units == 2:
        normal, offset = normal - weights[0], offset - biases[0]
    normal = np.pad(normal, (0, len(low) - len(normal)))  # one boundary for both classes
    corners = _box_intersection(normal, float(offset), low, high)
    if len(corners) < len(low):
        return
    if len(low) == 2:
        ax.plot(*corners.T, color=style.INK, linewidth=1.5, zorder=1)
        return
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    plane = Poly3DCollection([corners], facecolor=style.INK, edgecolor=style.INK, alpha=0.2)
    ax.add_collection3d(plane)
    ax.view_init(elev=ELEVATION, azim=_azimuth(normal * (high - low)))


def _azimuth(normal: NDArray[np.float64]) -> float:
    """Return the azimuth in degrees that shows a plane almost edge-on, best from the front."""
    azimuths = np.array([-60, *range(-75, -405, -15)])
    angles, up = np.radians(azimuths), np.radians(ELEVATION)
    around = np.cos(up) * (normal[0] * np.cos(angles) + normal[1] * np.sin(angles))
    facing = np.abs(around + normal[2] * np.sin(up)) / np.linalg.norm(normal)
    return float(azimuths[np.abs(facing - FACING).argmin()])


def _box_intersection(
    normal: NDArray[np.float64],
    offset: float,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the points of normal · h + offset = 0 on the edges of a box, in order around it."""
    size = len(low)
    intersections = []
    for axis in range(size):
        others = [other for other in range(size) if other != axis]
        if normal[axis] == 0:
            continue
        for ends in product((0, 1), repeat=size - 1):
            corner = np.empty(size)
            corner[others] = [
                (low, high)[end][other] for end, other in zip(ends, others, strict=True)
            ]
            corner[axis] = -(offset + normal[others] @ corner[others]) / normal[axis]
            if low[axis] <= corner[axis] <= high[axis]:
                intersections.append(corner)
    corners = np.unique(np.array(intersections).reshape(-1, size), axis=0)
    if size == 2 or len(corners) < 3:
        return corners
    # The order of the angles of the corners, seen from their middle in the plane.
    from_middle = corners - corners.mean(axis=0)
    _, _, directions = np.linalg.svd(from_middle)
    return corners[np.argsort(np.arctan2(from_middle @ directions[1], from_middle @ directions[0]))]
