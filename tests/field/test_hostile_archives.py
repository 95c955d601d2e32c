"""An archive that `get_file` fetches is unpacked into its own folder, or not at all.

CVE-2025-12060 (members that climb out of the folder, and links that lead out of it) and variations.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nacre.core.errors import ArgumentError, FileFormatError
from nacre.datasets import download
from nacre.utils import get_file

Member = tuple[tarfile.TarInfo, bytes]


def plain(name: str, content: bytes = b"x") -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def titled(name: str) -> Member:
    """A member whose true name stands in a header before it."""
    info, content = plain("innocent.txt")
    info.pax_headers = {"path": name}
    return info, content


def climbing_links() -> list[Member]:
    """Links through folders with names so long that a resolved path is cut (CVE-2025-4517)."""
    members, step = [], "d" * 247
    place = ""
    for letter in "abcdefghijklmnop":
        folder = tarfile.TarInfo(f"{place}{step}")
        folder.type = tarfile.DIRTYPE
        members += [(folder, b""), special(f"{place}{letter}", tarfile.SYMTYPE, step)]
        place = f"{place}{letter}/"
    members.append(special(f"{place}{'l' * 254}", tarfile.SYMTYPE, "../" * 16))
    return [*members, special("escape", tarfile.SYMTYPE, f"{place}{'l' * 254}/../evil")]


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
TARS: dict[str, Callable[[str], list[Member]]] = {
    "parent": lambda out: [plain("../evil.txt")],
    "deep parent": lambda out: [plain("a/b/../../../evil.txt")],
    "absolute": lambda out: [plain(f"{out}/evil.txt")],
    "two slashes": lambda out: [plain(f"//{out}/evil.txt")],
    "backslashes": lambda out: [plain("..\\evil.txt")],
    "title": lambda out: [titled("../evil.txt")],
    "symbolic link": lambda out: [special("a", SYM, out)],
    "file through a link": lambda out: [special("a", SYM, out), plain("a/evil.txt")],
    "file over a link": lambda out: [special("a", SYM, f"{out}/evil.txt"), plain("a")],
    "relative link": lambda out: [special("a", SYM, "../.."), plain("a/evil.txt")],
    "chain of links": lambda out: [
        special("a", SYM, "."), special("b", SYM, "a/.."), plain("b/evil.txt"),
    ],
    "hard link": lambda out: [special("a", HARD, f"{out}/secret.txt")],
    "hard link, then file": lambda out: [special("a", HARD, f"{out}/secret.txt"), plain("a")],
    "hard link to a link": lambda out: [special("a", SYM, out), special("b", HARD, "a")],
    "long names": lambda out: climbing_links(),
    "device": lambda out: [special("a", tarfile.CHRTYPE)],
    "pipe": lambda out: [special("a", tarfile.FIFOTYPE)],
    "folder parent": lambda out: [special("../evil", tarfile.DIRTYPE)],
}  # fmt: skip


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("secret")
    return folder


def packed(members: list[Member], path: Path, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if content else None)
    return path


def zipped(members: list[tuple[zipfile.ZipInfo | str, bytes]], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


def refused(archive: Path, tmp_path: Path, outside: Path) -> None:
    """The archive is refused, and leaves nothing behind, inside or outside."""
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(FileFormatError):
        get_file(archive.name, archive.as_uri(), extract=True, cache_dir=tmp_path / "cache")
    left = {str(path) for path in tmp_path.rglob("*")} - set(before)
    expected = {
        tmp_path / "cache",
        tmp_path / "cache/datasets",
        tmp_path / "cache/datasets" / archive.name,
    }
    assert left == {str(path) for path in expected}
    assert (outside / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("name", TARS)
def test_a_tar_archive_writes_and_links_nothing_outside(
    name: str, tmp_path: Path, outside: Path
) -> None:
    archive = packed(TARS[name](str(outside)), tmp_path / "a.tar.gz")
    refused(archive, tmp_path, outside)


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "..\\evil.txt",
                                  "C:/evil.txt", "C:\\evil.txt", "//host/evil.txt"])  # fmt: skip
def test_a_zip_archive_writes_nothing_outside(name: str, tmp_path: Path, outside: Path) -> None:
    refused(zipped([(name, b"x")], tmp_path / "a.zip"), tmp_path, outside)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_zip_archive_holds_no_links_and_devices(kind: int, tmp_path: Path, outside: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = (kind | 0o777) << 16
    archive = zipped([(link, str(outside).encode()), ("a/evil.txt", b"x")], tmp_path / "a.zip")
    refused(archive, tmp_path, outside)


def test_a_file_in_the_place_of_a_folder_is_an_error_of_ours(tmp_path: Path, outside: Path) -> None:
    refused(packed([plain("a"), plain("a/b")], tmp_path / "a.tar"), tmp_path, outside)
    (tmp_path / "z").mkdir()
    refused(zipped([("a", b"x"), ("a/b", b"x")], tmp_path / "z" / "b.zip"), tmp_path / "z", outside)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_damaged_archive_is_an_error_of_ours(kind: str, tmp_path: Path, outside: Path) -> None:
    content = os.urandom(1 << 16)
    path = tmp_path / f"a.{kind}"
    whole = (
        packed([plain("a", content)], path) if kind != "zip" else zipped([("a", content)], path)
    ).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    path.write_bytes(bytes(damaged))
    if kind == "tar.gz":
        path.write_bytes(whole[: len(whole) // 2])
    refused(path, tmp_path, outside)


def test_an_archive_that_unpacks_to_far_more_is_refused(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_RATIO_MATTERS_ABOVE_BYTES", 1 << 20)
    zeros = bytes(4 << 20)
    refused(packed([plain("a", zeros)], tmp_path / "a.tar.gz"), tmp_path, outside)
    with zipfile.ZipFile(tmp_path / "outside" / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(4):
            archive.writestr(str(index), zeros[: 1 << 20])
    with pytest.raises(FileFormatError, match="100 times"):
        get_file("b.zip", (outside / "b.zip").as_uri(), extract=True, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("name", ["..", ".", "../x", "/x", "a/b"])
def test_the_name_of_a_file_is_no_path(name: str, tmp_path: Path, outside: Path) -> None:
    origin = (outside / "secret.txt").as_uri()
    with pytest.raises(ArgumentError, match="plain file name"):
        get_file(name, origin, cache_dir=tmp_path / "cache")
    with pytest.raises(ArgumentError, match="plain file name"):
        get_file(origin=f"{outside.as_uri()}/{name}/..", cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_ordinary_archive_is_unpacked(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("data")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    for mode, name in (
        ("w:gz", "a.tar.gz"),
        ("w:bz2", "b.tar.bz2"),
        ("w:xz", "c.tar.xz"),
        ("w", "d.tar"),
    ):
        members = [(folder, b""), plain("data/x.txt", b"1"), plain("data/more/y.txt", b"2")]
        archive = packed(members, tmp_path / name, mode)
        place = Path(get_file(name, archive.as_uri(), extract=True, cache_dir=tmp_path / "cache"))
        assert (place / "data/more/y.txt").read_bytes() == b"2"
