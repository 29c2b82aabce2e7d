"""Run sections, in a process of its own for each number of threads.

Most libraries take their number of threads from the environment when they are imported. So the
environment is set first, and the sections run in a fresh process. Sections that are `alone` compare
with another library as it is installed: they have one thread, and no variables that choose
OpenBLAS's kernels or blocks for it.

Such a process ends when the one that started it ends, however that was killed, and takes with it
what it has started itself: nothing goes on measuring behind the user's back.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

from .report import Row, columns_in, heading, line, notes
from .settings import SECTIONS, Settings

THREAD_VARIABLES = (
    "CYGRAD_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # of XLA
)
BLAS_CHOICES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
EIGEN = "--xla_cpu_multi_thread_eigen"  # XLA's threads within an operation


def run(names: list[str], settings: Settings, *, quiet: bool) -> dict[str, list[Row]]:
    """Run sections in turn, print their tables unless `quiet`, and return their rows."""
    together = [name for name in names if not SECTIONS[name].alone]
    results = _in_process(together, settings, quiet) if together else {}
    for name in names:
        if SECTIONS[name].alone:
            kept = {key: os.environ.pop(key) for key in BLAS_CHOICES if key in os.environ}
            results |= _in_process([name], replace(settings, threads=1), quiet)
            os.environ.update(kept)
    return results


def _in_process(names: list[str], settings: Settings, quiet: bool) -> dict[str, list[Row]]:
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(settings.threads)
    flags = os.environ.get("XLA_FLAGS", "").split()
    flags = [flag for flag in flags if not flag.startswith(EIGEN)]
    several = str(settings.threads > 1).lower()
    os.environ["XLA_FLAGS"] = " ".join([*flags, f"{EIGEN}={several}"])
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_end_with_parent) as pool:
        return pool.submit(_run, names, settings, quiet).result()


def _end_with_parent() -> None:
    """Have a thread end this process, and all that it started, when its parent has ended."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        for process in _descendants(os.getpid()):
            with suppress(OSError):  # it has ended
                os.kill(process, signal.SIGKILL)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _descendants(process: int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield from _descendants(child)
                yield child


def _run(names: list[str], settings: Settings, quiet: bool) -> dict[str, list[Row]]:
    results: dict[str, list[Row]] = {}
    for name in names:
        section = import_module(f"benchmarks.{SECTIONS[name].module}")
        rows: list[Row] = []
        for row in section.rows(settings):
            rows.append(row)
            if not quiet:
                columns = columns_in(section.COLUMNS, rows[0])
                if len(rows) == 1:
                    print(heading(_title(section.TITLE, name, settings), columns, row))
                print(line(columns, row), *(f"  {note}" for note in notes(row)), sep="\n")
                sys.stdout.flush()
        results[name] = rows
    return results


def _title(title: str, name: str, settings: Settings) -> str:
    if not SECTIONS[name].per_threads:
        return title
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    return f"{title}; {threads}"
