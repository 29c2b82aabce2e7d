"""ARFF: types, quotes, gaps, sparse rows, dates, and refusals with their places."""

import gzip
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cygrad.tables import read

MOOD = r"""% a comment

@RELATION "mood of people"
@attribute	age	NUMERIC
@attribute "eye colour" {blue, 'light brown', "dark", 'it\'s "odd"'}
@attribute name string   % not used
@attribute when date 'yyyy-MM-dd HH:mm'
@Attribute mood{good,bad}
@DATA
62, dark, 'Doe, Jo', "2004-03-10 18:30", bad
% between
?, 'light brown', "a\\b\tc", ?, ?   % behind
-1.5e1,'it\'s "odd"','?',"1970-01-01 00:00",good
"""
WORDS = """\
@relation words
@attribute w0 numeric
@attribute w1 numeric
@attribute topic {a,'b c'}
@attribute text string
@data
{0 9, 1 -8.5}
{1 2, 2 'b c', 3 "x"}
{}
{ 0 ?, 2 ? }
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.arff"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dense_rows(write, end):
    table = read(write(MOOD.replace("\n", end)))
    assert table.names == ("age", "eye colour", "name", "when", "mood")
    assert_array_equal(table["age"], [62, np.nan, -15])
    assert table.column("eye colour").words == ("blue", "light brown", "dark", 'it\'s "odd"')
    assert table["eye colour"].tolist() == ["dark", "light brown", 'it\'s "odd"']
    assert table["name"].tolist() == ["Doe, Jo", "a\\b\tc", "?"]
    seconds = datetime(2004, 3, 10, 18, 30, tzinfo=UTC).timestamp()
    assert_array_equal(table["when"], [seconds, np.nan, 0])
    assert table["mood"].tolist() == ["bad", None, "good"]
    assert table.locate(1, "age") == f"{table.source}, line 12, column 1 (age)"
    assert table.notes == ("column 'when': seconds since 1970 as numbers",)


def test_sparse_rows(write):
    table = read(write(WORDS))
    assert_array_equal(table.numbers(), [[9, -8.5], [0, 2], [0, 0], [np.nan, 0]])
    assert table["topic"].tolist() == ["a", "b c", "a", None]
    assert table["text"].tolist() == [None, "x", None, None]
    assert table.notes == ("column 'text': text that is absent in sparse rows is a gap",)


def test_compression_encoding_and_first_bytes(write):
    assert len(read(write(gzip.compress(MOOD.encode()), "data.txt"))) == 3
    assert len(read(write("\ufeff" + MOOD))) == 3
    assert len(read(write("%\n\n" * 3000 + MOOD))) == 3
    latin = MOOD.replace("Doe", "Döe").encode("latin-1")
    assert read(write(latin), encoding="latin-1")["name"].tolist()[0] == "Döe, Jo"
    with pytest.raises(ValueError, match=r"line 10, byte 13 is not UTF-8 text.*encoding="):
        read(write(latin))


def test_rows_between_blanks(write):
    table = read(write("@relation r\n@attribute a real\n@attribute b {x,y}\n@data\n1 x\n2\ty\n"))
    assert_array_equal(table["a"], [1, 2])
    assert table["b"].tolist() == ["x", "y"]


def with_attributes(attributes, rows):
    lines = "".join(f"@attribute {attribute}\n" for attribute in attributes)
    return f"@relation r\n{lines}@data\n{rows}"


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("", "2001-04-03T12:12:12", datetime(2001, 4, 3, 12, 12, 12, tzinfo=UTC)),
        ('"dd/MM/yy"', "31/12/69", datetime(2069, 12, 31, tzinfo=UTC)),
        ("'d.M.yyyy'", "3.4.1969", datetime(1969, 4, 3, tzinfo=UTC)),
        ('"HH:mm:ss.SSS"', "00:00:01.5", datetime(1970, 1, 1, 0, 0, 1, 5000, tzinfo=UTC)),
        ("\"yyyy-MM-dd'T'HH\"", "2000-01-01T05", datetime(2000, 1, 1, 5, tzinfo=UTC)),
    ],
)
def test_dates(write, form, text, moment):
    table = read(write(with_attributes([f"t date {form}"], f"'{text}'\n")))
    assert table["t"].tolist() == [moment.timestamp()]


@pytest.mark.parametrize(
    ("attributes", "rows", "message"),
    [
        (["a real"], "x\n", r"line 4, column 1 \(a\) is 'x', expected a number"),
        (["a real"], "1_0\n", "is '1_0', expected a number"),
        (["a real"], "nan\n", "is 'nan', expected a number"),
        (["a real"], "1e999\n", "is '1e999', expected a number"),
        (["a {x,y}"], "z\n", r"column 1 \(a\) is 'z', expected one of x, y"),
        (
            ["a real", "b real"],
            "1,2\n1,2,3\n",
            "line 6, column 3: the row has 3 values",
        ),
        (["a real", "b real"], "1\n", "column 2: the row has 1 values, expected 2"),
        (["a string"], "'x\n", "line 4, column 1 cannot be read"),
        (["a string"], "'x'y\n", "line 4, column 1 cannot be read"),
        (["a date"], "2001-13-01T00:00:00\n", "expected a date in the format of the attribute"),
        (["a date 'yyyy z'"], "1\n", "line 2: the date format 'yyyy z' has 'z'"),
        (["a date 'yyyy yyyy'"], "1\n", "has a part twice"),
        (["a relational"], "1\n", "line 2: attribute 'a' has the type 'relational'"),
        (["a"], "1\n", "attribute 'a' has the type ''"),
        (["a {x,x}"], "x\n", "attribute 'a' has 'x' twice"),
        (["a {x"], "x\n", "the values of 'a' are '{x'"),
        (["a real", "a real"], "1,2\n", "line 3: attribute 'a' is declared in line 2 too"),
        ([], "1\n", "there is no @attribute before @data"),
        (["a real"], "", "has no rows"),
        (["a real"], "{1 2}\n", "has column 1, expected increasing ones from 0 to 0"),
        (["a real", "b real"], "{1 2, 0 3}\n", "has column 0, expected increasing"),
        (["a real"], "{0 1\n", "expected a sparse row"),
        (["a real"], "{0 1}, {5}\n", "line 4"),
        (["a real"], "{x 1}\n", "has 'x 1', expected a column and a value"),
    ],
)
def test_refused(write, attributes, rows, message):
    with pytest.raises(ValueError, match=message) as error:
        read(write(with_attributes(attributes, rows)))
    assert "data.arff" in str(error.value)


def test_refused_headers_and_arguments(write):
    with pytest.raises(ValueError, match="line 2 is '@atribute a real', expected @relation"):
        read(write("@relation r\n@atribute a real\n"))
    with pytest.raises(ValueError, match="ends before @data"):
        read(write("@relation r\n@attribute a real\n"))
    with pytest.raises(ValueError, match=r"header is True, but .*data.arff is a file of ARFF"):
        read(write(MOOD), header=True)


def test_sparse_rows_cannot_fill_the_memory(write, monkeypatch):
    attributes = [f"a{i} real" for i in range(5000)]
    path = write(with_attributes(attributes, "{}\n" * 10_000))
    monkeypatch.setattr("cygrad.tables.arff.FREE_BYTES", 1 << 20)  # else it takes seconds
    with pytest.raises(ValueError, match=r"the sparse rows take more than .* max_bytes="):
        read(path, max_bytes=10_000_000)
    with pytest.raises(ValueError, match=r"line [0-9]+: the sparse rows take more"):
        read(path)


TEXT = st.text("ab '\"\\,{}%?\té€", max_size=8)


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | TEXT,
            st.none() | st.sampled_from(["x", "y z", "%"]),
        ),
        min_size=1,
    )
)
def test_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("arff") / "data.arff"
    lines = [
        ",".join(
            "?" if value is None else quoted(value) if isinstance(value, str) else repr(value)
            for value in row
        )
        for row in rows
    ]
    attributes = ["n real", "t string", "c {x,'y z','%'}"]
    path.write_bytes((with_attributes(attributes, "\n".join(lines) + "\n")).encode())
    table = read(path)
    expected = [np.nan if row[0] is None else row[0] for row in rows]
    assert table["n"].tobytes() == np.array(expected).tobytes()
    assert table["t"].tolist() == [row[1] for row in rows]
    assert table["c"].tolist() == [row[2] for row in rows]
