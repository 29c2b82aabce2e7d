"""The table of the metrics, and reading the argument `metrics` of `Trainer.fit`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cygrad import checks
from cygrad.training.metrics import classification, regression
from cygrad.training.metrics.metric import RESERVED, BuiltInMetric, Metric

if TYPE_CHECKING:
    from cygrad.network import Network

    MetricLike = str | Metric | Callable[..., float]


def _row(
    name: str,
    function: Callable[..., float],
    higher_is_better: bool,
    needs: str,
    formula: str,
    *,
    for_multilabel: bool = False,
) -> BuiltInMetric:
    return BuiltInMetric(function, name, higher_is_better, needs, formula, for_multilabel)


def top_k(k: int) -> Metric:
    """Return the metric "top_k": the share of rows whose class is among the k best.

    Among equal scores the lower class is the better one; in scikit-learn the higher one is.

    Parameters
    ----------
    k : int
        1 or more.

    Examples
    --------
    >>> from cygrad import metrics
    >>> metrics.top_k(2)([2, 0], [[0.5, 0.3, 0.2], [0.4, 0.5, 0.1]])
    0.5
    """
    k = checks.whole_number(k, "k")
    formula = f"share of rows whose class is among the {k} with the largest scores"
    return _row(f"top_{k}", classification.TopK(k), True, "scores", formula)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _row(
            "accuracy",
            classification.accuracy,
            True,
            "classes",
            "share of right predictions; of right decisions for several labels",
            for_multilabel=True,
        ),
        top_k(5),
        _row(
            "balanced_accuracy",
            classification.balanced_accuracy,
            True,
            "classes",
            "mean over the classes of TP / (TP + FN)",
        ),
        _row(
            "f1",
            classification.f1,
            True,
            "classes",
            "2 TP / (2 TP + FP + FN) of class 1; of more classes f1_macro",
            for_multilabel=True,
        ),
        _row(
            "f1_macro",
            classification.f1_macro,
            True,
            "classes",
            "mean of it over the classes",
        ),
        _row(
            "roc_auc",
            classification.roc_auc,
            True,
            "scores",
            "P(score of a row of the class > of another), mean over more than two classes",
            for_multilabel=True,
        ),
        _row("log_loss", classification.log_loss, False, "probabilities", "mean of −ln p(y)"),
        _row("r2", regression.r2, True, "numbers", "1 − Σ (y − a)² / Σ (y − ȳ)²"),
        _row("mae", regression.mae, False, "numbers", "mean of |y − a|"),
        _row("mse", regression.mse, False, "numbers", "mean of (y − a)²"),
        _row("rmse", regression.rmse, False, "numbers", "√(mean of (y − a)²) of each output"),
        _row("mape", regression.mape, False, "numbers", "mean of |y − a| / |y|"),
    )
}


def read_metrics(metrics: object, net: Network) -> list[Metric]:
    """Return the metrics of a list of names, metrics and functions; check that they fit a network.

    The network's own metric is left out: it is always reported.
    """
    if isinstance(metrics, (str, Metric)) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics is {metrics!r}, expected a list of names, metrics or functions")
    found: list[Metric] = []
    for index, given in enumerate(metrics):
        metric = _read_metric(given, index)
        if metric.name == net.metric and METRICS.get(metric.name) == metric:
            continue
        metric.check(net)
        if metric.name in (net.metric, *(other.name for other in found)):
            raise ValueError(f"metrics[{index}] is a second one with the name {metric.name!r}")
        found.append(metric)
    return found


def _read_metric(given: Any, index: int) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        if given in METRICS:
            return METRICS[given]
        number = re.fullmatch(r"top_([1-9]\d*)", given)
        if number:
            return top_k(int(number[1]))
        names = ", ".join(METRICS)
        raise ValueError(f"metrics[{index}] is {given!r}, expected one of {names}, or a function")
    if not callable(given) or isinstance(given, type):
        raise TypeError(f"metrics[{index}] is {given!r}, expected a name, a Metric or a function")
    name = getattr(given, "__name__", "")
    usable = name.isidentifier() and name not in RESERVED and not name.startswith("val_")
    return Metric(given, name if usable else f"metric_{index}")


def table() -> str:
    """Return the table of the metrics for a docstring."""
    rows = [("name", "better", "needs", "value")]
    rows += [
        (m.name, "higher" if m.higher_is_better else "lower", m.needs, m.formula)
        for m in METRICS.values()
        if isinstance(m, BuiltInMetric)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    rule = "  ".join(["=" * w for w in widths] + ["=" * 20])
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])
