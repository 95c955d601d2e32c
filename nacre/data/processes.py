"""Worker processes: how they begin, what they are sent, how they end.

A process is begun by spawn, a new Python: forking one whose libraries have threads, as JAX's do,
copies their locks in whatever state they are. `NACRE_WORKER_START=fork` forks all the same (not on
Windows): it begins sooner, and what cannot be pickled is there; no computation of JAX's may run in
it. Each process has one thread's use of the processor, and never a GPU through JAX.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

import numpy as np

from nacre.core.errors import ArgumentError, SerializationError, WorkerError, message
from nacre.data import worker_process as wire

_BEGIN = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from nacre.data.worker_process import serve; serve()"
)

# Of several processes each would otherwise take all processors, and the memory of a GPU.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
_ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

_GUARD = r"""__name__\s*==\s*["']__main__["']"""

_SECONDS_TO_END = 1.0  # of a process that was killed
_PIPE_BYTES = 1 << 20  # as large as Linux lets everybody have; 64 KiB are its own choice


class OfScriptError(SerializationError):
    """What is to be sent is defined in a script or notebook that no process can import."""


def start_method() -> str:
    """How worker processes begin: 'spawn', or what `NACRE_WORKER_START` says.

    Raises:
        ArgumentError: It says something that is not there.
    """
    method = os.environ.get("NACRE_WORKER_START") or "spawn"
    known = ["spawn", "fork"] if hasattr(os, "fork") else ["spawn"]
    if method not in known:
        rule = f"NACRE_WORKER_START must be {' or '.join(map(repr, known))} on this system"
        raise ArgumentError(message("worker processes", rule, repr(method)))
    return method


class Parcel:
    """What a process is to call, packed once for all of them.

    Attributes:
        function: The function itself, for processes that are forked.
        parts: The parts of the message that brings it.
        generators: The random generators that it holds or reads.
    """

    def __init__(self, function: Any, parts: list[Any], method: str) -> None:
        self.function, self.parts, self.method = function, parts, method
        self.generators = wire.generators_of(function)

    def is_same(self, other: Parcel) -> bool:
        """Whether a process that has the other one need not be sent this one."""
        if "fork" in (self.method, other.method) or len(self.parts) != len(other.parts):
            return False
        pairs = zip(self.parts, other.parts, strict=True)
        return all(memoryview(a).cast("B") == memoryview(b).cast("B") for a, b in pairs)


def parcel_of(function: Any, who: str, culprit: Any) -> Parcel:
    """A function packed for processes.

    Args:
        function: What they call.
        who: Whose it is, for messages.
        culprit: The user's own object or function in it, for messages.

    Raises:
        SerializationError: It cannot be packed.
        WorkerError: This is a worker process itself.
    """
    if wire.is_worker_process():
        _refuse_within(who)
    method = start_method()
    if method == "fork":
        return Parcel(function, [], method)
    first: Exception | None = None
    parts: list[Any] | None = None
    try:
        parts = _packed(_Pickler, function)
    except Exception as error:
        first = error
    of_main = parts is not None and b"__main__" in parts[0]
    if first is not None or of_main:
        by_value = _packed_by_value(function)
        if by_value is not None:
            return Parcel(function, [_setting(None), *by_value], method)
    main = _main_module() if of_main else None
    if parts is None or (of_main and main is None):
        _refuse_unpicklable(who, culprit, first)
    return Parcel(function, [_setting(main), *parts], method)


def _setting(main: tuple[str | None, str | None] | None) -> bytes:
    return pickle.dumps({"argv": sys.argv, "main": main})


class _ByFile:
    """For picklers: arrays in mapped files are sent as the names of these; open files are not."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, io.IOBase) and hasattr(value, "fileno"):  # cloudpickle reads it all
            raise TypeError(f"cannot pickle {type(value).__name__!r} object, an open file")
        if isinstance(value, np.memmap):
            place = _place_in_file(value)
            if place is not None:
                return _mapped, place
        inner = getattr(super(), "reducer_override", None)
        return NotImplemented if inner is None else inner(value)


class _Pickler(_ByFile, pickle.Pickler):
    """Python's own."""


def _packed(kind: Callable[..., Any], function: Any) -> list[Any]:
    # Copies: the arrays may change before the last process has been sent them.
    return [bytes(part) for part in wire.packed_by(kind, function)]


def _packed_by_value(function: Any) -> list[Any] | None:
    """Packed with the classes and functions of the script or notebook themselves, so that no
    process has to run it again; None where that cannot be."""
    try:
        import cloudpickle
    except ImportError:
        return None
    kind: Any = type("_ByValue", (_ByFile, cloudpickle.Pickler), {})
    try:
        return _packed(kind, function)
    except Exception:
        return None


def _main_module() -> tuple[str | None, str | None] | None:
    """(name, path) of the script, for processes to import; None where it has no file, or where
    importing it would do all of its work again."""
    main = sys.modules["__main__"]
    spec, path = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if not path or not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        if not re.search(_GUARD, file.read()):
            return None
    if spec is not None and spec.name != "__main__":
        return spec.name, None
    return None, os.path.abspath(path)


def _place_in_file(array: np.memmap) -> tuple[Any, ...] | None:
    """Where a mapped array lies in its file; None where that cannot be told."""
    root: Any = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if root.filename is None or not array.flags.c_contiguous or root.mode == "c":
        return None
    first, at = (a.__array_interface__["data"][0] for a in (root, array))
    mode = "r+" if root.mode == "w+" else root.mode
    if mode == "r+":
        array.flush()
    return str(root.filename), array.dtype, mode, root.offset + at - first, array.shape


def _mapped(path: str, dtype: np.dtype, mode: Any, offset: int, shape: tuple[int, ...]) -> Any:
    return np.memmap(path, dtype, mode, offset, shape)


def _refuse_within(who: str) -> NoReturn:
    raise WorkerError(
        message(
            who,
            "a worker process must not begin worker processes of its own",
            "one that runs the script again to find a class or function of it, and got this far",
            "Put what begins training under if __name__ == '__main__':, or "
            "pip install cloudpickle, which sends them without the script, or take threads: "
            "use_multiprocessing=False.",
        )
    )


def _refuse_unpicklable(who: str, culprit: Any, error: Exception | None) -> NoReturn:
    if error is None:
        got = (
            "a class or function of a notebook, or of a script that has no if __name__ == "
            "'__main__': and so would do all of its work again in each process"
        )
        fix = 'Install what sends it: pip install "nacre[workers]"; or put it into a module'
    else:
        got = f"{_unpicklable_part(culprit)}{type(error).__name__}: {error}"
        fix = (
            "Open files and make locks and connections within __getitem__ or the function, and "
            "define functions with def at the top of a module"
        )
    rule = "what worker processes call is sent to them, so it must be possible to pickle it"
    fix += "; or take threads: use_multiprocessing=False (no processes= for map and interleave)."
    kind = OfScriptError if error is None else SerializationError
    raise kind(message(who, rule, got, fix)) from error


def _unpicklable_part(culprit: Any) -> str:
    """The attribute that cannot be packed, as the begin of a sentence."""
    for name, value in getattr(culprit, "__dict__", {}).items():
        try:
            _packed(_Pickler, value)
        except Exception:
            return f"self.{name}, a {type(value).__name__}: "
    return ""


# ---------------------------------------------------------------------------- processes


class Process:
    """A worker process. One thread talks to it; any may kill it.

    Args:
        parcel: What it is to call.
    """

    def __init__(self, parcel: Parcel) -> None:
        self.stack: str | None = None  # where it was when it was asked last
        self._turn = threading.Lock()
        begin = _forked if parcel.method == "fork" else _spawned
        with _beginning:
            self._child, self._read, self._write = begin(parcel)
            _living.add(self)
        with suppress(OSError, ImportError, AttributeError, ValueError):
            import fcntl

            fcntl.fcntl(self._read.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def pid(self) -> int | None:
        """Its number."""
        return self._child.pid

    def send(self, kind: bytes, parts: Sequence[Any] = ()) -> None:
        """Send a message; nothing happens where it is dead."""
        with self._turn:
            self._write_frame(kind, parts)

    def ask_for_stack(self) -> None:
        """Have it say where it is; nothing happens where it is still to take another message."""
        self.stack = None
        if self._turn.acquire(blocking=False):
            try:
                self._write_frame(wire.WHERE)
            finally:
                self._turn.release()

    def _write_frame(self, kind: bytes, parts: Sequence[Any] = ()) -> None:
        with suppress(OSError, ValueError):
            wire.write_frame(self._write, kind, parts)

    def receive(self) -> wire.Frame | None:
        """Wait for the answer to a message; None where it died."""
        while True:
            try:
                frame = wire.read_frame(self._read)
            except (OSError, ValueError):
                return None
            if frame is None or frame[0] != wire.STACK:
                return frame
            self.stack = bytes(frame[1][0]).decode()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        with suppress(OSError, ValueError, AttributeError):  # it is over already
            self._child.kill()

    def end(self) -> int | None:
        """Let the system forget it; returns its exit code, or minus the number of a signal."""
        try:
            if isinstance(self._child, subprocess.Popen):
                self._child.wait(_SECONDS_TO_END)
                code = self._child.returncode
            else:
                self._child.join(_SECONDS_TO_END)  # type: ignore[attr-defined]
                code = self._child.exitcode  # type: ignore[attr-defined]
        except subprocess.TimeoutExpired:
            code = None
        with _beginning:
            _living.discard(self)
        for file in (self._read, self._write):
            with suppress(OSError, ValueError):
                file.close()
        return code

    def numbers(self) -> list[int]:
        """The parent's ends of its pipes."""
        return [f.fileno() for f in (self._read, self._write) if not f.closed]


_living: weakref.WeakSet[Process] = weakref.WeakSet()
# One begins at a time: a fork made meanwhile would hold its pipes open, which then do not end with
# it.
_beginning = threading.Lock()


def _spawned(_: Parcel) -> tuple[Any, BinaryIO, BinaryIO]:
    environment = {**os.environ, **_ENVIRONMENT}
    for name in _ONE_THREAD:
        environment.setdefault(name, "1")
    path = json.dumps([str(entry) or os.getcwd() for entry in sys.path])
    # Ctrl-C in a terminal is for this process alone; it ends the others.
    apart: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
        if sys.platform == "win32"
        else {"process_group": 0}
    )
    child = subprocess.Popen(
        [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-c", _BEGIN, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        **apart,
    )
    assert child.stdin is not None and child.stdout is not None
    return child, child.stdout, child.stdin  # type: ignore[return-value]


def _forked(parcel: Parcel) -> tuple[Any, BinaryIO, BinaryIO]:
    its_read, write = os.pipe()
    read, its_write = os.pipe()
    # Else the pipes of the others stay open in it, and these do not see that their parent is gone.
    others = [read, write, *(number for process in _living for number in process.numbers())]
    child = multiprocessing.get_context("fork").Process(
        target=wire.serve_forked,
        args=(parcel.function, its_read, its_write, others),
        daemon=True,
        name="nacre-worker",
    )
    with warnings.catch_warnings():  # of threads, by JAX and Python: who asks for a fork knows
        warnings.simplefilter("ignore")
        child.start()
    os.close(its_read)
    os.close(its_write)
    return child, os.fdopen(read, "rb"), os.fdopen(write, "wb")


def how_it_ended(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "it closed its pipe"
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"it was ended by the signal {name}{hint}"


__all__ = ["OfScriptError", "Parcel", "Process", "how_it_ended", "parcel_of", "start_method"]
