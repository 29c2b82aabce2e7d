"""Where pictures are drawn and how they are saved: axes, figures, files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cygrad.atomic_write import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What would tell one run from another in the file; None leaves it out.
_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}


def axes_for(
    ax: Axes | None, three_d: bool = False, size: tuple[float, float] | None = None
) -> Axes:
    """The axes to draw into: `ax` if it is given and fits, else those of a new figure.

    Parameters
    ----------
    ax : matplotlib axes or None
        As the user gave it.
    three_d : bool
        Whether the picture is in three dimensions.
    size : (float, float) or None
        Inches that the new figure takes; None leaves it to matplotlib.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `ax` is not axes, or axes of another number of dimensions.
    """
    need_matplotlib()
    expected = "3-D axes, as of figure.add_subplot(projection='3d')" if three_d else "2-D axes"
    if ax is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=size, layout="constrained")
        return figure.add_subplot(projection="3d" if three_d else None)

    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax is {ax!r}, expected matplotlib axes or None")
    if (ax.name == "3d") != three_d:
        came = {"3d": "3-D axes", "rectilinear": "2-D axes"}.get(ax.name, f"{ax.name} axes")
        raise ValueError(f"ax is {came}, expected {expected}")
    return ax


def size_in_points(ax: Axes) -> tuple[float, float]:
    """Width and height of axes as they are now, in points."""
    points = 72 / ax.figure.dpi
    return float(ax.bbox.width * points), float(ax.bbox.height * points)


def save(picture: Axes | Figure, path: str | os.PathLike[str], **kwargs: Any) -> None:
    """Write the figure of a picture to a file, whole or not at all.

    The same picture gives the same bytes each time, with one version of matplotlib: no date, and
    no names by chance in SVG. An old file of that name is replaced at the end, in one step.

    Parameters
    ----------
    picture : matplotlib axes or figure
        All of the figure is saved, whatever else is in it.
    path : str or os.PathLike
        Its ending says the format: .png, .svg or .pdf.
    **kwargs
        What ``Figure.savefig`` takes beyond that, such as ``dpi=200``. `metadata` is added to what
        keeps the bytes the same.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `picture` or `path` is not as described.
    OSError
        If the file cannot be written. An old file is then still whole.
    """
    need_matplotlib()
    from matplotlib import rc_context

    figure = _figure(picture)
    ending = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".")
    if ending not in _METADATA:
        endings = ", ".join(f".{known}" for known in _METADATA)
        raise ValueError(f"path is {os.fspath(path)!r}, expected a name that ends in {endings}")
    kwargs["metadata"] = _METADATA[ending] | kwargs.get("metadata", {})
    with atomic_write(path) as file, rc_context({"svg.hashsalt": "cygrad"}):
        figure.savefig(file, format=ending, **kwargs)


def _figure(picture: Axes | Figure) -> Figure:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    figure = picture.figure if isinstance(picture, (Axes, SubFigure)) else picture
    if isinstance(figure, SubFigure):
        figure = figure.figure
    if not isinstance(figure, Figure):
        raise TypeError(f"picture is {picture!r}, expected matplotlib axes or a figure")
    return figure


def need_matplotlib(what: str = "cygrad.plotting", instead: str = "") -> None:
    """Raise an ImportError, if matplotlib is missing, that says what needs it and how to get it."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":  # it is there, and something that it needs is not
            raise
        raise ImportError(
            f"{what} needs matplotlib, which is not installed; {instead}pip install 'cygrad[plot]'",
            name="matplotlib",
        ) from None
