"""Building native kernels: once, and never in anybody's way."""

import os
import shutil

import pytest

from nacre.ops.kernels.native import build


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of sources and an empty cache."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    build.find_compiler.cache_clear()
    build._build.cache_clear()
    yield tmp_path
    build.find_compiler.cache_clear()
    build._build.cache_clear()


def test_without_a_compiler_there_is_a_reason_and_no_library(sources, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    (sources / "one.cc").write_text('extern "C" int one() { return 1; }')
    outcome = build.build("one", ("one.cc",))
    assert outcome.library is None
    assert "compiler" in outcome.reason
    assert build.register("one", ("one.cc",), ("one",)) == {}


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
