"""TFRecord files: records of any bytes, each with its length and checksums.

Source: tensorflow/core/lib/io/record_writer.h: length (uint64, little endian), masked CRC-32C of
those 8 bytes, data, masked CRC-32C of the data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from nacre.core.wire.crc32c import crc32c, masked


def record(data: bytes) -> bytes:
    """One record as it stands in the file.

    Example:
        >>> len(record(b"abc"))
        19
    """
    length = struct.pack("<Q", len(data))
    return b"".join((length, masked(crc32c(length)), data, masked(crc32c(data))))


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
    if masked(crc32c(head[:8])) != head[8:]:
        raise ValueError("its length is damaged")
    (length,) = struct.unpack("<Q", head[:8])
    data = read(length)
    checksum = read(4) if len(data) == length else b""
    if len(checksum) < 4:
        raise ValueError(f"its {length} bytes are cut off")
    if masked(crc32c(data)) != checksum:
        raise ValueError(f"its {length} bytes are damaged")
    return data


__all__ = ["read_record", "record"]
