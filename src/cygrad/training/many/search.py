"""`grid`: train a network for each combination of settings, and compare them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from cygrad import checks
from cygrad.training.history import History
from cygrad.training.many.cross_validation import (
    DDOF,
    Fold,
    has_validation,
    read_folds,
    train_folds,
)
from cygrad.training.many.fitting import FitArguments, fit_all
from cygrad.training.many.making import check_different, make
from cygrad.training.metrics.table import read_metrics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cygrad.network import Network
    from cygrad.seeding import RandomSource
    from cygrad.training.many.fitting import CallbacksOf, Fitted
    from cygrad.training.metrics import Metric
    from cygrad.training.trainer import Trainer

SHOWN_POINTS = 20  # of a grid's text


class Point(NamedTuple):
    """One combination of settings.

    Attributes
    ----------
    setting : dict
        The arguments of `make_trainer`.
    mean : dict
        Loss and metrics of the validation data after the last epoch, or of the test parts, averaged
        over the folds; NaN if a training failed.
    std : dict
        Their standard deviations over the folds, with ddof = 1; NaN without folds.
    results : tuple of Fitted or Fold
        The trained networks; empty if there is no such trainer.
    error : Exception or None
        Why the trainer could not be made, or the first training that failed; None: neither did.
    """

    setting: dict[str, Any]
    mean: dict[str, float]
    std: dict[str, float]
    results: tuple[Fitted | Fold, ...]
    error: Exception | None


class Grid:
    """The results of `grid`.

    Attributes
    ----------
    points : tuple of Point
        In the order of the settings.
    by : str
        The name by which they are compared.
    """

    def __init__(self, points: Iterable[Point], by: str, higher_is_better: bool) -> None:
        self.points = tuple(points)
        self.by = by
        self._higher_is_better = higher_is_better

    @property
    def ranked(self) -> list[Point]:
        """The points from the best to the worst; those that failed come last."""
        sign = -1 if self._higher_is_better else 1

        def key(point: Point) -> tuple[bool, float]:
            value = point.mean.get(self.by, nan)
            return (True, 0.0) if np.isnan(value) else (False, sign * value)

        return sorted(self.points, key=key)

    @property
    def best(self) -> Point:
        """The best point: the first one among equals."""
        return self.ranked[0]

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"<Grid: {len(self)} settings, best {self.by} {self.best.mean[self.by]:.4g}>"

    def __str__(self) -> str:
        lines = []
        for point in self.ranked[:SHOWN_POINTS]:
            text = ", ".join(f"{name}={value!r}" for name, value in point.setting.items())
            if point.error is not None:
                values = f"{type(point.error).__name__}: {point.error}"
            else:
                values = "  ".join(f"{name} {value:.4g}" for name, value in point.mean.items())
            lines.append(f"{values}  {text}")
        more = len(self) - SHOWN_POINTS
        if more > 0:
            lines.append(f"and {more} more")
        return "\n".join(lines)


def grid(
    make_trainer: Callable[..., Trainer],
    settings: Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]],
    X: Any,
    y: ArrayLike,
    epochs: int | None = None,
    *,
    folds: int | Iterable[tuple[ArrayLike, ArrayLike]] | None = None,
    rng: RandomSource = None,
    standardize: bool = False,
    by: str = "loss",
    callbacks: CallbacksOf | None = None,
    threads: int | None = None,
    verbose: bool = False,
    **options: Unpack[FitArguments],
) -> Grid:
    """Train a network for each combination of settings side by side, and compare them.

    Parameters
    ----------
    make_trainer : function
        Called with the settings as named arguments, it returns a `Trainer` with a new network. An
        error of it, or of a training, is that of its point; the others go on.
    settings : dict of lists, or iterable of dicts
        The values of each argument, of which all combinations are made; or the combinations.
    X, y : array_like
        As for `Trainer.fit`. All networks read them in place, see `fit_many`.
    epochs : int or None
        As for `Trainer.fit`.
    folds, rng, standardize
        As for `cross_validate`. None: the networks are compared by the validation data of
        `validation`, or `X_val` and `y_val`.
    by : str
        Name of the loss or metric to compare by.
    callbacks, threads, verbose, **options
        As for `fit_many`.

    Returns
    -------
    Grid
        The points with their networks and metrics; ``str`` of it is a table, the best one first.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    Exception
        The error of the first point, if all of them fail.

    Warns
    -----
    UserWarning
        If some of the points fail.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(units, rate):
    ...     layers = [cg.Dense(units, "relu"), cg.Dense(10, "softmax")]
    ...     net = cg.Network(64, layers, loss="cross_entropy", rng=0)
    ...     return cg.Trainer(net, cg.Adam(rate), rng=0)
    >>> settings = {"units": [4, 32], "rate": [1e-4, 1e-2]}
    >>> found = cg.grid(trainer, settings, X / 16, y, epochs=5, validation=0.2)
    >>> found.best.setting
    {'units': 32, 'rate': 0.01}
    """
    combinations = _combinations(settings)
    by = _check_name(by)
    if folds is None and not has_validation(options):
        raise ValueError("folds and validation are None, expected one of them, or X_val and y_val")
    parts = [] if folds is None else read_folds(folds, y, rng)
    count = max(1, len(parts))
    made: list[list[Trainer]] = []
    errors: dict[int, Exception] = {}
    for index, setting in enumerate(combinations):
        try:
            made.append([make(make_trainer, **setting) for _ in range(count)])
        except Exception as error:
            made.append([])
            errors[index] = error
    trainers = [trainer for each in made for trainer in each]
    if not trainers:
        raise errors[0]
    check_different(trainers)
    options["metrics"] = chosen = read_metrics(options.get("metrics", ()), trainers[0].net)
    higher = _higher_is_better(by, trainers[0].net, chosen)
    results: list[Any] = []
    if parts:
        of_each = parts * (len(trainers) // count)
        results = [
            *train_folds(
                trainers, X, y, epochs, of_each, standardize, callbacks, threads, verbose, options
            )
        ]
    else:
        if checks.flag(standardize, "standardize"):
            raise ValueError("standardize is True and folds is None, expected folds")
        none = [None] * len(trainers)
        results = [*fit_all(trainers, X, y, epochs, none, callbacks, threads, verbose, options)]
    remaining = iter(results)
    points = [
        _point(setting, [next(remaining) for _ in each], errors.get(index))
        for index, (setting, each) in enumerate(zip(combinations, made, strict=True))
    ]
    _report(points)
    return Grid(points, by, higher)


def _combinations(settings: Any) -> list[dict[str, Any]]:
    if isinstance(settings, Mapping):
        values = [list(each) for each in settings.values()]
        combinations = [dict(zip(settings, each, strict=True)) for each in product(*values)]
    elif isinstance(settings, Iterable) and not isinstance(settings, str):
        combinations = []
        for index, each in enumerate(settings):
            if not isinstance(each, Mapping):
                raise TypeError(f"settings[{index}] is {each!r}, expected a dict of arguments")
            combinations.append(dict(each))
    else:
        raise TypeError(f"settings is {settings!r}, expected a dict of lists or a list of dicts")
    if not combinations:
        raise ValueError(f"settings is {settings!r}, which has no combination, expected one")
    return combinations


def _check_name(by: object) -> str:
    if not isinstance(by, str):
        raise TypeError(f"by is {by!r}, expected the name of the loss or a metric")
    return by.removeprefix("val_")


def _higher_is_better(by: str, net: Network, metrics: list[Metric]) -> bool:
    """Return whether higher values of a name are better; there must be such a name."""
    directions = History(net.metric, True, metrics)
    names = ["loss", net.metric, *(metric.name for metric in metrics)]
    if by not in names:
        raise ValueError(f"by is {by!r}, expected one of {', '.join(names)}")
    higher = directions.higher_is_better(by)
    if higher is None:
        raise ValueError(
            f"by is {by!r}, a function of which it is not known whether higher values are better; "
            "expected cygrad.metrics.Metric(function, name, higher_is_better)"
        )
    return higher


def _point(setting: dict[str, Any], results: list[Any], error: Exception | None) -> Point:
    errors = [each.error for each in results if each.error is not None]
    error = errors[0] if errors else error
    of_each = [_metrics(each) for each in results]
    names = of_each[0] if of_each else {}
    mean, std = {}, {}
    for name in names:
        values = np.array([each.get(name, nan) for each in of_each])
        mean[name] = float(values.mean()) if error is None else nan
        std[name] = float(values.std(ddof=DDOF)) if len(values) > DDOF else nan
    return Point(setting, mean, std, tuple(results), error)


def _metrics(result: Fitted | Fold) -> dict[str, float]:
    """Return the metrics by which a network is compared."""
    if isinstance(result, Fold):
        return result.metrics
    if len(result.history) == 0:
        return {}
    last = result.history.last()
    return {name[4:]: value for name, value in last.items() if name.startswith("val_")}


def _report(points: list[Point]) -> None:
    failed = [point for point in points if point.error is not None]
    if not failed:
        return
    error = failed[0].error
    assert error is not None
    if len(failed) == len(points):
        raise error
    warnings.warn(
        f"{len(failed)} of {len(points)} settings failed; the first is {failed[0].setting} with "
        f"{type(error).__name__}: {error}",
        UserWarning,
        stacklevel=3,
    )
