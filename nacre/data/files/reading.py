"""What data sets of files have in common: one file after another, or several in turn.

The names of the files are elements of a data set themselves, and a file is a data set of its
records; so a position is the number of the file, and the byte in it.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import whole_argument
from nacre.data.dataset.dataset import Dataset
from nacre.data.dataset.interleaving import Interleave
from nacre.data.dataset.listing import as_paths
from nacre.data.dataset.node import AUTOTUNE, NOT_KNOWN, UNKNOWN, Cursor, Node, Opening, as_dataset
from nacre.data.dataset.sources import Slices
from nacre.data.dataset.spec import TensorSpec
from nacre.data.dataset.streaming import StreamCursor
from nacre.data.streams import Stream, compression_of


class Format:
    """How the records of a file are read.

    Attributes:
        spec: What its records are.
    """

    spec: Any = TensorSpec((), "string")

    @abstractmethod
    def begin(self, stream: Stream) -> None:
        """Read what stands before the first record."""

    @abstractmethod
    def next_record(self, stream: Stream) -> Any:
        """The next record; None at the end. Where it fails, the file is over."""

    def element(self, record: Any, stream: Stream) -> Any:
        """A record as an element. Where it fails, the records after it can still be read."""
        return bytes_element(record)


class Files(Interleave):
    """The records of files."""

    def __init__(
        self,
        who: str,
        filenames: Any,
        records: Format,
        compression_type: Any,
        buffer_size: Any,
        num_parallel_reads: Any,
    ) -> None:
        self.format = records
        self.compression = compression_of(compression_type, who)
        given = 0 if buffer_size is None else buffer_size
        self.buffer_bytes = whole_argument(who, "buffer_size", given, 0)
        threads = 1
        if num_parallel_reads is not None:
            threads = whole_argument(who, "num_parallel_reads", num_parallel_reads)
            if threads < 1 and threads != AUTOTUNE:
                rule = "num_parallel_reads must be positive, AUTOTUNE or None"
                raise ArgumentError(message(who, rule, f"{threads}"))
            threads = 4 if threads == AUTOTUNE else threads
        super().__init__(filenames_node(filenames, who), self.of_file, threads, 1, threads, who)

    def of_file(self, name: Any) -> Any:
        """The data set of a file."""
        return as_dataset(OneFile(self, os.fsdecode(name.item())))

    def known_spec(self) -> Any:
        return self.format.spec

    def make_spec(self) -> Any:
        return self.format.spec


class OneFile(Node):
    """The records of one file."""

    def __init__(self, files: Files, path: str) -> None:
        super().__init__()
        self.files, self.path, self.name = files, path, files.name

    def make_cursor(self, opening: Opening) -> Cursor:
        return FileCursor(self)

    def make_spec(self) -> Any:
        return self.files.format.spec

    def cardinality(self) -> int:
        return UNKNOWN


class FileCursor(StreamCursor):
    """A place in a file: the byte where the next record begins.

    After what is damaged the file is over, as for tf.data: where the next record begins nobody
    knows.
    """

    def __init__(self, node: OneFile) -> None:
        self._node, self._at, self._is_over = node, 0, False

    def __next__(self) -> Any:
        if self._is_over:
            raise StopIteration
        try:
            stream = self._stream or self._opened()
            record = self._node.files.format.next_record(stream)
        except BaseException:
            self._end()
            raise
        if record is None:
            self._end()
            raise StopIteration
        self._at = stream.at
        return self._node.files.format.element(record, stream)

    def _opened(self) -> Stream:
        node, files = self._node, self._node.files
        stream = Stream(node.path, files.compression, self._at, files.buffer_bytes, node.name)
        self._stream = stream
        if self._at == 0:
            files.format.begin(stream)
        return stream

    def _end(self) -> None:
        self._is_over = True
        self.close()

    def state(self) -> Any:
        return {"at": self._at, "is_over": self._is_over}

    def restore(self, state: Any) -> None:
        self.close()
        self._at, self._is_over = int(state["at"]), bool(state["is_over"])


def bytes_element(data: bytes) -> Any:
    """Bytes as an element."""
    array = np.empty((), object)
    array[()] = data
    return el.sealed(array)


def filenames_node(filenames: Any, who: str) -> Node:
    """Paths, one or several or a data set of them, as a node.

    Raises:
        ArgumentError: They are something else.
    """
    if isinstance(filenames, Dataset):
        node = filenames._dataset_node
        spec = node.known_spec()
        if spec is not NOT_KNOWN and (spec != TensorSpec((), "string")):
            raise ArgumentError(
                message(who, "a data set of file names must be of single strings", f"{spec}")
            )
        return node
    return Slices(as_paths(filenames, who))


__all__ = ["FileCursor", "Files", "Format", "OneFile", "bytes_element", "filenames_node"]
