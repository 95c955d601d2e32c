"""Sorted tables of keys and values in one file, as LevelDB and TensorFlow lay them out.

Blocks of entries, whose keys leave out what they share with the key before; an index of the blocks;
a footer that says where the index lies. After each block stand a byte, which tells how it is
compressed, and a checksum.

Source:
    LevelDB, doc/table_format.md; TensorFlow writes tables without compression
    (tensorflow/core/util/tensor_bundle).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from nacre.core.wire.crc32c import crc32c, masked
from nacre.core.wire.protobuf import read_varint, varint

_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_BYTES = 48  # two places, filled up to 40 bytes, and the magic number
_TRAILER_BYTES = 5
_BLOCK_BYTES = 1 << 18
_RESTART = 16  # entries after which a key stands whole again


def write_table(entries: Mapping[bytes, bytes]) -> bytes:
    """A table as the bytes of its file, its keys sorted.

    Example:
        >>> dict(read_table(write_table({b"weights": b"1", b"weight": b"2"})))
        {b'weight': b'2', b'weights': b'1'}
    """
    parts: list[bytes] = []
    at = 0

    def put(block: bytes) -> bytes:
        """Add a block; gives its place as the index has it."""
        nonlocal at
        place = varint(at) + varint(len(block))
        kind = b"\0"  # not compressed
        parts.extend((block, kind, masked(crc32c(block + kind))))
        at += len(block) + _TRAILER_BYTES
        return place

    index, block = _Block(1), _Block(_RESTART)
    for key in sorted(entries):
        if block.size > _BLOCK_BYTES:
            index.add(block.last, put(block.content()))
            block = _Block(_RESTART)
        block.add(key, entries[key])
    index.add(block.last, put(block.content()))
    footer = put(_Block(_RESTART).content()) + put(index.content())
    parts.append(footer.ljust(_FOOTER_BYTES - len(_MAGIC), b"\0") + _MAGIC)
    return b"".join(parts)


class _Block:
    """Entries one after the other, and the places where a key stands whole."""

    def __init__(self, restart: int) -> None:
        self._restart = restart
        self._parts: list[bytes] = []
        self._restarts = [0]
        self._count = 0
        self.size = 0
        self.last = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._count and self._count % self._restart == 0:
            self._restarts.append(self.size)
        elif self._count:
            most = min(len(key), len(self.last))
            while shared < most and key[shared] == self.last[shared]:
                shared += 1
        rest = key[shared:]
        entry = varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        self._parts.append(entry)
        self.size += len(entry)
        self._count += 1
        self.last = key

    def content(self) -> bytes:
        numbers = (*self._restarts, len(self._restarts))
        return b"".join(self._parts) + struct.pack(f"<{len(numbers)}I", *numbers)


def is_table(end: bytes) -> bool:
    """Tell whether the last bytes of a file are those of a table."""
    return end.endswith(_MAGIC)


def read_table(data: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a table, in order.

    Raises:
        ValueError: It is no table, damaged, or compressed.
    """
    data = memoryview(data)
    if len(data) < _FOOTER_BYTES or not is_table(bytes(data[-len(_MAGIC) :])):
        raise ValueError("it does not end as a table does")
    footer = data[-_FOOTER_BYTES:]
    at = 0
    for _ in range(2):  # where the block about the table lies, which TensorFlow leaves empty
        _, at = read_varint(footer, at)
    start, at = read_varint(footer, at)
    size, at = read_varint(footer, at)
    for _, place in _entries(_read_block(data, start, size)):
        start, at = read_varint(memoryview(place), 0)
        size, at = read_varint(memoryview(place), at)
        yield from _entries(_read_block(data, start, size))


def _read_block(data: memoryview, start: int, size: int) -> memoryview:
    end = start + size
    if end + _TRAILER_BYTES > len(data):
        raise ValueError(f"a block at byte {start} that goes beyond the end")
    if masked(crc32c(data[start : end + 1])) != bytes(data[end + 1 : end + _TRAILER_BYTES]):
        raise ValueError(f"a damaged block at byte {start}")
    if data[end] != 0:
        raise ValueError(f"a compressed block at byte {start}")
    return data[start:end]


def _entries(block: memoryview) -> Iterator[tuple[bytes, bytes]]:
    (count,) = struct.unpack("<I", block[-4:]) if len(block) >= 4 else (0,)
    end = len(block) - 4 * (count + 1)
    if end < 0:
        raise ValueError("a block without its list of places")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        size, at = read_varint(block, at)
        if shared > len(key) or own + size > end - at:
            raise ValueError("an entry that goes beyond its block")
        key = key[:shared] + bytes(block[at : at + own])
        at += own
        yield key, bytes(block[at : at + size])
        at += size


__all__ = ["is_table", "read_table", "write_table"]
