"""Time of ``import cygrad`` beyond that of NumPy: fresh processes, in turn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from . import timing
from .report import Column, Row
from .settings import Settings

TITLE = "Import: ms for a whole fresh process"
COLUMNS = (
    Column("process", "process", 14),
    Column("milliseconds", "ms", 7, ".1f"),
    Column("beyond", "beyond NumPy", 12, "+.1f"),
    Column("ratio", "ratio", 6, ".3f"),
)
STATEMENTS = ("pass", "import numpy", "import cygrad; cygrad.Network")


def rows(settings: Settings) -> Iterator[Row]:
    # Python must be allowed to write bytecode, as it is after an installation.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run(statement: str) -> None:
        subprocess.run([sys.executable, "-c", statement], check=True, env=environment)

    for statement in STATEMENTS:
        run(statement)  # writes the bytecode, reads the files
    medians = timing.alternate(
        {text: partial(timing.seconds, partial(run, text)) for text in STATEMENTS},
        rounds=7 if settings.quick else 31,
    )
    numpy = medians["import numpy"]
    for statement, seconds in medians.items():
        is_cygrad = statement == STATEMENTS[-1]
        yield {
            "process": statement,
            "milliseconds": 1e3 * seconds,
            "beyond": 1e3 * (seconds - numpy) if is_cygrad else None,
            "ratio": seconds / numpy if is_cygrad else None,
        }
