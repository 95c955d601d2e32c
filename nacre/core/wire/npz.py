"""Files of `numpy.savez`: a zip archive with one `.npy` an array, read without unpickling.

Format: numpy.lib.format, "Format Version 1.0" and "2.0". An array's size is known from its header,
and is compared with what the archive declares, before any memory is taken for it.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from nacre.core.errors import FileFormatError, message
from nacre.core.regions import Region

# Local file header, and end of the directory, which an archive without members begins with:
# APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.3.16.
_MEMBER, _EMPTY = b"PK\x03\x04", b"PK\x05\x06"
_ENDING = ".npy"
_MAX_HEADER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 24
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
    with zipfile.ZipFile(cast(Any, region), "w", zipfile.ZIP_STORED) as archive:
        for name, read in arrays.items():
            info = zipfile.ZipInfo(name + _ENDING, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(cast(Any, member), read(), allow_pickle=False)
            region.check()
    region.check()


@dataclass(frozen=True)
class Entry:
    """What an array of a file is.

    Attributes:
        begin: Where its numbers begin in its member.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_column_major: bool
    begin: int
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
        return Entry(dtype, tuple(shape), bool(is_column_major), beginning.tell(), member)

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array.

        Raises:
            FileFormatError: They are damaged.
        """
        entry = self.entries[name]
        order = "F" if entry.is_column_major else "C"
        try:
            array = np.empty(entry.shape, entry.dtype, order)
            room, position = array.reshape(-1, order="A").view(np.uint8), 0
            with self._archive.open(entry.member) as file:
                file.read(entry.begin)
                while part := file.read(_CHUNK_BYTES):
                    room[position : position + len(part)] = np.frombuffer(part, np.uint8)
                    position += len(part)
            if position != len(room):
                raise EOFError(f"{name!r} ends after {position} bytes")
        except _ERRORS as error:
            raise _damaged(self._who, error) from None
        return array.astype(entry.dtype.newbyteorder("="), copy=False)

    def settle(self) -> None:
        """Nothing: each array was compared with its checksum when it was read."""

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
