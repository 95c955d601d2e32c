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


def name_beside(path: Path, kind: str = "tmp") -> Path:
    """A free name beside `path` for a file that will take its place.

    Args:
        path: The target.
        kind: 'tmp', or 'old' for what is put aside.

    Example:
        >>> name_beside(Path("m.keras")).name.startswith(".m.keras.")
        True
    """
    return path.with_name(
        f"{_beginning(path)}{_host()}-{os.getpid()}-{secrets.token_hex(4)}.{kind}"
    )


def left_behind(path: Path, kind: str = "tmp") -> list[Path]:
    """Files of saves to `path` whose process is gone, the newest last."""
    return [found for found, is_alive in _all(path, kind) if not is_alive]


def is_being_written(path: Path, by_others_than: Path) -> bool:
    """Whether some save to `path` is going on, beside the one that has this temporary file."""
    return any(is_alive and found != by_others_than for found, is_alive in _all(path, "tmp"))


def clean(path: Path) -> None:
    """Delete what killed saves to `path` left."""
    for found in left_behind(path):
        remove(found)
    if path.exists():
        for found in left_behind(path, "old"):
            remove(found)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _all(path: Path, kind: str) -> list[tuple[Path, bool]]:
    """(file, whether its process lives) of all saves to `path`, in the order of their times."""
    beginning = _beginning(path)
    found = []
    try:
        names = [name for name in os.listdir(path.parent) if name.startswith(beginning)]
    except OSError:
        return []
    for name in names:
        match = _ENDING.fullmatch(name[len(beginning) - 1 :])
        if match is None or match[3] != kind:
            continue
        try:
            changed = os.lstat(path.with_name(name)).st_mtime
        except OSError:
            continue  # another process was faster
        if match[1] == _host():
            is_alive = _lives(int(match[2]))
        else:
            is_alive = time.time() - changed < _FOREIGN_SECONDS
        found.append((changed, path.with_name(name), is_alive))
    return [(place, is_alive) for _, place, is_alive in sorted(found)]


def _beginning(path: Path) -> str:
    """`.<name>.`, shortened so that the whole name is not too long for the file system."""
    name = path.name
    room = _NAME_MAX - len(f"..{'0' * 8}-{'0' * 10}-{'0' * 8}.tmp")
    if len(os.fsencode(name)) > room:
        start = os.fsencode(name)[: room - 9].decode("utf-8", "ignore")
        name = f"{start}~{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."


def _lives(process: int) -> bool:
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


__all__ = ["clean", "is_being_written", "left_behind", "name_beside", "remove"]
