"""What a network accepts as X and y, and what it refuses: by name, before anything happens."""

import numpy as np
import pytest
from layouts import MATRICES, read_only
from networks import small_network, units_for

from cygrad import Dense, Network
from cygrad.network.losses import LOSSES, target_columns


def make(loss="cross_entropy", units=3, **options):
    return small_network(4, 5, units_for(loss, units), loss, **options)


# Whole numbers from 0 to 9, which every dtype can hold.
NUMBERS = np.random.default_rng(0).integers(0, 10, (6, 4))
LABELS = np.array([0, 1, 2, 2, 1, 0])


def memory_map(array, folder):
    np.save(folder / "X.npy", array)
    return np.load(folder / "X.npy", mmap_mode="r")


LAYOUTS = {
    **{name: lambda X, folder, layout=layout: layout(X) for name, layout in MATRICES.items()},
    "memory-mapped": memory_map,
}
del LAYOUTS["list"]  # it has no dtype

REAL = ["float32", "float64", "float16", "longdouble", "int8", "int16", "int32", "int64"]
REAL += ["uint8", "uint16", "uint32", "uint64"]


class TestAcceptedSamples:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("kind", REAL)
    def test_every_real_dtype(self, kind, dtype):
        net = make(dtype=dtype)
        expected = net.forward(NUMBERS.astype(dtype))
        np.testing.assert_array_equal(net.forward(NUMBERS.astype(kind)), expected)

    def test_booleans(self):
        net = make()
        yes = NUMBERS > 4
        np.testing.assert_array_equal(net.forward(yes), net.forward(yes.astype(float)))

    def test_lists(self):
        net = make()
        np.testing.assert_array_equal(net.forward(NUMBERS.tolist()), net.forward(NUMBERS))

    @pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int64"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("standardized", [False, True])
    def test_every_layout_gives_the_same_bits_and_is_left_alone(
        self, layout, kind, standardized, tmp_path
    ):
        net, expected = make(), NUMBERS.astype(kind)
        if standardized:
            net.standardize_inputs(expected)
        X = LAYOUTS[layout](expected, tmp_path)
        y = read_only(LABELS)
        np.testing.assert_array_equal(net.forward(X), net.forward(expected))
        np.testing.assert_array_equal(net.predict(X), net.predict(expected))
        assert net.evaluate(X, y) == net.evaluate(expected, LABELS)
        g, h = net.backward(X, y), net.backward(expected, LABELS)
        np.testing.assert_array_equal(g.weights[0], h.weights[0])
        np.testing.assert_array_equal(g.inputs, h.inputs)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, LABELS)

    def test_a_row_alone_is_the_row_in_a_batch(self):
        net = make()
        outputs = net.forward(NUMBERS)
        for row in range(6):
            np.testing.assert_array_equal(net.forward(NUMBERS[row : row + 1])[0], outputs[row])


BAD_SAMPLES = [
    (np.zeros((6, 3)), ValueError, r"X has shape \(6, 3\), expected \(rows, 4\)"),
    (np.zeros(4), ValueError, r"X has shape \(4,\), expected \(rows, 4\)"),
    (np.zeros((6, 4, 1)), ValueError, r"X has shape \(6, 4, 1\)"),
    (np.zeros((0, 4)), ValueError, "X has shape .*at least one row"),
    (3.0, ValueError, r"X has shape \(\)"),
    ([[1, 2, 3, 4], [1, 2]], ValueError, "X"),
    (np.ma.masked_equal(np.eye(6, 4), 1), ValueError, "X has 4 masked values, expected none"),
    (np.full((6, 4), 1j), TypeError, "X has dtype complex128, expected real numbers"),
    (np.full((6, 4), "1"), TypeError, "X has dtype <U1, expected real numbers"),
    (np.full((6, 4), None), TypeError, "X has dtype object, expected real numbers"),
    (None, TypeError, "X has dtype object"),
    (np.zeros((6, 4), "M8[s]"), TypeError, r"X has dtype datetime64\[s\]"),
]


class TestRefusedSamples:
    @pytest.mark.parametrize("standardized", [False, True])
    @pytest.mark.parametrize(("X", "error", "message"), BAD_SAMPLES)
    def test_by_every_method(self, X, error, message, standardized):
        net = make()
        if standardized:
            net.standardize_inputs(NUMBERS)
        for use in (net.forward, net.predict, net.standardize_inputs):
            if X is None and use == net.standardize_inputs:
                continue  # it has a meaning there
            with pytest.raises(error, match=message):
                use(X)
        for use in (net.evaluate, net.backward):
            with pytest.raises(error, match=message):
                use(X, LABELS)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_numbers_that_are_not_finite(self, layout, kind, value, tmp_path):
        X = NUMBERS.astype(kind)
        X[4, 2] = value
        X = LAYOUTS[layout](X, tmp_path)
        with pytest.raises(
            ValueError, match=rf"X holds {value} in row 4, column 2, expected finite"
        ):
            make().forward(X)

    @pytest.mark.parametrize("value", [1e39, -1e300, 3.4028235677973366e38])
    def test_numbers_that_are_infinite_as_float32(self, value):
        X = NUMBERS.astype(float)
        X[4, 2] = value
        message = "X holds .* in row 4, column 2, expected numbers that are finite as float32"
        with pytest.raises(ValueError, match=message):
            make().forward(X)
        X[4, 2] = np.sign(value) * 3.402823567797336e38  # the largest that rounds to a finite one
        make().forward(X)

    @pytest.mark.parametrize(("shape", "strides"), [((1, 4), (13, 4)), ((6, 1), (4, 3))])
    def test_the_stride_of_an_axis_of_length_one_does_not_matter(self, shape, strides):
        X = np.lib.stride_tricks.as_strided(np.arange(64, dtype=np.float32), shape, strides)
        net = Network(shape[1], [Dense(2)], loss="mse", rng=0)
        assert np.array_equal(net.forward(X), net.forward(X.copy()))

    def test_numbers_that_the_dtype_cannot_hold(self):
        X = NUMBERS.astype(float)
        X[4, 2] = 1e200
        assert np.isfinite(make(dtype="float64").forward(X)).all()
        net = make(dtype="float64")
        net.standardize_inputs(1e-150 * NUMBERS)
        with pytest.raises(ValueError, match="standardised X holds inf in row 4, column 2"):
            net.evaluate(X, LABELS)


def rows(loss, units=3):
    """Targets that a loss accepts as numbers."""
    columns = target_columns(loss, units_for(loss, units))
    values = np.random.default_rng(1).uniform(0.1, 1, (6, columns))
    sums_to_1 = LOSSES[loss].targets == "probabilities"
    return values / values.sum(axis=1, keepdims=True) if sums_to_1 else values


class TestAcceptedTargets:
    @pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
    @pytest.mark.parametrize("kind", ["int8", "int32", "int64", "uint8", "uint64", ">i4"])
    def test_class_indices_of_every_integer_dtype(self, loss, kind):
        net = make(loss)
        expected = net.evaluate(NUMBERS, LABELS)
        assert net.evaluate(NUMBERS, LABELS.astype(kind)) == expected
        assert net.evaluate(NUMBERS, np.repeat(LABELS, 2).astype(kind)[::2]) == expected
        assert net.evaluate(NUMBERS, LABELS.tolist()) == expected

    def test_booleans_are_two_classes(self):
        net = make(units=2)
        assert net.evaluate(NUMBERS, LABELS > 0) == net.evaluate(NUMBERS, (LABELS > 0).astype(int))

    @pytest.mark.parametrize("loss", [name for name in LOSSES if LOSSES[name].rows])
    def test_rows_of_every_layout(self, loss, tmp_path):
        net, y = make(loss, dtype="float64"), rows(loss)
        for layout in LAYOUTS.values():
            laid_out = layout(y, tmp_path)
            assert net.evaluate(NUMBERS, laid_out) == net.evaluate(NUMBERS, y)
            np.testing.assert_array_equal(laid_out, y)

    def test_float32_probabilities_may_be_off_by_rounding(self):
        y = rows("cross_entropy").astype(np.float32)
        assert (y.sum(axis=1, dtype=float) != 1).any()
        make().evaluate(NUMBERS, y)

    @pytest.mark.parametrize("loss", ["quadratic", "mse", "binary_cross_entropy"])
    def test_a_single_output_takes_flat_targets(self, loss):
        net, y = make(loss, units=1), rows(loss, 1)
        assert net.evaluate(NUMBERS, y[:, 0]) == net.evaluate(NUMBERS, y)
        assert net.backward(NUMBERS, y[:, 0]).loss == net.backward(NUMBERS, y).loss

    @pytest.mark.parametrize("loss", ["quadratic", "mse", "binary_cross_entropy"])
    def test_integers_are_numbers(self, loss):
        net, y = make(loss), np.eye(3, dtype=np.uint8)[LABELS]
        assert net.evaluate(NUMBERS, y) == net.evaluate(NUMBERS, y.astype(float))


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


BAD_TARGETS = [
    (
        "cross_entropy",
        changed(LABELS, 4, 3),
        ValueError,
        "y holds 3 in row 4, expected integer class",
    ),
    ("cross_entropy", changed(LABELS, 1, -1), ValueError, "y holds -1 in row 1"),
    (
        "hinge",
        changed(LABELS, 1, 10),
        ValueError,
        "indices from 0 to 2 of shape .* for loss 'hinge'",
    ),
    (
        "hinge",
        np.full(6, 2**64 - 1, np.uint64),
        ValueError,
        "y holds 18446744073709551615 in row 0",
    ),
    ("hinge", np.full(6, -(2**63)), ValueError, "y holds -9223372036854775808"),
    ("cross_entropy", LABELS.astype(float), TypeError, r"y has dtype float64.*y\.astype\(int\)"),
    ("hinge", LABELS.astype(np.float32), TypeError, "y has dtype float32"),
    ("cross_entropy", LABELS.astype(str), TypeError, "y has dtype <U21, expected integer class"),
    ("cross_entropy", None, TypeError, "y has dtype object, expected integer class indices"),
    ("mse", [[1, 2, 3j]] * 6, TypeError, "y has dtype complex128, expected numbers"),
    ("mse", [[1, 2, 3]] * 5 + [[1]], ValueError, "y is not a regular array: "),
    ("hinge", np.ma.masked_equal(LABELS, 1), ValueError, "y has . masked values, expected none"),
    ("cross_entropy", LABELS[:5], ValueError, "y has 5 targets for 6 samples, expected 6"),
    ("mse", rows("mse")[:5], ValueError, "y has 5 targets for 6 samples"),
    ("mse", np.zeros((0, 3)), ValueError, "y has 0 targets for 6 samples"),
    (
        "cross_entropy",
        LABELS[:, None] + 0.0,
        ValueError,
        r"y has shape \(6, 1\), expected integer.* or prob",
    ),
    ("cross_entropy", LABELS + 1, ValueError, "in row 2, expected integer.*; y - 1 has class ind"),
    ("hinge", LABELS[:, None] + 1, ValueError, "expected integer.*; y - 1 has class indices$"),
    ("cross_entropy", LABELS % 2 * 2 - 1, ValueError, r"expected .*; \(y \+ 1\) // 2 has class"),
    ("cross_entropy", 5 * LABELS, ValueError, r"; np.unique\(y, return_inverse=True\)\[1\] has"),
    (
        "cross_entropy",
        np.arange(6),
        ValueError,
        "y holds 3 in row 3, expected .*probabilities .*'$",
    ),
    (
        "binary_cross_entropy",
        2.0 * rows("binary_cross_entropy").round() - 1,
        ValueError,
        r"expected numbers from 0 to 1; \(y \+ 1\) // 2 has class indices",
    ),
    ("cross_entropy", 1, ValueError, r"y has shape \(\)"),
    ("hinge", np.eye(3)[LABELS], ValueError, r"y has shape \(6, 3\), expected integer class"),
    ("mse", LABELS, ValueError, r"y has shape \(6,\), expected numbers of shape \(n, 3\)"),
    ("mse", rows("mse")[:, :2], ValueError, r"y has shape \(6, 2\)"),
    ("mse", changed(rows("mse"), (2, 1), np.nan), ValueError, "y holds nan in row 2, column 1"),
    (
        "quadratic",
        changed(rows("mse"), (2, 1), np.inf),
        ValueError,
        "y holds inf in row 2, column 1",
    ),
    (
        "binary_cross_entropy",
        changed(rows("mse"), (3, 2), 1.5),
        ValueError,
        r"y holds 1\.5 in row 3, column 2, expected numbers from 0 to 1",
    ),
    ("binary_cross_entropy", -rows("mse"), ValueError, "y holds -.* in row 0, column 0"),
    ("binary_cross_entropy", changed(rows("mse"), (0, 0), np.nan), ValueError, "y holds nan"),
    ("cross_entropy", changed(rows("cross_entropy"), (2, 1), np.nan), ValueError, "y holds nan"),
    ("cross_entropy", 1.001 * rows("cross_entropy"), ValueError, r"y sums to 1\.00.* in row 0"),
    ("cross_entropy", [[2, -1, 0]] * 6, ValueError, "y holds -1 in row 0, column 1, expected prob"),
    ("cross_entropy", np.zeros((6, 3)), ValueError, "y sums to 0.0 in row 0"),
]


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_a_column_of_classes_is_taken(loss):
    net = make(loss)
    for column in (LABELS[:, None], (LABELS[:, None] > 0), LABELS.tolist()):
        plain = np.ravel(column)
        assert net.evaluate(NUMBERS, column) == net.evaluate(NUMBERS, plain)
    net.classes = ["a", "b", "c"]
    names = np.array(net.classes)[LABELS]
    assert net.evaluate(NUMBERS, names[:, None]) == net.evaluate(NUMBERS, LABELS)


class TestRefusedTargets:
    @pytest.mark.parametrize(("loss", "y", "error", "message"), BAD_TARGETS)
    def test_by_every_method(self, loss, y, error, message):
        net = make(loss)
        for use in (net.evaluate, net.backward):
            with pytest.raises(error, match=message):
                use(NUMBERS, y)

    def test_by_the_name_that_the_caller_knows(self):
        with pytest.raises(ValueError, match="y_val has 5 targets for 6 samples"):
            make().read_targets(LABELS[:5], 6, "y_val")
        with pytest.raises(ValueError, match="X_val has shape"):
            make().read_samples(np.zeros((6, 3)), "X_val")

    def test_class_indices_are_copied(self):
        # The engine relies on their range, even if the caller changes the array.
        y = LABELS.copy()
        encoded = make().read_targets(y, 6)
        y[:] = 99
        np.testing.assert_array_equal(encoded, LABELS)
