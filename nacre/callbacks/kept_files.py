"""Which of the files that a callback wrote are kept: the last ones, the best ones, or both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from nacre.core.errors import message
from nacre.core.warning import warn
from nacre.core.wire.bundle import files_of


@dataclass(frozen=True)
class KeptFile:
    """A file as it was when it had been written.

    Args:
        path: Where it is.
        value: The watched quantity of its model; None where none is watched.
        size_bytes, written_ns: What tells whether it is still the file that was written.
    """

    path: str
    value: float | None
    size_bytes: int
    written_ns: int


class KeptFiles:
    """Files in the order they were written; those that are no longer wanted are removed.

    A file that somebody has replaced, or touched, since it was written is left alone.

    Args:
        who: Whose files they are, for messages.
        last, best: How many of the newest, and of the best, are kept; None for no such rule.
        is_better: Whether a value is better than another.
    """

    def __init__(
        self,
        who: str,
        last: int | None,
        best: int | None,
        is_better: Callable[[float, float | None], bool],
    ) -> None:
        self.who, self.last, self.best = who, last, best
        self._is_better = is_better
        self.files: list[KeptFile] = []

    def has_room(self, value: float) -> bool:
        """Whether a model of this value would be kept."""
        if self.last is not None or self.best is None:
            return True
        ranked = self._ranked()
        return value == value and (  # NaN is never among the best
            len(ranked) < self.best or self._is_better(value, ranked[self.best - 1].value)
        )

    def would_spoil(self, path: str, value: float | None) -> KeptFile | None:
        """The file kept as one of the best that a worse model would overwrite."""
        if self.best is None or value is None:
            return None
        there = next((f for f in self._ranked()[: self.best] if f.path == path), None)
        if there is None or _stamp(path) != (there.size_bytes, there.written_ns):
            return None
        return None if self._is_better(value, there.value) else there

    def add(self, path: str, value: float | None) -> None:
        """Take in a file that was just written, completely; then remove what is not wanted."""
        stamp = _stamp(path)
        self.files = [file for file in self.files if file.path != path]
        if stamp is None:  # something else than one file: nothing of it is ever removed
            return
        self.files.append(KeptFile(path, value, *stamp))
        wanted = self._wanted()
        for file in [file for file in self.files if file.path not in wanted]:
            self.files.remove(file)
            self._remove(file)

    def _wanted(self) -> set[str]:
        if self.last is None and self.best is None:
            return {file.path for file in self.files}
        newest = self.files[-self.last :] if self.last is not None else []
        best = self._ranked()[: self.best] if self.best is not None else []
        return {file.path for file in [*newest, *best]}

    def _ranked(self) -> list[KeptFile]:
        """The best first; of equal ones the oldest."""
        ranked: list[KeptFile] = []
        for file in self.files:
            if file.value is None or file.value != file.value:
                continue
            worse = (i for i, f in enumerate(ranked) if self._is_better(file.value, f.value))
            ranked.insert(next(worse, len(ranked)), file)
        return ranked

    def _remove(self, file: KeptFile) -> None:
        if _stamp(file.path) != (file.size_bytes, file.written_ns):
            return  # gone, or another file by now
        try:
            for part in _parts(file.path):
                os.remove(part)
        except FileNotFoundError:
            pass
        except OSError as error:
            rule = "files that are no longer wanted must be removable, else they stay"
            fix = "Training goes on; look at the folder's permissions."
            warn(message(self.who, rule, f"{file.path!r}: {error.strerror}", fix))

    def as_plain(self) -> list[list[Any]]:
        """The record of the files, as data that JSON can hold."""
        return [list(astuple(file)) for file in self.files]

    def restore(self, plain: Iterable[Iterable[Any]]) -> None:
        """Take back what `as_plain` gave."""
        self.files = [KeptFile(*row) for row in plain]


def _parts(path: str) -> list[str]:
    """The files that a path stands for: itself, or the two of a checkpoint of TensorFlow."""
    if Path(path).is_file():
        return [path]
    both = files_of(Path(path))
    return [str(part) for part in both] if all(part.is_file() for part in both) else []


def _stamp(path: str) -> tuple[int, int] | None:
    """(size, time of writing) of a file, or of a checkpoint; None where there is none."""
    parts = _parts(path)
    if not parts:
        return None
    found = [os.stat(part) for part in parts]
    return sum(part.st_size for part in found), max(part.st_mtime_ns for part in found)
