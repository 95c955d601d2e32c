"""The files compiled, and called."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.graph.sizes import multiple_of_name, parse_size, size_value
from nacre.export.targets.c.write import signature
from nacre.export.targets.target import Array, Run

_COMPILERS = ("cc", "gcc", "clang")


def compiler() -> str:
    """What compiles C here; '' where nothing does."""
    return next(filter(None, map(shutil.which, _COMPILERS)), "") or ""


def why_not() -> str:
    """Why nothing can be compiled here, '' where it can."""
    return "" if compiler() else f"none of {', '.join(_COMPILERS)} is on the path"


def open_folder(path: Path) -> Run:
    """Compile the files of a folder into a library, and load it."""
    return _opened(path, [compiler()])


def open_with_zig(path: Path) -> Run:
    """The same with the compiler that `pip install ziglang` brings."""
    return _opened(path, [sys.executable, "-m", "ziglang", "cc"])


def _opened(path: Path, compiler: Sequence[str]) -> Run:
    said = signature((path / "model.h").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        built = Path(folder) / "model.so"
        command = [*compiler, "-std=c99", "-O2", "-shared", "-fPIC", "-o", str(built)]
        done = subprocess.run(
            [*command, str(path / "model.c"), "-lm"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"it does not compile: {done.stderr.strip()}")
        library = ctypes.CDLL(str(built))
    weights = (path / "weights.bin").read_bytes() if said["weights_in_file"] else None
    return _Loaded(library, said, weights)


class _Loaded:
    """A library that was loaded: arrays in, arrays out."""

    def __init__(self, library: Any, said: dict[str, Any], weights: bytes | None) -> None:
        self._run = getattr(library, f"{said['prefix']}_run")
        self._arena_bytes = getattr(library, f"{said['prefix']}_arena_bytes")
        self._arena_bytes.restype = ctypes.c_size_t
        self._said = said
        self._weights = None if weights is None else _aligned(len(weights))
        if self._weights is not None and weights is not None:
            self._weights[:] = np.frombuffer(weights, "uint8")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        given = [
            np.asarray(array, spec["dtype"], order="C")
            for array, spec in zip(arrays, self._said["inputs"], strict=True)
        ]
        known: dict[str, int] = {}
        for array, spec in zip(given, self._said["inputs"]):
            for actual, text in zip(array.shape, spec["shape"], strict=True):
                named = multiple_of_name(parse_size(text))
                if named is not None:
                    known.setdefault(named[0], actual // named[1])
                if size_value(parse_size(text), known) != actual:
                    shape = ", ".join(spec["shape"])
                    raise ValueError(f"it takes ({shape}), not {array.shape}")
        results = [
            np.empty([size_value(parse_size(n), known) for n in spec["shape"]], spec["dtype"])
            for spec in self._said["outputs"]
        ]
        sizes = [ctypes.c_ssize_t(known[name]) for name in self._said["sizes"]]
        needed = self._arena_bytes(*sizes)
        arena = np.empty(needed, "uint8")
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*given, *results)]
        weights = [] if self._weights is None else [ctypes.c_void_p(self._weights.ctypes.data)]
        memory = [ctypes.c_void_p(arena.ctypes.data), ctypes.c_size_t(needed)]
        code = self._run(*pointers, *sizes, *weights, *memory)
        if code:
            raise RuntimeError(f"it gives {code} for sizes {known}")
        return results


def _aligned(count: int) -> Array:
    """Bytes at an address that is a multiple of 16."""
    block = np.empty(count + 16, "uint8")
    start = -block.ctypes.data % 16
    return block[start : start + count]


__all__ = ["compiler", "open_folder", "open_with_zig", "why_not"]
