"""Tests of the digits that ship with the package, and of the division into parts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cygrad import datasets
from cygrad.datasets import digits

# --- the digits ---------------------------------------------------------------------------------

# Of the bytes of X and of y as uint8, computed from the published file.
DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_are_the_published_ones() -> None:
    X, y = datasets.load_digits()
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((1797, 64), np.uint8, (1797,), np.int64)
    assert X.flags.c_contiguous
    assert X.flags.writeable
    assert hashlib.sha256(X.tobytes() + y.astype(np.uint8).tobytes()).hexdigest() == DIGITS_SHA256
    assert_array_equal(X[0, :8], [0, 0, 5, 13, 9, 1, 0, 0])
    assert_array_equal(np.bincount(y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])


def test_digits_of_two_calls_are_independent() -> None:
    first, _ = datasets.load_digits()
    first[:] = 0
    assert datasets.load_digits()[0].any()


def test_digits_are_small_and_attributed() -> None:
    folder = Path(digits.__file__).parent
    assert (folder / "digits.zlib").stat().st_size < 50_000
    for text in ((folder / "DIGITS.txt").read_text(), datasets.load_digits.__doc__ or ""):
        for part in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"):
            assert part in text


def test_damaged_digits_are_refused() -> None:
    compressed = (Path(digits.__file__).parent / "digits.zlib").read_bytes()
    for damaged in (
        compressed[:-9],
        compressed[:500] + bytes([compressed[500] ^ 1]) + compressed[501:],
    ):
        with pytest.raises(ValueError, match="damaged"):
            digits._decompress(damaged)
    for values in (bytes(10), bytes(65 * 1797)[:-1] + b"\x0a", b"\x11" + bytes(65 * 1797 - 1)):
        with pytest.raises(ValueError, match="damaged"):
            digits._decompress(digits.zlib.compress(values))


# --- parts --------------------------------------------------------------------------------------


def test_split_of_the_digits_is_fixed_and_balanced() -> None:
    _, y = datasets.load_digits()
    train, test = datasets.split(y, 0.2)
    assert len(test) == 359
    assert_array_equal(test[:8], [7, 11, 16, 18, 23, 29, 32, 36])
    assert_array_equal(np.bincount(y[test]), [35, 37, 35, 37, 36, 36, 36, 36, 35, 36])
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(1797))


def test_split_depends_on_rng_alone() -> None:
    y = np.arange(100) % 3
    one, two = (datasets.split(y, 0.3, rng=seed)[1] for seed in (1, 2))
    assert_array_equal(one, datasets.split(y, 0.3, rng=np.random.default_rng(1))[1])
    assert not np.array_equal(one, two)
    assert len(one) == len(two) == 30
    assert_array_equal(np.bincount(y[one]), [10, 10, 10])


def test_split_of_quantities_covers_their_range() -> None:
    y = np.random.default_rng(0).normal(size=(1000, 2))
    train, test = datasets.split(y, 0.25, rng=0)
    assert (len(train), len(test)) == (750, 250)
    assert abs(np.median(y[train, 0]) - np.median(y[test, 0])) < 0.02


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_split_refuses_a_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"test_fraction is .*, expected"):
        datasets.split(np.arange(10), fraction)


def test_split_refuses_an_empty_part_and_scalars() -> None:
    with pytest.raises(ValueError, match=r"leaves a part of . rows empty"):
        datasets.split(np.arange(4), 0.2)
    with pytest.raises(ValueError, match=r"y has shape \(\)"):
        datasets.split(np.array(1), 0.2)
