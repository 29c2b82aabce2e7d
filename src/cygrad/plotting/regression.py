"""Regression: the difference between the values that a network predicts and the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cygrad import checks
from cygrad.network.losses import compared_outputs, encode_targets, middle_quantile
from cygrad.plotting import style
from cygrad.plotting.figures import axes_for
from cygrad.plotting.networks import check_network, resolve_index, samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network

Kind = Literal["residual", "prediction"]
# More points than this become an image in a vector file, where one point takes 100 bytes.
MOST_VECTOR_POINTS = 300


def residuals(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    kind: Kind = "residual",
    output: int | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the residuals of a network's predictions, or the predictions themselves.

    Residuals without a pattern are noise; a bend or a trend in them is something that the network
    has not learnt.

    Parameters
    ----------
    net : Network
        A network whose metric is the mean absolute error, or the deviance.
    X, y : array_like
        Samples and targets, as for `Network.evaluate`.
    kind : {"residual", "prediction"}
        The residuals, true − predicted, against the predictions; or the predictions against the
        true values. A line marks perfect predictions.
    output : int or None
        Index of the output to draw; None draws all, each with its own colour and marker. Outputs of
        `losses.gaussian_nll` are the means. Of several quantiles of one target, None draws the one
        nearest to ½.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    **kwargs
        For ``Axes.plot``, which draws the points.

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
    if net.metric not in ("mae", "deviance"):
        raise ValueError(f"net is trained by {net.loss}, expected a loss for regression")
    X = samples(net, X)
    encode_targets(net.loss, y, len(X), net.outputs, "y")
    kind_name = checks.one_of(kind, "kind", get_args(Kind))
    true, predicted = compared_outputs(
        net.loss, np.asarray(y, np.float64), net.forward(X).astype(np.float64)
    )
    columns = true.shape[1]
    middle = middle_quantile(net.loss, np.asarray(y), net.outputs)
    chosen: Sequence[int] = range(columns)
    if output is not None:
        chosen = [resolve_index(output, "output", columns)]
    elif middle is not None:
        chosen = [middle]

    ax = axes_for(ax)
    draw = draw_residuals if kind_name == "residual" else draw_predictions
    artist_options = [point_options(index, len(X) * len(chosen)) | kwargs for index in chosen]
    draw(ax, true[:, chosen], predicted[:, chosen], artist_options)
    if len(chosen) > 1:
        ax.legend(title="output")
    return ax


def draw_residuals(
    ax: Axes, true: NDArray[Any], predicted: NDArray[Any], artist_options: list[dict[str, Any]]
) -> None:
    """Draw true − predicted, (n, k), against the predictions."""
    for column, options in enumerate(artist_options):
        ax.plot(predicted[:, column], true[:, column] - predicted[:, column], **options)
    ax.axhline(0, color=style.INK, linewidth=1)
    ax.set_xlabel("predicted value")
    ax.set_ylabel("residual (true − predicted)")


def draw_predictions(
    ax: Axes, true: NDArray[Any], predicted: NDArray[Any], artist_options: list[dict[str, Any]]
) -> None:
    """Draw the predictions, (n, k), against the true values."""
    for column, options in enumerate(artist_options):
        ax.plot(true[:, column], predicted[:, column], **options)
    ends = [true.min(), true.max()]
    ax.plot(ends, ends, color=style.INK, linewidth=1)
    ax.set_xlabel("true value")
    ax.set_ylabel("predicted value")


def point_options(index: int, points: int) -> dict[str, Any]:
    """Return the options of ``Axes.plot`` for an output, of so many points in all."""
    return {
        "color": style.color(index),
        "marker": style.marker(index),
        "markersize": 4,
        "markeredgewidth": 0,
        "linestyle": "none",
        "alpha": 0.6 if points <= MOST_VECTOR_POINTS else 0.3,
        "rasterized": points > MOST_VECTOR_POINTS,
        "label": str(index),
    }
