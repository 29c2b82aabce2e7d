"""Plain archives are read as zipfile reads them; all others are left to it."""

import io
import zipfile

import numpy as np
import pytest

import cygrad as cg
from cygrad.network import archive as archive_module
from cygrad.network.archive import stored_members


def archive(**options) -> bytes:
    """Return an archive with two arrays and a text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, array in (("a.npy", np.arange(9.0)), ("b.npy", np.zeros((0, 3), "f4"))):
            with file.open(name, "w", force_zip64=True) as member:
                np.save(member, array)
        file.writestr("text", b"some bytes")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> bytes:
    """Return the bytes of a saved network."""
    path = tmp_path_factory.mktemp("archive") / "net.npz"
    cg.Network(2, [cg.Dense(3, "relu"), cg.Dense(1)], loss="mse", rng=0).save(path)
    return path.read_bytes()


def by_zipfile(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_plain_archives_have_the_members_of_zipfile(saved):
    for data in (archive(), saved):
        found = stored_members(data)
        assert found == by_zipfile(data)
        assert list(found) == list(by_zipfile(data))


def test_other_archives_are_left_to_zipfile(saved):
    assert stored_members(archive(compression=zipfile.ZIP_DEFLATED)) is None
    assert stored_members(b"") is None
    assert stored_members(saved + b"x") is None
    assert stored_members(b"x" + saved) is None
    buffer = io.BytesIO(archive())
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"a comment"
    assert stored_members(buffer.getvalue()) is None
    buffer = io.BytesIO(archive())
    with zipfile.ZipFile(buffer, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("text", b"again")
    assert stored_members(buffer.getvalue()) is None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("über", b"text")
    assert stored_members(buffer.getvalue()) is None


def test_a_changed_byte_is_never_read_otherwise_than_by_zipfile(saved):
    """Either it is left to zipfile, or the members are those that zipfile reads."""
    left = 0
    for place in range(len(saved)):
        changed = bytearray(saved)
        changed[place] ^= 0xFF
        found = stored_members(bytes(changed))
        if found is None:
            left += 1
        else:
            assert found == by_zipfile(bytes(changed))
    assert left > len(saved) // 2  # the members, whose checksums are then wrong, and more
    for size in range(len(saved)):
        assert stored_members(saved[:size]) is None


def test_a_large_archive_is_read_by_zipfile(saved, tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    path.write_bytes(saved)
    expected = cg.load(path).parameters
    monkeypatch.setattr(archive_module, "PLAIN_BYTES", len(saved) - 1)
    monkeypatch.setattr(archive_module, "stored_members", None)
    assert (cg.load(path).parameters == expected).all()
