"""Adam and its relatives: a running mean of the gradient, scaled by a running size of it."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING

from cygrad.records import dataclass
from cygrad.training.optimizers.base import DecayingOptimizer, LimitingOptimizer

if TYPE_CHECKING:
    from cygrad.training.optimizers.base import LearningRate


@dataclass(frozen=True, repr=False)
class Adam(DecayingOptimizer):
    """Adam: steps scaled by running moments of the gradient.

    With the gradient g = ∂C/∂P of a parameter P, its moments m and v (0 at first), the learning
    rate η and the step t, counted from 1 in these equations::

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        P ← P − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    With `amsgrad` the largest v so far is in place of v in the last line; with `epsilon_hat` that
    line is::

        P ← P − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    amsgrad : bool
        Never let the size in the denominator decrease. Keyword only, as all after `weight_decay`.
    epsilon_hat : bool
        Add ε to √v before the correction: ε is the paper's ε̂, and counts 1 / √(1 − β₂ᵗ) times as
        much, 32 times in the first step.
    <decay>

    <raises>

    Notes
    -----
    ε is added after the correction, as in PyTorch. Keras and scikit-learn add it before, as with
    ``epsilon_hat=True``; Keras's is 1e-7. For a gradient of 1e-7 the first step is −0.909 η without
    and −0.240 η with it. Keras's ``Adam(weight_decay=)`` is `AdamW`.

    References
    ----------
    D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1;
    with `epsilon_hat` the more efficient order at the end of its section 2.
    S. Reddi, S. Kale, S. Kumar, "On the Convergence of Adam and Beyond", ICLR 2018: AMSGrad.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.Adam(1e-3, amsgrad=True)
    Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0, amsgrad=True)
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    _: KW_ONLY
    amsgrad: bool = False
    epsilon_hat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")
        self._check_positive("eps")
        self._check_flags("amsgrad", "epsilon_hat")

    @property
    def rule(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    @property
    def hyperparameters(self) -> dict[str, float]:
        moments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.eps}
        moments["epsilon_hat"] = float(self.epsilon_hat)
        return {**moments, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class AdamW(LimitingOptimizer):
    """Adam with decoupled weight decay: P ← P (1 − η λ) for weights, then a step as of `Adam`.

    Decay in the gradient is divided by the size of the gradient, as all of it; this one is not,
    and weights with large gradients decay as others do. A step takes the same time as `Adam`.

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    weight_decay : float
        λ, 0 or more. It is not in the gradient. Biases are not decayed, here and below.
    amsgrad, epsilon_hat : bool
        As for `Adam`. Keyword only, as all that follow.
    <shrinking>

    <raises>

    Notes
    -----
    The rule and the default decay of PyTorch's AdamW; Keras's default is 0.004.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(1, [cg.Dense(1, weights_init=1.0)], loss="quadratic", dtype="float64")
    >>> cg.Trainer(net, cg.AdamW(0.5, weight_decay=0.25)).step([[0.0]], [0.0])      # g = 0
    0.0
    >>> net.layers[0].weights
    array([[0.875]])
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-2
    _: KW_ONLY
    amsgrad: bool = False
    epsilon_hat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")
        self._check_positive("eps")
        self._check_flags("amsgrad", "epsilon_hat")

    @property
    def rule(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    @property
    def hyperparameters(self) -> dict[str, float]:
        moments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.eps}
        moments["epsilon_hat"] = float(self.epsilon_hat)
        return {**moments, "decoupled_decay": self.weight_decay, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class NAdam(DecayingOptimizer):
    """Adam with Nesterov's momentum.

    With the moments m and v of `Adam`, the step t, counted from 1, and a momentum that grows to
    β₁, μₜ = β₁ (1 − ½ · 0.96^(t ψ))::

        P ← P − η ((1 − μₜ) / (1 − μ₁ ⋯ μₜ) g + μₜ₊₁ / (1 − μ₁ ⋯ μₜ₊₁) m) / (√(v / (1 − β₂ᵗ)) + ε)

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    momentum_decay : float
        ψ, 0 or more.
    <decay>

    <raises>

    Notes
    -----
    The rule of PyTorch, which keeps the product of the μ in float32 unless float64 is its default
    dtype; ours is in double precision. Keras's Nadam has ψ = 1 (and a rate of 1e-3).

    References
    ----------
    T. Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.NAdam(1e-3, momentum_decay=1).momentum_decay
    1.0
    """

    learning_rate: LearningRate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    momentum_decay: float = 4e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")
        self._check_positive("eps")
        self._check_numbers("momentum_decay")

    @property
    def rule(self) -> str:
        return "nadam"

    @property
    def hyperparameters(self) -> dict[str, float]:
        moments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.eps}
        return {**moments, "momentum_decay": self.momentum_decay, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class RAdam(DecayingOptimizer):
    """Rectified Adam, which needs no warm-up of the learning rate.

    In the first steps the variance of 1/√v is unbounded: steps are not scaled by it. With the
    moments m and v of `Adam`, the step t, counted from 1, ρ∞ = 2 / (1 − β₂) − 1 and
    ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)::

        ρₜ ≤ 5      P ← P − η m / (1 − β₁ᵗ)
        ρₜ > 5      P ← P − η m / (1 − β₁ᵗ) · rₜ √(1 − β₂ᵗ) / (√v + ε)
        rₜ = √((ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ))

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0; added before the correction, as in PyTorch's RAdam.
    <decay>

    <raises>

    Notes
    -----
    The rule of PyTorch, where `decoupled_decay` is ``decoupled_weight_decay=True``. Keras has none.

    References
    ----------
    L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.RAdam()
    RAdam(learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")
        self._check_positive("eps")

    @property
    def rule(self) -> str:
        return "radam"

    @property
    def hyperparameters(self) -> dict[str, float]:
        moments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.eps}
        return {**moments, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class Adamax(DecayingOptimizer):
    """Adam with the largest gradient so far, slowly forgotten, in place of √v.

    With the gradient g of a parameter P, its moment m as in `Adam`, its size u (0 at first) and the
    step t, counted from 1::

        u ← max(β₂ u, |g| + ε)
        P ← P − η · (m / (1 − β₁ᵗ)) / u

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    eps : float
        ε, above 0.
    <decay>

    <raises>

    Notes
    -----
    The rule of PyTorch. Keras takes u ← max(β₂ u, |g|) and divides by u + ε.

    References
    ----------
    D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 2.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.Adamax().learning_rate
    0.002
    """

    learning_rate: LearningRate = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")
        self._check_positive("eps")

    @property
    def rule(self) -> str:
        return "adamax"

    @property
    def hyperparameters(self) -> dict[str, float]:
        moments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.eps}
        return {**moments, **super().hyperparameters}
