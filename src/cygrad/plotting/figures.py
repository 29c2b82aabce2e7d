"""Axes to draw into, and files of finished figures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cygrad.atomic_write import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Metadata that would make two files of one picture differ; None leaves it out.
_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}


def axes_for(
    ax: Axes | None, three_d: bool = False, size: tuple[float, float] | None = None
) -> Axes:
    """Return the axes to draw into: `ax` if it is given and fits, else those of a new figure.

    Parameters
    ----------
    ax : matplotlib axes or None
        The argument of the user.
    three_d : bool
        Whether the picture has three dimensions.
    size : (float, float) or None
        Size of a new figure in inches; None leaves it to matplotlib.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `ax` is not axes, or has the wrong number of dimensions.
    """
    need_matplotlib()
    expected = "3-D axes, as of figure.add_subplot(projection='3d')" if three_d else "2-D axes"
    if ax is None:
        from matplotlib.figure import Figure  # pyplot would keep it open

        figure = Figure(figsize=size, layout="constrained")
        return figure.add_subplot(projection="3d" if three_d else None)

    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax is {ax!r}, expected matplotlib axes or None")
    if (ax.name == "3d") != three_d:
        came = {"3d": "3-D axes", "rectilinear": "2-D axes"}.get(ax.name, f"{ax.name} axes")
        raise ValueError(f"ax is {came}, expected {expected}")
    return ax


def size_in_points(ax: Axes) -> tuple[float, float]:
    """Return the current width and height of axes, in points."""
    points = 72 / ax.figure.dpi
    return float(ax.bbox.width * points), float(ax.bbox.height * points)


def save(picture: Axes | Figure, path: str | os.PathLike[str], **kwargs: Any) -> None:
    """Write the figure of a picture to a file, whole or not at all.

    With one version of matplotlib the same picture gives the same bytes each time: the file has
    no date, and SVG no random names. An old file is replaced at the end, in one step.

    Parameters
    ----------
    picture : matplotlib axes or figure
        Axes are saved with the whole figure that they are in.
    path : str or os.PathLike
        Its ending sets the format: .png, .svg or .pdf.
    **kwargs
        Further arguments of ``Figure.savefig``, such as ``dpi=200``. `metadata` is added to the
        entries that keep the bytes the same.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `picture` or `path` is not as described.
    OSError
        If the file cannot be written. An old file then stays as it was.
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
    """Raise an ImportError with `what` and the way to install matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":  # matplotlib is installed, but a package it imports is not
            raise
        raise ImportError(
            f"{what} needs matplotlib, which is not installed; {instead}pip install 'cygrad[plot]'",
            name="matplotlib",
        ) from None
