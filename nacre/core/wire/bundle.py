"""Arrays by name in the files of a TensorFlow checkpoint: `name.index` and `name.data-...-of-...`.

The index is a table of entries (`table.py`): what an array is, and where its bytes lie in the
files of data.

Source:
    tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nacre.core.links import foreign
from nacre.core.regions import Meanwhile, Region, as_bytes
from nacre.core.wire import protobuf
from nacre.core.wire.crc32c import crc32c, masked
from nacre.core.wire.table import read_table, write_table
from nacre.core.wire.tensorflow.dtypes import NUMBERS, STRING, dtype_of

_LARGEST_RANK = 64
_LARGE_BYTES = 1 << 20  # from here on a checksum is taken while the bytes are written


def files_of(prefix: Path, shard: int = 0, shards: int = 1) -> tuple[Path, Path]:
    """The index of a checkpoint, and one of its files of data.

    Example:
        >>> [file.name for file in files_of(Path("cp"))]
        ['cp.index', 'cp.data-00000-of-00001']
    """
    data = f"{prefix.name}.data-{shard:05d}-of-{shards:05d}"
    return prefix.with_name(f"{prefix.name}.index"), prefix.with_name(data)


@dataclass(frozen=True)
class Entry:
    """What the index tells of an array.

    Attributes:
        dtype: The number of TensorFlow's dtype.
        shard: Which file of data it is in.
        offset, size: Its bytes there.
        checksum: Of those, as it is stored.
        in_slices: It is stored in parts, under other names.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: bytes
    in_slices: bool


class Bundle:
    """The arrays of a checkpoint, read when they are asked for.

    Args:
        prefix: Path without `.index`.

    Attributes:
        entries: Name -> what the index tells of an array.
        shards: How many files of data there are.

    Raises:
        ValueError: The index is damaged.
        OSError: There is none.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self.entries: dict[str, Entry] = {}
        self.shards = 1
        for key, value in read_table(files_of(prefix)[0].read_bytes()):
            if key:
                self.entries[key.decode("utf-8", "replace")] = _entry(memoryview(value))
            else:
                header = dict(protobuf.fields(memoryview(value)))
                self.shards = protobuf.number(header.get(1, 0)) or 1
                if protobuf.number(header.get(2, 0)):
                    raise ValueError("numbers with their highest byte first")

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    @property
    def size_bytes(self) -> int:
        """What its files of data hold, whatever the index says of them."""
        shards = {entry.shard for entry in self.entries.values()}
        paths = [files_of(self._prefix, shard, self.shards)[1] for shard in shards]
        return sum(path.stat().st_size for path in paths if path.is_file())

    def read(self, name: str) -> np.ndarray:
        """An array; strings are an array of `bytes` objects.

        Raises:
            KeyError: There is none of that name.
            ValueError: It is damaged, or of a kind that NumPy has none for.
            OSError: The file of data is not there.
        """
        entry = self.entries[name]
        if entry.in_slices:
            raise ValueError(f"'{name}' is stored in slices, as partitioned variables are")
        with self._opened(name, entry) as file:
            if entry.dtype == STRING:
                return _strings(file.read(), entry, name)
            kind = dtype_of(entry.dtype)
            if kind is None:
                raise ValueError(
                    f"'{name}' has TensorFlow's dtype {entry.dtype}, which holds no array"
                )
            if math.prod(entry.shape) * kind.itemsize != entry.size:
                raise ValueError(f"'{name}', {entry.shape} of {kind}, has {entry.size} bytes")
            array = np.empty(entry.shape, kind)
            room = array.reshape(-1).view(np.uint8).data
            if file.readinto(room) != entry.size or masked(crc32c(room)) != entry.checksum:
                raise ValueError(f"the bytes of '{name}' are damaged")
            return array

    @contextlib.contextmanager
    def _opened(self, name: str, entry: Entry) -> Generator[Region]:
        """The bytes of an array, which are there."""
        index, path = files_of(self._prefix, entry.shard, self.shards)
        if (found := foreign(path)) is not None:
            # A user's own links may lead to a whole checkpoint.
            if path.resolve().parent != index.resolve().parent or not path.is_file():
                raise ValueError(f"{found}: its numbers must lie beside its index")
        with open(path, "rb", buffering=0) as file:
            if entry.offset + entry.size > file.seek(0, 2):
                raise ValueError(f"'{name}' goes beyond the end of '{path.name}'")
            yield Region(file, entry.offset, entry.size)


def _entry(data: memoryview) -> Entry:
    numbers: dict[int, int] = {}
    shape, checksum, in_slices = (), b"", False
    for number, value in protobuf.fields(data):
        if number == 2:
            shape = _shape(protobuf.message(value))
        elif number == 6:
            checksum = bytes(protobuf.message(value))
        elif number == 7:
            in_slices = True
        else:
            numbers[number] = protobuf.number(value)
    dtype, shard, offset, size = (numbers.get(number, 0) for number in (1, 3, 4, 5))
    return Entry(dtype, shape, shard, offset, size, checksum, in_slices)


def _shape(data: memoryview) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, value in protobuf.fields(data):
        if number == 2:
            sizes.append(protobuf.number(dict(protobuf.fields(protobuf.message(value))).get(1, 0)))
        elif number == 3 and value:
            raise ValueError("an array of unknown rank")
    if len(sizes) > _LARGEST_RANK or math.prod(sizes) >= 1 << 62:
        raise ValueError(f"an array of {len(sizes)} dimensions, too large to be one")
    return tuple(sizes)


def _strings(data: bytes, entry: Entry, name: str) -> np.ndarray:
    """Lengths, their checksum, then all bytes."""
    view, at = memoryview(data), 0
    lengths: list[int] = []
    count = math.prod(entry.shape)
    if count > len(data):
        raise ValueError(f"'{name}' has {count} strings in {len(data)} bytes")
    for _ in range(count):
        length, at = protobuf.read_varint(view, at)
        lengths.append(length)
    at += 4
    if at + sum(lengths) != len(data):
        raise ValueError(f"the strings of '{name}' do not fill their {len(data)} bytes")
    if masked(crc32c(_checked(lengths) + data[at - 4 :])) != entry.checksum:
        raise ValueError(f"the strings of '{name}' are damaged")
    strings = np.empty(count, object)
    for index, length in enumerate(lengths):
        strings[index] = data[at : at + length]
        at += length
    return strings.reshape(entry.shape)


def _checked(lengths: list[int]) -> bytes:
    """What stands for the lengths where their checksum is taken: four bytes each, or eight."""
    return b"".join(struct.pack("<Q" if n >= 1 << 32 else "<I", n) for n in lengths)


# --- writing --------------------------------------------------------------------------------------


Stored = np.ndarray | bytes | Callable[[], np.ndarray]  # the last is asked when its turn is


def write_bundle(arrays: Mapping[str, np.ndarray | bytes]) -> tuple[bytes, bytes]:
    """The index and the one file of data of a checkpoint.

    Args:
        arrays: Arrays of numbers, and single strings as `bytes`.

    Raises:
        ValueError: TensorFlow has no dtype for an array.
    """
    found: list[bytes] = []
    data = as_bytes(lambda region: found.append(write_data(region, arrays)[0]))
    return found[0], data


def require_dtypes(arrays: Mapping[str, Stored]) -> None:
    """Raise where TensorFlow has no dtype for an array, before any is written.

    Raises:
        ValueError: It has none.
    """
    for name, value in arrays.items():
        if not isinstance(value, bytes) and not callable(value):
            _number_of(name, value)


def _number_of(name: str, array: np.ndarray) -> int:
    if array.dtype.name not in NUMBERS:
        raise ValueError(f"'{name}' is of {array.dtype}, for which TensorFlow has no dtype")
    return NUMBERS[array.dtype.name]


def write_data(
    region: Region, arrays: Mapping[str, Stored], shard: int = 0, shards: int = 1
) -> tuple[bytes, dict[str, int]]:
    """Write the one file of data of a checkpoint; gives its index, and where each array begins.

    Args:
        region: Where to write.
        arrays: Arrays of numbers, functions that give them, and single strings as `bytes`.
        shard, shards: What the file's name says, which the index repeats.

    Raises:
        ValueError: TensorFlow has no dtype for an array.
        OSError: The disk is full, or faulty.
    """
    entries = {b"": protobuf.whole(1, shards) + protobuf.block(3, protobuf.whole(1, 1))}
    begins: dict[str, int] = {}
    offset = 0
    for name in sorted(arrays, key=str.encode):
        value = arrays[name]
        if isinstance(value, bytes):
            lengths = _checked([len(value)])
            checksum = masked(crc32c(lengths))
            data = protobuf.varint(len(value)) + checksum + value
            number, shape, whole = STRING, (), lengths + checksum + value
        else:
            array = value() if callable(value) else value
            number, shape = _number_of(name, array), array.shape
            data = whole = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        found = Meanwhile(partial(crc32c, whole)) if len(whole) >= _LARGE_BYTES else None
        region.write(data)
        region.check()
        entries[name.encode()] = b"".join(
            (
                protobuf.whole(1, number),
                protobuf.block(2, b"".join(_dimension(size) for size in shape)),
                protobuf.whole(3, shard),
                protobuf.whole(4, offset),
                protobuf.whole(5, len(data)),
                protobuf.fixed32(6, masked(crc32c(whole) if found is None else found.wait())),
            )
        )
        begins[name] = offset
        offset += len(data)
    return write_table(entries), begins


def _dimension(size: int) -> bytes:
    return protobuf.block(2, protobuf.whole(1, size))


__all__ = ["Bundle", "Entry", "Stored", "files_of", "require_dtypes", "write_bundle", "write_data"]
