"""The optimisers of the estimators: scikit-learn's solvers, and those of the package."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.training import LBFGS, SGD, Adam, Trainer
from cygrad.training.optimizers import OPTIMIZERS, Optimizer

if TYPE_CHECKING:
    from cygrad.sklearn.objective import Objective

#: SciPy's default of `ftol`, which scikit-learn uses.
LOSS_TOLERANCE = 1e7 * np.finfo(np.float64).eps
#: Values of `alpha`, none and the default, that can stand beside an optimiser without a warning.
UNUSED_ALPHA = (0, 0.0001)


def optimizer_of(estimator: Any, objective: Objective) -> Optimizer:
    """Return the optimiser for the parameters of an estimator."""
    solver, factor = estimator.solver, objective.descent_factor
    if isinstance(solver, Optimizer):
        if estimator.alpha not in UNUSED_ALPHA:
            warnings.warn(
                f"alpha is {estimator.alpha} and not used: solver is {solver!r}, with its own "
                "l2_penalty or weight_decay",
                UserWarning,
                stacklevel=6,
            )
        return solver
    schedule = estimator.learning_rate
    rate: Any = float(estimator.learning_rate_init)
    if callable(schedule):
        rate = schedule
    penalty = float(estimator.alpha) / factor
    if solver == "sgd":
        return SGD(
            rate,
            momentum=float(estimator.momentum),
            nesterov=bool(estimator.nesterovs_momentum and estimator.momentum > 0),
            l2_penalty=penalty,
        )
    if solver == "adam":
        return Adam(
            rate,
            float(estimator.beta_1),
            float(estimator.beta_2),
            float(estimator.epsilon) / factor,
            l2_penalty=penalty,
            epsilon_hat=True,
        )
    return OPTIMIZERS[solver].optimizer(rate, l2_penalty=penalty)


def lbfgs_of(estimator: Any, objective: Objective) -> LBFGS:
    """Return L-BFGS with the limits of scikit-learn, for the loss that is reported."""
    factor = objective.descent_factor
    return LBFGS(
        max_iterations=int(estimator.max_iter),
        tolerance=float(estimator.tol) / factor,
        l2_penalty=float(estimator.alpha) / factor,
        max_evaluations=int(estimator.max_fun),
        loss_tolerance=LOSS_TOLERANCE,
    )


def rate_factor(estimator: Any, objective: Objective) -> float:
    """Return the factor of the learning rates: only the steps of SGD grow with the loss."""
    return objective.descent_factor if estimator.solver == "sgd" else 1.0


def carry_over(before: Trainer, after: Trainer) -> None:
    """Go on with the state of another trainer, if its optimiser has the same kind of state."""
    if type(before.optimizer) is not type(after.optimizer):
        return
    with before.exclusive() as source:
        state, steps = [np.array(array) for array in source.state], source.steps
    with after.exclusive() as target:
        if len(state) == len(target.state):
            target.steps = steps
            for array, saved in zip(target.state, state, strict=True):
                np.copyto(array, saved)
