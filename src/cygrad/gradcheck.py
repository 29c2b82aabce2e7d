"""`check_gradients`: backpropagation held against numerical differentiation.

The derivative of the loss C by every parameter p is computed twice: by the network's `backward`,
and by the central difference (C(p + h) − C(p − h)) / 2h over two evaluations of the loss, which
knows nothing of backpropagation. All of it is done in float64, so that a disagreement is a fault
and not rounding; a float32 network is checked through a float64 copy.

**The step.** The central difference is off by h²/6 · C‴ for cutting the series short and by about
u·|C|/h for rounding, with u = 2⁻⁵²; the sum is least near h = u^⅓ ≈ 6·10⁻⁶, which is the default,
times |p| where that is above 1.

**Kinks.** relu, and the hinge loss, have points without a derivative. A step that crosses one
mixes the slopes of its two sides; so where the values disagree they are compared again with steps
8 and 64 times smaller, which likely stay on one side. If they still disagree, and the slopes to
the right and to the left of p differ by about as much as they did with the large step (on a smooth
curve the difference would have shrunk with the step), then C has a kink at p itself and no
derivative to compare with: such parameters are counted, and are not failures.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.network import Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.gradients import Gradients

UNIT = float(np.finfo(np.float64).eps)
BEST_EPS = UNIT ** (1 / 3)
SHRINKS = (1.0, 1 / 8, 1 / 64)
# How many units of rounding an evaluation of the loss may be off by.
ROUNDINGS = 8


@dataclass(frozen=True)
class Comparison:
    """The two values of one derivative.

    Attributes
    ----------
    parameter : {"weights", "biases", "inputs"}
    layer : int or None
        Index of the layer; None for an input.
    index : tuple of int
        Place in the array: (unit, input) of a weight, (unit,) of a bias, (row, column) of an input.
    analytic : float
        By backpropagation.
    numerical : float
        By central differences.
    allowed : float
        How far apart they may be.
    """

    parameter: str
    layer: int | None
    index: tuple[int, ...]
    analytic: float
    numerical: float
    allowed: float

    @property
    def error(self) -> float:
        """How far apart the two values are, as a multiple of what is allowed."""
        error = abs(self.analytic - self.numerical) / self.allowed
        return error if error == error else float("inf")

    def __str__(self) -> str:
        place = "" if self.layer is None else f"layers[{self.layer}]."
        index = ", ".join(map(str, self.index))
        return (
            f"{place}{self.parameter}[{index}]: backpropagation gives {self.analytic!r}, "
            f"central differences give {self.numerical!r}"
        )


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found.

    Attributes
    ----------
    compared : int
        How many derivatives were compared.
    kinks : int
        How many could not be, because the loss has a kink there.
    worst : tuple of Comparison
        The worst of each array of parameters, from the first layer to the last.
    failures : tuple of Comparison
        Those that are further apart than allowed.
    """

    compared: int
    kinks: int
    worst: tuple[Comparison, ...]
    failures: tuple[Comparison, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.compared} derivatives compared, {len(self.failures)} wrong, "
            f"{self.kinks} left out where the loss has a kink; the worst of each array:"
        ]
        lines += [f"{each} ({each.error:.1e} of what is allowed)" for each in self.worst]
        return "\n".join(lines)


class GradientError(ArithmeticError):
    """Backpropagation and central differences disagree.

    The message names layer, parameter and both values of the worst disagreement.

    Attributes
    ----------
    report : GradientReport
        All that was found.
    """

    def __init__(self, report: GradientReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        failures = self.report.failures
        worst = max(failures, key=lambda each: each.error)
        return f"{worst}; {len(failures)} of {self.report.compared} derivatives are wrong"


def check_gradients(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: float | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    inputs: bool = False,
) -> GradientReport:
    """Compare every derivative that `Network.backward` gives with a central difference.

    It takes two evaluations of the loss for each parameter, frozen ones included: meant for small
    networks and few samples. The network is not changed.

    Parameters
    ----------
    net : Network
    X : array_like, shape (n, inputs)
    y : array_like, shape (n,) or (n, outputs)
        As for `Network.evaluate`.
    eps : float or None
        The step h for parameters up to 1 in size; eps · |p| for larger ones. None takes what is
        best in float64, 6.1e-6.
    rtol, atol : float
        The two values may be apart by atol + rtol · max(|analytic|, |numerical|), and by what
        rounding of the loss makes of the difference: 1.8e-15 / h, times C where that is above 1.
    inputs : bool
        Whether to check ∂C/∂X too.

    Returns
    -------
    GradientReport

    Raises
    ------
    GradientError
        If a derivative is wrong. All are compared first, and the error has the report.
    TypeError, ValueError
        If an argument is not as described.

    References
    ----------
    W. Press et al., "Numerical Recipes", 3rd edition, 2007, section 5.7, for the step.
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {net!r}, expected a Network")
    step = BEST_EPS if eps is None else checks.number(eps, "eps", least=0)
    if step == 0:
        raise ValueError("eps is 0, expected a number above 0")
    rtol, atol = checks.number(rtol, "rtol", least=0), checks.number(atol, "atol", least=0)
    inputs = checks.flag(inputs, "inputs")

    double = net if net.dtype == np.float64 else net._as_float64()
    gradients = double.backward(X, y, input_gradient=inputs)
    trial = copy.deepcopy(double)
    samples = np.array(X, dtype=np.float64)

    def loss() -> float:
        return trial.evaluate(samples, y)["loss"]

    scale = max(abs(loss()), 1 if net.reduction == "mean" else len(samples))
    check = _Check(loss, step, rtol, atol, ROUNDINGS * UNIT * scale)
    kinks = 0
    compared: list[list[Comparison]] = []
    for array in _arrays(trial, samples, gradients):
        found = [check.compare(array, index) for index in np.ndindex(array.values.shape)]
        compared.append([each for each in found if each is not None])
        kinks += len(found) - len(compared[-1])

    report = GradientReport(
        sum(map(len, compared)),
        kinks,
        tuple(max(part, key=lambda each: each.error) for part in compared if part),
        tuple(each for part in compared for each in part if each.error > 1),
    )
    if report.failures:
        raise GradientError(report)
    return report


@dataclass(frozen=True)
class _Array:
    """An array of numbers that the loss depends on, and the gradient to be checked."""

    parameter: str
    layer: int | None
    analytic: NDArray[Any]
    values: NDArray[np.float64]
    put: Callable[[NDArray[np.float64]], None]  # has the network compute with `values`


def _arrays(net: Network, samples: NDArray[np.float64], gradients: Gradients) -> Iterator[_Array]:
    """The arrays to check, each with the network as it was."""
    for index, layer in enumerate(net.layers):
        names = ["weights", "biases"] if layer.use_bias else ["weights"]
        for name in names:
            analytic = getattr(gradients, name)[index]
            values = getattr(layer, name).copy()
            put = partial(setattr, layer, name)
            yield _Array(name, index, analytic, values, put)
            put(values)
    if gradients.inputs is not None:
        # The loss reads the samples themselves: there is nowhere to put them.
        yield _Array("inputs", None, gradients.inputs, samples, lambda values: None)


@dataclass(frozen=True)
class _Check:
    """How derivatives are compared."""

    loss: Callable[[], float]  # C of the network as it is
    step: float
    rtol: float
    atol: float
    noise: float  # of the loss, by rounding

    def compare(self, array: _Array, index: tuple[int, ...]) -> Comparison | None:
        """The two values of one derivative, or None where the loss has a kink."""
        p, analytic = float(array.values[index]), float(array.analytic[index])
        here = self.loss_at(array, index, p)
        largest = self.step * max(1.0, abs(p))
        found, gaps = [], []
        for h in (largest * shrink for shrink in SHRINKS):
            right, left = p + h, p - h  # rounded: the steps taken are their distances from p
            above, below = self.loss_at(array, index, right), self.loss_at(array, index, left)
            numerical = (above - below) / (right - left)
            allowed = self.atol + self.rtol * max(abs(analytic), abs(numerical)) + self.noise / h
            comparison = Comparison(
                array.parameter, array.layer, index, analytic, numerical, allowed
            )
            if comparison.error <= 1:
                return comparison
            found.append(comparison)
            gaps.append(abs((above - here) / (right - p) - (here - below) / (p - left)))
        if gaps[-1] > max(gaps[0] / 4, 2 * self.noise / h):
            return None
        return found[0]

    def loss_at(self, array: _Array, index: tuple[int, ...], value: float) -> float:
        """C with another value in one place of the array."""
        before = array.values[index]
        array.values[index] = value
        array.put(array.values)
        loss = self.loss()
        array.values[index] = before
        return loss
