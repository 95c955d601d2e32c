"""Building native kernels: once, and never in anybody's way."""

import os
import shutil
import time

import pytest

from nacre.ops.kernels.native import build, compiler, report

ONE = 'extern "C" int one() { return 1; }'


def forget():
    """Forget what this process has built and found, as another process would not know it."""
    build._outcomes.clear()
    build._waits.clear()
    compiler.find_compiler.cache_clear()
    compiler.version.cache_clear()


def program(folder, body):
    """A program in place of a compiler."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of sources and an empty cache."""
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
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
    assert build.build("one", ("one.cc",), ("one",)).targets == {}


def test_a_compiler_that_fails_or_hangs_stops_nobody(sources, monkeypatch):
    (sources / "one.cc").write_text(ONE)
    monkeypatch.setattr(compiler, "VERSION_SECONDS", 0.2)
    monkeypatch.setenv("CXX", program(sources, "sleep 60"))
    assert "no version" in build.build("one", ("one.cc",)).reason
    forget()
    monkeypatch.setattr(compiler, "VERSION_SECONDS", 10)
    monkeypatch.setattr(compiler, "TIMEOUT_SECONDS", 0.3)
    # The one that hangs is a child of the compiler, and holds its output.
    monkeypatch.setenv("CXX", program(sources, '[ "$1" = --version ] && exit; sleep 60; exit 1'))
    start = time.monotonic()
    assert "did not compile" in build.build("one", ("one.cc",)).reason
    assert time.monotonic() - start < 10
    (failed,) = (build.cache_home() / "native").glob("*.failed")
    assert "no answer" in failed.read_text()


def test_without_a_home_or_a_cache_there_is_a_reason(sources, monkeypatch):
    (sources / "one.cc").write_text(ONE)
    monkeypatch.setenv("CXX", program(sources, "exit 0"))

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    with monkeypatch.context() as patch:
        patch.setattr(build, "cache_home", nobody)
        patch.setattr(report, "cache_home", nobody)
        assert "home" in build.build("one", ("one.cc",)).reason
        assert "NACRE_CACHE" in dict(report.describe())["cache folder"]
    forget()
    monkeypatch.setenv("NACRE_CACHE", str(sources / "one.cc"))  # a file
    assert "Error" in build.build("one", ("one.cc",)).reason
    report.describe()


@pytest.mark.skipif(not any(map(shutil.which, compiler.COMPILERS)), reason="no C++ compiler here")
class TestWithCompiler:
    def test_a_library_is_built_once_and_again_when_its_source_changes(self, sources, monkeypatch):
        source = sources / "one.cc"
        source.write_text('extern "C" int one() { return 1; }')
        first = build.build("one", ("one.cc",))
        assert first.library.one() == 1
        build._outcomes.clear()
        with monkeypatch.context() as patch:
            patch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
            assert build.build("one", ("one.cc",)).path == first.path
        source.write_text('extern "C" int one() { return 2; }')
        build._outcomes.clear()
        assert build.build("one", ("one.cc",)).library.one() == 2

    def test_what_does_not_compile_is_said_once_and_not_tried_again(self, sources, monkeypatch):
        (sources / "broken.cc").write_text("this is no C++")
        outcome = build.build("broken", ("broken.cc",))
        assert outcome.library is None
        assert "did not compile" in outcome.reason
        build._outcomes.clear()
        monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("tried again"))
        assert build.build("broken", ("broken.cc",)).library is None
        ready, reason = build.availability("broken", ("broken.cc",))
        assert not ready and ".failed" in reason

    def test_nothing_half_written_stays(self, sources):
        (sources / "broken.cc").write_text("this is no C++")
        build.build("broken", ("broken.cc",))
        left = os.listdir(build.cache_home() / "native")
        assert sorted(name.rpartition(".")[2] for name in left) == ["failed", "lock"]

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
        build_mark, compiler.mark = compiler.mark, lambda *_: mark
        try:
            forget()
            assert "did not compile" in build.build("one", ("one.cc",)).reason
            os.utime(failed, (0, 0))
            forget()
            assert build.build("one", ("one.cc",)).reason == "ready"
        finally:
            compiler.mark = build_mark
        assert not failed.exists()

    def test_a_compiler_may_come_with_words_and_need_not_know_the_processor(
        self, sources, monkeypatch
    ):
        (sources / "one.cc").write_text(ONE)
        real = next(filter(None, map(shutil.which, compiler.COMPILERS)))
        refuses = 'case "$*" in *=native*) echo unknown >&2; exit 1;; esac; shift; exec "$@"'
        monkeypatch.setenv("CXX", f"{program(sources, refuses)} wrapped {real} -DWORD='a b'")
        assert compiler.find_compiler()[1:] == ("wrapped", real, "-DWORD=a b")
        assert build.build("one", ("one.cc",)).library.one() == 1

    def test_a_library_without_the_handlers_gives_no_targets(self, sources):
        (sources / "one.cc").write_text(ONE)
        outcome = build.build("one", ("one.cc",), ("missing",))
        assert outcome.targets == {}
        assert "does not take it" in outcome.reason
