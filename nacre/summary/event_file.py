"""One event file: records that are appended, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import threading
import time
from pathlib import Path
from typing import IO

from nacre.core.atomic import writing_fix
from nacre.core.errors import ArgumentError, message
from nacre.core.wire.records import record
from nacre.summary.messages import file_version, timed

_numbers = itertools.count()  # files of this process, whose names would else be one in one second


class EventFile:
    """A new file in a folder, which no other run and no other process writes to.

    What was written and flushed can be read at any time, whatever becomes of the process. A write
    that fails, as on a full disk, leaves the file as it was before: it ends with a whole record.

    Args:
        folder: Made if it is not there.
        who: Who writes, for messages.
        suffix: End of the file's name.
        max_queue: Events that wait, at most.
        flush_seconds: How long they wait, at most, until the next one comes.

    Raises:
        OSError: The folder may not be written to, or the disk is full; says what to do.
    """

    def __init__(
        self,
        folder: str,
        who: str,
        suffix: str = "",
        max_queue: int = 10,
        flush_seconds: float = 120.0,
    ) -> None:
        self._who, self._max_queue, self._flush_seconds = who, max_queue, flush_seconds
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._waiting: list[bytes] = []
        self._num_bytes = 0
        now = time.time()
        # The part that the viewer looks for in names is `tfevents`; the rest is as TensorFlow's.
        name = (
            f"events.out.tfevents.{int(now):010d}.{socket.gethostname() or 'host'}"
            f".{self._process}.{next(_numbers)}{suffix}"
        )
        self.path = Path(folder) / name
        self._file: IO[bytes] | None = None
        try:
            os.makedirs(folder, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            raise self._error_of_file(error) from error
        self._flushed = time.monotonic()
        self._waiting.append(record(timed(now, file_version())))
        try:
            self.flush()
        except OSError:
            self.close()
            self.path.unlink(missing_ok=True)
            raise

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._file is None

    def add(self, event: bytes) -> None:
        """Append an event, with the present time.

        Raises:
            ArgumentError: By a process that was forked from the one that made the file.
            OSError: The disk is full.
        """
        self._check_process()
        data = record(timed(time.time(), event))
        with self._lock:
            self._waiting.append(data)
            is_due = time.monotonic() - self._flushed > self._flush_seconds
            if is_due or len(self._waiting) > self._max_queue:
                self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            OSError: The disk is full. What waited goes on waiting.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._flushed = time.monotonic()
            if self._file is None or not waiting or os.getpid() != self._process:
                return
            data = memoryview(b"".join(waiting))
            done = 0
            try:
                while done < len(data):
                    done += self._file.write(data[done:]) or 0
            except BaseException as error:
                self._waiting[:0] = waiting  # they are written by the next flush that can
                with contextlib.suppress(OSError):
                    self._file.truncate(self._num_bytes)
                    self._file.seek(self._num_bytes)
                if isinstance(error, OSError):
                    raise self._error_of_file(error) from error
                raise
            self._num_bytes += done

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            try:
                self.flush()
            finally:
                file, self._file = self._file, None
                if file is not None:
                    file.close()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise ArgumentError(
                message(
                    self._who,
                    "a file is written by the process that made it, and this one was forked from "
                    "it",
                    str(self.path),
                    "Make a writer of its own in each process.",
                )
            )

    def _error_of_file(self, error: OSError) -> OSError:
        """The same error, which says what is there and what to do."""
        number = error.errno or errno.EIO
        rule = "the event file must be written; what stood in it before is whole"
        if self._file is None:
            rule = "an event file must be made in this folder"
        text = message(self._who, rule, os.strerror(number), writing_fix(error))
        return OSError(number, text, str(self.path))


__all__ = ["EventFile"]
