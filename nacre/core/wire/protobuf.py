"""Protocol buffers as bytes: the fields of a message, one after the other.

A message is written as the `bytes` of its fields joined; a field that holds a message takes those.
Which number a field has is said where a message is written, with the schema it comes from.

Source: protobuf.dev, *Encoding*: a field is a varint of `number << 3 | kind`, then its value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # kinds ("wire types") of the encoding


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


def fixed32(number: int, value: bytes) -> bytes:
    """A field of kind fixed32 or float, from its four bytes.

    Example:
        >>> fixed32(6, bytes(4))
        b'5\\x00\\x00\\x00\\x00'
    """
    return varint(number << 3 | _FIXED32) + value


def block(number: int, content: bytes | str) -> bytes:
    """A field of kind string, bytes, or a message.

    Example:
        >>> block(1, "loss")
        b'\\n\\x04loss'
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return varint(number << 3 | _LENGTH) + varint(len(data)) + data


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and the value of each field of a message.

    A value is a whole number from 0 to 2**64 - 1, or the bytes of anything else; nothing is copied.

    Raises:
        ValueError: It is no message; says at which byte.
    Example:
        >>> list(fields(memoryview(whole(1, 7) + whole(2, 300))))
        [(1, 7), (2, 300)]
    """
    at, end = 0, len(data)
    while at < end:
        begin = at
        tag, at = read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = read_varint(data, at)
            yield number, value
            continue
        if kind == _LENGTH:
            size, at = read_varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of unknown kind {kind} at byte {begin}")
        if number == 0 or size > end - at:
            raise ValueError(f"a field at byte {begin} that goes beyond the end")
        yield number, data[at : at + size]
        at += size


def number(value: int | memoryview) -> int:
    """The value of a field that holds a whole number.

    Raises:
        ValueError: It is of another kind.
    """
    if not isinstance(value, int):
        raise ValueError("bytes in place of a number")
    return value


def message(value: int | memoryview) -> memoryview:
    """The value of a field that holds bytes, a string or a message.

    Raises:
        ValueError: It is of another kind.
    """
    if isinstance(value, int):
        raise ValueError("a number in place of bytes")
    return value


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A whole number as `varint` wrote it, and where it ends.

    Raises:
        ValueError: It does not end, or has more than 64 bits.
    """
    value = 0
    for place in range(min(10, len(data) - at)):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & (1 << 64) - 1, at + place + 1
    raise ValueError(f"a number at byte {at} that does not end")


__all__ = [
    "block",
    "double",
    "fields",
    "fixed32",
    "message",
    "number",
    "read_varint",
    "varint",
    "whole",
]
