"""The vector functions on every instruction set: accuracy, special values, equal bits; and the
losses where exponentials overflow.

Exact values come from NumPy in a wider type: float64 for float32, and the 64-bit mantissa of x86's
long double for float64.
"""

import math

import numpy as np
import pytest
from tolerances import tolerance

import cygrad as cg
from cygrad._engine import kernels

MOST_ULPS = 2
FUNCTIONS = ("exp", "log", "log1p", "tanh", "sigmoid", "gaussian")
EVERYWHERE = tuple(name for name in FUNCTIONS if name not in ("log", "log1p"))
DTYPES = ("float32", "float64")

extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="NumPy has no type wider than float64 here"
)
BOTH = ("float32", pytest.param("float64", marks=extended))


def exact(name, x):
    """Compute the function in the wider type."""
    wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    with np.errstate(all="ignore"):
        if name == "sigmoid":
            e = np.exp(-np.abs(wide))
            return np.where(wide >= 0, 1, e) / (1 + e)
        if name == "gaussian":
            # z² = h² + (2 h + l) l, where h has half the bits and h² is exact; 0 beyond 100.
            wide = np.clip(wide, -100, 100)
            h = wide.astype(np.float32).astype(wide.dtype)
            low = wide - h
            return np.exp(-h * h) * np.exp(-(2 * h + low) * low)
        return getattr(np, name)(wide)


def ulps(y, expected, dtype):
    """Return the errors in units in the last place of the expected number.

    Results below the normal numbers may be zero or the smallest normal number; those too large for
    the type are infinite.
    """
    info = np.finfo(dtype)
    with np.errstate(over="ignore"):
        rounded = expected.astype(dtype)
    special = ~np.isfinite(rounded)
    small = np.abs(expected) < info.tiny
    assert np.array_equal(y[special], rounded[special], equal_nan=True)
    assert np.isin(np.abs(y[small]), (0, info.tiny)).all()
    usual = ~(special | small)
    exponents = np.frexp(expected[usual])[1] - 1
    units = np.ldexp(np.ones_like(expected[usual]), exponents - info.nmant)
    return np.abs(y[usual] - expected[usual]) / units


def normal_float32(stride):
    """Return numbers of every exponent: every `stride`-th bit pattern, without denormals."""
    bits = np.arange(0, 2**32, stride, dtype=np.uint32)
    x = bits.view(np.float32)
    return x[np.isfinite(x) & ((np.abs(x) >= np.finfo(np.float32).tiny) | (x == 0))]


def normal_float64(rng, count):
    """Draw numbers of every exponent, more of them where the functions are not constant."""
    anything = np.ldexp(rng.uniform(1, 2, count), rng.integers(-1022, 1024, count))
    near = np.ldexp(rng.uniform(1, 2, count), rng.integers(-60, 11, count))
    return np.concatenate([anything, near]) * rng.choice([-1.0, 1.0], 2 * count)


def dense_sample(name, dtype):
    """Draw arguments from the whole domain of a function, more of them where it is not constant."""
    rng = np.random.default_rng(0)
    x = normal_float32(8009) if dtype == "float32" else normal_float64(rng, 60_000)
    edge = 30 if name == "tanh" else 110 if dtype == "float32" else 760
    if name == "gaussian":
        edge = math.sqrt(edge)
    x = np.concatenate([x, rng.uniform(-edge, edge, 200_000).astype(dtype)])
    if name == "log":
        near_one = 1 + rng.uniform(-0.5, 1, 100_000).astype(dtype)
        x = np.concatenate([np.abs(x), near_one])
        x = x[x >= np.finfo(dtype).tiny]
    if name == "log1p":
        x = np.abs(np.concatenate([x, rng.uniform(0, 1, 100_000).astype(dtype)]))
        x = x[x <= 1]
    return x


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_at_most_two_ulps(name, dtype, isa):
    x = dense_sample(name, dtype)
    errors = ulps(kernels.evaluate(name, x), exact(name, x), dtype)
    assert len(errors) > 100_000
    assert errors.max() <= MOST_ULPS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_instruction_set_gives_the_same_bits(name, dtype, isa):
    x = dense_sample(name, dtype)
    here = kernels.evaluate(name, x)
    kernels.select(kernels.available()[0])
    best = kernels.evaluate(name, x)
    integers = f"u{x.itemsize}"
    assert np.array_equal(here.view(integers), best.view(integers))


inf, nan = math.inf, math.nan
SPECIAL_VALUES = {
    "exp": ((0.0, 1), (-0.0, 1), (inf, inf), (-inf, 0), (1e4, inf), (-1e4, 0)),
    "log": ((1.0, 0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan)),
    "log1p": ((0.0, 0),),
    "tanh": ((0.0, 0.0), (-0.0, -0.0), (inf, 1), (-inf, -1), (50.0, 1), (-50.0, -1)),
    "sigmoid": ((0.0, 0.5), (-0.0, 0.5), (inf, 1), (-inf, 0), (50.0, 1), (-1e4, 0)),
    "gaussian": ((0.0, 1), (-0.0, 1), (inf, 0), (-inf, 0), (1e3, 0), (-1e30, 0)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name, dtype, isa):
    x, expected = np.array(SPECIAL_VALUES[name], dtype).T
    y = kernels.evaluate(name, x)
    np.testing.assert_array_equal(y, expected)
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(y[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name, dtype, isa):
    x = np.array([nan, 0.5, nan], dtype)
    assert np.isnan(kernels.evaluate(name, x)).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_denormal_arguments_count_as_zero(name, dtype, isa):
    tiny = np.finfo(dtype).tiny
    x = np.array([tiny / 2, np.finfo(dtype).smallest_subnormal], dtype)
    if name in EVERYWHERE:
        x = np.concatenate([x, -x])
    y = kernels.evaluate(name, x)
    assert np.array_equal(y, kernels.evaluate(name, np.zeros_like(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_functions_are_monotonic(name, dtype, isa):
    """Up to the sum of the errors of two neighbours."""
    x = np.linspace(-40, 40, 200_001).astype(dtype)
    y = kernels.evaluate(name, np.abs(x) if name == "gaussian" else x).astype(np.float64)
    steps = np.diff(y) * (np.where(x[1:] > 0, -1, 1) if name == "gaussian" else 1)
    assert (steps >= -2 * MOST_ULPS * np.finfo(dtype).eps * np.abs(y[1:])).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("z", [1000.0, 88.0, 30.0, 1.0, 0.0, -1.0, -30.0, -88.0, -1000.0])
def test_binary_cross_entropy_of_extreme_outputs(z, dtype, isa):
    """C = max(z, 0) − z y + ln(1 + exp(−|z|)), δ = a − y."""
    dense = cg.Dense(1, "sigmoid", weights_init=1.0)
    net = cg.Network(1, [dense], loss="binary_cross_entropy", dtype=dtype)
    for y in (0.0, 1.0, 0.25):
        gradients = net.backward([[z]], [[y]])
        loss = max(z, 0) - z * y + math.log1p(math.exp(-abs(z)))
        a = 1 / (1 + math.exp(-z)) if z > -700 else 0.0
        within = tolerance(dtype, 4)
        assert gradients.loss == pytest.approx(loss, rel=within, abs=within)
        assert gradients.deltas[0][0, 0] == pytest.approx(a - y, rel=within, abs=within)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("z", [[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -999.0], [1e4, 1e4, 1e4]])
def test_cross_entropy_of_extreme_outputs(z, label, dtype, isa):
    """C = ln Σ exp z − z_label, δ = a − y."""
    dense = cg.Dense(3, "softmax", weights_init=np.eye(3))
    net = cg.Network(3, [dense], loss="cross_entropy", dtype=dtype)
    e = np.exp(np.array(z) - max(z))
    loss = max(z) + math.log(e.sum()) - z[label]
    delta = e / e.sum() - np.eye(3)[label]
    within = tolerance(dtype, 6)
    for y in ([label], np.eye(3)[[label]]):
        gradients = net.backward([z], y)
        # The rounding error of ln Σ exp z is relative to the size of z.
        assert gradients.loss == pytest.approx(loss, abs=within * max(map(abs, z)))
        np.testing.assert_allclose(gradients.deltas[0][0], delta, rtol=within, atol=within)
