"""Results of quantities, each in its unit: errors, R², quantiles of the residuals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import known
from cygrad.cli.summary import table_lines
from cygrad.network.losses import middle_quantile
from cygrad.training.metrics import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

#: Shares of the residuals that are below their quantiles.
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def compared(net: Network, X: Any, y: NDArray[Any]) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return true values and predictions of each target, by its name, in its unit.

    Of several quantiles of one target these are the nearest to ½, of `gaussian_nll` the means.
    """
    actual, outputs = known.compared(net, X, y)
    middle = middle_quantile(net.loss, y, net.outputs)
    if middle is not None:
        actual, outputs = actual[:, [middle]], outputs[:, [middle]]
    names = () if net.encoder is None else net.encoder.target_names
    count = actual.shape[1]
    if len(names) != count:
        names = ("target",) if count == 1 else tuple(f"output {i}" for i in range(1, count + 1))
    return {
        name: (actual[:, column].astype(np.float64), outputs[:, column].astype(np.float64))
        for column, name in enumerate(names)
    }


def results(net: Network, X: Any, y: NDArray[Any]) -> dict[str, Any]:
    """Return errors of each target for JSON.

    Returns
    -------
    dict
        "per_target": for each target its name, "mae", "rmse", "r2", and "residuals", the quantiles
        of true − predicted by their shares.
    """
    return {
        "per_target": [
            {
                "target": name,
                **{metric: METRICS[metric](actual, predicted) for metric in ("mae", "rmse", "r2")},
                "residuals": quantiles(actual - predicted),
            }
            for name, (actual, predicted) in compared(net, X, y).items()
        ]
    }


def quantiles(residuals: NDArray[np.float64]) -> dict[str, float]:
    """Return the quantiles of residuals by their shares."""
    values = np.quantile(residuals, SHARES).tolist()
    return {f"{share:g}": value for share, value in zip(SHARES, values, strict=True)}


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield `results` as lines, one table for the errors and one for the residuals."""
    rows = found["per_target"]
    errors = ("mae", "rmse", "r2")
    yield "errors, in the unit of the target:"
    body = [(row["target"], *(f"{row[error]:.6g}" for error in errors)) for row in rows]
    yield from table_lines([("target", *errors), *body])
    yield ""
    yield "quantiles of the residuals, true − predicted, in the unit of the target:"
    heads = ("target", "least", *(f"{100 * share:g} %" for share in SHARES[1:-1]), "greatest")
    body = [
        (row["target"], *(f"{value:.6g}" for value in row["residuals"].values())) for row in rows
    ]
    yield from table_lines([heads, *body])
