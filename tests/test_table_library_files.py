"""Files that other libraries read: Parquet, Feather, Arrow, Excel and MATLAB."""

import datetime
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cygrad.tables import read


def frame(pa):
    return pa.table(
        {
            "number": pa.array([1.5, None, 3]),
            "whole": pa.array([1, 2, None], pa.int16()),
            "word": pa.array(["a", None, "NA"]),
            "day": pa.array([datetime.date(1970, 1, 2), None, None]),
        }
    )


def check(table, path):
    assert_array_equal(table["number"], [1.5, np.nan, 3])
    assert_array_equal(table["whole"], [1, 2, np.nan])
    assert table["word"].tolist() == ["a", None, "NA"]
    assert_array_equal(table["day"], [86400, np.nan, np.nan])
    assert table.source == str(path)


def write_parquet(pa, table, path):
    pytest.importorskip("pyarrow.parquet").write_table(table, path)


def write_feather(pa, table, path):
    pytest.importorskip("pyarrow.feather").write_feather(table, str(path))


def write_stream(pa, table, path):
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("write", [write_parquet, write_feather, write_stream])
def test_arrow_files(tmp_path, write):
    pytest.importorskip("narwhals")
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "data.bin"
    write(pa, frame(pa), path)
    check(read(path), path)
    with pytest.raises(ValueError, match=r"12 values, which take more than 50 bytes; max_bytes="):
        read(path, max_bytes=50)
    with pytest.raises(ValueError, match=r"separator is ',', but .*data.bin is a file of"):
        read(path, separator=",")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"data.bin is a damaged (Parquet|Arrow) file"):
        read(path)


def test_a_short_parquet_file_cannot_fill_the_memory(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "zeros.parquet"
    write_parquet(pa, pa.table({"x": pa.array(np.zeros(20_000_000, np.int8))}), path)
    assert path.stat().st_size < 80_000
    with pytest.raises(ValueError, match=r"20,000,000 values, which take more than"):
        read(path)


def test_excel(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    path = tmp_path / "data.xlsx"
    first = pd.DataFrame(
        {
            "number": [1.5, None, 3],
            "gaps": [1, "NA", 2],
            "word": ["a", "?", " b "],
            "both": ["a", 1, None],
            "when": [datetime.datetime(1970, 1, 2), None, datetime.datetime(1970, 1, 1)],
        }
    )
    with pd.ExcelWriter(path) as writer:
        first.to_excel(writer, sheet_name="one", index=False)
        pd.DataFrame([[1, 2], [3, 4]]).to_excel(writer, sheet_name="two", index=False, header=False)
    table = read(path)
    assert_array_equal(table["number"], [1.5, np.nan, 3])
    assert_array_equal(table["gaps"], [1, np.nan, 2])
    assert table["word"].tolist() == ["a", None, "b"]
    assert table["both"].tolist() == ["a", "1", None]
    assert_array_equal(table["when"], [86400, np.nan, 0])
    assert "guessed: sheet 'one' of one, two (sheet=)" in table.notes
    assert "guessed: header (header=)" in table.notes
    assert "column 'both' is text, as 1 of 2 cells are" in table.notes
    for sheet in ("two", 2):
        other = read(path, sheet=sheet)
        assert_array_equal(other.numbers(), [[1, 2], [3, 4]])
        assert other.notes == ("guessed: no header (header=)",)
    assert read(path, sheet=2, header=True).names == ("1", "2")
    with pytest.raises(ValueError, match="has the sheets one, two, and no 'three'"):
        read(path, sheet="three")
    with pytest.raises(ValueError, match="sheet is 3, expected 1 to 2"):
        read(path, sheet=3)
    with pytest.raises(ValueError, match="max_bytes= allows more"):
        read(path, max_bytes=100)


def test_matlab(tmp_path):
    io = pytest.importorskip("scipy.io")
    path = tmp_path / "data.mat"
    arrays = {
        "X": np.arange(6.0).reshape(3, 2),
        "y": np.array([[1, 2, 3]], np.uint8),
        "z": np.array([[1.0], [np.nan], [0.5]]),
        "names": np.array(["ab", "c", "d"]),
    }
    io.savemat(path, {**arrays, "s": {"a": 1}}, do_compression=True)
    table = read(path)
    assert table.names == ("X_1", "X_2", "y", "z", "names")
    assert_array_equal(table.numbers(["X_1", "X_2"]), arrays["X"])
    assert_array_equal(table["y"], [1, 2, 3])
    assert_array_equal(table["z"], [1, np.nan, 0.5])
    assert table["names"].tolist() == ["ab", "c", "d"]
    assert any("left out: s" in note for note in table.notes)
    assert read(path, arrays=["z"]).names == ("z",)
    for chosen, message in (("s", "array s is a struct, expected numbers"), ("q", "and no 'q'")):
        with pytest.raises(ValueError, match=message):
            read(path, arrays=[chosen])
    with pytest.raises(ValueError, match="max_bytes= allows more"):
        read(path, max_bytes=8)
    io.savemat(path, {"a": np.zeros((3, 2)), "b": np.zeros((2, 2))})
    with pytest.raises(ValueError, match=r"arrays of different lengths: a \(3, 2\), b \(2, 2\)"):
        read(path)
    data = path.read_bytes()
    path.write_bytes(data[:150])
    with pytest.raises(ValueError, match=r"data.mat is a damaged MATLAB file"):
        read(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(100))
    with pytest.raises(ValueError, match=r"has version 7\.3 .* save -v7"):
        read(path)


@pytest.mark.parametrize(
    ("start", "module", "needed"),
    [
        (b"PAR1" + bytes(20), "pyarrow.parquet", "needs pyarrow"),
        (b"ARROW1" + bytes(20), "pyarrow", "needs pyarrow"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "scipy.io", "needs scipy"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "pandas", "needs pandas and openpyxl"),
    ],
)
def test_libraries_that_are_not_there(tmp_path, monkeypatch, start, module, needed):
    path = tmp_path / "data.bin"
    path.write_bytes(start)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"data.bin {needed}, which is not installed"):
        read(path)
