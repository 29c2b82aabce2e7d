"""Curves: losses by epoch, learning rates by step, gradients by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.network.gradients import Gradients
from cygrad.plotting import style, ticks
from cygrad.plotting.figures import axes_for
from cygrad.training.history import History
from cygrad.training.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Columns = History | Mapping[str, Sequence[float]]
    Rate = Optimizer | Callable[[int], float] | float

ZERO_HEIGHT = 0.11  # share of the height of the axes that the marker of a zero gradient takes

_VALIDATION = "val_"
_NAMES = {
    "learning_rate": "learning rate",
    "mae": "mean absolute error",
    "seconds": "seconds of an epoch",
}


def history(
    history: Columns | Mapping[str, Columns],
    columns: str | Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
    log: bool = False,
    **kwargs: Any,
) -> Axes:
    """Draw the values recorded after each epoch, of one training or several.

    Values of the training samples are a solid line with filled markers, values of the validation
    data a dashed line with hollow ones. Each quantity of each training has its own colour and
    marker.

    Parameters
    ----------
    history : History, or mapping of label to History
        The result of `Trainer.fit`. A mapping of column to values, such as ``dict(history)``, can
        replace a History.
    columns : str, sequence of str or None
        Names of the columns to draw; None draws the loss and, if recorded, the validation loss.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    log : bool
        Whether the values are on a logarithmic scale.
    **kwargs
        For ``Axes.plot``.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> plotting.history(history, ["accuracy", "val_accuracy"])
    >>> plotting.history({"plain": plain, "momentum": momentum}, log=True)
    """
    by_label = _histories_by_label(history)
    log = checks.flag(log, "log")
    drawn = {label: _columns(each, columns, label) for label, each in by_label.items()}
    names = list(dict.fromkeys(name for each in drawn.values() for name in each))
    quantities = list(dict.fromkeys(name.removeprefix(_VALIDATION) for name in names))

    ax = axes_for(ax)
    for index, (label, each) in enumerate(drawn.items()):
        for name, values in each.items():
            quantity = quantities.index(name.removeprefix(_VALIDATION))
            artist_options = style.curve(index * len(quantities) + quantity, len(values))
            if name.startswith(_VALIDATION):
                artist_options |= {"linestyle": "--", "markerfacecolor": "white"}
            parts = [part for part in (label, _title(name, names)) if part]
            artist_options["label"] = ", ".join(parts)
            ax.plot(np.arange(1, len(values) + 1), values, **(artist_options | kwargs))
    if log:
        ax.set_yscale("log")
        ticks.logarithmic(ax.yaxis)
    ticks.integer(ax.xaxis)
    if all(len(values) == 1 for each in drawn.values() for values in each.values()):
        ax.set_xticks([1])  # matplotlib would put ticks at fractions of the only epoch
    ax.set_xlabel("epoch")
    ax.set_ylabel(" and ".join(_NAMES.get(quantity, quantity) for quantity in quantities))
    if len(drawn) > 1 or len(names) > 1:
        ax.legend()
    return ax


def schedule(
    schedule: Rate | Mapping[str, Rate],
    steps: int,
    *,
    ax: Axes | None = None,
    log: bool = False,
    **kwargs: Any,
) -> Axes:
    """Draw the learning rate of each step, for one schedule or several.

    Parameters
    ----------
    schedule : schedule, function of (step), float, optimiser, or mapping of label to one of these
        A learning rate in any form that an optimiser takes, or an optimiser.
    steps : int
        Number of steps; they are counted from 0.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    log : bool
        Whether the learning rate is on a logarithmic scale.
    **kwargs
        For ``Axes.plot``.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described, or a learning rate is not a finite number of at least 0.

    Examples
    --------
    >>> plotting.schedule({"linear": cg.LinearDecay(0.1, 500), "cosine": cg.CosineDecay(0.1, 500)},
    ...                   steps=600)
    """
    by_label = schedule if isinstance(schedule, Mapping) else {"": schedule}
    if not by_label:
        raise ValueError("schedule is empty, expected at least one")
    count = checks.whole_number(steps, "steps")
    log = checks.flag(log, "log")
    rates = {label: _rates(each, count, str(label)) for label, each in by_label.items()}

    ax = axes_for(ax)
    for index, (label, values) in enumerate(rates.items()):
        artist_options = style.curve(index, count) | {"linestyle": style.line_style(index)}
        ax.plot(np.arange(count), values, **(artist_options | {"label": str(label)} | kwargs))
    if log:
        ax.set_yscale("log")
        ticks.logarithmic(ax.yaxis)
    else:
        ax.set_ylim(bottom=0)
    ticks.integer(ax.xaxis)
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    if isinstance(schedule, Mapping):
        ax.legend()
    return ax


def gradient_flow(
    gradients: Gradients | Mapping[str, Gradients], *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Draw the norm of ∂C/∂W of each layer, on a logarithmic scale.

    If the norm falls from the last layer to the first, gradients vanish; if it rises, they explode.
    Layers are counted from 0, the norm is the root of the sum of squares; layers without weights
    have none. A logarithmic scale has no 0, so a norm of 0 is a hollow marker with a "0" at the
    lower edge.

    Parameters
    ----------
    gradients : Gradients, or mapping of label to Gradients
        The result of `Network.backward`.
    ax : matplotlib axes or None
        Where to draw; None makes a new figure.
    **kwargs
        For ``Axes.plot``.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> plotting.gradient_flow({"sigmoid": deep.backward(X, y), "relu": other.backward(X, y)})
    """
    by_label = gradients if isinstance(gradients, Mapping) else {"": gradients}
    if not by_label:
        raise ValueError("gradients is empty, expected at least one")
    for label, each in by_label.items():
        if not isinstance(each, Gradients):
            name = f"gradients[{label!r}]" if label else "gradients"
            raise TypeError(f"{name} is {each!r}, expected Gradients, as of net.backward(X, y)")
    norms = {str(label): _norms(each) for label, each in by_label.items()}

    ax = axes_for(ax)
    zeros_drawn: Counter[int] = Counter()  # by layer, of the curves before
    for index, (label, values) in enumerate(norms.items()):
        artist_options = style.curve(index, 1) | {
            "linestyle": style.line_style(index),
            "label": label,
        }
        layers = np.flatnonzero(~np.isnan(values))  # the line crosses layers without weights
        drawn = np.where(values > 0, values, np.nan)
        ax.plot(layers, drawn[layers], **(artist_options | kwargs))
        zeros = np.flatnonzero(values == 0).tolist()
        _draw_zeros(ax, zeros, [zeros_drawn[layer] for layer in zeros], artist_options)
        zeros_drawn.update(zeros)
    ax.set_yscale("log")
    if zeros_drawn:
        low, high = ax.get_ylim()
        zeros_share = min(0.5, ZERO_HEIGHT * max(zeros_drawn.values()))
        ax.set_ylim(bottom=low * (low / high) ** (zeros_share / (1 - zeros_share)))
    ticks.logarithmic(ax.yaxis)
    ticks.integer(ax.xaxis)
    ax.set_xlabel("layer")
    ax.set_ylabel("norm of ∂C/∂W")
    if isinstance(gradients, Mapping):
        ax.legend()
    return ax


def _histories_by_label(history: Columns | Mapping[str, Columns]) -> dict[str, Columns]:
    """Return each history by its label; the label of a single one is empty."""
    if isinstance(history, History):
        return {"": history}
    if not isinstance(history, Mapping) or not history:
        raise TypeError(f"history is {history!r}, expected a History or a mapping of them")
    if any(isinstance(each, (History, Mapping)) for each in history.values()):
        for label, each in history.items():
            if not isinstance(each, (History, Mapping)):
                raise TypeError(f"history[{label!r}] is {each!r}, expected a History")
        return {str(label): each for label, each in history.items()}  # type: ignore[misc]
    return {"": history}  # type: ignore[dict-item]


def _columns(
    history: Columns, columns: str | Sequence[str] | None, label: str
) -> dict[str, Sequence[float]]:
    """Return the columns to draw, by their names."""
    name = f"history[{label!r}]" if label else "history"
    known = [str(key) for key in history]
    if columns is None:
        wanted = [column for column in known if column in ("loss", "val_loss")]
        if "loss" not in wanted:
            raise ValueError(f"{name} has the columns {known}, expected 'loss' among them")
    else:
        wanted = [columns] if isinstance(columns, str) else list(columns)
    if not wanted:
        raise ValueError("columns is empty, expected at least one name")
    for column in wanted:
        if column not in known:
            raise ValueError(f"columns has {column!r}, and {name} has {', '.join(known)}")
        if len(history[column]) == 0:
            raise ValueError(f"{name} has no epochs, expected at least one")
    return {column: history[column] for column in wanted}


def _title(column: str, columns: Sequence[str]) -> str:
    """Return the legend entry of a column; it is empty if only one is drawn."""
    if len(columns) == 1:
        return ""
    quantity = column.removeprefix(_VALIDATION)
    name = _NAMES.get(quantity, quantity)
    if column != quantity:
        return f"validation {name}"
    return f"training {name}" if _VALIDATION + column in columns else name


def _rates(rate: object, count: int, label: str) -> NDArray[np.float64]:
    """Return the learning rates of the first steps."""
    name = f"schedule[{label!r}]" if label else "schedule"
    if isinstance(rate, type):
        raise TypeError(f"{name} is the class {rate.__name__}, expected an instance of it")
    if not isinstance(rate, Optimizer):
        rate = SGD(rate if callable(rate) else checks.number(rate, name, least=0))
    return rate.learning_rates(0, count)


def _norms(gradients: Gradients) -> NDArray[np.float64]:
    """Return ‖∂C/∂W‖ of each layer; NaN for layers without weights."""
    return np.array(
        [
            np.nan if each is None else np.linalg.norm(each.astype(np.float64))
            for each in gradients.weights
        ]
    )


def _draw_zeros(
    ax: Axes, layers: list[int], zeros_below: list[int], artist_options: dict[str, Any]
) -> None:
    """Draw hollow markers with a 0 above each, at the lower edge or above earlier zeros."""
    at_edge = ax.get_xaxis_transform()
    shown = {key: artist_options[key] for key in ("color", "marker", "markersize")}
    heights = [0.03 + ZERO_HEIGHT * zeros for zeros in zeros_below]
    ax.plot(layers, heights, **shown, ls="none", mfc="white", transform=at_edge, zorder=3)
    for layer, height in zip(layers, heights, strict=True):
        artist_options = {
            "ha": "center",
            "va": "bottom",
            "color": shown["color"],
            "transform": at_edge,
        }
        ax.text(layer, height + 0.02, "0", **artist_options)
