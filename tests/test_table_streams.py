"""Files that cannot be read twice: open files, pipes, compressed arrays; and endings of texts."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cygrad.tables import Encoder, Table, read, read_svmlight

CSV = b"a,b,label\n1,x,yes.\n2.5,y,no.\n4,,yes.\n"


class Stream:
    """An open file without a name that can be read once."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 7))


def saved(save, **arrays) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def test_text_of_an_open_file(tmp_path: Path) -> None:
    table = read(Stream(CSV))
    assert table["a"].tolist() == [1, 2.5, 4]
    assert table.source == "file"
    assert table.locate(1, "b") == "file, line 3, column 2 (b)"
    (tmp_path / "d.csv").write_bytes(CSV)
    with open(tmp_path / "d.csv", "rb") as file:
        assert read(file).source == str(tmp_path / "d.csv")
    with open(tmp_path / "d.csv") as text, pytest.raises(TypeError, match="is open for text, exp"):
        read(text)
    with pytest.raises(ValueError, match=r"^file, line 3, column 2: the row has 1 field"):
        read(Stream(b"a,b,c\n1,2,3\n4\n"))


def test_a_copy_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read(Stream(CSV))
    with pytest.raises(ValueError, match="file has more than 10 bytes; max_bytes= allows more"):
        read(Stream(CSV), max_bytes=10)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_arrays_of_an_open_file(tmp_path: Path, compress) -> None:
    X = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
    data = io.BytesIO()
    np.save(data, X)
    assert_array_equal(read(Stream(compress(data.getvalue()))).numbers(), X)
    table = read(Stream(compress(saved(np.savez, X=X, y=X[:, 0] > 0))))
    assert table.names == ("X_1", "X_2", "X_3", "y")
    assert_array_equal(table["y"], [0, 1, 1, 1])
    (tmp_path / "d.npz").write_bytes(compress(saved(np.savez_compressed, X=X)))
    assert_array_equal(read(tmp_path / "d.npz").numbers(), X)
    images = b"\0\0\x08\x02" + bytes([0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))
    assert_array_equal(read(Stream(compress(images))).numbers(), [[0, 1, 2], [3, 4, 5]])


def test_a_pipe_of_arrays(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names")
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = saved(np.savez, X=np.eye(3))
    thread = threading.Thread(target=path.write_bytes, args=(data,))
    thread.start()
    table = read(path)
    thread.join()
    assert_array_equal(table.numbers(), np.eye(3))
    assert table.source == str(path)


def test_parquet_and_excel_of_an_open_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas writes the files")
    pytest.importorskip("pyarrow", reason="Parquet and Feather need it")
    pytest.importorskip("narwhals", reason="tables of frames need it")
    frame = pandas.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    for write in (frame.to_parquet, frame.to_feather):
        write(tmp_path / "d")
        table = read(Stream((tmp_path / "d").read_bytes()))
        assert table["a"].tolist() == [1.5, 2.5]
        assert table["b"].tolist() == ["x", "y"]


def test_svmlight_of_an_open_file() -> None:
    table = read_svmlight(Stream(b"# a comment\n1 2:0.5\n-1 1:3 4:1e-2\n"))
    assert_array_equal(table.X.toarray(), [[0, 0.5, 0, 0], [3, 0, 0, 0.01]])
    assert table.zero_based is False
    assert table.lines.tolist() == [2, 3]
    assert read_svmlight(Stream(b"1 0:0.5\n")).zero_based is True
    with pytest.raises(ValueError, match="file is in the format of svmlight"):
        read(Stream(b"# a comment\n\n1 2:0.5\n-1 1:3 4:1e-2\n"))
    assert len(read(Stream(b"\n" * 60 + b"a\n1\n"))) == 1  # in no time


def test_endings_of_texts() -> None:
    table = read(Stream(CSV), strip={"label": "."})
    assert table["label"].tolist() == ["yes", "no", "yes"]
    assert table["b"].tolist() == ["x", "y", None]
    mixed = read(Stream(b"a,b\n1,yes\n2,yes.\n3,.\n4,no .\n"), strip={-1: "."})
    assert mixed["b"].tolist() == ["yes", "yes", None, "no"]
    assert mixed.column("b").words == ("yes", "no")
    assert mixed.locate(3, "b") == "file, line 5, column 2 (b)"
    assert read(Stream(CSV), strip={"a": "."})["a"].tolist() == [1, 2.5, 4]
    with pytest.raises(ValueError, match="strip is 'c', expected a column of file, which has "):
        read(Stream(CSV), strip={"c": "."})
    with pytest.raises(TypeError, match=r"strip\['a'\] is 1, expected text"):
        read(Stream(CSV), strip={"a": 1})


def test_a_class_with_an_ending_is_refused_with_a_hint() -> None:
    encoder = Encoder("label").fit(read(Stream(CSV), strip={"label": "."}))
    assert encoder.classes == ("no", "yes")
    hint = r"line 2, column 3 \(label\) is 'yes.', expected one of no, yes; tables.read with "
    with pytest.raises(ValueError, match=hint + r"strip=\{'label': '.'\} takes off the ending"):
        encoder.targets(read(Stream(CSV)))
    with pytest.raises(ValueError, match=r"is 'nono.', expected one of no, yes$"):
        encoder.targets(Table.from_arrays({"a": [1.0], "b": ["x"], "label": ["nono."]}))
