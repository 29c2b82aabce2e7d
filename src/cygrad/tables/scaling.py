"""Scale the numbers of a column: what is learned from its training rows, and its application.

Every method maps the middle of the training numbers to 0 and their spread to about 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS = ("standard", "robust", "quantile", "quantile_uniform", "none")
#: Training quantiles of the methods "quantile" and "quantile_uniform".
MOST_QUANTILES = 1000
# The smooth clipping of RealMLP keeps numbers within ± this.
CLIP = 3.0


@dataclass(frozen=True)
class Scaling:
    """A mapping of numbers: (x − `center`) / `scale`, or linear between `quantiles`.

    Attributes
    ----------
    method : {"standard", "robust", "quantile", "quantile_uniform", "none"}
    center, scale : float
    quantiles, scores : tuple of float
        Increasing numbers, and their values; empty unless `method` is one of the quantiles.
    """

    method: str
    center: float = 0.0
    scale: float = 1.0
    quantiles: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()

    def apply(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled numbers; NaN stays NaN."""
        if self.quantiles:
            return np.interp(numbers, self.quantiles, self.scores)
        scaled: NDArray[np.float64] = (numbers - self.center) / self.scale
        if self.method == "robust":
            scaled = scaled / np.sqrt(1 + np.square(scaled / CLIP))
        return scaled

    def to_values(self) -> dict[str, Any]:
        """Return the mapping as values for JSON."""
        if self.quantiles:
            return {
                "method": self.method,
                "quantiles": list(self.quantiles),
                "scores": list(self.scores),
            }
        return {"method": self.method, "center": self.center, "scale": self.scale}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Scaling:
        """Return the mapping of `to_values`, checked."""
        method = checks.one_of(values["method"], "method", METHODS)
        if not method.startswith("quantile"):
            center = checks.number(values["center"], "center")
            scale = checks.number(values["scale"], "scale", 0.0)
            if scale == 0:
                raise ValueError("scale is 0, expected a number above 0")
            return cls(method, center, scale)
        quantiles = tuple(checks.number(each, "quantiles") for each in values["quantiles"])
        scores = tuple(checks.number(each, "scores") for each in values["scores"])
        if not quantiles or len(quantiles) != len(scores) or (np.diff(quantiles) <= 0).any():
            raise ValueError("quantiles do not increase, or there is not one score for each")
        return cls(method, quantiles=quantiles, scores=scores)


def learned(numbers: NDArray[np.float64], method: str, name: str) -> Scaling:
    """Learn a scaling from the numbers of a column, of which at least one is there and none NaN.

    - "standard": mean and standard deviation.
    - "robust": x ↦ z / √(1 + (z/3)²), z = (x − median) / (q₇₅ − q₂₅); if the quartiles are equal,
      half the range in place of their distance (RealMLP).
    - "quantile": the share of smaller training numbers as a quantile of the normal distribution;
      "quantile_uniform": of the uniform one with mean 0 and variance 1. Of m training quantiles, in
      the middle of m equal shares, numbers between two are interpolated, and those beyond the first
      and the last have their values.
    - "none": the numbers as they are.

    References
    ----------
    "robust": D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data", NeurIPS 2024.
    """
    if method == "none":
        return Scaling(method)
    if method == "robust":
        lower, median, upper = np.quantile(numbers, (0.25, 0.5, 0.75)).tolist()
        scale = upper - lower
        if scale == 0:
            scale = 0.5 * float(numbers.max()) - 0.5 * float(numbers.min())
        return Scaling(method, _finite(median, name), _finite(scale, name) or 1.0)
    if method == "standard":
        return Scaling(method, *mean_and_deviation(numbers, name))
    count = min(len(numbers), MOST_QUANTILES)
    shares = (np.arange(count) + 0.5) / count
    quantiles = np.quantile(numbers, shares, method="hazen")
    if method == "quantile":
        from statistics import NormalDist  # which takes longer to import than networks

        normal = NormalDist()
        scores = np.array([normal.inv_cdf(share) for share in shares.tolist()])
    else:
        scores = (2 * shares - 1) * 3**0.5
    # Equal quantiles, of a number that occurs often, have the mean of their scores.
    distinct, position, counts = np.unique(quantiles, return_inverse=True, return_counts=True)
    means = np.bincount(position, weights=scores) / counts
    return Scaling(method, quantiles=tuple(distinct.tolist()), scores=tuple(means.tolist()))


def learned_of_indicator(ones: int, rows: int) -> Scaling:
    """Learn the "robust" scaling of an input that is 1 in some of the training rows and else 0.

    It is that of `learned` for the numbers 0 and 1, from their counts.
    """

    def quantile(share: float) -> float:
        position = share * (rows - 1)
        below = int(position)
        first, second = (float(index >= rows - ones) for index in (below, below + 1))
        return first + (second - first) * (position - below)

    scale = quantile(0.75) - quantile(0.25)
    if scale == 0:
        scale = 0.5 if 0 < ones < rows else 1.0
    return Scaling("robust", quantile(0.5), scale)


def mean_and_deviation(numbers: NDArray[np.float64], name: str) -> tuple[float, float]:
    """Return the mean and the standard deviation of numbers; 1 in place of a deviation of 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(numbers.mean())
        variance = float(np.square(numbers - mean).mean())
    _finite(mean + variance, name)
    return mean, 1.0 if is_rounding(len(numbers), mean, variance) else variance**0.5


def is_rounding(n: int, mean: float, variance: float) -> bool:
    """Return whether the variance of n numbers can be that of rounding errors in equal numbers."""
    eps = float(np.finfo(np.float64).eps)
    return variance <= n * eps * variance + (n * mean * eps) ** 2


def _finite(value: float, name: str) -> float:
    if not np.isfinite(value):
        raise ValueError(f"column {name!r} has numbers so large that their variance is not finite")
    return value
