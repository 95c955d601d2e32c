"""Write every epoch's results to a CSV file."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from nacre.callbacks.arguments import make_folder
from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import ArgumentError, message
from nacre.core.warning import warn


class CSVLogger(Callback):
    """Writes one row an epoch, complete on disk when the epoch ends.

    Columns are `epoch` and the first epoch's logs in alphabetical order, those of validation
    added where it does not run every epoch; a missing value is `NA`.

    Args:
        filename: The file.
        separator: Sign between values.
        append: Whether to add to an existing file instead of replacing it. Its columns are filled
            then: what they do not name is left out, with a warning (Keras writes it into the
            columns of other logs).

    Raises:
        ArgumentError: `filename` is no path, `separator` not one character, or the file to add to
            no log with that separator.
    Example:
        >>> CSVLogger("log.csv", separator=";").append
        False
    """

    adds_logs = ()
    writes = True
    remembers = ("_names", "_position")

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        if not isinstance(filename, str | os.PathLike):
            rule = "filename must be a path"
            raise ArgumentError(message("CSVLogger", rule, repr(filename)[:100]))
        if not isinstance(separator, str) or len(separator) != 1:
            rule = "separator must be one character"
            raise ArgumentError(message("CSVLogger", rule, repr(separator), "Pass ','."))
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._file: Any = None
        self._writer: Any = None
        self._names: list[str] = []
        self._has_warned = False
        self._position = 0  # bytes of the file that are complete rows

    def on_train_begin(self, logs: Logs = None) -> None:
        path = Path(self.filename)
        self._has_warned = False
        if self.is_restored and self._position:
            self._reopen(path)
            return
        make_folder("CSVLogger", path.parent)
        self._names = self._columns_of(path) if self.append else []
        self._file = path.open("a" if self.append else "w", encoding="utf-8", newline="")
        self._writer = None
        if self._names:
            self._writer = self._new_writer()
            if not path.read_bytes().endswith(b"\n"):  # a row that was never finished
                self._file.write("\n")

    def _columns_of(self, path: Path) -> list[str]:
        """The logs that a file to add to has columns for; none where there is no such file."""
        if not path.exists() or path.stat().st_size == 0:
            return []
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file, delimiter=self.separator), [])
        if header[:1] != ["epoch"] or len(header) < 2:
            raise ArgumentError(
                message(
                    "CSVLogger",
                    f"with append=True the file must begin with a row of names, epoch first, "
                    f"between them {self.separator!r}",
                    f"{path} with {self.separator.join(header)[:100]!r}",
                    "Pass the separator it was written with, or another filename.",
                )
            )
        return header[1:]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        writer = self._writer or self._start(logs)
        self._warn_of_names_left_out(logs)
        row = {"epoch": epoch, **{name: _cell(logs.get(name)) for name in self._names}}
        writer.writerow(row)
        self._file.flush()
        self._position = self._file.tell()

    def _reopen(self, path: Path) -> None:
        """Open the file where the restored state left it; later rows are written anew."""
        size = path.stat().st_size if path.exists() else 0
        if size < self._position:
            raise ArgumentError(
                message(
                    "CSVLogger",
                    f"the file must hold the {self._position} bytes that it had in the state that "
                    "was restored",
                    f"{path} of {size} bytes",
                    "Put the file back, or use a new CSVLogger without restore().",
                )
            )
        self._file = path.open("r+", encoding="utf-8", newline="")
        self._file.seek(self._position)
        self._file.truncate()
        self._writer = self._new_writer()

    def _warn_of_names_left_out(self, logs: dict[str, Any]) -> None:
        left_out = [name for name in logs if name not in self._names]
        if left_out and not self._has_warned:
            self._has_warned = True
            warn(
                message(
                    "CSVLogger",
                    f"columns are those that {self.filename!r} began with: "
                    f"{', '.join(self._names)}",
                    f"also {', '.join(left_out)}, which are left out",
                    "Log them from the first epoch on, or write another file.",
                )
            )

    def _new_writer(self) -> Any:
        columns = ["epoch", *self._names]
        return csv.DictWriter(self._file, columns, delimiter=self.separator, lineterminator="\n")

    def _start(self, logs: dict[str, Any]) -> Any:
        self._names = sorted(logs)
        if not any(name.startswith("val_") for name in self._names):
            self._names += [f"val_{name}" for name in self._names if name != "learning_rate"]
        writer = self._new_writer()
        writer.writeheader()
        self._writer = writer
        return writer

    def on_train_end(self, logs: Logs = None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    if value is None:
        return "NA"
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
