"""The networks that are timed: sizes, batch and number of samples, one table for all sections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, pairwise

# Hyperparameters of the optimisers, the same in every program.
LEARNING_RATE = 1e-3
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
MOMENTUM = 0.9  # of SGD
OPTIMIZERS = ("adam", "sgd")
HIDDEN = ("relu", "tanh", "sigmoid")  # activations
LONG_RUN = 5  # equal sizes in a row that are written as 32x20


@dataclass(frozen=True)
class Case:
    """A network with equal hidden activations, trained by Adam or SGD on mini-batches.

    One output means regression (identity, mean squared error), several outputs mean classification
    (softmax, cross-entropy), or regression too where `regression` is True.
    """

    sizes: tuple[int, ...]
    batch: int
    samples: int
    optimizer: str = "adam"
    hidden: str = "relu"
    regression: bool = False

    @property
    def network(self) -> str:
        """The sizes, with long runs of equal ones as in 32x20-1."""
        parts: list[str] = []
        for size, run in groupby(self.sizes):
            count = len(list(run))
            parts += [str(size)] * count if count < LONG_RUN else [f"{size}x{count}"]
        return "-".join(parts)

    @property
    def title(self) -> str:
        """The sizes, and the hidden activation if it is not ReLU."""
        return self.network if self.hidden == "relu" else f"{self.network} {self.hidden}"

    @property
    def classification(self) -> bool:
        return self.sizes[-1] > 1 and not self.regression

    @property
    def shuffled(self) -> bool:
        """True if there are several batches; a single batch is always the same."""
        return self.steps > 1

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


# The samples exceed the second-level cache, as real data do, and fill whole batches. The first
# network is that of the benchmark of SimpleChains.jl, which trains on all samples at once.
CASES = (
    Case((4, 32, 16, 4), batch=10_000, samples=10_000, hidden="tanh", regression=True),
    Case((8, 32, 32, 1), batch=32, samples=8192),
    Case((64, 64, 10), batch=32, samples=8192),
    Case((784, 30, 10), batch=10, samples=5120),
    Case((784, 128, 10), batch=64, samples=5120),
    Case((784, 1024, 1024, 10), batch=256, samples=5120),
    Case((2048, 2048, 2048, 2048, 10), batch=256, samples=2560),
)


FORM = "SIZES@BATCH[:ACTIVATION][:regression]"


def parse_case(text: str) -> Case:
    """Parse a network of the command line: ``784-128-10`` of the table, or any of `FORM`.

    ``20-50-3@16`` has ReLU, ``20-50-3@16:tanh`` has tanh; ``32x20-1@32`` has twenty sizes of 32.
    """
    network, *options = text.split(":")
    sizes_text, at, batch = network.partition("@")
    if not at:
        for known in CASES:
            if known.network == text:
                return known
        names = ", ".join(known.network for known in CASES)
        raise ValueError(f"network is {text!r}, expected one of {names}, or {FORM}")
    try:
        sizes = tuple(size for part in sizes_text.split("-") for size in _run(part))
        rows = int(batch)
    except ValueError:
        raise ValueError(f"network is {text!r}, expected {FORM}, as 20-50-3@16") from None
    if len(sizes) < 2 or min(*sizes, rows) < 1:
        raise ValueError(f"network is {text!r}, expected two or more sizes and a batch above 0")
    hidden = [option for option in options if option != "regression"]
    if len(hidden) > 1 or not set(hidden) <= set(HIDDEN):
        raise ValueError(
            f"network is {text!r}, expected one activation of {', '.join(HIDDEN)}, or regression"
        )
    return Case(
        sizes,
        rows,
        samples=max(1, 5120 // rows) * rows,
        hidden=hidden[0] if hidden else "relu",
        regression="regression" in options,
    )


def _run(part: str) -> list[int]:
    """Return the sizes of ``32``, or of ``32x20``."""
    size, _, count = part.partition("x")
    return [int(size)] * (int(count) if count else 1)
