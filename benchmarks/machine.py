"""The machine and software of the measurements: processor, Python, kernels, other libraries."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import cygrad
from cygrad._engine import kernels

PEERS = {
    "scikit-learn": "scikit-learn",
    "torch": "PyTorch",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "mlpfile": "mlpfile",
}


def describe() -> dict[str, object]:
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "cygrad": cygrad.__version__,
        "isa": kernels.selected(),
        "peers": {name: _version(package) for package, name in PEERS.items()},
    }


def header(machine: dict[str, object], *, peers: bool) -> str:
    """Return two lines on the machine, and one or two on the other libraries if they take part."""
    lines = [
        "{processor}, {cores} cores, {system}".format(**machine),
        "cygrad {cygrad} ({isa}), Python {python}, NumPy {numpy} with {blas}".format(**machine),
    ]
    versions = machine["peers"]
    assert isinstance(versions, dict)
    if peers:
        found = [f"{name} {number}" for name, number in versions.items() if number]
        missing = [name for name, number in versions.items() if not number]
        lines += [", ".join(found)] if found else []
        lines += [f"not installed, so left out: {', '.join(missing)}"] if missing else []
    return "\n".join(lines)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for entry in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = entry.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _blas() -> str:
    # show_config imports an optional YAML package unless it is asked for a dictionary.
    configuration = np.show_config(mode="dicts") or {}
    blas = configuration.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown BLAS')} {blas.get('version', '')}".strip()
