"""Gradient descent (`SGD`), and steps by the signs of gradients (`Lion`, `Rprop`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.records import dataclass
from cygrad.training.optimizers.base import DecayingOptimizer

if TYPE_CHECKING:
    from cygrad.training.optimizers.base import LearningRate


@dataclass(frozen=True, repr=False)
class SGD(DecayingOptimizer):
    """Stochastic gradient descent, with momentum and weight decay.

    With the gradient g = ∂C/∂P of a parameter P, its velocity V (0 at first) and the learning
    rate η::

        momentum 0     P ← P − η g
        momentum μ     V ← μ V − η g;  P ← P + V
        nesterov       V ← μ V − η g;  P ← P + μ V − η g

    Parameters
    ----------
    <rate>
    momentum : float
        μ, from 0 to below 1.
    nesterov : bool
        Use Nesterov's momentum; needs a momentum above 0.
    <decay>

    <raises>

    Notes
    -----
    The velocity includes the learning rate, as in Keras and scikit-learn; in PyTorch it does not,
    and the two part where the rate changes. Keras's ``SGD(weight_decay=)`` is `decoupled_decay`.

    References
    ----------
    B. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum
    in deep learning", ICML 2013: Nesterov's momentum in this form.
    N. Srivastava et al., "Dropout", JMLR 15 (2014): max-norm.
    J. Duchi, Y. Singer, "Efficient online and batch learning using forward backward splitting",
    JMLR 10 (2009): l1 in this form.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(2, [cg.Dense(1, weights_init=1.0)], loss="quadratic", dtype="float64")
    >>> trainer = cg.Trainer(net, cg.SGD(0.5, l1=0.25))
    >>> trainer.step([[1.0, 0.0]], [0.0])       # g = (1, 0)
    0.5
    >>> net.layers[0].weights
    array([[0.375, 0.875]])
    """

    learning_rate: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("momentum")
        self._check_flags("nesterov")
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
        return {"momentum": self.momentum, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class Lion(DecayingOptimizer):
    """Lion: steps of one size, in the direction of the sign of a momentum.

    With the gradient g of a parameter P and its momentum m, 0 at first::

        P ← P − η sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    One state for each parameter, where Adam has two. Its learning rate is 3 to 10 times smaller
    than Adam's, and its decay as many times larger.

    Parameters
    ----------
    <rate>
    beta1, beta2 : float
        β₁ and β₂, from 0 to below 1.
    <decay>

    <raises>

    Notes
    -----
    The weight decay of the paper, and of Keras's Lion, is `decoupled_decay`. PyTorch has no Lion.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.Lion(3e-4, decoupled_decay=0.1)
    Lion(learning_rate=0.0003, beta1=0.9, beta2=0.99, weight_decay=0.0, decoupled_decay=0.1)
    """

    learning_rate: LearningRate = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fractions("beta1", "beta2")

    @property
    def rule(self) -> str:
        return "lion"

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {"beta1": self.beta1, "beta2": self.beta2, **super().hyperparameters}


@dataclass(frozen=True, repr=False)
class Rprop(DecayingOptimizer):
    """Resilient propagation without weight backtracking (iRprop−), for full batches.

    Every parameter P has a step size Δ, which begins with the learning rate and depends on the
    signs of the gradient g and of the gradient g′ of the step before::

        g g′ > 0      Δ ← min(η⁺ Δ, largest)
        g g′ < 0      Δ ← max(η⁻ Δ, least),  g ← 0
        P ← P − Δ sign(g);  g′ ← g

    Signs of gradients of small batches are mostly noise: take all samples as one batch.
    `Trainer.fit` warns if it does not.

    Parameters
    ----------
    learning_rate : float
        Δ of the first step, above 0. No schedule: step sizes change by themselves.
    decrease, increase : float
        η⁻, between 0 and 1, and η⁺, above 1.
    least_step, largest_step : float
        Limits of Δ, above 0.
    <decay>

    <raises>

    Notes
    -----
    The values are those of PyTorch's Rprop: for gradients with the signs + + − − − the steps are
    −0.01, −0.012, 0, 0.006, 0.0072. Keras has none.

    References
    ----------
    M. Riedmiller, H. Braun, "A direct adaptive method for faster backpropagation learning", 1993.
    C. Igel, M. Hüsken, "Empirical evaluation of the improved Rprop learning algorithms",
    Neurocomputing 50 (2003).

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    >>> trainer = cg.Trainer(net, cg.Rprop(1e-3), batch_size=len(X), rng=0)
    >>> history = trainer.fit(X, y, epochs=30)
    """

    learning_rate: float = 1e-2
    decrease: float = 0.5
    increase: float = 1.2
    least_step: float = 1e-6
    largest_step: float = 50.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if callable(self.learning_rate):
            raise TypeError(f"learning_rate is {self.learning_rate!r}, expected a number above 0")
        super().__post_init__()
        self._check_positive("learning_rate", "decrease", "least_step", "largest_step")
        self._check_fractions("decrease")
        self._check_numbers("increase")
        if self.increase <= 1:
            raise ValueError(f"increase is {self.increase}, expected a number above 1")
        if self.least_step > self.largest_step:
            raise ValueError(
                f"least_step is {self.least_step}, expected a number up to largest_step, "
                f"{self.largest_step}"
            )

    @property
    def rule(self) -> str:
        return "rprop"

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {
            "initial": 1.0,  # step sizes are kept as multiples of the learning rate
            "decrease": self.decrease,
            "increase": self.increase,
            "least_step": self.least_step / self.learning_rate,
            "largest_step": self.largest_step / self.learning_rate,
            **super().hyperparameters,
        }
