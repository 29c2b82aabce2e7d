"""Estimators of several networks, `n_members`: they are trained side by side and averaged."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from cygrad.threads import default_threads
from cygrad.training.many.crew import side_by_side

if TYPE_CHECKING:
    from cygrad.sklearn.estimator import Perceptron

MOST_SEED = np.iinfo(np.int32).max
#: Parameters that members have of their own.
OWN = ("random_state", "n_members")


def fit_members(estimator: Perceptron, *data: Any) -> None:
    """Fit all members of an estimator; it gets the attributes of the first one.

    Each is fitted as an estimator of one network, with a seed drawn from `random_state`. With
    `warm_start` members go on from their own networks. If one of them cannot be fitted, its error
    is raised, and the estimator stays as it was.
    """
    parameters = estimator.get_params(deep=False)
    before: list[Perceptron] | None = estimator.__dict__.get("estimators_")
    if estimator.warm_start and before is not None and len(before) == estimator.n_members:
        members = before
        shared = {name: value for name, value in parameters.items() if name not in OWN}
        for member in members:
            member.set_params(**shared)
    else:
        random = check_random_state(estimator.random_state)
        seeds = random.randint(MOST_SEED, size=estimator.n_members).tolist()
        members = [clone(estimator).set_params(random_state=seed, n_members=1) for seed in seeds]
    most = estimator.n_threads or default_threads()
    for outcome in side_by_side([partial(member.fit, *data) for member in members], most):
        outcome.of_success()
    found = {name: value for name, value in members[0].__dict__.items() if name not in parameters}
    # What an earlier fit has left; scikit-learn keeps attributes of its own, beginning with "_".
    for name in estimator.__dict__.keys() - parameters.keys():
        if name.endswith("_") or name in ("_trainer", "_best_parameters"):
            del estimator.__dict__[name]
    estimator.__dict__.update(found)
    estimator.estimators_ = members
