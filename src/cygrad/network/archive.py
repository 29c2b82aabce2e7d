"""Read the members of an .npz archive as `storage` writes it, without the module zipfile.

zipfile imports twenty modules, which takes longer than the rest of loading a network. Archives that
are not as `numpy.savez` writes them, damaged ones among them, are left to it and its messages.

Reference: PKWARE, ".ZIP File Format Specification", version 6.3.
"""

from __future__ import annotations

import struct
from binascii import crc32

_END = struct.Struct("<4s4H2IH")  # end of the central directory
_ENTRY = struct.Struct("<4s6H3I5H2I")  # an entry of the central directory
_LOCAL = struct.Struct("<4s5H3I2H")  # the header before a member
#: The versions of the format for members that are stored, of any size.
VERSIONS = (20, 45)


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
