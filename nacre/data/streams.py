"""Files as streams of bytes, unpacked where they are compressed."""

from __future__ import annotations

import io
import os
import zlib
from typing import Any, BinaryIO, cast

from nacre.core.errors import ArgumentError, DataError, message

# How zlib is told the format: 15 for that of RFC 1950, 16 more for gzip's (zlib.h, inflateInit2).
_WINDOW_BITS = {"ZLIB": 15, "GZIP": 31}
_PART_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1; no text in UTF-8 begins so


class MissingDataFileError(DataError, FileNotFoundError):
    """A file to read is not there."""


def missing(path: str, who: str, kind: str = "file") -> MissingDataFileError:
    """The error for a path where nothing is."""
    rule = f"the {kind} must exist"
    if os.path.isabs(path):
        return MissingDataFileError(message(who, rule, repr(path), "Check the path."))
    fix = "Paths are taken from the folder that Python was started in."
    return MissingDataFileError(message(who, rule, f"{path!r}, in {os.getcwd()!r}", fix))


def folder_that_is_there(path: Any, who: str) -> str:
    """The path of a folder as a string.

    Raises:
        DataError: There is none.
    """
    folder = os.fspath(path)
    if not os.path.exists(folder):
        raise missing(folder, who, "folder")
    if not os.path.isdir(folder):
        raise DataError(message(who, "it must be a folder", f"the file {folder!r}"))
    return folder


def compression_of(value: Any, who: str) -> str:
    """A compression as '', 'GZIP' or 'ZLIB'.

    Raises:
        ArgumentError: It is something else.
    """
    name = "" if value is None else value.numpy().item() if hasattr(value, "numpy") else value
    name = name.decode() if isinstance(name, bytes) else name
    if isinstance(name, str) and name.upper() in ("", "NONE", *_WINDOW_BITS):
        return "" if name.upper() == "NONE" else name.upper()
    rule = "compression_type must be '', 'GZIP', 'ZLIB' or None"
    raise ArgumentError(message(who, rule, repr(value)[:60]))


class Stream:
    """The bytes of a file from one place on.

    Args:
        path: The file.
        compression: '', 'GZIP' or 'ZLIB'.
        at: Where to begin: a byte of what it unpacks to.
        buffer_bytes: How many bytes are read at once.
        who: Who reads, for messages.

    Attributes:
        at: The number of the next byte.

    Raises:
        DataError: There is no such file, or not so much in it.
    """

    def __init__(
        self, path: str, compression: str, at: int, buffer_bytes: int | None, who: str
    ) -> None:
        self.path, self.compression, self.at, self._who = path, compression, at, who
        self._again = b""  # bytes that were read and given back
        size = buffer_bytes if buffer_bytes and buffer_bytes > 1 else 256 << 10
        try:
            self._file: BinaryIO = open(path, "rb", buffering=size)
        except FileNotFoundError:
            raise missing(path, who) from None
        except (OSError, ValueError) as error:  # a folder, no right to read it, a zero byte in it
            got = f"{path!r}: {getattr(error, 'strerror', None) or error}"
            raise DataError(message(who, "the file must be readable", got)) from error
        try:
            self._begin(compression, size)
        except BaseException:
            self.close()
            raise

    def _begin(self, compression: str, size: int) -> None:
        at = self.at
        if compression:
            inflated = Inflated(self._file, _WINDOW_BITS[compression], self)
            self._file = cast(BinaryIO, io.BufferedReader(inflated, size))
            self.at = 0
            while self.at < at and self.read(min(_PART_BYTES, at - self.at)):
                pass
        elif at:
            self.at = min(at, self._file.seek(0, os.SEEK_END))
            self._file.seek(self.at)
        if self.at < at:
            raise self.error(f"the file must go on at byte {at}", "a shorter file than before")

    def read(self, count: int) -> bytes:
        """The next bytes; fewer at the end alone. Room is made only for what there is."""
        if self._again:
            again, self._again = self._again[:count], self._again[count:]
            self.at += len(again)
            return again if len(again) == count else again + self.read(count - len(again))
        if count <= _PART_BYTES:
            data = self._file.read(count)
        else:
            parts: list[bytes] = []
            while count and (part := self._file.read(min(count, 16 * _PART_BYTES))):
                parts.append(part)
                count -= len(part)
            data = b"".join(parts)
        self.at += len(data)
        return data

    def refuse_packed(self) -> None:
        """Tell of a file of text that begins as those of gzip do, which is read as it stands."""
        begun = self.read(2)
        self.unread(begun)
        if begun == _GZIP and not self.compression:
            rule = "a file of text must not be compressed, or it must be said"
            raise self.error(rule, "the first bytes of gzip", "Pass compression_type='GZIP'.")

    def unread(self, data: bytes) -> None:
        """Give the last bytes back, to be read again."""
        self._again = data + self._again
        self.at -= len(data)

    def readline(self) -> bytes:
        """The next bytes up to and with a line feed; none at the end."""
        if self._again:
            end = self._again.find(b"\n") + 1
            again = self.read(end or len(self._again))
            return again if end else again + self.readline()
        line = self._file.readline()
        self.at += len(line)
        return line

    def error(self, rule: str, got: str, fix: str = "") -> DataError:
        """The error for what is wrong in the file."""
        return DataError(message(f"{self._who}, {self.path!r}", rule, got, fix))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Inflated(io.RawIOBase):
    """What a compressed file unpacks to, a piece at a time, so that a small file that unpacks to
    very much takes no memory.

    Args:
        file: The file.
        window_bits: The format, as zlib names it.
        stream: Makes errors.
    """

    def __init__(self, file: BinaryIO, window_bits: int, stream: Stream) -> None:
        self._packed, self._window_bits, self._stream = file, window_bits, stream
        self._inflater: Any = None  # none between the members of a gzip file
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        while True:
            if not self._waiting:
                self._waiting = self._packed.read(64 << 10)
                if not self._waiting:
                    if self._inflater is not None:
                        raise self._error("it ends before the end of what was compressed")
                    return 0
            if self._inflater is None:
                # Files may be filled up with zeros behind, as on tapes (gzip's manual).
                self._waiting = self._waiting.lstrip(b"\0") if self._packed_ended else self._waiting
                if not self._waiting:
                    continue
                self._inflater = zlib.decompressobj(self._window_bits)
            try:
                data = self._inflater.decompress(self._waiting, size)
            except zlib.error as error:
                raise self._error(str(error)) from None
            self._waiting = self._inflater.unconsumed_tail
            if self._inflater.eof:
                self._waiting, self._inflater = self._inflater.unused_data, None
                self._packed_ended = True
            if data:
                buffer[: len(data)] = data
                return len(data)

    _packed_ended = False

    def _error(self, what: str) -> DataError:
        at = self._packed.tell() - len(self._waiting)
        return self._stream.error(
            "a compressed file must be whole",
            f"{what}, about byte {at} of it",
            "Write it again; for a file that is not compressed leave compression_type out.",
        )

    def close(self) -> None:
        self._packed.close()
        super().close()


class Deflated:
    """A file to write to, compressed where that is asked for.

    Args:
        path: The file; what it holds is replaced.
        compression: '', 'GZIP' or 'ZLIB'.
        level: How hard to try, 0 to 9; -1 for zlib's own choice.
    """

    def __init__(self, path: str, compression: str, level: int = -1) -> None:
        self._file = open(path, "wb")
        self._packer = (
            zlib.compressobj(level, wbits=_WINDOW_BITS[compression]) if compression else None
        )

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._file.write(data if self._packer is None else self._packer.compress(data))

    def flush(self) -> None:
        """Hand to the system what was written, so that others can read it."""
        if self._packer is not None:
            self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Write what is left, and close the file."""
        if self._file.closed:
            return
        try:
            if self._packer is not None:
                self._file.write(self._packer.flush())
        finally:
            self._file.close()


__all__ = [
    "Deflated",
    "MissingDataFileError",
    "Stream",
    "compression_of",
    "folder_that_is_there",
    "missing",
]
