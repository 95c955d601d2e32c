"""Writing a file so that at every moment the path holds the old content or the whole new one."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, FileFormatError, message


def target_path(filepath: Any, who: str) -> Path:
    """The path to write to, behind symbolic links; its folder must exist.

    Raises:
        ArgumentError: It is no path, or its folder is missing.
    """
    try:
        path = Path(os.fsdecode(filepath))
    except TypeError:
        raise ArgumentError(
            message(who, "filepath must be a path or a file object", type(filepath).__name__)
        ) from None
    folder = path.parent
    if not folder.is_dir():
        raise _missing_folder(path, folder, who)
    return Path(os.path.realpath(path))


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


def ask_before_overwriting(path: Path, who: str) -> None:
    """With `overwrite=False`: ask a person at a terminal; elsewhere raise.

    Raises:
        ArgumentError: The path exists and nobody said yes.
    """
    if not path.exists():
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


def write_file(path: Path, content: bytes, check: Callable[[Path], None]) -> None:
    """Write beside the target, read back and compare, then rename.

    Args:
        path: Target.
        content: What to write.
        check: Called with the written file before it takes the target's place; raises when it is
            not what was meant.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        check(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_folder(
    path: Path, files: dict[str, bytes], check: Callable[[Path], None], known: frozenset[str]
) -> None:
    """The same for a folder of files: made beside the target, then renamed.

    Args:
        path: Target folder; replaced only when it holds nothing but `known` names.
        files: name -> content.
        check: As in `write_file`.
        known: Names the format uses.
    """
    if path.exists():
        others = sorted(set(os.listdir(path)) - known) if path.is_dir() else [path.name]
        if others:
            raise FileFormatError(
                message(
                    f"save_model('{path}')",
                    "a folder that is replaced must hold a saved model and nothing else",
                    f"{', '.join(others[:5])} in it",
                    "Choose a new folder.",
                )
            )
    token = secrets.token_hex(4)
    temporary = path.with_name(f".{path.name}.{token}.tmp")
    old = path.with_name(f".{path.name}.{token}.old")
    try:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            with open(temporary / name, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        check(temporary)
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(temporary, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    _sync_folder(path.parent)


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
    "MissingFolderError", "ask_before_overwriting", "target_path", "write_file", "write_folder",
]  # fmt: skip
