"""Time of ``net.forward`` by the number of rows, next to a training step and to other programs.

The numbers of rows include some beyond a multiple of a tile, and one row alone. The NumPy program
is the tuned one, whose products write into buffers. The last row is the fixed cost of
``net.evaluate``: one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from . import agreement, timing
from .cases import Case, parse_case
from .programs import INFERENCE, Array, Forward, initial_parameters, installed, training_data
from .programs.cygrad_program import CygradProgram
from .programs.plain_numpy import PlainNumpy
from .programs.tuned_numpy import TunedNumpy
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Forward pass: µs of cygrad, how many times longer NumPy, other libraries and a step"
COLUMNS = (
    Column("call", "call", 8),
    Column("network", "network", 12),
    Column("rows", "rows", 5),
    Column("cygrad", "cygrad, µs", 10, ",.2f"),
    Column("per row", "µs/row", 8, ".3f"),
    Column("NumPy ratio", "NumPy", 6, ".2f"),
    Column("PyTorch ratio", "PyTorch", 7, ".2f"),
    Column("JAX ratio", "JAX", 6, ".2f"),
    Column("ONNX Runtime ratio", "ONNX", 6, ".2f"),
    Column("step", "step, µs", 10, ",.2f"),
    Column("step ratio", "step", 5, ".2f"),
)
NETWORKS = ("8-32-32-1@32", "4-64-64-2@32", "64-64-10@32", "784-128-10@64")
ROWS = (1, 2, 4, 8, 16, 17, 32, 64, 128, 256, 1024, 4096)
QUICK_ROWS = (1, 16, 17, 256)
STEP = "step"


def rows(settings: Settings) -> Iterator[Row]:
    for network in NETWORKS:
        for count in QUICK_ROWS if settings.quick else ROWS:
            case = replace(parse_case(network), optimizer=settings.optimizer)
            yield _forward(replace(case, batch=count, samples=count), settings)
    yield _evaluate(replace(parse_case(NETWORKS[0]), batch=1, samples=1), settings)


def _forward(case: Case, settings: Settings) -> Row:
    classes: dict[str, type[Forward]] = {
        program.name: program for program in (CygradProgram, TunedNumpy)
    }
    if settings.peers:
        classes |= installed(INFERENCE)
    X, y = training_data(case, settings.dtype)
    measures, outputs = {}, {}
    for name, program in classes.items():
        contestant = program(case, settings.dtype, settings.threads)
        contestant.start(initial_parameters(case, settings.dtype))
        outputs[name] = contestant.forward(X).copy()
        measures[name] = timing.per_call(contestant.forward, X)
    expected = outputs.pop(TunedNumpy.name)
    for name, actual in outputs.items():
        label = f"forward of {case.network}, {case.batch} rows, {name}"
        agreement.check_outputs(label, expected, actual, max(case.sizes))
    trainer = _checked_program(case, X, y, settings).trainer
    measures[STEP] = timing.per_call(trainer.step, X, y)
    medians = timing.alternate(measures, _rounds(settings), settings.threads)
    cygrad = medians[CygradProgram.name]
    return {
        "call": "forward",
        "network": case.network,
        "rows": case.batch,
        "per row": 1e6 * cygrad / case.batch,
        **{name: 1e6 * seconds for name, seconds in medians.items()},
        **{f"{name} ratio": seconds / cygrad for name, seconds in medians.items()},
    }


def _checked_program(case: Case, X: Array, y: Array, settings: Settings) -> CygradProgram:
    """Return a network and trainer, after a check that a single step equals one of `fit`."""
    alone, fitted = (CygradProgram(case, settings.dtype, settings.threads) for _ in range(2))
    for program in alone, fitted:
        program.start(initial_parameters(case, settings.dtype))
    alone.trainer.step(X, y)
    fitted.fit(X, y, 1, shuffle=False)
    if not np.array_equal(alone.network.parameters, fitted.network.parameters):
        raise WrongResult(f"step on {case.batch} rows of {case.network}: differs from one of fit")
    return alone


def _evaluate(case: Case, settings: Settings) -> Row:
    X, y = training_data(case, settings.dtype)
    cygrad = CygradProgram(case, settings.dtype, settings.threads)
    numpy = PlainNumpy(case, settings.dtype, settings.threads)
    cygrad.start(initial_parameters(case, settings.dtype))
    numpy.start(initial_parameters(case, settings.dtype))
    expected = ((numpy.forward(X) - y) ** 2).mean(keepdims=True)
    actual = np.array([[cygrad.network.evaluate(X, y)["loss"]]])
    agreement.check_outputs("evaluate", expected, actual, max(case.sizes))
    evaluate = timing.per_call(cygrad.network.evaluate, X, y)
    microseconds = 1e6 * timing.alternate({"": evaluate}, _rounds(settings))[""]
    return {
        "call": "evaluate",
        "network": case.network,
        "rows": case.batch,
        "cygrad": microseconds,
        "per row": microseconds,
    }


def _rounds(settings: Settings) -> int:
    return 5 if settings.quick else 15
