"""Parts of files: read and written from a place on, as if they were files of their own."""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

# What writes itself into an open file from the file's beginning on, or is there already.
Content = bytes | Callable[["Region"], object]

_CHUNK_BYTES = 1 << 20


class Region:
    """A file from a place on, for writing or reading, without a buffer.

    A write that fails is noted and the later ones are left out: libraries that write through it,
    such as HDF5, can then still close what they opened. `check` raises what was noted.

    Args:
        file: The file, opened without a buffer; or one in memory.
        start: Where the region begins.
        size: How far it goes; None for the end of the file.
    """

    def __init__(self, file: IO[bytes], start: int = 0, size: int | None = None) -> None:
        self.file: Any = file
        self.start = start
        self.size = size
        self._position = 0
        self._error: OSError | None = None
        self._lock = threading.Lock()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; gives it."""
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self.length()
        self._position = offset
        return offset

    def tell(self) -> int:
        """The place."""
        return self._position

    def length(self) -> int:
        """How many bytes there are."""
        if self.size is not None:
            return self.size
        return max(0, self.file.seek(0, os.SEEK_END) - self.start)

    def write(self, data: Any) -> int:
        """Write all of it."""
        view = memoryview(data).cast("B")
        with self._lock:
            try:
                if self._error is None:
                    self.file.seek(self.start + self._position)
                    done = 0
                    while done < len(view):  # the system takes 2 GB at a time at most
                        done += self.file.write(view[done:]) or 0
            except OSError as error:
                self._error = error
        self._position += len(view)
        return len(view)

    def readinto(self, target: Any) -> int:
        """Fill a buffer as far as there are bytes; gives their number."""
        view = memoryview(target).cast("B")
        wanted = max(0, min(len(view), self.length() - self._position))
        done = 0
        with self._lock:
            self.file.seek(self.start + self._position)
            while done < wanted:
                count = self.file.readinto(view[done:wanted])
                if not count:
                    break
                done += count
        self._position += done
        return done

    def read(self, count: int = -1) -> bytes:
        """Bytes from here on."""
        left = max(0, self.length() - self._position)
        target = bytearray(left if count < 0 else min(count, left))
        return bytes(memoryview(target)[: self.readinto(target)])

    def truncate(self, size: int | None = None) -> int:
        """Let the file end here."""
        end = self._position if size is None else size
        try:
            if self._error is None:
                self.file.truncate(self.start + end)
        except OSError as error:
            self._error = error
        return end

    def flush(self) -> None:
        """Nothing: there is no buffer."""

    def check(self) -> None:
        """Raise what went wrong in writing.

        Raises:
            OSError: The disk is full, or faulty.
        """
        if self._error is not None:
            raise self._error

    def chunks(self) -> Iterator[memoryview]:
        """The bytes that are there, some at a time, each until the next is asked for."""
        chunk, position = memoryview(bytearray(_CHUNK_BYTES)), 0
        before, left = self._position, self.length()
        while left:
            self.seek(position)
            count = self.readinto(chunk[: min(left, _CHUNK_BYTES)])
            if not count:
                break
            yield chunk[:count]
            position, left = position + count, left - count
        self.seek(before)

    def crc32(self, found: int = 0) -> int:
        """CRC-32 of the bytes that are there, behind others that have this one."""
        for chunk in self.chunks():
            found = zlib.crc32(chunk, found)
        return found


@dataclass(frozen=True)
class StoredPart:
    """Bytes that lie in a file as they are, such as a member of an archive without compression.

    Attributes:
        path: The file.
        start: Where they begin.
        size: How many there are.
        crc: Their CRC-32; None where what is in them has checksums of its own.
    """

    path: str
    start: int
    size: int
    crc: int | None

    def open(self) -> Region:
        """Open them; whoever does closes `file` of what it gets."""
        return Region(open(self.path, "rb", buffering=0), self.start, self.size)

    def __len__(self) -> int:
        return self.size


class Meanwhile:
    """Something that is done in a thread while this one goes on.

    Args:
        work: What to do; what it raises is raised by `wait`.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def wait(self) -> Any:
        """What it gave."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def as_bytes(content: Content) -> bytes:
    """A content in memory."""
    if isinstance(content, bytes):
        return content
    file = io.BytesIO()
    region = Region(file)
    content(region)
    region.check()
    return file.getvalue()


def write_into(region: Region, content: Content) -> None:
    """Write a content from a region's beginning on.

    Raises:
        OSError: The disk is full, or faulty.
    """
    if isinstance(content, bytes):
        region.write(content)
    else:
        content(region)
    region.check()


__all__ = ["Content", "Meanwhile", "Region", "StoredPart", "as_bytes", "write_into"]
