"""`cross_validate`: train on all folds but one, test on that one, for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from cygrad import checks
from cygrad._engine.frames import as_array
from cygrad.network.ensemble import Ensemble
from cygrad.network.standardization import mean_and_scale
from cygrad.training.data import read_data, read_sample_weights
from cygrad.training.many.fitting import FitArguments, Fitted, fit_all, report
from cygrad.training.many.making import check_different, make
from cygrad.training.metrics.table import read_metrics
from cygrad.training.order import read_rows
from cygrad.training.validation import Validation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.seeding import RandomSource
    from cygrad.training.history import History
    from cygrad.training.many.fitting import CallbacksOf
    from cygrad.training.trainer import Trainer

    Parts = list[tuple[NDArray[np.int64], NDArray[np.int64]]]

DDOF = 1  # of the standard deviation over the folds


class Fold(NamedTuple):
    """One fold of a cross-validation.

    Attributes
    ----------
    trainer : Trainer
    history : History
    error : Exception or None
        Why its training failed; None: it did not.
    rows : ndarray of int64
        The rows of the test part.
    metrics : dict
        Loss and metrics of the test part; NaN if the training failed.
    outputs : ndarray, shape (rows, outputs)
        The network's outputs for the test part.
    """

    trainer: Trainer
    history: History
    error: Exception | None
    rows: NDArray[np.int64]
    metrics: dict[str, float]
    outputs: NDArray[Any]

    @property
    def net(self) -> Network:
        """The trained network."""
        return self.trainer.net


class CrossValidation:
    """The results of `cross_validate`.

    Attributes
    ----------
    folds : tuple of Fold
    """

    def __init__(self, folds: Sequence[Fold]) -> None:
        self.folds = tuple(folds)

    @property
    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Loss and metrics of the test parts: an array of shape (folds,) for each name."""
        names = self.folds[0].metrics
        return {name: np.array([fold.metrics[name] for fold in self.folds]) for name in names}

    @property
    def mean(self) -> dict[str, float]:
        """The means over the folds; NaN if one of them failed."""
        return {name: float(values.mean()) for name, values in self.metrics.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviations over the folds, with ddof = 1."""
        return {name: float(values.std(ddof=DDOF)) for name, values in self.metrics.items()}

    @property
    def outputs(self) -> NDArray[Any]:
        """For each row the outputs of the network that was not trained on it.

        Shape (n, outputs); NaN for rows in no test part, the mean for those in several.
        """
        size = 1 + max(int(fold.rows.max()) for fold in self.folds)
        total = np.zeros((size, self.folds[0].outputs.shape[1]))
        counts = np.zeros(size)
        for fold in self.folds:
            np.add.at(total, fold.rows, fold.outputs)
            np.add.at(counts, fold.rows, 1)
        with np.errstate(invalid="ignore"):
            mean = total / counts[:, np.newaxis]
        return mean.astype(self.folds[0].outputs.dtype)

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble of the networks of all folds whose training did not fail."""
        return Ensemble(fold.net for fold in self.folds if fold.error is None)

    def __repr__(self) -> str:
        std = self.std
        values = ", ".join(
            f"{name} {mean:.4g} ± {std[name]:.2g}" for name, mean in self.mean.items()
        )
        return f"<CrossValidation: {len(self.folds)} folds, {values}>"


def cross_validate(
    make_trainer: Callable[[int], Trainer],
    X: Any,
    y: ArrayLike,
    epochs: int | None = None,
    *,
    folds: int | Iterable[tuple[ArrayLike, ArrayLike]] = 5,
    rng: RandomSource = None,
    standardize: bool = False,
    callbacks: CallbacksOf | None = None,
    threads: int | None = None,
    verbose: bool = False,
    **options: Unpack[FitArguments],
) -> CrossValidation:
    """Train a network for each fold on the other folds, and test it on that fold.

    The networks are trained side by side on the same arrays, see `fit_many`, with the bits of
    networks that are trained on copies of their rows, one after the other.

    Parameters
    ----------
    make_trainer : function
        Called with the number of each fold, from 0, it returns a `Trainer` with a new network.
    X, y : array_like
        As for `Trainer.fit`.
    epochs : int or None
        As for `Trainer.fit`.
    folds : int or iterable of (train, test)
        Number of folds of `datasets.folds`, in which all classes and quantities are alike; or the
        row numbers of both parts of each fold.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        For `datasets.folds`, if `folds` is a number.
    standardize : bool
        Standardise the inputs by the training rows of each fold.
    callbacks, threads, verbose
        As for `fit_many`.
    **options
        The other arguments of `Trainer.fit`. `metrics` are computed for the test parts, and
        `validation` holds out a part of the training rows.

    Returns
    -------
    CrossValidation
        The trained networks with their test metrics, means and standard deviations, and the
        outputs for each row by the network that was not trained on it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    Exception
        The error of the first network, if all of them fail.

    Warns
    -----
    UserWarning
        If some of the networks fail; their metrics are NaN.

    References
    ----------
    R. Kohavi, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model
    Selection", IJCAI 1995, pp. 1137-1143.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(fold):
    ...     net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    ...     return cg.Trainer(net, cg.Adam(1e-2), rng=0)
    >>> found = cg.cross_validate(trainer, X / 16, y, epochs=10, folds=3, rng=0)
    >>> len(found.folds), found.mean["accuracy"] > 0.9, found.outputs.shape
    (3, True, (1797, 10))
    """
    parts = read_folds(folds, y, rng)
    trainers = [make(make_trainer, number) for number in range(len(parts))]
    check_different(trainers)
    results = train_folds(
        trainers, X, y, epochs, parts, standardize, callbacks, threads, verbose, options
    )
    report(results, stacklevel=2)
    return CrossValidation(results)


def read_folds(folds: Any, y: ArrayLike, rng: RandomSource) -> Parts:
    """Return the rows of the training and the test part of each fold."""
    if not isinstance(folds, Iterable):
        from cygrad import datasets

        count = checks.whole_number(folds, "folds", 2)
        return datasets.folds(checks.array(y, "y"), count, rng=rng)
    n = len(checks.array(y, "y"))
    parts: Parts = []
    for index, given in enumerate(folds):
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise TypeError(f"folds[{index}] is {given!r}, expected (train, test), row numbers")
        train, test = (
            read_rows(rows, n, f"folds[{index}][{part}]") for part, rows in enumerate(given)
        )
        parts.append((train, test))
    if not parts:
        raise ValueError("folds is empty, expected at least one (train, test)")
    return parts


def has_validation(options: FitArguments) -> bool:
    """Return whether networks are evaluated after each epoch."""
    return options.get("validation") is not None or options.get("X_val") is not None


def train_folds(
    trainers: Sequence[Trainer],
    X: Any,
    y: ArrayLike,
    epochs: int | None,
    parts: Parts,
    standardize: bool,
    callbacks: CallbacksOf | None,
    threads: int | None,
    verbose: bool,
    options: FitArguments,
) -> list[Fold]:
    """Train each trainer on the training part of its fold, and test it."""
    if checks.flag(standardize, "standardize"):
        array = np.asarray(as_array(X, "X"))
        for trainer, (rows, _) in zip(trainers, parts, strict=True):
            trainer.net.set_standardization(*mean_and_scale(array, rows=rows))
    options = options.copy()
    metrics = options.pop("metrics", ())
    chosen = [read_metrics(metrics, trainer.net) for trainer in trainers]
    if chosen[0] and has_validation(options):  # else the networks are tested by them alone
        options["metrics"] = chosen[0]
    tested: dict[int, tuple[dict[str, float], NDArray[Any]]] = {}

    def test(index: int) -> None:
        trainer, rows = trainers[index], parts[index][1]
        net = trainer.net
        samples, targets = read_data(net, X, y)
        weights = read_sample_weights(net, options.get("sample_weight"), samples.rows)
        part = Validation(samples, targets, rows, weights)
        part.measure(chosen[index], y, net)
        outputs = np.empty((len(rows), net.outputs), net.dtype)
        sums = net.engine.evaluate(samples, targets, trainer.max_threads, rows, outputs, weights)
        names = ["loss", net.metric]
        values = trainer.averages(sums, part.total)
        found = dict(zip(names, values, strict=True))
        if chosen[index]:
            part.evaluate(net, trainer.max_threads)
            names = [metric.name for metric in chosen[index]]
            found |= dict(zip(names, part.metrics(net), strict=True))
        tested[index] = found, outputs

    fitted = fit_all(
        trainers,
        X,
        y,
        epochs,
        [rows for rows, _ in parts],
        callbacks,
        threads,
        verbose,
        options,
        test,
    )
    return [
        _fold(each, parts[index][1], tested.get(index), [metric.name for metric in chosen[index]])
        for index, each in enumerate(fitted)
    ]


def _fold(
    fitted: Fitted,
    rows: NDArray[np.int64],
    tested: tuple[dict[str, float], NDArray[Any]] | None,
    names: list[str],
) -> Fold:
    net = fitted.net
    if tested is None:
        outputs = np.full((len(rows), net.outputs), np.nan, net.dtype)
        tested = dict.fromkeys(["loss", net.metric, *names], np.nan), outputs
    return Fold(*fitted, rows, *tested)
