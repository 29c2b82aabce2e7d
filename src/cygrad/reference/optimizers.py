"""Optimisers: the rules that update one parameter by its gradient.

Every parameter is updated by itself, so a rule is a function of single numbers. It takes the
parameter's state of the step before and returns the new one; `Trainer` keeps it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["SGD", "Adam"]

LearningRate = float | Callable[[int], float]
"""A number, or a function of the step, counted from 0."""

State = tuple[float, ...]
"""The optimiser's state of one parameter: a velocity, or two moments."""


class Optimizer(Protocol):
    """The attributes of an optimiser that the training loop uses."""

    @property
    def learning_rate(self) -> LearningRate:
        """η, or a function of the step."""

    @property
    def weight_decay(self) -> float:
        """λ: the gradient of a weight is g + λ P."""

    @property
    def initial_state(self) -> State:
        """The state of a parameter before the first step."""

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """Return the new parameter and its new state, with η = `rate` and the step from 0."""


def learning_rate_at(learning_rate: LearningRate, step: int) -> float:
    """Return η of a step, counted from 0."""
    rate = float(learning_rate(step) if callable(learning_rate) else learning_rate)
    if not (rate >= 0 and math.isfinite(rate)):
        raise ValueError(f"learning_rate is {rate} at step {step}, expected a number from 0")
    return rate


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum μ and weight decay λ.

    With P a parameter and g its gradient::

        g ← g + λ P                              for weights, not for biases
        P ← P − η g                              where μ = 0
        V ← μ V − η g,  P ← P + V                with momentum
        V ← μ V − η g,  P ← P + μ V − η g        with Nesterov's momentum

    Parameters
    ----------
    learning_rate : float or callable
        η, or a function of the step, counted from 0.
    momentum : float
        μ, from 0 to below 1.
    nesterov : bool
        Use Nesterov's momentum; needs a momentum above 0.
    weight_decay : float
        λ, from 0.

    Notes
    -----
    I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and
    momentum in deep learning", ICML 2013.
    """

    learning_rate: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_learning_rate(self.learning_rate)
        check_fraction("momentum", self.momentum)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is True with momentum 0, expected a momentum above 0")
        check_not_negative("weight_decay", self.weight_decay)

    @property
    def initial_state(self) -> State:
        """The velocity V = 0; nothing without momentum."""
        return (0.0,) if self.momentum > 0 else ()

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η g, or V ← μ V − η g and P ← P + V, or P ← P + μ V − η g."""
        if self.momentum == 0:
            return parameter - rate * gradient, ()
        (velocity,) = state
        velocity = self.momentum * velocity - rate * gradient
        if self.nesterov:
            return parameter + self.momentum * velocity - rate * gradient, (velocity,)
        return parameter + velocity, (velocity,)


@dataclass(frozen=True)
class Adam:
    """Adam with weight decay λ.

    With P a parameter, g its gradient and t the step, counted from 1::

        g ← g + λ P                              for weights, not for biases
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        P ← P − η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

    Parameters
    ----------
    learning_rate : float or callable
        η, or a function of the step, counted from 0.
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    weight_decay : float
        λ, from 0.

    Notes
    -----
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_learning_rate(self.learning_rate)
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)
        if not (self.eps > 0 and math.isfinite(self.eps)):
            raise ValueError(f"eps is {self.eps}, expected a number above 0")
        check_not_negative("weight_decay", self.weight_decay)

    @property
    def initial_state(self) -> State:
        """m = v = 0."""
        return (0.0, 0.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η m̂ / (√v̂ + ε)."""
        m, v = state
        t = step + 1
        m = self.beta1 * m + (1 - self.beta1) * gradient
        v = self.beta2 * v + (1 - self.beta2) * gradient * gradient
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        return parameter - rate * m_hat / (math.sqrt(v_hat) + self.eps), (m, v)


def check_learning_rate(learning_rate: LearningRate) -> None:
    """Check that a constant learning rate is at least 0; `learning_rate_at` checks a callable."""
    if not callable(learning_rate):
        check_not_negative("learning_rate", learning_rate)


def check_not_negative(name: str, value: float) -> None:
    """Check that a number is finite and at least 0."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}, expected a number from 0")


def check_fraction(name: str, value: float) -> None:
    """Check that a number is in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}, expected a number from 0 to below 1")
