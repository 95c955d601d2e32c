"""Protocol buffers as bytes: the fields of a message, one after the other.

A message is written as the `bytes` of its fields joined; a field that holds a message takes those.
Which number a field has is said where a message is written, with the schema it comes from.

Source: protobuf.dev, *Encoding*: a field is a varint of `number << 3 | kind`, then its value.
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _LENGTH = 0, 1, 2  # kinds ("wire types") of the encoding


_SMALL = [bytes([value]) for value in range(128)]


def varint(value: int) -> bytes:
    """A whole number in groups of seven bits, the lowest first; a negative one as its 64 bits.

    Example:
        >>> varint(1), varint(300), len(varint(-1))
        (b'\\x01', b'\\xac\\x02', 10)
    """
    if 0 <= value < 128:
        return _SMALL[value]  # by far the most: lengths, kinds, numbers of fields
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def whole(number: int, value: int) -> bytes:
    """A field of kind int32, int64, bool or enum.

    Example:
        >>> whole(2, 300)
        b'\\x10\\xac\\x02'
    """
    return varint(number << 3 | _VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field of kind double."""
    return varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def block(number: int, content: bytes | str) -> bytes:
    """A field of kind string, bytes, or a message.

    Example:
        >>> block(1, "loss")
        b'\\n\\x04loss'
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return varint(number << 3 | _LENGTH) + varint(len(data)) + data


__all__ = ["block", "double", "varint", "whole"]
