"""The sections, their settings from the command line, and the error for wrong results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cases import Case

ROOT = Path(__file__).resolve().parent.parent  # of the repository


class WrongResult(Exception):
    """A program computed a wrong result, so that its time has no meaning."""


@dataclass(frozen=True)
class Section:
    """A module of this package with TITLE, COLUMNS and rows(settings)."""

    module: str
    help: str
    per_threads: bool = False  # True if there is a table for each number of threads
    needs: str = ""  # the option without which it does not run
    alone: bool = False  # True if it has its own process: one thread, OpenBLAS by its defaults


SECTIONS = {
    "steps": Section("steps", "a training step of each program", per_threads=True),
    "variants": Section(
        "variants", "a step of cygrad in both dtypes, with Adam and SGD", per_threads=True
    ),
    "shapes": Section(
        "shapes", "a step of cygrad on odd, wide, deep, small and large shapes", per_threads=True
    ),
    "pairs": Section(
        "pairs", "this build of cygrad next to another", per_threads=True, needs="against"
    ),
    "growth": Section("growth", "a step of cygrad by width, batch and threads", per_threads=True),
    "features": Section(
        "features", "dropout, norms, clipping, … next to the step without them", per_threads=True
    ),
    "many": Section(
        "many",
        "many networks at once; with --peers scikit-learn with joblib, and JAX's vmap",
        per_threads=True,
    ),
    "mpi": Section(
        "mpi.section",
        "a step on MPI ranks of one thread, with a model for clusters; with --peers PyTorch's DDP",
        alone=True,
    ),
    "costs": Section("costs", "the constants of the cost model, each with its worth"),
    "sparse": Section("sparse", "an epoch on sparse samples, next to dense ones", per_threads=True),
    "checkpoint": Section(
        "checkpoints",
        "epochs with a checkpoint after each, next to those without",
        per_threads=True,
    ),
    "load": Section("load", "training beside a busy process, and with a quota of processor time"),
    "forward": Section("forward", "the outputs of 1 to 4096 rows, next to NumPy and a step"),
    "latency": Section("latency", "single calls: a prediction, a sample, a batch, a short fit"),
    "c": Section("plain_c", "a prediction by the C header, next to predict_one's computation"),
    "graph": Section("graph", "computational graphs: compiled, next to plain Python and NumPy"),
    "read": Section("reading", "reading a CSV file, next to NumPy, pandas and polars"),
    "tables": Section(
        "tables.section", "a table with text: first prediction, training; with --peers scikit-learn"
    ),
    "import": Section("import_time", "the import of the package, next to that of NumPy"),
    "memory": Section("memory", "the memory that training takes"),
    "functions": Section("functions", "the errors of exp, tanh and the others, in ulp"),
    "sklearn": Section(
        "estimators.section",
        "cygrad.sklearn next to scikit-learn: fits, predictions, a search",
        alone=True,
    ),
    "sklearn-scores": Section(
        "estimators.scores", "the scores of both over ten seeds, on four data sets", alone=True
    ),
    "presets": Section(
        "presets.section",
        "the presets for tables next to scikit-learn's networks and trees, on real data sets",
        alone=True,
    ),
    "accuracy": Section("accuracy", "time and accuracy on MNIST", needs="mnist"),
    "wheel": Section("wheel", "the wheel of this source tree: its size and its tags"),
}


@dataclass(frozen=True)
class Settings:
    cases: tuple[Case, ...]
    dtype: str
    optimizer: str
    threads: int  # of every program
    peers: bool  # True if other libraries take part
    quick: bool
    mnist: Path | None
    against: Path | None
