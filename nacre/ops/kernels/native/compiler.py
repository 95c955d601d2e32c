"""The C++ compiler of this machine: found, asked who it is, and run.

What is compiled depends on the compiler, its flags, the processor, the C library and jaxlib's
interface; `mark` is the hash of all that and of the sources.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jax
import jaxlib

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-std=c++17", "-fno-math-errno", "-fPIC", "-shared", "-pthread")
# The first that the compiler and its assembler take; the last one always works.
TUNINGS = (("-march=native",), ("-mcpu=native",), ())
COMPILERS = ("c++", "g++", "clang++")
NONE_FOUND = f"no C++ compiler found ({', '.join(COMPILERS)}, or what CXX names)"
TIMEOUT_SECONDS = 120  # a compiler that hangs must not stop anybody for long
VERSION_SECONDS = 10

_running: set[subprocess.Popen[str]] = set()
_is_stopped = False


class StoppedError(subprocess.SubprocessError):
    """The process ends, and its compilers with it: that says nothing about the sources."""


def stop() -> None:
    """End the compilers that run, and start no other: for the end of the process."""
    global _is_stopped
    _is_stopped = True
    for process in list(_running):
        _kill(process)


@functools.cache
def find_compiler() -> tuple[str, ...]:
    """The C++ compiler, its path and then flags: the variable `CXX`, else the first one found."""
    wanted = os.environ.get("CXX", "").strip()
    try:
        words = [[wanted], shlex.split(wanted)] if wanted else [[each] for each in COMPILERS]
    except ValueError:  # a quotation mark without its second
        return ()
    for first, *flags in words:
        if path := shutil.which(first):
            return path, *flags
    return ()


@functools.cache
def version(compiler: tuple[str, ...]) -> str | None:
    """What the compiler says of itself; None when it fails or hangs."""
    status, said = _run([*compiler, "--version"], VERSION_SECONDS)
    return said if status == 0 else None


def mark(sources: tuple[str, ...]) -> str:
    """Hash of all that the machine code depends on."""
    compiler = find_compiler()
    flags = (*FLAGS, *(flag for tuning in TUNINGS for flag in tuning))
    machine = (jaxlib.__version__, platform.machine(), _c_library(), _processor())
    digest = hashlib.sha256(
        "\n".join((*compiler, version(compiler) or "", *flags, *machine)).encode()
    )
    for source in sources:
        digest.update((SOURCES / source).read_bytes())
    return digest.hexdigest()[:16]


def compile_sources(sources: tuple[str, ...], output: Path) -> tuple[bool, str]:
    """Compile files of `SOURCES` into one library: whether it worked, and what was said if not.

    Args:
        sources: The headers among them are left to the compiler to find.
    """
    files = [str(SOURCES / s) for s in sources if s.endswith(".cc")]
    paths = ["-I", jax.ffi.include_dir(), "-I", str(SOURCES), *files, "-o", str(output)]
    said = []
    for tuning in TUNINGS:
        command = [*find_compiler(), *FLAGS, *tuning, *paths]
        status, text = _run(command, TIMEOUT_SECONDS)
        if status == 0:
            return True, ""
        said.append(f"{shlex.join(command)}\n{text}")
        if status is None:
            break
    return False, "\n".join(said)


def _run(command: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run a command: its exit status, or None if it hangs, and all it said.

    A compiler starts others, which would outlive it: it runs in a group, and the group is ended.

    Raises:
        StoppedError: `stop` was called.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    ) as process:
        _running.add(process)
        try:
            if _is_stopped:  # before `stop` could see this one
                raise StoppedError
            said, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            _kill(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None, f"no answer in {seconds} seconds"
        finally:
            _running.discard(process)
    if _is_stopped:
        raise StoppedError
    return process.returncode, said


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _c_library() -> str:
    """The C library: one cache may be seen by several systems."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):  # another one than glibc
        return platform.system() + platform.release()


def _processor() -> str:
    """The processor's model and instruction sets, as -march=native sees them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    kept = ("model name", "cpu family", "model", "flags", "Features", "CPU part", "isa", "cpu")
    return "\n".join(line for line in lines if line.partition("\t")[0].strip() in kept)
