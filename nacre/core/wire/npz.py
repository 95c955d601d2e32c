"""Files of `numpy.savez`: a zip archive with one `.npy` an array, read without unpickling.

Format: numpy.lib.format, "Format Version 1.0" and "2.0". An array's size is known from its header,
and is compared with what the archive declares, before any memory is taken for it.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from nacre.core.errors import FileFormatError, message
from nacre.core.regions import Meanwhile, Region
from nacre.core.wire.zip import Summed, write_archive

# Local file header, and end of the directory, which an archive without members begins with:
# APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.3.16.
_MEMBER, _EMPTY = b"PK\x03\x04", b"PK\x05\x06"
_ENDING = ".npy"
_MAX_HEADER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 24
# Where a local file header says how long the name and what is behind it are: section 4.3.7.
_LENGTHS = 26
# Checksums of larger arrays are taken in threads, while the next array is read or written.
_LARGE_BYTES = 1 << 20
_MAX_PENDING = 4
# An archive's directory takes 46 bytes a member and more; each is looked at.
_MAX_MEMBERS = 1_000_000
_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, KeyError)


def is_beginning(beginning: bytes) -> bool:
    """Whether a file that begins so is one: by the name of its first member.

    Example:
        >>> buffer = io.BytesIO()
        >>> np.savez(buffer, a=np.ones(2))
        >>> is_beginning(buffer.getvalue()[:512])
        True
    """
    if beginning.startswith(_EMPTY):
        return True
    length = int.from_bytes(beginning[26:28], "little")
    return beginning.startswith(_MEMBER) and beginning[30 : 30 + length].endswith(b".npy")


def write(region: Region, arrays: Mapping[str, Callable[[], np.ndarray]]) -> None:
    """Write a file, which the same arrays make alike; each is asked for when its turn is.

    Raises:
        OSError: The disk is full, or faulty.
    """
    members = {name + _ENDING: Summed(partial(_write, read=read)) for name, read in arrays.items()}
    write_archive(region, members)


def _write(region: Region, read: Callable[[], np.ndarray]) -> int:
    """One member; gives its checksum, which is taken while it is written."""
    array, header = np.asarray(read(), order="C"), io.BytesIO()
    npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
    begin, numbers = header.getvalue(), array.reshape(-1).view(np.uint8).data
    found = _crc32(numbers, zlib.crc32(begin))
    region.write(begin)
    region.write(numbers)
    return found()


def _crc32(data: memoryview, before: int) -> Callable[[], int]:
    """Gives the CRC-32 of data behind others; of much data it is taken in a thread from now on."""
    if len(data) < _LARGE_BYTES:
        return lambda: zlib.crc32(data, before)
    return Meanwhile(lambda: zlib.crc32(data, before)).wait


@dataclass(frozen=True)
class Entry:
    """What an array of a file is.

    Attributes:
        begin: Where its numbers begin in its member.
        crc: CRC-32 of what stands before them there.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_column_major: bool
    begin: int
    crc: int
    member: zipfile.ZipInfo


class Reader:
    """A file of arrays, whose sizes have been checked before any of them is read.

    Attributes:
        entries: Name -> array, in the order of the archive.

    Raises:
        FileFormatError: It is no such file, or damaged, or holds Python objects.
    """

    def __init__(self, source: Path | bytes, who: str) -> None:
        self._who = who
        self._pending: list[tuple[str, Callable[[], int]]] = []  # name -> its checksum, soon
        try:
            opened: Any = io.BytesIO(source) if isinstance(source, bytes) else str(source)
            self._archive = zipfile.ZipFile(opened)
        except _ERRORS as error:
            raise _damaged(who, error) from None
        try:
            self.entries = self._read_headers()
        except _ERRORS as error:
            self.close()
            if isinstance(error, FileFormatError):
                raise
            raise _damaged(who, error) from None

    def _read_headers(self) -> dict[str, Entry]:
        members = self._archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise ValueError(f"{len(members)} members")
        entries: dict[str, Entry] = {}
        for member in members:
            name = member.filename.removesuffix(_ENDING)
            if name == member.filename or name in entries:
                raise ValueError(f"a member {member.filename!r}, no array or a second one")
            entries[name] = self._entry(name, member)
        return entries

    def _entry(self, name: str, member: zipfile.ZipInfo) -> Entry:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name!r} compressed in a way that NumPy has not")
        with self._archive.open(member) as file:
            beginning = io.BytesIO(file.read(_MAX_HEADER_BYTES))
        version = npy.read_magic(beginning)
        if version == (1, 0):
            shape, is_column_major, dtype = npy.read_array_header_1_0(beginning)
        elif version == (2, 0):
            shape, is_column_major, dtype = npy.read_array_header_2_0(beginning)
        else:
            raise ValueError(f"{name!r} in version {version} of the format")
        if dtype.kind not in "biufc":
            raise FileFormatError(
                message(
                    self._who,
                    "arrays must be of numbers",
                    f"{dtype} for {name!r}",
                    "Python objects are never read from a file: save the numbers themselves."
                    if dtype.hasobject
                    else "Save what NumPy has no dtype for, such as bfloat16, as float32.",
                )
            )
        size = math.prod(shape) * dtype.itemsize
        if not all(0 <= n < 2**62 for n in shape) or beginning.tell() + size != member.file_size:
            raise ValueError(
                f"{member.file_size} bytes for {name!r}, of shape {tuple(shape)} and dtype {dtype}"
            )
        begin = beginning.tell()
        crc = zlib.crc32(beginning.getvalue()[:begin])
        return Entry(dtype, tuple(shape), bool(is_column_major), begin, crc, member)

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array; see `settle`.

        Raises:
            FileFormatError: They are damaged.
        """
        entry = self.entries[name]
        order = "F" if entry.is_column_major else "C"
        try:
            array = np.empty(entry.shape, entry.dtype, order)
            room = array.reshape(-1, order="A").view(np.uint8).data
            if entry.member.compress_type == zipfile.ZIP_STORED:
                self._read_stored(name, entry, room)
            else:
                self._unpack(name, entry, room)
        except _ERRORS as error:
            raise _damaged(self._who, error) from None
        return array.astype(entry.dtype.newbyteorder("="), copy=False)

    def _read_stored(self, name: str, entry: Entry, room: memoryview) -> None:
        """Fill an array at once, past the archive's own reading in pieces."""
        assert self._archive.fp is not None
        file = Region(cast(Any, self._archive.fp), entry.member.header_offset)
        file.seek(_LENGTHS)
        name_length, more_length = struct.unpack("<HH", file.read(4))
        file.seek(_LENGTHS + 4 + name_length + more_length + entry.begin)
        if file.readinto(room) != len(room):
            raise EOFError(f"{name!r} ends within its numbers")
        self._pending.append((name, _crc32(room, entry.crc)))
        if len(room) < _LARGE_BYTES or len(self._pending) > _MAX_PENDING:
            self._compare(*self._pending.pop(-1 if len(room) < _LARGE_BYTES else 0))

    def _unpack(self, name: str, entry: Entry, room: memoryview) -> None:
        position = 0
        with self._archive.open(entry.member) as file:
            file.read(entry.begin)
            while part := file.read(_CHUNK_BYTES):
                room[position : position + len(part)] = part
                position += len(part)
        if position != len(room):
            raise EOFError(f"{name!r} ends after {position} bytes")

    def _compare(self, name: str, crc: Callable[[], int]) -> None:
        if crc() != self.entries[name].member.CRC:
            raise ValueError(f"{name!r} has another checksum than the archive says")

    def settle(self) -> None:
        """Wait until the large arrays that were read have been compared with their checksums.

        Raises:
            FileFormatError: They have others.
        """
        pending, self._pending = self._pending, []
        try:
            for name, crc in pending:
                self._compare(name, crc)
        except ValueError as error:
            raise _damaged(self._who, error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._archive.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if kind is None:
            self.settle()


def _damaged(who: str, error: Exception) -> FileFormatError:
    return FileFormatError(
        message(
            who,
            "it must be a whole .npz file",
            f"{type(error).__name__}: {str(error)[:200]}",
            "It may be damaged or only partly written: fetch it again.",
        )
    )


__all__ = ["Entry", "Reader", "is_beginning", "write"]
