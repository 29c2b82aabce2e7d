"""Losses with parameters: `huber(0.5)`, `pinball([0.1, 0.5, 0.9])`, `focal(gamma=1.0)`, …

Each is a frozen value for `Network(loss=…)`; the name alone stands for its defaults. The table of
all losses is in `losses`. Each value of a sample is given for outputs a and targets y of m outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad import checks
from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    #: (outputs, targets) ↦ (loss of each sample, derivatives with respect to the outputs)
    CustomLoss = Callable[[NDArray[Any], Any], tuple[ArrayLike, ArrayLike]]

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "focal",
    "gaussian_nll",
    "huber",
    "pinball",
]

# Name of a loss that is a Python function, in files and messages.
CUSTOM = "custom"


@dataclass(frozen=True)
class LossFunction:
    """A loss with its parameters; the classes of this module are the kinds of it."""

    name: ClassVar[str]

    @property
    def parameters(self) -> tuple[float, ...]:
        """The parameters in the order in which the engine expects them."""
        return tuple(vars(self).values())  # in the order of the fields

    def target_columns(self, outputs: int) -> int:
        """Return how many numbers a row of targets has."""
        return outputs

    @property
    def repeats_targets(self) -> bool:
        """True if one number can stand for a row of targets."""
        return False

    def check_units(self, units: int) -> None:
        """Check the number of outputs, or raise a ValueError."""

    def config(self) -> str | dict[str, Any]:
        """Return the name if the parameters are the defaults, or else both, as values for JSON."""
        if self == type(self)():
            return self.name
        return {"name": self.name} | {
            field.name: getattr(self, field.name) for field in fields(self)
        }


def _set(loss: LossFunction, name: str, value: object) -> None:
    object.__setattr__(loss, name, value)


def _share(value: object, name: str) -> float:
    number = checks.number(value, name, least=0)
    if number >= 1:
        raise ValueError(f"{name} is {number}, expected a number of at least 0 and below 1")
    return number


@dataclass(frozen=True)
class huber(LossFunction):
    """Squared for small errors, linear for large ones: Σ h(a − y) / m.

    h(e) is ½ e² where |e| ≤ δ, and δ (|e| − ½ δ) beyond. As ``torch.nn.HuberLoss`` and Keras'
    ``Huber`` define it; ``torch.nn.SmoothL1Loss`` divides it by δ.

    Parameters
    ----------
    delta : float
        δ, above 0.

    References
    ----------
    P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35,
    1964.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(1, [cg.Dense(1, weights_init=0.0)], loss=cg.losses.huber(0.5))
    >>> net.evaluate([[1.0]], [2.0])["loss"]
    0.875
    """

    name: ClassVar[str] = "huber"
    delta: float = 1.0

    def __post_init__(self) -> None:
        delta = checks.number(self.delta, "delta", least=0)
        if delta == 0:
            raise ValueError("delta is 0.0, expected a finite number above 0")
        _set(self, "delta", delta)


@dataclass(frozen=True)
class pinball(LossFunction):
    """The loss of quantiles: Σ max(q (y − a), (1 − q) (a − y)) / m.

    Its minimum is the quantile q of the targets; with q = ½ it is half the mean absolute error. As
    scikit-learn's ``mean_pinball_loss``. At a = y the slope is 0.

    Parameters
    ----------
    quantiles : float or sequence of float
        Numbers between 0 and 1. A single one is that of every output. Of several, there is one for
        each output: the network predicts them side by side. Targets can then be one number for
        each sample, of shape (n,) or (n, 1), which is the target of all outputs; or, as for other
        losses, rows of shape (n, outputs).

    References
    ----------
    R. Koenker, G. Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> import cygrad as cg
    >>> loss = cg.losses.pinball([0.1, 0.5, 0.9])
    >>> net = cg.Network(1, [cg.Dense(3, weights_init=0.0)], loss=loss)
    >>> round(net.evaluate([[0.0], [0.0]], [1.0, 3.0])["loss"], 6)
    1.0
    """

    name: ClassVar[str] = "pinball"
    quantiles: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        given: Any = self.quantiles
        several = isinstance(given, Iterable) and np.ndim(given) > 0  # type: ignore[arg-type]
        values = tuple(given) if several else (given,)
        if not values:
            raise ValueError(f"quantiles is {given!r}, expected at least one number")
        numbers = tuple(checks.number(value, "quantiles") for value in values)
        for number in numbers:
            if not 0 < number < 1:
                raise ValueError(f"quantiles is {given!r}, expected numbers between 0 and 1")
        _set(self, "quantiles", numbers if several else numbers[0])

    @property
    def parameters(self) -> tuple[float, ...]:
        return self.quantiles if isinstance(self.quantiles, tuple) else (self.quantiles,)

    @property
    def repeats_targets(self) -> bool:
        return isinstance(self.quantiles, tuple)

    def check_units(self, units: int) -> None:
        if isinstance(self.quantiles, tuple) and units != len(self.quantiles):
            raise ValueError(
                f"loss {self!r} has {len(self.quantiles)} quantiles, and the last layer has "
                f"{units} units; expected one for each quantile"
            )


@dataclass(frozen=True)
class gaussian_nll(LossFunction):
    """Negative log-likelihood of normal distributions: ½ Σ ln v + (μ − y)² / v, divided by k.

    The output layer has 2 k units: first k means μ, then the logarithms s of k variances, with
    v = max(exp(s), ε). Targets have shape (n, k), or (n,) for k = 1. The formula is that of
    ``torch.nn.GaussianNLLLoss`` with ``full=False``, which takes the variance itself; where ε is
    reached the slope with respect to s is 0 here, and that of ε there. The metric is the mean
    absolute error of the means.

    Parameters
    ----------
    eps : float
        ε, the smallest variance, above 0.

    References
    ----------
    D. Nix, A. Weigend, "Estimating the mean and variance of the target probability distribution",
    ICNN 1994.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(1, [cg.Dense(2, weights_init=0.0)], loss="gaussian_nll")
    >>> net.evaluate([[0.0]], [2.0])
    {'loss': 2.0, 'mae': 2.0}
    """

    name: ClassVar[str] = "gaussian_nll"
    eps: float = 1e-6

    def __post_init__(self) -> None:
        eps = checks.number(self.eps, "eps", least=0)
        if eps == 0:
            raise ValueError("eps is 0.0, expected a finite number above 0")
        _set(self, "eps", eps)

    def target_columns(self, outputs: int) -> int:
        return outputs // 2

    def check_units(self, units: int) -> None:
        if units % 2:
            raise ValueError(
                f"loss 'gaussian_nll' needs a mean and a logarithm of the variance for each "
                f"target, and the last layer has {units} units; expected an even number"
            )


@dataclass(frozen=True)
class binary_cross_entropy(LossFunction):
    """Cross-entropy of independent outputs: −Σ y ln a + (1 − y) ln(1 − a), for a sigmoid layer.

    Summed over the outputs; ``torch.nn.BCEWithLogitsLoss`` and Keras take their mean. With several
    outputs it is the loss of multi-label problems: rows of 0 and 1, of any real dtype or bool. The
    metric is the share of all outputs that are on the right side of ½.

    Parameters
    ----------
    label_smoothing : float
        s, from 0 to below 1: the targets are (1 − s) y + s / 2, as in Keras. The metric takes y.

    Examples
    --------
    >>> import cygrad as cg
    >>> loss = cg.losses.binary_cross_entropy(label_smoothing=0.2)
    >>> net = cg.Network(2, [cg.Dense(3, "sigmoid")], loss=loss)
    >>> net.loss
    binary_cross_entropy(label_smoothing=0.2)
    """

    name: ClassVar[str] = "binary_cross_entropy"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _set(self, "label_smoothing", _share(self.label_smoothing, "label_smoothing"))


@dataclass(frozen=True)
class cross_entropy(LossFunction):
    """Cross-entropy of classes: −Σ y ln a, for a softmax layer.

    Parameters
    ----------
    label_smoothing : float
        s, from 0 to below 1: the targets are (1 − s) y + s / m, as in
        ``torch.nn.CrossEntropyLoss`` and Keras. The metric takes y.

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Examples
    --------
    >>> import cygrad as cg
    >>> loss = cg.losses.cross_entropy(label_smoothing=0.1)
    >>> net = cg.Network(2, [cg.Dense(3, "softmax", weights_init=0.0)], loss=loss)
    >>> round(net.evaluate([[0.0, 0.0]], [1])["loss"], 6)
    1.098612
    """

    name: ClassVar[str] = "cross_entropy"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _set(self, "label_smoothing", _share(self.label_smoothing, "label_smoothing"))


@dataclass(frozen=True)
class focal(LossFunction):
    """Cross-entropy with less weight on easy samples: −(1 − p)^γ ln p, for a softmax layer.

    p is the output of the right class; targets are class indices. γ = 0 is `cross_entropy`. Keras'
    ``CategoricalFocalCrossentropy`` multiplies it by α = 0.25.

    Parameters
    ----------
    gamma : float
        γ, of at least 0.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
    ICCV 2017.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(2, [cg.Dense(2, "softmax", weights_init=0.0)], loss="focal")
    >>> round(net.evaluate([[0.0, 0.0]], [1])["loss"], 6)  # ¼ ln 2
    0.173287
    """

    name: ClassVar[str] = "focal"
    gamma: float = 2.0

    def __post_init__(self) -> None:
        _set(self, "gamma", checks.number(self.gamma, "gamma", least=0))


_KINDS: dict[str, type[LossFunction]] = {
    kind.name: kind
    for kind in (huber, pinball, gaussian_nll, binary_cross_entropy, cross_entropy, focal)
}


_DEFAULTS = {name: kind() for name, kind in _KINDS.items()}


def with_defaults(name: str) -> LossFunction | None:
    """Return the loss of this name with its default parameters; None if it has none."""
    return _DEFAULTS.get(name)


def missing_loss(outputs: NDArray[Any], targets: Any) -> tuple[ArrayLike, ArrayLike]:
    """Stand for the function of a network that was saved with one, and say so."""
    raise ValueError(
        "the network was saved with a Python function as its loss, which its file does not hold; "
        "to train or evaluate it, expected load(path, loss=function)"
    )


def config_of(loss: str | LossFunction | CustomLoss) -> str | dict[str, Any]:
    """Return the description of a loss, as values for JSON; of a function, that it is one."""
    if isinstance(loss, str):
        return loss
    return loss.config() if isinstance(loss, LossFunction) else {"name": CUSTOM}


def from_config(config: str | dict[str, Any]) -> str | LossFunction | CustomLoss:
    """Return the loss that `config_of` described."""
    if config == {"name": CUSTOM}:
        return missing_loss
    if not isinstance(config, dict):
        return config
    name = config.get("name")
    if name not in _KINDS:
        raise ValueError(f"loss is {config!r}, expected one of {', '.join(_KINDS)}")
    return _KINDS[name](**{key: value for key, value in config.items() if key != "name"})
