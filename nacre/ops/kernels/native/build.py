"""Compile C++ sources that ship with nacre, once per machine, and load them as XLA call targets.

The library is kept in nacre's cache folder under a name that holds a hash of the sources, the
compiler, its flags, the processor and jaxlib's interface; so nothing stale is ever loaded. The name
also holds a hash of the file itself, as mapping a damaged one could end the process. It is written
beside its place and moved there, so that a second process sees all of it or nothing. As its code is
run, folder and file must be this user's own: mode 0700, no links (`core.private`).
A build takes one to three seconds, the first time a program needs the kernel. What does not work
here (no compiler, one that fails or hangs, a folder that cannot be written) never stops anybody:
there is no library then, and `nacre doctor` says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jaxlib

from nacre.core.config import cache_home
from nacre.core.private import (
    NotPrivateError,
    check_private_folder,
    make_private_folder,
    read_private_file,
)

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-std=c++17", "-fno-math-errno", "-fPIC", "-shared", "-pthread")
# The first that the compiler and its assembler take; the last one always works.
TUNINGS = (("-march=native",), ("-mcpu=native",), ())
COMPILERS = ("c++", "g++", "clang++")
TIMEOUT_SECONDS = 120  # a compiler that hangs must not stop anybody for long
VERSION_SECONDS = 10
RETRY_SECONDS = 24 * 3600  # a full disk, or too little memory, may have been the reason
# A home folder that nobody knows is a RuntimeError.
_REASONS = (OSError, RuntimeError, subprocess.SubprocessError)
_OFF = ("0", "off", "false", "no")

_lock = threading.RLock()


@dataclass(frozen=True)
class Outcome:
    """A library, or the reason why there is none."""

    library: ctypes.CDLL | None
    path: Path | None
    reason: str


def is_switched_off() -> bool:
    """Tell whether `NACRE_NATIVE=0` (or `NACRE_KERNELS=xla`) asks for no native kernels."""
    return (
        os.environ.get("NACRE_NATIVE", "1").lower() in _OFF
        or os.environ.get("NACRE_KERNELS", "").lower() == "xla"
    )


def is_alone() -> bool:
    """Tell whether there is one device in all, or `NACRE_NATIVE=force` says not to mind.

    XLA cannot divide a call it does not know among devices: it would gather the whole batch.
    """
    return jax.device_count() == 1 or os.environ.get("NACRE_NATIVE") == "force"


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def build(name: str, sources: tuple[str, ...]) -> Outcome:
    """Compile and load a library, or find it in the cache; say why not otherwise.

    Args:
        name: Name of the library, part of its file name.
        sources: Files of this folder; the headers among them only enter the hash.
    """
    with _lock:
        return _build(name, sources)


def register(name: str, sources: tuple[str, ...], handlers: tuple[str, ...]) -> dict[str, str]:
    """Make the library's handlers call targets of XLA on the CPU.

    Returns:
        The target of each handler, for `jax.ffi.ffi_call`; empty when there is no library. A
        target's name ends with the library's hash: a compiled program that JAX keeps on disk
        cannot meet another version of the kernel.
    """
    with _lock:
        return _register(name, sources, handlers)


@functools.cache
def _register(name: str, sources: tuple[str, ...], handlers: tuple[str, ...]) -> dict[str, str]:
    outcome = _build(name, sources)
    if outcome.library is None or outcome.path is None:
        return {}
    mark = outcome.path.stem.split("-")[-2]
    targets = {handler: f"nacre_{handler}_{mark}" for handler in handlers}
    try:
        for handler, target in targets.items():
            capsule = jax.ffi.pycapsule(getattr(outcome.library, handler))
            jax.ffi.register_ffi_target(target, capsule, platform="cpu")
    except (AttributeError, RuntimeError, ValueError):  # jaxlib does not know this interface
        return {}
    return targets


@functools.cache
def _build(name: str, sources: tuple[str, ...]) -> Outcome:
    if sys.platform == "win32":
        return Outcome(None, None, "not on Windows")
    compiler = find_compiler()
    if not compiler:
        return Outcome(None, None, "no C++ compiler found (c++, g++ or clang++)")
    try:
        version = _version(compiler)
        if version is None:
            return Outcome(None, None, f"{shlex.join(compiler)} gives no version")
        folder = make_private_folder(cache_home() / "native")
        stem = f"{name}-{_mark(compiler, version, sources)}"
        path, failed = _find(folder, stem), folder / f"{stem}.failed"
        if path is None:
            if failed.exists() and time.time() - failed.stat().st_mtime < RETRY_SECONDS:
                return Outcome(None, None, f"did not compile, see {failed}")
            path, said = _compile(compiler, sources, folder, stem)
            if path is None:
                failed.write_text(said, encoding="utf-8")
                return Outcome(None, None, f"did not compile, see {failed}")
            failed.unlink(missing_ok=True)
        return Outcome(ctypes.CDLL(str(path)), path, "ready")
    except _REASONS as error:
        return Outcome(None, None, f"{type(error).__name__}: {error}")


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


def describe() -> list[tuple[str, str]]:
    """What a report on this installation says: names and values; nothing is built for it."""
    compiler = shlex.join(find_compiler())
    rows = [("compiler", compiler or "none found: kernels run in plain XLA")]
    if is_switched_off():
        rows.append(("native kernels", "switched off by NACRE_NATIVE or NACRE_KERNELS"))
    try:
        folder = cache_home() / "native"
    except RuntimeError as error:
        return [*rows, ("built", f"nothing: {error} Set NACRE_CACHE to a folder.")]
    if os.path.lexists(folder):
        try:
            check_private_folder(folder)
        except OSError as error:
            rows.append(("cache folder", f"not used: {error}; NACRE_CACHE names another"))
    nearest = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not os.access(nearest, os.W_OK):
        rows.append(("cache folder", f"{nearest} cannot be written; NACRE_CACHE names another"))
    ready = sorted(path.stem.split("-")[0] for path in folder.glob("*-*.so"))
    rows.append(("built", f"{', '.join(dict.fromkeys(ready)) or 'nothing yet'}, in {folder}"))
    return rows + [("failed", str(path)) for path in sorted(folder.glob("*.failed"))]


def _find(folder: Path, stem: str) -> Path | None:
    """The library in the cache; a damaged one is put away."""
    for path in sorted(folder.glob(f"{stem}-*.so")):
        with contextlib.suppress(NotPrivateError):
            if path.stem.endswith(_digest(path)):
                return path
        path.unlink(missing_ok=True)
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(read_private_file(path)).hexdigest()[:16]


def _compile(
    compiler: Sequence[str], sources: tuple[str, ...], folder: Path, stem: str
) -> tuple[Path | None, str]:
    """Compile into the folder; the library, or None and what the compiler said."""
    handle, partial = tempfile.mkstemp(suffix=".partial", dir=folder)
    os.close(handle)
    files = [str(SOURCES / s) for s in sources if s.endswith(".cc")]
    paths = ["-I", jax.ffi.include_dir(), "-I", str(SOURCES), *files, "-o", partial]
    said = []
    try:
        for tuning in TUNINGS:
            command = [*compiler, *FLAGS, *tuning, *paths]
            status, text = _run(command, TIMEOUT_SECONDS)
            if status == 0:
                os.chmod(partial, 0o700)  # a linker makes the file anew, by the user's umask
                path = folder / f"{stem}-{_digest(Path(partial))}.so"
                os.replace(partial, path)
                return path, ""
            said.append(f"{shlex.join(command)}\n{text}")
            if status is None:
                break
        return None, "\n".join(said)
    finally:
        Path(partial).unlink(missing_ok=True)


def _run(command: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run a command: its exit status, or None if it hangs, and all it said.

    A compiler starts others, which would outlive it: it runs in a group, and the group is ended.
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
        try:
            said, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None, f"no answer in {seconds} seconds"
    return process.returncode, said


@functools.cache
def _version(compiler: tuple[str, ...]) -> str | None:
    """What the compiler says of itself; None when it fails or hangs."""
    status, said = _run([*compiler, "--version"], VERSION_SECONDS)
    return said if status == 0 else None


def _mark(compiler: Sequence[str], version: str, sources: tuple[str, ...]) -> str:
    """Hash of all that the machine code depends on."""
    flags = (*FLAGS, *(flag for tuning in TUNINGS for flag in tuning))
    machine = (jaxlib.__version__, platform.machine(), _processor())
    digest = hashlib.sha256("\n".join((*compiler, version, *flags, *machine)).encode())
    for source in sources:
        digest.update((SOURCES / source).read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """The processor's model and instruction sets, as -march=native sees them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    kept = ("model name", "cpu family", "model", "flags", "Features", "CPU part", "isa", "cpu")
    return "\n".join(line for line in lines if line.partition("\t")[0].strip() in kept)
