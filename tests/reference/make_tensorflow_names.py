"""Writes `nacre/tf/tensorflow_names.txt.gz`: all public names of TensorFlow, a module a line.

    PYTHON -m tests.reference.make_tensorflow_names VERSION     first 2.15, then 2.21, with those

Names are those of 2.21; below `keras` those of tf.keras in 2.15, as Keras 3 stands there since.
Of `compat.v1` only names count that are one object with TensorFlow 2's of the same path, or one
function with the same arguments: there `tf.compat.v1.x` means what `tf.x` does.
"""

from __future__ import annotations

import gzip
import inspect
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

TARGET = Path(__file__).resolve().parents[2] / "nacre" / "tf" / "tensorflow_names.txt.gz"
_LEFT_OUT = ("compat.v1", "compat.v2", "keras.api", "keras.src")


def is_module(value: Any) -> bool:
    """Whether a name stands for a module, also for one that is loaded late."""
    return isinstance(value, types.ModuleType) or "LazyLoader" in type(value).__name__


def walk(module: Any, path: str, found: dict[str, list[str]]) -> None:
    """Add the public names of a module and of those below it."""
    for name in dir(module):
        full = f"{path}.{name}" if path else name
        if name.startswith("_") or full in _LEFT_OUT:
            continue
        value = getattr(module, name, None)
        if is_module(value):
            home = getattr(value, "__name__", "")
            if not home.startswith(("tensorflow._api", "keras.api", "keras._tf", "tf_keras")):
                continue  # what a file of theirs imports
            walk(value, full, found)
        else:
            found.setdefault(path, []).append(name)


def is_one(old: Any, new: Any) -> bool:
    """Whether two names stand for one object, or for one function with the same arguments."""
    if old is new:
        return True
    if not isinstance(old, types.FunctionType) or not isinstance(new, types.FunctionType):
        return False
    is_same = inspect.unwrap(old) is inspect.unwrap(new)
    return is_same and inspect.signature(old) == inspect.signature(new)


def of_first_version(tf: Any, names: dict[str, list[str]]) -> dict[str, list[str]]:
    """The names of `compat.v1` that are TensorFlow 2's own."""
    found: dict[str, list[str]] = {}
    for path, known in names.items():
        if path.startswith(("keras", "raw_ops", "compat", "data")):
            continue
        new, old = tf, tf.compat.v1
        for part in path.split(".") if path else ():
            new, old = getattr(new, part), getattr(old, part, None)
        same = [n for n in known if is_one(getattr(old, n, None), getattr(new, n))]
        if same:
            found[f"compat.v1.{path}".rstrip(".")] = same
    return found


def main(version: str) -> None:
    """Add the names of one version."""
    import tensorflow as tf

    kept: dict[str, list[str]] = {}
    if TARGET.exists():
        for line in gzip.decompress(TARGET.read_bytes()).decode().splitlines():
            path, _, names = line.partition(": ")
            kept[path] = names.split()
    found: dict[str, list[str]] = {}
    if version == "2.15":
        walk(tf.keras, "keras", found)
        kept = {p: n for p, n in kept.items() if p.split(".")[0] != "keras"} | found
    else:
        walk(tf, "", found)
        found = {p: n for p, n in found.items() if p.split(".")[0] != "keras"}
        found |= of_first_version(tf, found)
        kept = {p: n for p, n in kept.items() if p.split(".")[0] == "keras"} | found
    text = "".join(f"{path}: {' '.join(sorted(kept[path]))}\n" for path in sorted(kept))
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(version, sum(map(len, kept.values())), len(TARGET.read_bytes()))


if __name__ == "__main__":
    main(sys.argv[1])
