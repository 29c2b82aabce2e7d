"""Section on the errors of quantities: predictions and residuals of each target, in its unit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import residuals
from cygrad.cli.report.markup import Markup, columns_table, element
from cygrad.cli.report.pictures import picture
from cygrad.cli.report.results import counted
from cygrad.cli.report.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_OUTPUTS = 3  # that are drawn
MOST_ROWS = 50  # of the table
MOST_BARS = 40


def section(run: Run) -> Iterator[Markup]:
    """Yield errors and pictures of the residuals of each target."""
    part, rows = run.displayed_samples()
    X, y = run.dataset.X[rows], run.dataset.y[rows]
    targets = residuals.compared(run.net, X, y)
    shown = min(len(targets), MOST_OUTPUTS)
    text = f"{counted(len(rows), part)}, in the unit of the target. A residual is the true value "
    text += "minus the predicted one."
    if shown < len(targets):
        text += f" Of {len(targets):,} outputs the first {shown} are drawn."
    yield element("p", text)
    found = residuals.results(run.net, X, y)["per_target"]
    errors = ("mae", "rmse", "r2")
    heads = ("least", *(f"{100 * share:g} %" for share in residuals.SHARES[1:-1]), "greatest")
    lines = []
    for row in found[:MOST_ROWS]:
        values = *(row[error] for error in errors), *row["residuals"].values()
        lines.append((row["target"], *(f"{value:.5g}" for value in values)))
    caption = "Errors, and the quantiles of the residuals"
    if len(found) > MOST_ROWS:
        caption += f", of the first {MOST_ROWS} of {len(found):,} targets"
    yield columns_table(caption, ("target", "MAE", "RMSE", "R²", *heads), lines)
    for number, (name, (true, predicted)) in enumerate(list(targets.items())[:shown]):
        end = f", {name}" if len(targets) > 1 else ""
        drawn = [
            picture(f"{kind}-{number}", title + end, partial(draw, true, predicted, number))
            for kind, title, draw in (
                ("prediction", "Predicted and true values", _predictions),
                ("residual", "Residuals", _residuals),
                ("distribution", "Distribution of the residuals", _distribution),
            )
        ]
        yield element("div", *drawn, class_="pictures")


def _predictions(true: NDArray[Any], predicted: NDArray[Any], number: int, *, ax: Axes) -> None:
    from cygrad.plotting import regression

    options = [regression.point_options(number, len(true))]
    regression.draw_predictions(ax, true[:, np.newaxis], predicted[:, np.newaxis], options)


def _residuals(true: NDArray[Any], predicted: NDArray[Any], number: int, *, ax: Axes) -> None:
    from cygrad.plotting import regression

    options = [regression.point_options(number, len(true))]
    regression.draw_residuals(ax, true[:, np.newaxis], predicted[:, np.newaxis], options)


def _distribution(true: NDArray[Any], predicted: NDArray[Any], number: int, *, ax: Axes) -> None:
    from cygrad.plotting import style

    bars = min(MOST_BARS, max(5, round(2 * len(true) ** (1 / 3))))  # Rice's rule
    ax.hist(true - predicted, bins=bars, color=style.color(number))
    ax.axvline(0, color=style.INK, linewidth=1)
    ax.set_xlabel("residual (true − predicted)")
    ax.set_ylabel("samples")
