"""Building native kernels: once, and never in anybody's way."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from nacre.ops.kernels.native import build

ONE = 'extern "C" int one() { return 1; }'


def forget():
    """Forget what this process has built and found, as another process would not know it."""
    for each in (build.find_compiler, build._version, build._build):
        each.cache_clear()


def compiler(folder, body):
    """A program in place of a compiler."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of sources and an empty cache."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    forget()
    yield tmp_path
    forget()


def test_without_a_compiler_there_is_a_reason_and_no_library(sources, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    (sources / "one.cc").write_text('extern "C" int one() { return 1; }')
    outcome = build.build("one", ("one.cc",))
    assert outcome.library is None
    assert "compiler" in outcome.reason
    assert build.register("one", ("one.cc",), ("one",)) == {}


def test_a_compiler_that_fails_or_hangs_stops_nobody(sources, monkeypatch):
    (sources / "one.cc").write_text(ONE)
    monkeypatch.setattr(build, "VERSION_SECONDS", 0.2)
    monkeypatch.setenv("CXX", compiler(sources, "sleep 60"))
    assert "no version" in build.build("one", ("one.cc",)).reason
    forget()
    monkeypatch.setattr(build, "VERSION_SECONDS", 10)
    monkeypatch.setattr(build, "TIMEOUT_SECONDS", 0.3)
    # The one that hangs is a child of the compiler, and holds its output.
    monkeypatch.setenv("CXX", compiler(sources, '[ "$1" = --version ] && exit; sleep 60; exit 1'))
    start = time.monotonic()
    assert "did not compile" in build.build("one", ("one.cc",)).reason
    assert time.monotonic() - start < 10
    (failed,) = (build.cache_home() / "native").glob("*.failed")
    assert "no answer" in failed.read_text()


def test_without_a_home_or_a_cache_there_is_a_reason(sources, monkeypatch):
    (sources / "one.cc").write_text(ONE)
    monkeypatch.setenv("CXX", compiler(sources, "exit 0"))

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    with monkeypatch.context() as patch:
        patch.setattr(build, "cache_home", nobody)
        assert "home" in build.build("one", ("one.cc",)).reason
        assert "NACRE_CACHE" in dict(build.describe())["built"]
    forget()
    monkeypatch.setenv("NACRE_CACHE", str(sources / "one.cc"))  # a file
    assert "Error" in build.build("one", ("one.cc",)).reason
    build.describe()


@pytest.mark.skipif(not any(map(shutil.which, build.COMPILERS)), reason="no C++ compiler here")
class TestWithCompiler:
    def test_a_library_is_built_once_and_again_when_its_source_changes(self, sources, monkeypatch):
        source = sources / "one.cc"
        source.write_text('extern "C" int one() { return 1; }')
        first = build.build("one", ("one.cc",))
        assert first.library.one() == 1
        build._build.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
            assert build.build("one", ("one.cc",)).path == first.path
        source.write_text('extern "C" int one() { return 2; }')
        build._build.cache_clear()
        assert build.build("one", ("one.cc",)).library.one() == 2

    def test_what_does_not_compile_is_said_once_and_not_tried_again(self, sources, monkeypatch):
        (sources / "broken.cc").write_text("this is no C++")
        outcome = build.build("broken", ("broken.cc",))
        assert outcome.library is None
        assert "did not compile" in outcome.reason
        build._build.cache_clear()
        monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("tried again"))
        assert build.build("broken", ("broken.cc",)).library is None
        assert any(name == "failed" for name, _ in build.describe())

    def test_nothing_half_written_stays(self, sources):
        (sources / "broken.cc").write_text("this is no C++")
        build.build("broken", ("broken.cc",))
        left = os.listdir(build.cache_home() / "native")
        assert len(left) == 1
        assert left[0].endswith(".failed")

    def test_a_damaged_library_is_built_again(self, sources):
        (sources / "one.cc").write_text(ONE)
        path = build.build("one", ("one.cc",)).path
        whole = path.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], whole[:-1] + b"?"):
            forget()
            path.unlink(missing_ok=True)  # mapped memory must not change
            path.write_bytes(damaged)
            again = build.build("one", ("one.cc",))
            assert again.reason == "ready"
            assert again.library.one() == 1

    def test_what_failed_is_tried_again_after_a_day(self, sources):
        (sources / "one.cc").write_text("this is no C++")
        build.build("one", ("one.cc",))
        (failed,) = (build.cache_home() / "native").glob("*.failed")
        # The disk was full, say.
        mark = failed.stem.rpartition("-")[2]
        (sources / "one.cc").write_text(ONE)
        build_mark, build._mark = build._mark, lambda *_: mark
        try:
            forget()
            assert "did not compile" in build.build("one", ("one.cc",)).reason
            os.utime(failed, (0, 0))
            forget()
            assert build.build("one", ("one.cc",)).reason == "ready"
        finally:
            build._mark = build_mark
        assert not failed.exists()

    def test_a_compiler_may_come_with_words_and_need_not_know_the_processor(
        self, sources, monkeypatch
    ):
        (sources / "one.cc").write_text(ONE)
        real = next(filter(None, map(shutil.which, build.COMPILERS)))
        refuses = 'case "$*" in *=native*) echo unknown >&2; exit 1;; esac; shift; exec "$@"'
        monkeypatch.setenv("CXX", f"{compiler(sources, refuses)} wrapped {real} -DWORD='a b'")
        assert build.find_compiler()[1:] == ("wrapped", real, "-DWORD=a b")
        assert build.build("one", ("one.cc",)).library.one() == 1

    def test_a_library_without_the_handlers_gives_no_targets(self, sources):
        (sources / "one.cc").write_text(ONE)
        assert build.register("one", ("one.cc",), ("missing",)) == {}

    def test_two_processes_build_at_once(self, sources):
        (sources / "one.cc").write_text(ONE)
        code = (
            "import sys, pathlib; from nacre.ops.kernels.native import build;"
            "build.SOURCES = pathlib.Path(sys.argv[1]);"
            "sys.exit(build.build('one', ('one.cc',)).library.one() - 1)"
        )
        command = [sys.executable, "-c", code, str(sources)]
        both = [subprocess.Popen(command) for _ in range(2)]
        assert [one.wait(120) for one in both] == [0, 0]
