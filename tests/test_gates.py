"""The engine's gates, one at a time: errors of sin, cos, powers and logarithms, special values, and
the same bits on every instruction set.

Exact values are computed with integers: angles and π in fixed point, with more digits than any
float64; powers as roots. `test_functions` tests the functions that networks use too.
"""

import math
import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from bits import assert_same_numbers

from cygrad._engine import kernels
from cygrad._engine.tape import GATES, evaluate_gate

MAX_ULPS = 1
BINARY = [name for name, operands in GATES.items() if operands == 2]
inf, nan = math.inf, math.nan
tiny, denormal = np.finfo(np.float64).tiny, 5e-324

BITS = 1400  # after the point: more than any float64 has
ONE = 1 << BITS


def arctangent_of_inverse(n: int) -> int:
    """Return arctan(1 / n) in fixed point."""
    power = total = ONE // n
    k = 1
    while power:
        power //= -n * n
        k += 2
        total += power // k
    return total


PI = 4 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))  # Machin (1706)


def fixed(x: float) -> int:
    return int(Fraction(x) * ONE)


def exact_sine(angle: int) -> int:
    """Return the sine of an angle, both in fixed point."""
    angle = (angle + PI) % (2 * PI) - PI
    term = total = angle
    k = 1
    while term:
        term = -term * angle // ONE * angle // ONE // ((k + 1) * (k + 2))
        k += 2
        total += term
    return total


def ulps(y: float, exact: Fraction) -> float:
    return float(abs(Fraction(y) - exact) / Fraction(math.ulp(float(exact))))


def angles() -> list[float]:
    """Return angles of every size, near multiples of π/2, and where the reduction changes."""
    rng = np.random.default_rng(0)
    every = np.ldexp(rng.uniform(1, 2, 300), rng.integers(-30, 1024, 300))
    usual = rng.uniform(0, 100, 300)
    next_to_zeros = [float(Fraction(k * PI, 2 * ONE)) for k in (1, 2, 3, 11, 344, 2**29, 10**15)]
    border = [math.nextafter(2.0**30, 0), 2.0**30, math.nextafter(2.0**30, inf)]
    # The float64 that is nearest to a multiple of π/2, and the largest one.
    hardest = [6381956970095103 * 2.0**797, np.finfo(np.float64).max]
    x = np.concatenate([every, usual, next_to_zeros, border, hardest])
    return (x * rng.choice([-1.0, 1.0], len(x))).tolist()


def test_sine_and_cosine_are_off_by_at_most_one_ulp(isa: str) -> None:
    x = angles()
    sines, cosines = evaluate_gate("sin", x), evaluate_gate("cos", x)
    for angle, sine, cosine in zip(x, sines, cosines, strict=True):
        assert ulps(sine, Fraction(exact_sine(fixed(angle)), ONE)) <= MAX_ULPS, angle
        assert ulps(cosine, Fraction(exact_sine(fixed(angle) + PI // 2), ONE)) <= MAX_ULPS, angle


def exact_root(x: Fraction, n: int) -> Fraction:
    """Return the n-th root to 150 bits."""
    shift = 150 * n + max(0, x.denominator.bit_length() - x.numerator.bit_length())
    shift += -shift % n
    scaled = (x.numerator << shift) // x.denominator
    low, high = 0, 1 << (scaled.bit_length() // n + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**n <= scaled else (low, middle)
    return Fraction(low, 1 << (shift // n))


def test_powers_are_off_by_at_most_one_ulp(isa: str) -> None:
    """xᵏᐟⁿ is the n-th root of xᵏ; n is a power of two."""
    rng = np.random.default_rng(1)
    sizes = np.concatenate([np.zeros(60, int), rng.integers(-1074, 1024, 60)])
    x = np.ldexp(rng.uniform(0.5, 2, 120), sizes)
    x[:30] = 1 + np.ldexp(rng.uniform(-1, 1, 30), rng.integers(-52, -5, 30))
    n = 2 ** rng.integers(0, 7, 120)
    k = rng.integers(-40, 41, 120)
    y = evaluate_gate("power", x, k / n)
    checked = 0
    for base, power, root, result in zip(x, k, n, y, strict=True):
        exponent = math.log2(base) * power / root
        if not -1021 < exponent < 1023:
            continue
        exact = exact_root(Fraction(base) ** int(power), int(root))
        assert ulps(result, exact) <= MAX_ULPS, (base, power, root)
        checked += 1
    assert checked > 60


LARGE_EXPONENTS = [
    *product((1 + 2.0**-20, 1 - 2.0**-21, 1 + 5 * 2.0**-19), (123_457, 98_765)),
    *((0.72, 2100), (0.75, 1999), (0.9, 6000), (1.1, 7001), (1.3, 2500), (1.4, 2000)),
]


def test_powers_with_large_exponents(isa: str) -> None:
    """Near the base 1 all digits of the logarithm matter, farther from it those of its series."""
    for base, exponent in LARGE_EXPONENTS:
        y = evaluate_gate("power", base, float(exponent))
        scale = 1 << 2000
        exact = Fraction(scale)
        for bit in bin(exponent)[2:]:  # repeated squaring, truncated to 2000 bits
            exact = Fraction(int(exact * exact / scale * (Fraction(base) if bit == "1" else 1)))
        assert ulps(y, exact / scale) <= MAX_ULPS, (base, exponent)


def test_exact_powers_are_exact(isa: str) -> None:
    rng = np.random.default_rng(2)
    x = np.ldexp(rng.uniform(1, 2, 20_000), rng.integers(-1074, 1024, 20_000))
    x *= rng.choice([-1.0, 1.0], len(x))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluate_gate("power", x, 2.0), x * x)
        np.testing.assert_array_equal(evaluate_gate("square", x), x * x)
    np.testing.assert_array_equal(evaluate_gate("power", x, 1.0), x)
    np.testing.assert_array_equal(evaluate_gate("power", x, 0.0), np.ones_like(x))
    base, power = np.meshgrid(np.arange(-20.0, 21), np.arange(12.0))
    np.testing.assert_array_equal(evaluate_gate("power", base, power), base**power)
    squares = np.arange(1.0, 3000.0) ** 2
    np.testing.assert_array_equal(evaluate_gate("power", squares, 0.5), np.sqrt(squares))
    twos = np.arange(-1074.0, 1024.0)
    np.testing.assert_array_equal(
        evaluate_gate("power", 2.0, twos), np.ldexp(1.0, twos.astype(int))
    )


def test_logarithms_of_denormal_numbers(isa: str) -> None:
    x = denormal * np.concatenate([2.0 ** np.arange(52), 3 * 5.0 ** np.arange(21)])
    expected = [math.log(int(number / denormal)) - 1074 * math.log(2) for number in x]
    np.testing.assert_allclose(evaluate_gate("log", x), expected, rtol=3e-16)


def test_denormal_numbers_are_not_flushed(isa: str) -> None:
    """Neither arithmetic nor functions flush them to zero."""
    for name, a, b, expected in [
        ("add", denormal, denormal, 2 * denormal),
        ("sub", 1.5 * tiny, tiny, tiny / 2),
        ("mul", tiny, 0.5, tiny / 2),
        ("div", tiny, 4.0, tiny / 4),
        ("max", denormal, 0.0, denormal),
        ("power", 2.0, -1050.0, 2.0**-1050),
        ("power", denormal, -0.5, 2.0**537),
    ]:
        assert evaluate_gate(name, a, b) == expected, name
    for name in ("sin", "tanh", "abs", "relu"):
        assert evaluate_gate(name, denormal) == denormal
    assert evaluate_gate("sqrt", denormal) == 2.0**-537
    assert evaluate_gate("exp", -740.0) == pytest.approx(math.exp(-740), abs=denormal)
    for a in (-707.0, -708.2, -709.5, -720.0, -745.0):
        assert evaluate_gate("sigmoid", a) == pytest.approx(math.exp(a), rel=1e-15, abs=denormal)
    assert evaluate_gate("sigmoid", -750.0) == 0
    assert evaluate_gate("gaussian", 27.2) == pytest.approx(math.exp(-(27.2**2)), rel=1e-12)


SPECIAL_VALUES = {
    "sin": ((0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan), (nan, nan), (denormal, denormal)),
    "cos": ((0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan), (nan, nan), (denormal, 1.0)),
    "log": ((1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-denormal, nan)),
    "sqrt": ((0.0, 0.0), (-0.0, -0.0), (inf, inf), (-1.0, nan)),
    "reciprocal": ((0.0, inf), (-0.0, -inf), (-inf, -0.0), (nan, nan)),
    "abs": ((-0.0, 0.0), (-inf, inf), (nan, nan)),
    "relu": ((-0.0, 0.0), (0.0, 0.0), (-3.0, 0.0), (-inf, 0.0), (inf, inf), (nan, nan)),
    "exp": ((-inf, 0.0), (inf, inf), (nan, nan), (-750.0, 0.0), (710.0, inf)),
    "neg": ((0.0, -0.0), (-0.0, 0.0)),
    "square": ((-0.0, 0.0), (-3.0, 9.0), (-inf, inf), (nan, nan)),
}


@pytest.mark.parametrize("name", SPECIAL_VALUES)
def test_special_values(name: str, isa: str) -> None:
    x, expected = np.array(SPECIAL_VALUES[name]).T
    assert_same_numbers(evaluate_gate(name, x), expected)


def test_a_tie_goes_to_the_first_operand(isa: str) -> None:
    a = np.array([0.0, -0.0, 1.0, nan, 1.0, nan])
    b = np.array([-0.0, 0.0, 2.0, 1.0, nan, nan])
    assert_same_numbers(evaluate_gate("max", a, b), np.array([0.0, -0.0, 2.0, nan, nan, nan]))
    assert_same_numbers(evaluate_gate("min", a, b), np.array([0.0, -0.0, 1.0, nan, nan, nan]))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, 1e300, 2.0**53 + 2, inf, nan])
@pytest.mark.parametrize("sign", [1, -1])
def test_special_powers(sign: int, exponent: float, isa: str) -> None:
    """They are those of C; Python raises errors for some."""
    exponent *= sign
    numbers = (0.0, 0.3, 1.0, 1.7, inf)
    bases = [*numbers, *(-number for number in numbers), nan]
    expected = np.array([power_in_c(base, exponent) for base in bases])
    got = evaluate_gate("power", bases, exponent)
    special = ~np.isfinite(expected) | (expected == 0) | (expected == np.rint(expected))
    assert_same_numbers(got[special], expected[special])
    np.testing.assert_allclose(got, expected, rtol=3e-16)


def power_in_c(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return inf
    except ValueError:
        if base:
            return nan
        return math.copysign(inf, base) if exponent % 2 == 1 else inf


def sample() -> np.ndarray:
    """Return numbers of every size, and many of moderate size."""
    rng = np.random.default_rng(3)
    every = np.ldexp(rng.uniform(1, 2, 5000), rng.integers(-1074, 1024, 5000))
    usual = np.concatenate([rng.normal(0, 2, 5000), rng.uniform(-800, 800, 5000)])
    special = [0.0, 1.0, 2.0, inf, nan, denormal, tiny]
    x = np.concatenate([every, usual, special])
    return x * rng.choice([-1.0, 1.0], len(x))


@pytest.mark.parametrize("name", GATES)
def test_every_instruction_set_gives_the_same_bits(name: str, isa: str) -> None:
    a = sample()
    operands = (a, np.random.default_rng(4).permutation(a)) if name in BINARY else (a,)
    here = evaluate_gate(name, *operands)
    kernels.select(kernels.available()[0])
    best = evaluate_gate(name, *operands)
    assert_same_numbers(here, best)
    assert np.isfinite(here).mean() > 0.2


@pytest.mark.parametrize("name", GATES)
def test_a_number_has_the_same_bits_alone_and_in_any_array(name: str, isa: str) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.uniform(0.1, 5, (2, 70))
    for count in (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70):
        operands = (a[:count], b[:count]) if name in BINARY else (a[:count],)
        alone = [evaluate_gate(name, *map(float, point)) for point in zip(*operands, strict=True)]
        assert all(type(number) is float for number in alone)
        assert_same_numbers(evaluate_gate(name, *operands), np.array(alone))


def test_operands_are_broadcast_together() -> None:
    rows, columns = np.arange(3.0)[:, np.newaxis], np.arange(4, dtype=np.int8)
    np.testing.assert_array_equal(evaluate_gate("add", rows, columns), rows + columns)
    np.testing.assert_array_equal(evaluate_gate("sub", rows[::-1], 1.0), rows[::-1] - 1)
    np.testing.assert_array_equal(evaluate_gate("neg", np.ones((2, 3, 2)).T), -np.ones((2, 3, 2)))
    assert evaluate_gate("neg", np.array(2.0)).shape == ()


def test_numbers_outside_of_the_domain_give_no_warning() -> None:
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for name in GATES:
            evaluate_gate(name, *[np.array([-1.0, 0.0, inf, nan, 1e308])] * GATES[name])
        np.ones(3) + np.ones(3)  # no floating-point flag is left set for NumPy to report


def test_unknown_gates_and_wrong_operands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"name is 'sine', expected one of add, .*gaussian"):
        evaluate_gate("sine", 1.0)
    with pytest.raises(TypeError, match="the gate sin has one operand"):
        evaluate_gate("sin", 1.0, 2.0)
    with pytest.raises(TypeError, match="the gate add has two operands"):
        evaluate_gate("add", 1.0)
