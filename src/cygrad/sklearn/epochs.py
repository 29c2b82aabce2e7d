"""The work between the epochs of descent, as in scikit-learn: losses, scores, rates, stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.sklearn.objective import reported_loss
from cygrad.training.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import RandomState
    from numpy.typing import NDArray

    from cygrad.sklearn.objective import Objective
    from cygrad.sklearn.validation import Scorer
    from cygrad.training import Trainer

#: A learning rate that "adaptive" does not lower any more.
SMALLEST_RATE = 1e-6


class Orders:
    """The orders of the samples, drawn as scikit-learn does: each epoch permutes the last order."""

    def __init__(self, random: RandomState) -> None:
        self._random = random
        self.latest: NDArray[np.intp] | None = None

    def __call__(self, n: int) -> NDArray[np.intp]:
        permutation = np.arange(n)
        self._random.shuffle(permutation)
        self.latest = permutation if self.latest is None else self.latest[permutation]
        return self.latest


class Epochs(Callback):
    """Record each epoch in the attributes of an estimator, and decide how training goes on.

    Parameters
    ----------
    estimator : estimator
        Its attributes `n_iter_`, `t_`, `loss_`, `loss_curve_`, `best_loss_` and those of the
        validation are written.
    objective : Objective
    rows, batch_size : int
    orders : Orders or None
    weights : ndarray of float64 or None
        Of the samples to train on, for losses of batches that have any weight.
    constants : ndarray of float64 or None
        What scikit-learn's loss of each sample has besides the network's.
    scorer : function of trainer and the epoch's logs, or None
        Returns the validation score; None: there is no validation.
    incremental : bool
        Whether there is one epoch only, and nothing to be said about convergence.

    Attributes
    ----------
    reached_limit : bool
        Whether all `max_iter` epochs are over, and none has ended the training.
    """

    def __init__(
        self,
        estimator: Any,
        objective: Objective,
        rows: int,
        batch_size: int,
        orders: Orders | None,
        weights: NDArray[np.float64] | None,
        constants: NDArray[np.float64] | None,
        scorer: Scorer | None,
        incremental: bool,
    ) -> None:
        self._estimator, self._objective = estimator, objective
        self._rows, self._orders, self._weights = rows, orders, weights
        self._constants, self._scorer, self._incremental = constants, scorer, incremental
        self.reached_limit = False
        self._starts = np.arange(0, rows, batch_size)
        self._sizes = np.minimum(float(batch_size), rows - self._starts)

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Mapping[str, float]) -> bool:
        est = self._estimator
        est.n_iter_ += 1
        est.loss_ = self._loss(trainer)
        est.t_ += self._rows
        est.loss_curve_.append(est.loss_)
        if est.verbose:
            print(f"Iteration {est.n_iter_}, loss = {est.loss_:.8f}")
        if self._scorer is not None:
            est.validation_scores_.append(self._scorer(trainer, logs))
            if est.verbose:
                print(f"Validation score: {est.validation_scores_[-1]:f}")
        if est.early_stopping:
            self._count_scores(trainer)
        else:
            self._count_losses()
        if est.solver == "sgd" and est.learning_rate == "invscaling":
            trainer.learning_rate_scale = est._rate_factor / (est.t_ + 1) ** est.power_t
        if est._no_improvement_count > est.n_iter_no_change and self._stops(trainer):
            return True
        self.reached_limit = not self._incremental and est.n_iter_ == est.max_iter
        return False

    def _loss(self, trainer: Trainer) -> float:
        """Return the mean over the epoch of the losses of the batches, by their rows."""
        losses = reported_loss(self._objective, trainer.batch_losses, trainer.batch_penalties)
        sizes = self._sizes
        if self._weights is None:
            total = float(losses @ sizes)
            if self._constants is not None:
                total += float(self._constants.sum())
            return total / self._rows
        order = slice(None) if self._orders is None else self._orders.latest
        weights = self._weights[order]
        of_batches = np.add.reduceat(weights, self._starts)
        counts = of_batches > 0
        if self._constants is not None:
            sums = np.add.reduceat(weights * self._constants[order], self._starts)
            losses = losses + sums[counts] / of_batches[counts]
        return float(losses @ sizes[counts]) / self._rows

    def _count_losses(self) -> None:
        est = self._estimator
        if est.loss_ > est.best_loss_ - est.tol:
            est._no_improvement_count += 1
        else:
            est._no_improvement_count = 0
        est.best_loss_ = min(est.loss_, est.best_loss_)

    def _count_scores(self, trainer: Trainer) -> None:
        est = self._estimator
        score = est.validation_scores_[-1]
        # A score that is NaN is no improvement, unlike in scikit-learn.
        if score >= est.best_validation_score_ + est.tol:
            est._no_improvement_count = 0
        else:
            est._no_improvement_count += 1
        if score > est.best_validation_score_:
            est.best_validation_score_ = score
            est._best_parameters = trainer.net.parameters

    def _stops(self, trainer: Trainer) -> bool:
        """Return whether training ends for want of progress; else lower the rate."""
        est = self._estimator
        what = "Validation score" if est.early_stopping else "Training loss"
        text = (
            f"{what} did not improve more than tol={est.tol:f} for {est.n_iter_no_change} "
            "consecutive epochs."
        )
        stops = True
        if est.solver == "sgd" and est.learning_rate == "adaptive":
            stops = est.learning_rate_ <= SMALLEST_RATE
            if stops:
                text += " Learning rate too small. Stopping."
            else:
                trainer.learning_rate_scale /= 5
                text += f" Setting learning rate to {est.learning_rate_:f}"
                est._no_improvement_count = 0
        else:
            text += " Stopping."
        if est.verbose:
            print(text)
        return stops


class Iterations(Callback):
    """Record each iteration of L-BFGS in the attributes of an estimator.

    Parameters
    ----------
    constant : float
        What scikit-learn's loss has besides the network's.
    """

    def __init__(
        self, estimator: Any, objective: Objective, constant: float, scorer: Scorer | None
    ) -> None:
        self._estimator, self._scorer = estimator, scorer
        self._factor, self._constant = objective.reported_factor, constant

    def record(self, loss: float) -> None:
        """Record the loss of all samples, with the penalty."""
        self._estimator.loss_ = self._factor * loss + self._constant

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Mapping[str, float]) -> None:
        est = self._estimator
        est.n_iter_ = epoch
        self.record(logs["loss"])
        if est.verbose:
            print(f"Iteration {epoch}, loss = {est.loss_:.8f}")
        if self._scorer is not None:
            est.validation_scores_.append(self._scorer(trainer, logs))
