"""Largest errors of the engine's vector functions, in units in the last place (ulp).

float32: every finite number of a function's domain, against NumPy in float64. float64: a dense
sample, against NumPy in extended precision; left out where the platform has none. By contract
results too small for a normal number count as zero, so there any value of at most the smallest
normal number is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cygrad._engine import kernels

from .programs import Array
from .report import Column, Row
from .settings import Settings

TITLE = "Vector functions: largest error in ulp"
COLUMNS = (
    Column("function", "function", 8),
    Column("dtype", "dtype", 7),
    Column("isa", "isa", 8),
    Column("values", "values", 13, ",d"),
    Column("ulp", "ulp", 8, ".4f"),
    Column("at", "at", 16, ".9g"),
    Column("verdict", "verdict", 7),
)
AIM = 2.0
CHUNK = 1 << 16
SAMPLE = 1 << 22  # of float64


def _sigmoid(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


def _gaussian(x: Array) -> Array:
    """exp(−x²) with the rounding error of x² put back: x in two parts, whose products are exact."""
    high = x.astype(np.float32).astype(x.dtype)
    low = x - high
    rest = (2 * high + low) * low
    square = high * high + rest
    lost = rest - (square - high * high)
    return np.where(np.isfinite(square), np.exp(-square) * (1 - lost), 0)


@dataclass(frozen=True)
class Function:
    """A function, its domain, and the part of the domain where float64 is sampled densely.

    The domain is "all" finite numbers, the "normal" positive ones, or "unit", those from 0 to 1.
    """

    truth: Callable[[Array], Array]
    domain: str
    dense: tuple[float, float]


FUNCTIONS = {
    "exp": Function(np.exp, "all", (-746, 710)),
    "log": Function(np.log, "normal", (0.5, 2)),
    "log1p": Function(np.log1p, "unit", (0, 1)),
    "tanh": Function(np.tanh, "all", (-20, 20)),
    "sigmoid": Function(_sigmoid, "all", (-746, 40)),
    "gaussian": Function(_gaussian, "all", (-27.5, 27.5)),
}


def rows(settings: Settings) -> Iterator[Row]:
    inputs = {"float32": _every_float32, "float64": _sample_float64}
    if np.finfo(np.longdouble).nmant < 63:
        del inputs["float64"]
    for dtype, values in inputs.items():
        for name, function in FUNCTIONS.items():
            worst, where, count = 0.0, 0.0, 0
            for x in values(function, settings.quick):
                errors = ulp_errors(name, function, x)
                index = int(errors.argmax())
                count += x.size
                if errors[index] > worst:
                    worst, where = float(errors[index]), float(x[index])
            yield {
                "function": name,
                "dtype": dtype,
                "isa": kernels.selected(),
                "values": count,
                "ulp": worst,
                "at": where,
                "verdict": "within" if worst <= AIM else "ABOVE",
            }


def ulp_errors(name: str, function: Function, x: Array) -> Array:
    """|engine − truth| in units in the last place of x's dtype; infinite where it is all wrong."""
    got = kernels.evaluate(name, x)
    wider = np.float64 if x.dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        truth = function.truth(x.astype(wider))
        rounded = truth.astype(x.dtype)
        errors: Array = np.abs(got - truth) / np.spacing(np.abs(rounded))
        tiny = np.finfo(x.dtype).tiny
        special = ~np.isfinite(rounded) | (np.abs(truth) < tiny)
        right = (got == rounded) | ((np.abs(truth) < tiny) & (np.abs(got) <= tiny))
    errors[special] = np.where(right[special], 0, np.inf)
    errors[np.isnan(got)] = np.inf
    return errors


def _bit_ranges(function: Function, dtype: type[np.float32 | np.float64]) -> list[tuple[int, int]]:
    """The domain as ranges of bit patterns, both ends included; a range has one sign."""
    limits = np.finfo(dtype)
    largest, smallest_normal = float(limits.max), float(limits.tiny)
    ranges = {
        "all": [(0.0, largest), (-0.0, -largest)],
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
    """Three chunks evenly from the dense part to one of all magnitudes."""
    rng = np.random.default_rng(5)
    ranges = _bit_ranges(function, np.float64)
    for chunk in range(max(4, SAMPLE // CHUNK // (16 if quick else 1))):
        if chunk % 4:
            yield rng.uniform(*function.dense, CHUNK)
        else:
            first, last = ranges[chunk // 4 % len(ranges)]
            patterns = rng.integers(first, last, CHUNK, dtype=np.uint64, endpoint=True)
            yield patterns.view(np.float64)
