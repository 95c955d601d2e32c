"""Files at addresses such as `s3://bucket/model.keras`, read and written through fsspec.

fsspec knows the kinds of stores; the package of each is imported when an address of its kind is
used. Addresses may hold passwords, so messages name the kind and the file alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacre.core.atomic import ask_before_overwriting
from nacre.core.errors import ArgumentError, MissingPackageError, NacreError, message
from nacre.core.interop import optional_import

# Two letters at least: 'C:' is a disk of Windows. Chains such as 'simplecache::s3://' too.
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+(::[A-Za-z][\w+.-]+)*://")


class AddressError(NacreError, OSError):
    """A store behind an address did not do what it was asked for."""


def is_address(filepath: Any) -> bool:
    """Whether it is an address for fsspec; `hf://` is read and written without.

    Example:
        >>> is_address("s3://bucket/m.keras"), is_address("C:/m.keras"), is_address("m.keras")
        (True, False, False)
    """
    return (
        isinstance(filepath, str)
        and _ADDRESS.match(filepath) is not None
        and not filepath.startswith("hf://")
    )


def file_name(address: str) -> str:
    """The name of the file at an address.

    Example:
        >>> file_name("s3://bucket/folder/m.keras")
        'm.keras'
    """
    return address.rstrip("/").rpartition("/")[2]


def _shown(address: str) -> str:
    return f"{address.partition('://')[0]}://…/{file_name(address)}"


@dataclass(frozen=True)
class _Store:
    """A store, and the path of a file in it."""

    system: Any
    path: str
    shown: str

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's disk."""
        return type(self.system).__name__ == "LocalFileSystem"

    @property
    def can_move(self) -> bool:
        """Whether it moves files; of others fsspec makes a copy and deletes the first."""
        base: Any = importlib.import_module("fsspec").AbstractFileSystem
        return bool(self.system.__class__.mv is not base.mv)


def _store(address: str, who: str) -> _Store:
    optional_import("fsspec", extra="fsspec", who=f"{who}, of an address")
    core: Any = importlib.import_module("fsspec.core")
    shown = _shown(address)
    try:
        system, path = core.url_to_fs(address)
    except ImportError as error:
        raise MissingPackageError(
            message(
                who,
                f"the package that fsspec reaches {shown.partition('…')[0]} with must be installed",
                f"{type(error).__name__}: {error}",
            )
        ) from None
    except ValueError as error:
        rule = "the address must be of a kind that fsspec knows"
        raise ArgumentError(message(who, rule, f"{shown!r}: {error}")) from None
    except Exception as error:  # of the store's own package, any class
        raise _failed(shown, who, "reached", error) from error
    return _Store(system, str(path), shown)


def _failed(shown: str, who: str, what: str, error: Exception) -> AddressError:
    text = str(error).splitlines()[0][:200] if str(error) else ""
    return AddressError(
        message(who, f"'{shown}' must be {what}", f"{type(error).__name__}: {text}")
    )


def fetch(address: str, who: str) -> Path | bytes | None:
    """The content of the file at an address, or its path on this machine; None where there is none.

    Args:
        address: Such as `s3://bucket/m.keras`.
        who: What asks for it.

    Raises:
        AddressError: It cannot be fetched.
        MissingPackageError: fsspec, or its package for such addresses, is not installed.
    """
    store = _store(address, who)
    if store.is_local:
        return Path(store.path)
    try:
        with store.system.open(store.path, "rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        if not _is_folder(store):
            return None
        rule = "at an address there must be one file; folders are opened from a disk"
        fix = "Fetch it first: fsspec.filesystem(kind).get(path, folder, recursive=True)."
        raise ArgumentError(message(who, rule, f"'{store.shown}', a folder", fix)) from error
    except Exception as error:  # of the store's own package, any class
        raise _failed(store.shown, who, "readable", error) from error


def _is_folder(store: _Store) -> bool:
    try:
        return bool(store.system.isdir(store.path))
    except Exception:  # which only a hint depends on
        return False


@contextlib.contextmanager
def written(address: str, who: str, overwrite: bool) -> Generator[tuple[Path, bool]]:
    """A path to write one file to, and whether one may be there; it is then brought to an address.

    What is at the address stays as it is until the new file is whole where the store can move
    files: it is written under another name beside it. Other stores, such as S3, show an object when
    all of it has arrived.

    Args:
        address: Such as `s3://bucket/m.keras`; one of this machine's disk is written to at once.
        who: What writes.
        overwrite: As in `save_model`.

    Raises:
        ArgumentError: `overwrite` is False and something is there; or several files were written.
        AddressError: The store did not take it.
    """
    store = _store(address, who)
    if store.is_local:
        yield Path(store.path), overwrite
        return
    if not overwrite:
        try:
            is_there = bool(store.system.exists(store.path))
        except Exception as error:  # of the store's own package, any class
            raise _failed(store.shown, who, "asked for", error) from error
        ask_before_overwriting(store.shown, who, is_there)
    with tempfile.TemporaryDirectory(prefix="nacre-") as folder:
        path = Path(folder, file_name(address))
        yield path, True
        if not path.is_file() or len(os.listdir(folder)) > 1:
            rule = "to an address only formats of one file are written"
            fix = "Write to a disk, and copy the files."
            raise ArgumentError(message(who, rule, f"'{store.shown}', of several files", fix))
        try:
            _bring(path, store)
        except Exception as error:  # of the store's own package, any class
            raise _failed(store.shown, who, "written completely", error) from error


def _bring(path: Path, store: _Store) -> None:
    if store.can_move:
        beginning, slash, name = store.path.rpartition("/")
        beside = f"{beginning}{slash}.{name}.{secrets.token_hex(4)}.tmp"
        try:
            _put(path, store.system, beside)
            store.system.mv(beside, store.path)
        except BaseException:
            with contextlib.suppress(Exception):
                store.system.rm_file(beside)
            raise
    else:
        _put(path, store.system, store.path)


def _put(path: Path, system: Any, target: str) -> None:
    with open(path, "rb") as source:
        file = system.open(target, "wb")
        try:
            shutil.copyfileobj(source, file, 1 << 22)
        except BaseException:
            # Closing would make what has arrived so far the object.
            with contextlib.suppress(Exception):
                file.discard()
            raise
        file.close()
    size = system.size(target)
    if size is not None and size != path.stat().st_size:
        raise OSError(f"{size} bytes arrived of {path.stat().st_size}")


__all__ = ["AddressError", "fetch", "file_name", "is_address", "written"]
