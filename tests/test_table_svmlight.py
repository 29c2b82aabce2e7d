"""Sparse samples in the format of SVMlight: columns from 0 or 1, said in every case."""

import bz2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cygrad as cg
from cygrad.tables import read, read_svmlight

ONE = "-1\t3:0.54 4:0.002\n1 1:-0.853 6:1.654  # note\n\n# nothing\n1\n-1 2:.5e1\t7:7\r\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.svm"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_columns_from_one(write):
    table = read_svmlight(write(ONE))
    expected = np.zeros((4, 7))
    expected[[0, 0, 1, 1, 3, 3], [2, 3, 0, 5, 1, 6]] = [0.54, 0.002, -0.853, 1.654, 5, 7]
    assert_array_equal(table.X.toarray(), expected)
    assert_array_equal(table.y, [-1, 1, 1, -1])
    assert table.groups is None
    assert table.notes == (
        "guessed: columns count from 1, as there is no column 0 (zero_based=)",
        "guessed: 7 columns, the largest one (columns=)",
    )
    assert table.X.indices.dtype == np.int32
    compressed = read_svmlight(write(bz2.compress(ONE.encode())), zero_based=False, columns=9)
    assert compressed.X.shape == (4, 9)
    assert_array_equal(compressed.X.toarray()[:, :7], expected)
    assert compressed.notes == ()


def test_columns_from_zero(write):
    table = read_svmlight(write("1 0:5 2:1\n2 1:4\n"))
    assert_array_equal(table.X.toarray(), [[5, 0, 1], [0, 4, 0]])
    assert "count from 0, as there is a column 0" in table.notes[0]
    # Without a 0 in the first column only the argument can tell.
    shifted = write("1 2:1\n2 1:4\n")
    assert_array_equal(read_svmlight(shifted, zero_based=True).X.toarray(), [[0, 0, 1], [0, 4, 0]])
    assert_array_equal(read_svmlight(shifted).X.toarray(), [[0, 1], [4, 0]])
    with pytest.raises(ValueError, match=r"data.svm, line 1: column 0, expected columns from 1"):
        read_svmlight(write("1 0:5\n"), zero_based=False)


def test_groups(write):
    table = read_svmlight(write("3 qid:1 1:0.5\n2 qid:1\n1 qid:20 2:1\n"))
    assert_array_equal(table.groups, [1, 1, 20])
    assert_array_equal(table.X.toarray(), [[0.5, 0], [0, 0], [0, 1]])
    for text, message in (
        ("1 qid:1 1:2\n1 1:2\n", "line 2: qid is in some lines only"),
        ("1 1:2\n1 qid:1 1:2\n", "line 2: qid is in some lines only"),
        ("1 qid:x 1:2\n", "qid is 'x'"),
    ):
        with pytest.raises(ValueError, match=message):
            read_svmlight(write(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yes 1:2\n", "line 1: the target is 'yes', expected a number"),
        ("1 1:2\n\n1,2 3:4\n", "line 3: the target is '1,2'"),
        ("1 1:2 2\n", "line 1 has the entry '2', expected column:number"),
        ("1 1:2:3\n", "the entry '1:2:3'"),
        ("1 1:2:3 4\n", "the entry '1:2:3'"),
        ("1 +1:2\n", r"the entry '\+1:2'"),
        ("1 -0:2\n", "the entry '-0:2'"),
        ("1 a:2\n", "the entry 'a:2'"),
        ("1 -1:2\n", "the entry '-1:2'"),
        ("1 1:nan\n", "the entry '1:nan'"),
        ("1 1:1_0\n", "the entry '1:1_0'"),
        ("1 1 :2\n", "the entry '1'"),
        ("1 99999999999:2\n", "the entry '99999999999:2'"),
        ("1 1:1e999\n", "column 1 is '1e999', expected a number below"),
        ("1e999 1:1\n", "the target is '1e999', expected a number below"),
        ("1 2:1 2:3\n", "line 1: column 2 is behind column 2, expected increasing"),
        ("1 1:1\n1 3:1 2:3\n", "line 2: column 2 is behind column 3"),
        ("", "has no rows"),
        ("# only\n", "has no rows"),
    ],
)
def test_refused(write, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_svmlight(write(text))
    assert "data.svm" in str(error.value)


def test_columns_outside(write):
    with pytest.raises(ValueError, match="line 2: column 8 is outside 1 to 7"):
        read_svmlight(write("1 1:1\n1 8:1\n"), columns=7)
    with pytest.raises(ValueError, match="line 2: column 7 is outside 0 to 6"):
        read_svmlight(write("1 0:1\n1 7:1\n"), columns=7)
    with pytest.raises(ValueError, match="columns is 0"):
        read_svmlight(write(ONE), columns=0)
    with pytest.raises(TypeError, match="zero_based is 'no'"):
        read_svmlight(write(ONE), zero_based="no")


def test_the_other_reader_says_which_one_is_right(write):
    with pytest.raises(ValueError, match=r"svmlight.*tables.read_svmlight"):
        read(write(ONE))


def test_a_network_takes_the_samples(write):
    table = read_svmlight(write(ONE))
    net = cg.Network(7, [cg.Dense(3, "tanh"), cg.Dense(1)], loss="mse", rng=0)
    assert_array_equal(net.predict(table.X), net.predict(table.X.toarray()))


@given(
    st.lists(
        st.dictionaries(
            st.integers(0, 40),
            st.floats(allow_nan=False, allow_infinity=False),
            max_size=6,
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_round_trip(tmp_path_factory, rows, zero_based):
    path = tmp_path_factory.mktemp("svm") / "data.svm"
    first = 0 if zero_based else 1
    path.write_text(
        "".join(
            f"{number} "
            + " ".join(f"{column + first}:{row[column]!r}" for column in sorted(row))
            + "\n"
            for number, row in enumerate(rows)
        )
    )
    table = read_svmlight(path, zero_based=zero_based, columns=41)
    assert_array_equal(table.y, np.arange(len(rows)))
    for row, start, end in zip(rows, table.X.indptr, table.X.indptr[1:], strict=False):
        assert table.X.indices[start:end].tolist() == sorted(row)
        values = np.array([row[column] for column in sorted(row)])
        assert table.X.data[start:end].tobytes() == values.tobytes()


def test_the_files_of_scikit_learn(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    for zero_based in (True, False):
        path = tmp_path / "digits.svm"
        datasets.dump_svmlight_file(X, y, str(path), zero_based=zero_based)
        table = read_svmlight(path, zero_based=zero_based, columns=64)
        assert_array_equal(table.X.toarray(), X)
        assert_array_equal(table.y, y)
    # The first pixel is 0 in all digits, so what was guessed is wrong for the first file, and said.
    datasets.dump_svmlight_file(X, y, str(path), zero_based=True)
    guessed = read_svmlight(path)
    assert guessed.X.shape == (1797, 63)
    assert "as there is no column 0 (zero_based=)" in guessed.notes[0]
