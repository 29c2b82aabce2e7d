"""Programs on several ranks of MPI, for tests; skips those where there is no MPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cygrad as cg

pytest.importorskip("mpi4py", reason="needs the extra mpi")
_FOUND = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
if _FOUND is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)
MPIEXEC: str = _FOUND
_VERSION = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
_MORE = ["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in _VERSION else []


def command(ranks: int, *words: Any) -> list[str]:
    """Return the command line that runs Python with these words on some ranks, or without MPI."""
    launcher = [MPIEXEC, *_MORE, "-n", str(ranks)] if ranks > 1 else []
    return [*launcher, sys.executable, *map(str, words)]


def environment() -> dict[str, str]:
    """Return the environment, in which the package that is tested is found."""
    return {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])}


def run(ranks: int, *words: Any, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run Python with these words on some ranks."""
    return subprocess.run(
        command(ranks, *words),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
