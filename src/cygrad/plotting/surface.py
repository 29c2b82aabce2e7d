"""The cost surface: the loss as a function of two of a network's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cygrad import checks
from cygrad.network import Network
from cygrad.network.descriptions import flat_values, from_values
from cygrad.plotting import style, ticks
from cygrad.plotting.figures import axes_for
from cygrad.plotting.networks import check_network, resolve_index, samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Parameter = tuple[int, Literal["weights", "biases"], int | tuple[int, ...]]

KINDS = ("surface", "contour")
PADDING = 0.25  # of the path's extent, on every side
LEVELS = 24
LEGEND_DISTANCE = 0.4  # from the path, as a share of the axes' width and height


class _Location(NamedTuple):
    """The location of one parameter in a network."""

    layer: int
    array: str
    entry: tuple[int, ...]

    def __str__(self) -> str:
        return f"layers[{self.layer}].{self.array}[{', '.join(map(str, self.entry))}]"

    def read(self, net: Network) -> float:
        return float(getattr(net.layers[self.layer], self.array)[self.entry])

    def write(self, net: Network, value: float) -> None:
        layer = net.layers[self.layer]
        array = getattr(layer, self.array).copy()
        array[self.entry] = value
        setattr(layer, self.array, array)

    def flat_index(self, net: Network) -> int:
        """Return the index in `Network.parameters`."""
        start = sum(layer.n_parameters for layer in net.layers[: self.layer])
        layer = net.layers[self.layer]
        if self.array == "biases":
            return start + layer.n_parameters - layer.units + self.entry[0]
        return start + int(np.ravel_multi_index(self.entry, layer.weights_shape))


class _Computed(NamedTuple):
    """The losses on the grid, (len(ys), len(xs)), and along the path if there is one."""

    xs: NDArray[np.float64]
    ys: NDArray[np.float64]
    losses: NDArray[np.float64]
    path: NDArray[np.float64] | None
    path_losses: NDArray[np.float64] | None


def cost_surface(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    parameter_1: Parameter,
    parameter_2: Parameter,
    *,
    path: ArrayLike | Sequence[ArrayLike] | None = None,
    range_1: tuple[float, float] | None = None,
    range_2: tuple[float, float] | None = None,
    resolution: int = 100,
    kind: Literal["surface", "contour"] = "surface",
    log: bool = False,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the loss of the samples as a function of two parameters.

    All other parameters keep the values that they have in the network, which is not changed.

    Parameters
    ----------
    net : Network
    X, y : array_like
        Samples and targets, as for `Network.evaluate`.
    parameter_1, parameter_2 : tuple
        The parameters on the first and the second axis: the layer, "weights" or "biases", and the
        index in that array. ``(0, "weights", (2, 1))`` is ``net.layers[0].weights[2, 1]``, and
        ``(-1, "biases", 0)`` is ``net.layers[-1].biases[0]``. Weights of a norm have one index.
    path : array_like, shape (steps + 1, 2) or (steps + 1, n_parameters), or None
        The path of a descent: the two parameters, or all of `Network.parameters`, before the first
        step and after each. It is drawn on the surface, even if the other parameters had different
        values on the path.
    range_1, range_2 : (float, float) or None
        Lowest and highest value; None takes the extent of the path and a quarter of it on either
        side. Without a path it takes v ± max(2, |v|) around the network's own value v.
    resolution : int
        Points along each axis at which the loss is computed.
    kind : {"surface", "contour"}
        A surface in 3-D, or a map with lines of equal loss.
    log : bool
        Whether the loss is on a logarithmic scale; a surface shows its decimal logarithm.
    ax : matplotlib axes or None
        Where to draw, 3-D axes for a surface; None makes a new figure. The lowest corner of a
        surface is turned to the front; ``ax.view_init`` turns it elsewhere.
    **kwargs
        For ``Axes3D.plot_surface``, or ``Axes.contourf``.

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
    locations = _locate(net, parameter_1, "parameter_1"), _locate(net, parameter_2, "parameter_2")
    if locations[0] == locations[1]:
        raise ValueError(f"parameter_2 is {locations[1]} like parameter_1, expected another one")
    resolution = checks.whole_number(resolution, "resolution", least=2)
    kind_name = checks.one_of(kind, "kind", KINDS)
    log = checks.flag(log, "log")
    points = None if path is None else _check_path(net, path, locations)
    extent_1, extent_2 = (None, None) if points is None else points.T
    xs = _span(range_1, "range_1", locations[0].read(net), extent_1, resolution)
    ys = _span(range_2, "range_2", locations[1].read(net), extent_2, resolution)
    loss = _loss_function(net, X, y, locations)
    losses = np.array([[loss(first, second) for first in xs] for second in ys])
    path_losses = None if points is None else np.array([loss(*values) for values in points])
    computed = _Computed(xs, ys, losses, points, path_losses)

    ax = axes_for(ax, three_d=kind_name == "surface")
    label = "loss" if net.reduction == "mean" else "loss, summed"
    draw = _draw_surface if kind_name == "surface" else _draw_contour
    draw(ax, computed, log, label, kwargs)
    ax.set_xlabel(str(locations[0]))
    ax.set_ylabel(str(locations[1]))
    return ax


def _loss_function(
    net: Network, X: ArrayLike, y: ArrayLike, locations: tuple[_Location, _Location]
) -> Callable[[float, float], float]:
    """Return the loss as a function of the two parameters.

    It computes no layer before them, but complete residual blocks.
    """
    below, first = _begin(net, min(location.layer for location in locations))
    if first > 0:
        rows = net.backward(X, y, input_gradient=False).activations[first - 1]
    else:
        rows = samples(net, X) if net.input_mean is None else net.apply_standardization(X, "X")
    upper = Network(
        net.layers[first].inputs,
        [from_values(values) for values in net.config()["layers"][below:]],
        loss=net.loss,
        reduction=net.reduction,  # type: ignore[arg-type]
        dtype=net.dtype,
    )
    start = sum(layer.n_parameters for layer in net.layers[:first])
    upper.parameters = net.parameters[start:]
    for layer, original in zip(upper.layers, net.layers[first:], strict=True):
        if layer.kind == "batch_norm":
            layer.running_mean = original.running_mean
            layer.running_variance = original.running_variance
    moved = [location._replace(layer=location.layer - first) for location in locations]

    def loss(*values: float) -> float:
        for location, value in zip(moved, values, strict=True):
            location.write(upper, value)
        return upper.evaluate(rows, y)["loss"]

    return loss


def _begin(net: Network, layer: int) -> tuple[int, int]:
    """Return the number of layers and blocks before the one with a layer, and of their layers."""
    first = 0
    for below, values in enumerate(net.config()["layers"]):
        size = sum(1 for _ in flat_values([values]))
        if layer < first + size:
            return below, first
        first += size
    raise AssertionError(f"layer is {layer}, and the network has {first}")


def _locate(net: Network, parameter: object, name: str) -> _Location:
    """Check the parameter that the user gave, and return its location."""
    if not isinstance(parameter, tuple) or len(parameter) != 3:
        raise TypeError(
            f"{name} is {parameter!r}, expected a tuple such as (0, 'weights', (0, 0)) or "
            "(0, 'biases', 0)"
        )
    layer_index = resolve_index(parameter[0], f"{name}[0]", len(net.layers))
    array = checks.one_of(parameter[1], f"{name}[1]", ("weights", "biases"))
    layer = net.layers[layer_index]
    if not layer.has_weights or (array == "biases" and not layer.use_bias):
        raise ValueError(f"{name} is {parameter!r}, and layers[{layer_index}] has no {array}")
    shape = layer.weights_shape if array == "weights" else (layer.units,)
    index = parameter[2] if isinstance(parameter[2], tuple) else (parameter[2],)
    if len(index) != len(shape):
        expected = "unit" if len(shape) == 1 else "(unit, input)"
        raise ValueError(f"{name}[2] is {parameter[2]!r}, expected {expected}")
    entry = (
        resolve_index(value, f"{name}[2]", size) for value, size in zip(index, shape, strict=True)
    )
    return _Location(layer_index, array, tuple(entry))


def _check_path(
    net: Network, path: Any, locations: tuple[_Location, _Location]
) -> NDArray[np.float64]:
    """Return the two parameters along the path, shape (steps + 1, 2)."""
    points = checks.array(path, "path")
    if points.dtype.kind not in "buif":
        raise TypeError(f"path has dtype {points.dtype}, expected real numbers")
    if points.ndim != 2 or len(points) == 0 or points.shape[1] not in (2, net.n_parameters):
        raise ValueError(
            f"path has shape {points.shape}, expected (steps + 1, 2) or "
            f"(steps + 1, {net.n_parameters}): the two parameters, or all of the network's"
        )
    if not np.isfinite(points).all():
        raise ValueError("path holds NaN or infinity, expected finite numbers")
    if points.shape[1] != 2:
        points = points[:, [location.flat_index(net) for location in locations]]
    return points.astype(np.float64)


def _span(
    limits: object,
    name: str,
    value: float,
    extent: NDArray[np.float64] | None,
    count: int,
) -> NDArray[np.float64]:
    """Return `count` numbers along one axis."""
    if limits is not None:
        if not isinstance(limits, (tuple, list, np.ndarray)) or len(limits) != 2:
            raise TypeError(f"{name} is {limits!r}, expected (lowest, highest) or None")
        low, high = (checks.number(limit, name) for limit in limits)
        if not low < high:
            raise ValueError(f"{name} is {limits!r}, expected the lower end first")
    elif extent is not None and extent.min() < extent.max():
        padding = PADDING * (extent.max() - extent.min())
        low, high = extent.min() - padding, extent.max() + padding
    else:
        middle = value if extent is None else float(extent[0])
        padding = max(2.0, abs(middle))
        low, high = middle - padding, middle + padding
    return np.linspace(low, high, count)


def _draw_surface(
    ax: Axes, computed: _Computed, log: bool, label: str, kwargs: dict[str, Any]
) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    xs, ys, losses, path, path_losses = computed
    if log:
        losses = _log10(losses)
        path_losses = None if path_losses is None else _log10(path_losses)
        label = f"log₁₀ of the {label}"
    # Colours of faces are also those of their edges, so no seams show between the faces.
    cmap = colormaps.get_cmap(kwargs.pop("cmap", style.SEQUENTIAL))
    heat = Normalize()(np.ma.masked_invalid(losses))
    artist_options = {"facecolors": cmap(heat), "shade": False, "linewidth": 0.5, "rcount": len(ys)}
    # With an order computed by matplotlib the surface would hide the path.
    ax.computed_zorder = False
    ax.plot_surface(*np.meshgrid(xs, ys), losses, **(artist_options | {"ccount": len(xs)} | kwargs))
    if path is not None:
        _draw_path(ax, (path[:, 0], path[:, 1], path_losses), "upper right")
    corners = {45: losses[-1, -1], 135: losses[-1, 0], 225: losses[0, 0], 315: losses[0, -1]}
    ax.view_init(elev=35, azim=min(corners, key=lambda angle: corners[angle]) + 10)
    ax.set_zlabel(label)
    ticks.three_d(ax)
    ax.set_box_aspect(None, zoom=0.87)  # room for the label of the third axis


def _draw_contour(
    ax: Axes, computed: _Computed, log: bool, label: str, kwargs: dict[str, Any]
) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    xs, ys, losses, path, _ = computed
    artist_options: dict[str, Any] = {"cmap": style.SEQUENTIAL, "levels": LEVELS}
    positive = losses[losses > 0]
    if log and positive.size and positive.min() < positive.max():
        losses = np.maximum(losses, positive.min())
        artist_options |= {
            "levels": np.geomspace(losses.min(), losses.max(), LEVELS),
            "norm": LogNorm(),
        }
    ax.grid(False)
    filled = ax.contourf(xs, ys, losses, **(artist_options | kwargs))
    ax.contour(xs, ys, losses, levels=filled.levels, colors="white", linewidths=0.4, alpha=0.6)
    bar = ax.figure.colorbar(filled, ax=ax, label=label)
    if log:
        ticks.logarithmic(bar.ax.yaxis)
    else:
        bar.locator = MaxNLocator(6, steps=(1, 2, 5, 10))  # round numbers, not every n-th level
    if path is not None:
        _draw_path(ax, (path[:, 0], path[:, 1]), _free_corner(ax, path))


def _draw_path(ax: Axes, coordinates: tuple[Any, ...], corner: str) -> None:
    """Draw the path with its start and end, white on black so that it shows on every colour."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2.6, foreground="black")]
    artist_options = {"color": "white", "linewidth": 1.4, "path_effects": outline}
    ax.plot(
        *coordinates,
        "o-",
        markersize=3,
        markeredgewidth=0.6,
        zorder=3,
        label="path",
        **artist_options,
    )
    artist_options = {"markeredgecolor": "black", "linestyle": "none"}
    first, last = ([values[[end]] for values in coordinates] for end in (0, -1))
    ax.plot(
        *first, "s", markersize=8, color=style.COLORS[4], zorder=4, label="start", **artist_options
    )
    ax.plot(
        *last, "*", markersize=14, color=style.COLORS[1], zorder=5, label="end", **artist_options
    )
    ax.legend(loc=corner)


def _free_corner(ax: Axes, path: NDArray[np.float64]) -> str:
    """Return the first corner that is far enough from the path, or else the farthest one.

    matplotlib's "best" would consider everything drawn, and be slow.
    """
    shares = ax.transAxes.inverted().transform(ax.transData.transform(path))
    corners = {"upper right": (1, 1), "lower right": (1, 0)}
    corners |= {"upper left": (0, 1), "lower left": (0, 0)}
    distances = {name: np.hypot(*(shares - corner).T).min() for name, corner in corners.items()}
    farthest = max(distances, key=lambda name: distances[name])
    return next((name for name in distances if distances[name] > LEGEND_DISTANCE), farthest)


def _log10(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log₁₀ of the values, and NaN where there is none."""
    logs = np.full(values.shape, np.nan)
    np.log10(values, out=logs, where=values > 0)
    return logs
