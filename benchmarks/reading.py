"""Time of reading a file of delimited text, next to NumPy and, with --peers, to pandas and polars.

Each reader's numbers are compared bit by bit with Python's float before any is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import cygrad as cg

from . import timing
from .programs import Array
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Reading a CSV file: milliseconds, best of the rounds"
COLUMNS = (
    Column("file", "fields", 18),
    Column("megabytes", "MB", 6, ".0f"),
    Column("cygrad", "cygrad", 7, ",.0f"),
    Column("rate", "MB/s", 6, ",.0f"),
    Column("numpy", "NumPy", 7, ",.0f"),
    Column("pandas", "pandas", 7, ",.0f"),
    Column("polars", "polars", 7, ",.0f"),
)
COLUMN_COUNT = 50
BYTES, FEW_BYTES = 100e6, 2e6  # with --quick
ROUNDS = 5

#: How the numbers of each file are written, and the bytes of a field.
FILES: dict[str, tuple[Callable[[float], str], int]] = {
    "all digits": (repr, 20),
    "four decimals": ("{:.4f}".format, 8),
    "whole, to 255": (lambda number: str(int(abs(number) * 1000) % 256), 4),
}


def rows(settings: Settings) -> Iterator[Row]:
    size = FEW_BYTES if settings.quick else BYTES
    with TemporaryDirectory() as folder:
        for name, (form, width) in FILES.items():
            path = Path(folder) / "data.csv"
            expected = write(path, int(size / width / COLUMN_COUNT), form)
            readers = _readers(path, settings.peers)
            for reader, read in readers.items():
                if not np.array_equal(read(), expected):
                    raise WrongResult(f"{reader} reads other numbers from the file of {name}")
            seconds = fastest(readers, 1 if settings.quick else ROUNDS)
            megabytes = path.stat().st_size / 1e6
            yield {
                "file": name,
                "megabytes": megabytes,
                "rate": megabytes / seconds["cygrad"],
                **{reader: 1e3 * value for reader, value in seconds.items()},
            }


def write(path: Path, count: int, form: Callable[[float], str]) -> Array:
    """Write rows of numbers and a header, and return the numbers as Python reads them."""
    numbers = np.random.default_rng(0).normal(size=(max(count, 1), COLUMN_COUNT))
    lines = [[form(number) for number in row] for row in numbers.tolist()]
    with path.open("w") as file:
        file.write(",".join(f"x{column}" for column in range(COLUMN_COUNT)) + "\n")
        file.writelines(",".join(line) + "\n" for line in lines)
    return np.array([list(map(float, line)) for line in lines])


def fastest(readers: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each reader; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            times[name].append(timing.seconds(read))
    return {name: min(values) for name, values in times.items()}


def _readers(path: Path, peers: bool) -> dict[str, Callable[[], Array]]:
    readers: dict[str, Callable[[], Array]] = {
        "cygrad": lambda: cg.tables.read(path).numbers(),
        "numpy": partial(np.loadtxt, path, delimiter=",", skiprows=1),
    }
    for name in ("pandas", "polars") if peers else ():
        try:
            module: Any = import_module(name)
        except ImportError:
            continue
        readers[name] = partial(_frame, module, path)
    return readers


def _frame(module: Any, path: Path) -> Array:
    array: Array = module.read_csv(path).to_numpy()
    return array
