"""Tests of the readers of CSV, NumPy and IDX files."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cygrad import datasets
from cygrad.tables import idx as idx_files
from cygrad.tables.samples import Task

# --- CSV ----------------------------------------------------------------------------------------


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


IRIS = "length,width,species\n5.1,3.5,setosa\n4.9,-3e0,virginica\n6, 2.75,setosa\n"


def test_csv_with_header_and_text_labels(tmp_path: Path) -> None:
    table = datasets.read(write(tmp_path, IRIS), "species")
    assert_array_equal(table.X, [[5.1, 3.5], [4.9, -3.0], [6.0, 2.75]])
    assert table.X.dtype == np.float64
    assert table.y is not None
    assert_array_equal(table.y, [0, 1, 0])
    assert table.y.dtype == np.int64
    assert table.features == ("length", "width")
    assert table.target == "species"
    assert table.classes == ("setosa", "virginica")


@pytest.mark.parametrize("target", [3, -1, "3", "-1", "species"])
def test_csv_target_by_number_or_name(tmp_path: Path, target: str | int) -> None:
    table = datasets.read(write(tmp_path, IRIS), target)
    assert table.target == "species"


def test_csv_target_in_the_middle(tmp_path: Path) -> None:
    table = datasets.read(write(tmp_path, "a,b,c\n1,2.5,3\n4,5.5,6\n"), "b")
    assert_array_equal(table.X, [[1, 3], [4, 6]])
    assert table.y is not None
    assert_array_equal(table.y, [2.5, 5.5])
    assert (table.features, table.target, table.classes) == (("a", "c"), "b", None)


def test_csv_without_header(tmp_path: Path) -> None:
    table = datasets.read(write(tmp_path, "5.1,3.5,setosa\n4.9,3,virginica\n"), -1)
    assert_array_equal(table.X, [[5.1, 3.5], [4.9, 3.0]])
    assert table.features is table.target is None
    assert table.classes == ("setosa", "virginica")


def test_csv_without_target(tmp_path: Path) -> None:
    table = datasets.read(write(tmp_path, "a\n1\n2\n"))
    assert_array_equal(table.X, [[1], [2]])
    assert (table.y, table.features, table.classes) == (None, ("a",), None)


def test_csv_target_shows_that_numbers_are_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "0,1,label\n7.5,8,1.5\n9,10,2.5\n")
    table = datasets.read(path, "label")
    assert_array_equal(table.X, [[7.5, 8], [9, 10]])
    with pytest.raises(ValueError, match=r"line 1, column 3 is 'label', expected a number"):
        datasets.read(path, -1)


def test_csv_never_drops_a_bad_first_row_as_a_header(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 1, column 1 is 'NA', expected a number"):
        datasets.read(write(tmp_path, "NA,2,3\n1,2,3\n"), -1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("compressed", [False, True])
def test_csv_delimiters_newlines_and_compression(
    tmp_path: Path, delimiter: str, newline: str, compressed: bool
) -> None:
    rows = ["", '"a",b', "1,2", "", '"3",4', ""]
    data = ("\ufeff" + newline.join(rows).replace(",", delimiter)).encode()
    path = write(tmp_path, gzip.compress(data) if compressed else data)
    table = datasets.read(path)
    assert_array_equal(table.X, [[1, 2], [3, 4]])
    assert table.features == ("a", "b")


def test_csv_delimiter_inside_quotes_does_not_count(tmp_path: Path) -> None:
    table = datasets.read(write(tmp_path, '"a;b",c\n1,2\n'))
    assert table.features == ("a;b", "c")


@pytest.mark.parametrize(
    ("values", "task", "y", "classes"),
    [
        (["3", "3", "-1", "-1"], "auto", [1, 1, 0, 0], ("-1", "3")),
        (["10", "9", "9", "10"], "auto", [1, 0, 0, 1], ("9", "10")),
        (["1", "2", "3", "3"], "auto", [1, 2, 3, 3], None),
        (["1", "2", "2", "1"], "regression", [1, 2, 2, 1], None),
        (["1", "2", "3", "4"], "classification", [0, 1, 2, 3], ("1", "2", "3", "4")),
        (["1.0", "2", "2", "1"], "auto", [0, 1, 1, 0], ("1", "2")),
        (["02", "01", "02", "10"], "auto", [1, 0, 1, 2], ("01", "02", "10")),
        (["02", "01", "02", "10"], "regression", [2, 1, 2, 10], None),
        (["1.5", "2", "2", "1"], "auto", [1.5, 2, 2, 1], None),
        (["1.0", "2", "2", "1"], "classification", [0, 1, 1, 0], ("1", "2")),
        (["1.5", "2", "2", "1"], "classification", [1, 2, 2, 0], ("1", "1.5", "2")),
        (["b", "a", "a", "é"], "auto", [1, 0, 0, 2], ("a", "b", "é")),
        (["b", "1", "1", "2"], "classification", [2, 0, 0, 1], ("1", "2", "b")),
        (["99999999999999999999", "0", "0", "0"], "auto", [1e20, 0, 0, 0], None),
    ],
)
def test_csv_decides_between_names_and_quantities(
    tmp_path: Path,
    values: list[str],
    task: Task,
    y: list[float],
    classes: tuple[str, ...] | None,
) -> None:
    path = write(tmp_path, "x,y\n" + "".join(f"0,{value}\n" for value in values))
    table = datasets.read(path, "y", task=task)
    assert table.y is not None
    assert_array_equal(table.y, y)
    assert table.classes == classes


def test_whole_numbers_without_a_gap_are_classes_if_they_are_frequent(tmp_path: Path) -> None:
    for first, step, count, classes in (
        (1, 1, 26, 26),
        (0, 1, 100, 100),
        (0, 2, 26, 0),
        (3, 1, 26, 0),
        (0, 1, 101, 0),
    ):
        labels = [first + step * (i % count) for i in range(20 * count)]
        path = write(tmp_path, "".join(f"0,{label}\n" for label in labels))
        assert len(datasets.read(path, 2).classes or ()) == classes
    path = write(tmp_path, "".join(f"0,{label}\n" for label in [*(i % 26 for i in range(600)), 26]))
    assert datasets.read(path, 2).classes is None


@pytest.mark.parametrize("field", ["1_0", "\u0663", "\u00a01", "infinity_"])
def test_numbers_of_python_that_are_no_numbers(tmp_path: Path, field: str) -> None:
    path = write(tmp_path, f"a,b\n1,2\n{field},3\n")
    with pytest.raises(ValueError, match=rf"line 3, column 1 \(a\) is '.*{field[-1]}', expected a"):
        datasets.read(path, "b")


def test_integers_of_many_values_are_quantities(tmp_path: Path) -> None:
    rows = "".join(f"0,{i % 21}\n" for i in range(210))
    assert datasets.read(write(tmp_path, rows), 2).classes is None
    rows = "".join(f"0,{i % 20}\n" for i in range(210))
    assert len(datasets.read(write(tmp_path, rows), 2).classes or ()) == 20


def test_targets_are_indices_into_given_classes(tmp_path: Path) -> None:
    path = write(tmp_path, "x,y\n0,cat\n0,dog\n0,cat\n")
    table = datasets.read(path, "y", classes=("dog", "cow", "cat"))
    assert table.y is not None
    assert_array_equal(table.y, [2, 0, 2])
    assert table.classes == ("dog", "cow", "cat")
    with pytest.raises(ValueError, match=r"line 3, column 2 \(y\) is 'dog', expected one of cow"):
        datasets.read(path, "y", classes=("cow", "cat"))
    numbered = datasets.read(write(tmp_path, "x,y\n0,01\n0,2.0\n"), "y", classes=("1", "2"))
    assert_array_equal(np.asarray(numbered.y), [0, 1])
    spelled = datasets.read(write(tmp_path, "x,y\n0,01\n0,01\n"), "y", classes=("01", "a"))
    assert_array_equal(np.asarray(spelled.y), [0, 0])


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (
            "a,b\n1,2\n3,x\n",
            None,
            r"data.csv, line 3, column 2 \(b\) is 'x', expected a number; no target is named",
        ),
        ("1,2\n\n3,\n", None, r"line 3, column 2 is '', expected a number"),
        ("a,b,c\n1,2,x\n", "b", r"line 2, column 3 \(c\) is 'x', expected a number"),
        ("a,b,c\n1,2,x\n", "a", r"line 2, column 3 \(c\) is 'x', expected a number"),
        ("a,b,c\nx,2,3\n", "b", r"line 2, column 1 \(a\) is 'x', expected a number"),
        ("a,b\n1,2\n3,nan\n", None, r"line 3, column 2 \(b\) is nan, expected a finite number"),
        ("a,b\n1,2\n1e999,3\n", "b", r"line 3, column 1 \(a\) is inf, expected a finite"),
        ("a,b\n1,2\n3,4,5\n", None, r"line 3, column 3: the row has 3 columns, expected 2"),
        ("a,b\n1,2\n3\n", None, r"line 3, column 2: the row has 1 columns, expected 2"),
        ('a,b\n"1\n",2\n3,x\n', None, r"line 4, column 2 \(b\) is 'x'"),
        ('a,b\n1,2\n3,"4\n', None, r"line 3: unexpected end of data"),
        ('a,b\n1,2\n3,"4"5\n', None, r"line 3: .* expected after"),
        ("a,b\n1,1.5\n3,\n", "b", r"line 3, column 2 \(b\) is empty, expected a target"),
        ("a,b\n1,1.5\n3,two\n", "b", r"line 3, column 2 \(b\) is 'two', expected a number as in"),
        ("a,b\n1,1.5\n3,nan\n", "b", r"line 3, column 2 \(b\) is nan, expected a finite number"),
        ("a,b\n", None, r"has a header and no rows"),
        ("\n \n", None, r"has no rows"),
        (
            "a,b\n1,2\n",
            "c",
            r"target is 'c', expected a column of .*, which has the columns a, b$",
        ),
        ("a,a\n1,2\n", "a", r"has 2 columns named 'a', expected one"),
        ("a,b\n1,2\n", 3, r"target is 3, expected a column of .*data.csv: 1 to 2, or -2 to -1"),
        ("a,b\n1,2\n", 0, r"target is 0, expected a column"),
        ("a,b\n1,2\n", "-3", r"target is -3, expected a column"),
        ("1,2\n", "1.5", r"target is '1.5', expected a column of .*data.csv, which has no header"),
        ("a\n1\n", "a", r"has no column beside the target"),
        (b"a,b\n1,2\n\xe9,3\n", None, r"line 3, byte 1 is not UTF-8 text"),
        (b"\xff\xfea\0", None, r"line 1, byte 1 is not UTF-8 text"),
    ],
)
def test_malformed_csv(
    tmp_path: Path, text: str | bytes, target: str | int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.read(write(tmp_path, text), target)


def test_regression_refuses_text(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2, column 3 \(species\) is 'setosa', expected"):
        datasets.read(write(tmp_path, IRIS), "species", task="regression")


# --- NumPy's files ------------------------------------------------------------------------------


def test_npy_is_mapped_without_its_target_column(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "data.npy", data)
    for target, left in ((1, [1, 2]), (2, [0, 2]), (-1, [0, 1])):
        table = datasets.read(tmp_path / "data.npy", target)
        assert_array_equal(table.X, data[:, left])
        assert table.X.dtype == np.float32
        assert table.y is not None
        assert_array_equal(table.y, data[:, target - 1 if target > 0 else target])
        assert table.classes is None
    assert isinstance(datasets.read(tmp_path / "data.npy", -1).X, np.memmap)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_without_target(tmp_path: Path, order: Any) -> None:
    data = np.asarray(np.arange(24).reshape(2, 3, 4), order=order)
    np.save(tmp_path / "data.npy", data)
    assert_array_equal(datasets.read(tmp_path / "data.npy").X, data.reshape(2, 12))


def test_npy_whole_numbers_in_a_float_array_are_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", [[0.5, 1.0], [0.25, 3.0], [0.75, 1.0], [0.125, 3.0]])
    table = datasets.read(tmp_path / "data.npy", -1)
    assert table.classes == ("1", "3")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    X = np.arange(8, dtype=np.uint8).reshape(4, 2)
    path = tmp_path / "data.npz"
    save(path, X=X, y=np.array(["b", "a", "a", "b"]), z=[[0.5], [1], [2], [3]])
    table = datasets.read(path)
    assert_array_equal(table.X, X)
    assert table.X.dtype == np.uint8
    assert_array_equal(np.asarray(table.y), [1, 0, 0, 1])
    assert (table.target, table.classes) == ("y", ("a", "b"))
    other = datasets.read(path, "z")
    assert_array_equal(np.asarray(other.y), [0.5, 1, 2, 3])
    save(path, x=X.reshape(2, 2, 2), y=np.ones((2, 3)))
    both = datasets.read(path)
    assert both.X.shape == (2, 4)
    assert np.asarray(both.y).shape == (2, 3)
    save(path, X=X)
    assert datasets.read(path).y is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_located(tmp_path: Path, value: float) -> None:
    X = np.zeros((5000, 2, 2))
    X[4998, 1, 0] = value
    np.save(tmp_path / "data.npy", X)
    with pytest.raises(ValueError, match=rf"data.npy, row 4999, column 3 is {value}, expected a f"):
        datasets.read(tmp_path / "data.npy")
    np.savez(tmp_path / "data.npz", X=X)
    with pytest.raises(ValueError, match=rf"data.npz, array X, row 4999, column 3 is {value}"):
        datasets.read(tmp_path / "data.npz")
    (tmp_path / "idx3").write_bytes(
        b"\0\0\x0e\x03" + np.array(X.shape, ">u4").tobytes() + X.astype(">f8").tobytes()
    )
    with pytest.raises(ValueError, match=rf"idx3, row 4999, column 3 is {value}"):
        datasets.read(tmp_path / "idx3")


def test_npz_labels_of_bytes_and_booleans(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for labels, classes in (([b"x", "é".encode()], ("x", "é")), ([True, False], ("False", "True"))):
        np.savez(path, X=np.eye(2), y=np.array(labels))
        assert datasets.read(path).classes == classes


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"a": [[1]]}, None, r"has the arrays a, expected one named X"),
        ({"X": [[1]]}, "t", r"has the arrays X, and so no 't'"),
        ({"X": [[1], [2]], "y": [1]}, None, r"array y has shape \(1,\), expected 2 targets"),
        ({"X": [[1]], "y": 1}, None, r"array y has shape \(\), expected 1 targets"),
        ({"X": [1, 2]}, None, r"array X has shape \(2,\), expected rows of numbers"),
        ({"X": np.empty((0, 3))}, None, r"array X has shape \(0, 3\), expected rows"),
        ({"X": [["a"]]}, None, r"array X holds values of type <U1, expected numbers"),
        ({"X": [[1j]]}, None, r"array X holds values of type complex128, expected"),
        ({"X": [[1.0]], "y": [np.inf]}, None, r"array y, row 1 is inf, expected a finite number"),
        ({"X": np.array([[None]])}, None, r"array X holds values of type object, expected"),
    ],
)
def test_npz_with_wrong_arrays(
    tmp_path: Path, arrays: dict[str, Any], target: str | None, message: str
) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        datasets.read(tmp_path / "data.npz", target)


def test_damaged_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.zeros((10, 3)))
    whole = (tmp_path / "whole.npy").read_bytes()
    short = r"short.npy ends at byte 360, expected byte 368 for float64 values of shape \(10, 3\)"
    with pytest.raises(ValueError, match=short):
        datasets.read(write(tmp_path, whole[:-8], "short.npy"))
    for start in (whole[:20], b"\x93NUMPY\x09\x00" + whole[8:], whole[:12] + b"?" + whole[13:]):
        with pytest.raises(ValueError, match=r"bad.npy is not a readable .npy array"):
            datasets.read(write(tmp_path, start, "bad.npy"))
    huge = whole.replace(b"(10, 3)", b"(10, 3)"[:-1] + b"0" * 9 + b")").replace(b" " * 9, b"", 1)
    with pytest.raises(ValueError, match=r"expected byte 24000000"):
        datasets.read(write(tmp_path, huge, "huge.npy"))

    np.savez(tmp_path / "whole.npz", X=np.arange(300.0).reshape(100, 3))
    whole = (tmp_path / "whole.npz").read_bytes()
    flipped = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    for damaged in (whole[:-100], flipped):
        with pytest.raises(ValueError, match=r"bad.npz is a damaged .npz file"):
            datasets.read(write(tmp_path, damaged, "bad.npz"))
    with pytest.raises(ValueError, match=r"text.npz is not a .npz file: it begins with b'a,b"):
        datasets.read(write(tmp_path, "a,b\n1,2\n", "text.npz"))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([[print]], object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds values of type object"):
        datasets.read(tmp_path / "data.npy")
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("X.npy", b"\x80\x04N.")
    with pytest.raises(ValueError, match="array X is not a readable"):
        datasets.read(tmp_path / "data.npz")


# --- IDX ----------------------------------------------------------------------------------------


def idx(array: Any, code: int = 0x08) -> bytes:
    array = np.asarray(array)
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(idx_files.IDX_TYPES[code]).tobytes()


IMAGES = np.arange(24).reshape(3, 2, 4)
LABELS = [7, 2, 7]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("style", ["train-{}-idx{}-ubyte", "t10k-{}.idx{}-ubyte"])
def test_idx_finds_the_labels_in_the_folder(tmp_path: Path, compressed: bool, style: str) -> None:
    ending, compress = (".gz", gzip.compress) if compressed else ("", bytes)
    images = write(tmp_path, compress(idx(IMAGES)), style.format("images", 3) + ending)
    assert datasets.read(images).y is None
    write(tmp_path, compress(idx(LABELS)), style.format("labels", 1) + ending)
    table = datasets.read(images)
    assert_array_equal(table.X, IMAGES.reshape(3, 8))
    assert table.X.dtype == np.uint8
    assert_array_equal(np.asarray(table.y), [1, 0, 1])
    assert table.classes == ("2", "7")


def test_idx_labels_with_another_name_and_compression(tmp_path: Path) -> None:
    images = write(tmp_path, gzip.compress(idx(IMAGES)), "images-idx3")
    write(tmp_path, idx(LABELS), "labels-idx1.gz")
    assert datasets.read(images).classes == ("2", "7")
    other = write(tmp_path, idx([0.5, 1, 2], 0x0D), "other")
    table = datasets.read(images, str(other))
    assert_array_equal(np.asarray(table.y), [0.5, 1, 2])
    assert table.classes is None


@pytest.mark.parametrize("code", idx_files.IDX_TYPES)
def test_idx_types_become_native(tmp_path: Path, code: int) -> None:
    table = datasets.read(write(tmp_path, idx(IMAGES, code)))
    assert_array_equal(table.X, IMAGES.reshape(3, 8))
    assert table.X.dtype.isnative


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(IMAGES)[:-1], r"ends at byte 39, expected its end at byte 40 .*\(3, 2, 4\)"),
        (idx(IMAGES) + b"\0", r"goes on, expected its end at byte 40"),
        (idx(IMAGES)[:9], r"ends at byte 9, expected 3 dimensions up to byte 16"),
        (idx(LABELS), r"has dimensions \(3,\), expected rows of numbers"),
        (idx(np.zeros((0, 4))), r"has dimensions \(0, 4\), expected rows"),
        (idx(IMAGES)[:4] + b"\xff" * 12 + bytes(5), r"ends at byte 21, expected its end at"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-12], r"is a damaged gzip file"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-5] + b"\x55\0\0\0\0", r"is a damaged gzip file"),
        (b"", r"is empty"),
    ],
)
def test_malformed_idx(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.read(write(tmp_path, data, "some-images"))


def test_idx_labels_that_do_not_fit(tmp_path: Path) -> None:
    images = write(tmp_path, idx(IMAGES), "images")
    for labels, message in (
        (idx([1, 2]), r"labels has dimensions \(2,\), expected 3 labels for .*images"),
        (b"text", r"labels is not an IDX file: it begins with b'text'"),
    ):
        write(tmp_path, labels, "labels")
        with pytest.raises(ValueError, match=message):
            datasets.read(images)


# --- all formats --------------------------------------------------------------------------------


def test_read_checks_its_own_arguments(tmp_path: Path) -> None:
    path = write(tmp_path, IRIS)
    with pytest.raises(ValueError, match="task is 'guess', expected one of auto"):
        datasets.read(path, task="guess")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="target is True, expected a name"):
        datasets.read(path, True)
    with pytest.raises(FileNotFoundError):
        datasets.read(tmp_path / "none.csv")
