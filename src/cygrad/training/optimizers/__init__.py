"""Optimisers: the update rules and their hyperparameters.

An optimiser is a value: it can be compared, hashed, copied and shared by several trainers. The
trainer holds the state of a run (velocities, moments, the count of steps), and the engine computes
the updates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from cygrad.training.optimizers.base import Optimizer as Optimizer
from cygrad.training.optimizers.descent import SGD, Lion, Rprop
from cygrad.training.optimizers.moments import Adam, Adamax, AdamW, NAdam, RAdam
from cygrad.training.optimizers.scaled import Adadelta, Adagrad, RMSProp

if TYPE_CHECKING:
    from cygrad.training.optimizers.base import LearningRate as LearningRate

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "RAdam",
    "RMSProp",
    "Rprop",
]


class OptimizerChoice(NamedTuple):
    """An optimiser as the command line offers it.

    Attributes
    ----------
    optimizer : class
    learning_rate : float
        The default of the command line.
    """

    optimizer: Callable[..., Optimizer]
    learning_rate: float

    @property
    def has_momentum(self) -> bool:
        """True if the optimiser has an argument `momentum`."""
        return hasattr(self.optimizer, "momentum")


OPTIMIZERS = {
    "adam": OptimizerChoice(Adam, 1e-3),
    "adamw": OptimizerChoice(AdamW, 1e-3),
    "sgd": OptimizerChoice(SGD, 1e-2),
    "adadelta": OptimizerChoice(Adadelta, 1.0),
    "adagrad": OptimizerChoice(Adagrad, 1e-2),
    "adamax": OptimizerChoice(Adamax, 2e-3),
    "lion": OptimizerChoice(Lion, 1e-4),
    "nadam": OptimizerChoice(NAdam, 2e-3),
    "radam": OptimizerChoice(RAdam, 1e-3),
    "rmsprop": OptimizerChoice(RMSProp, 1e-3),
    "rprop": OptimizerChoice(Rprop, 1e-3),
}
