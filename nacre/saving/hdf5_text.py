"""Attributes of an HDF5 file, and arrays of texts, read from its bytes with every step bounded.

The HDF5 library loops for ever on a heap of texts whose sizes are damaged, and ends the process on
an attribute whose type is; both cannot be caught. So texts never pass through it: an object's
header, its attributes and the heap their texts lie in are decoded here. Sections and field names
are those of the HDF5 File Format Specification 3.0; IV.A is the object header.
"""

from __future__ import annotations

import io
import math
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nacre.core.regions import Region, StoredPart

_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x000C, 0x0010, 0x0015  # IV.A.2, message types
_DATASPACE, _DATATYPE, _LAYOUT = 0x0001, 0x0003, 0x0008
_FIXED_TEXT, _VARIABLE_LENGTH = 3, 9  # IV.A.2.d, classes of datatypes
_NUMBERS = (0, 1, 4, 8)  # whole numbers, floats, bits, and the enumeration that holds booleans
_NOWHERE = 2**64 - 1  # "undefined address"
_MAX_HEADER = 16 << 20


class DamagedError(Exception):
    """The bytes break a rule of the format; only ever seen inside this package."""


@dataclass(frozen=True)
class Value:
    """An attribute as it lies in the file.

    Attributes:
        texts: Its texts, undecoded; None for numbers, which the library reads well.
        is_single: Whether it is one value and no list.
    """

    texts: list[bytes] | None
    is_single: bool


class Contents:
    """The bytes of an open HDF5 file.

    Attributes:
        who: The file, for errors.
        size: Length in bytes.
    """

    def __init__(self, source: str | bytes | StoredPart, who: str) -> None:
        self.who = who
        self._file: Any
        if isinstance(source, StoredPart):
            self._file = source.open()
        else:
            self._file = open(source, "rb") if isinstance(source, str) else io.BytesIO(source)
        self._lock = threading.Lock()
        self.size = self._file.seek(0, io.SEEK_END)
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        # No honest file has more objects in heaps than these; overlapping heaps would.
        self._steps_left = self.size // 4 + 1000
        self._latest: tuple[int, dict[str, tuple[bytes, bytes, bytes]], bool] | None = None
        self._has_plain_form: bool | None = None

    def close(self) -> None:
        """Close the file."""
        (self._file.file if isinstance(self._file, Region) else self._file).close()

    def read(self, at: int, length: int) -> bytes:
        """Bytes that must all be there."""
        if at < 0 or length < 0 or at + length > self.size:
            raise DamagedError("an address beyond the end of the file")
        with self._lock:
            self._file.seek(at)
            found = self._file.read(length)
        if len(found) != length:
            raise DamagedError("a file that became shorter")
        return found

    def attribute(self, address: int, name: str) -> Value | None:
        """An attribute of the object whose header is at `address`, or None."""
        if self._latest is None or self._latest[0] != address:
            attributes, is_dense = {}, False
            for kind, body in self._messages(address):
                if kind == _ATTRIBUTE:
                    key, *parts = _attribute_parts(body)
                    attributes[key] = tuple(parts)
                elif kind == _ATTRIBUTE_INFO:
                    # II.A "Attribute Info": flags, then the heap's address at a place they move.
                    at = 2 + (2 if body[1:2] and body[1] & 1 else 0)
                    is_dense = _number(body, at, 8) != _NOWHERE
            self._latest = (address, attributes, is_dense)
        _, attributes, is_dense = self._latest
        if name not in attributes:
            if is_dense:
                raise DamagedError(
                    "attributes in the dense form, which h5py writes only with libver='latest' and "
                    "which is not read here"
                )
            return None
        datatype, dataspace, data = attributes[name]
        return self._value(datatype, _dims(dataspace), data)

    def dataset_texts(self, address: int) -> list[bytes]:
        """The texts of a dataset whose header is at `address`."""
        parts = dict(self._messages(address))
        datatype, dims = parts.get(_DATATYPE, b""), _dims(parts.get(_DATASPACE, b""))
        layout = parts.get(_LAYOUT, b"")
        if layout[:1] not in (b"\3", b"\4"):
            raise DamagedError("texts in an unusual layout")
        if layout[1] == 0:  # compact: the data follow
            data = layout[4 : 4 + _number(layout, 2, 2)]
        elif layout[1] == 1:  # contiguous
            start, length = _number(layout, 2, 8), _number(layout, 10, 8)
            data = b"" if start == _NOWHERE else self.read(start, length)
        else:
            raise DamagedError("texts in pieces")
        texts = self._value(datatype, dims, data).texts
        if texts is None:
            raise DamagedError("numbers where texts belong")
        return texts

    # ------------------------------------------------------------ headers

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """The messages of an object's header, IV.A.1."""
        self._check_form()
        start = self.read(address, min(16, max(self.size - address, 0)))
        is_newer = start[:4] == b"OHDR"
        if is_newer:
            if len(start) < 6 or start[4] != 2:
                raise DamagedError("an object header of unknown version")
            flags = start[5]
            at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            blocks = [(at + width, _number(self.read(at, width), 0, width))]
            head = 6 if flags & 4 else 4
        else:
            if start[:1] != b"\1":
                raise DamagedError("an object header of unknown version")
            blocks, head = [(address + 16, _number(start, 8, 4))], 8
        seen, total = set(), 0
        while blocks:
            at, length = blocks.pop(0)
            total += length
            if at in seen or total > _MAX_HEADER:
                raise DamagedError("an object header without end")
            seen.add(at)
            block, position = self.read(at, length), 0
            while position + head <= length:
                if is_newer:
                    kind, size, flags = struct.unpack_from("<BHB", block, position)
                else:
                    kind, size, flags = struct.unpack_from("<HHB", block, position)
                position += head
                if position + size > length:
                    raise DamagedError("a message longer than its header")
                body = block[position : position + size]
                position += size
                if kind == _CONTINUATION:
                    place, rest = _number(body, 0, 8), _number(body, 8, 8)
                    if is_newer:  # "OCHK" before, a checksum behind
                        place, rest = place + 4, rest - 8
                    blocks.append((place, rest))
                elif not flags & 2:  # one that lies elsewhere is none of ours
                    yield kind, body

    def _check_form(self) -> None:
        """Addresses and lengths of 8 bytes, counted from the file's start: section II.A."""
        if self._has_plain_form is None:
            block = self.read(0, min(64, self.size))
            newer = block[8:9] >= b"\2"
            widths = block[9:11] if newer else block[13:15]
            base = 12 if newer else 28 if block[8:9] == b"\1" else 24
            self._has_plain_form = widths == b"\x08\x08" and _number(block, base, 8) == 0
        if not self._has_plain_form:
            raise DamagedError("addresses in an unusual form")

    # ------------------------------------------------------------ values

    def _value(self, datatype: bytes, dims: tuple[int, ...] | None, data: bytes) -> Value:
        """IV.A.2.d: the class is in the low four bits, then 24 bits of its own, then the size."""
        kind, bits, size = _number(datatype, 0, 1) & 15, datatype[1:4], _number(datatype, 4, 4)
        count = 0 if dims is None else math.prod(dims)
        is_single = dims == ()
        if kind in _NUMBERS:
            return Value(None, is_single)
        is_text = kind == _FIXED_TEXT or (
            kind == _VARIABLE_LENGTH and bits[0] & 15 == 1 and size == 16
        )
        if not is_text:
            raise DamagedError("an attribute that is neither text nor number")
        if size < 1 or count * size > len(data):
            raise DamagedError("fewer texts than declared")
        cells = (data[i * size : (i + 1) * size] for i in range(count))
        if kind == _FIXED_TEXT:
            is_ended_by_zero = bits[0] & 15 == 0
            texts = [c.split(b"\0")[0] if is_ended_by_zero else c.rstrip(b"\0") for c in cells]
            return Value(texts, is_single)
        texts, total = [], 0
        for cell in cells:
            length, heap, index = struct.unpack("<IQI", cell)
            if length == 0 and heap in (0, _NOWHERE):
                texts.append(b"")
                continue
            at, held = self._heap(heap).get(index, (0, -1))
            total += length
            if length > held or total > self.size:
                raise DamagedError("a text longer than where it lies")
            texts.append(self.read(at, length).split(b"\0")[0])
        return Value(texts, is_single)

    def _heap(self, address: int) -> dict[int, tuple[int, int]]:
        """Index -> (place, length) of the objects in a collection, III.E."""
        if address in self._heaps:
            return self._heaps[address]
        start = self.read(address, 16)
        size = _number(start, 8, 8)
        if start[:5] != b"GCOL\1" or address + size > self.size:
            raise DamagedError("a heap of texts without its signature")
        objects: dict[int, tuple[int, int]] = {}
        at, end = address + 16, address + size
        while at + 16 <= end:
            self._steps_left -= 1
            if self._steps_left < 0:
                raise DamagedError("heaps of texts that overlap")
            index, _, length = struct.unpack("<HH4xQ", self.read(at, 16))
            if index == 0:  # what is free, up to the end
                break
            if length > end - at - 16:
                raise DamagedError("a text longer than its heap")
            objects[index] = (at + 16, length)
            at += 16 + (length + 7) // 8 * 8
        self._heaps[address] = objects
        return objects


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise DamagedError("a message that ends too early")
    return int.from_bytes(data[at : at + width], "little")


def _attribute_parts(body: bytes) -> tuple[str, bytes, bytes, bytes]:
    """Name, datatype, dataspace and data of an attribute message, IV.A.2.m."""
    version, flags = _number(body, 0, 1), _number(body, 1, 1)
    lengths = [_number(body, 2 + 2 * i, 2) for i in range(3)]
    if version not in (1, 2, 3) or (version > 1 and flags & 3):
        raise DamagedError("an attribute in an unusual form")
    at = 9 if version == 3 else 8
    parts = []
    for length in lengths:
        if at + length > len(body):
            raise DamagedError("an attribute longer than its message")
        parts.append(body[at : at + length])
        at += (length + 7) // 8 * 8 if version == 1 else length
    name = parts[0].split(b"\0")[0].decode("utf-8", "surrogateescape")
    return name, parts[1], parts[2], body[at:]


def _dims(space: bytes) -> tuple[int, ...] | None:
    """The sizes in a dataspace message, IV.A.2.b; None where there is no value at all."""
    version, rank = _number(space, 0, 1), _number(space, 1, 1)
    if version not in (1, 2) or rank > 32:
        raise DamagedError("a dataspace of unknown version")
    if version == 2 and _number(space, 3, 1) == 2:
        return None
    at = 8 if version == 1 else 4
    return tuple(_number(space, at + 8 * i, 8) for i in range(rank))


__all__ = ["Contents", "DamagedError", "Value"]
