"""Permutation importance: how much worse predictions become when a column is shuffled."""

from __future__ import annotations

import warnings
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks, seeding
from cygrad.network.losses import sides_of_half
from cygrad.records import dataclass
from cygrad.training.metrics.metric import Metric, is_multilabel
from cygrad.training.metrics.table import METRICS, read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.seeding import RandomSource

    #: A name of a metric, or "loss"; a `Metric`.
    Chosen = str | Metric


@dataclass(frozen=True, eq=False)
class Importances:
    """The importance of each column; ``print`` shows it, the most important column first.

    Attributes
    ----------
    names : tuple of str
        Names of the columns.
    values : ndarray, shape (columns, repeats)
        How much worse the metric is with the column shuffled: its fall, or the rise of an error.
        Negative if predictions are better then, as can happen for a column without influence.
    metric : str
        Name of the metric.
    score : float
        The metric with all columns as they are.

    Examples
    --------
    >>> print(Importances(("age", "job"), np.array([[0.25, 0.15], [0.5, 0.5]]), "accuracy", 0.9))
    column  accuracy  deviation
    job          0.5          0
    age          0.2       0.05
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    metric: str
    score: float

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean over the repetitions, shape (columns,)."""
        mean: NDArray[np.float64] = self.values.mean(axis=1)
        return mean

    @property
    def std(self) -> NDArray[np.float64]:
        """The standard deviation over the repetitions (ddof=0), shape (columns,)."""
        std: NDArray[np.float64] = self.values.std(axis=1)
        return std

    @property
    def order(self) -> NDArray[np.int64]:
        """Indices of the columns by falling mean, shape (columns,)."""
        return np.argsort(-self.mean, kind="stable")

    def __str__(self) -> str:
        mean, std = self.mean, self.std
        rows = [("column", self.metric, "deviation")]
        rows += [(self.names[i], f"{mean[i]:.4g}", f"{std[i]:.4g}") for i in self.order.tolist()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{name:{widths[0]}}  {value:>{widths[1]}}  {spread:>{widths[2]}}"
            for name, value, spread in rows
        )


def permutation_importance(
    net: Network,
    X: Any,
    y: ArrayLike | None = None,
    *,
    metric: Chosen | None = None,
    columns: Sequence[str | int] | None = None,
    repeats: int = 5,
    rng: RandomSource = None,
) -> Importances:
    """Measure how much worse a network predicts when the values of a column are shuffled.

    Shuffling keeps the distribution of the column, and removes its relation to the target and the
    other columns. Columns with the same information share their importance: each can be shuffled
    without great loss while the others stay. Samples that the network was not trained on show what
    helps it with new ones.

    Parameters
    ----------
    net : Network
    X : table, data frame, mapping of arrays, or array_like, shape (n, inputs)
        At least two samples. If the network has an encoder: what it takes, a table or an array
        that stands for one, else its inputs; columns of the table are shuffled, all inputs of one
        together. Without encoder each input is a column. Compressed rows (CSR) stay so.
    y : array_like or None
        Targets, as for `Network.evaluate`; None: they are in the table.
    metric : str, Metric or None
        A metric of `cygrad.metrics` by its name, one of your own with a direction, or "loss". None
        takes the network's own, such as "accuracy" or "mae". Errors are in the unit of the
        quantities.
    columns : sequence of str or int, or None
        The columns to measure: by name for an encoder, else the indices of inputs. None: all.
    repeats : int
        How many times each column is shuffled. All columns have the same orders.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Draws the orders.

    Returns
    -------
    Importances

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    L. Breiman, "Random Forests", Machine Learning 45 (2001), pp. 5-32, section 10.
    A. Fisher, C. Rudin, F. Dominici, "All Models are Wrong, but Many are Useful", Journal of
    Machine Learning Research 20 (2019), 177: for any model.

    Examples
    --------
    >>> import numpy as np, cygrad as cg
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> net = cg.Network(3, [cg.Dense(1)], loss="mse", rng=0)
    >>> net.layers[0].weights = [[2.0, 0.0, -1.0]]
    >>> found = cg.metrics.permutation_importance(net, X, X @ [2, 0, -1], rng=0)
    >>> found.names, found.order.tolist(), float(found.mean[1])
    (('0', '1', '2'), [0, 2, 1], 0.0)
    """
    inputs, targets = _samples(net, X, y)
    rows = int(inputs.shape[0])
    if rows < 2:
        raise ValueError(f"X has {rows} rows, expected at least 2 to shuffle")
    checks.whole_number(repeats, "repeats")
    blocks = _blocks(net, columns)
    name, direction, score = _score(net, metric, targets)
    generator = seeding.stream(rng, "importance")
    orders = [generator.permutation(rows) for _ in range(repeats)]
    with_shuffled = _with_shuffled_rows if hasattr(inputs, "indptr") else _with_shuffled
    before = score(inputs)
    values = np.empty((len(blocks), repeats))
    for index, (start, end) in enumerate(blocks.values()):
        for repeat, order in enumerate(orders):
            values[index, repeat] = score(with_shuffled(inputs, order, start, end))
    values = direction * (before - values)
    return Importances(tuple(blocks), values, name, before)


def _samples(net: Network, X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
    """Return inputs, and targets as metrics take them: class indices or numbers."""
    from cygrad.network.encoding import takes
    from cygrad.tables.table import is_table

    if isinstance(X, str | PathLike):
        raise TypeError(
            f"X is {X!r}, expected a table, as of cygrad.tables.read(path), or an array"
        )
    encoder = net.encoder
    if encoder is not None and takes(encoder, X):
        given = X
        notes: list[str] = []
        X = encoder.transform(given, notes)
        if notes:
            warnings.warn("; ".join(notes), stacklevel=3)
        if encoder.target_names:
            if y is not None:
                y = encoder.target_array(y)
            elif is_table(given):
                y = encoder.targets(given)
    elif not hasattr(X, "indptr"):
        X = np.asarray(X)
    if y is None:
        raise TypeError("y is None, expected targets, or a table with them for an encoder")
    net.engine.read_samples(X)  # raises what is wrong with them
    targets = net.read_targets(y, int(X.shape[0]))
    if isinstance(targets, np.ndarray):
        return X, targets
    numbers = np.asarray(y)
    if numbers.dtype.kind not in "biuf":
        numbers = sides_of_half(numbers, net.classes)
    return X, numbers


def _blocks(net: Network, columns: Sequence[str | int] | None) -> dict[str, tuple[int, int]]:
    """Return the first input of each column, and the one behind its last, by its name."""
    if net.encoder is None:
        found = {str(index): (index, index + 1) for index in range(net.inputs)}
    else:
        found = {}
        start = 0
        for row in net.encoder.describe():
            if row.inputs:
                found[row.column] = start, start + row.inputs
                start += row.inputs
    if columns is None:
        return found
    if isinstance(columns, str):
        raise TypeError(f"columns is {columns!r}, expected a sequence of columns")
    chosen = {}
    for column in columns:
        if str(column) not in found:
            raise ValueError(f"columns has {column!r}, which is no column that becomes inputs")
        chosen[str(column)] = found[str(column)]
    return chosen


def _score(
    net: Network, metric: Chosen | None, y: NDArray[Any]
) -> tuple[str, int, Callable[[Any], float]]:
    """Return the name of a metric, 1 if it falls with worse predictions, else −1; and its value.

    The value is a function of encoded inputs, which are read here, so that no encoder takes them.
    """
    read: Callable[[Any], Any] = net.engine.read_samples
    name = net.metric if metric is None else metric
    if name == "loss" or (metric is None and name not in METRICS):
        return str(name), -1, lambda X: net.evaluate(read(X), y)[str(name)]
    chosen = METRICS.get(name) if isinstance(name, str) else None
    if name != net.metric or chosen is None:
        (chosen,) = read_metrics([name], net)
    if chosen.higher_is_better is None:
        raise ValueError(f"metric is {metric!r}, which has no direction, expected a Metric with it")
    several = is_multilabel(net)
    encoder = net.encoder
    needs_unit = encoder is not None and encoder.scales_targets
    is_of_numbers = getattr(chosen, "needs", "numbers") == "numbers"

    def score(X: Any) -> float:
        actual, outputs = chosen.compared(net, y, net.forward(read(X)))
        if needs_unit and is_of_numbers:
            assert encoder is not None
            actual = encoder.decode(actual).reshape(actual.shape)
            outputs = encoder.decode(outputs).reshape(outputs.shape)
        return chosen(actual, outputs, multilabel=several)

    return chosen.name, 1 if chosen.higher_is_better else -1, score


def _with_shuffled(X: NDArray[Any], order: NDArray[np.int64], start: int, end: int) -> Any:
    """Return inputs of which the columns from `start` to before `end` are in another order."""
    shuffled = X.copy()
    shuffled[:, start:end] = X[order, start:end]
    return shuffled


def _with_shuffled_rows(X: Any, order: NDArray[np.int64], start: int, end: int) -> Any:
    """Return the same of compressed rows."""
    from cygrad.tables.sparse_rows import SparseRows

    count = X.shape[0]
    rows = np.repeat(np.arange(count), np.diff(X.indptr))
    inside = (X.indices >= start) & (X.indices < end)
    # Row order[i] goes to row i: rows that hold a number go to the inverse.
    target = np.empty(count, np.int64)
    target[order] = np.arange(count)
    rows = np.where(inside, target[rows], rows)
    sequence = np.lexsort((X.indices, rows))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count))))
    return SparseRows(X.data[sequence], X.indices[sequence], indptr, X.shape)
