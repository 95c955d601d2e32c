"""Saves of several files that belong together take turns, in one process and between processes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path

_here = threading.RLock()  # where folders cannot be locked, and for whoever saves within a save


@contextlib.contextmanager
def one_save_at_a_time(folder: Path) -> Generator[None]:
    """Wait until no other save of this kind writes into a folder.

    Else the index of one could take its place beside the numbers of another, for good. The lock is
    the system's, on the folder itself: it leaves no file, and ends with the process that has it.
    Where the system or its file system has none, the threads of this process still take turns.

    Args:
        folder: The folder, which exists.

    Example:
        >>> import tempfile
        >>> with one_save_at_a_time(Path(tempfile.mkdtemp())):
        ...     print("alone")
        alone
    """
    with _here:
        descriptor = _locked(folder)
        try:
            yield
        finally:
            if descriptor is not None:
                _unlock(descriptor)


if sys.platform == "win32":

    def _locked(folder: Path) -> int | None:
        return None

    def _unlock(descriptor: int) -> None:
        os.close(descriptor)

else:
    import fcntl

    _held: dict[tuple[int, int], int] = {}  # folder -> saves of this thread within one another

    def _locked(folder: Path) -> int | None:
        descriptor = None
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            if _key(descriptor) not in _held:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a network's file system without locks, or a folder that is not read
            if descriptor is not None:
                os.close(descriptor)
            return None
        _held[_key(descriptor)] = _held.get(_key(descriptor), 0) + 1
        return descriptor

    def _unlock(descriptor: int) -> None:
        key = _key(descriptor)
        _held[key] -= 1
        if not _held[key]:
            del _held[key]
            # Said, and not only closed: a forked process may have the descriptor too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def _key(descriptor: int) -> tuple[int, int]:
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino


__all__ = ["one_save_at_a_time"]
