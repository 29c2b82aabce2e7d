"""Builds of cygrad in processes of their own: each runs the calls of `build_calls` on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import cygrad

from .cases import Case
from .settings import ROOT, Settings, WrongResult

PRESENT = Path(cygrad.__file__).parents[1]


def check(folder: Path) -> None:
    """Raise ValueError unless the folder holds a built package cygrad."""
    package = folder / "cygrad"
    if not (package / "__init__.py").is_file():
        raise ValueError(f"against is {str(folder)!r}, expected a folder with the package cygrad")
    if not any((package / "_engine" / f"engine{end}").is_file() for end in EXTENSION_SUFFIXES):
        raise ValueError(
            f"against is {str(folder)!r}, whose cygrad is not built for this Python; "
            "run python setup.py build_ext --inplace there"
        )


class Build:
    """A process that has imported cygrad from `folder`, with one network in it.

    `greeting` has the instruction set ("isa") and the calls ("calls") of the build.
    """

    def __init__(self, folder: Path, case: Case, settings: Settings) -> None:
        self.folder = folder
        request = json.dumps({"case": asdict(case), "folder": str(folder)} | _part(settings))
        paths = filter(None, (str(folder), os.environ.get("PYTHONPATH")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.build_calls", request],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.greeting = self._answer()

    def measure(self, call: str, count: int) -> tuple[float, str]:
        """Return the seconds per step or call, over `count` epochs or calls, and a hash of the
        result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([call, count]) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        return answer["seconds"], answer["hash"]

    def close(self) -> None:
        self.process.communicate()  # ends its input, at which it ends

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            status = self.process.returncode
            raise WrongResult(f"cygrad in {self.folder}: its process ended with status {status}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _part(settings: Settings) -> dict[str, Any]:
    return {"dtype": settings.dtype, "threads": settings.threads}
