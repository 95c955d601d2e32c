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
        place = _lock(folder)
        try:
            yield
        finally:
            if place is not None:
                _unlock(place)


_Place = tuple[int, int]  # device and number of a folder

if sys.platform == "win32":

    def _lock(folder: Path) -> _Place | None:
        return None

    def _unlock(place: _Place) -> None: ...

else:
    import fcntl

    _held: dict[_Place, int] = {}  # folder -> its descriptor

    def _lock(folder: Path) -> _Place | None:
        """Wait for the system's lock of a folder; None where there is none, or a save around this
        one has it."""
        descriptor = None
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            status = os.fstat(descriptor)
            place = status.st_dev, status.st_ino
            if place not in _held:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                _held[place] = descriptor
                return place
        except OSError:  # a network's file system without locks, or a folder that is not read
            pass
        if descriptor is not None:
            os.close(descriptor)
        return None

    def _unlock(place: _Place) -> None:
        descriptor = _held.pop(place, None)
        if descriptor is not None:  # it is None in a process that was forked within the save
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _leave_to_parent() -> None:
        """In a forked process: whose turn it was is not here, and would never end it. The system
        lends the parent's locks to the copies of their descriptors, until these are closed."""
        global _here
        _here = threading.RLock()
        while _held:
            os.close(_held.popitem()[1])

    os.register_at_fork(after_in_child=_leave_to_parent)


__all__ = ["one_save_at_a_time"]
