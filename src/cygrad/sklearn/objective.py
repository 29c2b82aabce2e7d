"""The losses of the estimators: scikit-learn's, and every loss of the package.

What an estimator minimises is c · C + ½ α ΣW² / Σw, where C is the loss of the package, Σw the rows
of the batch or the sum of their weights, and c makes C the sum of scikit-learn's over the targets,
or their mean. A descent of C + ½ (α / c) ΣW² / Σw with the rates and ε below does the same steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cygrad.network.loss_functions import CUSTOM, LossFunction
from cygrad.network.losses import LOSSES, loss_name, row_of

if TYPE_CHECKING:
    from cygrad.network.loss_functions import CustomLoss

    NetworkLoss = str | LossFunction | CustomLoss


class Objective(NamedTuple):
    """A loss for a network, and how it is scaled.

    Attributes
    ----------
    loss : str, LossFunction or function
        The loss of the network.
    activation : str
        Activation of the output layer.
    units : int
        Number of its units.
    descent_factor : float
        c for steps of descent.
    reported_factor : float
        c for what is reported, and what L-BFGS minimises.
    """

    loss: NetworkLoss
    activation: str
    units: int
    descent_factor: float = 1.0
    reported_factor: float = 1.0


#: The names of scikit-learn for the activations of output layers.
OUTPUT_NAMES = {"sigmoid": "logistic"}

#: Names of scikit-learn's losses of regression.
REGRESSION_LOSSES = {"squared_error": "quadratic", "absolute_error": "mae"}


def names_for_numbers() -> list[str]:
    """Return the names of the losses whose targets can be any numbers, or counts."""
    fitting = [name for name, row in LOSSES.items() if row.targets in ("numbers", "counts")]
    return sorted({*fitting, *REGRESSION_LOSSES})


def names_for_classes() -> list[str]:
    """Return the names of the losses of classes."""
    fitting = [name for name, row in LOSSES.items() if row.labels or row.decides_at_half]
    return sorted({*fitting, "log_loss"})


def of_numbers(loss: NetworkLoss, targets: int, mean_gradient: bool) -> Objective:
    """Return the objective of a regressor for so many targets.

    Parameters
    ----------
    mean_gradient : bool
        Whether descent goes down the mean over the targets that is reported. In scikit-learn it
        goes down the sum of squared errors.
    """
    if isinstance(loss, str) and loss in REGRESSION_LOSSES:
        loss = REGRESSION_LOSSES[loss]
        if loss == "quadratic":
            share = 1 / targets
            return Objective(loss, "identity", targets, share if mean_gradient else 1.0, share)
        return Objective(loss, "identity", targets)
    name = loss_name(loss)
    if name == "poisson":  # here the mean over the targets, in scikit-learn their sum
        return Objective(loss, "exp", targets, float(targets), float(targets))
    units = targets
    if name == "gaussian_nll":
        units = 2 * targets
    elif isinstance(loss, LossFunction) and loss.repeats_targets and targets == 1:
        units = len(loss.parameters)
    return Objective(loss, row_of(loss).activation or "identity", units)


def of_classes(loss: NetworkLoss, kind: str, classes: int) -> Objective:
    """Return the objective of a classifier.

    Parameters
    ----------
    kind : {"binary", "multiclass", "multilabel"}
        As in `Labels`.
    """
    if loss == "log_loss":
        if kind == "multiclass":
            return Objective("cross_entropy", "softmax", classes)
        return Objective("binary_cross_entropy", "sigmoid", 1 if kind == "binary" else classes)
    row = row_of(loss)
    if loss_name(loss) == CUSTOM:  # a function takes class indices, or rows of 0 and 1, as they are
        return Objective(loss, "identity", classes if kind == "multilabel" else max(classes, 2))
    if kind == "multilabel" and not row.decides_at_half:
        raise ValueError(
            f"loss is {loss!r} and y has several labels for each sample; expected 'log_loss' or "
            "a binary_cross_entropy"
        )
    if kind == "multiclass" and not row.labels:
        raise ValueError(
            f"loss is {loss!r} and y has {classes} classes; expected a loss of classes, one of "
            f"{', '.join(name for name in names_for_classes() if name != 'binary_cross_entropy')}"
        )
    if row.decides_at_half:
        return Objective(loss, "sigmoid", 1 if kind == "binary" else classes)
    return Objective(loss, row.activation or "identity", max(classes, 2))


def takes_several_labels(loss: Any) -> bool:
    """Return whether a classifier with the loss can have several labels for each sample.

    Also True for what is no loss: parameters are validated by `fit` only.
    """
    if isinstance(loss, str) and loss not in LOSSES:
        return True
    return loss_name(loss) == CUSTOM or row_of(loss).decides_at_half


def reported_loss(objective: Objective, losses: Any, penalties: Any) -> Any:
    """Return the loss of batches in scikit-learn's sense, from the network's and the penalties'.

    The penalties are those of α / c.
    """
    return objective.reported_factor * losses + objective.descent_factor * penalties
