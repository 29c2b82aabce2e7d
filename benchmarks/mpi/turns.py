"""Programs of several processes that answer requests in turn, so that none runs beside another."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from ..builds import PRESENT
from ..settings import ROOT, WrongResult

CHECKED_STEPS = 3  # that all programs do alike before they are timed
MOST_SECONDS = 120  # for one request


class Program:
    """Processes that read a request from a line of their input, and answer with a line."""

    def __init__(self, name: str, commands: Sequence[Sequence[str]]) -> None:
        self.name = name
        paths = os.pathsep.join(
            filter(None, (str(PRESENT), str(ROOT), os.environ.get("PYTHONPATH")))
        )
        self.processes = [
            subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": paths},
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]

    def ask(self, call: str, **request: Any) -> Any:
        """Return "seconds" of the answer of the first process, None if it has none."""
        for process in self.processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended, which its answer shows
                process.stdin.write(json.dumps({"call": call, **request}) + "\n")
                process.stdin.flush()
        answers = [self._answer(process) for process in self.processes]
        for answer in answers:
            if "error" in answer:
                raise WrongResult(answer["error"])
        return answers[0].get("seconds")

    def _answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        end = monotonic() + MOST_SECONDS
        while not select.select([process.stdout], [], [], 0.5)[0]:
            if any(each.poll() is not None for each in self.processes):
                raise WrongResult(f"{self.name}: a process has ended")
            if monotonic() > end:
                raise WrongResult(f"{self.name}: no answer in {MOST_SECONDS} seconds")
        line = process.stdout.readline()
        if not line:
            raise WrongResult(f"{self.name}: a process has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the processes: they end with their input, and are killed if they do not."""
        for process in self.processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


def mpiexec() -> str | None:
    """Return the launcher of the MPI library, first that of this Python's environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("mpiexec", path=path)


def ranks(count: int) -> Program:
    """Start `ranks` on so many ranks, each with one thread."""
    launcher = mpiexec()
    assert launcher is not None
    version = subprocess.run([launcher, "--version"], capture_output=True, text=True).stdout
    more = ["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in version else []
    command = [launcher, *more, "-n", str(count), sys.executable, "-m", "benchmarks.mpi.ranks"]
    return Program(f"{count} ranks", [command])


def ddp(size: int, folder: str) -> Program:
    """Start PyTorch's processes, which meet in a file of the folder."""
    command = [sys.executable, "-m", "benchmarks.mpi.ddp"]
    file = str(Path(folder) / "meeting")
    return Program(
        "DistributedDataParallel",
        [[*command, str(rank), str(size), file] for rank in range(size)],
    )
