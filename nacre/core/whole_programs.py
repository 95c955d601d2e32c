"""JAX's cache of compiled programs, with files that are whole or not there.

JAX writes them in place: a process that is killed meanwhile leaves a cut file, which JAX tells of
at every later start, compiles anew, and never replaces.
"""

# JAX has no types for what is private to it.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import os
from pathlib import Path

from nacre.core import temporary


class WholeFiles:
    """What JAX asks of a cache: bytes by name, in files that take their place at once.

    Args:
        folder: Where they are, under the names that JAX's own cache gives them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = WholeFiles(Path(folder))
        ...     kept.put("program", b"code")
        ...     kept.get("program"), kept.get("other")
        (b'code', None)
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder

    def _file(self, key: str) -> Path:
        return self._path / f"{key}-cache"

    def get(self, key: str) -> bytes | None:
        """What is kept under a name, if anything."""
        try:
            return self._file(key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, key: str, value: bytes) -> None:
        """Keep it, in the place of what may be there. Without waiting for the disk: a file that a
        crash of the machine spoils is replaced when it turns out not to be readable."""
        path = self._file(key)
        beside = temporary.temporary_name(path)
        try:
            beside.write_bytes(value)
            os.replace(beside, path)
        except BaseException:
            temporary.remove(beside)
            raise


_folders: set[str] = set()


def use_in(folder: str) -> None:
    """Have JAX keep its programs so in this folder, and in others as before."""
    _folders.add(folder)
    _install()


@functools.cache  # once a process
def _install() -> None:
    """Used: `jax._src.compilation_cache.get_file_cache`, which makes the cache before the first
    program is compiled. Where a later JAX has no such function, its own cache stays."""
    from jax._src import compilation_cache

    of_jax = getattr(compilation_cache, "get_file_cache", None)
    if of_jax is None:
        return

    def get_file_cache(path: str) -> object:
        return (WholeFiles(Path(path)), path) if path in _folders else of_jax(path)

    compilation_cache.get_file_cache = get_file_cache


__all__ = ["WholeFiles", "use_in"]
