"""save, load, snapshot, and cache with a file: elements in a file of nacre's own.

The file is one of TFRecord's framing (`core/wire/records.py`), so that damage is told: first a
record of JSON that says what the elements are, then one for each element, then one with their
number. A record holds plain data as JSON and the arrays it has behind; nothing of it is run.

A file is written beside its place, and takes it when it is whole.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nacre.core import temporary
from nacre.core.errors import ArgumentError, DataError, FileFormatError, message
from nacre.core.host_random import are_same
from nacre.core.wire.records import read_record, record
from nacre.data.dataset import elements as el
from nacre.data.dataset.node import INFINITE, Cursor, Node, Opening
from nacre.data.dataset.ordering import OneInput
from nacre.data.dataset.spec import DatasetSpec, RaggedSpec, TensorSpec
from nacre.data.dataset.streaming import StreamCursor
from nacre.data.streams import Stream

_FORMAT, _VERSION = "nacre dataset", 1
FILE = "elements.nacre"
_ALIGNMENT = 16
_END = b"end"
# An element may be larger than its record by this factor once it is above the size beside it:
# deflate ends at 1032, which zeros reach.
_MAX_RATIO = 200
_RATIO_MATTERS_ABOVE = 256 << 20
_END_BYTES = len(record(_END + bytes(8)))

# ------------------------------------------------------------------------ plain data as bytes


def to_bytes(value: Any, who: str) -> bytes:
    """Plain data, with arrays of numbers in it, as bytes.

    Raises:
        DataError: There is something else in it, such as a dict whose keys are no strings.
    """
    arrays: list[np.ndarray] = []
    try:
        text = json.dumps(_without_arrays(value, arrays)).encode()
    except TypeError as error:
        rule = "what is written to a file must be of arrays and plain keys"
        raise DataError(message(who, rule, f"{error}")) from None
    parts = [struct.pack("<I", len(text)), text]
    size = 4 + len(text)
    for array in arrays:
        padding = -size % _ALIGNMENT
        content = np.ascontiguousarray(array).tobytes()
        parts += [bytes(padding), content]
        size += padding + len(content)
    return b"".join(parts)


def _without_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": [value.dtype.name, list(value.shape)]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    return value


def of_bytes(data: bytes) -> Any:
    """The plain data of `to_bytes`. The arrays are views of the bytes.

    Raises:
        ValueError: They are damaged.
    """
    try:
        (length,) = struct.unpack_from("<I", data)
        reader = _Arrays(data, 4 + length)
        return reader.of(json.loads(data[4 : 4 + length]))
    except (KeyError, TypeError, IndexError, struct.error, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


class _Arrays:
    """The arrays behind plain data, in their order."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def of(self, value: Any) -> Any:
        """The value with its arrays."""
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"array"}:
            return self._next(*value["array"])
        found = {key: self.of(item) for key, item in value.items()}
        if "lengths" in found and found["lengths"].size != math.prod(found["shape"]):
            raise ValueError("a shape that does not fit")
        return found

    def _next(self, name: str, shape: list[int]) -> np.ndarray:
        dtype = jax.numpy.dtype(name)
        begin = self._at + -self._at % _ALIGNMENT
        count = 1
        for size in shape:
            count *= size
        if count < 0 or count * dtype.itemsize > len(self._data) - begin:
            raise ValueError("an array that goes beyond the end")
        self._at = begin + count * dtype.itemsize
        return np.frombuffer(self._data, dtype, count, begin).reshape(shape)


def _spec_data(spec: Any) -> dict[str, Any]:
    """A spec as plain data: its structure, with the number of each leaf, and the leaves."""
    leaves: list[Any] = []

    def number(leaf: Any) -> Any:
        if isinstance(leaf, DatasetSpec):
            leaves.append({"dataset": _spec_data(leaf.element_spec)})
        else:
            shape = None if leaf.shape is None else list(leaf.shape)
            splits = leaf.row_splits_dtype if isinstance(leaf, RaggedSpec) else None
            leaves.append([shape, leaf.dtype, splits])
        return el.sealed(np.array(len(leaves) - 1))

    structure = el.mapped(number, spec)
    return {"structure": el.packed(structure), "leaves": leaves}


def _spec_of_data(data: Any) -> Any:
    def leaf(number: Any) -> Any:
        given = data["leaves"][int(number)]
        if isinstance(given, dict):
            return DatasetSpec(_spec_of_data(given["dataset"]))
        shape, dtype, splits = given
        return TensorSpec(shape, dtype) if splits is None else RaggedSpec(shape, dtype, splits)

    return el.mapped(leaf, el.unpacked(data["structure"]))


# ------------------------------------------------------------------------ writing


class ElementsFile:
    """A file of elements that is being written, beside its place.

    Args:
        path: Its place.
        node: The data set, which is described in it.
        spec: What its elements are; None where only its own cache reads the file.
        began: The state of the data set before the first element.
        is_compressed: Whether each element is compressed.
        who: Who writes, for messages.
    """

    def __init__(
        self, path: Path, node: Node, spec: Any, began: Any, is_compressed: bool, who: str
    ) -> None:
        self._path, self._who, self._is_compressed = path, who, is_compressed
        self._count = 0
        head = {
            "format": _FORMAT, "version": _VERSION, "compressed": is_compressed,
            "pipeline": node.describe(), "source": node.source_mark(), "began": began,
            "spec": None if spec is None else _spec_data(spec),
        }  # fmt: skip
        content = record(to_bytes(head, who))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.clean(path)
        self._temporary = temporary.temporary_name(path)
        self._file = open(self._temporary, "xb")
        self._file.write(content)

    def write(self, element: Any) -> None:
        """Add an element."""
        data = to_bytes(el.packed(element), self._who)
        self._file.write(record(zlib.compress(data) if self._is_compressed else data))
        self._count += 1

    def finish(self) -> None:
        """Let it take its place."""
        self._file.write(record(_END + struct.pack("<Q", self._count)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._path)

    def close(self) -> None:
        """Take away what did not become whole."""
        if not self._file.closed:
            self._file.close()
            temporary.remove(self._temporary)


def save(node: Node, path: Any, compression: Any, who: str) -> None:
    """Write the elements of a data set to a folder.

    Raises:
        ArgumentError: A file is there.
    """
    folder = folder_path(path, who)
    if node.cardinality() == INFINITE:
        rule, fix = "the data set must end", "Call take(count), or leave repeat() out."
        raise DataError(message(who, rule, "one without end", fix))
    cursor = node.open(Opening())
    file: ElementsFile | None = None
    try:
        packs = is_compressed(compression, who)
        file = ElementsFile(folder / FILE, node, node.spec(), None, packs, who)
        for element in cursor:
            file.write(element)
        file.finish()
    finally:
        cursor.close()
        if file is not None:
            file.close()


def folder_path(path: Any, who: str) -> Path:
    """The folder that elements are kept in."""
    try:
        folder = Path(os.fsdecode(path))
    except TypeError:
        got = type(path).__name__
        raise ArgumentError(message(who, "path must be that of a folder", got)) from None
    if folder.is_file():
        rule = "path must be that of a folder, or be free"
        raise ArgumentError(message(who, rule, f"the file {str(folder)!r}"))
    return folder


def is_compressed(compression: Any, who: str) -> bool:
    """Whether elements are compressed: tf.data's names of ways to do so all mean one here."""
    if compression in (None, "", "NONE"):
        return False
    if compression in ("GZIP", "AUTO", "SNAPPY", "ZLIB"):
        return True
    rule = "compression must be None, 'GZIP' or 'AUTO'"
    raise ArgumentError(message(who, rule, repr(compression)[:60]))


# ------------------------------------------------------------------------ reading


class Saved(Node):
    """The elements of a file.

    Raises:
        DataError: There is none.
        FileFormatError: It is damaged, or something else.
    """

    name = "Dataset.load"

    def __init__(self, path: Path, who: str) -> None:
        super().__init__()
        self.path, self.who = path, who
        if not path.exists():
            fix = "Write one with dataset.save(path)."
            if (path.parent / "dataset_spec.pb").exists():
                fix = (
                    "This one is TensorFlow's: write it there with tf.io.TFRecordWriter, and read "
                    "it with TFRecordDataset."
                )
            rule = "the folder must hold a saved data set"
            raise DataError(message(who, rule, f"{str(path.parent)!r}", fix))
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            try:
                file.seek(0)
                head = of_bytes(read_record(file.read) or b"")
                if head.get("format") != _FORMAT or head["version"] > _VERSION:
                    raise ValueError(f"one of {head.get('format')!r}, {head.get('version')}")
                self.first = file.tell()
                file.seek(max(self.first, size - _END_BYTES))
                end = read_record(file.read) or b""
                if end[:3] != _END:
                    raise ValueError("it is cut off")
                (self.count,) = struct.unpack("<Q", end[3:])
                self.pipeline, self.began = head["pipeline"], head["began"]
                self.source = head.get("source")
                self.is_compressed = bool(head["compressed"])
                # A cache has that of its input. To find it, elements are made, which may fail.
                if head["spec"] is not None:
                    self._spec.append(_spec_of_data(head["spec"]))
            except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
                rule = "it must be a whole file of elements"
                fix = "Delete it, and have it written again."
                raise FileFormatError(
                    message(f"{who}, {str(path)!r}", rule, f"{error}", fix)
                ) from None

    def make_cursor(self, opening: Opening) -> Cursor:
        return SavedCursor(self)

    def make_spec(self) -> Any:
        rule, fix = "the folder must be one that save wrote", "Build the pipeline of the cache."
        raise DataError(message(f"{self.who}, {str(self.path)!r}", rule, "one of a cache", fix))

    def cardinality(self) -> int:
        return self.count


def _inflated(data: bytes) -> bytes:
    """The bytes of a compressed element.

    Raises:
        ValueError: They are far more than data becomes, or do not end.
        zlib.error: They are damaged.
    """
    inflate = zlib.decompressobj()
    found = inflate.decompress(data, max(_MAX_RATIO * len(data), _RATIO_MATTERS_ABOVE))
    if not inflate.eof:
        raise ValueError(f"{len(data)} bytes that do not end, or hold over {len(found)}")
    return found


class SavedCursor(StreamCursor):
    """A place in such a file: the number of the next element, and its byte."""

    def __init__(self, node: Saved) -> None:
        self._node, self._seen, self._at = node, 0, node.first

    def __next__(self) -> Any:
        node = self._node
        if self._seen >= node.count:
            self.close()
            raise StopIteration
        if self._stream is None:
            self._stream = Stream(str(node.path), "", self._at, None, node.who)
        stream = self._stream
        try:
            data = read_record(stream.read)
            if data is None:
                raise ValueError("the file is cut off")
            self._seen, self._at = self._seen + 1, stream.at
            return el.unpacked(of_bytes(_inflated(data) if node.is_compressed else data))
        except (ValueError, LookupError, TypeError, AttributeError, zlib.error) as error:
            if isinstance(error, DataError):
                raise
            got = f"element {self._seen} at byte {self._at}: {error}"
            fix = "Delete the file, and have it written again."
            raise stream.error("it must hold whole elements", got, fix) from None

    def skip(self, count: int) -> None:
        """Pass over elements."""
        for _ in range(count):
            next(self)

    def state(self) -> Any:
        return {"seen": self._seen, "at": self._at}

    def restore(self, state: Any) -> None:
        self.close()
        self._seen, self._at = int(state["seen"]), int(state["at"])


# ------------------------------------------------------------------------ cache, snapshot


_STALE = "Delete the folder where the pipeline has changed, or name another one."


class FileCache(OneInput):
    """Elements that are written to a file in the first whole pass, and read from it then."""

    def __init__(self, node: Node, folder: Path, compressed: bool, who: str) -> None:
        super().__init__(node)
        self.path, self.compressed, self.name = folder / FILE, compressed, who

    def make_cursor(self, opening: Opening) -> Cursor:
        if self.input.cardinality() == INFINITE:  # there is no whole pass to keep
            return self.input.open(opening)
        saved = self.saved()
        if opening.is_peek:
            return self.input.open(opening) if saved is None else SavedCursor(saved)
        return FileCacheCursor(self, opening, saved)

    def saved(self) -> Saved | None:
        """The file, where it is there.

        Raises:
            DataError: It holds what another pipeline made.
        """
        if not self.path.exists():
            return None
        saved = Saved(self.path, self.name)
        if saved.pipeline != self.input.describe():
            raise DataError(
                message(
                    f"{self.name}, {str(self.path.parent)!r}",
                    f"its elements must be those of {self.input.describe()}",
                    f"those of {saved.pipeline}",
                    _STALE,
                )
            )
        count = self.input.cardinality()
        if count >= 0 and count != saved.count:
            who, got = f"{self.name}, {str(self.path.parent)!r}", f"{saved.count} elements"
            raise DataError(message(who, f"the file must hold all {count} elements", got, _STALE))
        if saved.source != self.input.source_mark():
            who = f"{self.name}, {str(self.path.parent)!r}"
            rule = "its elements must be of this source"
            got = "those of other arrays or numbers through the same stages"
            raise DataError(message(who, rule, got, _STALE))
        return saved


class FileCacheCursor(Cursor):
    """A place among elements that are in a file, or are being written to one; see `CacheCursor`."""

    def __init__(self, node: FileCache, opening: Opening, saved: Saved | None) -> None:
        self._node, self._opening, self._seen = node, opening, 0
        self._up: Cursor | None = None
        self._file: ElementsFile | None = None
        self._has_failed = False  # an element that could not be made is not left out for good
        self._cursor: SavedCursor | None = None
        if saved is None:
            self._fill()
        else:
            self._cursor, self._began = SavedCursor(saved), saved.began

    def _fill(self) -> None:
        self._up = self._node.input.open(self._opening)
        self.inputs = (self._up,)
        self._began: Any = None

    def __next__(self) -> Any:
        if self._cursor is not None:
            element = next(self._cursor)
        elif self._up is not None:
            element = self._written(self._up)
        else:
            raise StopIteration
        self._seen += 1
        return element

    def _written(self, up: Cursor) -> Any:
        node = self._node
        if self._file is None:
            if self._began is None:
                self._began = up.state()
            self._file = ElementsFile(
                node.path, node.input, None, self._began, node.compressed, node.name
            )
        try:
            element = next(up)
        except StopIteration:
            if not self._has_failed:
                self._file.finish()
            self.close()
            self._up = None
            raise
        except Exception:
            self._has_failed = True
            raise
        self._file.write(element)
        return element

    def state(self) -> Any:
        began = self._began
        if began is None and self._up is not None:
            began = self._up.state()
        return {"seen": self._seen, "began": began}

    def restore(self, state: Any) -> None:
        self.close()
        began, saved = state["began"], self._node.saved()
        if saved is not None and are_same(began, saved.began):
            self._up, self._cursor, self._began = None, SavedCursor(saved), began
            self._cursor.skip(int(state["seen"]))
            self._seen = int(state["seen"])
            return
        self._cursor, self._seen = None, 0
        self._fill()
        assert self._up is not None
        self._up.restore(began)
        self._began = began
        for _ in range(int(state["seen"])):
            next(self)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._cursor is not None:
            self._cursor.close()
        super().close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()


__all__ = ["FILE", "FileCache", "Saved", "folder_path", "is_compressed", "save"]
