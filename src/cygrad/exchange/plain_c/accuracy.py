"""`Accuracy`: how far a network in 8-bit integers is from the network, over samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Accuracy:
    """The loss of accuracy over the samples that the scales come from.

    Attributes
    ----------
    rows : int
        Number of samples.
    largest, mean : float
        Differences of the outputs, without their sign.
    agreement : float or None
        The share of the samples with the same class; None without classes.
    """

    rows: int
    largest: float
    mean: float
    agreement: float | None

    def __str__(self) -> str:
        classes = ""
        if self.agreement is not None:
            classes = f", {100 * self.agreement:.4g} % in the same class"
        return (
            f"8-bit integers over {self.rows:,} samples: largest difference {self.largest:.2g}, "
            f"mean {self.mean:.2g}{classes}"
        )


def accuracy_of(outputs: NDArray[Any], expected: NDArray[Any], decision: str) -> Accuracy:
    """Compare outputs, shape (n, outputs); `decision` is that of a `Program`."""
    differences = np.abs(outputs.astype(np.float64) - expected)
    agreement = None
    if decision == "largest":
        agreement = float((outputs.argmax(axis=1) == expected.argmax(axis=1)).mean())
    elif decision == "half":
        agreement = float(((outputs >= 0.5) == (expected >= 0.5)).all(axis=1).mean())
    return Accuracy(len(outputs), float(differences.max()), float(differences.mean()), agreement)
