"""The vector functions on every instruction set: accuracy, special values, equal bits; and the
losses where exponentials overflow.

Exact values come from NumPy in a wider type: float64 for float32, and the 64-bit mantissa of x86's
long double for float64.
"""

import math
from functools import cache

import numpy as np
import pytest
from tolerances import tolerance

import cygrad as cg
from cygrad._engine import kernels

benchmark = pytest.importorskip("benchmarks.exact", reason="an installed package has none")

MOST_ULPS = 2
OLD = ("exp", "log", "log1p", "tanh", "sigmoid", "gaussian")
# The others are in `benchmarks.exact`, which `test_the_exact_values_are_those_of_mpmath` checks.
OTHERS = (
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "sine",
)
FUNCTIONS = (*OLD, *OTHERS)
MONOTONIC = (
    "exp",
    "tanh",
    "sigmoid",
    "gaussian",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
)
EVERYWHERE = tuple(name for name in FUNCTIONS if name not in ("log", "log1p"))
DTYPES = ("float32", "float64")

extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="NumPy has no type wider than float64 here"
)
BOTH = ("float32", pytest.param("float64", marks=extended))


def evaluate(name, x):
    return kernels.evaluate(name, x, 0.01 if name == "leaky_relu" else 1)


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
        if name == "sine":
            return np.sin(wide)
        return getattr(benchmark if name in OTHERS else np, name)(wide)


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


@cache
def dense_sample(name, dtype):
    """Draw arguments from the whole domain of a function, more of them where it is not constant."""
    rng = np.random.default_rng(0)
    x = normal_float32(8009) if dtype == "float32" else normal_float64(rng, 60_000)
    edge = 30 if name in ("tanh", "gelu_tanh") else 110 if dtype == "float32" else 760
    if name in ("gaussian", "gelu"):
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


@cache
def exact_sample(name, dtype):
    return exact(name, dense_sample(name, dtype))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_at_most_two_ulps(name, dtype, isa):
    x = dense_sample(name, dtype)
    errors = ulps(evaluate(name, x), exact_sample(name, dtype), dtype)
    assert len(errors) > 100_000
    assert errors.max() <= MOST_ULPS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_instruction_set_gives_the_same_bits(name, dtype, isa):
    x = dense_sample(name, dtype)
    here = evaluate(name, x)
    kernels.select(kernels.available()[0])
    best = evaluate(name, x)
    integers = f"u{x.itemsize}"
    assert np.array_equal(here.view(integers), best.view(integers))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 257])
def test_the_last_numbers_are_computed_too(count, dtype, isa):
    x = np.linspace(0.1, 0.9, 512).astype(dtype)
    for name in ("log", "log1p", "tanh"):
        np.testing.assert_array_equal(evaluate(name, x[-count:]), evaluate(name, x)[-count:])


inf, nan = math.inf, math.nan
SPECIAL_VALUES = {
    "exp": ((0.0, 1), (-0.0, 1), (inf, inf), (-inf, 0), (1e4, inf), (-1e4, 0)),
    "log": ((1.0, 0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan)),
    "log1p": ((0.0, 0),),
    "tanh": ((0.0, 0.0), (-0.0, -0.0), (inf, 1), (-inf, -1), (50.0, 1), (-50.0, -1)),
    "sigmoid": ((0.0, 0.5), (-0.0, 0.5), (inf, 1), (-inf, 0), (50.0, 1), (-1e4, 0)),
    "gaussian": ((0.0, 1), (-0.0, 1), (inf, 0), (-inf, 0), (1e3, 0), (-1e30, 0)),
    "leaky_relu": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)),
    "elu": ((0.0, 0.0), (inf, inf), (-inf, -1), (-1e30, -1), (1e30, 1e30)),
    "selu": ((0.0, 0.0), (inf, inf), (-inf, -1.7580993408473768)),
    "gelu": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, 0.0), (1e30, 1e30), (-1e30, 0.0)),
    "gelu_tanh": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, 0.0), (1e30, 1e30), (-1e30, 0.0)),
    "silu": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, 0.0), (1e30, 1e30), (-1e30, 0.0)),
    "mish": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, 0.0), (1e30, 1e30), (-1e30, 0.0)),
    "softplus": ((0.0, math.log(2)), (inf, inf), (-inf, 0), (-1e4, 0), (1e30, 1e30)),
    "softsign": ((0.0, 0.0), (-0.0, -0.0), (inf, 1), (-inf, -1), (1.0, 0.5), (-1e30, -1)),
    "hard_sigmoid": ((0.0, 0.5), (inf, 1), (-inf, 0), (3.0, 1), (-3.0, 0), (1.0, 2 / 3)),
    "sine": ((0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)),
}

# By mpmath with 60 digits, at float32 numbers.
VALUES = {
    "gelu": (
        (-12.0, -2.1317785344932147e-32),
        (-5.0, -1.4332578593959695e-06),
        (-0.75, -0.16997051428265114),
        (-9.999999682655225e-21, -4.999999841327613e-21),
        (9.313225746154785e-10, 4.656612876537665e-10),
        (1.5, 1.399789198096713),
        (7.0, 6.999999999991041),
    ),
    "gelu_tanh": (
        (-9.0, -1.3364595947348725e-28),
        (-4.0, -7.024594819237268e-05),
        (-0.75, -0.1700394448343797),
        (9.999999682655225e-21, 4.999999841327613e-21),
        (1.5, 1.3995715769802328),
        (7.0, 6.999999999999997),
    ),
    "silu": (
        (-90.0, -7.374611361591464e-38),
        (-20.0, -4.122307236380407e-08),
        (-1.25, -0.27837517353163604),
        (9.999999682655225e-21, 4.999999841327613e-21),
        (2.5, 2.310354549946891),
        (40.0, 40.0),
    ),
    "mish": (
        (-90.0, -7.374611361591464e-38),
        (-20.0, -4.122307240628761e-08),
        (-1.25, -0.3084139611415277),
        (9.999999682655225e-21, 5.999999809593135e-21),
        (0.5, 0.37524521130489513),
        (12.0, 11.999999999093978),
    ),
    "softplus": (
        (-80.0, 1.8048513878454153e-35),
        (-3.0, 0.04858735157374206),
        (0.0, 0.6931471805599453),
        (0.25, 0.8259394198788436),
        (21.0, 21.000000000758256),
        (50.0, 50.0),
    ),
    "elu": (
        (-30.0, -0.9999999999999064),
        (-1.5, -0.7768698398515702),
        (-9.999999682655225e-21, -9.999999682655225e-21),
        (2.5, 2.5),
    ),
    "selu": (
        (-30.0, -1.7580993408472123),
        (-1.5, -1.3658143533672527),
        (-9.999999682655225e-21, -1.758099285055013e-20),
        (2.5, 2.6267524683887014),
    ),
    "sine": (
        (0.5, 0.479425538604203),
        (3.0, 0.1411200080598672),
        (355.0, -3.014435335948845e-05),
        (10000000000.0, -0.4875060250875107),
        (1.2676506002282294e30, -0.8721836054182673),
    ),
}


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", VALUES)
def test_the_exact_values_are_those_of_mpmath(name, dtype):
    x, expected = np.array(VALUES[name]).T
    np.testing.assert_allclose(exact(name, x.astype(dtype)).astype(float), expected, rtol=4e-16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VALUES)
def test_values(name, dtype, isa):
    x, expected = np.array(VALUES[name]).T
    assert ulps(evaluate(name, x.astype(dtype)), expected, dtype).max() <= MOST_ULPS


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("omega", [0.3, 30.0])
def test_the_sine_of_a_product_has_no_error_of_the_product(omega, dtype, isa):
    x = np.random.default_rng(0).uniform(-20, 20, 10_000).astype(dtype)
    wide = np.float64 if dtype == "float32" else np.longdouble
    expected = np.sin(wide(np.dtype(dtype).type(omega)) * x.astype(wide))
    errors = np.abs(kernels.evaluate("sine", x, omega) - expected)
    assert errors.max() < np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", [0.1, 3.0])
def test_elu_of_another_parameter(alpha, dtype, isa):
    x = np.linspace(-9, 3, 1001).astype(dtype)
    wide = x.astype(float)
    expected = np.where(x > 0, wide, np.dtype(dtype).type(alpha) * np.expm1(np.minimum(wide, 0)))
    assert ulps(kernels.evaluate("elu", x, alpha), expected, dtype).max() <= MOST_ULPS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name, dtype, isa):
    x, expected = np.array(SPECIAL_VALUES[name], dtype).T
    y = evaluate(name, x)
    np.testing.assert_array_equal(y, expected)
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(y[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name, dtype, isa):
    x = np.array([nan, 0.5, nan], dtype)
    assert np.isnan(evaluate(name, x)).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_denormal_arguments_count_as_zero(name, dtype, isa):
    tiny = np.finfo(dtype).tiny
    x = np.array([tiny / 2, np.finfo(dtype).smallest_subnormal], dtype)
    if name in EVERYWHERE:
        x = np.concatenate([x, -x])
    y = evaluate(name, x)
    assert np.array_equal(y, evaluate(name, np.zeros_like(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MONOTONIC)
def test_functions_are_monotonic(name, dtype, isa):
    """Up to the sum of the errors of two neighbours."""
    x = np.linspace(-40, 40, 200_001).astype(dtype)
    y = evaluate(name, np.abs(x) if name == "gaussian" else x).astype(np.float64)
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
