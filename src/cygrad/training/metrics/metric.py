"""A metric: a function of targets and outputs, with a name and a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.network.losses import compared_outputs, middle_quantile, row_of
from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network

# Columns of a history that are no metrics.
RESERVED = ("loss", "learning_rate", "seconds")


@dataclass(frozen=True)
class Metric:
    """A metric of one's own: a function with a name and a direction.

    Parameters
    ----------
    function : function of (y, outputs)
        Returns a number. `y` are the targets as given to `fit`, class names as indices, and
        `outputs` those of the network, shape (n, outputs).
    name : str
        Its name in the history, there also with the prefix ``val_``.
    higher_is_better : bool or None
        The direction; None: not known, then it cannot decide when to stop.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cygrad.metrics import Metric
    >>> largest = Metric(lambda y, a: abs(y - a[:, 0]).max(), "largest_error", False)
    >>> largest(np.array([1.0, 2.0]), np.array([[1.5], [2.0]]))
    0.5
    """

    function: Callable[..., Any]
    name: str
    higher_is_better: bool | None = None

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise TypeError(f"function is {self.function!r}, expected a function of (y, outputs)")
        if not isinstance(self.name, str):
            raise TypeError(f"name is {self.name!r}, expected a name for the history")
        if not self.name or self.name in RESERVED or self.name.startswith("val_"):
            raise ValueError(
                f"name is {self.name!r}, expected one that is not empty, not among "
                f"{', '.join(RESERVED)}, and does not begin with val_"
            )
        if self.higher_is_better is not None:
            checks.flag(self.higher_is_better, "higher_is_better")

    def check(self, net: Network) -> None:
        """Raise a ValueError if the metric is not one of this network's outputs."""

    def compared(
        self, net: Network, y: NDArray[Any], outputs: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return targets and outputs as the metric takes them: as they are."""
        return y, outputs

    @property
    def needs_decisions(self) -> bool:
        """Whether outputs have to decide for classes, which NaN does not."""
        return False

    def check_weights(self) -> None:
        """Raise a TypeError if the metric takes no weights."""
        raise TypeError(f"sample_weight is given, and {self.name} is a function without one")

    def __call__(
        self,
        y: ArrayLike,
        outputs: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool = False,
    ) -> float:
        """Return the value for targets and outputs.

        Parameters
        ----------
        y : array_like, shape (n,) or (n, outputs)
            Class indices, or rows with a 1 or the largest probability at the class; 0 and 1 for
            two classes and a single output. Numbers for metrics of numbers.
        outputs : array_like, shape (n, outputs) or, for a single output, (n,)
            Scores or probabilities of the classes, those of class 1 for a single output; numbers.
        sample_weight : array_like, shape (n,), or None
            Weights of the rows, 0 or more. Not for functions of one's own.
        multilabel : bool
            Whether each output is a decision of its own, 1 where it is at least ½.
        """
        if sample_weight is not None:
            self.check_weights()
        return float(self.function(y, outputs))


@dataclass(frozen=True, repr=False)
class BuiltInMetric(Metric):
    """A metric of the table.

    Attributes
    ----------
    needs : {"classes", "scores", "probabilities", "numbers"}
        What outputs and targets have to be.
    formula : str
    for_multilabel : bool
        Whether it is defined for several decisions per row.
    """

    needs: str = "numbers"
    formula: str = ""
    for_multilabel: bool = False

    def __repr__(self) -> str:
        better = "higher" if self.higher_is_better else "lower"
        return f"<metric {self.name} of {self.needs}, {better} is better: {self.formula}>"

    def compared(
        self, net: Network, y: NDArray[Any], outputs: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return targets and outputs: numbers with the outputs that predict them.

        These are the means of `gaussian_nll`, and of several quantiles of one target the one
        nearest to ½.
        """
        if self.needs != "numbers":
            return y, outputs
        middle = middle_quantile(net.loss, y, net.outputs)
        y, outputs = compared_outputs(net.loss, y, outputs)
        return (y, outputs) if middle is None else (y[:, [middle]], outputs[:, [middle]])

    @property
    def needs_decisions(self) -> bool:
        return self.needs != "numbers"

    def check_weights(self) -> None:
        """Do nothing: it takes weights."""

    def check(self, net: Network) -> None:
        loss = row_of(net.loss)
        multilabel = is_multilabel(net)
        wanted = None
        if self.needs == "numbers":
            if loss.metric == "accuracy":
                wanted = "numbers as targets"
        elif loss.metric != "accuracy":
            wanted = "classes as targets"
        elif multilabel and not self.for_multilabel:
            wanted = "one class for each sample"
        elif self.needs == "probabilities" and loss.outputs != "probabilities":
            wanted = "probabilities as outputs"
        if wanted is not None:
            raise ValueError(f"metric {self.name!r} needs {wanted}, and the loss is {net.loss!r}")

    def __call__(
        self,
        y: ArrayLike,
        outputs: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool = False,
    ) -> float:
        a = np.asarray(outputs)
        if a.ndim == 1:
            a = a[:, np.newaxis]
        targets = np.asarray(y)
        if a.ndim != 2 or targets.ndim not in (1, 2) or len(targets) != len(a) or not len(a):
            raise ValueError(
                f"y has shape {targets.shape} and outputs {np.shape(outputs)}, expected (n,) or "
                "(n, outputs), and (n, outputs)"
            )
        weights = None
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float64)
            if weights.shape != (len(a),) or not (weights >= 0).all() or not weights.any():
                raise ValueError(
                    f"sample_weight has shape {weights.shape}, expected {len(a)} numbers of at "
                    "least 0, not all 0"
                )
        if self.needs_decisions and has_nan(a):
            row, column = np.argwhere(np.isnan(a))[0].tolist()
            raise ValueError(
                f"outputs holds nan in row {row}, column {column}, expected numbers, which decide "
                "for a class"
            )
        if self.needs == "numbers":
            return float(self.function(targets.reshape(a.shape).astype(np.float64), a, weights))
        if multilabel:
            if not self.for_multilabel:
                raise ValueError(f"multilabel is True, and {self.name} needs one class for a row")
            decisions = targets.reshape(a.shape) >= 0.5
            return _per_output(self, decisions, a, weights)
        return float(self.function(*decided_classes(targets, a), _scores(a), weights))


def decided_classes(
    y: NDArray[Any], a: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the classes of targets, (n,) or (n, outputs), and of outputs, (n, outputs).

    A single output decides at ½, as the network does; else it is the first of the largest.
    """
    if a.shape[1] == 1:
        labels = (y.reshape(-1) >= 0.5).astype(np.int64)
        return labels, (a[:, 0] >= 0.5).astype(np.int64)
    labels = y if y.ndim == 1 else y.argmax(axis=1)
    return labels.astype(np.int64), a.argmax(axis=1)


def _scores(a: NDArray[Any]) -> NDArray[Any]:
    """Return the scores of all classes: 1 − a and a for a single output a."""
    return np.concatenate([1 - a, a], axis=1) if a.shape[1] == 1 else a


def has_nan(a: NDArray[Any]) -> bool:
    """Return whether one of the numbers is NaN."""
    return bool(np.isnan(a).any())


def _per_output(
    metric: BuiltInMetric, y: NDArray[np.bool_], a: NDArray[Any], weights: NDArray[Any] | None
) -> float:
    """Return the mean over the outputs, each with two classes."""
    values = []
    for column in range(a.shape[1]):
        output = a[:, column : column + 1]
        classes = decided_classes(y[:, column], output)
        values.append(float(metric.function(*classes, _scores(output), weights)))
    return sum(values) / len(values)


def is_multilabel(net: Network) -> bool:
    """Return whether each of several outputs of a network is a decision of its own."""
    return row_of(net.loss).decides_at_half and net.outputs > 1
