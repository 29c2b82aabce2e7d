"""The record of a training run, `History`, and `DivergenceError` for a run that diverged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad.training.metrics import METRICS
from cygrad.training.statistics import LayerStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cygrad.training.metrics import Metric


class OptimizeResult(NamedTuple):
    """SciPy's report on the end of an optimisation, by the names of ``scipy.optimize``.

    Attributes
    ----------
    status : int
        0: converged, 1: a limit of iterations or evaluations was reached, 2: the line search found
        no lower loss, 99: ended by a callback or by `max_seconds`.
    message : str
        The reason in words.
    nit, nfev : int
        Number of iterations, and of evaluations of the loss of all samples.
    """

    status: int
    message: str
    nit: int
    nfev: int


class History:
    """The values recorded after each epoch of one `Trainer.fit`: lists, one value per epoch.

    ``history["accuracy"]`` is the column of that name, ``history.keys()`` gives the names,
    ``len(history)`` the number of epochs, and ``dict(history)`` all columns. They are

    - ``loss``: loss of the training samples, each with the parameters at its own step; averaged or
      summed over the samples according to the network's ``reduction``; with the optimiser's
      `l2_penalty`;
    - ``accuracy`` or ``mae``: the metric of the same samples, averaged;
    - the names of other metrics, of the training samples after the epoch, only with
      ``fit(train_metrics=True)``;
    - ``val_loss``, ``val_accuracy`` or ``val_mae``, and the other metrics with the same prefix: of
      the validation data, after the epoch; only with such data;
    - ``learning_rate``: of the epoch's first step;
    - ``seconds``: the wall-clock time of the epoch's steps, without validation and callbacks.

    A budget of steps or seconds can end an epoch early. Its row then has the averages over the
    samples of the steps that were done, and `partial_steps` tells how many these are.

    Attributes
    ----------
    stopped : str or None
        Why the training ended: "epochs", "callback", "max_steps", "max_seconds", or "converged" or
        "evaluations" of `LBFGS`; None while it runs, and after an error or an interrupt.
    partial_steps : int
        The steps of the last epoch, if that was ended early; else 0.
    optimize_result : OptimizeResult or None
        `status`, `message`, `nit` and `nfev` of SciPy, after a training by `LBFGS`.

    Parameters
    ----------
    metric : {"accuracy", "mae"}
        Name of the network's metric.
    validated : bool
        Whether there are validation data.
    metrics : sequence of Metric
        Other metrics.
    train_metrics : bool
        Whether these are of the training samples too.

    Attributes
    ----------
    statistics : list of tuple of LayerStatistics
        For each epoch, those of each trained layer; empty unless `fit` was asked for them.
    """

    def __init__(
        self,
        metric: str,
        validated: bool,
        metrics: Sequence[Metric] = (),
        train_metrics: bool = False,
    ) -> None:
        self._metric = metric
        own_names, names = ["loss", metric], [other.name for other in metrics]
        columns = own_names + names if train_metrics else own_names
        if validated:
            columns = columns + [f"val_{name}" for name in own_names + names]
        self._names = (*columns, "learning_rate", "seconds")
        own = METRICS.get(metric)
        self._directions = {
            "loss": False,
            metric: False if own is None else own.higher_is_better,
        }
        for other in metrics:
            self._directions[other.name] = other.higher_is_better
        self.stopped: str | None = None
        self.partial_steps = 0
        self.optimize_result: OptimizeResult | None = None
        # Rows, because an interrupt could leave columns of different lengths.
        self._rows: list[tuple[float, ...]] = []
        self.statistics: list[tuple[LayerStatistics, ...]] = []

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._names:
            raise KeyError(f"{name!r}, expected one of {', '.join(self._names)}")
        column = self._names.index(name)
        return [row[column] for row in self._rows]

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self._names

    def higher_is_better(self, name: str) -> bool | None:
        """Return whether higher values of a column are better; None: neither, or it is not known.

        This is a property of each metric; lower losses are better.
        """
        return self._directions.get(name.removeprefix("val_"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        first, last = self._rows[:1], self._rows[-1:]
        changes = "".join(
            f", {name} {start:.4g} to {end:.4g}"
            for row, final in zip(first, last, strict=True)
            for name, start, end in zip(self._names[:-2], row, final, strict=False)
        )
        plural = "" if len(self) == 1 else "s"
        return f"<History: {len(self)} epoch{plural}{changes}>"

    @property
    def loss(self) -> list[float]:
        """The training loss of each epoch."""
        return self["loss"]

    @property
    def metric(self) -> list[float]:
        """The training accuracy or mean absolute error of each epoch."""
        return self[self._metric]

    @property
    def val_loss(self) -> list[float]:
        """The validation loss after each epoch; empty without validation data."""
        return self._validation("val_loss")

    @property
    def val_metric(self) -> list[float]:
        """The validation metric after each epoch; empty without validation data."""
        return self._validation(f"val_{self._metric}")

    @property
    def learning_rate(self) -> list[float]:
        """The learning rate of each epoch's first step."""
        return self["learning_rate"]

    @property
    def seconds(self) -> list[float]:
        """The wall-clock seconds of each epoch's steps."""
        return self["seconds"]

    def _validation(self, name: str) -> list[float]:
        return self[name] if name in self._names else []

    def append(
        self,
        *row: float,
        partial_steps: int = 0,
        statistics: tuple[LayerStatistics, ...] | None = None,
    ) -> None:
        """Add the row of an epoch, with the statistics of its layers if there are any."""
        self.partial_steps = partial_steps
        self._rows.append(row)
        if statistics is not None:
            self.statistics.append(statistics)

    def state(self) -> dict[str, Any]:
        """Return rows, statistics and end, for a checkpoint."""
        return {
            "names": list(self._names),
            "rows": np.array(self._rows, np.float64).reshape(-1, len(self._names)),
            "statistics": [[list(layer) for layer in epoch] for epoch in self.statistics],
            "stopped": self.stopped,
            "partial_steps": self.partial_steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of `state`."""
        self._rows = [tuple(row) for row in state["rows"].tolist()]
        self.statistics = [
            tuple(LayerStatistics(*layer) for layer in epoch) for epoch in state["statistics"]
        ]
        self.stopped, self.partial_steps = state["stopped"], state["partial_steps"]

    def last(self) -> dict[str, float]:
        """Return the row of the latest epoch as a dict with the names of the columns."""
        return dict(zip(self._names, self._rows[-1], strict=True))


class DivergenceError(ArithmeticError):
    """The loss, a gradient to be clipped or a parameter became NaN or infinite in training.

    After `Trainer.fit` the network has the parameters of the end of the last good epoch, and the
    optimiser's state and step count are zero. After the other methods parameters and optimiser are
    as before the step that diverged.

    Attributes
    ----------
    step : int
        The step in the epoch, or in the call of another method, counted from 1.
    epoch : int or None
        The epoch of `fit`, counted from 1; None for other methods.
    history : History or None
        The good epochs of `fit`; None for other methods.
    """

    def __init__(self, step: int, epoch: int | None = None, history: History | None = None) -> None:
        super().__init__(step, epoch, history)
        self.step = step
        self.epoch = epoch
        self.history = history

    def __str__(self) -> str:
        if self.epoch is None:
            return (
                f"training diverged at step {self.step}: the loss or its gradient became NaN or "
                "infinite; the step was not done"
            )
        good = f"after epoch {self.epoch - 1}" if self.epoch > 1 else "before training"
        return (
            f"training diverged in epoch {self.epoch} at step {self.step}: the loss, its gradient "
            f"or a parameter became NaN or infinite; the parameters are again those {good}"
        )
