"""Tests of files that are replaced in one step, for bytes and for text."""

import os

import pytest

from cygrad.atomic_write import atomic_write, remove_leftovers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out"


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def text(request):
    return request.param


def test_the_file_is_renamed_at_the_end(path, text):
    path.write_text("old")
    with atomic_write(path, text=text) as file:
        file.write("new" if text else b"new")
        assert path.read_text() == "old"
        assert len(os.listdir(path.parent)) == 2
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["out"]


def test_text_is_written_unchanged(path):
    with atomic_write(path, text=True) as file:
        file.write("é\n\r\n")
    assert path.read_bytes() == b"\xc3\xa9\n\r\n"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_block_leaves_the_old_file(path, text, error):
    def write_half():
        with atomic_write(path, text=text) as file:
            file.write("half" if text else b"half")
            raise error

    path.write_text("old")
    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["out"]


@pytest.mark.parametrize("fault", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(path, monkeypatch, fault):
    def fail(*arguments):
        raise OSError(28, "No space left on device", *arguments[:1])

    path.write_text("old")
    monkeypatch.setattr(os, fault, fail)
    with pytest.raises(OSError, match="No space left"), atomic_write(path):
        pass
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["out"]


def test_a_folder_that_cannot_be_synced_is_no_error(path, monkeypatch):
    sync = os.fsync

    def files_only(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError("not for folders")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_errors_name_the_path_of_the_caller(path):
    missing = path / "nowhere"
    with pytest.raises(FileNotFoundError) as caught, atomic_write(missing):
        pass
    assert caught.value.filename == str(missing)


def test_a_full_disk_names_the_path_of_the_caller(path):
    def write_half():
        with atomic_write(path) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write_half()
    assert caught.value.filename == str(path)
    assert os.listdir(path.parent) == []


def test_refuses_a_folder(tmp_path):
    with (
        pytest.raises(ValueError, match=r"--output is .*, which is something other than a file"),
        atomic_write(tmp_path, "--output"),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
def test_a_link_stays_a_link(path, tmp_path):
    path.symlink_to(tmp_path / "there")
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.is_symlink()
    assert (tmp_path / "there").read_bytes() == b"new"


def test_leftovers_of_killed_processes_are_removed(path):
    folder, kept = path.parent, path.with_name("kept")

    def killed(each):
        with atomic_write(each):
            (name,) = os.listdir(folder)
            os.link(folder / name, kept)
            raise SystemExit(name)

    for each in (path, path.with_name("other"), path.with_name("x" * 250)):
        with pytest.raises(SystemExit) as caught:
            killed(each)
        name = caught.value.code
        os.rename(kept, folder / name)
        remove_leftovers(path.with_name("another"))
        assert os.listdir(folder) == [name]
        remove_leftovers(each)
        assert os.listdir(folder) == []
    remove_leftovers(path / "nowhere")
