"""Time of a prediction of one sample by the header of `to_c`, next to the engine's computation.

The computation of `Network.predict_one` is its time less that of a network with one layer of one
unit, which has the same overhead of Python. The bits are compared first. Needs a C compiler.
"""

from __future__ import annotations

import ctypes
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cygrad as cg
from cygrad.exchange.plain_c.verification import compiler

from . import timing
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "A prediction in plain C: ns"
COLUMNS = (
    Column("network", "network", 11),
    Column("activation", "activation", 10),
    Column("options", "options", 18),
    Column("c", "C", 7, ".0f"),
    Column("compute", "predict_one", 11, ".0f"),
    Column("ratio", "ratio", 5, ".2f"),
)
NETWORK, SIZES, INPUTS = "8-32-32-1", (32, 32), 8
ACTIVATIONS = ("relu", "tanh", "gelu")
OPTIONS = ("-O3 -march=native", "-O3 -mfma", "-O2 -march=native")
CALLS = 500
#: Of the calls of a round: short, so that the system interrupts few of them.
SECONDS = 0.0005
PROGRAM = """
#include "net.h"
void repeat(const net_input *x, net_output *y, int calls) { while (calls-- > 0) net_predict(x, y); }
"""


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 21 if settings.quick else 301
    for activation in ACTIVATIONS:
        net = _network([*(cg.Dense(units, activation) for units in SIZES), cg.Dense(1)], settings)
        tiny = _network([cg.Dense(1)], settings)
        x = np.random.default_rng(0).normal(size=INPUTS).astype(settings.dtype)
        out = np.zeros(1, settings.dtype)
        with tempfile.TemporaryDirectory() as folder:
            measures = {options: _measure(net, Path(folder), options, x) for options in OPTIONS}
            measures["predict_one"] = timing.per_call(net.predict_one, x, out, duration=SECONDS)
            measures["overhead"] = timing.per_call(
                tiny.predict_one, x, out.copy(), duration=SECONDS
            )
            medians = timing.alternate(measures, rounds)
        compute = medians["predict_one"] - medians["overhead"]
        for options in OPTIONS:
            yield {
                "network": NETWORK,
                "activation": activation,
                "options": options,
                "c": 1e9 * medians[options],
                "compute": 1e9 * compute,
                "ratio": medians[options] / compute,
            }


def _network(layers: list[Any], settings: Settings) -> cg.Network:
    return cg.Network(INPUTS, layers, loss="mse", dtype=settings.dtype, rng=0)


def _measure(net: cg.Network, folder: Path, options: str, x: Any) -> Callable[[], float]:
    """Compile a network, compare its output, and return a function that gives seconds per call."""
    command = compiler()
    if command is None:
        raise WrongResult("plain C needs a C compiler: cc, gcc, clang or $CC")
    cg.exchange.to_c(net, folder / "net.h", verify=False)
    (folder / "program.c").write_text(PROGRAM)
    library = folder / f"program{len(list(folder.iterdir()))}{abs(hash(options))}.so"
    words = [*command, *shlex.split(options), "-shared", "-fPIC", "program.c", "-o", str(library)]
    subprocess.run([*words, "-lm"], cwd=folder, check=True)
    repeat = ctypes.CDLL(str(library)).repeat
    out = np.zeros(1, net.dtype)
    arguments = (ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data))
    repeat(*arguments, 1)
    if out[0] != net.forward(x[np.newaxis])[0, 0]:
        raise WrongResult(f"plain C with {options} gives {out[0]}, other bits than the engine")
    return lambda: timing.seconds(lambda: repeat(*arguments, CALLS)) / CALLS
