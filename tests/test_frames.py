"""Data frames of pandas and polars: columns of different types, nullable ones, gaps."""

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg

MIXED = {
    "size": np.array([0.5, 1.5, -2.0, 3.0]),
    "count": np.array([1, 2**53, -3, 4], np.int64),
    "is_new": np.array([True, False, True, True]),
    "level": np.array([7, 8, 9, 10], np.uint8),
    "weight": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
}
Y = np.array([0, 1, 2, 0])


def pandas_frame(columns):
    return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(columns)


def polars_frame(columns):
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(columns)


FRAMES = pytest.mark.parametrize("frame", [pandas_frame, polars_frame])


def network(inputs=5, dtype="float64"):
    layers = [cg.Dense(4, "tanh"), cg.Dense(3, "softmax")]
    return cg.Network(inputs, layers, loss="cross_entropy", dtype=dtype, rng=0)


def computed(X, y=Y):
    """Train on X in all ways, and return what comes of it."""
    net = network(X.shape[1])
    net.standardize_inputs(X)
    trainer = cg.Trainer(net, cg.Adam(0.1), batch_size=2, rng=0)
    trainer.fit(X, y, epochs=2, X_val=X, y_val=y)
    trainer.step(X, y)
    return np.concatenate(
        [
            net.parameters,
            net.input_mean,
            net.forward(X).ravel(),
            net.predict(X),
            [*net.evaluate(X, y).values()],
            net.apply_standardization(X, "X").ravel(),
        ]
    )


@FRAMES
@pytest.mark.parametrize(
    "names", [list(MIXED), ["size", "count"], ["count", "is_new"], ["level", "weight"], ["size"]]
)
def test_columns_of_several_types(frame, names):
    columns = {name: MIXED[name] for name in names}
    X = frame(columns)
    expected = np.column_stack([columns[name].astype(np.float64) for name in names])
    assert_same_bits(computed(X), computed(expected))


@FRAMES
@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "bool"])
def test_columns_of_one_type(frame, kind):
    X = np.arange(12).reshape(4, 3).astype(kind)
    X[0] = 1
    columns = {f"x{index}": X[:, index] for index in range(3)}
    assert_same_bits(computed(frame(columns)), computed(X))


@pytest.mark.parametrize("kinds", [["Int64", "Int64"], ["Float32", "boolean"], ["Int8", "float64"]])
def test_nullable_columns_of_pandas(kinds):
    X = pandas_frame({"a": [1, 0, 1, 1], "b": [0, 1, 1, 0]})
    nullable = X.astype(dict(zip(X, kinds, strict=True)))
    assert_same_bits(computed(nullable), computed(X.to_numpy()))


def test_arrow_columns_of_pandas():
    pytest.importorskip("pyarrow", reason="PyArrow is not installed")
    X = pandas_frame({"a": [1, 0, 1, 1], "b": [0.5, 1, 1, 0]})
    arrow = X.astype({"a": "int32[pyarrow]", "b": "double[pyarrow]"})
    assert_same_bits(computed(arrow), computed(X.to_numpy()))
    arrow.loc[2, "a"] = None
    with pytest.raises(ValueError, match=r"^X has a gap in row 2, column 'a', expected a number"):
        network(2).forward(arrow)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean", "UInt8"])
def test_gaps_of_pandas(kind):
    X = pandas_frame({"a": [0.5, 1, 1, 0], "b": [0, 1, 1, 0]}).astype({"b": kind})
    X.loc[2, "b"] = None
    net = network(2)
    for call in (net.forward, net.standardize_inputs, lambda X: net.evaluate(X, Y)):
        with pytest.raises(ValueError, match=r"^X has a gap in row 2, column 'b', expected a num"):
            call(X)
    with pytest.raises(ValueError, match=r"^X_val has a gap in row 2, column 'b', expected a n"):
        cg.Trainer(net, cg.SGD(0.1)).fit(np.ones((4, 2)), Y, X_val=X, y_val=Y)


@pytest.mark.parametrize("kind", ["Int64", "Float32", "Boolean"])
@pytest.mark.parametrize("alone", [False, True])
def test_gaps_of_polars(alone, kind):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    column = polars.Series("b", [1, 1, None, 0]).cast(getattr(polars, kind))
    X = polars.DataFrame([column, *([] if alone else [polars.Series("a", [0.5, 1, 1, 0])])])
    with pytest.raises(ValueError, match=r"^X has a gap in row 2, column 'b', expected a number"):
        network(X.shape[1]).forward(X)


@FRAMES
def test_nan_is_no_gap(frame):
    X = frame({"a": [0.5, float("nan"), 1.0], "b": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"^X holds nan in row 1, column 0, expected finite num"):
        network(2).forward(X)


@FRAMES
def test_columns_without_numbers_are_named(frame):
    X = frame({"a": [0.5, 1.0], "colour": ["red", "blue"]})
    with pytest.raises(TypeError, match=r"^X has dtype \w+ in column 'colour', expected real num"):
        network(2).forward(X)


def test_equal_names_of_columns():
    X = pandas_frame(MIXED)
    X.columns = ["same"] * len(MIXED)
    assert_same_bits(network().forward(X), network().forward(pandas_frame(MIXED)))


@FRAMES
def test_series_as_targets(frame):
    X = np.column_stack([MIXED["size"], MIXED["weight"]]).astype(float)
    assert_same_bits(computed(X, frame({"y": Y})["y"]), computed(X, Y))


def test_nullable_series_as_targets():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = np.column_stack([MIXED["size"], MIXED["weight"]]).astype(float)
    y = pandas.Series(Y, dtype="Int64")
    assert_same_bits(computed(X, y), computed(X, Y))
    y[3] = None
    with pytest.raises(ValueError, match=r"^y has a gap in row 3, expected a number"):
        network(2).evaluate(X, y)


def test_gaps_in_targets_of_polars():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    with pytest.raises(ValueError, match=r"^y has a gap in row 1, expected a number"):
        network(2).evaluate(np.ones((3, 2)), polars.Series([1, None, 2]))


@FRAMES
def test_frames_are_not_changed(frame):
    X = frame(MIXED)
    before = [np.array(X[name]).tobytes() for name in MIXED]
    computed(X)
    assert [np.array(X[name]).tobytes() for name in MIXED] == before
