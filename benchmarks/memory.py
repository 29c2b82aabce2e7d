"""Memory that training takes: the peak resident size of a fresh process, compared with a budget.

The budget is 4 × the parameters (weights, two states of Adam, one working copy), the activations
of a batch, and the data. The memory in use before the data are made is subtracted; by then all
modules are imported and a tiny network has been trained, so that code is not counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from .cases import Case, parse_case
from .programs import training_data
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import ROOT, Settings, WrongResult

TITLE = "Memory of training: MB of peak resident size"
COLUMNS = (
    Column("network", "network", 23),
    Column("batch", "batch", 5),
    Column("parameters", "parameters", 10, ".1f"),
    Column("activations", "activations", 11, ".1f"),
    Column("data", "data", 6, ".1f"),
    Column("budget", "budget", 6, ".1f"),
    Column("used", "used", 6, ".1f"),
    Column("verdict", "verdict", 7),
)
NETWORK = "784-1024-1024-10"


def rows(settings: Settings) -> Iterator[Row]:
    case = parse_case(NETWORK)
    used = _used_by_fresh_process(settings)
    itemsize = np.dtype(settings.dtype).itemsize
    parameters = case.parameters * itemsize
    activations = case.batch * sum(case.sizes) * itemsize
    X, y = training_data(case, settings.dtype)
    data = X.nbytes + y.nbytes
    budget = 4 * parameters + activations + data
    yield {
        "network": case.network,
        "batch": case.batch,
        "parameters": parameters / 1e6,
        "activations": activations / 1e6,
        "data": data / 1e6,
        "budget": budget / 1e6,
        "used": used / 1e6,
        "verdict": "within" if used <= budget else "ABOVE",
    }


def _used_by_fresh_process(settings: Settings) -> int:
    call = f"child({settings.dtype!r}, {settings.threads})"
    program = f"from benchmarks.memory import child; {call}"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return int(json.loads(done.stdout))


def child(dtype: str, threads: int) -> None:
    """Train in the fresh process, and print the peak memory in bytes beyond that at the start."""
    _train(Case((4, 3, 2), batch=2, samples=4), dtype, threads, epochs=1)
    before = _resident()
    first, last = _train(parse_case(NETWORK), dtype, threads, epochs=3)
    if not last < first:
        raise WrongResult(f"loss went from {first} to {last}, expected it to fall")
    print(json.dumps(_peak() - before))


def _train(case: Case, dtype: str, threads: int, epochs: int) -> tuple[float, float]:
    X, y = training_data(case, dtype)
    losses = CygradProgram(case, dtype, threads).fit(X, y, epochs)
    return losses[0], losses[-1]


def _resident() -> int:
    """Return the resident size in bytes, and reset the peak if the system supports it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for entry in Path("/proc/self/status").read_text().splitlines():
        key, _, value = entry.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise OSError(f"/proc/self/status has no {name}")
