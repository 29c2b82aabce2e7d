"""Optimisers: the update rules and their hyperparameters.

An optimiser is a value: it can be compared, hashed, copied and shared by several trainers. The
trainer holds the state of a run (velocities, moments, the count of steps), and the engine computes
the updates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cygrad import checks
from cygrad.training.schedules import Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LearningRate = float | Callable[[int], float]


__all__ = ["SGD", "Adam"]


class Optimizer(ABC):
    """Base class of all optimisers, with a learning rate for every step."""

    learning_rate: LearningRate

    @property
    @abstractmethod
    def rule(self) -> str:
        """Name of the update rule in the engine."""

    @property
    @abstractmethod
    def hyperparameters(self) -> dict[str, float]:
        """Hyperparameters of the rule, under their names in the engine."""

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        Raises
        ------
        TypeError, ValueError
            As `learning_rates`.
        """
        rate = self.learning_rate
        return _checked_rate(step, rate(step)) if callable(rate) else rate

    def learning_rates(self, first_step: int, count: int) -> NDArray[np.float64]:
        """Return the learning rates of consecutive steps.

        Parameters
        ----------
        first_step, count : int
            The first step, counted from 0, and the number of steps.

        Returns
        -------
        ndarray of float64, shape (count,)

        Raises
        ------
        TypeError, ValueError
            If the schedule or function returns anything but finite numbers of at least 0.
        """
        rate = self.learning_rate
        if not callable(rate):
            return np.full(count, rate)
        steps = range(first_step, first_step + count)
        if not isinstance(rate, Schedule):
            rates = [_checked_rate(step, rate(step)) for step in steps]
            return np.array(rates, dtype=np.float64)
        values = np.ascontiguousarray(
            rate.values(np.arange(first_step, first_step + count)), dtype=np.float64
        )
        if values.shape != (count,):
            raise ValueError(
                f"learning_rate gave values of shape {values.shape}, expected ({count},)"
            )
        if not ((values >= 0) & (values < np.inf)).all():
            for step, value in zip(steps, values, strict=True):
                _checked_rate(step, value)
        return values


def _checked_rate(step: int, value: object) -> float:
    return checks.number(value, f"learning_rate at step {step}", least=0)


def _check_learning_rate(optimizer: Optimizer) -> None:
    rate = optimizer.learning_rate
    if isinstance(rate, type):
        raise TypeError(f"learning_rate is the class {rate.__name__}, expected an instance of it")
    if not callable(rate):
        number = checks.number(rate, "learning_rate", least=0)
        object.__setattr__(optimizer, "learning_rate", number)


def _check_numbers(optimizer: Optimizer, *names: str) -> None:
    """Check the named numbers of a frozen optimiser, at least 0, and store them as floats."""
    for name in names:
        number = checks.number(getattr(optimizer, name), name, least=0)
        object.__setattr__(optimizer, name, number)


def _check_fractions(optimizer: Optimizer, *names: str) -> None:
    """Check the named numbers of a frozen optimiser, 0 to below 1, and store them as floats."""
    _check_numbers(optimizer, *names)
    for name in names:
        number = getattr(optimizer, name)
        if number >= 1:
            raise ValueError(f"{name} is {number}, expected a number from 0 to below 1")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay.

    With the gradient g = ∂C/∂P of a parameter P, its velocity V (0 at first) and the learning
    rate η::

        momentum 0     P ← P − η g
        momentum μ     V ← μ V − η g;  P ← P + V
        nesterov       V ← μ V − η g;  P ← P + μ V − η g

    Weight decay λ adds λ W to the gradients of the weights; biases are not decayed.

    Parameters
    ----------
    learning_rate : float, schedule or function of (step)
        η, 0 or more; steps count from 0. `cygrad.training.schedules` has schedules.
    momentum : float
        μ, from 0 to below 1.
    nesterov : bool
        Use Nesterov's momentum; needs a momentum above 0.
    weight_decay : float
        λ, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    B. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum
    in deep learning", ICML 2013: Nesterov's momentum in this form.
    """

    learning_rate: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_learning_rate(self)
        _check_fractions(self, "momentum")
        _check_numbers(self, "weight_decay")
        checks.flag(self.nesterov, "nesterov")
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov is True and momentum is 0, expected a momentum above 0 with it"
            )

    @property
    def rule(self) -> str:
        if self.nesterov:
            return "nesterov"
        return "momentum" if self.momentum else "sgd"

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {"momentum": self.momentum, "weight_decay": self.weight_decay}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: steps scaled by running moments of the gradient.

    With the gradient g = ∂C/∂P of a parameter P, its moments m and v (0 at first), the learning
    rate η and the step t, counted from 1 in these equations::

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        P ← P − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    Weight decay λ adds λ W to the gradients of the weights, before the moments; biases are not
    decayed.

    Parameters
    ----------
    learning_rate : float, schedule or function of (step)
        η, 0 or more; steps count from 0. `cygrad.training.schedules` has schedules.
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    weight_decay : float
        λ, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_learning_rate(self)
        _check_fractions(self, "beta1", "beta2")
        _check_numbers(self, "weight_decay", "eps")
        if self.eps == 0:
            raise ValueError("eps is 0, expected a number above 0")

    @property
    def rule(self) -> str:
        return "adam"

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.eps,
            "weight_decay": self.weight_decay,
        }


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


OPTIMIZERS = {"adam": OptimizerChoice(Adam, 1e-3), "sgd": OptimizerChoice(SGD, 1e-2)}
