"""Compile C++ sources that ship with nacre, once per machine, and load them as XLA call targets.

The library is kept in nacre's cache folder under a name that holds a hash of the sources, the
compiler, its flags, the processor and jaxlib's interface; so nothing stale is ever loaded. It is
written beside its place and moved there, so that a second process sees all of it or nothing.
A build takes one to three seconds, the first time a program needs the kernel.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import jax
import jaxlib

from nacre.core.config import cache_home

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-std=c++17", "-march=native", "-fno-math-errno", "-fPIC", "-shared", "-pthread")
COMPILERS = ("c++", "g++", "clang++")
TIMEOUT_SECONDS = 120  # a compiler that hangs must not stop anybody for long
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
    """Tell whether this process has one device, or `NACRE_NATIVE=force` says not to mind.

    XLA cannot divide a call it does not know among devices: it would gather the whole batch.
    """
    return jax.local_device_count() == 1 or os.environ.get("NACRE_NATIVE") == "force"


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
    mark = outcome.path.stem.rpartition("-")[2]
    targets = {handler: f"nacre_{handler}_{mark}" for handler in handlers}
    for handler, target in targets.items():
        capsule = jax.ffi.pycapsule(getattr(outcome.library, handler))
        jax.ffi.register_ffi_target(target, capsule, platform="cpu")
    return targets


@functools.cache
def _build(name: str, sources: tuple[str, ...]) -> Outcome:
    compiler = find_compiler()
    if sys.platform == "win32" or compiler is None:
        return Outcome(None, None, "no C++ compiler found (c++, g++ or clang++)")
    try:
        folder = cache_home() / "native"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}-{_mark(compiler, sources)}.so"
        failed = path.with_suffix(".failed")
        if not path.exists():
            if failed.exists():
                return Outcome(None, None, f"did not compile, see {failed}")
            said = _compile(compiler, sources, path)
            if said:
                failed.write_text(said, encoding="utf-8")
                return Outcome(None, None, f"did not compile, see {failed}")
        return Outcome(ctypes.CDLL(str(path)), path, "ready")
    except (OSError, subprocess.SubprocessError) as error:
        return Outcome(None, None, f"{type(error).__name__}: {error}")


@functools.cache
def find_compiler() -> str | None:
    """The path of the C++ compiler: the variable `CXX`, else the first one found."""
    wanted = os.environ.get("CXX")
    return next((p for c in ((wanted,) if wanted else COMPILERS) if (p := shutil.which(c))), None)


def describe() -> list[tuple[str, str]]:
    """What a report on this installation says: names and values; nothing is built for it."""
    folder = cache_home() / "native"
    rows = [("compiler", find_compiler() or "none found: kernels run in plain XLA")]
    if is_switched_off():
        rows.append(("native kernels", "switched off by NACRE_NATIVE or NACRE_KERNELS"))
    ready = sorted(path.stem.rpartition("-")[0] for path in folder.glob("*.so"))
    rows.append(("built", f"{', '.join(dict.fromkeys(ready)) or 'nothing yet'}, in {folder}"))
    return rows + [("failed", str(path)) for path in sorted(folder.glob("*.failed"))]


def _compile(compiler: str, sources: tuple[str, ...], path: Path) -> str:
    """Compile to `path`; gives what the compiler said when it failed, else nothing."""
    handle, partial = tempfile.mkstemp(suffix=".so", dir=path.parent)
    os.close(handle)
    files = [str(SOURCES / s) for s in sources if s.endswith(".cc")]
    command = [compiler, *FLAGS, "-I", jax.ffi.include_dir(), "-I", str(SOURCES), *files]
    try:
        done = subprocess.run(
            [*command, "-o", partial],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            return f"{' '.join(command)}\n{done.stderr}"
        os.replace(partial, path)
        return ""
    finally:
        Path(partial).unlink(missing_ok=True)


def _mark(compiler: str, sources: tuple[str, ...]) -> str:
    """Hash of all that the machine code depends on."""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    parts = [compiler, version.stdout, *FLAGS, jaxlib.__version__, platform.machine(), _processor()]
    digest = hashlib.sha256("\n".join(parts).encode())
    for source in sources:
        digest.update((SOURCES / source).read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """The processor's model and instruction sets, as -march=native sees them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    kept = ("model name", "cpu family", "model", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.partition("\t")[0].strip() in kept)
