"""Optimisers: the rules that update one parameter by its gradient.

Every parameter is updated by itself, so a rule is a function of single numbers. It takes the
parameter's state of the step before and returns the new one; `Trainer` keeps it. Around the rule,
`Trainer` does the same for all optimisers::

    g ← ∂C/∂P + (λ + α / s) P                weight decay λ, penalty ½ α ΣP² / s
    P ← P (1 − η λ′)                         decoupled decay λ′
    the rule
    P ← sign(P) max(|P| − η l₁, 0)           l1: weights become exactly 0
    w ← w c / ‖w‖  where ‖w‖ > c             max-norm c, w the weights of one unit

each for weights and not for biases. 1/s is the scale of the batch's loss: one over its rows for the
mean, 1 for the sum. η is the step's learning rate, times the layer's factor.
"""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

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

LearningRate = float | Callable[[int], float]
"""A number, or a function of the step, counted from 0."""

State = tuple[float, ...]
"""The optimiser's state of one parameter: velocities, moments, or step sizes."""


class Optimizer(Protocol):
    """The attributes of an optimiser that the training loop uses."""

    @property
    def learning_rate(self) -> LearningRate:
        """η, or a function of the step."""

    @property
    def gradient_decay(self) -> float:
        """λ: the gradient of a weight is g + λ P."""

    @property
    def l2_penalty(self) -> float:
        """α: the loss of a batch includes ½ α ΣP² / s over the weights P."""

    @property
    def step_decay(self) -> float:
        """λ′: a weight is multiplied by 1 − η λ′ before each step."""

    @property
    def l1(self) -> float:
        """After each step a weight moves by up to η l₁ to 0."""

    @property
    def max_norm(self) -> float | None:
        """The limit of the norm of a unit's weights."""

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


def shrunk(parameter: float, threshold: float) -> float:
    """sign(P) max(|P| − threshold, 0)"""
    return math.copysign(max(abs(parameter) - threshold, 0.0), parameter)


@dataclass(frozen=True)
class Regularization:
    """What every optimiser has besides its rule; `AdamW` has its decay under another name."""

    _: KW_ONLY
    decoupled_decay: float = 0.0
    l2_penalty: float = 0.0
    l1: float = 0.0
    max_norm: float | None = None

    @property
    def gradient_decay(self) -> float:
        """The optimiser's `weight_decay`."""
        decay: float = getattr(self, "weight_decay")  # noqa: B009  each subclass has it
        return decay

    @property
    def step_decay(self) -> float:
        """`decoupled_decay`."""
        return self.decoupled_decay

    def check(self, **numbers: Any) -> None:
        """Check the numbers of all optimisers, and others that must be 0 or more."""
        check_learning_rate(getattr(self, "learning_rate"))  # noqa: B009
        numbers |= {"weight_decay": getattr(self, "weight_decay")}  # noqa: B009
        numbers |= {"decoupled_decay": self.decoupled_decay, "l1": self.l1}
        numbers |= {"l2_penalty": self.l2_penalty}
        for name, value in numbers.items():
            check_not_negative(name, value)
        if self.max_norm is not None:
            check_positive("max_norm", self.max_norm)


@dataclass(frozen=True)
class SGD(Regularization):
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
        self.check()
        check_fraction("momentum", self.momentum)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is True with momentum 0, expected a momentum above 0")

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
class Adam(Regularization):
    """Adam with weight decay λ.

    With P a parameter, g its gradient and t the step, counted from 1::

        g ← g + λ P                              for weights, not for biases
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        P ← P − η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
        P ← P − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) m / (√v + ε)           with `epsilon_hat`

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
    amsgrad : bool
        Divide by the root of the largest v so far.
    epsilon_hat : bool
        Add ε to √v, before the correction: the ε̂ of section 2 of the paper.

    Notes
    -----
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015. S. J. Reddi,
    S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018: AMSGrad.
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False
    epsilon_hat: bool = False

    def __post_init__(self) -> None:
        self.check()
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """m = v = 0; and the largest v with `amsgrad`."""
        return (0.0, 0.0, 0.0) if self.amsgrad else (0.0, 0.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η m̂ / (√v̂ + ε), or √(1 − β₂ᵗ) m̂ / (√v + ε) in place of m̂ / (√v̂ + ε)."""
        t = step + 1
        m = self.beta1 * state[0] + (1 - self.beta1) * gradient
        v = self.beta2 * state[1] + (1 - self.beta2) * gradient * gradient
        moments = (m, v, max(state[2], v)) if self.amsgrad else (m, v)
        m_hat = m / (1 - self.beta1**t)
        if self.epsilon_hat:
            rate *= math.sqrt(1 - self.beta2**t)
            return parameter - rate * m_hat / (math.sqrt(moments[-1]) + self.eps), moments
        v_hat = moments[-1] / (1 - self.beta2**t)
        return parameter - rate * m_hat / (math.sqrt(v_hat) + self.eps), moments


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay is decoupled: P ← P (1 − η λ) before the step, 0.01 by default.

    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    weight_decay: float = 1e-2

    @property
    def gradient_decay(self) -> float:
        """0: the gradient is not changed."""
        return 0.0

    @property
    def step_decay(self) -> float:
        """`weight_decay`, and `decoupled_decay`, which is 0."""
        return self.weight_decay + self.decoupled_decay


@dataclass(frozen=True)
class NAdam(Regularization):
    """Adam with Nesterov's momentum.

    With the moments m and v of Adam, t from 1, and ψ the momentum decay::

        μₜ = β₁ (1 − ½ · 0.96^(t ψ))
        P ← P − η ((1 − μₜ) / (1 − μ₁ ⋯ μₜ) g + μₜ₊₁ / (1 − μ₁ ⋯ μₜ₊₁) m) / (√v̂ + ε)

    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    learning_rate: LearningRate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    momentum_decay: float = 4e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check(momentum_decay=self.momentum_decay)
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """m = v = 0."""
        return (0.0, 0.0)

    def mu(self, t: int) -> float:
        """μₜ."""
        return self.beta1 * (1 - 0.5 * math.pow(0.96, t * self.momentum_decay))

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − (η₁ g + η₂ m) / (√v̂ + ε)."""
        t = step + 1
        m = self.beta1 * state[0] + (1 - self.beta1) * gradient
        v = self.beta2 * state[1] + (1 - self.beta2) * gradient * gradient
        product = math.prod(self.mu(i) for i in range(1, t + 1))
        gradient_rate = rate * (1 - self.mu(t)) / (1 - product)
        moment_rate = rate * self.mu(t + 1) / (1 - product * self.mu(t + 1))
        root = math.sqrt(v / (1 - self.beta2**t)) + self.eps
        return parameter - (gradient_rate * gradient + moment_rate * m) / root, (m, v)


@dataclass(frozen=True)
class RAdam(Regularization):
    """Rectified Adam: like momentum until the variance of 1/√v̂ is known to be finite.

    With the moments m and v of Adam, t from 1, ρ∞ = 2 / (1 − β₂) − 1 and
    ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)::

        ρₜ ≤ 5      P ← P − η m̂
        ρₜ > 5      P ← P − η m̂ rₜ √(1 − β₂ᵗ) / (√v + ε)
        rₜ = √((ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ))

    L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check()
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """m = v = 0."""
        return (0.0, 0.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η m̂, scaled and rectified once ρₜ > 5."""
        t = step + 1
        m = self.beta1 * state[0] + (1 - self.beta1) * gradient
        v = self.beta2 * state[1] + (1 - self.beta2) * gradient * gradient
        m_hat = m / (1 - self.beta1**t)
        limit = 2 / (1 - self.beta2) - 1
        rho = limit - 2 * t * self.beta2**t / (1 - self.beta2**t)
        if rho <= 5:
            return parameter - rate * m_hat, (m, v)
        rectified = math.sqrt(
            (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho) * (1 - self.beta2**t)
        )
        return parameter - rate * m_hat * rectified / (math.sqrt(v) + self.eps), (m, v)


@dataclass(frozen=True)
class Adamax(Regularization):
    """Adam with the largest gradient so far, u, in place of √v̂.

    With g the gradient, m as in Adam and t from 1::

        u ← max(β₂ u, |g| + ε)
        P ← P − η m̂ / u

    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 2.
    """

    learning_rate: LearningRate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check()
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """m = u = 0."""
        return (0.0, 0.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η m̂ / u."""
        m = self.beta1 * state[0] + (1 - self.beta1) * gradient
        u = max(self.beta2 * state[1], abs(gradient) + self.eps)
        return parameter - rate * m / (1 - self.beta1 ** (step + 1)) / u, (m, u)


@dataclass(frozen=True)
class RMSProp(Regularization):
    """Steps scaled by the root of a running mean of g².

    With g the gradient, v and ḡ running means and V a velocity, all 0 at first::

        v ← ρ v + (1 − ρ) g²
        ḡ ← ρ ḡ + (1 − ρ) g                      centered; v − ḡ² is in place of v then
        P ← P − η g / (√v + ε)                   where μ = 0
        V ← μ V + η g / (√v + ε),  P ← P − V     with momentum

    T. Tieleman and G. Hinton, "Lecture 6.5: RMSprop", 2012. A. Graves, "Generating sequences with
    recurrent neural networks", 2013: centered, with momentum.
    """

    learning_rate: LearningRate = 1e-2
    rho: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check()
        check_fraction("rho", self.rho)
        check_fraction("momentum", self.momentum)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """v, and ḡ and V where there are such."""
        return (0.0,) * (1 + self.centered + (self.momentum > 0))

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η g / (√v + ε), or V ← μ V + η g / (√v + ε) and P ← P − V."""
        v = self.rho * state[0] + (1 - self.rho) * gradient * gradient
        new_state, variance = [v], v
        if self.centered:
            mean = self.rho * state[1] + (1 - self.rho) * gradient
            new_state.append(mean)
            variance = max(v - mean * mean, 0.0)
        move = rate * gradient / (math.sqrt(variance) + self.eps)
        if self.momentum > 0:
            move += self.momentum * state[-1]
            new_state.append(move)
        return parameter - move, tuple(new_state)


@dataclass(frozen=True)
class Adagrad(Regularization):
    """Steps scaled by the root of the sum of all g²: s ← s + g²;  P ← P − η g / (√s + ε).

    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12 (2011).
    """

    learning_rate: LearningRate = 1e-2
    eps: float = 1e-10
    initial_accumulator: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check(initial_accumulator=self.initial_accumulator)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """s."""
        return (self.initial_accumulator,)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η g / (√s + ε)."""
        s = state[0] + gradient * gradient
        return parameter - rate * gradient / (math.sqrt(s) + self.eps), (s,)


@dataclass(frozen=True)
class Adadelta(Regularization):
    """Steps in the unit of the parameter.

    With v and u running means, 0 at first::

        v ← ρ v + (1 − ρ) g²
        d = √(u + ε) / √(v + ε) · g
        u ← ρ u + (1 − ρ) d²
        P ← P − η d

    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    """

    learning_rate: LearningRate = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check()
        check_fraction("rho", self.rho)
        check_positive("eps", self.eps)

    @property
    def initial_state(self) -> State:
        """v = u = 0."""
        return (0.0, 0.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η d."""
        v = self.rho * state[0] + (1 - self.rho) * gradient * gradient
        move = math.sqrt(state[1] + self.eps) / math.sqrt(v + self.eps) * gradient
        u = self.rho * state[1] + (1 - self.rho) * move * move
        return parameter - rate * move, (v, u)


@dataclass(frozen=True)
class Lion(Regularization):
    """Steps of one size: P ← P − η sign(β₁ m + (1 − β₁) g);  m ← β₂ m + (1 − β₂) g.

    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023. The weight decay
    of the paper is `decoupled_decay`.
    """

    learning_rate: LearningRate = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.check()
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)

    @property
    def initial_state(self) -> State:
        """m = 0."""
        return (0.0,)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − η sign(β₁ m + (1 − β₁) g)."""
        direction = self.beta1 * state[0] + (1 - self.beta1) * gradient
        m = self.beta2 * state[0] + (1 - self.beta2) * gradient
        return parameter - rate * sign(direction), (m,)


@dataclass(frozen=True)
class Rprop(Regularization):
    """Resilient propagation without weight backtracking (iRprop−), for full batches.

    The step size Δ of a parameter begins with η and depends on the signs of its gradient g and of
    the gradient before, g′::

        g g′ > 0    Δ ← min(η⁺ Δ, most)
        g g′ < 0    Δ ← max(η⁻ Δ, least),  g ← 0
        P ← P − Δ sign(g);  g′ ← g

    C. Igel and M. Hüsken, "Empirical evaluation of the improved Rprop learning algorithms",
    Neurocomputing 50 (2003).
    """

    learning_rate: float = 1e-2
    decrease: float = 0.5
    increase: float = 1.2
    least_step: float = 1e-6
    largest_step: float = 50.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if callable(self.learning_rate):
            raise TypeError("learning_rate is a function, expected a number")
        self.check()
        check_positive("learning_rate", self.learning_rate)
        check_positive("least_step", self.least_step)
        check_positive("largest_step", self.largest_step)
        if not 0 < self.decrease < 1 < self.increase < math.inf:
            raise ValueError(
                f"decrease is {self.decrease} and increase {self.increase}, "
                "expected numbers below and above 1"
            )

    @property
    def initial_state(self) -> State:
        """The sign of g′, and Δ / η."""
        return (0.0, 1.0)

    def update(
        self, parameter: float, gradient: float, state: State, rate: float, step: int
    ) -> tuple[float, State]:
        """P ← P − Δ sign(g), where Δ is `rate` times the number that is kept."""
        direction, size = sign(gradient), state[1]
        if direction * state[0] > 0:
            size = min(size * self.increase, self.largest_step / self.learning_rate)
        elif direction * state[0] < 0:
            size = max(size * self.decrease, self.least_step / self.learning_rate)
            direction = 0.0
        return parameter - rate * size * direction, (direction, size)


def sign(number: float) -> float:
    """−1, 0 or 1."""
    return (number > 0) - (number < 0) + 0.0


def check_learning_rate(learning_rate: LearningRate) -> None:
    """Check that a constant learning rate is at least 0; `learning_rate_at` checks a callable."""
    if not callable(learning_rate):
        check_not_negative("learning_rate", learning_rate)


def check_not_negative(name: str, value: float) -> None:
    """Check that a number is finite and at least 0."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}, expected a number from 0")


def check_positive(name: str, value: float) -> None:
    """Check that a number is finite and above 0."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}, expected a number above 0")


def check_fraction(name: str, value: float) -> None:
    """Check that a number is in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}, expected a number from 0 to below 1")
