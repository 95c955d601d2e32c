"""The container of safetensors: the length of a header, the header, the arrays.

Format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the header's length,
little-endian; the header, JSON, from names to `{"dtype", "shape", "data_offsets"}` and from
`__metadata__` to texts by name; the arrays, row-major and little-endian, one after another without
holes. Nothing in it is code.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.regions import Meanwhile, Region

METADATA = "__metadata__"
_OWN = "nacre."
_CRC = f"{_OWN}crc32"
_CHECKSUM = f"{_OWN}sha256"  # of files that the first versions wrote
MAX_HEADER_BYTES = 100 << 20  # as the reference reader has it
_MAX_RANK = 64  # of NumPy 2

# Names of the format: README of safetensors, "Format", and `Dtype` of its library.
DTYPES: dict[str, np.dtype[Any]] = {
    short: jax.numpy.dtype(name)
    for short, name in {
        "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16",
        "U32": "uint32", "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16",
        "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
        "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    }.items()
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def join(header: Mapping[str, Any], parts: Iterable[bytes]) -> bytes:
    """The content of a file; the header is padded so that the arrays begin at a multiple of 8."""
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return b"".join([struct.pack("<Q", len(encoded)), encoded, *parts])


def checksum(header: Mapping[str, Any] | bytes, parts: Iterable[bytes | memoryview]) -> str:
    """SHA-256 of a header, or its text, and of the arrays, in hexadecimal digits."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    found = hashlib.sha256(text)
    for part in parts:
        found.update(part)
    return found.hexdigest()


@dataclass(frozen=True)
class Stream:
    """An array that is asked for when it is written.

    Attributes:
        dtype: One of `NAMES`.
        read: Gives it.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def write(region: Region, streams: Mapping[str, Stream], metadata: Mapping[str, str]) -> str:
    """Write a file of arrays, all of dtypes that the format has a name for.

    Those with the largest elements come first, so that all lie at multiples of their size. The
    format has no checksums; one stands in the metadata, where other readers pass over it.

    Returns:
        That checksum.
    Raises:
        OSError: The disk is full, or faulty.
    Example:
        >>> from nacre.core.regions import as_bytes
        >>> one = Stream(np.dtype("float32"), (2,), lambda: np.ones(2, "float32"))
        >>> content = as_bytes(lambda region: write(region, {"a": one}, {"format": "test"}))
        >>> with Reader(content, "here") as reader:
        ...     reader.read("a").tolist(), reader.metadata['format']
        ([1.0, 1.0], 'test')
    """
    notes = dict(metadata)
    header: dict[str, Any] = {METADATA: notes}
    position = 0
    in_order = sorted(streams.items(), key=lambda item: -item[1].dtype.itemsize)
    for name, stream in in_order:
        offsets = [position, position + stream.size]
        kind = NAMES[stream.dtype.newbyteorder("=")]
        header[name] = {"dtype": kind, "shape": list(stream.shape), "data_offsets": offsets}
        position += stream.size
    running = Meanwhile(partial(zlib.crc32, json.dumps(header).encode()))
    notes[_CRC] = "0" * 8  # what it is comes when all was seen
    region.write(join(header, []))
    for _, stream in in_order:
        array = np.ascontiguousarray(_little_endian(stream.read()))
        view = array.reshape(-1).view(np.uint8).data
        found = running.wait()
        running = Meanwhile(partial(zlib.crc32, view, found))
        region.write(view)
        region.check()
    notes[_CRC] = f"{running.wait():08x}"
    region.seek(0)
    region.write(join(header, []))
    region.check()
    return notes[_CRC]


def _little_endian(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "V" or array.dtype.isbuiltin != 1:  # of ml_dtypes: without an order
        return array
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def is_beginning(beginning: bytes, size_bytes: int) -> bool:
    """Whether a file of this size that begins so is of this format."""
    if len(beginning) < 9 or beginning[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", beginning[:8])
    return 2 <= length <= size_bytes - 8


@dataclass(frozen=True)
class Entry:
    """Where an array is in a file, and what it is.

    Attributes:
        begin: Its first byte, from the beginning of the file.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int


class Reader:
    """A file of arrays, whose sizes have been checked before any of them is read.

    Each is read when it is asked for, as an array of its own. Where the file says a checksum, it is
    taken in a thread meanwhile: whoever changes something by what was read calls `settle` before;
    leaving the block does it too.

    Attributes:
        entries: Name -> array, in the order of the header.
        metadata: The texts beside.
        checksum: What the file says of its bytes; empty where it says nothing.

    Raises:
        FileFormatError: It is no such file, or damaged.
    """

    def __init__(self, source: Path | bytes, who: str) -> None:
        self._source, self._who = source, who
        self._region = self._opened()
        try:
            self.entries, self.metadata, self.checksum, verify = _parsed(self._region, who)
        except BaseException:
            self._region.file.close()
            raise
        self._verify = verify
        self._whole: Meanwhile | None = None

    def _opened(self) -> Region:
        if isinstance(self._source, bytes):
            return Region(io.BytesIO(self._source))
        return Region(open(self._source, "rb", buffering=0))

    def _has(self, verify: Callable[[Region], bool]) -> bool:
        region = self._opened()  # a place of its own in the file
        try:
            return verify(region)
        finally:
            region.file.close()

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array.

        Raises:
            FileFormatError: The file has become shorter.
        """
        if self._verify is not None:
            self._whole, self._verify = Meanwhile(partial(self._has, self._verify)), None
        entry = self.entries[name]
        dtype = entry.dtype
        if dtype.isbuiltin == 1:
            dtype = dtype.newbyteorder("<")
        array = np.empty(entry.shape, dtype)
        if array.size:
            self._region.seek(entry.begin)
            if self._region.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
                raise _damaged(self._who, f"an end within {name!r}")
        return array.astype(entry.dtype, copy=False)

    def settle(self) -> None:
        """Wait until the file has been compared with its checksum.

        Raises:
            FileFormatError: It has another.
        """
        whole, verify = self._whole, self._verify
        self._whole = self._verify = None
        same = whole.wait() if whole is not None else verify is None or self._has(verify)
        if not same:
            raise _damaged(self._who, "bytes of another checksum than the one in it")

    def close(self) -> None:
        """Let go of the file."""
        self._region.file.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if kind is None:
            self.settle()


_Parsed = tuple[dict[str, Entry], dict[str, str], str, Callable[[Region], bool] | None]


def _parsed(region: Region, who: str) -> _Parsed:
    """The arrays, the texts, the checksum, and what tells whether the bytes have it."""
    total = region.length()
    if total < 10:
        raise _damaged(who, f"{total} bytes" if total else "an empty file")
    (length,) = struct.unpack("<Q", region.read(8))
    if length > min(MAX_HEADER_BYTES, total - 8):
        raise _damaged(who, f"a header of {length} bytes in a file of {total}")
    try:
        header = json.loads(region.read(length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(who, f"a header that is no JSON: {str(error)[:100]}") from None
    metadata = header.pop(METADATA, {}) if is_dict(header) else None
    if not is_dict(header) or not is_dict(metadata):
        raise _damaged(who, "a header that is no object")
    if not all(isinstance(text, str) for text in metadata.values()):
        raise _damaged(who, "metadata that is no text")
    start = 8 + length
    size = total - start
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, int, str]] = []
    for name, described in header.items():
        begin, end, entry = _entry(str(name), described, start, who)
        entries[str(name)] = entry
        spans.append((begin, end, str(name)))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise _damaged(who, f"{name!r} at {begin}, where {position} bytes come before it")
        position = end
    if position != size:
        raise _damaged(who, f"arrays of {position} bytes, and {size} in the file")
    crc, digest = metadata.pop(_CRC, None), metadata.pop(_CHECKSUM, None)
    if crc is None and digest is None and any(key.startswith(_OWN) for key in metadata):
        raise _damaged(who, "a checksum under another name")
    described = json.dumps({METADATA: metadata, **header}).encode()

    def verify(whole: Region) -> bool:
        arrays = Region(whole.file, start, size)
        if crc is not None:
            return f"{arrays.crc32(zlib.crc32(described)):08x}" == crc
        return checksum(described, arrays.chunks()) == digest

    texts = {str(key): str(text) for key, text in metadata.items()}
    is_told = crc is not None or digest is not None
    return entries, texts, crc or digest or "", verify if is_told else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands in it twice")
    return found


def _entry(name: str, described: Any, start: int, who: str) -> tuple[int, int, Entry]:
    """(begin, end) among the arrays, and the entry."""
    fields: dict[str, Any] = described if is_dict(described) else {}
    shape, offsets = fields.get("shape"), fields.get("data_offsets")
    if not is_list(shape) or not is_list(offsets) or len(offsets) != 2 or len(shape) > _MAX_RANK:
        raise _damaged(who, f"{name!r} without a shape and two offsets")
    if not all(type(n) is int and 0 <= n < 2**62 for n in (*shape, *offsets)):
        raise _damaged(who, f"{name!r} with a shape or offsets that are no sizes")
    dtype = DTYPES.get(str(fields.get("dtype")))
    if dtype is None:
        raise FileFormatError(
            message(
                who,
                f"dtypes must be of {', '.join(DTYPES)}",
                f"{fields.get('dtype')!r} for {name!r}",
            )
        )
    # Sizes beside a 0 count too: NumPy wants to be able to step over them.
    if math.prod(n or 1 for n in shape) * dtype.itemsize >= 2**62:
        raise _damaged(who, f"{name!r} of shape {tuple(shape)}")
    begin, end = offsets
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise _damaged(
            who, f"{end - begin} bytes for {name!r}, of shape {tuple(shape)} and dtype {dtype}"
        )
    return begin, end, Entry(dtype, tuple(shape), start + begin)


def _damaged(who: str, got: str) -> FileFormatError:
    return FileFormatError(
        message(
            who,
            "it must be a whole safetensors file",
            got,
            "It may be damaged or only partly written: fetch it again.",
        )
    )


__all__ = [
    "DTYPES", "MAX_HEADER_BYTES", "METADATA", "NAMES", "Entry", "Reader", "Stream",
    "checksum", "is_beginning", "join", "write",
]  # fmt: skip
