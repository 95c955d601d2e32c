"""Compile C++ sources that ship with nacre, once per machine, and load them as XLA call targets.

The library is kept in nacre's cache folder under a name that holds a hash of the sources, the
compiler, its flags, the processor and jaxlib's interface; so nothing stale is ever loaded. The name
also holds a hash of the file itself, as mapping a damaged one could end the process. It is written
beside its place and moved there, so that a second process sees all of it or nothing. As its code is
run, folder and file must be this user's own: mode 0700, no links (`core.private`).
A build takes one to three seconds, the first time a program needs the kernel; libraries that are
needed with it are built beside it (`ahead.py`). Of several processes one builds, under a lock that
ends with its process; the others wait a few seconds for it, and what they trace after that takes
the plain form. What does not work here (no compiler, one that fails or
hangs, a folder that cannot be written) never stops anybody: there is no library then, and
`nacre doctor` says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
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
from nacre.ops.kernels.native import ahead, compiler

try:
    import fcntl
except ImportError:  # on Windows, where nothing is built
    fcntl = None

RETRY_SECONDS = 24 * 3600  # a full disk, or too little memory, may have been the reason
# For builds of other processes or threads, all together: one takes one to three seconds. Who waits
# longer than building oneself takes would lose by the kernels.
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.02
# A home folder that nobody knows is a RuntimeError.
_REASONS = (OSError, RuntimeError, subprocess.SubprocessError)
_OFF = ("0", "off", "false", "no")


@dataclass(frozen=True)
class Outcome:
    """A library, or the reason why there is none.

    Args:
        is_final: False while somebody else builds it: then the next program asks again.
        targets: The call target of each handler, for `jax.ffi.ffi_call`.
    """

    library: ctypes.CDLL | None
    path: Path | None
    reason: str
    is_final: bool = True
    targets: Mapping[str, str] = field(default_factory=dict)


Key = tuple[str, tuple[str, ...], tuple[str, ...]]

_outcomes: dict[Key, Outcome] = {}
_locks: dict[Key, threading.Lock] = {}
_waits: list[float] = []  # seconds this process has waited
_targets: set[str] = set()  # those that XLA knows


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


def build(
    name: str,
    sources: tuple[str, ...],
    handlers: tuple[str, ...] = (),
    companions: Mapping[str, tuple[str, ...]] | None = None,
) -> Outcome:
    """Compile and load a library, or find it in the cache; say why not otherwise.

    Args:
        name: Name of the library, part of its file name.
        sources: Files of this folder; the headers among them only enter the hash.
        handlers: Its functions that become call targets of XLA on the CPU. A target's name ends
            with the library's hash: a compiled program that JAX keeps on disk cannot meet another
            version of the kernel.
        companions: Names and sources of libraries that are mostly needed with this one. Where this
            one has to be built they are built beside it, on cores that would have nothing to do.
    """
    key = (name, sources, handlers)
    if key in _outcomes:
        return _outcomes[key]
    ahead.settle((name, sources))
    lock = _locks.setdefault(key, threading.Lock())
    with _waiting() as patience:
        is_ours = lock.acquire(timeout=patience)
    if not is_ours:
        return _busy("another thread")
    try:
        if key not in _outcomes:
            begin = functools.partial(_build_beside, companions or {})
            outcome = _register(_build(name, sources, begin), handlers)
            if not outcome.is_final:
                return outcome
            _outcomes[key] = outcome
        return _outcomes[key]
    finally:
        lock.release()


def availability(
    name: str, sources: tuple[str, ...], handlers: tuple[str, ...] = ()
) -> tuple[bool, str]:
    """Whether there is a library or can be, and in words; nothing is built or changed for it."""
    if outcome := _outcomes.get((name, sources, handlers)):
        return outcome.library is not None, outcome.reason
    try:
        if reason := _unable():
            return False, reason
        folder = cache_home() / "native"
        if os.path.lexists(folder):
            check_private_folder(folder)
        stem = _stem(name, sources)
        if any(_whole_files(folder, stem)):
            return True, "built"
        failed = folder / f"{stem}.failed"
        if _has_failed(failed):
            return False, f"did not compile, see {failed}"
    except _REASONS as error:
        return False, f"{type(error).__name__}: {error}"
    nearest = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not os.access(nearest, os.W_OK):
        return False, f"{nearest} cannot be written; NACRE_CACHE names another folder"
    return True, "will be built when first needed"


@contextlib.contextmanager
def _waiting() -> Generator[float]:
    """How many seconds this process may still wait; the time in the block is taken off them."""
    begun = time.monotonic()
    yield max(0.0, WAIT_SECONDS - sum(_waits))
    _waits.append(time.monotonic() - begun)


def _busy(by: str) -> Outcome:
    return Outcome(None, None, f"{by} is building it", is_final=False)


def _register(outcome: Outcome, handlers: tuple[str, ...]) -> Outcome:
    if outcome.library is None or outcome.path is None:
        return outcome
    mark = outcome.path.stem.split("-")[-2]
    targets = {handler: f"nacre_{handler}_{mark}" for handler in handlers}
    try:
        for handler, target in targets.items():
            if target not in _targets:
                capsule = jax.ffi.pycapsule(getattr(outcome.library, handler))
                jax.ffi.register_ffi_target(target, capsule, platform="cpu")
                _targets.add(target)
    except (AttributeError, RuntimeError, ValueError) as error:
        reason = f"jaxlib {jaxlib.__version__} does not take it: {error}"
        return Outcome(None, outcome.path, reason)
    return dataclasses.replace(outcome, targets=targets)


def _build(
    name: str, sources: tuple[str, ...], begin: Callable[[], None], *, is_patient: bool = True
) -> Outcome:
    """Find or build a library; call `begin` where it is not there yet."""
    try:
        if reason := _unable():
            return Outcome(None, None, reason)
        folder = make_private_folder(cache_home() / "native")
        stem = _stem(name, sources)
        found = _load(folder, stem)
        if found is not None:
            return found
        begin()
        with _only_builder(folder / f"{name}.lock", is_patient=is_patient) as is_only:
            if not is_only:
                return _busy("another process")
            # Whoever held the lock before may have built it, or failed.
            return _load(folder, stem) or _build_anew(sources, folder, stem)
    except _REASONS as error:
        return Outcome(None, None, f"{type(error).__name__}: {error}")


def _build_beside(libraries: Mapping[str, tuple[str, ...]]) -> None:
    """Begin to build libraries in threads of their own; whoever asks for one then loads it."""
    nothing = functools.partial(_build_beside, {})
    builds = {
        (name, sources): functools.partial(_build, name, sources, nothing, is_patient=False)
        for name, sources in libraries.items()
    }
    ahead.begin(builds, workers=cores() - 1)


def _unable() -> str:
    """Why nothing can be built here; or an empty text."""
    if sys.platform == "win32":
        return "not on Windows"
    command = compiler.find_compiler()
    if not command:
        return compiler.NONE_FOUND
    if compiler.version(command) is None:
        return f"{shlex.join(command)} gives no version"
    return ""


def _stem(name: str, sources: tuple[str, ...]) -> str:
    return f"{name}-{compiler.mark(sources)}"


def _has_failed(mark: Path) -> bool:
    return mark.exists() and time.time() - mark.stat().st_mtime < RETRY_SECONDS


def _load(folder: Path, stem: str) -> Outcome | None:
    """What is known of a library; None when it is to be built."""
    failed = folder / f"{stem}.failed"
    if _has_failed(failed):
        return Outcome(None, None, f"did not compile, see {failed}")
    for path in _whole_files(folder, stem):
        with contextlib.suppress(OSError):  # such as one of another system's C library
            return Outcome(ctypes.CDLL(str(path)), path, "ready")
    return None


def _build_anew(sources: tuple[str, ...], folder: Path, stem: str) -> Outcome:
    """Build a library in place of those of its name, which are damaged or cannot be loaded."""
    failed = folder / f"{stem}.failed"
    for path in folder.glob(f"{stem}-*.so"):
        path.unlink(missing_ok=True)
    path, said = _compile(sources, folder, stem)
    if path is not None:
        try:
            library = ctypes.CDLL(str(path))
            failed.unlink(missing_ok=True)
            return Outcome(library, path, "ready")
        except OSError as error:
            said = f"{path} cannot be loaded: {error}"
    failed.write_text(said, encoding="utf-8")
    return Outcome(None, None, f"did not compile, see {failed}")


@contextlib.contextmanager
def _only_builder(path: Path, *, is_patient: bool = True) -> Generator[bool]:
    """Hold the lock of a library: True when this process has it, False when another kept it.

    The lock is the system's, and ends with a process that is killed. Where there are none, as on
    some network folders, everybody builds.
    """
    if fcntl is None:
        yield True
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if is_patient:
            with _waiting() as patience:
                is_only = _lock(descriptor, patience)
        else:
            is_only = _lock(descriptor, 0.0)
        try:
            yield is_only
        finally:
            if is_only:  # closing alone would leave it with a process forked meanwhile
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait_seconds: float) -> bool:
    """Lock an open file; False when another process still has it after some seconds."""
    assert fcntl is not None
    end = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):  # held; the second on some systems
            if time.monotonic() >= end:
                return False
        except OSError:  # no locks here
            return True
        time.sleep(POLL_SECONDS)


def _whole_files(folder: Path, stem: str) -> Generator[Path]:
    """The libraries of a name that are this user's own and not damaged."""
    for path in sorted(folder.glob(f"{stem}-*.so")):
        with contextlib.suppress(NotPrivateError):
            if path.stem.endswith(_digest(path)):
                yield path


def _digest(path: Path) -> str:
    return hashlib.sha256(read_private_file(path)).hexdigest()[:16]


def _compile(sources: tuple[str, ...], folder: Path, stem: str) -> tuple[Path | None, str]:
    """Compile into the folder: the library, or None and what the compiler said."""
    _sweep(folder, stem.split("-")[0])
    handle, name = tempfile.mkstemp(".partial", f"{stem}-", folder)
    os.close(handle)
    partial = Path(name)
    try:
        works, said = compiler.compile_sources(sources, partial)
        if not works:
            return None, said
        partial.chmod(0o700)  # a linker makes the file anew, by the user's umask
        path = folder / f"{stem}-{_digest(partial)}.so"
        partial.replace(path)
        return path, ""
    finally:
        partial.unlink(missing_ok=True)


def _sweep(folder: Path, name: str) -> None:
    """Delete what a process that was killed while it built has left."""
    longest = len(compiler.TUNINGS) * compiler.TIMEOUT_SECONDS
    for path in folder.glob(f"{name}-*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > longest:
                path.unlink()
