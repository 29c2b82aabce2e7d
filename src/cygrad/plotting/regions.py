"""Decision regions: the class that a network with two inputs predicts at each point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks
from cygrad.network.losses import row_of
from cygrad.plotting import style
from cygrad.plotting.figures import axes_for
from cygrad.plotting.networks import (
    check_classifier,
    check_network,
    class_names,
    samples,
    target_classes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network

PADDING = 0.1  # of the samples' extent, on every side
KINDS = ("regions", "probability")


def decision_regions(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    kind: Literal["regions", "probability"] | None = None,
    resolution: int = 300,
    **kwargs: Any,
) -> Axes:
    """Draw the class that a network with two inputs predicts at each point, and the samples.

    Parameters
    ----------
    net : Network
        A classifier with two inputs: with a loss of classes, such as cross_entropy, or with
        binary_cross_entropy for one output.
    X : array_like, shape (n, 2)
        Samples; the picture shows them with some padding around them.
    y : array_like, shape (n,) or (n, outputs)
        Their classes, as for `Network.evaluate`.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    kind : {"regions", "probability"} or None
        Areas of one colour for each class; or the probability of the second of two classes as a
        colour, with a line where it is ½. None takes "probability" for a single output.
    resolution : int
        Points along each side at which the network is evaluated.
    **kwargs
        For ``Axes.scatter``, which draws the samples.

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
    if net.inputs != 2:
        raise ValueError(f"net has {net.inputs} inputs, expected 2: one for each axis")
    check_classifier(net)
    resolution = checks.whole_number(resolution, "resolution", least=2)
    points = samples(net, X)
    classes = target_classes(net, y, len(points))
    shown = _kind(net, kind)

    xs, ys = (_span(column, resolution) for column in points.T.astype(np.float64))
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(xs, ys)])
    outputs = net.forward(grid).reshape(resolution, resolution, net.outputs)
    ax = axes_for(ax)
    if shown == "probability":
        _draw_probability(ax, xs, ys, outputs[:, :, -1], class_names(net)[1])
    else:
        _draw_regions(ax, xs, ys, _class_margins(outputs))
    _draw_samples(ax, points, classes, class_names(net), kwargs)
    ax.set_xlim(xs[0], xs[-1])
    ax.set_ylim(ys[0], ys[-1])
    ax.grid(False)  # some styles have one, which would cross the regions
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    return ax


def _kind(net: Network, kind: str | None) -> str:
    if kind is None:
        return "probability" if net.outputs == 1 else "regions"
    checks.one_of(kind, "kind", KINDS)
    scores = row_of(net.loss).outputs == "scores"
    if kind == "probability" and (scores or net.outputs > 2):
        what = "scores" if scores else f"{net.outputs} classes"
        raise ValueError(f"kind is 'probability' for a network of {what}, expected 'regions'")
    return kind


def _span(column: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return `count` numbers over the extent of a column and its padding."""
    low, high = column.min(), column.max()
    padding = PADDING * (high - low) or 1.0
    return np.linspace(low - padding, high + padding, count)


def _class_margins(outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the margin of each class over the best other one: above 0 where it is predicted.

    outputs is (rows, columns, outputs), the result (rows, columns, classes).
    """
    if outputs.shape[2] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=2)
    outputs = outputs.astype(np.float64)
    margins = np.empty_like(outputs)
    for index in range(outputs.shape[2]):
        others = np.delete(outputs, index, axis=2)
        margins[:, :, index] = outputs[:, :, index] - others.max(axis=2)
    return margins


def _draw_regions(
    ax: Axes, xs: NDArray[np.float64], ys: NDArray[np.float64], margins: NDArray[np.float64]
) -> None:
    # The first of equal classes is the one predicted, so it is drawn last.
    for index in reversed(range(margins.shape[2])):
        margin = margins[:, :, index]
        if margin.max() >= 0:
            levels = [0, margin.max() + 1]
            ax.contourf(xs, ys, margin, levels=levels, colors=[style.tint(index, 0.3)], zorder=0)
    for index in range(margins.shape[2]):
        margin = margins[:, :, index]
        if margin.min() < 0 < margin.max():
            ax.contour(xs, ys, margin, levels=[0], colors=style.INK, linewidths=1, zorder=1)


def _draw_probability(
    ax: Axes,
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    probability: NDArray[Any],
    name: str,
) -> None:
    filled = ax.contourf(
        xs,
        ys,
        probability,
        levels=np.linspace(0, 1, 21),
        cmap=style.between(0, 1, 0.7),
        vmin=0,
        vmax=1,
        zorder=0,
    )
    if probability.min() < 0.5 < probability.max():
        ax.contour(xs, ys, probability, levels=[0.5], colors=style.INK, linewidths=1, zorder=1)
    label, ticks = f"probability of class {style.escape_label(name)}", np.linspace(0, 1, 5)
    # Below the axes, since the legend is beside them.
    ax.figure.colorbar(filled, ax=ax, label=label, ticks=ticks, location="bottom", aspect=40)


def _draw_samples(
    ax: Axes,
    points: NDArray[Any],
    classes: NDArray[np.int64],
    names: list[str],
    kwargs: dict[str, Any],
) -> None:
    for index, name in enumerate(names):
        members = points[classes == index]
        artist_options = style.sample(index) | {
            "s": 30,
            "linewidths": 0.6,
            "zorder": 2,
            "label": style.escape_label(name),
        }
        ax.scatter(members[:, 0], members[:, 1], **(artist_options | kwargs))
    # Beside the axes, where it hides no sample.
    ax.legend(title="class", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
