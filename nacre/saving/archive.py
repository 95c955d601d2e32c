"""The zip container of `.keras` files: three members, read by name, written with fixed bytes."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nacre.core.errors import FileFormatError, NacreError, message
from nacre.core.file_errors import read_json
from nacre.core.links import foreign
from nacre.core.origins import is_own_bug_whatever_was_read
from nacre.core.regions import Content, StoredPart, as_bytes
from nacre.core.wire.zip import write_archive

METADATA = "metadata.json"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
MEMBERS = (METADATA, CONFIG, WEIGHTS)

# Local file header signature of a zip archive: APPNOTE.TXT 6.3.10, section 4.3.7.
SIGNATURE = b"PK\x03\x04"

# Members may together be larger than the whole file by this factor once they are above the size
# beside it. Weights hardly compress (below 2); plain text reaches 20; deflate ends at 1032.
_MAX_RATIO = 100
_RATIO_MATTERS_ABOVE = 64 << 20
_MAX_TEXT = 512 << 20
_MAX_OTHERS = 10_000  # members that are none of a model's
_IN_PLACE_FROM = 4 << 20  # smaller weights are read into memory, which asks the system less often


def pack(files: Mapping[str, Content]) -> bytes:
    """A zip archive of `files`: stored, in order, without times, so the same input gives the same
    bytes.

    Example:
        >>> pack({"a": b"1"}) == pack({"a": b"1"})
        True
    """
    return as_bytes(partial(write_archive, files=files))


def unpack(
    source: Any,
    names: tuple[str, ...],
    who: str,
    folder: str | None = None,
    in_place: bool = False,
) -> dict[str, bytes | StoredPart]:
    """The members called `names` and those in `folder` that are there; others are left alone.

    Args:
        source: Path of the archive, or an open file.
        names: What is wanted.
        who: The file, for errors.
        folder: Beginning of the names of further members.
        in_place: Tell where large weights lie in the file, where they can be read as they are.
            Their checksum is the reader's to compare.

    Raises:
        FileFormatError: The archive is damaged, or it is a bomb.
    """
    part = "it"
    try:
        with zipfile.ZipFile(source) as archive:
            known = {info.filename: info for info in archive.infolist()}
            wanted = [name for name in known if folder and name.startswith(folder)]
            wanted = [name for name in (*names, *wanted) if name in known]
            _refuse_twice(archive, wanted)
            _refuse_bombs([known[name] for name in wanted], _size(archive.fp), who)
            _refuse_other_names(
                [i for i in archive.infolist() if i.filename not in wanted], archive
            )
            found: dict[str, bytes | StoredPart] = {}
            for name in wanted:
                part = f"'{name}' in it"
                place = _place(archive, known[name], source) if in_place else None
                found[name] = archive.read(known[name]) if place is None else place
            return found
    except NacreError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        if is_own_bug_whatever_was_read(error):
            raise
        raise FileFormatError(
            message(
                who,
                "a .keras file must be a complete zip archive",
                f"damage: {part} cannot be read ({str(error)[:120] or type(error).__name__})",
                "It may be damaged or only partly copied: fetch it again.",
            )
        ) from None


def _refuse_twice(archive: zipfile.ZipFile, wanted: list[str]) -> None:
    """Refuse two members of one name: another reader, such as a scanner, may take the other one."""
    names = Counter(archive.namelist())
    twice = [name for name in wanted if names[name] > 1]
    if twice:
        raise ValueError(f"'{twice[0]}' is there {names[twice[0]]} times")


def _refuse_other_names(others: list[zipfile.ZipInfo], archive: zipfile.ZipFile) -> None:
    """Compare the names of members that nobody asked for in the two places where they stand: a
    damaged one would pass for a member that is not there.

    Raises:
        Exception: They differ, in zipfile's words; or there are too many for a model.
    """
    if len(others) > _MAX_OTHERS:
        raise ValueError(f"{len(others)} members besides a model's")
    for member in others:
        archive.open(member).close()


def _place(archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: Any) -> StoredPart | None:
    """Where large weights lie in the file; None where they are not stored as they are."""
    is_plain = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
    is_large = member.filename == WEIGHTS and member.file_size >= _IN_PLACE_FROM
    if not (is_plain and is_large and isinstance(source, str)):
        return None
    archive.open(member).close()  # compares the names in both headers
    with open(source, "rb") as file:
        file.seek(member.header_offset + 26)  # 4.3.7: lengths of the name and of what follows it
        lengths = struct.unpack("<HH", file.read(4))
        start = member.header_offset + 30 + sum(lengths)
        if start + member.file_size > file.seek(0, os.SEEK_END):
            raise ValueError("it ends before the member does")
    if member.compress_size != member.file_size:
        raise ValueError("two sizes of one member")
    return StoredPart(source, start, member.file_size, member.CRC)


def _size(file: Any) -> int:
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def _refuse_bombs(members: list[zipfile.ZipInfo], size: int, who: str) -> None:
    """Check all sizes before the first member is unpacked."""
    total = sum(member.file_size for member in members)
    text = sum(member.file_size for member in members if member.filename != WEIGHTS)
    if text > _MAX_TEXT or total > max(_MAX_RATIO * size, _RATIO_MATTERS_ABOVE):
        largest = max(members, key=lambda member: member.file_size)
        raise FileFormatError(
            message(
                who,
                "its members must have the size of a model's",
                f"{len(members)} members that unpack to {total} bytes from {size}, the largest "
                f"'{largest.filename}'",
                "Do not open files of this kind from people you do not trust.",
            )
        )


def read_folder(
    folder: Path, names: tuple[str, ...], inner: str, who: str
) -> dict[str, bytes | StoredPart]:
    """The files of an unzipped archive, `names` and those below `inner`; large weights stay there.

    Raises:
        FileFormatError: One is a link that leads out of the folder, or cannot be read.
    """
    try:
        paths = [folder / name for name in names if os.path.lexists(folder / name)]
        refuse_link(folder / inner, who)
        for place, _, members in os.walk(folder / inner):  # which enters no linked folder below
            paths += [Path(place) / member for member in sorted(members)]
        for path in paths:
            refuse_link(path, who)
        paths = [path for path in paths if stat.S_ISREG(path.stat().st_mode)]
        text = sum(path.stat().st_size for path in paths if path.name != WEIGHTS)
        if text > _MAX_TEXT:
            rule = f"its files of text must have at most {_MAX_TEXT} bytes"
            raise FileFormatError(message(who, rule, str(text)))
        return {path.relative_to(folder).as_posix(): _content(path) for path in paths}
    except OSError as error:
        raise FileFormatError(message(who, "its files must be readable", str(error))) from error


def _content(path: Path) -> bytes | StoredPart:
    size = path.stat().st_size
    is_left = path.name == WEIGHTS and size >= _IN_PLACE_FROM
    return StoredPart(str(path), 0, size, None) if is_left else path.read_bytes()


def refuse_link(path: Path, who: str) -> None:
    """Refuse a file beside others that lies somewhere else on this machine; see `links.foreign`.

    Raises:
        FileFormatError: It is a link out of its folder, or a pipe.
    """
    found = foreign(path)
    if found is not None:
        raise FileFormatError(
            message(
                who,
                "the files of a model must be plain files, not links out of their folder",
                found,
                "Copy the file itself into the folder, if you trust where it comes from.",
            )
        )


__all__ = [
    "CONFIG", "MEMBERS", "METADATA", "SIGNATURE", "WEIGHTS", "pack", "read_folder", "read_json",
    "refuse_link", "unpack",
]  # fmt: skip
