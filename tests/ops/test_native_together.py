"""Several processes and threads that need a kernel at once: one builds it, nobody waits for long,
and nothing that one of them leaves behind is in the way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from nacre.ops.kernels.native import build, compiler

REAL = next(filter(None, map(shutil.which, compiler.COMPILERS)), None)
pytestmark = pytest.mark.skipif(REAL is None, reason="no C++ compiler here")

ONE = 'extern "C" int one() { return 1; }'
# Children are forked before JAX has started anything, so that one import serves all.
PROCESSES = """
import os, pathlib, sys, time
from nacre.ops.kernels.native import build, compiler

compiler.SOURCES = pathlib.Path(sys.argv[1])
count, build.WAIT_SECONDS = int(sys.argv[2]), float(sys.argv[3])
children = []
for _ in range(count):
    child = os.fork()
    if not child:
        begun = time.monotonic()
        outcome = build.build("one", ("one.cc",))
        right = outcome.library is None or outcome.library.one() == 1
        os.write(1, f"{outcome.reason}|{time.monotonic() - begun}\\n".encode())
        os._exit(0 if right else 1)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def forget():
    build._outcomes.clear()
    build._waits.clear()
    compiler.find_compiler.cache_clear()
    compiler.version.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sources, an empty cache, and a compiler that notes when it compiles and takes a while.

    While a file `hang` is there it takes it away and hangs.
    """
    (tmp_path / "one.cc").write_text(ONE)
    slow = tmp_path / "compiler"
    slow.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {REAL} --version\necho >> {tmp_path}/compiled\n'
        f"rm {tmp_path}/hang 2>/dev/null && exec sleep 20\n"
        f'sleep "$(cat {tmp_path}/seconds)"\nexec {REAL} "$@"\n'
    )
    slow.chmod(0o755)
    (tmp_path / "seconds").write_text("0.3")
    monkeypatch.setenv("CXX", str(slow))
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
    forget()
    yield tmp_path
    forget()


def compiled(folder):
    path = folder / "compiled"
    return len(path.read_text().splitlines()) if path.exists() else 0


def start(folder, count, wait_seconds=30.0):
    command = [sys.executable, "-W", "ignore", "-c", PROCESSES, str(folder), str(count)]
    return subprocess.Popen(
        [*command, str(wait_seconds)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("count", [2, 6])
def test_of_processes_that_need_a_library_at_once_one_builds_it(folder, count):
    processes = start(folder, count)
    told, _ = processes.communicate(timeout=120)
    assert processes.returncode == 0
    assert [line.partition("|")[0] for line in told.splitlines()] == ["ready"] * count
    assert compiled(folder) == 1


def test_nobody_waits_longer_for_a_build_than_the_plain_form_takes(folder):
    (folder / "seconds").write_text("3")
    processes = start(folder, 3, wait_seconds=0.2)
    told, _ = processes.communicate(timeout=120)
    outcomes = sorted(line.split("|") for line in told.splitlines())
    reasons = [reason for reason, _ in outcomes]
    assert reasons == ["another process is building it"] * 2 + ["ready"]
    assert all(float(seconds) < 2.5 for _, seconds in outcomes[:2])
    assert compiled(folder) == 1


def test_what_was_being_built_is_used_by_the_next_program(folder, monkeypatch):
    monkeypatch.setattr(build, "WAIT_SECONDS", 0.05)
    (folder / "cache" / "native").mkdir(parents=True, mode=0o700)
    with build._only_builder(folder / "cache" / "native" / "one.lock") as is_only:
        assert is_only
        begun = time.monotonic()
        for _ in range(20):  # waits once, not for every program
            outcome = build.build("one", ("one.cc",))
            assert outcome.library is None and not outcome.is_final
        assert time.monotonic() - begun < 1
    assert build.build("one", ("one.cc",)).library.one() == 1


def test_a_thread_does_not_wait_longer_either(folder, monkeypatch):
    (folder / "seconds").write_text("2")
    thread = threading.Thread(target=build.build, args=("one", ("one.cc",)))
    thread.start()
    until(lambda: compiled(folder))
    monkeypatch.setattr(build, "WAIT_SECONDS", 0.05)
    assert build.build("one", ("one.cc",)).reason == "another thread is building it"
    thread.join(60)
    assert build.build("one", ("one.cc",)).library.one() == 1


def test_a_process_that_is_killed_while_it_builds_leaves_no_lock(folder):
    (folder / "hang").touch()
    processes = start(folder, 1)
    until(lambda: compiled(folder))
    os.killpg(processes.pid, signal.SIGKILL)
    processes.communicate()
    begun = time.monotonic()
    assert build.build("one", ("one.cc",)).library.one() == 1
    assert time.monotonic() - begun < build.WAIT_SECONDS
    cache = folder / "cache" / "native"
    (left,) = cache.glob("*.partial")  # perhaps its compiler still writes there
    os.utime(left, (0, 0))
    build._sweep(cache, "one")
    assert not left.exists()


def test_where_there_are_no_locks_everybody_builds(folder, monkeypatch):
    def none_here(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(build.fcntl, "flock", none_here)
    assert build.build("one", ("one.cc",)).library.one() == 1


def test_a_library_that_cannot_be_loaded_is_built_once_more_and_then_left(folder, monkeypatch):
    path = build.build("one", ("one.cc",)).path
    forget()

    def foreign(name):
        raise OSError(f"{name}: version `GLIBC_9.9' not found")

    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", foreign)
        for _ in range(2):
            forget()
            assert "did not compile" in build.build("one", ("one.cc",)).reason
    assert compiled(folder) == 2
    (failed,) = path.parent.glob("*.failed")
    assert "GLIBC_9.9" in failed.read_text()


def test_a_folder_that_cannot_be_written_still_gives_what_is_in_it(folder, monkeypatch):
    build.build("one", ("one.cc",))
    forget()
    real = os.open

    def read_only(path, flags, *rest, **options):
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", read_only)
    assert build.build("one", ("one.cc",)).library.one() == 1
    (folder / "one.cc").write_text(ONE.replace("1", "2"))
    forget()
    assert "Read-only" in build.build("one", ("one.cc",)).reason


def test_a_look_at_what_there_is_builds_nothing(folder):
    assert build.availability("one", ("one.cc",)) == (True, "will be built when first needed")
    assert not (folder / "cache").exists() and not compiled(folder)
    build.build("one", ("one.cc",))
    forget()
    assert build.availability("one", ("one.cc",)) == (True, "built")
