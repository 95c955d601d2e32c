"""Writers of event files, as `tf.summary` has them."""

from __future__ import annotations

import os
import weakref
from contextlib import AbstractContextManager
from typing import Any

from nacre.core.errors import ArgumentError, ClosedError, message
from nacre.core.numbers import number, whole_number
from nacre.summary.event_file import EventFile
from nacre.summary.messages import graph_event, summary_event
from nacre.summary.recording import begin_writer, default_writer, recording

_WHO = "nacre.summary.create_file_writer"


class SummaryWriter:
    """Takes summaries; made by `create_file_writer`.

    What waits is written by `flush`, when a block of `as_default` ends, by `close`, and when the
    writer or the process comes to its end. Once closed it takes nothing more.

    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = summary.create_file_writer(folder)
        ...     with writer.as_default(step=1):
        ...         summary.scalar("loss", 0.5)
        ...     writer.close()
        True
    """

    is_noop = True

    def as_default(self, step: Any = None) -> AbstractContextManager[SummaryWriter]:
        """A block in which this is the default writer.

        Args:
            step: The default step within; a number or a variable.
        """
        return default_writer(self, step)

    def set_as_default(self, step: Any = None) -> None:
        """Make this the default writer from here on, in this thread."""
        begin_writer(self, step)

    def init(self) -> None:
        """Nothing: the file is there from the beginning."""

    def flush(self) -> None:
        """Write what waits, so that it can be read.

        Raises:
            OSError: The disk is full.
        """

    def close(self) -> None:
        """Write what waits, and end; a second time does nothing."""

    def add(self, step: int, value: bytes) -> None:
        """Take a value of a summary (see `nacre.summary.messages`)."""


class FileWriter(SummaryWriter):
    """Writes summaries into an event file.

    Args:
        file: The file.
    """

    is_noop = False

    def __init__(self, file: EventFile) -> None:
        self._file = file
        # Also runs when the process ends, in time before the file is lost.
        self._end = weakref.finalize(self, file.close)

    @property
    def path(self) -> str:
        """The file."""
        return str(self._file.path)

    def as_default(self, step: Any = None) -> AbstractContextManager[SummaryWriter]:
        self._refuse_closed()
        return _Flushing(self, step)

    def set_as_default(self, step: Any = None) -> None:
        self._refuse_closed()
        super().set_as_default(step)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._end.detach()
        self._file.close()

    def add(self, step: int, value: bytes) -> None:
        self._refuse_closed()
        self._file.add(summary_event(step, value))

    def add_graph(self, graph: bytes) -> None:
        """Take a `GraphDef`."""
        self._refuse_closed()
        self._file.add(graph_event(graph))

    def _refuse_closed(self) -> None:
        if self._file.is_closed:
            rule, fix = "a writer must be open", "Make a new one; it adds a file to the folder."
            raise ClosedError(message("SummaryWriter", rule, f"closed: {self.path}", fix))

    def __reduce__(self) -> Any:
        rule = "a writer belongs to the process that made it, and cannot be copied"
        fix = "Keep its folder, and make a writer of its own there."
        raise ArgumentError(message("SummaryWriter", rule, self.path, fix))

    def __repr__(self) -> str:
        return f"<SummaryWriter {self.path}>"


class _Flushing(AbstractContextManager[SummaryWriter]):
    """A block of a default writer that writes what waits when it ends."""

    def __init__(self, writer: SummaryWriter, step: Any) -> None:
        self._writer, self._step = writer, step
        self._block: Any = None

    def __enter__(self) -> SummaryWriter:
        self._block = default_writer(self._writer, self._step)
        return self._block.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._block.__exit__(None, None, None)
        self._writer.flush()


def create_file_writer(
    logdir: str | os.PathLike[str],
    max_queue: int | None = None,
    flush_millis: float | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: Any = None,
) -> SummaryWriter:
    """A writer with a new event file in a folder; the viewer shows each folder as a run.

    Args:
        logdir: The folder, which is made if it is not there.
        max_queue: How many summaries wait, at most, before they are written; 10 if None.
        flush_millis: How long they wait, at most, in milliseconds, until the next one comes; two
            minutes if None.
        filename_suffix: End of the file's name; `.v2` if None.
        name, experimental_trackable, experimental_mesh: Taken for scripts of TensorFlow, and
            without effect.

    Raises:
        ArgumentError: `logdir` is no path of this machine.
        OSError: It may not be written to.
    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = create_file_writer(folder + "/run1")
        ...     writer.close()
    """
    queue = 10 if max_queue is None else whole_number(_WHO, "max_queue", max_queue, 0)
    wait = 120_000 if flush_millis is None else number(_WHO, "flush_millis", flush_millis)
    suffix = ".v2" if filename_suffix is None else filename_suffix
    return FileWriter(
        EventFile(local_folder(_WHO, "logdir", logdir), _WHO, suffix, queue, wait / 1000)
    )


def create_noop_writer() -> SummaryWriter:
    """A writer that takes summaries and writes nothing, for processes that should not.

    Example:
        >>> from nacre import summary
        >>> with create_noop_writer().as_default():
        ...     summary.scalar("loss", 0.5, step=1)
        False
    """
    return SummaryWriter()


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Write what waits in a writer, or in the default one; nothing without one.

    Args:
        writer: The writer.
        name: Taken for scripts of TensorFlow, and without effect.

    Example:
        >>> flush()
    """
    writer = writer or recording().writer
    if writer is not None:
        writer.flush()


def local_folder(who: str, name: str, folder: Any) -> str:
    """A folder of this machine, as a string.

    Raises:
        ArgumentError: It is none, as the address of a bucket.
    """
    path = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    if isinstance(path, str) and path and "://" not in path:
        return os.path.expanduser(path)
    fix = "Write to a folder, and copy it." if isinstance(path, str) and path else ""
    rule = f"{name} must be a path on this machine"
    raise ArgumentError(message(who, rule, repr(folder)[:100], fix))


__all__ = [
    "FileWriter",
    "SummaryWriter",
    "create_file_writer",
    "create_noop_writer",
    "flush",
    "local_folder",
]
