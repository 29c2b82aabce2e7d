"""The arguments of `Trainer.fit`: they are checked here, and become a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training import lbfgs
from cygrad.training.batches import BatchRun, BatchSource
from cygrad.training.budget import Budget
from cygrad.training.data import measure, read_fit_data, read_validation
from cygrad.training.hooks import as_hooks, pausing_hooks
from cygrad.training.lbfgs import LBFGS
from cygrad.training.metrics.table import read_metrics
from cygrad.training.order import check_shuffle
from cygrad.training.run import ArrayRun

if TYPE_CHECKING:
    from cygrad.seeding import Seeds
    from cygrad.training.data import GivenData
    from cygrad.training.history import History
    from cygrad.training.hooks import EpochFunction, Hooks
    from cygrad.training.metrics.table import MetricLike
    from cygrad.training.order import Shuffle
    from cygrad.training.run import Run
    from cygrad.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class FitOptions:
    """The arguments of `Trainer.fit` besides data and callbacks; its docstring describes them."""

    epochs: int | None = None
    validation: float | None = None
    metrics: Iterable[MetricLike] = ()
    train_metrics: bool = False
    verbose: bool = False
    shuffle: Shuffle = True
    max_steps: int | None = None
    max_seconds: float | None = None
    statistics: bool = False
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None


def prepare(
    trainer: Trainer,
    given: GivenData,
    options: FitOptions,
    callbacks: Iterable[Hooks | EpochFunction],
    seeds: Seeds,
    stacklevel: int = 2,
) -> Run | Callable[[bool], History]:
    """Check all arguments of a `fit`; return its run, to be called with `reset`.

    Parameters
    ----------
    seeds : Seeds
        Those that draw the validation rows.
    stacklevel : int
        Of warnings, as for `warnings.warn`.
    """
    net, optimizer = trainer.net, trainer.optimizer
    epochs = options.epochs
    if isinstance(optimizer, LBFGS):
        lbfgs.check(trainer, options.statistics)
        if epochs is None and options.max_steps is None and options.max_seconds is None:
            epochs = optimizer.max_iterations
    budget = Budget(epochs, options.max_steps, options.max_seconds)
    shuffle = check_shuffle(options.shuffle)
    if callable(shuffle) and trainer.shards is not None:
        raise ValueError(
            f"shuffle is {shuffle!r} and the trainer's shards is {trainer.shards}, which has an "
            "order of its own; expected shuffle True or False"
        )
    verbose = checks.flag(options.verbose, "verbose")
    statistics = checks.flag(options.statistics, "statistics")
    train_metrics = checks.flag(options.train_metrics, "train_metrics")
    metrics = read_metrics(options.metrics, net)
    hooks = as_hooks(callbacks)
    if given.y is None and isinstance(optimizer, LBFGS):
        raise TypeError("X are batches and optimizer is LBFGS, expected X, y")
    if given.y is None:
        refused = {
            "validation": options.validation,
            "statistics": statistics or None,
            "train_metrics": train_metrics or None,
            "sample_weight": given.sample_weight,
            "class_weight": options.class_weight,
            "rows": given.rows,
            "shards": trainer.shards,
        }
        held_out = read_validation(net, given.X_val, given.y_val, given.sample_weight_val)
        measure(net, held_out, metrics, given.y_val)
        for name, value in refused.items():
            if value is not None:
                raise ValueError(f"{name} is {value} and X are batches, expected {name} with X, y")
        source = BatchSource(given.X, shuffle)
        run: Run = BatchRun(trainer, source, budget, hooks, held_out, metrics, verbose=verbose)
        run.given, run.options = given, options
        return run
    data = read_fit_data(
        net,
        given,
        validation=options.validation,
        seeds=seeds,
        class_weight=options.class_weight,
        metrics=metrics,
        train_metrics=train_metrics,
        stacklevel=stacklevel + 1,
    )
    if isinstance(optimizer, LBFGS):
        if pausing_hooks(hooks):
            raise ValueError(
                "callbacks has a Checkpoint and optimizer is LBFGS, whose memory is in SciPy; "
                "expected another optimizer"
            )
        return lambda reset: lbfgs.fit(
            trainer,
            data,
            budget=budget,
            metrics=metrics,
            hooks=hooks,
            verbose=verbose,
            reset=reset,
        )
    n = data.samples.rows if data.rows is None else len(data.rows)
    n, _ = trainer.together(n, None)
    step_rows = _clipped_step_rows(trainer, n, stacklevel + 1)
    run = ArrayRun(
        trainer,
        data,
        budget,
        hooks,
        metrics,
        shuffle,
        step_rows,
        verbose=verbose,
        statistics=statistics,
    )
    run.given, run.options = given, options
    return run


def _clipped_step_rows(trainer: Trainer, n: int, stacklevel: int) -> int:
    """Return the rows of a step for n samples; warn if they are fewer than a batch."""
    if trainer.batch_size > n:
        warnings.warn(
            f"batch_size is {trainer.batch_size}, and there are {n} samples to train on: each "
            "step takes all of them",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    rows = min(trainer.step_rows, n)
    if trainer.optimizer.rule == "rprop" and rows < n:
        warnings.warn(
            f"a step of Rprop takes {rows} of {n} samples, and it needs the gradient of all: "
            f"expected batch_size {n}",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return rows
