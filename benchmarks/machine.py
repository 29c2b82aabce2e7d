"""What the figures were measured on: processor, Python, NumPy with its BLAS, cygrad's kernels."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cygrad._engine import kernels


def describe(threads: int) -> dict[str, object]:
    return {
        "processor": _processor(),
        "cores": _cores(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "cygrad": version("cygrad"),
        "isa": kernels.selected(),
    }


def header(machine: dict[str, object]) -> str:
    return (
        "{processor}, {cores} cores, {system}; every program on {threads} thread(s)\n"
        "cygrad {cygrad} ({isa}), Python {python}, NumPy {numpy} with {blas}"
    ).format(**machine)


def _processor() -> str:
    try:
        for entry in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = entry.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _blas() -> str:
    # show_config imports an optional YAML package unless it is asked for a dictionary.
    configuration = np.show_config(mode="dicts") or {}
    blas = configuration.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown BLAS')} {blas.get('version', '')}".strip()
