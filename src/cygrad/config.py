"""`show_config`: print the version of cygrad, and the instruction set and threads it uses."""

from __future__ import annotations

import platform
from typing import Any, Literal, overload

import numpy as np

from cygrad import __version__
from cygrad._engine import kernels
from cygrad.checks import DTYPES
from cygrad.threads import default_threads


@overload
def show_config(mode: Literal["print"] = "print") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "print") -> dict[str, Any] | None:
    """Show the versions, the instruction set of the engine and the number of threads.

    Parameters
    ----------
    mode : {"print", "dicts"}
        "print" prints the configuration, "dicts" returns it.

    Returns
    -------
    dict or None
        With mode "dicts": "cygrad", "python", "numpy" (versions), "machine", "isa" (the variant
        of the engine that new networks use), "isa_available" (those this machine can run, best
        first), "engine" ("kernels", or "loops" for the plain loops that define their bits),
        "dtypes" and "threads" (the most that the engine uses).

    Raises
    ------
    ValueError
        If `mode` is something else.
    """
    if mode not in ("print", "dicts"):
        raise ValueError(f"mode is {mode!r}, expected 'print' or 'dicts'")
    config = {
        "cygrad": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "isa": kernels.selected(),
        "isa_available": kernels.available(),
        "engine": kernels.selected_engine(),
        "dtypes": DTYPES,
        "threads": default_threads(),
    }
    if mode == "dicts":
        return config
    for name, value in config.items():
        text = ", ".join(value) if isinstance(value, tuple) else value
        print(f"{name:<14}{text}")
    return None
