"""The zip container of `.keras` files: three members, read by name, written with fixed bytes."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from nacre.core.errors import FileFormatError, message

METADATA = "metadata.json"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
MEMBERS = (METADATA, CONFIG, WEIGHTS)

# Local file header signature of a zip archive: APPNOTE.TXT 6.3.10, section 4.3.7.
SIGNATURE = b"PK\x03\x04"

# A member may be larger than its compressed form by this factor once it is above the size beside
# it. Weights hardly compress (below 2); plain text reaches 20; deflate ends at 1032.
_MAX_RATIO = 100
_RATIO_MATTERS_ABOVE = 64 << 20
_MAX_TEXT = 512 << 20


def pack(files: dict[str, bytes]) -> bytes:
    """A zip archive of `files`: stored, in order, without times, so the same input gives the same
    bytes.

    Example:
        >>> pack({"a": b"1"}) == pack({"a": b"1"})
        True
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def unpack(
    source: Any, names: tuple[str, ...], who: str, folder: str | None = None
) -> dict[str, bytes]:
    """The members called `names` and those in `folder` that are there; others are left alone.

    Raises:
        FileFormatError: The archive is damaged, or a member is a bomb.
    """
    found = {}
    try:
        with zipfile.ZipFile(source) as archive:
            inner = [n for n in archive.namelist() if folder and n.startswith(folder)]
            for name in (*names, *inner):
                try:
                    info = archive.getinfo(name)
                except KeyError:
                    continue
                _refuse_bombs(info, who)
                found[name] = archive.read(info)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise FileFormatError(
            message(
                who,
                "a .keras file must be a whole zip archive",
                str(error)[:120] or type(error).__name__,
                "It may be damaged or only partly copied: fetch it again.",
            )
        ) from None
    return found


def _refuse_bombs(info: zipfile.ZipInfo, who: str) -> None:
    too_long = info.filename != WEIGHTS and info.file_size > _MAX_TEXT
    expands = info.file_size > _MAX_RATIO * max(info.compress_size, 1)
    if too_long or (expands and info.file_size > _RATIO_MATTERS_ABOVE):
        raise FileFormatError(
            message(
                who,
                "its members must have the size of a model's",
                f"'{info.filename}', {info.compress_size} bytes that unpack to {info.file_size}",
                "Do not open files of this kind from people you do not trust.",
            )
        )


def read_json(content: bytes, what: str, who: str) -> Any:
    """A JSON member as plain data.

    Raises:
        FileFormatError: It is not JSON, or nested too deeply to be a model.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            message(who, f"{what} must be JSON", f"{type(error).__name__}: {str(error)[:100]}")
        ) from None


__all__ = ["CONFIG", "MEMBERS", "METADATA", "SIGNATURE", "WEIGHTS", "pack", "read_json", "unpack"]
