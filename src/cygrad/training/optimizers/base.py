"""The base of all optimisers: learning rates, decay and limits of the weights, and checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, fields
from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training.schedules import Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LearningRate = float | Callable[[int], float]

#: Arguments of all optimisers, for their docstrings; some have a default or a name of their own.
DESCRIPTIONS = {
    "<rate>": """learning_rate : float, schedule or function of (step)
        η, 0 or more; steps count from 0. `cygrad.training.schedules` has schedules.""",
    "<decay>": """weight_decay : float
        λ, 0 or more: adds λ W to the gradients of the weights, as ½ λ ‖W‖² in the loss would.
        Biases are not decayed, here and below.
    decoupled_decay : float
        λ′, 0 or more: W ← W (1 − η λ′) before each step, apart from the gradient.
    l2_penalty : float
        α, 0 or more: adds ½ α Σ W² / s to the loss of each batch, and so α W / s to the gradients,
        as scikit-learn's ``alpha`` does. With the network's reduction "mean", s is the number of
        rows of the batch, or the sum of their weights; with "sum" it is 1. The losses that training
        reports include it, those of validation do not.
    <shrinking>""",
    "<shrinking>": """l1 : float
        Moves each weight by up to η · l1 to 0 after each step, W ← sign(W) max(|W| − η l1, 0), as
        a penalty l1 · Σ |W| would (a proximal step): many weights become exactly 0.
    max_norm : float or None
        Limit c of the norm of the weights w of each unit: w ← w c / ‖w‖ after each step where ‖w‖
        is above c, and no change where it is not. None for no limit.

    The meaning of decay, l1 and max_norm does not depend on the batch size, nor on the network's
    reduction. Decay and penalty are added to the gradient after clipping. A layer's
    `learning_rate_factor` multiplies η in all of them.""",
    "<raises>": """Raises
    ------
    TypeError, ValueError
        If an argument is not as described.""",
}


class Optimizer(ABC):
    """Base class of all optimisers, with a learning rate for every step."""

    learning_rate: LearningRate
    weight_decay: float

    def __init_subclass__(cls) -> None:
        if cls.__doc__ is not None:  # python -OO leaves docstrings out
            for mark, text in DESCRIPTIONS.items():
                cls.__doc__ = cls.__doc__.replace(mark, text)

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

    def _check_learning_rate(self) -> None:
        rate = self.learning_rate
        if isinstance(rate, type):
            raise TypeError(
                f"learning_rate is the class {rate.__name__}, expected an instance of it"
            )
        if not callable(rate):
            self._check_numbers("learning_rate")

    def _check_numbers(self, *names: str) -> None:
        """Check the named numbers, at least 0, and store them as floats."""
        for name in names:
            given = getattr(self, name)
            if type(given) is not float or not 0 <= given < np.inf:
                number = checks.number(given, name, least=0)
                object.__setattr__(self, name, number)  # because the class is frozen

    def _check_positive(self, *names: str) -> None:
        """Check the named numbers, above 0, and store them as floats."""
        self._check_numbers(*names)
        for name in names:
            if getattr(self, name) == 0:
                raise ValueError(f"{name} is 0, expected a number above 0")

    def _check_fractions(self, *names: str) -> None:
        """Check the named numbers, 0 to below 1, and store them as floats."""
        self._check_numbers(*names)
        for name in names:
            number = getattr(self, name)
            if number >= 1:
                raise ValueError(f"{name} is {number}, expected a number from 0 to below 1")

    def _check_flags(self, *names: str) -> None:
        """Check the named flags, and store them as bools."""
        for name in names:
            object.__setattr__(self, name, checks.flag(getattr(self, name), name))


@dataclass(frozen=True, repr=False)
class LimitingOptimizer(Optimizer):
    """An optimiser that can make weights smaller after each step."""

    _: KW_ONLY
    l1: float = 0.0
    max_norm: float | None = None

    def __post_init__(self) -> None:
        self._check_learning_rate()
        self._check_numbers("weight_decay", "l1")
        if self.max_norm is not None:
            self._check_positive("max_norm")

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {"l1": self.l1, "max_norm": self.max_norm or 0.0}

    def __repr__(self) -> str:
        """Return the call that makes it, without those of the last arguments that are not used."""
        given = [field for field in fields(self) if not field.kw_only]
        given += [
            field
            for field in fields(self)
            if field.kw_only and getattr(self, field.name) != field.default
        ]
        arguments = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in given)
        return f"{type(self).__name__}({arguments})"


@dataclass(frozen=True, repr=False)
class DecayingOptimizer(LimitingOptimizer):
    """An optimiser with weight decay in the gradient, and apart from it, and with a penalty."""

    _: KW_ONLY
    decoupled_decay: float = 0.0
    l2_penalty: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_numbers("decoupled_decay", "l2_penalty")

    @property
    def hyperparameters(self) -> dict[str, float]:
        decays = {"weight_decay": self.weight_decay, "decoupled_decay": self.decoupled_decay}
        return {**decays, "l2_penalty": self.l2_penalty, **super().hyperparameters}


def _checked_rate(step: int, value: object) -> float:
    return checks.number(value, f"learning_rate at step {step}", least=0)
