"""`tf.io`: files, and `tf.io.gfile` on Python's own."""

from __future__ import annotations

import glob as python_glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.values import of_bytes
from nacre.tf.arguments import as_text
from nacre.tf.values import tensor


def path_of(name: Any) -> str:
    """A path, of a text or of a tensor."""
    if hasattr(name, "dtype"):
        name = np.asarray(name).item()
    return as_text(os.fspath(name), "utf-8")


def read_file(filename: Any, name: Any = None) -> Any:
    """The bytes of a file."""
    return sealed(of_bytes([Path(path_of(filename)).read_bytes()], ()))


def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Write bytes or a text; folders are made."""
    path = Path(path_of(filename))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tensor(contents).item())


def matching_files(pattern: Any, name: Any = None) -> Any:
    """The files whose paths fit patterns, in order."""
    patterns = np.ravel(np.asarray(tensor(pattern))).tolist()
    return tensor(sorted({path for p in patterns for path in glob(p)}) or np.empty(0, object))


def is_jpeg(contents: Any, name: Any = None) -> bool:
    """Whether bytes begin as a JPEG file does."""
    return tensor(contents).item()[:3] == b"\xff\xd8\xff"


class GFile:
    """A file: texts in UTF-8, or bytes where the mode has a `b`. Either may be written to both.

    Args:
        name: Its path.
        mode: `r`, `w` or `a`, with `+` and `b` as for `open`.

    Source:
        tf.io.gfile.GFile (TensorFlow 2.15.1). Differs: a file that is not there is refused at
        once, not when it is first read.
    """

    def __init__(self, name: Any, mode: str = "r") -> None:
        self.name, self.mode = path_of(name), mode
        self._is_binary = "b" in mode
        self._file = open(self.name, mode.replace("b", "").replace("t", "") + "b")

    def _given(self, data: bytes) -> Any:
        return data if self._is_binary else data.decode("utf-8")

    def read(self, n: int = -1) -> Any:
        """The next `n` bytes; all that are left where it is negative."""
        return self._given(self._file.read(n))

    def readline(self) -> Any:
        """The next line, with its end, and as TensorFlow does without any carriage return."""
        return self._given(self._file.readline().replace(b"\r", b""))

    def readlines(self) -> list[Any]:
        """All lines that are left."""
        return list(self)

    def write(self, file_content: Any) -> None:
        """Write a text or bytes."""
        is_text = isinstance(file_content, str)
        self._file.write(file_content.encode("utf-8") if is_text else file_content)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        """Go on from another place."""
        self._file.seek(position if offset is None else offset, whence)  # type: ignore[arg-type]

    def tell(self) -> int:
        """The place, in bytes."""
        return self._file.tell()

    def size(self) -> int:
        """How many bytes it has."""
        self.flush()
        return os.stat(self.name).st_size

    def seekable(self) -> bool:
        """True."""
        return True

    def flush(self) -> None:
        """Let others see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def exists(path: Any) -> bool:
    """Whether there is a file or a folder."""
    return os.path.exists(path_of(path))


def isdir(path: Any) -> bool:
    """Whether there is a folder."""
    return os.path.isdir(path_of(path))


def glob(pattern: Any) -> list[str]:
    """The paths that fit a pattern, or one of several, in order."""
    patterns = pattern if isinstance(pattern, list | tuple) else [pattern]
    return sorted(path for p in patterns for path in python_glob.glob(path_of(p)))


def listdir(path: Any) -> list[str]:
    """The names in a folder, in order."""
    return sorted(os.listdir(path_of(path)))


def makedirs(path: Any) -> None:
    """Make a folder, and those above it; one that is there stays."""
    os.makedirs(path_of(path), exist_ok=True)


def mkdir(path: Any) -> None:
    """Make a folder; one that is there stays."""
    Path(path_of(path)).mkdir(exist_ok=True)


def remove(path: Any) -> None:
    """Delete a file."""
    os.remove(path_of(path))


def rmtree(path: Any) -> None:
    """Delete a folder and all in it."""
    shutil.rmtree(path_of(path))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copy a file."""
    shutil.copyfile(path_of(src), _free(dst, overwrite))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Give a file or a folder another name."""
    os.replace(path_of(src), _free(dst, overwrite))


def _free(path: Any, overwrite: bool) -> str:
    if exists(path) and not overwrite:
        rule, fix = "the file must not be there yet", "Pass overwrite=True."
        raise ArgumentError(message("tf.io.gfile", rule, path_of(path), fix))
    return path_of(path)


def walk(top: Any, topdown: bool = True, onerror: Any = None) -> Iterator[Any]:
    """Folders, each with the folders and files in it, as `os.walk` gives them."""
    return os.walk(path_of(top), topdown, onerror)


def join(path: Any, *paths: Any) -> str:
    """Parts of a path put together."""
    return os.path.join(path_of(path), *map(path_of, paths))


def stat(path: Any) -> os.stat_result:
    """What the system knows of a file; `length` is `st_size`."""
    return os.stat(path_of(path))
