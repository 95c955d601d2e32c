"""`TextLineDataset` and `FixedLengthRecordDataset`: lines of text, and records of one size."""

from __future__ import annotations

import os
from typing import Any

from nacre.data.dataset.calls import whole_argument
from nacre.data.dataset.dataset import Dataset
from nacre.data.files.reading import Files, Format
from nacre.data.streams import Stream


class Lines(Format):
    """Lines, without what ends them."""

    def begin(self, stream: Stream) -> None:
        """There is nothing before the first."""
        stream.refuse_packed()

    def next_record(self, stream: Stream) -> Any:
        line = stream.readline()
        return line.removesuffix(b"\n").rstrip(b"\r") if line else None


class TextLineDataset(Dataset):
    """The lines of text files, as bytes, without what ends them.

    Args:
        filenames: A path, a list of paths, or a `Dataset` of them.
        compression_type: '' or None, 'GZIP' or 'ZLIB'.
        buffer_size: How many bytes are read at once; None: 256 KB.
        num_parallel_reads: From how many files in turn; see `TFRecordDataset`.
        name: Accepted for compatibility.

    Raises:
        DataError: While going over it: there is no such file, or it cannot be unpacked.
    Source:
        tf.data.TextLineDataset of TensorFlow 2.21. Differs: that one also drops carriage returns
        within a line.
    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "few.txt")
        >>> _ = path.write_text("one\\ntwo\\n")
        >>> list(TextLineDataset(path).as_numpy_iterator())
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
                "TextLineDataset", filenames, Lines(), compression_type, buffer_size,
                num_parallel_reads,
            )
        )  # fmt: skip


class FixedLength(Format):
    """Records of one size between a header and a footer."""

    def __init__(self, record_bytes: int, header_bytes: int, footer_bytes: int) -> None:
        self.record_bytes = record_bytes
        self.header_bytes, self.footer_bytes = header_bytes, footer_bytes

    def begin(self, stream: Stream) -> None:
        """Pass over the header, and see whether the size of the file fits, where it is known."""
        header = stream.read(self.header_bytes)
        if len(header) < self.header_bytes:
            raise self._error(stream, len(header))
        if not stream.compression:
            size = os.path.getsize(stream.path)
            content = size - self.header_bytes - self.footer_bytes
            if content < 0 or content % self.record_bytes:
                raise self._error(stream, size)

    def next_record(self, stream: Stream) -> Any:
        data = stream.read(self.record_bytes + self.footer_bytes)
        if len(data) == self.footer_bytes:
            return None
        if len(data) < self.record_bytes + self.footer_bytes:
            raise self._error(stream, stream.at)
        stream.unread(data[self.record_bytes :])
        return data[: self.record_bytes]

    def _error(self, stream: Stream, size: int) -> Exception:
        rule = f"it must hold whole records of {self.record_bytes} bytes"
        around = f"a header of {self.header_bytes} bytes and a footer of {self.footer_bytes}"
        if self.header_bytes or self.footer_bytes:
            rule += f", {around}"
        return stream.error(rule, f"{size} bytes")


class FixedLengthRecordDataset(Dataset):
    """Records of one size out of binary files, as bytes.

    `np.frombuffer(record, "uint8")` makes numbers of one, in `map`.

    Args:
        filenames: A path, a list of paths, or a `Dataset` of them.
        record_bytes: The size of a record.
        header_bytes: How many bytes stand before the first.
        footer_bytes: How many stand behind the last.
        buffer_size: How many bytes are read at once; None: 256 KB.
        compression_type: '' or None, 'GZIP' or 'ZLIB'.
        num_parallel_reads: From how many files in turn; see `TFRecordDataset`.
        name: Accepted for compatibility.

    Raises:
        DataError: While going over it: there is no such file, or its size does not fit.
    Source:
        tf.data.FixedLengthRecordDataset of TensorFlow 2.21.
    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "few.bin")
        >>> _ = path.write_bytes(b"headabcdef")
        >>> list(FixedLengthRecordDataset(path, 3, header_bytes=4).as_numpy_iterator())
        [b'abc', b'def']
    """

    def __init__(
        self,
        filenames: Any,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        buffer_size: int | None = None,
        compression_type: str | None = None,
        num_parallel_reads: int | None = None,
        name: str | None = None,
    ) -> None:
        who = "FixedLengthRecordDataset"
        size = whole_argument(who, "record_bytes", record_bytes, 1)
        header = whole_argument(who, "header_bytes", header_bytes or 0, 0)
        footer = whole_argument(who, "footer_bytes", footer_bytes or 0, 0)
        records = FixedLength(size, header, footer)
        super().__init__(
            Files(who, filenames, records, compression_type, buffer_size, num_parallel_reads)
        )


__all__ = ["FixedLengthRecordDataset", "Lines", "TextLineDataset"]
