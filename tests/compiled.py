"""Programs that tests compile are kept, and shared by all processes of a run and by later runs.

Half of what a test compiles, another test compiles as well, and compiling costs more than all else
together. nacre keeps programs for its users too, but only those that take long; here every one is
kept, in a folder of its own. A program is found by what it computes and by the version of XLA, so
one that has changed is compiled. `NACRE_COMPILE_CACHE=0` keeps none.
"""

from __future__ import annotations

import os

from nacre.core.config import cache_home
from nacre.core.private import make_private_folder

MAX_BYTES, MAX_FILES = 1 << 29, 1 << 17


def keep() -> None:
    """Tell JAX, which must not have been imported yet, and every process that is started later."""
    if os.environ.get("NACRE_COMPILE_CACHE") or os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    try:
        folder = make_private_folder(cache_home() / "tests")
    except (OSError, RuntimeError):
        return  # a home that is unknown or cannot be written to
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    }


def delete_oldest() -> None:
    """Keep the folder small."""
    from nacre.core.compile_cache import _prune

    folder = cache_home() / "tests"
    if folder.is_dir():
        _prune(folder, MAX_BYTES, MAX_FILES)
