"""The validation data of `Trainer.fit`: samples of their own, or a part of the training samples.

Metrics of the training samples are computed in the same way.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks, seeding
from cygrad.stratification import keep_every_class
from cygrad.training.metrics.metric import has_nan, is_multilabel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network import Network
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.seeding import Seeds
    from cygrad.training.metrics import Metric


class Validation:
    """Samples to evaluate a network with after each epoch.

    Parameters
    ----------
    samples, targets : Samples, and their targets for the engine
    rows : ndarray of int64 or None
        Row numbers of the samples that are meant; None: all of them.
    weights : ndarray of float64 or None
        Of all samples.
    """

    def __init__(
        self,
        samples: Samples,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
        weights: Weights | None = None,
    ) -> None:
        self.samples = samples
        self.weights = weights
        self.targets = targets
        self.rows = rows
        self.size = samples.rows if rows is None else len(rows)
        #: The divisor of means.
        self.total: float = self.size
        if weights is not None:
            self.total = float((weights if rows is None else weights[rows]).sum())
        self._metrics: Sequence[Metric] = ()
        self._y: NDArray[Any] | None = None
        self._outputs: NDArray[Any] | None = None

    def measure(self, metrics: Sequence[Metric], y: ArrayLike, net: Network) -> None:
        """Compute metrics too, of the targets `y` as they were given."""
        if metrics:
            if self.weights is not None:
                for metric in metrics:
                    metric.check_weights()
            # Class indices have been read from what was given.
            y = self.targets if isinstance(self.targets, np.ndarray) else np.asarray(y)
            self._y = y if self.rows is None else y[self.rows]
            self._metrics = metrics
            self._outputs = np.empty((self.size, net.outputs), net.dtype)

    def evaluate(self, net: Network, threads: int | Callable[[], int]) -> tuple[float, float]:
        """Compute the outputs; return the sums of loss and metric over the samples."""
        return net.engine.evaluate(
            self.samples, self.targets, threads, self.rows, self._outputs, self.weights
        )

    def metrics(self, net: Network) -> tuple[float, ...]:
        """Return the metrics of the outputs that `evaluate` has computed."""
        if self._y is None or self._outputs is None:
            return ()
        y, outputs, several = self._y, self._outputs, is_multilabel(net)
        weights = self.weights
        if weights is not None and self.rows is not None:
            weights = weights[self.rows]
        undecided = has_nan(outputs)  # the loss is NaN then, and so are metrics of classes
        return tuple(
            nan
            if undecided and metric.needs_decisions
            else metric(*metric.compared(net, y, outputs), weights, multilabel=several)
            for metric in self._metrics
        )


def check_share(validation: object, n: int) -> int:
    """Return the number of validation rows among n.

    Parameters
    ----------
    validation : float or int
        A share of the rows, between 0 and 1, of which the nearest number of rows is taken, at least
        one; or their number.
    """
    if isinstance(validation, (int, np.integer)) and not isinstance(validation, bool):
        return checks.whole_number(validation, "validation", 1, n - 1)
    share = checks.number(validation, "validation")
    if not 0 < share < 1:
        raise ValueError(
            f"validation is {share}, expected a share between 0 and 1, or an integer of rows"
        )
    return checks.whole_number(max(1, round(share * n)), f"validation of {n} rows", 1, n - 1)


def split(
    n: int, count: int, labels: NDArray[np.int64] | None, seeds: Seeds
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw rows for validation.

    Parameters
    ----------
    n, count : int
        Number of all rows, and of those for validation.
    labels : ndarray of int64, shape (n,), or None
        Classes of the rows: each class gets its share of both parts, up to one row, and at least
        one row of the training part; there can be fewer validation rows for it.
    seeds : Seeds
        The same seeds draw the same rows.

    Returns
    -------
    training, validation : ndarray of int64
        Row numbers, ascending.
    """
    order = seeding.generator(seeds).permutation(n)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    # Every (n / count)-th row: count of them, evenly over the classes, which now lie side by side.
    position = np.arange(n)
    drawn = (position + 1) * count // n != position * count // n
    if labels is not None:
        drawn = keep_every_class(drawn, labels[order])
        if not drawn.any():
            raise ValueError(
                f"validation is {count} of {n} rows, and each class needs one to train on; "
                "expected classes with several rows"
            )
    return np.sort(order[~drawn]), np.sort(order[drawn])
