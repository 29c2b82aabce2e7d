"""Tables of arrays and of data frames: numbers, text, gaps, and what is refused."""

import datetime
import decimal
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import cygrad as cg
from cygrad.tables import Table


def test_arrays_by_name():
    table = Table.from_arrays(
        {
            "float": [1.5, np.nan, 2],
            "int": np.array([1, 2, 3], np.uint8),
            "bool": [True, False, None],
            "words": ["b", None, "a"],
            "bytes": np.array([b"x", b"\xc3\xa9", b"x"]),
            "masked": np.ma.array([1, 2, 3], mask=[False, True, False]),
            "none": [None, None, None],
        }
    )
    assert len(table) == 3
    assert_array_equal(table["float"], [1.5, np.nan, 2])
    assert_array_equal(table["int"], [1, 2, 3])
    assert table["int"].dtype == np.float64
    assert_array_equal(table["bool"], [1, 0, np.nan])
    assert table["words"].tolist() == ["b", None, "a"]
    assert table.column("words").words == ("b", "a")
    assert table["bytes"].tolist() == ["x", "é", "x"]
    assert_array_equal(table["masked"], [1, np.nan, 3])
    assert table.gaps["none"] == 3
    assert table.kinds["words"] == "text"
    assert table.notes == ()
    assert "words" in table
    assert "w" not in table
    assert list(table) == list(table.names)


def test_arrays_are_copied():
    values = np.zeros(2)
    table = Table.from_arrays({"x": values})
    values[0] = 1
    assert_array_equal(table["x"], [0, 0])


def test_arrays_without_names():
    table = Table.from_arrays(np.arange(6).reshape(3, 2))
    assert table.names == ("column_1", "column_2")
    assert_array_equal(table.numbers(), np.arange(6).reshape(3, 2))
    assert Table.from_arrays([[1, 2], ["a", "b"]], names=["x", "y"])["y"].tolist() == ["a", "b"]


def test_times():
    table = Table.from_arrays(
        {
            "when": np.array(["1970-01-02", "NaT"], "datetime64[D]"),
            "long": np.array([1500, 2000], "timedelta64[ms]"),
        }
    )
    assert_array_equal(table["when"], [86400, np.nan])
    assert_array_equal(table["long"], [1.5, 2])
    assert table.notes == (
        "column 'when': seconds since 1970 as numbers",
        "column 'long': seconds as numbers",
    )


def test_large_whole_numbers_are_noted():
    for values in ([2**53 + 1, 0], np.array([2**63, 1], np.uint64), [2**70, None]):
        assert "beyond 2**53" in Table.from_arrays({"x": values}).notes[0]
    assert Table.from_arrays({"x": [2**53, -(2**53)]}).notes == ()


@pytest.mark.parametrize(
    ("arrays", "names", "error", "message"),
    [
        ({}, None, ValueError, "arrays is empty"),
        ({"a": [1], "b": [1, 2]}, None, ValueError, "column 'b' has 2 rows, expected 1 as in col"),
        ({"a": [[1]]}, None, ValueError, r"column 'a' has shape \(1, 1\), expected one dim"),
        ({"a": [1, "x"]}, None, TypeError, r"column 'a' holds 'x' \(str\) in row 1"),
        ({"a": ["x", 1]}, None, TypeError, r"column 'a' holds 1 \(int\) in row 1, expected text"),
        ({"a": [1j]}, None, TypeError, "dtype complex128"),
        ({"a": [{}]}, None, TypeError, "holds {}"),
        ({"a": [1, np.inf]}, None, ValueError, "holds inf in row 1, expected finite"),
        ({"a": [10**400, None]}, None, ValueError, "holds inf in row 0"),
        ({"a": [b"\xff"]}, None, ValueError, "is not UTF-8 text in row 0"),
        ({1: [1]}, None, TypeError, "name of a column is 1"),
        ([[1]], ["a", "b"], ValueError, "names has 2 names, expected 1"),
        ([[1], [2]], ["a", "a"], ValueError, "2 columns are named 'a'"),
        ({"a": [1]}, ["b"], ValueError, "names are given"),
        (np.zeros(3), None, ValueError, r"arrays has shape \(3,\)"),
    ],
)
def test_arrays_that_are_refused(arrays, names, error, message):
    with pytest.raises(error, match=message):
        Table.from_arrays(arrays, names)


def test_numbers_select_and_take(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,w,b\n1,x,2\n\n3,y,4\n5,x,6\n")
    table = cg.tables.read(path)
    numbers = table.numbers()
    assert_array_equal(numbers, [[1, 2], [3, 4], [5, 6]])
    assert np.shares_memory(numbers, table["a"])
    assert_array_equal(table.numbers(["b", "a"]), numbers[:, ::-1])
    assert np.shares_memory(table.select(["a", "b"]).numbers(), numbers)
    assert_array_equal(table.select(["b", "w"]).numbers(), [[2], [4], [6]])
    with pytest.raises(TypeError, match=r"column 'w' of .*data.csv is text"):
        table.numbers(["w"])
    with pytest.raises(ValueError, match="no columns of numbers"):
        table.select(["w"]).numbers()
    with pytest.raises(KeyError, match="has the columns a, w, b; no 'c'"):
        table.select(["c"])
    for rows in ([2, 0], np.array([2, 0]), slice(None, None, -2)):
        part = table.take(rows)
        assert_array_equal(part.numbers(), [[5, 6], [1, 2]])
        assert part["w"].tolist() == ["x", "x"]
        assert [part.locate(row) for row in (0, 1)] == [f"{path}, line 5", f"{path}, line 2"]
    assert len(table.take([False, True, False])) == 1
    assert Table.from_arrays({"x": [1]}).locate(0, "x") == "arrays, row 0, column 1 (x)"


def test_repr():
    table = Table.from_arrays({f"x{i}": ["a", None] for i in range(22)})
    assert repr(table).startswith("Table of 2 rows: x0 (text, 1 words, 1 gaps), x1")
    assert repr(table).endswith("… (2 more columns)")


# --- data frames ---------------------------------------------------------------------------------

DATES = [datetime.date(1970, 1, 2), None, datetime.date(2000, 1, 1)]
MOMENTS = [datetime.datetime(1970, 1, 1, 1, 0, 0, 500), None, datetime.datetime(1969, 12, 31)]


def check_frame(table):
    assert_array_equal(table["float"], [1.5, np.nan, 2])
    assert_array_equal(table["int"], [1, 2, 3])
    assert_array_equal(table["gaps"], [1, np.nan, 2**53])
    assert_array_equal(table["bool"], [1, 0, np.nan])
    assert table["words"].tolist() == ["b", None, "NA"]
    assert table["class"].tolist() == ["u", "v", None]
    assert_array_equal(table["date"], [86400, np.nan, 946684800])
    assert_array_equal(table["moment"], [3600.0005, np.nan, -86400])
    assert_array_equal(table["long"], [1.5, np.nan, -1])
    assert len(table.notes) == 3


def test_polars_frame():
    pytest.importorskip("narwhals")
    pl = pytest.importorskip("polars")
    seconds = [datetime.timedelta(seconds=1.5), None, datetime.timedelta(seconds=-1)]
    frame = pl.DataFrame(
        {
            "float": [1.5, float("nan"), 2],
            "int": pl.Series([1, 2, 3], dtype=pl.Int8),
            "gaps": pl.Series([1, None, 2**53], dtype=pl.Int64),
            "bool": [True, False, None],
            "words": ["b", None, "NA"],
            "class": pl.Series(["u", "v", None], dtype=pl.Categorical),
            "date": DATES,
            "moment": MOMENTS,
            "long": seconds,
        }
    )
    check_frame(Table.from_frame(frame))
    small = pl.DataFrame(
        {"x": pl.Series([1, None], dtype=pl.Int8), "d": pl.Series([1, 2], dtype=pl.Decimal(10, 2))}
    )
    assert_array_equal(Table.from_frame(small).numbers(), [[1, 1], [np.nan, 2]])
    with pytest.raises(TypeError, match="column 'x' has dtype List"):
        Table.from_frame(pl.DataFrame({"x": [[1], [2]]}))


def test_pandas_frame():
    pytest.importorskip("narwhals")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "float": [1.5, float("nan"), 2],
            "int": np.array([1, 2, 3], np.int8),
            "gaps": pd.array([1, None, 2**53], dtype="Int64"),
            "bool": pd.array([True, False, None], dtype="boolean"),
            "words": ["b", None, "NA"],
            "class": pd.Categorical(["u", "v", None]),
            "date": pd.to_datetime(pd.Series(DATES)),
            "moment": pd.to_datetime(pd.Series(MOMENTS)),
            "long": pd.to_timedelta(pd.Series([1.5, None, -1]), unit="s"),
        }
    )
    check_frame(Table.from_frame(frame))
    two = pd.DataFrame({"x": pd.array([1, 2], dtype="Int64"), "y": pd.array([3, 4], dtype="Int64")})
    assert_array_equal(Table.from_frame(two).numbers(), [[1, 3], [2, 4]])
    # A category is a name, even if it is a number.
    digits = Table.from_frame(pd.DataFrame({"c": pd.Categorical([3, 1, 3])}))
    assert digits["c"].tolist() == ["3", "1", "3"]
    objects = pd.DataFrame(
        {
            "n": pd.Series([1, None, 2.5], dtype=object),
            "o": pd.Series(["a", pd.NA, "b"], dtype=object),
        }
    )
    mixed = Table.from_frame(objects)
    assert_array_equal(mixed["n"], [1, np.nan, 2.5])
    assert mixed["o"].tolist() == ["a", None, "b"]
    with pytest.raises(TypeError, match=r"column 'o' holds 1 \(int\) in row 1, expected text"):
        Table.from_frame(pd.DataFrame({"o": pd.Series(["a", 1], dtype=object)}))
    zone = pd.DataFrame({"t": pd.to_datetime(["1970-01-01 01:00"]).tz_localize("Europe/Paris")})
    assert_array_equal(Table.from_frame(zone)["t"], [0])
    with pytest.raises(ValueError, match="column 'x' holds inf in row 1"):
        Table.from_frame(pd.DataFrame({"x": [1, np.inf]}))


@pytest.mark.parametrize("as_frame", [False, True])
def test_objects_of_python_are_numbers_or_times(as_frame):
    moment = datetime.datetime(
        1970, 1, 2, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
    )
    columns = {
        "day": [datetime.date(1970, 1, 2), None, datetime.date(1969, 12, 31)],
        "moment": [moment, None, datetime.datetime(1970, 1, 1, 0, 0, 1, 500000)],
        "price": [decimal.Decimal("1.25"), None, decimal.Decimal(3)],
    }
    columns = {name: np.array(values, object) for name, values in columns.items()}
    if as_frame:
        pytest.importorskip("narwhals")
        pd = pytest.importorskip("pandas")
        table = Table.from_frame(pd.DataFrame(columns, dtype=object))
    else:
        table = Table.from_arrays(columns)
    assert_array_equal(table["day"], [86400, np.nan, -86400])
    assert_array_equal(table["moment"], [86400 + 11 * 3600, np.nan, 1.5])
    assert_array_equal(table["price"], [1.25, np.nan, 3])
    assert [table.column(name).is_time for name in columns] == [True, True, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], [2]], r"holds \[1\] \(list\) in row 0, expected numbers, text or dates, all of one"),
        ([1, "a"], r"holds 'a' \(str\) in row 1, expected numbers as before"),
        ([None, "a", 1], r"holds 1 \(int\) in row 2, expected text as before"),
        ([datetime.date(2024, 1, 1), 3], r"holds 3 \(int\) in row 1, expected dates as before"),
    ],
)
def test_objects_of_several_kinds_are_refused(values, message):
    objects = np.empty(len(values), object)
    objects[:] = values
    with pytest.raises(TypeError, match=f"column 'o' {message}"):
        Table.from_arrays({"o": objects})


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_columns_of_the_same_name_are_refused_in_one_line(package):
    pytest.importorskip("narwhals")
    library = pytest.importorskip(package)
    if package == "pandas":
        frame = library.DataFrame([[1, 2]], columns=["x", "x"])
    else:
        frame = library.table([[1], [2]], names=["x", "x"])
    with pytest.raises(
        ValueError, match=r"^frame has columns of the same name: .*'x' 2 times"
    ) as e:
        Table.from_frame(frame)
    assert "\n" not in str(e.value)


def test_the_type_of_an_unknown_column_is_named():
    pytest.importorskip("narwhals")
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="column 'x' has dtype complex128, expected numbers"):
        Table.from_frame(pd.DataFrame({"x": [1j]}))


def test_pyarrow_table():
    pytest.importorskip("narwhals")
    pa = pytest.importorskip("pyarrow")
    frame = pa.table(
        {
            "float": pa.array([1.5, float("nan"), 2]),
            "int": pa.array([1, 2, 3], pa.int8()),
            "gaps": pa.array([1, None, 2**53]),
            "bool": pa.array([True, False, None]),
            "words": pa.array(["b", None, "NA"]),
            "class": pa.array(["u", "v", None]).dictionary_encode(),
            "date": pa.array(DATES),
            "moment": pa.array(MOMENTS),
            "long": pa.array([1500, None, -1000], pa.duration("ms")),
        }
    )
    check_frame(Table.from_frame(frame))


def test_what_is_no_frame():
    pytest.importorskip("narwhals")
    with pytest.raises(TypeError, match="frame is a dict, expected a data frame"):
        Table.from_frame({"a": [1]})


def test_narwhals_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals.stable.v1", None)
    with pytest.raises(ImportError, match=r"pip install 'cygrad\[frames\]'"):
        Table.from_frame(object())


def test_columns_can_be_renamed():
    table = Table.from_arrays({"a": [1.0, 2.0], "b": ["x", "y"], "c": [3.0, 4.0]})
    renamed = table.rename({"a": "c", "c": "a"})
    assert renamed.names == ("c", "b", "a")
    assert renamed["c"].tolist() == [1, 2]
    assert (renamed.numbers() == table.numbers()).all()
    with pytest.raises(ValueError, match="2 columns are named 'b'"):
        table.rename({"a": "b"})
    with pytest.raises(KeyError, match="no 'd'"):
        table.rename({"d": "e"})


def test_times_are_known_as_such():
    table = Table.from_arrays({"a": np.array(["2020-01-01"], "M8[D]"), "b": np.array([5], "m8[s]")})
    assert table.column("a").is_time
    assert not table.column("b").is_time
    assert table.take([0]).column("a").is_time


def test_names_of_a_frame_become_text():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    table = Table.from_frame(pandas.DataFrame(np.arange(6.0).reshape(3, 2)))
    assert table.names == ("0", "1")
    assert table["1"].tolist() == [1, 3, 5]
