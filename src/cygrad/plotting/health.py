"""The health of a training: gradients, updates and dead units of each layer by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.plotting import style, ticks
from cygrad.plotting.figures import axes_for, need_matplotlib
from cygrad.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cygrad.training.statistics import LayerStatistics

# Each picture: its title on the vertical axis, and whether it is logarithmic.
QUANTITIES = {
    "gradient_norm": ("norm of ∂C/∂P", True),
    "weight_norm": ("norm of W", True),
    "update_ratio": ("‖ΔW‖ / ‖W‖ of an epoch", True),
    "dead": ("dead relu units", False),
    "saturated": ("saturated activations", False),
}
PANEL_INCHES = (6.4, 2.6)


def gradient_health(
    history: History,
    quantities: str | Sequence[str] | None = None,
    *,
    axes: Sequence[Axes] | None = None,
    **kwargs: Any,
) -> list[Axes]:
    """Draw what ``Trainer.fit(..., statistics=True)`` recorded: a curve for each layer, by epoch.

    Gradients that differ by orders of magnitude from layer to layer vanish or explode. Updates of
    far less than 0.001 of the weights in many steps hardly learn, and of far more than 0.1 in one
    step they jump about. A dead relu unit learns nothing any more, a saturated one little.

    Parameters
    ----------
    history : History
        The result of ``Trainer.fit(..., statistics=True)``.
    quantities : str, sequence of str or None
        The attributes of `LayerStatistics` to draw, each in its own axes: gradient_norm,
        weight_norm, update_ratio, dead, saturated. None draws all that the layers have.
    axes : sequence of matplotlib axes or None
        Where to draw, one for each quantity; None makes a new figure.
    **kwargs
        For ``Axes.plot``.

    Returns
    -------
    list of matplotlib axes
        One for each quantity; `save` of one of them saves the whole figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> history = trainer.fit(X, y, epochs=20, statistics=True)
    >>> axes = plotting.gradient_health(history)
    """
    if not isinstance(history, History):
        raise TypeError(f"history is {history!r}, expected a History")
    if not history.statistics:
        raise ValueError("history has no statistics, expected those of fit(..., statistics=True)")
    curves = {name: _curves(history.statistics, name) for name in QUANTITIES}
    names = _names(quantities, [name for name, each in curves.items() if each])
    drawn = _axes(axes, len(names))
    layers = [row.layer for row in history.statistics[0]]
    for ax, name in zip(drawn, names, strict=True):
        title, logarithmic = QUANTITIES[name]
        for layer, values in curves[name].items():
            index = layers.index(layer)
            options = style.curve(index, len(values)) | {"label": f"layer {layer}"}
            if logarithmic:
                options["linestyle"] = style.line_style(index)
                values = np.where(values > 0, values, np.nan)  # a logarithmic scale has no 0
            ax.plot(np.arange(1, len(values) + 1), values, **(options | kwargs))
        if logarithmic:
            ax.set_yscale("log")
            ticks.logarithmic(ax.yaxis)
        else:
            ax.set_ylim(-0.03, 1.03)
        ticks.integer(ax.xaxis)
        if len(history.statistics) == 1:
            ax.set_xticks([1])  # matplotlib would put ticks at fractions of the only epoch
        ax.set_xlabel("epoch")
        ax.set_ylabel(title)
        if len(curves[name]) > 1 or len(layers) > 1:
            ax.legend()
    return drawn


def _curves(
    statistics: Sequence[tuple[LayerStatistics, ...]], name: str
) -> dict[int, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the values of each layer that has such a quantity, by the number of the layer."""
    curves = {}
    for index, row in enumerate(statistics[0]):
        if getattr(row, name) is not None:
            curves[row.layer] = np.array([getattr(epoch[index], name) for epoch in statistics])
    return curves


def _names(quantities: str | Sequence[str] | None, known: list[str]) -> list[str]:
    """Return the quantities to draw."""
    if quantities is None:
        return known
    names = [quantities] if isinstance(quantities, str) else list(quantities)
    if not names:
        raise ValueError("quantities is empty, expected at least one name")
    for name in names:
        if name not in QUANTITIES:
            raise ValueError(f"quantities has {name!r}, expected {', '.join(QUANTITIES)}")
        if name not in known:
            raise ValueError(f"quantities has {name!r}, and no layer has such units")
    return names


def _axes(axes: Sequence[Axes] | None, count: int) -> list[Axes]:
    """Return the axes to draw into, one below the other in a new figure."""
    if axes is None:
        need_matplotlib()
        from matplotlib.figure import Figure

        width, height = PANEL_INCHES
        figure = Figure(figsize=(width, height * count), layout="constrained")
        return list(figure.subplots(count, 1, squeeze=False)[:, 0])
    if not isinstance(axes, (Sequence, np.ndarray)) or len(axes) != count:
        raise ValueError(f"axes is {axes!r}, expected {count} axes, one for each quantity")
    return [axes_for(ax) for ax in axes]
