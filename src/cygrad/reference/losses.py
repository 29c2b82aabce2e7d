"""Losses of one sample: the value C, its gradient ∇ₐC at the outputs, and a metric.

z and a are the output layer's pre-activations and activations, y is the row of targets.
`read_targets` turns a class index into the row with a 1 in that place and 0 elsewhere, so every
loss is a function of rows. The network takes sums and means over a batch.

A loss with parameters is made by a function, such as `huber`; `LOSSES` has those of the defaults.
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
        δ = a − y, or to `delta`, and neither is computed.
    activation : str or None
        The only output activation that the loss is defined for. None: any.
    metric_name : str
        ``"accuracy"`` or ``"mae"``, the mean absolute error.
    metric : callable
        (a, y) ↦ the metric of the sample.
    targets : str
        Kind of targets: ``"values"``, a row of numbers; ``"fractions"``, a row of numbers from 0
        to 1; ``"distribution"``, a class index or a row of probabilities; ``"class"``, an index;
        ``"probabilities"``, a row of probabilities; ``"counts"``, a row of numbers from 0 on.
    delta : callable or None
        (z, a, y) ↦ δ of a loss without `gradient`, if it is not a − y.
    columns : callable
        Number of outputs ↦ number of targets in a row.
    repeats : bool
        True if a single target can stand for a row of the same ones.
    """

    name: str
    value: Callable[[Vector, Vector, Vector], float]
    gradient: Callable[[Vector, Vector], Vector] | None
    activation: str | None
    metric_name: str
    metric: Callable[[Vector, Vector], float]
    targets: str
    delta: Callable[[Vector, Vector, Vector], Vector] | None = None
    columns: Callable[[int], int] = lambda outputs: outputs
    repeats: bool = False

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


def squared_hinge(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σ_{j≠y} max(0, aⱼ − a_y + 1)²."""
    right = largest_index(y)
    return sum(max(a_j - a[right] + 1, 0.0) ** 2 for j, a_j in enumerate(a) if j != right)


def squared_hinge_gradient(a: Vector, y: Vector) -> Vector:
    """∂C/∂aⱼ = 2 max(0, aⱼ − a_y + 1) for j ≠ y, and ∂C/∂a_y = −Σ_{j≠y} ∂C/∂aⱼ."""
    right = largest_index(y)
    gradient = [2 * max(a_j - a[right] + 1, 0.0) if j != right else 0.0 for j, a_j in enumerate(a)]
    gradient[right] = -sum(gradient)
    return gradient


def mae(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σⱼ |aⱼ − yⱼ| / m, with m outputs."""
    return absolute_error(a, y)


def mae_gradient(a: Vector, y: Vector) -> Vector:
    """∂C/∂aⱼ = sign(aⱼ − yⱼ) / m, with the slope 0 at the kink."""
    return [((d_j > 0) - (d_j < 0)) / len(a) for d_j in subtract(a, y)]


def huber(delta: float = 1.0) -> Loss:
    """Make the loss C = Σⱼ h(aⱼ − yⱼ) / m, with h(e) = ½ e² if |e| ≤ δ, else δ (|e| − ½ δ)."""

    def value(z: Vector, a: Vector, y: Vector) -> float:
        sizes = [abs(d_j) for d_j in subtract(a, y)]
        terms = [e * e / 2 if e <= delta else delta * (e - delta / 2) for e in sizes]
        return sum(terms) / len(a)

    def gradient(a: Vector, y: Vector) -> Vector:
        return [max(-delta, min(delta, d_j)) / len(a) for d_j in subtract(a, y)]

    return Loss("huber", value, gradient, None, "mae", absolute_error, "values")


def log_cosh(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σⱼ ln cosh(aⱼ − yⱼ) / m, where ln cosh e = |e| + ln(1 + exp(−2 |e|)) − ln 2."""
    return sum(
        abs(d_j) + math.log1p(math.exp(-2 * abs(d_j))) - math.log(2) for d_j in subtract(a, y)
    ) / len(a)


def log_cosh_gradient(a: Vector, y: Vector) -> Vector:
    """∂C/∂aⱼ = tanh(aⱼ − yⱼ) / m."""
    return [math.tanh(d_j) / len(a) for d_j in subtract(a, y)]


def pinball(quantiles: float | Sequence[float] = 0.5) -> Loss:
    """Make the loss C = Σⱼ max(qⱼ (yⱼ − aⱼ), (1 − qⱼ) (aⱼ − yⱼ)) / m: output j is quantile qⱼ.

    One quantile is that of all outputs. Of several there is one for each output, and a single
    target is the target of all of them.
    """

    def of_outputs(outputs: int) -> Vector:
        return list(quantiles) if isinstance(quantiles, Sequence) else [quantiles] * outputs

    def value(z: Vector, a: Vector, y: Vector) -> float:
        pairs = zip(of_outputs(len(a)), subtract(a, y), strict=True)
        return sum(max(-q_j * d_j, (1 - q_j) * d_j) for q_j, d_j in pairs) / len(a)

    def gradient(a: Vector, y: Vector) -> Vector:
        pairs = zip(of_outputs(len(a)), subtract(a, y), strict=True)
        slopes = [0.0 if d_j == 0 else 1 - q_j if d_j > 0 else -q_j for q_j, d_j in pairs]
        return [slope / len(a) for slope in slopes]

    return Loss(
        "pinball",
        value,
        gradient,
        None,
        "mae",
        absolute_error,
        "values",
        repeats=isinstance(quantiles, Sequence),
    )


def poisson(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σⱼ aⱼ − yⱼ zⱼ, divided by m, with the rates a = exp(z) of m outputs.

    It is −ln P(y) without the term ln y!, which does not depend on the outputs.
    """
    return sum(a_j - y_j * z_j for z_j, a_j, y_j in zip(z, a, y, strict=True)) / len(a)


def poisson_delta(z: Vector, a: Vector, y: Vector) -> Vector:
    """δⱼ = (aⱼ − yⱼ) / m."""
    return [d_j / len(a) for d_j in subtract(a, y)]


def poisson_deviance(a: Vector, y: Vector) -> float:
    """2 Σⱼ yⱼ ln(yⱼ / aⱼ) − yⱼ + aⱼ, divided by m: twice the distance of C from its minimum."""
    return sum(
        2 * ((y_j * math.log(y_j / a_j) if y_j > 0 else 0.0) - y_j + a_j)
        for a_j, y_j in zip(a, y, strict=True)
    ) / len(a)


def gaussian_nll(eps: float = 1e-6) -> Loss:
    """Make the loss C = ½ Σⱼ ln vⱼ + (μⱼ − yⱼ)² / vⱼ, divided by k, for outputs μ₁ … μₖ, s₁ … sₖ.

    The variances are vⱼ = max(exp(sⱼ), ε). It is −ln of the density of N(μ, v), without ½ ln 2π.
    """

    def logarithms(a: Vector) -> Vector:
        return [max(s_j, math.log(eps)) for s_j in a[len(a) // 2 :]]

    def value(z: Vector, a: Vector, y: Vector) -> float:
        triples = zip(logarithms(a), a, y, strict=False)
        return sum(
            (s_j + (m_j - y_j) ** 2 * math.exp(-s_j)) / 2 for s_j, m_j, y_j in triples
        ) / len(y)

    def gradient(a: Vector, y: Vector) -> Vector:
        k = len(y)
        of_means, of_logarithms = [], []
        for s_j, m_j, y_j, given in zip(logarithms(a), a, y, a[k:], strict=False):
            slope = (m_j - y_j) * math.exp(-s_j)
            of_means.append(slope / k)
            of_logarithms.append(
                (1 - (m_j - y_j) * slope) / 2 / k if given > math.log(eps) else 0.0
            )
        return of_means + of_logarithms

    def metric(a: Vector, y: Vector) -> float:
        return absolute_error(a[: len(y)], y)

    return Loss(
        "gaussian_nll",
        value,
        gradient,
        None,
        "mae",
        metric,
        "values",
        columns=lambda outputs: outputs // 2,
    )


def smoothed_binary_cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Make the `binary_cross_entropy` of the targets (1 − s) y + s / 2."""

    def smoothed(y: Vector) -> Vector:
        return [(1 - label_smoothing) * y_j + label_smoothing / 2 for y_j in y]

    return Loss(
        "binary_cross_entropy",
        lambda z, a, y: binary_cross_entropy(z, a, smoothed(y)),
        None,
        "sigmoid",
        "accuracy",
        share_correct,
        "fractions",
        lambda z, a, y: subtract(a, smoothed(y)),
    )


def smoothed_cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Make the `cross_entropy` of the targets (1 − s) y + s / m, with m outputs."""

    def smoothed(y: Vector) -> Vector:
        return [(1 - label_smoothing) * y_j + label_smoothing / len(y) for y_j in y]

    return Loss(
        "cross_entropy",
        lambda z, a, y: cross_entropy(z, a, smoothed(y)),
        None,
        "softmax",
        "accuracy",
        is_correct,
        "distribution",
        lambda z, a, y: subtract(a, smoothed(y)),
    )


def focal(gamma: float = 2.0) -> Loss:
    """Make the loss C = −(1 − p)^γ ln p, with the probability p of the right class.

    With L = −ln p, dC/dL = (1 − p)^γ + γ p L (1 − p)^(γ − 1), and δ is this times that of L, a − y.
    """

    def value(z: Vector, a: Vector, y: Vector) -> float:
        loss = cross_entropy(z, a, y)
        return math.pow(-math.expm1(-loss), gamma) * loss

    def delta(z: Vector, a: Vector, y: Vector) -> Vector:
        loss, p = cross_entropy(z, a, y), a[largest_index(y)]
        wrong = -math.expm1(-loss)
        factor = wrong**gamma * (1 + gamma * p * loss / wrong) if wrong > 0 else float(gamma == 0)
        return [factor * d_j for d_j in subtract(a, y)]

    return Loss("focal", value, None, "softmax", "accuracy", is_correct, "class", delta)


def kl_divergence(z: Vector, a: Vector, y: Vector) -> float:
    """C = Σⱼ yⱼ ln(yⱼ / aⱼ) = cross_entropy − entropy of y, with 0 ln 0 = 0."""
    return cross_entropy(z, a, y) + sum(y_j * math.log(y_j) for y_j in y if y_j > 0)


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
        Loss("mae", mae, mae_gradient, None, "mae", absolute_error, "values"),
        huber(),
        Loss("log_cosh", log_cosh, log_cosh_gradient, None, "mae", absolute_error, "values"),
        pinball(),
        Loss(
            "poisson", poisson, None, "exp", "deviance", poisson_deviance, "counts", poisson_delta
        ),
        gaussian_nll(),
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
        focal(),
        Loss(
            "kl_divergence",
            kl_divergence,
            None,
            "softmax",
            "mae",
            absolute_error,
            "probabilities",
        ),
        Loss("hinge", hinge, hinge_gradient, None, "accuracy", is_correct, "class"),
        Loss(
            "squared_hinge",
            squared_hinge,
            squared_hinge_gradient,
            None,
            "accuracy",
            is_correct,
            "class",
        ),
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
    columns = loss.columns(outputs)
    if loss.classifies and isinstance(target, int):
        if not 0 <= target < outputs:
            raise ValueError(f"{name} is {target}, expected a class index from 0 to {outputs - 1}")
        return [float(j == target) for j in range(outputs)]
    if not loss.classifies and columns == 1 and isinstance(target, (int, float)):
        target = [target]
    if loss.repeats and isinstance(target, (int, float)):
        target = [target] * columns
    if loss.targets == "class" or not isinstance(target, Sequence):
        expected = "a class index" if loss.targets == "class" else f"a row of {columns} numbers"
        raise ValueError(f"{name} is {target!r}, expected {expected} for the loss {loss.name!r}")
    row = read_vector(name, target, columns)
    limit = math.inf if loss.targets == "counts" else 1.0
    for j, value in enumerate(row if loss.targets != "values" else ()):
        if not 0 <= value <= limit:
            expected = "0 to 1" if limit == 1 else "0 on"
            raise ValueError(f"{name}[{j}] is {value}, expected a number from {expected}")
    sums_to_1 = loss.targets in ("distribution", "probabilities")
    if sums_to_1 and abs(sum(row) - 1) > SUM_TOLERANCE:
        raise ValueError(f"{name} sums to {sum(row)}, expected a row of probabilities, sum 1")
    return row
