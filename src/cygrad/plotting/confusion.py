"""The confusion matrix: the number of samples by true and by predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from cygrad import checks
from cygrad.network import Network
from cygrad.plotting import style
from cygrad.plotting.figures import axes_for, size_in_points
from cygrad.plotting.networks import check_classifier, class_names, samples, target_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray


@overload
def confusion_matrix(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    /,
    *,
    classes: Sequence[str] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes: ...
@overload
def confusion_matrix(
    y: ArrayLike,
    predicted: ArrayLike,
    /,
    *,
    classes: Sequence[str] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes: ...
def confusion_matrix(
    first: Network | ArrayLike,
    second: ArrayLike,
    third: ArrayLike | None = None,
    /,
    *,
    classes: Sequence[str] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the number of samples by true class (rows) and predicted class (columns).

    ``confusion_matrix(net, X, y)`` predicts the classes with the network,
    ``confusion_matrix(y, predicted)`` takes given predictions. The larger the share of a cell in
    its row, the darker it is.

    Parameters
    ----------
    net : Network
        A classifier: with a loss of classes, such as cross_entropy, or with
        binary_cross_entropy for one output.
    X, y : array_like
        Samples and their classes, as for `Network.evaluate`. Without a network `y` holds class
        indices or names, shape (n,).
    predicted : array_like, shape (n,)
        The predicted classes: indices if `y` holds indices, names if it holds names.
    classes : sequence of str or None
        Names of the classes. None takes the network's, or those in `y` and `predicted`, sorted.
    normalize : bool
        Whether the cells show shares of their row instead of numbers of samples.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure, whose size grows with the number of classes.
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
    if isinstance(first, Network):
        if third is None:
            raise TypeError("y is None, expected the classes of X: confusion_matrix(net, X, y)")
        true, predicted, names = _classes_from_network(first, second, third)
        names = names if classes is None else _check_names(classes, len(names))
    else:
        if third is not None:
            raise TypeError(f"net is {first!r}, expected a Network: confusion_matrix(net, X, y)")
        true, predicted, names = _classes_from_labels(first, second, classes)
    normalize = checks.flag(normalize, "normalize")

    counts = np.bincount(true * len(names) + predicted, minlength=len(names) ** 2)
    counts = counts.reshape(len(names), len(names))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)

    side = max(4.4, 0.38 * len(names) + 1.4)
    ax = axes_for(ax, size=(side + 0.8, side))
    from matplotlib.colors import PowerNorm

    # The square root makes a share of a few per cent visible.
    artist_options = {"cmap": "Blues", "norm": PowerNorm(0.5, vmin=0, vmax=1)}
    image = ax.imshow(shares, **(artist_options | kwargs))
    ticks = (0, 0.05, 0.2, 0.4, 0.6, 0.8, 1)
    ax.figure.colorbar(image, ax=ax, label="share of the true class", ticks=ticks, shrink=0.8)
    texts = [
        f"{share:.2f}" if normalize and count else str(count)
        for count, share in zip(counts.flat, shares.flat, strict=True)
    ]
    cell = 0.8 * min(size_in_points(ax)) / len(names)
    _write_cells(ax, shares, texts)
    _name_axes(ax, names, cell)
    return ax


def _classes_from_network(
    net: Network, X: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    check_classifier(net)
    rows = samples(net, X)
    return target_classes(net, y, len(rows)), net.predict(rows), class_names(net)


def _classes_from_labels(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    true_labels, predicted_labels = _check_labels(y, "y"), _check_labels(predicted, "predicted")
    if len(true_labels) != len(predicted_labels):
        raise ValueError(
            f"predicted has {len(predicted_labels)} classes for {len(true_labels)} samples of y"
        )
    if true_labels.dtype.kind != predicted_labels.dtype.kind:
        raise TypeError(
            f"predicted has dtype {predicted_labels.dtype} and y has {true_labels.dtype}, "
            "expected alike"
        )
    if true_labels.dtype.kind == "U":
        known = np.unique(np.concatenate([true_labels, predicted_labels])).tolist()
        names = known if classes is None else _check_names(classes)
        indices = {name: index for index, name in enumerate(names)}
        for name in known:
            if name not in indices:
                raise ValueError(f"classes has no {name!r}, which is in y or predicted")
        true_labels, predicted_labels = (
            np.array([indices[name] for name in each]) for each in (true_labels, predicted_labels)
        )
        return true_labels, predicted_labels, names
    most = int(max(true_labels.max(), predicted_labels.max()))
    names = [*map(str, range(most + 1))] if classes is None else _check_names(classes)
    if most >= len(names):
        raise ValueError(f"classes has {len(names)} names, expected one for index {most} too")
    return true_labels, predicted_labels, names


def _check_labels(labels: ArrayLike, name: str) -> NDArray[Any]:
    """Check class indices or names, one for each sample; return indices as int64."""
    given = checks.array(labels, name)
    if given.dtype == object and all(isinstance(label, str) for label in given.flat):
        given = given.astype(str)
    if given.dtype.kind not in "buiU":
        raise TypeError(f"{name} has dtype {given.dtype}, expected class indices or names")
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{name} has shape {given.shape}, expected (n,) with at least one sample")
    if given.dtype.kind == "U":
        return given
    indices = given.astype(np.int64)
    if indices.min() < 0:
        raise ValueError(f"{name} holds {indices.min()}, expected class indices from 0")
    return indices


def _check_names(classes: Sequence[str], count: int | None = None) -> list[str]:
    names = [] if isinstance(classes, str) else [*map(str, classes)]
    if not names or len(set(names)) != len(names) or count not in (None, len(names)):
        wanted = "different names" if count is None else f"{count} different names"
        raise ValueError(f"classes is {classes!r}, expected {wanted}")
    return names


def _write_cells(ax: Axes, shares: NDArray[np.float64], texts: list[str]) -> None:
    """Write a text into every cell, all in one size."""
    from cygrad.plotting.fitting import write

    longest = max(map(len, texts))
    for (row, column), text in zip(np.ndindex(shares.shape), texts, strict=True):
        share = shares[row, column]
        color = "white" if share > 0.3 else style.INK if share > 0 else "#888888"
        write(ax, column, row, text, (0.85 * len(text) / longest, 0.85), color=color)


def _name_axes(ax: Axes, names: list[str], cell: float) -> None:
    names = [*map(style.escape_label, names)]
    longest = max(map(len, names))
    size = min(10.0, 0.8 * cell)
    upright = 0.62 * size * longest > cell
    ax.set_xticks(range(len(names)), names, fontsize=size, rotation=90 if upright else 0)
    ax.set_yticks(range(len(names)), names, fontsize=size)
    ax.tick_params(length=0)
    ax.grid(False)  # some styles have one, which would cross the numbers
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
