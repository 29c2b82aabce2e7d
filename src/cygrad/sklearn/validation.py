"""The validation of an estimator in training: the part that is held out, and its score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from cygrad.training.metrics import Metric
from cygrad.training.metrics.table import read_metrics

if TYPE_CHECKING:
    from numpy.random import RandomState
    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.training import Trainer

    #: The validation score of a trainer's network, of the logs of its last epoch.
    Scorer = Callable[[Trainer, Mapping[str, float]], float]


class Part(NamedTuple):
    """Samples, encoded targets, and weights or None."""

    X: Any
    y: NDArray[Any]
    weights: Any


def split(part: Part, share: float, classes: Any, random: RandomState) -> tuple[Part, Part]:
    """Divide samples into those to train on and those to validate with, as scikit-learn does.

    Parameters
    ----------
    part : Part
    share : float
        Of the samples to validate with.
    classes : ndarray, shape (n,), or None
        Each class has its share of both parts.
    """
    indices = np.arange(len(part.y))
    how = {"random_state": random, "test_size": share}
    try:
        divided = train_test_split(indices, stratify=classes, **how)
    except ValueError:
        if classes is None:
            raise
        # A column of classes takes longer, and has scikit-learn name them in its error.
        divided = train_test_split(indices, stratify=classes.reshape(-1, 1), **how)
    if len(divided[1]) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    X, y, weights = part
    training, held_out = (
        Part(X[rows], y[rows], None if weights is None else weights[rows]) for rows in divided
    )
    return training, held_out


def scorer_of_metric(
    monitored: str | Metric, part: Part, net: Network
) -> tuple[Scorer, dict[str, Any]]:
    """Return the score by the loss or a metric, and the arguments that `Trainer.fit` needs for it.

    Lower values of some metrics are better; their score has a minus.
    """
    name = monitored if isinstance(monitored, str) else monitored.name
    chosen = [] if name in ("loss", net.metric) else [monitored]
    try:
        metrics = read_metrics(chosen, net)
    except ValueError as error:
        raise ValueError(
            f"early_stopping is {monitored!r}, expected True, False, 'loss', a metric or the name "
            f"of one for this network: {error}"
        ) from None
    if any(metric.higher_is_better is None for metric in metrics):
        raise ValueError(
            f"early_stopping is {monitored!r}, whose better direction is not known; expected "
            "higher_is_better=True or False"
        )

    def score(trainer: Trainer, logs: Mapping[str, float]) -> float:
        value = logs[f"val_{name}"]
        return value if trainer.history.higher_is_better(name) else -value

    evaluated = {"X_val": part.X, "y_val": part.y, "sample_weight_val": part.weights}
    return score, {**evaluated, "metrics": chosen}


def scorer_of_outputs(
    score_outputs: Callable[[NDArray[Any], NDArray[Any], Any], float],
    part: Part,
    threads: int | None,
) -> Scorer:
    """Return the score by a function of targets, outputs and weights; NaN if one is not finite."""

    def score(trainer: Trainer, logs: Mapping[str, float]) -> float:
        outputs = trainer.net.forward(part.X, threads)
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(score_outputs(part.y, outputs, part.weights))

    return score
