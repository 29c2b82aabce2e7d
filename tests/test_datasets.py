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


@pytest.mark.parametrize("kind", ["int64", "float64", "U1", "object"])
def test_split_leaves_every_class_in_the_training_part(kind: str) -> None:
    y = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 2]).astype("U1" if kind == "U1" else kind)
    train, test = datasets.split(y, 0.2)
    assert_array_equal(np.unique(y[train].astype("U1")), ["0", "1", "2"])
    assert len(test) == 2
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(10))


@pytest.mark.parametrize("seed", range(20))
def test_split_of_rare_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(np.arange(5), 30), np.arange(5, 40), np.repeat([40, 41], 2)])
    y = rng.permutation(y)
    train, test = datasets.split(y, 0.4, rng=seed)
    assert_array_equal(np.unique(y[train]), np.arange(42))
    assert not np.isin(y[test], np.arange(5, 40)).any()
    assert len(test) == int(0.4 * len(y))
    assert np.ptp(np.bincount(y[test])[:5]) <= 4


def test_split_of_classes_that_are_named_so() -> None:
    y = np.array([3, 1, 1, 2])
    assert_array_equal(datasets.split(y, 0.5)[1], [0, 2])  # no class twice on average: quantities
    train, test = datasets.split(y, 0.5, classes=True)
    assert_array_equal(np.unique(y[train]), [1, 2, 3])
    assert_array_equal(y[test], [1])
    train, test = datasets.split(np.repeat([1, 2], 5), 0.5, classes=False)
    assert len(test) == 5
    with pytest.raises(ValueError, match="no row is left to test: y has 4 classes in 4 rows"):
        datasets.split(np.arange(4), 0.5, classes=True)
    with pytest.raises(TypeError, match="classes is 1, expected True or False"):
        datasets.split(y, 0.5, classes=1)  # type: ignore[arg-type]


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
    with pytest.raises(ValueError, match=r"no row is left to test: y has 10 classes in 10 rows"):
        datasets.split(np.arange(10), 0.2, classes=True)
    with pytest.raises(ValueError, match=r"y has shape \(\)"):
        datasets.split(np.array(1), 0.2)


# --- folds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "k"), [(10, 2), (103, 5), (103, 10), (7, 7)])
@pytest.mark.parametrize("rng", [None, 3])
def test_each_row_is_tested_once(rows: int, k: int, rng: int | None) -> None:
    for y in (np.arange(rows) % 3, np.random.default_rng(0).normal(size=(rows, 2))):
        parts = datasets.folds(y, k, rng=rng)
        assert len(parts) == k
        for train, test in parts:
            assert (train.dtype, test.dtype) == (np.int64, np.int64)
            assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(rows))
            assert_array_equal(test, np.sort(test))
            assert_array_equal(train, np.sort(train))
        assert_array_equal(np.sort(np.concatenate([test for _, test in parts])), np.arange(rows))
        assert np.ptp([len(test) for _, test in parts]) <= 1


@pytest.mark.parametrize("seed", range(10))
def test_folds_share_each_class_evenly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(6), [1, 2, 3, 17, 40, 41]))
    parts = datasets.folds(y, 5, rng=seed, classes=True)
    counts = np.array([np.bincount(y[test], minlength=6) for _, test in parts])
    assert (np.ptp(counts, axis=0) <= 1).all()
    lacking = [set(range(6)) - set(y[train].tolist()) for train, _ in parts]
    assert sorted(map(len, lacking)) == [0, 0, 0, 0, 1]  # the class of one row, where it is tested
    assert set().union(*lacking) == {0}


def test_folds_have_the_same_sizes_as_those_of_scikit_learn() -> None:
    selection = pytest.importorskip("sklearn.model_selection", reason="compares with scikit-learn")
    y = np.random.default_rng(1).integers(0, 4, 95)
    theirs = selection.StratifiedKFold(5, shuffle=True, random_state=0).split(y[:, None], y)
    for part in (list(theirs), datasets.folds(y, 5, rng=0)):
        counts = np.array([np.bincount(y[test], minlength=4) for _, test in part])
        assert (np.ptp(counts, axis=0) <= 1).all()


def test_folds_depend_on_rng_alone() -> None:
    y = np.arange(100) % 3
    one, two = (datasets.folds(y, 4, rng=seed)[0][1] for seed in (1, 2))
    assert_array_equal(one, datasets.folds(y, 4, rng=np.random.default_rng(1))[0][1])
    assert not np.array_equal(one, two)
    assert_array_equal(datasets.folds(y, 4)[0][1], datasets.folds(y, 4)[0][1])


def test_folds_of_quantities_have_the_same_level() -> None:
    y = np.random.default_rng(0).exponential(size=1000)
    means = [y[test].mean() for _, test in datasets.folds(y, 5, rng=0)]
    assert np.ptp(means) < 0.05
    ranks = np.argsort(np.argsort(y))
    levels = [ranks[test].mean() for _, test in datasets.folds(y, 5, rng=0)]
    assert np.ptp(levels) < 2  # of 1000: with a fixed order they would be 0, 1, 2, 3, 4 apart
    assert levels != sorted(levels)


def test_folds_are_checked() -> None:
    for k in (1, 11, True, 2.0):
        with pytest.raises((TypeError, ValueError), match=f"k is {k}, expected"):
            datasets.folds(np.arange(10), k)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"y has shape \(1, 2, 2\)"):
        datasets.folds(np.zeros((1, 2, 2)), 2)
    with pytest.raises(TypeError, match="classes is 1"):
        datasets.folds(np.arange(10), 2, classes=1)  # type: ignore[arg-type]
