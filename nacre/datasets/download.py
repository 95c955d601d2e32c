"""Fetch a file once, check it, keep it in Keras's cache folder, and unpack it safely."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.parse
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from nacre.core import config, temporary
from nacre.core.errors import ArgumentError, FileFormatError, NacreError, message
from nacre.datasets._transfer import transfer

__all__ = ["DownloadError", "get_file"]

_CHUNK_BYTES = 1 << 20
# What an archive unpacks to may be larger than the archive by this factor once it is above the size
# beside it: data hardly compresses beyond 20, deflate ends at 1032.
_MAX_RATIO = 100
_RATIO_MATTERS_ABOVE_BYTES = 1 << 30
# Folder of the cache -> what to do without a network.
_OFFLINE_HINTS = {
    "datasets": "To try things now without a network, use nacre.datasets.digits, languages or "
    "breast_cancer.",
    "models": "For a network with first values pass weights=None.",
}


class DownloadError(NacreError, OSError):
    """A file could not be fetched."""


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | tuple[str, ...] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file from the web, downloaded only when the cache does not hold it.

    A download goes to a temporary file beside its place and is renamed when complete and checked,
    so an interrupted run never leaves half a file behind. A connection that breaks off is taken up
    again where it ended, if the server can; Keras gives up.

    Args:
        fname: Name of the file in the cache; the last part of `origin` when None.
        origin: URL of the file.
        untar: Old spelling of `extract` for tar files.
        md5_hash: Old spelling of `file_hash`, an MD5 digest.
        file_hash: Expected hexadecimal digest. A cached file with another digest is fetched again.
        cache_subdir: Folder inside the cache folder.
        hash_algorithm: 'sha256', 'md5', or 'auto' to tell by the digest's length.
        extract: Unpack the archive and return the folder.
        archive_format: 'tar', 'zip', 'auto' (both are tried), None (unpack nothing), or a list.
        cache_dir: Cache folder; `KERAS_HOME` or `~/.keras` when None.
        force_download: Fetch even if the cache holds the file.

    Raises:
        ArgumentError: `origin` is missing, or `fname` is a path.
        DownloadError: The file could not be fetched; the message says where to put it by hand.
        FileFormatError: The digest differs, or an archive member points outside its folder.
    """
    if origin is None:
        raise ArgumentError(message("get_file", "origin must be a URL", "None"))
    origin = os.fspath(origin)
    if "://" not in origin:
        fix = f"For a file on this machine pass pathlib.Path({origin!r}).absolute().as_uri()."
        raise ArgumentError(message("get_file", "origin must be a URL", repr(origin), fix))
    name = os.fspath(fname or os.path.basename(urllib.parse.urlsplit(origin).path))
    if name in ("", ".", "..") or os.path.basename(name) != name:
        raise ArgumentError(
            message(
                "get_file",
                "fname must be a plain file name",
                repr(name),
                "Name the folder with cache_dir or cache_subdir.",
            )
        )
    folder = _cache_folder(cache_dir) / cache_subdir
    folder.mkdir(parents=True, exist_ok=True)
    unpack = untar or extract
    archive, target = _places(folder, name, named=fname is not None, unpack=unpack)
    digest, algorithm = file_hash, hash_algorithm
    if digest is None and md5_hash is not None:
        digest, algorithm = md5_hash, "md5"

    _check_digest(digest, algorithm)
    if force_download or not archive.is_file() or not _matches(archive, digest, algorithm):
        _download(origin, archive, digest, algorithm)
        if unpack and target.is_dir():
            shutil.rmtree(target)
    if not unpack:
        return str(archive)
    if not target.exists() and archive_format is not None:
        _unpack(archive, target, "tar" if untar else archive_format)
    return str(target)


def _cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The cache folder; a folder under the system's temporary one when it cannot be written."""
    folder = Path(cache_dir) if cache_dir is not None else config.keras_home()
    folder = folder.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    return folder if writable else Path(tempfile.gettempdir()) / ".keras"


def _places(folder: Path, name: str, *, named: bool, unpack: bool) -> tuple[Path, Path]:
    """Where the file and the unpacked folder go; Keras 3.15's layout, so caches are shared."""
    if not unpack:
        return folder / name, folder / name
    stem = name[: -len(".tar.gz")] if name.endswith(".tar.gz") else os.path.splitext(name)[0]
    if named and stem != name:
        return folder / name, folder / f"{stem}_extracted"
    return folder / f"{name}_archive", folder / name


def _digest(path: Path, algorithm: str) -> str:
    hasher = hashlib.md5(usedforsecurity=False) if algorithm == "md5" else hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def _check_digest(digest: str | None, algorithm: str) -> None:
    """Refuse what no file can have, before anything is fetched."""
    lengths = {"auto": (32, 64), "md5": (32,), "sha256": (64,)}
    if algorithm not in lengths:
        rule = "hash_algorithm must be 'auto', 'md5' or 'sha256'"
        raise ArgumentError(message("get_file", rule, repr(algorithm)))
    if digest is not None and len(digest) not in lengths[algorithm]:
        rule = "file_hash must be the hexadecimal digits of an MD5 (32) or SHA-256 (64) digest"
        raise ArgumentError(message("get_file", rule, f"{len(digest)} of them: {digest!r}"))


def _resolve_algorithm(algorithm: str, expected: str) -> str:
    if algorithm == "auto":
        return "sha256" if len(expected) == 64 else "md5"
    return "sha256" if algorithm == "sha256" else "md5"


def _matches(path: Path, expected: str | None, algorithm: str) -> bool:
    if expected is None:
        return True
    return _digest(path, _resolve_algorithm(algorithm, expected)) == expected.lower()


def _download(origin: str, path: Path, expected: str | None, algorithm: str) -> None:
    temporary.clean(path)
    unfinished = temporary.temporary_name(path)
    try:
        with unfinished.open("xb") as file:
            _fetch(origin, file, path)
        if not _matches(unfinished, expected, algorithm):
            kind = _resolve_algorithm(algorithm, expected or "")
            raise FileFormatError(
                message(
                    f"file {path.name!r}",
                    f"its {kind} digest must be {expected}",
                    f"{_digest(unfinished, kind)} from {origin}",
                    "Try again; if it stays, the file at the source has changed.",
                )
            )
        os.replace(unfinished, path)
    finally:
        temporary.remove(unfinished)


def _fetch(origin: str, file: IO[bytes], path: Path) -> None:
    try:
        transfer(origin, file, path.name)
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        hint = _OFFLINE_HINTS.get(path.parent.name, "")
        where = "it is not in the cache"
        if path.is_file():
            where = "the one in the cache has another digest or is to be fetched again"
        raise DownloadError(
            message(
                f"file {path.name!r}",
                f"{where}, and must be downloaded from {origin}",
                f"{type(error).__name__.lstrip('_')}: {reason}",
                f"Check the network, or put the file at {path} by hand. {hint}".rstrip(),
            )
        ) from None


def _unpack(archive: Path, target: Path, formats: str | list[str] | tuple[str, ...]) -> None:
    """Unpack into a temporary folder, then rename; a file that is no archive is an error."""
    wanted = ("tar", "zip") if formats == "auto" else formats
    wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    temporary.clean(target)
    unfinished = temporary.temporary_name(target)
    unfinished.mkdir()
    try:
        if "tar" in wanted and tarfile.is_tarfile(archive):
            unpack = unpack_tar
        elif "zip" in wanted and zipfile.is_zipfile(archive):
            unpack = _unpack_zip
        else:
            raise FileFormatError(
                message(
                    f"file {archive.name!r}",
                    f"it must be an archive of kind {' or '.join(wanted)} to be unpacked",
                    "a zip file" if zipfile.is_zipfile(archive) else "a file of another kind",
                    "Pass extract=True and archive_format='auto' for archives of any kind, and "
                    "neither extract nor untar for a plain file.",
                )
            )
        try:
            unpack(archive, unfinished)
        except _DAMAGE as error:
            raise FileFormatError(
                message(
                    f"archive {archive.name!r}",
                    "it must be complete, and no member may replace another",
                    f"{type(error).__name__}: {error}"[:200],
                    "Fetch it again with force_download=True.",
                )
            ) from error
        try:
            os.replace(unfinished, target)
        except OSError:
            if not target.is_dir():  # else another process was first
                raise
    finally:
        temporary.remove(unfinished)


# What tarfile, zipfile, their decompressors and the file system raise for a damaged archive, or for
# one with a file where another member needs a folder.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile,
    FileExistsError, NotADirectoryError, IsADirectoryError, RuntimeError, NotImplementedError,
    ValueError,
)  # fmt: skip


def _refuse_bombs(archive: Path, size: int) -> None:
    if size > max(_RATIO_MATTERS_ABOVE_BYTES, _MAX_RATIO * archive.stat().st_size):
        raise FileFormatError(
            message(
                f"archive {archive.name!r}",
                f"it must not unpack to more than {_MAX_RATIO} times its size",
                f"{archive.stat().st_size:,} bytes that unpack to {size:,}",
                "Do not use this archive unless you trust it; then unpack it by hand.",
            )
        )


def _check_member(archive: Path, name: str, *, plain: bool) -> None:
    """Refuse members that could be written outside the folder: absolute, '..', links, devices."""
    parts = PurePosixPath(name.replace("\\", "/"))
    plain = plain and "\0" not in name
    outside = parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts or ("",))[0]
    if outside or not plain:
        raise FileFormatError(
            message(
                f"archive {archive.name!r}",
                "its members must be plain files and folders inside the archive",
                repr(name),
                "Do not use this archive unless you trust it; then unpack it by hand.",
            )
        )


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder, and nothing outside of it.

    Raises:
        FileFormatError: A member would lie outside, or is no plain file or folder; nothing is
            written.
    """
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        for member in members:
            _check_member(archive, member.name, plain=member.isfile() or member.isdir())
        _refuse_bombs(archive, sum(member.size for member in members))
        for member in members:
            place = folder / member.name
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            if source is not None:
                with source, place.open("wb") as file:
                    shutil.copyfileobj(source, file)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zip_file:
        for member in zip_file.infolist():
            kind = (member.external_attr >> 16) & 0o170000  # file type bits of the Unix mode
            _check_member(archive, member.filename, plain=kind in (0, 0o100000, 0o040000))
        _refuse_bombs(archive, sum(member.file_size for member in zip_file.infolist()))
        zip_file.extractall(folder)
