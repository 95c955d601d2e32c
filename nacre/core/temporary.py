"""Names of files that are being written, which tell whether the process that writes them lives.

Such a file lies beside its target, hidden: `.<target>.<host>-<process>-<token>.tmp`. A save that
was killed leaves it; the next one to the same target takes it away, but not what another process
is writing at that moment.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from functools import cache
from pathlib import Path

# Bytes a name may have: NAME_MAX of the usual file systems.
_NAME_MAX = 255
# What another machine wrote on a shared disk is taken for left behind after this time.
_FOREIGN_SECONDS = 24 * 3600
_ENDING = re.compile(r"\.([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.(tmp|old)$")


def temporary_name(path: Path, kind: str = "tmp") -> Path:
    """A free name beside `path` for a file that will take its place.

    Args:
        path: The target.
        kind: 'tmp', or 'old' for what is put aside.

    Example:
        >>> temporary_name(Path("m.keras")).name.startswith(".m.keras.")
        True
    """
    return path.with_name(f"{_prefix(path)}{_host()}-{os.getpid()}-{secrets.token_hex(4)}.{kind}")


def leftovers(path: Path, kind: str = "tmp") -> list[Path]:
    """Files of saves to `path` whose process is gone, the newest last."""
    return [found for found, is_alive in _files_of_saves(path, kind) if not is_alive]


def is_being_written(path: Path, own_temporary: Path) -> bool:
    """Whether some save to `path` is going on, beside the one that has this temporary file."""
    return any(
        is_alive and found != own_temporary for found, is_alive in _files_of_saves(path, "tmp")
    )


def clean(path: Path) -> None:
    """Delete what killed saves to `path` left."""
    for found in leftovers(path):
        remove(found)
    if path.exists():
        for found in leftovers(path, "old"):
            remove(found)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _files_of_saves(path: Path, kind: str) -> list[tuple[Path, bool]]:
    """(file, whether its process lives) of all saves to `path`, in the order of their times."""
    prefix = _prefix(path)
    found: list[tuple[float, Path, bool]] = []
    try:
        names = [name for name in os.listdir(path.parent) if name.startswith(prefix)]
    except OSError:
        return []
    for name in names:
        match = _ENDING.fullmatch(name[len(prefix) - 1 :])
        if match is None or match[3] != kind:
            continue
        try:
            changed = os.lstat(path.with_name(name)).st_mtime
        except OSError:
            continue  # another process was faster
        if match[1] == _host():
            is_alive = _is_running(int(match[2]))
        else:
            is_alive = time.time() - changed < _FOREIGN_SECONDS
        found.append((changed, path.with_name(name), is_alive))
    return [(file, is_alive) for _, file, is_alive in sorted(found)]


def _prefix(path: Path) -> str:
    """`.<name>.`, shortened so that the whole name is not too long for the file system."""
    name = path.name
    max_name_bytes = _NAME_MAX - len(f"..{'0' * 8}-{'0' * 10}-{'0' * 8}.tmp")
    if len(os.fsencode(name)) > max_name_bytes:
        start = os.fsencode(name)[: max_name_bytes - 9].decode("utf-8", "ignore")
        name = f"{start}~{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


@cache
def _host() -> str:
    """What process numbers count within: this machine, or a container on it."""
    namespace = ""
    with contextlib.suppress(OSError):  # not on Linux
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{platform.node()} {namespace}'.encode()):08x}"


__all__ = ["clean", "is_being_written", "leftovers", "temporary_name", "remove"]
