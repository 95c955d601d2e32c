"""Folders and files that only this user can have written: code is loaded from them.

Who may write into a cache of machine code runs code as this user, so a cache in a shared place is
used only when nobody else can write there. Root counts as this user: its caches in an image of a
machine are read by all.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotPrivateError(PermissionError):
    """A folder or file that code is loaded from could have been written by somebody else."""


def make_private_folder(path: Path) -> Path:
    """Make a folder of mode 0700, or check one that is there; the folders above it must exist or
    are made.

    Raises:
        NotPrivateError: It is a link, another user's, or others may write to it and that cannot be
            changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check_private_folder(path)
    return path


def check_private_folder(path: Path) -> None:
    """Raise unless a folder is this user's own; one that others may write to is closed to them."""
    if not _has_owners():
        return
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotPrivateError(f"{path} is a link or no folder, and code is not loaded through it")
    if not _is_trusted(found):
        raise NotPrivateError(f"{path} belongs to another user, and code is not loaded from it")
    if found.st_mode & _OTHERS_WRITE:
        if found.st_uid == os.geteuid():
            os.chmod(path, 0o700)
            found = path.lstat()
        if found.st_mode & _OTHERS_WRITE:
            raise NotPrivateError(f"{path} can be written to by other users")


def read_private_file(path: Path) -> bytes:
    """The content of a file that only this user, or root, can have written.

    Raises:
        NotPrivateError: It is a link, no plain file, another user's, or others may write to it.
    """
    if not _has_owners():
        return path.read_bytes()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotPrivateError(f"{path} is a link, or cannot be read: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivateError(f"{path} is no plain file")
        if not _is_trusted(found) or found.st_mode & _OTHERS_WRITE:
            raise NotPrivateError(f"{path} can be written to by other users")
        return file.read()


def is_private_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a plain file of this user's or root's, and no link."""
    if not _has_owners():
        return entry.is_file()
    found = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and _is_trusted(found)


def _is_trusted(found: os.stat_result) -> bool:
    return found.st_uid in (os.geteuid(), 0)


def _has_owners() -> bool:
    return hasattr(os, "geteuid")  # not on Windows


__all__ = [
    "NotPrivateError", "check_private_folder", "is_private_file", "make_private_folder",
    "read_private_file",
]  # fmt: skip
