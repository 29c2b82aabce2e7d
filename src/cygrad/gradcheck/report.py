"""Results of a gradient check: `Comparison`, `ArrayReport`, `GradientReport`, `GradientError`.

The **relative error** of a derivative is

    |a − n| / max(|a|, |n|)

with a by backpropagation and n by differences, and 0 if both are 0. It means little for small
derivatives, because rounding leaves none of their digits right. So a is wrong if

    |a − n| > atol + rtol · max(|a|, |n|) + rounding of n

that is, if the relative error is above rtol + (atol + rounding) / max(|a|, |n|). The worst
derivative is the one with the largest |a − n| / allowed, not the one with the largest relative
error.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Comparison:
    """The two values of one derivative.

    Attributes
    ----------
    parameter : str
        "weights", "biases" or "inputs" of a network, or the name of a graph's variable; for a
        direction through several arrays, their common name.
    layer : int or None
        Index of the layer that the parameter belongs to.
    index : tuple of int or None
        Index in the array: (unit, input) of a weight, (unit,) of a bias, (row, column) of an
        input. None for the derivative along a random direction.
    analytic : float
        By backpropagation.
    numerical : float
        By central differences.
    allowed : float
        Largest difference allowed.
    """

    parameter: str
    layer: int | None
    index: tuple[int, ...] | None
    analytic: float
    numerical: float
    allowed: float

    @property
    def array(self) -> str:
        """The array of the derivative, as ``layers[0].weights``."""
        return array_name(self.parameter, self.layer)

    @property
    def place(self) -> str:
        """The array with the index, as ``layers[0].weights[3, 1]``."""
        if self.index is None:
            return f"along a random direction of {self.array}"
        return f"{self.array}[{', '.join(map(str, self.index))}]" if self.index else self.array

    @property
    def relative_error(self) -> float:
        """|a − n| / max(|a|, |n|)"""
        if self.analytic == self.numerical:
            return 0.0
        size = max(abs(self.analytic), abs(self.numerical))
        return _number_or_infinity(abs(self.analytic - self.numerical) / size)

    @property
    def error(self) -> float:
        """The difference of the two values as a multiple of the allowed one."""
        return _number_or_infinity(abs(self.analytic - self.numerical) / self.allowed)

    def __str__(self) -> str:
        return (
            f"{self.place}: backpropagation gives {self.analytic!r}, "
            f"central differences give {self.numerical!r}"
        )


@dataclass(frozen=True)
class ArrayReport:
    """The results for one array, or along directions through all of them.

    Attributes
    ----------
    array : str
        ``layers[0].weights``, ``inputs``, the name of a variable, ….
    size : int
        Number of derivatives in the array.
    compared : int
        Number of derivatives, or of directions, compared.
    wrong : int
        Number of comparisons that differ by more than allowed.
    kinks : int
        Number of derivatives left out because of a kink.
    worst : Comparison or None
        The comparison with the largest error; None if nothing could be compared.
    """

    array: str
    size: int
    compared: int
    wrong: int
    kinks: int
    worst: Comparison | None


@dataclass(frozen=True, repr=False)
class GradientReport:
    """The results of `check_gradients`. As text it is a table, one line for each array.

    Attributes
    ----------
    total : int
        Number of derivatives.
    directions : int or None
        Number of random directions; None if each derivative was compared by itself.
    arrays : tuple of ArrayReport
        Each array, from the first layer to the last. For directions: first all arrays together,
        then those that were checked by themselves.
    failures : tuple of Comparison
        The comparisons that differ by more than allowed.
    """

    total: int
    directions: int | None
    arrays: tuple[ArrayReport, ...]
    failures: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """True if no derivative is wrong."""
        return not self.failures

    @property
    def compared(self) -> int:
        """Number of derivatives compared."""
        return sum(each.compared for each in self.arrays)

    @property
    def kinks(self) -> int:
        """Number of derivatives not compared because of a kink."""
        return sum(each.kinks for each in self.arrays)

    @property
    def worst(self) -> tuple[Comparison, ...]:
        """The worst comparison of each array."""
        return tuple(each.worst for each in self.arrays if each.worst is not None)

    @property
    def worst_of_all(self) -> Comparison | None:
        """The worst comparison of all; None if nothing could be compared."""
        return max(self.worst, key=lambda each: each.error, default=None)

    def __repr__(self) -> str:  # for interactive sessions
        return str(self)

    def __str__(self) -> str:
        if self.directions is None:
            counts = f"{self.compared:,} of {self.total:,} derivatives compared"
        else:
            slopes = "slope" if self.compared == 1 else "slopes"
            counts = (
                f"{self.compared:,} {slopes} along random directions of {self.total:,} derivatives "
                "compared"
            )
        summary = (
            f"{counts}, {len(self.failures):,} wrong, "
            f"{self.kinks:,} left out at kinks; the worst of each array:"
        )
        return "\n".join([summary, *_table(self.arrays)])


class GradientError(ArithmeticError):
    """Backpropagation and central differences disagree.

    The message names array, index and both values of the worst disagreement.

    Attributes
    ----------
    report : GradientReport
        The whole report.
    """

    def __init__(self, report: GradientReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        report = self.report
        # A single derivative locates the fault better than a slope along a direction.
        entries = [each for each in report.failures if each.index is not None]
        worst = max(entries or report.failures, key=lambda each: each.error)
        text = f"{worst} (relative error {worst.relative_error:.1e}); "
        if report.directions is None:
            return f"{text}{len(report.failures)} of {report.compared} derivatives are wrong"
        arrays = dict.fromkeys(each.array for each in report.failures)
        return f"{text}the slopes are wrong along random directions of {', '.join(arrays)}"


_HEADINGS = ("", "compared", "wrong", "kinks", "worst at", "backward", "differences",
             "relative error", "error / allowed")  # fmt: skip
_LEFT = (0, 4)  # columns of text


def _table(arrays: tuple[ArrayReport, ...]) -> list[str]:
    """Return the lines of a table with one row for each array."""
    rows = [_HEADINGS, *map(_row, arrays)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(array: ArrayReport) -> tuple[str, ...]:
    counts = (f"{array.compared:,}", f"{array.wrong:,}", f"{array.kinks:,}")
    worst = array.worst
    if worst is None:
        return (array.array, *counts, "", "", "", "", "")
    return (
        array.array,
        *counts,
        "" if worst.index is None else f"[{', '.join(map(str, worst.index))}]" * bool(worst.index),
        f"{worst.analytic:.7g}",
        f"{worst.numerical:.7g}",
        f"{worst.relative_error:.1e}",
        f"{worst.error:.1e}",
    )


def array_name(parameter: str, layer: int | None) -> str:
    """Return the name of an array, as ``layers[0].weights``."""
    return parameter if layer is None else f"layers[{layer}].{parameter}"


def _number_or_infinity(error: float) -> float:
    return error if error == error else inf
