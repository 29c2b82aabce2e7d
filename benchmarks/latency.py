"""Time of single small calls: one sample, one batch, one short fit.

Each call on 8-32-32-1 is timed next to its pure computation, which is the time of as many samples
in long epochs of the same batch size. First the results are compared bit by bit: a prediction with
the outputs of ``predict``, steps with the parameters after a fit. With ``--peers``, `online` adds
single samples of this and larger networks next to mlpfile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from . import online, timing
from .cases import OPTIMIZERS, Case, parse_case
from .contest import checked_contest
from .programs import Array, initial_parameters, training_data
from .programs.cygrad_program import CygradProgram
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Latency of single calls: µs"
COLUMNS = (
    Column("call", "call", 34),
    Column("network", "network", 11),
    Column("optimizer", "optimizer", 9),
    Column("microseconds", "µs", 8, ".2f"),
    Column("compute", "compute", 8, ".2f"),
    Column("beyond", "beyond", 8, ".2f"),
    Column("mlpfile", "mlpfile", 8, ".2f"),
    Column("mlpfile ratio", "ratio", 5, ".2f"),
)
NETWORK, BATCH, FEW_ROWS = "8-32-32-1", 32, 100
CHECKED_STEPS = 5


@dataclass(frozen=True)
class Call:
    """A method of the trainer, its arguments, and the number of samples it trains on."""

    text: str
    method: str
    batch: int
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def samples(self) -> int:
        return len(self.arguments[0]) if self.arguments[0].ndim == 2 else 1


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 5 if settings.quick else 25
    X, y = training_data(parse_case(NETWORK), settings.dtype)
    predict = _predict_one(X, settings)
    peers = online.takes_part(settings)
    first = _row("net.predict_one(x)", None, timing.alternate({"call": predict}, rounds))
    yield {**first, **({"mlpfile": None, "mlpfile ratio": None} if peers else {})}
    few = X[:FEW_ROWS], y[:FEW_ROWS]
    for call in (
        Call("trainer.learn_one(x, y)", "learn_one", 1, (X[0], y[0])),
        Call(f"trainer.step(X, y), {BATCH} rows", "step", BATCH, (X[:BATCH], y[:BATCH])),
        Call(f"trainer.fit, {FEW_ROWS} rows, 1 epoch", "fit", BATCH, few, (("epochs", 1),)),
    ):
        for optimizer in OPTIMIZERS:
            case = replace(parse_case(NETWORK), batch=call.batch, optimizer=optimizer)
            _check(call, case, X, y, settings)
            measures = {
                "call": timing.per_call(_method(call, _program(case, settings)), *call.arguments),
                "compute": checked_contest(case, settings.dtype, settings.threads).measure(
                    CygradProgram.name, duration=0.02
                ),
            }
            medians = timing.alternate(measures, rounds)
            medians["compute"] *= call.samples / call.batch
            yield _row(call.text, optimizer, medians)
    if peers:
        yield from online.rows(settings, rounds)


def _row(call: str, optimizer: str | None, medians: dict[str, float]) -> dict[str, Any]:
    compute = medians.get("compute")
    return {
        "call": call,
        "network": NETWORK,
        "optimizer": optimizer,
        "microseconds": 1e6 * medians["call"],
        "compute": None if compute is None else 1e6 * compute,
        "beyond": None if compute is None else 1e6 * (medians["call"] - compute),
    }


def _program(case: Case, settings: Settings) -> CygradProgram:
    program = CygradProgram(case, settings.dtype, settings.threads)
    program.start(initial_parameters(case, settings.dtype))
    return program


def _method(call: Call, program: CygradProgram) -> Callable[..., object]:
    method: Callable[..., object] = getattr(program.trainer, call.method)
    return partial(method, **dict(call.options)) if call.options else method


def _predict_one(X: Array, settings: Settings) -> Callable[[], float]:
    name = "predict_one"
    network = _program(parse_case(NETWORK), settings).network
    predict_one = getattr(network, name)
    _same(name, network.predict(X[:1]).ravel(), np.ravel(predict_one(X[0])))
    return timing.per_call(predict_one, X[0])


def _check(call: Call, case: Case, X: Array, y: Array, settings: Settings) -> None:
    """Check that a few calls on consecutive samples equal one fit over all of them."""
    if call.method == "fit":
        return
    long, short = _program(case, settings), _program(case, settings)
    method = _method(call, short)
    count = CHECKED_STEPS * call.batch
    for first in range(0, count, call.batch):
        rows = first if call.samples == 1 else slice(first, first + call.batch)
        method(X[rows], y[rows])
    long.fit(X[:count], y[:count], 1, shuffle=False)
    _same(call.method, long.network.parameters, short.network.parameters)


def _same(name: str, expected: Array, actual: Array) -> None:
    if not np.array_equal(expected, actual):
        raise WrongResult(f"{name}: gives {actual}, expected {expected}")
