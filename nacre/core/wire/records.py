"""TFRecord files: records of any bytes, each with its length and checksums.

Source: tensorflow/core/lib/io/record_writer.h: length (uint64, little endian), masked CRC-32C of
those 8 bytes, data, masked CRC-32C of the data.
"""

from __future__ import annotations

import struct

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


def _masked(data: bytes) -> bytes:
    """A checksum as it is stored, so that the checksum of data that holds one stays a good one."""
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + _MASK_DELTA) & 0xFFFFFFFF)


__all__ = ["record"]
