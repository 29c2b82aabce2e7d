"""Tables from .npy, .npz and IDX files."""

import gzip
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cygrad.tables import read


def idx(array):
    array = np.asarray(array, np.uint8)
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", ">f4", "uint8", "int64", "bool", "float16"])
def test_npy(tmp_path, order, dtype):
    array = np.asarray(np.arange(12).reshape(4, 3) % 5, dtype, order=order)
    np.save(tmp_path / "data.npy", array)
    table = read(tmp_path / "data.npy")
    assert table.names == ("column_1", "column_2", "column_3")
    assert_array_equal(table.numbers(), array.astype(float))
    assert table.numbers() is table.numbers()
    assert table.notes == ()


def test_npy_of_other_dimensions_and_types(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.arange(24).reshape(2, 3, 4))
    table = read(path)
    assert table.numbers().shape == (2, 12)
    assert "rows of shape (3, 4) as columns" in table.notes[0]
    np.save(path, [1.0, np.nan])
    assert_array_equal(read(path)["column_1"], [1, np.nan])
    np.save(path, [["a", "b"], ["c", "b"]])
    assert read(path)["column_2"].tolist() == ["b", "b"]
    np.save(path, np.array([[2**60 + 1, 1]]))
    assert "beyond 2**53" in read(path).notes[0]


def test_npz_of_columns(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.eye(3), y=["a", "b", "a"], z=[1, 2, 3])
    table = read(path)
    assert table.names == ("X_1", "X_2", "X_3", "y", "z")
    assert table["y"].tolist() == ["a", "b", "a"]
    assert_array_equal(table.numbers(["X_1", "z"]), [[1, 1], [0, 2], [0, 3]])
    assert_array_equal(table.numbers(), np.column_stack([np.eye(3), [1, 2, 3]]))
    assert read(path, arrays=["z"]).names == ("z",)


def test_npz_in_parts(tmp_path):
    path = tmp_path / "data.npz"
    images = np.arange(20, dtype=np.uint8).reshape(5, 2, 2)
    np.savez_compressed(
        path, x_train=images, y_train=np.arange(5), x_test=images[:2], y_test=np.arange(2)
    )
    table = read(path)
    assert len(table) == 5
    assert table.names == ("x_train_1", "x_train_2", "x_train_3", "x_train_4", "y_train")
    assert any(
        note == "guessed: arrays x_train, y_train of x_train, y_train, x_test, y_test (arrays=)"
        for note in table.notes
    )
    assert len(read(path, arrays=["x_test", "y_test"])) == 2
    with pytest.raises(ValueError, match="other numbers of rows: x_train 5, y_test 2"):
        read(path, arrays=["x_train", "y_test"])
    with pytest.raises(ValueError, match=r"has the arrays x_train.*, and no 'x_valid'"):
        read(path, arrays=["x_valid"])


def test_idx_with_labels(tmp_path):
    images = np.arange(24).reshape(3, 2, 4)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(images)))
    assert len(read(path).names) == 8
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx([7, 2, 7]))
    table = read(path)
    assert_array_equal(table["label"], [7, 2, 7])
    assert_array_equal(table.numbers()[:, :8], images.reshape(3, 8))
    assert "guessed: labels from t10k-labels-idx1-ubyte" in table.notes
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx([7, 2]))
    with pytest.raises(ValueError, match=r"has dimensions \(2,\), expected 3 labels"):
        read(path)


class Unsafe:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_refusals(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "load", None)
    path = tmp_path / "data.npy"
    for value, message in (
        (np.array([[1.0, np.inf]]), "row 1, column 2 is inf, expected a finite number"),
        (np.array(3.0), r"has shape \(\), expected rows"),
        (np.zeros((1, 1_000_001), np.uint8), "has 1,000,001 columns, expected at most 1,000,000"),
        (np.zeros((2, 0)), r"has shape \(2, 0\), expected rows"),
        (np.zeros((0, 2)), "has no rows"),
        (np.array([[1j]]), "holds values of type complex128"),
        (np.array([Unsafe()], object), "holds values of type object"),
    ):
        np.save(path, value, allow_pickle=True)
        with pytest.raises(ValueError, match=message):
            read(path)
    np.save(path, np.zeros((2, 2)))
    for arguments, message in (
        ({"separator": ","}, "separator is ',', but .*data.npy is a file of .npy"),
        ({"gaps": ["x"]}, "gaps is"),
        ({"encoding": "latin-1"}, "encoding is"),
        ({"arrays": ["X"]}, r"arrays is \['X'\], but .*data.npy is a file of .npy"),
        ({"sheet": 1}, "sheet is 1, but .*data.npy is a file of .npy"),
    ):
        with pytest.raises(ValueError, match=message):
            read(path, **arguments)
    path.write_text("1,2\n")
    with pytest.raises(ValueError, match=r"data.npy is a file of delimited text"):
        read(path, arrays=["X"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sheet.xml", "<x/>")
    with pytest.raises(ValueError, match=r"is a ZIP archive of 'sheet.xml', without arrays"):
        read(path)
    with open(path, "wb") as file:
        np.savez(file, a=[1, 2])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sheet.xml", "<x/>")
    with pytest.raises(ValueError, match="has a member that is no array"):
        read(path)


def test_damaged_files(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.array(["a", "b"]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + b"\x8a\0")
    with pytest.raises(ValueError, match=r"data.npy holds text that is not Unicode"):
        read(path)
    path.write_bytes(whole[:11] + b"(" + whole[12:])
    with pytest.raises(ValueError, match=r"data.npy is not a readable .npy array"):
        read(path)
    np.savez(path.with_suffix(".npz"), X=np.eye(3))
    archive = path.with_suffix(".npz").read_bytes()
    directory = archive.rfind(b"PK\x01\x02")
    for damaged in (archive[:directory] + b"PK\x01\x07" + archive[directory + 4 :], archive[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"data.npy is a damaged .npz file"):
            read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_small_archive_cannot_fill_the_memory(tmp_path, method):
    np.save(tmp_path / "zeros.npy", np.zeros((3_000_000, 3)))
    with zipfile.ZipFile(tmp_path / "data.npz", "w", method) as archive:
        archive.write(tmp_path / "zeros.npy", "x.npy")
    with pytest.raises(ValueError, match=r"expands to 72,000,128 bytes, more than .*max_bytes="):
        read(tmp_path / "data.npz")
    assert len(read(tmp_path / "data.npz", max_bytes=80_000_000)) == 3_000_000
