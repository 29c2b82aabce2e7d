"""`ensemble`: train the members of an ensemble side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from cygrad import checks
from cygrad.network.ensemble import Ensemble
from cygrad.training.many.fitting import FitArguments, check_rows, fit_all, report
from cygrad.training.many.making import check_different, make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from cygrad.training.many.fitting import CallbacksOf
    from cygrad.training.trainer import Trainer


def ensemble(
    make_trainer: Callable[[int], Trainer],
    X: Any,
    y: ArrayLike,
    epochs: int | None = None,
    *,
    members: int = 5,
    rows: Sequence[ArrayLike | None] | None = None,
    callbacks: CallbacksOf | None = None,
    threads: int | None = None,
    verbose: bool = False,
    **options: Unpack[FitArguments],
) -> Ensemble:
    """Train networks with different seeds side by side, and return them as an ensemble.

    Parameters
    ----------
    make_trainer : function
        Called with the number of each member, from 0, it returns a `Trainer` with a new network;
        it takes the number as `rng`, so that the members differ.
    X, y : array_like
        As for `Trainer.fit`. All members read them in place, see `fit_many`.
    epochs : int or None
        As for `Trainer.fit`.
    members : int
        Number of members.
    rows : sequence of array_like of int, or None
        For each member the row numbers of its samples, such as drawn with replacement for bagging;
        None: all of them.
    callbacks, threads, verbose, **options
        As for `fit_many`.

    Returns
    -------
    Ensemble
        It predicts the mean of the members; a member whose training failed is not in it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the networks are for different tasks.
    Exception
        The error of the first member, if all of them fail.

    Warns
    -----
    UserWarning
        If some of the members fail.

    References
    ----------
    L. Breiman, "Bagging predictors", Machine Learning 24, 1996.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> def trainer(seed):
    ...     layers = [cg.Dense(16, "relu"), cg.Dense(10, "softmax")]
    ...     net = cg.Network(64, layers, loss="cross_entropy", rng=seed)
    ...     return cg.Trainer(net, cg.Adam(1e-2), rng=seed)
    >>> both = cg.ensemble(trainer, X / 16, y, epochs=5, members=3)
    >>> len(both), both.evaluate(X / 16, y)["accuracy"] > 0.9
    (3, True)
    """
    count = checks.whole_number(members, "members")
    trainers = [make(make_trainer, number) for number in range(count)]
    check_different(trainers)
    Ensemble(trainer.net for trainer in trainers)  # before the training: they are of one task
    of_each = check_rows(rows, count, "members")
    fitted = fit_all(trainers, X, y, epochs, of_each, callbacks, threads, verbose, options)
    report(fitted, stacklevel=2)
    return Ensemble(each.net for each in fitted if each.error is None)
