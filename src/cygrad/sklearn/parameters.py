"""The values that each parameter can have, in the terms of scikit-learn's own validation."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from cygrad.network.activations import ACTIVATIONS, ChosenActivation
from cygrad.network.loss_functions import LossFunction
from cygrad.training.metrics import Metric
from cygrad.training.optimizers import OPTIMIZERS, Optimizer

#: Names of scikit-learn for what has another name here.
SCIKIT_LEARN_ACTIVATIONS = {"logistic": "sigmoid"}
HIDDEN_ACTIVATIONS = {*ACTIVATIONS, *SCIKIT_LEARN_ACTIVATIONS} - {"softmax"}
#: Optimisers of the package that take `alpha`, as scikit-learn's do, and `learning_rate_init`.
OPTIMIZERS_BY_NAME = sorted(
    name
    for name, choice in OPTIMIZERS.items()
    if name not in ("adam", "sgd", "rprop") and hasattr(choice.optimizer, "l2_penalty")
)

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(HIDDEN_ACTIVATIONS), ChosenActivation, list, tuple],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", *OPTIMIZERS_BY_NAME}), Optimizer],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean", str, Metric],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "callbacks": [list, tuple],
    "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    "dtype": [None, StrOptions({"float32", "float64"})],
    "n_members": [Interval(Integral, 1, None, closed="left")],
}
LOSS_OBJECTS = [LossFunction, callable]
