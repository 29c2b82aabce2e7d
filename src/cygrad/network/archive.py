"""Files of named arrays: `.npz` archives, not compressed, as `numpy.savez` writes them.

Networks and checkpoints are such files, with a text in JSON in the array `header`. They are written
and read without the module zipfile, which imports twenty modules: this takes longer than the rest
of loading a network. Archives of another kind, damaged ones among them, are left to it and its
messages, and those of more than 2 GiB to `numpy.savez`.

Reading trusts nothing: every size is compared with the size of the file before anything is
allocated, checksums are verified, and no member is code.

Reference: PKWARE, ".ZIP File Format Specification", version 6.3.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
from binascii import crc32
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.lib import format as npy

if TYPE_CHECKING:
    from zipfile import ZipInfo

    from numpy.typing import NDArray

Contents = TypeVar("Contents")

#: Larger archives are read member by member, with less memory.
PLAIN_BYTES = 16 << 20
#: Larger archives have fields of 64 bits, which are left to `numpy.savez`.
MOST_BYTES = 1 << 31

_END = struct.Struct("<4s4H2IH")  # end of the central directory
_ENTRY = struct.Struct("<4s6H3I5H2I")  # an entry of the central directory
_LOCAL = struct.Struct("<4s5H3I2H")  # the header before a member
#: The versions of the format for members that are stored, of any size.
VERSIONS = (20, 45)
VERSION = 20  # of those without fields of 64 bits
FIRST_DAY = 1 << 5 | 1  # 1 January 1980: equal arrays make equal files


def write(file: IO[bytes], header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an archive with a header, as JSON, and arrays by their names."""
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    # Little-endian and in C order.
    members = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        for name, array in {"header": text, **arrays}.items()
    }
    if sum(array.nbytes + 1000 for array in members.values()) > MOST_BYTES:
        np.savez(file, **members)  # type: ignore[arg-type]
        return
    entries: list[bytes] = []
    place = 0
    for name, array in members.items():
        start = _npy_start(array)
        data = array.reshape(-1).view(np.uint8).data
        checksum, size = crc32(data, crc32(start)), len(start) + len(data)
        encoded = f"{name}.npy".encode("ascii")
        about = (0, 0, 0, FIRST_DAY, checksum, size, size, len(encoded), 0)
        entry = _ENTRY.pack(b"PK\1\2", VERSION, VERSION, *about, 0, 0, 0, 0, place)
        entries.append(entry + encoded)
        local = _LOCAL.pack(b"PK\3\4", VERSION, *about) + encoded + start
        file.write(local)
        file.write(data)
        place += len(local) + len(data)
    size, count = sum(map(len, entries)), len(entries)
    file.write(b"".join(entries) + _END.pack(b"PK\5\6", 0, 0, count, count, size, place, 0))


def _npy_start(array: NDArray[Any]) -> bytes:
    """Return what NumPy's format, version 1.0, has before the numbers: a multiple of 64 bytes."""
    kind, shape = array.dtype.str, array.shape
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64)
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text) + 1) + f"{text}\n".encode("ascii")


def read(
    path: str | os.PathLike[str],
    kind: str,
    contents: Callable[[Iterable[str], Callable[[str], bytes]], Contents],
) -> Contents:
    """Return what the function `contents` makes of the members of a file.

    Parameters
    ----------
    path : str or os.PathLike
    kind : str
        Of the file, for messages: "cygrad network".
    contents : function
        Of the names of the members, with their ending, and a function that reads one by its name.

    Raises
    ------
    ValueError
        If the file is no archive, or is damaged or cut short.
    OSError
        If there is no such file, or it cannot be read.
    """
    name = path_name(path)
    with open(name, "rb") as file:
        start = file.read(4)
        if not start:
            raise ValueError(f"{name!r} is empty, expected a {kind}")
        if not b"PK\x03\x04".startswith(start):
            raise ValueError(f"{name!r} is not an .npz archive, expected a {kind}")
        size = os.fstat(file.fileno()).st_size
        try:
            members = stored_members(start + file.read()) if size <= PLAIN_BYTES else None
            if members is not None and "header.npy" in members:
                return contents(members.keys(), members.__getitem__)
            import zipfile  # says what is wrong, and takes longer to import than to read networks

            with zipfile.ZipFile(file) as archive:
                _check_members(archive.infolist(), name, kind, size)
                return contents(archive.namelist(), archive.read)
        except (OSError, MemoryError, UnsupportedFile):
            raise
        except Exception as error:
            # zipfile, json and NumPy's reader raise many kinds of errors for invalid bytes.
            raise damaged_error(path, error) from error


def path_name(path: object) -> str:
    """Return a path as text."""
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise TypeError(f"path is {path!r}, expected a str or an os.PathLike of one")
    return name


def damaged_error(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Return the error for a file that `error` shows to be damaged."""
    return ValueError(f"{os.fspath(path)!r} is damaged or cut short: {error}")


class UnsupportedFile(ValueError):
    """The file is intact but cannot be read by this version; the message is complete."""


def _check_members(members: Sequence[ZipInfo], name: str, kind: str, size: int) -> None:
    """Check that an archive has a header, and members that are not larger than the file."""
    if "header.npy" not in {info.filename for info in members}:
        raise UnsupportedFile(f"{name!r} is an .npz archive without a header, expected a {kind}")
    # Uncompressed members cannot be larger than the file: this rules out zip bombs.
    if any(info.compress_type for info in members):
        raise UnsupportedFile(
            f"{name!r} is compressed, expected an archive as Network.save writes it"
        )
    total = sum(max(info.file_size, info.compress_size) for info in members)
    if total > size or min(info.header_offset for info in members) < 0:
        raise ValueError(f"{total} bytes of data in a file of {size}")


def read_header(data: bytes, name: str, kind: str) -> dict[str, Any]:
    """Return the header in a member, if its "format" is the kind."""
    shape, dtype, start = npy_header(data)
    is_text = len(shape) == 1 and dtype == np.uint8
    header = json.loads(data[start:]) if is_text else None
    found = header.get("format") if isinstance(header, dict) else None
    if not isinstance(header, dict) or found != kind:
        also = f": it is a {found}" if found in ("cygrad network", "cygrad checkpoint") else ""
        raise UnsupportedFile(f"{name!r} has a header of another kind, expected a {kind}{also}")
    return header


def read_array(
    data: bytes, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], start: int
) -> NDArray[Any]:
    """Return the array in a member, whose numbers begin at `start`: a copy."""
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has {len(data) - start} bytes, too few or too many for its shape")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, dtype and start of the data of a C-ordered array in NumPy's format."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array in NumPy's format {version}, expected (1, 0)")
    shape, fortran_order, dtype = npy.read_array_header_1_0(stream)
    if fortran_order:
        raise ValueError("an array in Fortran order, expected C order")
    return shape, dtype, stream.tell()


def stored_members(archive: bytes) -> dict[str, bytes] | None:
    """Return the members of a plain archive by their names, checked; None: it is not plain.

    A plain archive has members that are neither compressed nor encrypted, one behind the other, in
    the order of the central directory at its end, and no comments.
    """
    try:
        return _members(archive)
    except (struct.error, UnicodeDecodeError):
        return None


def _members(archive: bytes) -> dict[str, bytes] | None:
    place = len(archive) - _END.size
    mark, disk, first_disk, count, total, size, start, comment = _END.unpack_from(archive, place)
    if mark != b"PK\5\6" or disk or first_disk or count != total or comment:
        return None
    if start + size != place:
        return None
    members: dict[str, bytes] = {}
    end = 0  # of the member before
    for _ in range(count):
        entry = _ENTRY.unpack_from(archive, start)
        mark, _, version, flags, method, _, _, checksum, packed, length = entry[:10]
        name_size, extra_size, comment_size, _, _, _, header = entry[10:]
        begin = start + _ENTRY.size
        name = archive[begin : begin + name_size]
        start = begin + name_size
        if mark != b"PK\1\2" or version not in VERSIONS or flags or method or packed != length:
            return None
        if extra_size or comment_size:
            return None
        mark, _, flags, method, *_, local_name_size, local_extra_size = _LOCAL.unpack_from(
            archive, header
        )
        begin = header + _LOCAL.size
        local_name = archive[begin : begin + local_name_size]
        begin += local_name_size + local_extra_size
        if mark != b"PK\3\4" or flags or method or local_name != name or header != end:
            return None
        if begin + length > place or name.decode("ascii") in members:
            return None
        end = begin + length
        member = archive[begin:end]
        if crc32(member) != checksum:
            return None
        members[name.decode("ascii")] = member
    return members if start == place else None
