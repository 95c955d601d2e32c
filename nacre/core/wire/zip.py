"""Archives of the zip format whose members write themselves: stored, in order, without times.

Source: APPNOTE.TXT 6.3.10, sections 4.3.7 (local file header), 4.3.12 (central directory), 4.3.14
to 4.3.16 (its end, in 64 bits and in 32), 4.5.3 (sizes of 64 bits).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nacre.core.regions import Content, Meanwhile, Region, write_into

_MAX_32 = 0xFFFFFFFF
_MAX_16 = 0xFFFF
_TIME, _DATE = 0, 0x21  # 1980-01-01
_UTF8 = 0x800
_UNIX, _MODE = 3 << 8, 0o100644 << 16
# From this size on the disk is made to write while the checksum is taken.
_LARGE_BYTES = 16 << 20


@dataclass(frozen=True)
class Summed:
    """A member that is not read again for its checksum.

    Attributes:
        write: Writes it, and gives the CRC-32 of what it wrote.
    """

    write: Callable[[Region], int]


@dataclass(frozen=True)
class _Member:
    name: bytes
    start: int
    size: int
    crc: int

    def flags(self) -> int:
        return 0 if self.name.isascii() else _UTF8

    def local_header(self) -> bytes:
        """With sizes of 64 bits, so that its length is known before they are."""
        sizes = struct.pack("<HHQQ", 1, 16, self.size, self.size)
        fixed = (b"PK\x03\x04", 45, self.flags(), 0, _TIME, _DATE, self.crc, _MAX_32, _MAX_32)
        lengths = (len(self.name), len(sizes))
        return struct.pack("<4sHHHHHIIIHH", *fixed, *lengths) + self.name + sizes

    def entry(self) -> bytes:
        """What the directory says of it."""
        wide = [n for n in (self.size, self.size, self.start) if n >= _MAX_32]
        more = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        size, start = min(self.size, _MAX_32), min(self.start, _MAX_32)
        version = 45 if wide else 20
        fixed = (b"PK\x01\x02", _UNIX | version, version, self.flags(), 0, _TIME, _DATE, self.crc)
        rest = (size, size, len(self.name), len(more), 0, 0, 0, _MODE, start)
        return struct.pack("<4sHHHHHHIIIHHHHHII", *fixed, *rest) + self.name + more


def write_archive(region: Region, files: Mapping[str, Content | Summed]) -> None:
    """Write an archive of members, so that the same members give the same bytes.

    Args:
        region: Where to write.
        files: name -> its bytes, or what writes itself.

    Raises:
        OSError: The disk is full, or faulty.
    """
    members: list[_Member] = []
    position = 0
    for name, content in files.items():
        member = _Member(name.encode(), position, 0, 0)
        begin = position + len(member.local_header())
        size, crc = _written(Region(region.file, region.start + begin), content)
        member = _Member(member.name, position, size, crc)
        region.seek(position)
        region.write(member.local_header())
        members.append(member)
        position = begin + size
    region.seek(position)
    region.write(_end(members, position))
    region.check()


def _written(region: Region, content: Content | Summed) -> tuple[int, int]:
    """Size and CRC-32 of a member that is written here."""
    if isinstance(content, Summed):
        crc = content.write(region)
        region.check()
        return region.tell(), crc
    write_into(region, content)
    region.size = len(content) if isinstance(content, bytes) else region.length()
    written = Meanwhile(lambda: _sync(region)) if region.size >= _LARGE_BYTES else None
    crc = region.crc32()
    if written is not None:
        written.wait()
    return region.size, crc


def _sync(region: Region) -> None:
    try:
        descriptor = region.file.fileno()
    except OSError:  # in memory
        return
    os.fsync(descriptor)


def _end(members: list[_Member], start: int) -> bytes:
    """The directory and what tells where it is."""
    entries = b"".join(member.entry() for member in members)
    count, size = len(members), len(entries)
    wide = b""
    if count >= _MAX_16 or size >= _MAX_32 or start >= _MAX_32:
        record = struct.pack(
            "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start
        )
        wide = record + struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1)
    count, size, start = min(count, _MAX_16), min(size, _MAX_32), min(start, _MAX_32)
    return (
        entries
        + wide
        + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, size, start, 0)
    )


__all__ = ["Summed", "write_archive"]
