"""Largest errors of the engine's vector functions, in units in the last place (ulp).

float32: every finite number in the domain of a function, against NumPy in float64. float64: a dense
sample, against NumPy in extended precision, if the platform has it. Networks may flush denormal
results to zero, so any value up to the smallest normal number is correct in place of one. Graphs,
in float64, compute denormal results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cygrad._engine import kernels, tape

from . import exact
from .programs import Array
from .report import Column, Row
from .settings import Settings

TITLE = "Vector functions: largest error in ulp"
COLUMNS = (
    Column("function", "function", 12),
    Column("dtype", "dtype", 7),
    Column("part", "of", 8),
    Column("isa", "isa", 8),
    Column("values", "values", 13, ",d"),
    Column("ulp", "ulp", 8, ".4f"),
    Column("at", "at", 32),
    Column("verdict", "verdict", 7),
)
MOST_ULP = 2.0
CHUNK = 1 << 16
SAMPLE = 1 << 22  # of float64


@dataclass(frozen=True)
class Function:
    """A function, its domain, and the part of the domain where float64 is sampled densely.

    The domain is "all" finite numbers, the "positive" or the "normal" positive ones, or "unit",
    those from 0 to 1.
    """

    reference: Callable[..., Array]
    domain: str
    dense: tuple[float, float]
    parameter: float = 1.0


FUNCTIONS = {
    "exp": Function(np.exp, "all", (-746, 710)),
    "log": Function(np.log, "normal", (0.5, 2)),
    "log1p": Function(np.log1p, "unit", (0, 1)),
    "tanh": Function(np.tanh, "all", (-20, 20)),
    "sigmoid": Function(exact.sigmoid, "all", (-746, 40)),
    "gaussian": Function(exact.gaussian, "all", (-27.5, 27.5)),
    "leaky_relu": Function(exact.leaky_relu, "all", (-1, 1), 0.01),
    "elu": Function(exact.elu, "all", (-40, 1)),
    "selu": Function(exact.selu, "all", (-40, 1)),
    "gelu": Function(exact.gelu, "all", (-39, 10)),
    "gelu_tanh": Function(exact.gelu_tanh, "all", (-22, 8)),
    "silu": Function(exact.silu, "all", (-746, 40)),
    "mish": Function(exact.mish, "all", (-746, 40)),
    "softplus": Function(exact.softplus, "all", (-746, 40)),
    "softsign": Function(exact.softsign, "all", (-20, 20)),
    "hard_sigmoid": Function(exact.hard_sigmoid, "all", (-4, 4)),
    "sine": Function(np.sin, "all", (-20, 20)),
}
GATES = {
    **{name: FUNCTIONS[name] for name in ("exp", "tanh", "sigmoid", "gaussian")},
    "log": Function(np.log, "positive", (0.5, 2)),
    "sin": Function(np.sin, "all", (-20, 20)),
    "cos": Function(np.cos, "all", (-20, 20)),
}


def rows(settings: Settings) -> Iterator[Row]:
    extended = np.finfo(np.longdouble).nmant >= 63
    for name, function in FUNCTIONS.items():
        points = ((x,) for x in _every_float32(function, settings.quick))
        yield _row(name, "float32", "networks", function, points)
    if not extended:
        return
    for name, function in FUNCTIONS.items():
        points = ((x,) for x in _sample_float64(function, settings.quick))
        yield _row(name, "float64", "networks", function, points)
    for name, function in GATES.items():
        points = ((x,) for x in _sample_float64(function, settings.quick))
        yield _row(name, "float64", "graphs", function, points)
    power = Function(np.power, "positive", (0, 1))
    yield _row("power", "float64", "graphs", power, _sample_powers(settings.quick))


def _row(
    name: str, dtype: str, part: str, function: Function, points: Iterator[tuple[Array, ...]]
) -> Row:
    worst, worst_at, count = 0.0, "", 0
    for arguments in points:
        errors = ulp_errors(name, part, function, arguments)
        index = int(errors.argmax())
        count += arguments[0].size
        if errors[index] > worst:
            worst = float(errors[index])
            worst_at = ", ".join(f"{each[index]:.9g}" for each in arguments)
    return {
        "function": name,
        "dtype": dtype,
        "part": part,
        "isa": kernels.selected(),
        "values": count,
        "ulp": worst,
        "at": worst_at,
        "verdict": "within" if worst <= MOST_ULP else "ABOVE",
    }


def ulp_errors(name: str, part: str, function: Function, arguments: tuple[Array, ...]) -> Array:
    """Return |engine − reference| in ulp of the dtype; infinite for a wrong NaN or infinity."""
    x = arguments[0]
    if part == "networks":  # denormal arguments count as zero
        arguments = (np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0 * x, x),)
    if part == "networks":
        got = kernels.evaluate(name, x, function.parameter)
    else:
        got = tape.evaluate_gate(name, *arguments)
    wider = np.float64 if x.dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        reference = function.reference(*(each.astype(wider) for each in arguments))
        rounded = reference.astype(x.dtype)
        errors: Array = np.abs(got - reference) / np.spacing(np.abs(rounded))
        tiny = np.finfo(x.dtype).tiny if part == "networks" else 0
        special = ~np.isfinite(rounded) | (np.abs(reference) < tiny)
        correct = (got == rounded) | ((np.abs(reference) < tiny) & (np.abs(got) <= tiny))
    errors[special] = np.where(correct[special], 0, np.inf)
    errors[np.isnan(got)] = np.inf
    return errors


def _bit_ranges(function: Function, dtype: type[np.float32 | np.float64]) -> list[tuple[int, int]]:
    """Return the domain as ranges of bit patterns, both ends included, each of one sign."""
    limits = np.finfo(dtype)
    largest, smallest_normal = float(limits.max), float(limits.tiny)
    smallest = float(limits.smallest_subnormal)
    ranges = {
        "all": [(0.0, largest), (-0.0, -largest)],
        "positive": [(smallest, largest)],
        "normal": [(smallest_normal, largest)],
        "unit": [(0.0, 1.0)],
    }[function.domain]
    bits = np.array(ranges, dtype).view(np.uint32 if dtype is np.float32 else np.uint64)
    return [(int(first), int(last)) for first, last in bits]


def _every_float32(function: Function, quick: bool) -> Iterator[Array]:
    stride = 997 if quick else 1
    for first, last in _bit_ranges(function, np.float32):
        for start in range(first, last + 1, CHUNK * stride):
            stop = min(start + CHUNK * stride, last + 1)
            yield np.arange(start, stop, stride, dtype=np.uint32).view(np.float32)


def _sample_float64(function: Function, quick: bool) -> Iterator[Array]:
    """Yield three uniform chunks from the dense part for each chunk of all magnitudes."""
    rng = np.random.default_rng(5)
    ranges = _bit_ranges(function, np.float64)
    for chunk in range(_chunks(quick)):
        if chunk % 4:
            yield rng.uniform(*function.dense, CHUNK)
        else:
            first, last = ranges[chunk // 4 % len(ranges)]
            patterns = rng.integers(first, last, CHUNK, dtype=np.uint64, endpoint=True)
            yield patterns.view(np.float64)


def _sample_powers(quick: bool) -> Iterator[tuple[Array, Array]]:
    """Yield bases of all magnitudes and bases near 1, with exponents for results of all sizes."""
    rng = np.random.default_rng(6)
    for chunk in range(_chunks(quick)):
        if chunk % 2:
            base = np.exp2(rng.uniform(-1074, 1024, CHUNK))
        else:
            base = 1 + rng.choice([-1, 1], CHUNK) * np.exp2(-rng.uniform(1, 52, CHUNK))
        logarithm = np.log2(base)
        exponent = rng.uniform(-1074, 1024, CHUNK) / np.where(logarithm == 0, 1, logarithm)
        yield base, exponent


def _chunks(quick: bool) -> int:
    return max(4, SAMPLE // CHUNK // (16 if quick else 1))
