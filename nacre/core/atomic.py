"""Writing a file so that at every moment the path holds the old content or the whole new one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import filecmp
import io
import os
import stat
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from nacre.core import temporary
from nacre.core.errors import ArgumentError, FileFormatError, NacreError, message
from nacre.core.regions import Content, Meanwhile, Region, write_into

_LARGE_BYTES = 16 << 20  # what is smaller is on the disk before a thread is


def target_path(filepath: Any, who: str) -> Path:
    """The path to write to, behind symbolic links; its folder must exist.

    Raises:
        ArgumentError: It is no path, or its folder is missing.
    """
    try:
        text = os.fsdecode(filepath)
        path = Path(text)
    except TypeError:
        raise ArgumentError(
            message(who, "filepath must be a path or a file object", type(filepath).__name__)
        ) from None
    if not text:  # which a Path takes for the folder that the program runs in
        raise ArgumentError(message(who, "filepath must be a path", "''"))
    if "\0" in str(path):
        raise ArgumentError(message(who, "filepath must be a path", "one with a zero byte in it"))
    folder = path.parent
    if not folder.is_dir():
        raise _missing_folder(path, folder, who)
    return Path(os.path.realpath(path))


def refuse_non_file(path: Path, who: str) -> None:
    """Raise when a file is to be written where something else than a file is.

    Raises:
        ArgumentError: A folder, device, pipe or socket is there.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:  # nothing is there, or writing raises the error
        return
    if stat.S_ISREG(mode):
        return
    what = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
    raise ArgumentError(
        message(who, "the path must be free or a file's", f"'{path}', {what}", "Choose another.")
    )


class MissingFolderError(ArgumentError, FileNotFoundError):
    """A file is to be written into a folder that is not there."""


def _missing_folder(path: Path, folder: Path, who: str) -> ArgumentError:
    return MissingFolderError(
        message(
            who,
            "the folder to write into must exist",
            f"'{path}', whose folder '{folder}' is not there",
            f"Make it first: pathlib.Path({str(folder)!r}).mkdir(parents=True).",
        )
    )


def ask_before_overwriting(path: Path | str, who: str, is_there: bool | None = None) -> None:
    """With `overwrite=False`: ask a person at a terminal; elsewhere raise.

    Args:
        path: Where to write, or how to call it.
        who: What writes.
        is_there: Whether something is there; None looks.

    Raises:
        ArgumentError: The path exists and nobody said yes.
    """
    if not (os.path.exists(path) if is_there is None else is_there):
        return
    if sys.stdin is not None and sys.stdin.isatty():
        answer = input(f"'{path}' exists. Overwrite it? [y/n] ").strip().lower()
        if answer in ("y", "yes"):
            return
    raise ArgumentError(
        message(
            who,
            "with overwrite=False the path must be free",
            f"'{path}', which exists",
            "Choose another path, or pass overwrite=True.",
        )
    )


def write_file(
    path: Path,
    content: Content,
    check: Callable[[Path], None] | None = None,
    part_of: Path | None = None,
    beside: Mapping[str, Content] | None = None,
) -> None:
    """Write beside the target, check what was written, then rename.

    Args:
        path: Target.
        content: What to write, or what writes itself into an open file.
        check: Called with the written file before it takes the target's place; raises when it is
            not what was meant. None where what was written needs no look.
        part_of: The file that this one belongs to, whose next save takes away what is left of it.
        beside: Files that belong to it, by names: they take their places first. All are checked
            together, under their own names. Where one of them replaces another one, the old target
            is taken away before: a process that ends just then leaves none, and no wrong one.

    Raises:
        OSError: The disk is full, or the folder may not be written to; says what is there now.
    """
    temporary.clean(part_of or path)
    temporary_path = temporary.temporary_name(part_of or path)
    at = temporary_path / path.name if beside else temporary_path
    with errors_name_target(part_of or path):
        mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
        try:
            if beside:
                temporary_path.mkdir()
            for name, further in (beside or {}).items():
                with _written(at.with_name(name), further):
                    pass
            with _written(at, content):
                if mode is not None:
                    with contextlib.suppress(OSError):  # a file system without permissions
                        os.chmod(at, mode)
                if check is not None:
                    check(at)
            for name in beside or {}:
                part, old = at.with_name(name), path.with_name(name)
                if path.exists() and old.exists() and not filecmp.cmp(part, old, shallow=False):
                    path.unlink()  # else, ended here, it would be read with numbers not its own
                os.replace(part, old)
            os.replace(at, path)
        except BaseException:
            temporary.remove(temporary_path)
            raise
    if beside:
        temporary.remove(temporary_path)
    _sync_folder(path.parent)


def write_folder(
    path: Path,
    files: Mapping[str, Content],
    check: Callable[[Path], None] | None,
    known: frozenset[str],
) -> None:
    """The same for a folder of files: made beside the target, then exchanged with it.

    Where the system cannot exchange two folders in one step, the old one is put aside for a
    moment; when the process ends just then, `recover` brings it back.

    Args:
        path: Target folder; replaced only when it holds nothing but `known` names.
        files: name -> content; one that ends in `/` is a folder that may stay empty.
        check: As in `write_file`.
        known: Names the format uses.
    """
    recover(path)
    if path.exists():
        is_folder = path.is_dir()
        others = sorted(set(os.listdir(path)) - known) if is_folder else []
        if others or not is_folder:
            got = f"{', '.join(others[:5])} in it" if is_folder else "a file of this name"
            raise FileFormatError(
                message(
                    f"folder '{path}'",
                    "what is replaced must hold what is written there, and nothing else",
                    got,
                    "Choose a new folder.",
                )
            )
    temporary.clean(path)
    temporary_path = temporary.temporary_name(path)
    with errors_name_target(path):
        try:
            temporary_path.mkdir()
            for name, content in files.items():
                if name.endswith("/"):
                    (temporary_path / name).mkdir(parents=True, exist_ok=True)
                    continue
                (temporary_path / name).parent.mkdir(parents=True, exist_ok=True)
                with _written(temporary_path / name, content):
                    pass
            for folder, _, _ in os.walk(temporary_path):
                _sync_folder(Path(folder))
            if check is not None:
                check(temporary_path)
            if not path.exists():
                os.replace(temporary_path, path)
            elif not exchange(temporary_path, path):
                _replace_in_two_steps(temporary_path, path)
        except BaseException:
            temporary.remove(temporary_path)
            raise
    temporary.remove(temporary_path)  # after an exchange, the old folder
    _sync_folder(path.parent)


def _replace_in_two_steps(temporary_path: Path, path: Path) -> None:
    old_path = temporary.temporary_name(path, "old")
    os.replace(path, old_path)
    try:
        os.replace(temporary_path, path)
    except BaseException:
        os.replace(old_path, path)
        raise
    temporary.remove(old_path)


def recover(path: Path) -> None:
    """Bring a folder back that a killed save had put aside."""
    if os.path.lexists(path):
        return
    old_path = temporary.leftovers(path, "old")
    if old_path:
        with contextlib.suppress(OSError):
            os.replace(old_path[-1], path)


_to_disk: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has the second alone


class _Drained(io.FileIO):
    """A file that is brought to the disk while more is written to it: the end waits less."""

    _drain: Meanwhile | None = None
    _since = 0  # bytes written since it was last begun

    def write(self, data: Any) -> int:
        count = super().write(data) or 0
        self._since += count
        if self._since >= _LARGE_BYTES and (self._drain is None or self._drain.is_done):
            self.settle()
            self._since = 0
            self._drain = Meanwhile(lambda: _to_disk(self.fileno()))
        return count

    def settle(self) -> None:
        """Wait for what was begun."""
        drain, self._drain = self._drain, None
        if drain is not None:
            drain.wait()

    def close(self) -> None:
        try:
            self.settle()
        finally:
            super().close()


@contextlib.contextmanager
def _written(path: Path, content: Content) -> Generator[None]:
    """A file with this content; when the block is left it is on the disk, which a large one is on
    its way to meanwhile."""
    with _Drained(path, "x+b") as file:
        write_into(Region(file), content)
        file.settle()
        if file.seek(0, os.SEEK_END) < _LARGE_BYTES:
            os.fsync(file.fileno())
            yield
            return
        written = Meanwhile(lambda: os.fsync(file.fileno()))
        try:
            yield
        finally:
            written.wait()


@contextlib.contextmanager
def errors_name_target(path: Path) -> Generator[None]:
    """Make errors of the system say what is at the target now."""
    was_there = os.path.lexists(path)
    try:
        yield
    except OSError as error:
        if isinstance(error, NacreError) or error.errno is None:
            raise
        state = "is as it was before" if was_there else "was not made"
        text = message(
            f"saving '{path.name}'",
            f"the file must be written completely; '{path.name}' {state}",
            os.strerror(error.errno),
            writing_fix(error),
        )
        raise OSError(error.errno, text, str(path)) from error


def writing_fix(error: OSError) -> str:
    """What to do where a file could not be written."""
    return _FIXES.get(error.errno or 0, "Look at the disk and the folder, or save elsewhere.")


_FIXES = {
    errno.ENOSPC: "Make room on the disk, or save elsewhere.",
    errno.EDQUOT: "Make room within your quota, or save elsewhere.",
    errno.EROFS: "Save to a folder that can be written to.",
    errno.EACCES: "Save to a folder that you may write to.",
    errno.EPERM: "Save to a folder that you may write to.",
    errno.ENOTDIR: "A part of the path is a file: save to another folder.",
    errno.EEXIST: "A file has this name: save to another folder.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; False where the system or its file system cannot.

    Sources: renameat2(2) of Linux with RENAME_EXCHANGE (2); renamex_np(2) of macOS with
    RENAME_SWAP (2). AT_FDCWD is -100 on Linux.
    """
    a, b = os.fsencode(first), os.fsencode(second)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(a, b, 2) == 0)
        return bool(library.renameat2(-100, a, -100, b, 2) == 0)
    except (AttributeError, OSError, TypeError):  # Windows, or an older C library
        return False


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets folders be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


__all__ = [
    "MissingFolderError", "ask_before_overwriting", "errors_name_target", "exchange", "recover",
    "refuse_non_file", "target_path", "write_file", "write_folder",
]  # fmt: skip
