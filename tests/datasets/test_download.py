"""get_file: fetch once, check, rename, unpack safely, and explain every failure."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from nacre.core.errors import ArgumentError, FileFormatError
from nacre.datasets.download import DownloadError, get_file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to download, outside the cache."""
    path = tmp_path / "source" / "words.txt"
    path.parent.mkdir()
    path.write_bytes(b"one two three")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_tar(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path.as_uri()


def test_file_lands_in_keras_cache_folder(source: Path, cache_folder: Path) -> None:
    path = get_file(origin=source.as_uri(), file_hash=sha256(source))
    assert Path(path) == cache_folder / "datasets" / "words.txt"
    assert Path(path).read_bytes() == b"one two three"


def test_second_call_does_not_fetch(source: Path, cache_folder: Path) -> None:
    get_file(origin=source.as_uri())
    source.unlink()
    assert Path(get_file(origin=source.as_uri())).exists()


def test_force_download_fetches_again(source: Path, cache_folder: Path) -> None:
    get_file(origin=source.as_uri())
    source.write_bytes(b"new")
    assert Path(get_file(origin=source.as_uri(), force_download=True)).read_bytes() == b"new"


def test_changed_cached_file_is_fetched_again(source: Path, cache_folder: Path) -> None:
    digest = sha256(source)
    path = Path(get_file(origin=source.as_uri(), file_hash=digest))
    path.write_bytes(b"damaged")
    assert Path(get_file(origin=source.as_uri(), file_hash=digest)).read_bytes() != b"damaged"


@pytest.mark.parametrize("argument", ["file_hash", "md5_hash"])
def test_wrong_digest_leaves_nothing_behind(
    source: Path, cache_folder: Path, argument: str
) -> None:
    digest = "0" * (64 if argument == "file_hash" else 32)
    with pytest.raises(FileFormatError, match="digest must be 0000") as caught:
        get_file(origin=source.as_uri(), **{argument: digest})
    assert sha256(source)[:8] in str(caught.value) or argument == "md5_hash"
    assert list((cache_folder / "datasets").iterdir()) == []


def test_offline_error_says_what_where_and_how(tmp_path: Path, cache_folder: Path) -> None:
    url = (tmp_path / "nowhere" / "mnist.npz").as_uri()
    with pytest.raises(DownloadError) as caught:
        get_file(origin=url)
    text = str(caught.value)
    assert "'mnist.npz'" in text and url in text
    assert str(cache_folder / "datasets" / "mnist.npz") in text
    assert "nacre.datasets.digits" in text
    assert list((cache_folder / "datasets").iterdir()) == []


def test_offline_error_tells_a_file_of_another_digest_from_none(
    source: Path, cache_folder: Path
) -> None:
    digest = sha256(source)
    path = Path(get_file("words.txt", source.as_uri()))
    path.write_bytes(b"others")
    source.unlink()
    with pytest.raises(DownloadError, match="the one in the cache has another digest") as found:
        get_file("words.txt", source.as_uri(), file_hash=digest)
    assert "it is not in the cache" not in str(found.value)
    assert path.read_bytes() == b"others"


def test_origin_is_needed_and_fname_is_a_name(cache_folder: Path) -> None:
    with pytest.raises(ArgumentError, match="origin must be a URL"):
        get_file("words.txt")
    with pytest.raises(ArgumentError, match="plain file name"):
        get_file("../words.txt", origin="file:///words.txt")


def test_a_path_as_origin_and_digests_of_other_kinds_are_told_before(
    source: Path, cache_folder: Path
) -> None:
    with pytest.raises(ArgumentError, match=r"pathlib.Path\(.*\).absolute\(\).as_uri\(\)"):
        get_file(origin=str(source))
    with pytest.raises(ArgumentError, match="SHA-256"):
        get_file(origin=source.as_uri(), file_hash="0" * 128)
    with pytest.raises(ArgumentError, match="hash_algorithm must be"):
        get_file(origin=source.as_uri(), hash_algorithm="sha1")


@pytest.mark.parametrize(
    ("fname", "folder", "archive"),
    [
        (None, "x.tar.gz", "x.tar.gz_archive"),
        ("data", "data", "data_archive"),
        ("data.tar.gz", "data_extracted", "data.tar.gz"),
    ],
)
def test_archives_unpack_to_the_places_keras_uses(
    tmp_path: Path, cache_folder: Path, fname: str | None, folder: str, archive: str
) -> None:
    url = make_tar(tmp_path / "x.tar.gz", {"inner/a.txt": b"a"})
    path = Path(get_file(fname, origin=url, extract=True))
    assert path == cache_folder / "datasets" / folder
    assert (path / "inner" / "a.txt").read_bytes() == b"a"
    assert (cache_folder / "datasets" / archive).is_file()
    assert get_file(fname, origin=url, untar=True) == str(path)


def test_zip_unpacks(tmp_path: Path, cache_folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("inner/a.txt", "a")
    path = Path(get_file(origin=(tmp_path / "x.zip").as_uri(), extract=True, cache_subdir="z"))
    assert (path / "inner" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:\\evil.txt"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_outside_the_folder_are_refused(
    tmp_path: Path, cache_folder: Path, name: str, kind: str
) -> None:
    if kind == "tar":
        url = make_tar(tmp_path / "x.tar.gz", {"good.txt": b"g", name: b"evil"})
    else:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
            file.writestr(name, "evil")
        url = (tmp_path / "x.zip").as_uri()
    with pytest.raises(FileFormatError, match="inside the archive"):
        get_file("data", origin=url, extract=True)
    assert not list(tmp_path.rglob("evil.txt"))
    assert not (cache_folder / "datasets" / "data").exists()


def test_links_are_refused(tmp_path: Path, cache_folder: Path) -> None:
    url = make_tar(tmp_path / "x.tar.gz", {}, links={"link": "/etc/passwd"})
    with pytest.raises(FileFormatError, match="'link'"):
        get_file("data", origin=url, extract=True)


def test_a_file_that_is_no_archive_is_named(source: Path, cache_folder: Path) -> None:
    with pytest.raises(FileFormatError, match="archive of kind tar or zip"):
        get_file(origin=source.as_uri(), extract=True)
