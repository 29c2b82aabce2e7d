"""Time and accuracy on real images: the 10,000 of MNIST's test part, 8,000 to train, 2,000 to test.

The files are not part of the repository; ``--mnist DIR`` is their folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from cygrad import datasets

from .cases import Case
from .programs import Array, initial_parameters, programs
from .programs.plain_numpy import PlainNumpy
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "MNIST-10k: 784-128-10, batch 64, Adam"
COLUMNS = (
    Column("program", "program", 12),
    Column("epochs", "epochs", 6),
    Column("seconds", "seconds", 7, ".2f"),
    Column("loss", "loss", 7, ".4f"),
    Column("accuracy", "accuracy", 8, ".2%"),
)
IMAGES = "t10k-images-idx3-ubyte.gz"
TRAIN, TEST = 8000, 2000


def rows(settings: Settings) -> Iterator[Row]:
    assert settings.mnist is not None  # the command line requires it
    X, labels = _images(settings.mnist / IMAGES, settings.dtype)
    case = Case((784, 128, 10), batch=64, samples=TRAIN)
    epochs, required = (5, 0.92) if settings.quick else (20, 0.95)
    evaluator = PlainNumpy(case, settings.dtype, settings.threads)
    for name, program in programs().items():
        contestant = program(case, settings.dtype, settings.threads)
        contestant.start(initial_parameters(case, settings.dtype))
        begin = perf_counter()
        losses = contestant.fit(X[:TRAIN], labels[:TRAIN], epochs)
        seconds = perf_counter() - begin
        evaluator.start(contestant.parameters())
        accuracy = float((evaluator.forward(X[-TEST:]).argmax(axis=1) == labels[-TEST:]).mean())
        if accuracy < required:
            raise WrongResult(f"{name}: accuracy is {accuracy}, expected {required} at least")
        yield {
            "program": name,
            "epochs": epochs,
            "seconds": seconds,
            "loss": losses[-1],
            "accuracy": accuracy,
        }


def _images(file: Path, dtype: str) -> tuple[Array, Array]:
    """Return pixels from 0 to 1, shape (10000, 784), and labels."""
    table = datasets.read(file)
    assert table.y is not None
    return (table.X / 255).astype(dtype), table.y
