"""Steps scaled by the size of past gradients, without a running mean of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.records import dataclass
from cygrad.training.optimizers.base import DecayingOptimizer

if TYPE_CHECKING:
    from cygrad.training.optimizers.base import LearningRate


@dataclass(frozen=True, repr=False)
class RMSProp(DecayingOptimizer):
    """RMSProp: steps scaled by the root of a running mean of g².

    With the gradient g of a parameter P, its running means v and h and its velocity V, all 0 at
    first::

        v ← ρ v + (1 − ρ) g²
        centered       h ← ρ h + (1 − ρ) g, and v − h² is in place of v below
        momentum 0     P ← P − η g / (√v + ε)
        momentum μ     V ← μ V + η g / (√v + ε);  P ← P − V

    Parameters
    ----------
    <rate>
    rho : float
        ρ, from 0 to below 1; PyTorch calls it α.
    eps : float
        ε, above 0.
    momentum : float
        μ, from 0 to below 1.
    centered : bool
        Scale by the variance of the gradient.
    <decay>

    <raises>

    Notes
    -----
    The rule and the defaults of PyTorch, but the velocity includes the learning rate, as that of
    `SGD` does. Keras adds ε inside the root, and its defaults are ρ 0.9, ε 1e-7.

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5: RMSprop", Coursera 2012.
    A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013: centered, with momentum.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.RMSProp(1e-3, momentum=0.9).momentum
    0.9
    """

    learning_rate: LearningRate = 1e-2
    rho: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("rho", "momentum")
        self._check_positive("eps")
        self._check_flags("centered")

    @property
    def rule(self) -> str:
        return (
            "rmsprop"
            + ("_centered" if self.centered else "")
            + ("_momentum" if self.momentum else "")
        )

    @property
    def hyperparameters(self) -> dict[str, float]:
        numbers = {"beta2": self.rho, "epsilon": self.eps, "momentum": self.momentum}
        return {**numbers, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class Adagrad(DecayingOptimizer):
    """Adagrad: steps scaled by the root of the sum of all g², for sparse gradients.

    With the gradient g of a parameter P::

        s ← s + g²
        P ← P − η g / (√s + ε)

    Parameters
    ----------
    <rate>
    eps : float
        ε, above 0.
    initial_accumulator : float
        s at first, 0 or more.
    <decay>

    <raises>

    Notes
    -----
    The rule and the defaults of PyTorch; its ``lr_decay`` is a schedule here, `InverseTimeDecay`.
    Keras begins with s = 0.1 and a rate of 1e-3, and adds ε, 1e-7, inside the root.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", JMLR 12 (2011).

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.Adagrad().eps
    1e-10
    """

    learning_rate: LearningRate = 1e-2
    eps: float = 1e-10
    initial_accumulator: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("eps")
        self._check_numbers("initial_accumulator")

    @property
    def rule(self) -> str:
        return "adagrad"

    @property
    def hyperparameters(self) -> dict[str, float]:
        numbers = {"epsilon": self.eps, "initial": self.initial_accumulator}
        return {**numbers, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class Adadelta(DecayingOptimizer):
    """Adadelta: steps in the unit of the parameter, without a learning rate to choose.

    With the gradient g of a parameter P and the running means v and u, 0 at first::

        v ← ρ v + (1 − ρ) g²
        d = √(u + ε) / √(v + ε) · g
        u ← ρ u + (1 − ρ) d²
        P ← P − η d

    Parameters
    ----------
    <rate>
    rho : float
        ρ, from 0 to below 1.
    eps : float
        ε, above 0: the first steps are of the order of √ε.
    <decay>

    <raises>

    Notes
    -----
    The rule of PyTorch and of Keras, with the defaults of PyTorch; Keras's are η 1e-3, ρ 0.95 and
    ε 1e-7.

    References
    ----------
    M. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.Adadelta()
    Adadelta(learning_rate=1.0, rho=0.9, eps=1e-06, weight_decay=0.0)
    """

    learning_rate: LearningRate = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("rho")
        self._check_positive("eps")

    @property
    def rule(self) -> str:
        return "adadelta"

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {"beta2": self.rho, "epsilon": self.eps, **super().hyperparameters}
