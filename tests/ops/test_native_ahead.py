"""Libraries that are built beside the one a program waits for: ready sooner, and never another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from nacre.ops.kernels.native import ahead, build, compiler, library

REAL = next(filter(None, map(shutil.which, compiler.COMPILERS)), None)
pytestmark = pytest.mark.skipif(REAL is None, reason="no C++ compiler here")

NAMES = ("first", "second", "third")
BESIDE = {name: (f"{name}.cc",) for name in NAMES[1:]}


def forget():
    for key in list(ahead._futures):
        ahead.settle(key)
    ahead._futures.clear()
    build._outcomes.clear()
    build._waits.clear()
    compiler.find_compiler.cache_clear()
    compiler.version.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three sources, an empty cache, two cores, and a compiler that notes what it compiles and when.

    It takes as long as the file `seconds` says, and fails at a source that is named in `bad`.
    """
    for name in NAMES:
        (tmp_path / f"{name}.cc").write_text(f'extern "C" int {name}() {{ return 1; }}')
    slow = tmp_path / "compiler"
    slow.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {REAL} --version\n'
        f'for word; do case $word in *.cc) name=$(basename "$word" .cc);; esac; done\n'
        f'echo "begin $name" >> {tmp_path}/log\n'
        f'sleep "$(cat {tmp_path}/seconds)"\n'
        f'grep -q "$name" {tmp_path}/bad && exit 1\n'
        f'{REAL} "$@" && echo "end $name" >> {tmp_path}/log\n'
    )
    slow.chmod(0o755)
    (tmp_path / "seconds").write_text("0.3")
    (tmp_path / "bad").write_text("")
    monkeypatch.setenv("CXX", str(slow))
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
    monkeypatch.setattr(build, "cores", lambda: 2)
    forget()
    yield tmp_path
    forget()


def log(folder):
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def asked(name):
    return build.build(name, (f"{name}.cc",), companions=BESIDE if name == "first" else {})


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_others_are_built_while_the_first_is(folder):
    assert asked("first").library.first() == 1
    assert "begin second" in log(folder)[:2]  # before the first was done
    # In whatever state the builds are, each asked for is there, and was built once.
    assert asked("third").library.third() == 1
    assert asked("second").library.second() == 1
    assert sorted(log(folder)) == sorted(f"{word} {n}" for word in ("begin", "end") for n in NAMES)


def test_a_build_that_has_begun_is_waited_for_however_long_others_may_be_waited_for(
    folder, monkeypatch
):
    monkeypatch.setattr(build, "WAIT_SECONDS", 0.0)
    asked("first")
    (folder / "seconds").write_text("1")
    until(lambda: "begin second" in log(folder))
    assert asked("second").library.second() == 1
    assert asked("third").library.third() == 1


def test_what_is_in_the_cache_begins_no_build(folder):
    asked("first")
    forget()
    for path in (folder / "cache" / "native").glob("second-*.so"):
        path.unlink()
    (folder / "log").unlink()
    assert asked("first").library.first() == 1
    assert not ahead._futures and not log(folder)


def test_on_one_core_nothing_is_built_beside(folder, monkeypatch):
    monkeypatch.setattr(build, "cores", lambda: 1)
    asked("first")
    assert not ahead._futures and log(folder) == ["begin first", "end first"]
    assert asked("second").library.second() == 1


def test_one_that_fails_says_so_to_who_asks_and_stops_no_other(folder):
    (folder / "bad").write_text("second")
    assert asked("first").library.first() == 1
    assert "did not compile" in asked("second").reason
    assert asked("third").library.third() == 1
    assert log(folder).count("begin second") == len(compiler.TUNINGS)


def test_several_threads_that_ask_at_once_get_the_same(folder):
    asked("first")
    found = []
    threads = [threading.Thread(target=lambda: found.append(asked("third"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [outcome.library.third() for outcome in found] == [1] * 4
    assert log(folder).count("begin third") == 1


ENDING = """
import os, pathlib, sys, time
from nacre.ops.kernels.native import build, compiler
folder = compiler.SOURCES = pathlib.Path(sys.argv[1])
build.cores = lambda: 2
sources = {name: (f"{name}.cc",) for name in ("second", "third")}
build.build("first", ("first.cc",), companions=sources)
(folder / "seconds").write_text("20")
build.ahead.settle(("second", ("second.cc",)))
while "begin third" not in (folder / "log").read_text():
    time.sleep(0.02)
if sys.argv[2] == "fork":
    child = os.fork()
    if not child:  # where nobody builds the third: it is made here
        (folder / "seconds").write_text("0")
        build.WAIT_SECONDS = 0.0
        os._exit(0 if "another process" in build.build("third", ("third.cc",)).reason else 1)
    sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("way", ["end", "fork"])
def test_a_process_that_ends_waits_for_no_build_and_leaves_nothing(folder, way):
    begun = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-c", ENDING, str(folder), way]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - begun < 15
    left = os.listdir(folder / "cache" / "native")
    assert not [name for name in left if name.endswith((".partial", ".failed"))]
    (folder / "seconds").write_text("0")
    assert asked("third").library.third() == 1  # and the next process builds it


def test_companions_are_libraries_that_there_are():
    names = {each.name for each in library.LIBRARIES}
    for each in library.LIBRARIES:
        assert set(each.companions) <= names - {each.name}
