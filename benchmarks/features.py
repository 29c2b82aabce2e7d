"""What a feature of training costs: a step with it as a share of the same step without it.

Each feature has a network and a trainer with and without it. The two take turns (A B, B A, …), and
each turn of one is divided by the turn of the other next to it. Before that, both are trained for
three steps by the plain loops that define the bits, and must have the same parameters. With
``--peers`` PyTorch trains the network with dropout, batch norm and AdamW, eagerly and compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from statistics import quantiles
from typing import Any

import numpy as np

import cygrad as cg
from cygrad._engine import kernels

from . import timing
from .programs import Array
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Features of training, 784-128-10: µs of a step, and its share of the step without it"
COLUMNS = (
    Column("feature", "feature", 34),
    Column("threads", "threads", 7),
    Column("with", "with, µs", 9, ",.1f"),
    Column("without", "without", 9, ",.1f"),
    Column("share", "share", 6, ".3f"),
    Column("lower", "25 %", 6, ".3f"),
    Column("upper", "75 %", 6, ".3f"),
)
INPUTS, UNITS, CLASSES, BATCH, STEPS = 784, 128, 10, 64, 100
CHECKED_STEPS = 3

Layers = list[Any]
HIDDEN = cg.Dense(UNITS, "relu")
OUTPUT = cg.Dense(CLASSES, "softmax")


@dataclass(frozen=True)
class Variant:
    """A network with its training, and the arguments of `fit`."""

    layers: Layers = field(default_factory=lambda: [HIDDEN, OUTPUT])
    optimizer: Callable[[], Any] = cg.Adam
    trainer: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    weighted: bool = False

    def make(self, threads: int, dtype: str, batch: int = BATCH) -> cg.Trainer:
        net = cg.Network(INPUTS, self.layers, loss="cross_entropy", dtype=dtype, rng=0)
        return cg.Trainer(net, self.optimizer(), batch, rng=0, threads=threads, **self.trainer)

    def run(self, trainer: cg.Trainer, X: Array, y: Array, weights: Array) -> None:
        trainer.fit(X, y, 1, **self.fit, sample_weight=weights if self.weighted else None)


PLAIN = Variant()
DEEPER = Variant([HIDDEN, HIDDEN, OUTPUT])
FEATURES: dict[str, tuple[Variant, Variant]] = {
    "dropout 0.5": (Variant([HIDDEN, cg.Dropout(0.5), OUTPUT]), PLAIN),
    "dropout 0.1 of the inputs too": (
        Variant([cg.Dropout(0.1), HIDDEN, cg.Dropout(0.5), OUTPUT]),
        PLAIN,
    ),
    "Gaussian noise": (Variant([HIDDEN, cg.GaussianNoise(0.1), OUTPUT]), PLAIN),
    "batch norm": (Variant([cg.Dense(UNITS), cg.BatchNorm("relu"), OUTPUT]), PLAIN),
    "layer norm": (Variant([cg.Dense(UNITS), cg.LayerNorm("relu"), OUTPUT]), PLAIN),
    "scaling of the inputs": (Variant([cg.Scaling(), HIDDEN, OUTPUT]), PLAIN),
    "residual": (Variant([HIDDEN, cg.Residual([HIDDEN]), OUTPUT]), DEEPER),
    "clipping by global norm": (Variant(trainer={"clip_global_norm": 1.0}), PLAIN),
    "clipping by value": (Variant(trainer={"clip_value": 0.01}), PLAIN),
    "sample weights": (Variant(weighted=True), PLAIN),
    "gradient statistics": (Variant(fit={"statistics": True}), PLAIN),
    "gelu": (Variant([cg.Dense(UNITS, "gelu"), OUTPUT]), PLAIN),
    "AdamW": (Variant(optimizer=cg.AdamW), PLAIN),
    "RMSProp": (Variant(optimizer=cg.RMSProp), PLAIN),
    "Lion": (Variant(optimizer=cg.Lion), PLAIN),
}
WITH_PEERS = Variant([cg.Dense(UNITS), cg.BatchNorm("relu"), cg.Dropout(0.5), OUTPUT], cg.AdamW)


def rows(settings: Settings) -> Iterator[Row]:
    X, y, weights = samples(STEPS * BATCH, settings.dtype)
    rounds = 4 if settings.quick else 25
    for name, (variant, plain) in FEATURES.items():
        check(name, variant, X, y, weights, settings)
        trainers = [each.make(settings.threads, settings.dtype) for each in (variant, plain)]

        def turn(which: int, pair: Any = (variant, plain), made: Any = trainers) -> float:
            timing.wait_until_idle(settings.threads)
            work = lambda: pair[which].run(made[which], X, y, weights)  # noqa: E731
            return timing.seconds(work) / STEPS

        yield {"feature": name, "threads": settings.threads, **compared(turn, rounds)}
    if settings.peers:
        yield from peers(X, y, weights, settings, rounds)


def samples(count: int, dtype: str) -> tuple[Array, Array, Array]:
    """Return samples, their classes, and weights."""
    rng = np.random.default_rng(0)
    X = rng.random((count, INPUTS)).astype(dtype)
    return X, rng.integers(0, CLASSES, count), rng.uniform(0.5, 2.0, count)


def check(
    name: str, variant: Variant, X: Array, y: Array, weights: Array, settings: Settings
) -> None:
    """Raise a WrongResult if kernels and loops give different parameters."""
    found = []
    before = kernels.selected_engine()
    rows = slice(0, 8 * CHECKED_STEPS)  # smaller batches: the loops are slow
    for engine in kernels.ENGINES:
        kernels.select_engine(engine)
        try:
            trainer = variant.make(settings.threads, settings.dtype, batch=8)
            variant.run(trainer, X[rows], y[rows], weights[rows])
        finally:
            kernels.select_engine(before)
        found.append(trainer.net.parameters)
    if not np.array_equal(found[0], found[1]):
        raise WrongResult(f"{name}: the parameters of the kernels are not those of the loops")


def compared(turn: Callable[[int], float], rounds: int) -> dict[str, float]:
    """Let the two take turns; return their median times, and the ratio with its quartiles."""
    turn(0), turn(1)  # fill the caches
    times: list[list[float]] = [[], []]
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(turn(which))
    ratios = [a / b for a, b in zip(*times, strict=True)]
    lower, middle, upper = quantiles(ratios, n=4)
    seconds = [quantiles(each, n=2)[0] for each in times]
    return {
        "with": 1e6 * seconds[0],
        "without": 1e6 * seconds[1],
        "share": middle,
        "lower": lower,
        "upper": upper,
    }


def peers(X: Array, y: Array, weights: Array, settings: Settings, rounds: int) -> Iterator[Row]:
    """Yield PyTorch's step as a multiple of ours, with dropout, batch norm and AdamW."""
    if find_spec("torch") is None:
        return
    trainer = WITH_PEERS.make(settings.threads, settings.dtype)
    for name, epoch in torch_epochs(X, y, settings).items():

        def turn(which: int, epoch: Callable[[], None] = epoch) -> float:
            timing.wait_until_idle(settings.threads)
            ours = lambda: WITH_PEERS.run(trainer, X, y, weights)  # noqa: E731
            return timing.seconds(epoch if which == 0 else ours) / STEPS

        title = f"{name} / cygrad: BN, dropout, AdamW"
        yield {"feature": title, "threads": settings.threads, **compared(turn, rounds)}


def torch_epochs(X: Array, y: Array, settings: Settings) -> dict[str, Callable[[], None]]:
    """Return functions that train one epoch of shuffled batches in PyTorch."""
    import torch

    torch.set_num_threads(settings.threads)
    samples, targets = torch.from_numpy(X), torch.from_numpy(y)

    def epoch_of(wrap: Callable[[Any], Any]) -> Callable[[], None]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, UNITS),
            torch.nn.BatchNorm1d(UNITS),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(UNITS, CLASSES),
        ).to(samples.dtype)
        model.train()
        forward = wrap(model)
        loss_of = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)

        def epoch() -> None:
            for rows in torch.randperm(len(samples)).split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss_of(forward(samples[rows]), targets[rows]).backward()
                optimizer.step()

        first = float(loss_of(forward(samples), targets))
        for _ in range(3):
            epoch()
        if not float(loss_of(forward(samples), targets)) < first:
            raise WrongResult("PyTorch does not learn")
        return epoch

    epochs = {"PyTorch": epoch_of(lambda model: model)}
    epochs["PyTorch, compiled"] = epoch_of(torch.compile)
    return epochs
