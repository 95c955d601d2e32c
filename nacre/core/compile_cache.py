"""Compiled programs kept between runs of Python.

JAX can keep what XLA compiled in a folder. nacre turns that on, in the user's cache folder and
bounded in size, so that a script's second run starts at once. `NACRE_COMPILE_CACHE=0` turns it off;
a folder chosen for JAX (`JAX_COMPILATION_CACHE_DIR`) is left as it is. What lies there is run, so
the folder must be the user's own, closed to others (`core.private`).
"""

from __future__ import annotations

import os
from pathlib import Path

from nacre.core import whole_programs
from nacre.core.config import cache_home
from nacre.core.private import is_private_file, make_private_folder
from nacre.core.typed_jax import change_setting, setting

MAX_BYTES = 1 << 30
MAX_FILES = 4096  # every process looks at each: a thousand take some 8 ms
# Programs that compile faster than this are not worth a file.
MIN_COMPILE_SECONDS = 0.2


def enable() -> str | None:
    """Turn the cache on; gives the folder, or None when it is off."""
    if os.environ.get("NACRE_COMPILE_CACHE", "1").lower() in ("0", "off", "false", "no"):
        return None
    chosen = setting("jax_compilation_cache_dir")
    if chosen:
        return chosen
    try:
        folder = make_private_folder(cache_home() / "compiled")
        if not os.access(folder, os.W_OK):
            return None
    except (OSError, RuntimeError):
        # A home that is read-only, unknown or open to others must not stop anybody.
        return None
    change_setting("jax_compilation_cache_dir", str(folder))
    change_setting("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    change_setting("jax_persistent_cache_min_entry_size_bytes", 0)
    # What XLA keeps beside it holds paths of this machine; only the programs themselves are kept.
    change_setting("jax_persistent_cache_enable_xla_caches", "none")
    whole_programs.use_in(str(folder))
    _prune(folder, MAX_BYTES, MAX_FILES)
    return str(folder)


def _prune(folder: Path, most_bytes: int, most_files: int) -> None:
    """Delete the oldest programs until the folder holds at most so many bytes and files.

    JAX's own bound needs another package and a lock; looking once a process is enough here.
    """
    entries: list[tuple[os.stat_result, str]] = []
    try:
        for entry in os.scandir(folder):
            if is_private_file(entry):
                entries.append((entry.stat(follow_symlinks=False), entry.path))
            elif not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # a link, or put there while others could write to it
    except OSError:
        return
    total, count = sum(stat.st_size for stat, _ in entries), len(entries)
    for stat, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
        if total <= most_bytes and count <= most_files:
            return
        try:
            os.unlink(path)
            total, count = total - stat.st_size, count - 1
        except OSError:
            continue  # another process was faster
