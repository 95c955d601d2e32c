"""A folder that one process has for itself, until it ends or says so."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from nacre.core.errors import BusyError, message
from nacre.core.warning import warn

_held: set[str] = set()  # by this process, whose own locks never stand in its way


class FolderLock:
    """Holds a folder; the system lets go of it when the process ends, however it ends.

    The lock is one on a file in the folder, of the kind that a forked process does not have.

    Args:
        folder: The folder, which exists.
        who: Who asks, for messages.

    Raises:
        BusyError: Another process holds it, or another part of this one.
        OSError: The folder may not be written to.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self._key = os.path.realpath(folder)
        path = folder / "lock"
        if self._key in _held:
            raise _busy(folder, who, f"process {os.getpid()}, which is this one")
        self._file: Any = open(path, "a+", encoding="utf-8")
        try:
            _lock(self._file)
        except OSError as error:
            text = _text(self._file)
            self._file.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                warn(
                    message(
                        who,
                        "the file system should have locks, so that a second process cannot write "
                        "into the folder; this goes on without one",
                        f"'{folder}': {error.strerror}",
                        "See to it that one process at a time uses the folder.",
                    )
                )
            else:
                raise _busy(folder, who, text or "another process") from None
        else:
            self._file.truncate(0)
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            self._file.write(f"process {os.getpid()} on {platform.node()}, since {since}")
            self._file.flush()
        _held.add(self._key)

    def release(self) -> None:
        """Let others have the folder."""
        if self._key in _held:
            _held.discard(self._key)
            self._file.close()


def _lock(file: Any) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # behind the text, which others read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _text(file: Any) -> str:
    with contextlib.suppress(OSError):
        file.seek(0)
        return str(file.read(200))
    return ""


def _busy(folder: Path, who: str, holder: str) -> BusyError:
    return BusyError(
        message(
            who,
            "a folder keeps one training at a time",
            f"'{folder}', which {holder} is training into",
            "Wait for it to end, or take another folder.",
        )
    )


__all__ = ["FolderLock"]
