"""Machine code is loaded only from folders and files that nobody else can have written."""

from __future__ import annotations

import os
import shutil
import stat
import sys

import jax
import pytest

from nacre.core import compile_cache, private
from nacre.ops.kernels.native import build, compiler

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no owners of files")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; what this process has built before is forgotten."""
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.delenv("NACRE_COMPILE_CACHE", raising=False)
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    build._outcomes.clear()
    yield tmp_path
    build._outcomes.clear()
    jax.config.update("jax_compilation_cache_dir", before)


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def of_another_user(monkeypatch) -> None:
    """This process is somebody whose files these are not; root's would be trusted."""
    monkeypatch.setattr(private.os, "geteuid", lambda: os.getuid() + 1)
    real = private._is_trusted
    monkeypatch.setattr(private, "_is_trusted", lambda found: found.st_uid != 0 and real(found))


def test_folders_of_code_are_closed_to_others(cache):
    previous = os.umask(0)
    try:
        assert compile_cache.enable() == str(cache / "compiled")
        assert mode(cache / "compiled") == 0o700
        (cache / "compiled").chmod(0o777)
        jax.config.update("jax_compilation_cache_dir", None)
        assert compile_cache.enable() == str(cache / "compiled")
        assert mode(cache / "compiled") == 0o700
    finally:
        os.umask(previous)


def test_a_linked_folder_is_not_used(cache):
    (cache / "elsewhere").mkdir()
    for name in ("compiled", "native"):
        (cache / name).symlink_to(cache / "elsewhere")
    assert compile_cache.enable() is None
    with pytest.raises(private.NotPrivateError, match="a link"):
        private.make_private_folder(cache / "native")
    ready, reason = build.availability("one", ())
    assert not ready and "a link" in reason


def test_a_folder_of_another_user_is_not_used(cache, monkeypatch):
    (cache / "compiled").mkdir()
    of_another_user(monkeypatch)
    assert compile_cache.enable() is None
    with pytest.raises(private.NotPrivateError, match="another user"):
        private.make_private_folder(cache / "compiled")


def test_links_among_compiled_programs_are_taken_away(cache):
    (cache / "compiled").mkdir()
    (cache / "program").write_bytes(b"x")
    (cache / "compiled" / "linked-cache").symlink_to(cache / "program")
    (cache / "compiled" / "own-cache").write_bytes(b"x")
    compile_cache.enable()
    assert os.listdir(cache / "compiled") == ["own-cache"]
    assert (cache / "program").exists()


@pytest.mark.skipif(not any(map(shutil.which, compiler.COMPILERS)), reason="no C++ compiler here")
def test_a_library_that_others_could_have_written_is_built_anew(cache, monkeypatch, tmp_path):
    (tmp_path / "one.cc").write_text('extern "C" int one() { return 1; }')
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
    previous = os.umask(0o002)
    try:
        first = build.build("one", ("one.cc",))
    finally:
        os.umask(previous)
    assert first.path is not None, first.reason
    assert (mode(first.path), mode(first.path.parent)) == (0o700, 0o700)
    stem = first.path.name.rsplit("-", 1)[0]
    assert list(build._whole_files(first.path.parent, stem)) == [first.path]
    first.path.chmod(0o777)  # its name still holds its hash
    assert not list(build._whole_files(first.path.parent, stem))
    build._outcomes.clear()
    again = build.build("one", ("one.cc",)).path
    again.rename(cache / "kept.so")
    again.symlink_to(cache / "kept.so")
    assert not list(build._whole_files(again.parent, stem))
    assert (cache / "kept.so").exists()
    (cache / "kept.so").rename(again)
    of_another_user(monkeypatch)
    with pytest.raises(private.NotPrivateError, match="other users"):
        private.read_private_file(again)
