"""TFRecord files: records of any bytes, each with its length and checksums.

Source: tensorflow/core/lib/io/record_writer.h: length (uint64, little endian), masked CRC-32C of
those 8 bytes, data, masked CRC-32C of the data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from nacre.core.wire.crc32c import crc32c

_MASK_DELTA = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h, kMaskDelta


def record(data: bytes) -> bytes:
    """One record as it stands in the file.

    Example:
        >>> len(record(b"abc"))
        19
    """
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked(length), data, _masked(data)))


def read_record(read: Callable[[int], bytes]) -> bytes | None:
    """The next record of a file; None at its end.

    Args:
        read: Gives so many of the next bytes, fewer at the end of the file alone. It must not make
            room for more than there is, as lengths may be anything.

    Raises:
        ValueError: It is damaged, or does not end.
    Example:
        >>> import io
        >>> read_record(io.BytesIO(record(b"abc")).read)
        b'abc'
    """
    head = read(12)
    if not head:
        return None
    if len(head) < 12:
        raise ValueError("its length is cut off")
    if _masked(head[:8]) != head[8:]:
        raise ValueError("its length is damaged")
    (length,) = struct.unpack("<Q", head[:8])
    data = read(length)
    checksum = read(4) if len(data) == length else b""
    if len(checksum) < 4:
        raise ValueError(f"its {length} bytes are cut off")
    if _masked(data) != checksum:
        raise ValueError(f"its {length} bytes are damaged")
    return data


def _masked(data: bytes) -> bytes:
    """A checksum as it is stored, so that the checksum of data that holds one stays a good one."""
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + _MASK_DELTA) & 0xFFFFFFFF)


__all__ = ["read_record", "record"]
