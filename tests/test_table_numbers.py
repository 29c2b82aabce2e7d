"""Numbers in text become the nearest double, bit for bit that of Python's float."""

import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cygrad._engine import delimited


def bits(number):
    return struct.pack("<d", number)


def same(text):
    """Assert that a text is read as by float."""
    number = delimited.number(text.encode())
    assert number is not None, text
    assert bits(number) == bits(float(text)), text


def exact(number):
    """Return a dyadic fraction as a decimal number, without rounding."""
    places = number.denominator.bit_length() - 1
    return f"{number.numerator * 5**places}e-{places}"


EDGES = [
    "0", "-0", "+0", "0.", "-.0", ".5", "5.", "+.5e-1", "1e400", "-1e400", "1e-400", "0e999",
    "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
    "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623158e308",
    "1.7976931348623159e308", "9007199254740993", "9007199254740992.5", "9007199254740991e22",
    "18446744073709551615", "18446744073709551616", "9223372036854775807", "0.1", "1e22", "1e23",
    "1e-22", "1e-23", "8.98846567431158e307", "7.2057594037927933e16", "1e-27", "1e-28", "3e55",
    "1e99999999999999999999999999", "1e-99999999999999999999999999", "0e99999999999999999999",
    "0." + "0" * 1000 + "1e1001", "1" + "0" * 1000 + "e-1000", "0" * 100 + "1.5" + "0" * 100,
    "123456789012345678901234567890e-30", "1" * 20000, "0." + "1" * 20000, "9" * 800 + "e-800",
]  # fmt: skip


@pytest.mark.parametrize("text", EDGES, ids=lambda text: text[:24])
def test_edges(text):
    same(text)
    same(f"-{text.lstrip('+-')}")


NO_NUMBERS = [
    "", "-", "+", ".", "-.", "e5", "1e", "1e+", "1_0", "0x1", "inf", "nan", "1 ", " 1", "--1",
    "1.2.3", "1f", "1e5.", "+-1", "１", "\N{MINUS SIGN}1", "1,5", "1\0", "1e5e5",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number(text):
    assert delimited.number(text.encode()) is None


def test_decimal_comma():
    assert delimited.number(b"-1,25e1", b",") == -12.5
    assert delimited.number(b"1.5", b",") is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 25))
@example(5e-324, 17)
def test_shortest_and_rounded(number, places):
    same(repr(number))
    same(f"{number:.{places}e}")
    same(f"{number:.{places}g}")


@given(st.integers(0, 2**80), st.integers(-400, 400))
def test_integers_times_powers(integer, power):
    same(f"{integer}e{power}")


@given(st.from_regex(r"\A[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,4})?\Z"))
def test_the_whole_grammar(text):
    same(text)


def test_ties_and_their_neighbours():
    """Half-way between two doubles is even; a digit behind 800 others decides."""
    rng = random.Random(0)
    count = 0
    while count < 1500:
        number = abs(struct.unpack("<d", rng.randbytes(8))[0])
        above = math.nextafter(number, math.inf)
        if not math.isfinite(above):
            continue
        count += 1
        tie = exact((Fraction(number) + Fraction(above)) / 2)
        digits, power = tie.split("e")
        same(tie)
        same(f"{digits}000001e{int(power) - 6}")
        same(f"{int(digits) - 1}e{power}")
        same(f"{digits[:19]}e{int(power) + len(digits) - 19}")
        same(f"{digits[:20]}e{int(power) + len(digits) - 20}")
    for length in (0, 1, 18, 700, 760, 770, 800, 1500):
        for last in "01":
            same("9007199254740993." + "0" * length + last)


def test_a_million_random_numbers():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**64, 250_000, np.uint64).view(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    near = rng.normal(size=250_000) * 10.0 ** rng.integers(-8, 8, 250_000)
    for values, form in (
        (numbers, repr),
        (numbers, "{:.16e}".format),
        (near, repr),
        (near, "{:.6f}".format),
    ):
        texts = [form(value) for value in values.tolist()]
        read = [delimited.number(text.encode()) for text in texts]
        assert np.array(read).tobytes() == np.array(list(map(float, texts))).tobytes()


def test_the_table_of_powers_is_exact():
    """A wrong word of the table would show in one power of ten only."""
    for power in range(-342, 309):
        for factor in (1, 3, 2**53 - 1, 2**53 + 1, 2**64 - 1, 7450580596923828125):
            same(f"{factor}e{power}")
