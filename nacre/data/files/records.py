"""TFRecord files: `TFRecordDataset` reads them, `TFRecordWriter` writes them."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ClosedError, message
from nacre.core.wire.records import read_record, record
from nacre.data.dataset.dataset import Dataset
from nacre.data.files.reading import Files, Format
from nacre.data.streams import Deflated, Stream, compression_of


class Records(Format):
    """Records with lengths and checksums."""

    def begin(self, stream: Stream) -> None:
        """There is nothing before the first."""

    def next_record(self, stream: Stream) -> Any:
        begin = stream.at
        try:
            return read_record(stream.read)
        except ValueError as error:
            if type(error) is not ValueError:  # an error of the stream, which says more
                raise
            raise stream.error(
                "a record must be whole",
                f"one at byte {begin} of which {error}",
                "The file was cut off while it was written, is no TFRecord file, or is compressed: "
                "write it again, or pass compression_type='GZIP'. ignore_errors() goes on with the "
                "next file.",
            ) from None


class TFRecordDataset(Dataset):
    """The records of TFRecord files, as bytes.

    Args:
        filenames: A path, a list of paths, or a `Dataset` of them.
        compression_type: '' or None, 'GZIP' or 'ZLIB'.
        buffer_size: How many bytes are read at once; None: 256 KB.
        num_parallel_reads: From how many files in turn, a record each, with a thread for each;
            `AUTOTUNE`: 4. None reads one file after another.
        name: Accepted for compatibility.

    Raises:
        DataError: While going over it: there is no such file, or a record is damaged or cut off;
            says in which file at which byte. What is left of that file is left out when the next
            element is asked for.
    Source:
        tf.data.TFRecordDataset of TensorFlow 2.21, whose files were compared both ways.
    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/few.tfrecord"
        >>> with TFRecordWriter(path) as writer:
        ...     writer.write(b"one")
        ...     writer.write(b"two")
        >>> list(TFRecordDataset(path).as_numpy_iterator())
        [b'one', b'two']
    """

    def __init__(
        self,
        filenames: Any,
        compression_type: str | None = None,
        buffer_size: int | None = None,
        num_parallel_reads: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            Files(
                "TFRecordDataset", filenames, Records(), compression_type, buffer_size,
                num_parallel_reads,
            )
        )  # fmt: skip


class TFRecordWriter:
    """Writes records to a TFRecord file. What the file held is replaced.

    Args:
        path: The file, in a folder that is there.
        options: The compression, '', 'GZIP' or 'ZLIB', or an object with `compression_type`.

    Raises:
        ArgumentError: A record is no bytes; no such compression.
        ClosedError: It was closed.
    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "few.tfrecord.gz")
        >>> with TFRecordWriter(path, "GZIP") as writer:
        ...     writer.write(b"some bytes")
        >>> len(list(TFRecordDataset(path, "GZIP")))
        1
    """

    def __init__(self, path: str | os.PathLike[str], options: Any = None) -> None:
        name = getattr(options, "compression_type", options)
        level = getattr(options, "compression_level", None)
        compression = compression_of(name, "TFRecordWriter")
        self._path = os.fsdecode(path)
        self._file = Deflated(self._path, compression, -1 if level is None else int(level))
        self._is_closed = False

    def write(self, record: Any) -> None:
        """Add a record.

        Args:
            record: Its bytes; str is written as UTF-8.
        """
        if self._is_closed:
            who = f"TFRecordWriter.write, {self._path!r}"
            raise ClosedError(message(who, "the writer must be open", "a closed one"))
        self._file.write(_framed(as_bytes(record, "TFRecordWriter.write")))

    def flush(self) -> None:
        """Hand to the system what was written, so that others can read it."""
        if not self._is_closed:
            self._file.flush()

    def close(self) -> None:
        """Write what is left, and close the file."""
        self._is_closed = True
        self._file.close()

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_framed = record


def as_bytes(value: Any, who: str) -> bytes:
    """A string as bytes, also as an array without axes.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, np.ndarray | np.generic) and value.shape == ():
        value = value.item()
    elif hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ArgumentError(
        message(
            who,
            "it takes bytes",
            f"{type(value).__name__} {str(value)[:60]}",
            "Write example.SerializeToString(), or array.tobytes().",
        )
    )


__all__ = ["TFRecordDataset", "TFRecordWriter", "as_bytes"]
