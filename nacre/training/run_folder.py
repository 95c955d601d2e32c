"""The folder that a training is kept in: its states, the newest two, and the run's manifest.

A state is written beside its place, synced and moved there, so that it is there whole or not at
all; one that a disk spoiled is known by its checksum, and the one before is taken then.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import atomic
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.folder_lock import FolderLock
from nacre.core.kinds import is_dict, is_list
from nacre.core.temporary import leftovers, remove
from nacre.core.warning import warn
from nacre.training import state_file

MANIFEST = "manifest.json"
_KEPT = 2  # states
_NAME = re.compile(rf"state-(\d{{6,}}){re.escape(state_file.ENDING)}")

Arrays = dict[str, np.ndarray]


class RunFolder:
    """A folder that this process has for itself; see the top of the file.

    Args:
        path: The folder; it is made where it is not there.
        who: The method that was called, for messages.

    Raises:
        BusyError: A training that runs just now is kept in it.
        ArgumentError: It is no path, or something else than a folder is there.
        OSError: It may not be written to.
    """

    def __init__(self, path: str | os.PathLike[str], who: str) -> None:
        self.who = who
        try:
            self.path = Path(os.path.abspath(os.fsdecode(path)))
        except TypeError:
            got = f"{type(path).__name__}"
            raise ArgumentError(message(who, "resume must be the path of a folder", got)) from None
        self.name = os.fsdecode(path)
        if self.path.exists() and not self.path.is_dir():
            raise ArgumentError(
                message(
                    who,
                    "resume must be the path of a folder, which keeps states of the training",
                    f"'{self.name}', a file",
                    "Choose another name.",
                )
            )
        with self._errors_name_folder():
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.path, who)

    def release(self) -> None:
        """Let others have the folder."""
        self._lock.release()

    @contextlib.contextmanager
    def _errors_name_folder(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, FileFormatError | ArgumentError) or error.errno is None:
                raise
            rule = "states of the training must be written to the folder"
            got = f"'{self.name}': {os.strerror(error.errno)}"
            fix = "Make room, or choose a folder that you may write to."
            text = message(self.who, rule, got, fix)
            raise OSError(error.errno, text, str(self.path)) from error

    # ------------------------------------------------------------ states

    def _states(self) -> list[tuple[int, Path]]:
        """(number, file) of all states, the oldest first."""
        names = [(_NAME.fullmatch(name), name) for name in os.listdir(self.path)]
        return sorted((int(match[1]), self.path / name) for match, name in names if match)

    def newest(self) -> tuple[Arrays, dict[str, Any]] | None:
        """(arrays, data) of the newest state that is whole; None where there is none.

        Raises:
            FileFormatError: There are states, and none is whole.
        """
        broken: list[str] = []
        for _, path in reversed(self._states()):
            try:
                found = state_file.read(path)
            except (FileFormatError, OSError) as error:
                broken.append(f"{path.name} ({error})")
                continue
            if broken:
                rule = "the newest state should be whole; the one before it is taken"
                warn(message(self.who, rule, f"in '{self.name}': {'; '.join(broken)}"))
            return found
        if broken:
            raise FileFormatError(
                message(
                    self.who,
                    "one of the states in the folder must be whole",
                    f"in '{self.name}': {'; '.join(broken)}",
                    "Delete them to begin anew.",
                )
            )
        return None

    def write(self, content: bytes) -> None:
        """Write a state, and delete those before the last."""
        states = self._states()
        number = states[-1][0] + 1 if states else 1
        path = self.path / f"state-{number:06d}{state_file.ENDING}"
        # One name for all that is unfinished: what a killed process left is deleted by the next.
        atomic.write_file(path, content, part_of=self.path / "state")
        for _, old in [*states, (number, path)][:-_KEPT]:
            old.unlink(missing_ok=True)

    # ------------------------------------------------------------ the manifest

    def note_manifest(self, manifest: dict[str, Any], is_resumed: bool) -> None:
        """Write the manifest of a run that begins, or add that of one that goes on."""
        path = self.path / MANIFEST
        whole = manifest
        if is_resumed:
            whole = _json_in(path) or {}
            before: Any = whole.get("resumed")
            whole = {**whole, "resumed": [*(before if is_list(before) else []), manifest]}
        content = json.dumps(whole, indent=2).encode()
        with self._errors_name_folder():
            atomic.write_file(path, content)

    # ------------------------------------------------------------ the end

    def delete(self) -> None:
        """Delete what was written here, and the folder where nothing else is in it."""
        for _, path in self._states():
            remove(path)
        for name in ("state", MANIFEST):
            for path in leftovers(self.path / name):
                remove(path)
        remove(self.path / MANIFEST)
        self.release()  # some systems delete no file that is open
        remove(self.path / "lock")
        with contextlib.suppress(OSError):  # something else is in it
            self.path.rmdir()


def _json_in(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # only for people: one that was damaged begins anew
        return None
    return found if is_dict(found) else None


__all__ = ["MANIFEST", "Arrays", "RunFolder"]
