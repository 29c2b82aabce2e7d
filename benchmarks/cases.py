"""The networks that are timed: sizes, batch and number of samples, one table for all sections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

# Hyperparameters of the optimisers, the same in every program.
LEARNING_RATE = 1e-3
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
MOMENTUM = 0.9  # of SGD
OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class Case:
    """A network with ReLU hidden layers, trained by Adam or SGD on shuffled mini-batches.

    One output means regression (identity, mean squared error), several outputs mean classification
    (softmax, cross-entropy).
    """

    sizes: tuple[int, ...]
    batch: int
    samples: int
    optimizer: str = "adam"

    @property
    def network(self) -> str:
        return "-".join(map(str, self.sizes))

    @property
    def classification(self) -> bool:
        return self.sizes[-1] > 1

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Inputs and outputs of every layer."""
        return list(pairwise(self.sizes))

    @property
    def parameters(self) -> int:
        return sum((inputs + 1) * outputs for inputs, outputs in self.shapes)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return self.samples // self.batch

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products in one step.

        Each layer has three products of 2·batch·in·out: forward, weight gradient and hidden delta;
        the first layer has no hidden delta.
        """
        inner = sum(inputs * outputs for inputs, outputs in self.shapes)
        return 2 * self.batch * (3 * inner - self.sizes[0] * self.sizes[1])

    def shortened(self, divisor: int) -> Case:
        """Return the same network with fewer samples, in whole batches."""
        return replace(self, samples=max(1, self.steps // divisor) * self.batch)


# The samples exceed the second-level cache, as real data do, and fill whole batches.
CASES = (
    Case((8, 32, 32, 1), batch=32, samples=8192),
    Case((64, 64, 10), batch=32, samples=8192),
    Case((784, 30, 10), batch=10, samples=5120),
    Case((784, 128, 10), batch=64, samples=5120),
    Case((784, 1024, 1024, 10), batch=256, samples=5120),
    Case((2048, 2048, 2048, 2048, 10), batch=256, samples=2560),
)


def parse_case(text: str) -> Case:
    """Parse a network of the command line: ``784-128-10`` of the table, or any ``SIZES@BATCH``."""
    network, at, batch = text.partition("@")
    if not at:
        for known in CASES:
            if known.network == network:
                return known
        names = ", ".join(known.network for known in CASES)
        raise ValueError(f"network is {text!r}, expected one of {names}, or SIZES@BATCH")
    try:
        sizes, rows = tuple(map(int, network.split("-"))), int(batch)
    except ValueError:
        raise ValueError(f"network is {text!r}, expected SIZES@BATCH, as 20-50-3@16") from None
    if len(sizes) < 2 or min(*sizes, rows) < 1:
        raise ValueError(f"network is {text!r}, expected two or more sizes and a batch above 0")
    return Case(sizes, rows, samples=max(1, 5120 // rows) * rows)
