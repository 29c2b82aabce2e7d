"""Tests of the checks of simple arguments: accepted values and error messages."""

import math
from fractions import Fraction

import numpy as np
import pytest

from cygrad import checks


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0.0), (3, 3.0), (Fraction(1, 3), 1 / 3), (np.float32(0.5), 0.5), (np.int8(7), 7.0)],
)
def test_numbers(value, expected):
    checked = checks.number(value, "rate", least=0)
    assert type(checked) is float
    assert checked == expected


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (True, TypeError, "rate is True, expected a number of at least 0"),
        (np.False_, TypeError, "expected a number of at least 0"),
        ("0.1", TypeError, "rate is '0.1', expected a number of at least 0"),
        (None, TypeError, "rate is None"),
        (1j, TypeError, "rate is 1j"),
        (-1e-9, ValueError, "rate is -1e-09, expected a finite number of at least 0"),
        (math.nan, ValueError, "rate is nan"),
        (math.inf, ValueError, "rate is inf"),
        (10**400, ValueError, "rate is inf"),
        (-(10**400), ValueError, "rate is -inf"),
        (Fraction(10**400, 3), ValueError, "rate is inf"),
    ],
)
def test_refused_numbers(value, error, message):
    with pytest.raises(error, match=message):
        checks.number(value, "rate", least=0)


@pytest.mark.parametrize("value", [True, np.True_, 2.0, "2", None])
def test_refused_whole_numbers(value):
    with pytest.raises(TypeError, match=r"units is .*, expected an integer of at least 1"):
        checks.whole_number(value, "units")


def test_arrays_of_parameters():
    masked = np.ma.array([1, 2], mask=False)
    checked = checks.parameters(masked, "biases", (2,), np.dtype("float32"))
    assert type(checked) is np.ndarray
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked, [1, 2])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1], [1, 2]], ValueError, "biases is not a regular array: "),
        (np.ma.array([1, 2], mask=[0, 1]), ValueError, "biases has 1 masked values, expected none"),
        (["1", "2"], TypeError, "biases has dtype <U1, expected real numbers"),
        ([1, 2, 3], ValueError, r"biases has shape \(3,\), expected \(2,\)"),
        ([1, 1e300], ValueError, r"biases holds 1e\+300 at 1, expected numbers that are finite as"),
    ],
)
def test_refused_arrays_of_parameters(value, error, message):
    with pytest.raises(error, match=message):
        checks.parameters(value, "biases", (2,), np.dtype("float32"))


def test_whole_numbers():
    checked = checks.whole_number(np.uint8(3), "units")
    assert type(checked) is int
    assert checked == 3
    with pytest.raises(ValueError, match="units is 0, expected an integer of at least 1"):
        checks.whole_number(0, "units")
