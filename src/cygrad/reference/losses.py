"""Losses of one sample: the value C, its gradient ∇ₐC at the outputs, and a metric.

z and a are the output layer's pre-activations and activations, y is the row of targets.
`read_targets` turns a class index into the row with a 1 in that place and 0 elsewhere, so every
loss is a function of rows. The network takes sums and means over a batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .vectors import Matrix, Vector, read_vector, subtract


@dataclass(frozen=True)
class Loss:
    """The loss of a network, for one sample.

    Attributes
    ----------
    name : str
        Its name in `Network`.
    value : callable
        (z, a, y) ↦ C.
    gradient : callable or None
        (a, y) ↦ ∇ₐC. None if the loss belongs to one activation: then ∇ₐC and σ′ cancel to
        δ = a − y, and neither is computed.
    activation : str or None
        The only output activation that the loss is defined for. None: any.
    metric_name : str
        ``"accuracy"`` or ``"mae"``, the mean absolute error.
    metric : callable
        (a, y) ↦ the metric of the sample.
    targets : str
        Kind of targets: ``"values"``, a row of numbers; ``"fractions"``, a row of numbers from 0
        to 1; ``"distribution"``, a class index or a row of probabilities; ``"class"``, an index.
    """

    name: str
    value: Callable[[Vector, Vector, Vector], float]
    gradient: Callable[[Vector, Vector], Vector] | None
    activation: str | None
    metric_name: str
    metric: Callable[[Vector, Vector], float]
    targets: str

    @property
    def classifies(self) -> bool:
        """True if the outputs are scores of classes and each sample has one class."""
        return self.targets in ("class", "distribution")


def quadratic(z: Vector, a: Vector, y: Vector) -> float:
    """C = ½ ‖a − y‖²."""
    return sum((a_j - y_j) * (a_j - y_j) for a_j, y_j in zip(a, y, strict=True)) / 2


def quadratic_gradient(a: Vector, y: Vector) -> Vector:
    """∇ₐC = a − y."""
    return subtract(a, y)


def mse(z: Vector, a: Vector, y: Vector) -> float:
    """C = ‖a − y‖² / m, with m outputs."""
    return 2 * quadratic(z, a, y) / len(a)


def mse_gradient(a: Vector, y: Vector) -> Vector:
    """∇ₐC = 2 (a − y) / m, with m outputs."""
    return [2 * d_j / len(a) for d_j in subtract(a, y)]


def binary_cross_entropy(z: Vector, a: Vector, y: Vector) -> float:
    """C = −Σⱼ [yⱼ ln aⱼ + (1 − yⱼ) ln(1 − aⱼ)] with a = sigmoid(z).

    Written in z, no logarithm is of 0: −ln a = ln(1 + e⁻ᶻ) and −ln(1 − a) = z + ln(1 + e⁻ᶻ),
    so C = Σⱼ max(zⱼ, 0) − zⱼ yⱼ + ln(1 + exp(−|zⱼ|)).
    """
    return sum(
        max(z_j, 0.0) - z_j * y_j + math.log1p(math.exp(-abs(z_j)))
        for z_j, y_j in zip(z, y, strict=True)
    )


def cross_entropy(z: Vector, a: Vector, y: Vector) -> float:
    """C = −Σⱼ yⱼ ln aⱼ with a = softmax(z), so −ln aⱼ = ln Σₖ exp(zₖ) − zⱼ.

    The largest z is taken out of the logarithm of the sum, so that no exponential overflows.
    """
    largest = max(z)
    log_sum_exp = largest + math.log(sum(math.exp(z_k - largest) for z_k in z))
    return sum(y_j * (log_sum_exp - z_j) for z_j, y_j in zip(z, y, strict=True))


def hinge(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σ_{j≠y} max(0, aⱼ − a_y + 1), with a_y the score of the right class."""
    right = largest_index(y)
    return sum(max(a_j - a[right] + 1, 0.0) for j, a_j in enumerate(a) if j != right)


def hinge_gradient(a: Vector, y: Vector) -> Vector:
    """∂C/∂aⱼ = 1[aⱼ − a_y + 1 > 0] for j ≠ y, and ∂C/∂a_y = −Σ_{j≠y} ∂C/∂aⱼ."""
    right = largest_index(y)
    gradient = [1.0 if j != right and a_j - a[right] + 1 > 0 else 0.0 for j, a_j in enumerate(a)]
    gradient[right] = -sum(gradient)
    return gradient


def linear(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σⱼ yⱼ aⱼ, whose derivatives are those of the outputs, with the factors y."""
    return sum(a_j * y_j for a_j, y_j in zip(a, y, strict=True))


def linear_gradient(a: Vector, y: Vector) -> Vector:
    """∇ₐC = y."""
    return list(y)


def largest_index(values: Vector) -> int:
    """argmaxⱼ valuesⱼ, the first among equals."""
    return values.index(max(values))


def is_correct(a: Vector, y: Vector) -> float:
    """1 if the largest output and the largest target have the same index, else 0."""
    return float(largest_index(a) == largest_index(y))


def share_correct(a: Vector, y: Vector) -> float:
    """The share of the outputs on the same side of ½ as their targets; ½ itself counts as above."""
    return sum((a_j >= 0.5) == (y_j >= 0.5) for a_j, y_j in zip(a, y, strict=True)) / len(a)


def absolute_error(a: Vector, y: Vector) -> float:
    """Σⱼ |aⱼ − yⱼ| / m, with m outputs."""
    return sum(abs(d_j) for d_j in subtract(a, y)) / len(a)


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("quadratic", quadratic, quadratic_gradient, None, "mae", absolute_error, "values"),
        Loss("mse", mse, mse_gradient, None, "mae", absolute_error, "values"),
        Loss(
            "binary_cross_entropy",
            binary_cross_entropy,
            None,
            "sigmoid",
            "accuracy",
            share_correct,
            "fractions",
        ),
        Loss(
            "cross_entropy",
            cross_entropy,
            None,
            "softmax",
            "accuracy",
            is_correct,
            "distribution",
        ),
        Loss("hinge", hinge, hinge_gradient, None, "accuracy", is_correct, "class"),
        Loss("linear", linear, linear_gradient, None, "mae", absolute_error, "values"),
    )
}

SUM_TOLERANCE = 1e-5
"""Largest distance from 1 of the sum of a row of probabilities: room for float32 rounding."""


def read_targets(
    loss: Loss, y: Sequence[float | Sequence[float]], samples: int, outputs: int
) -> Matrix:
    """Return the targets of a batch as rows of numbers, (samples, outputs).

    Raises
    ------
    ValueError
        If there are not as many targets as samples, or the loss does not accept a target.
    """
    if len(y) != samples:
        raise ValueError(f"y has {len(y)} targets, expected {samples}, one for each sample of X")
    return [read_target(loss, f"y[{i}]", target, outputs) for i, target in enumerate(y)]


def read_target(loss: Loss, name: str, target: float | Sequence[float], outputs: int) -> Vector:
    """Return a class index, a number for a single output, or a row as one row of targets."""
    if loss.classifies and isinstance(target, int):
        if not 0 <= target < outputs:
            raise ValueError(f"{name} is {target}, expected a class index from 0 to {outputs - 1}")
        return [float(j == target) for j in range(outputs)]
    if not loss.classifies and outputs == 1 and isinstance(target, (int, float)):
        target = [target]
    if loss.targets == "class" or not isinstance(target, Sequence):
        expected = "a class index" if loss.targets == "class" else f"a row of {outputs} numbers"
        raise ValueError(f"{name} is {target!r}, expected {expected} for the loss {loss.name!r}")
    row = read_vector(name, target, outputs)
    if loss.targets != "values":
        for j, value in enumerate(row):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}[{j}] is {value}, expected a number from 0 to 1")
    if loss.targets == "distribution" and abs(sum(row) - 1) > SUM_TOLERANCE:
        raise ValueError(f"{name} sums to {sum(row)}, expected a row of probabilities, sum 1")
    return row
