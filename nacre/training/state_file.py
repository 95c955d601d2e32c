"""The file of a training's state: arrays and plain data, a checksum, and no code.

The container is that of safetensors (`core.wire.safetensors`), which other tools open. What is no
array stands as JSON in the header's `__metadata__`, with a checksum (SHA-256) of all that is in the
file.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nacre.core.errors import FileFormatError, SerializationError, message
from nacre.core.kinds import is_dict, is_list, is_mapping, is_numpy_array, is_numpy_scalar
from nacre.core.names import free_name
from nacre.core.wire import safetensors

FORMAT = "nacre training state"
VERSION = 1
ENDING = ".safetensors"


def packed(arrays: Mapping[str, np.ndarray], data: Mapping[str, Any]) -> bytes:
    """The content of a file.

    Args:
        arrays: Name -> array; any dtype of a fixed size.
        data: What else there is: plain data, also with arrays in it.

    Raises:
        SerializationError: There is something in `data` that is no plain data.
    """
    everything = dict(arrays)
    text = json.dumps(_without_arrays(data, "data", everything))
    header: dict[str, Any] = {"__metadata__": {"format": FORMAT, "version": str(VERSION)}}
    others: dict[str, str] = {}  # dtypes that the format has no name for: as bytes
    parts: list[bytes] = []
    position = 0
    for name, array in everything.items():
        content = np.ascontiguousarray(array).tobytes()
        shape, kind = list(array.shape), safetensors.NAMES.get(array.dtype)
        if kind is None:
            others[name] = json.dumps([array.dtype.name, shape])
            kind, shape = "U8", [len(content)]
        header[name] = {
            "dtype": kind,
            "shape": shape,
            "data_offsets": [position, position + len(content)],
        }
        parts.append(content)
        position += len(content)
    notes = header["__metadata__"]
    notes |= {"data": text, "dtypes": json.dumps(others)}
    notes["sha256"] = safetensors.checksum(header, parts)
    return safetensors.join(header, parts)


def unpacked(content: bytes, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, data) of a file's content.

    Args:
        content: All of it.
        name: The file's, for messages.

    Raises:
        FileFormatError: It is not whole, or no such file.
    """
    try:
        (length,) = struct.unpack("<Q", content[:8])
        if length > min(safetensors.MAX_HEADER_BYTES, len(content) - 8):
            raise ValueError("its header is longer than the file")
        header = json.loads(content[8 : 8 + length])
        notes = header["__metadata__"]
        if notes.get("format") != FORMAT:
            raise ValueError(f"it does not say {FORMAT!r}")
        buffer = memoryview(content)[8 + length :]
        if notes.pop("sha256") != safetensors.checksum(header, [buffer]):
            raise ValueError("its checksum does not fit")
        if int(notes["version"]) > VERSION:
            raise ValueError(f"it was written by a newer nacre (form {notes['version']})")
        del header["__metadata__"]
        others = json.loads(notes["dtypes"])
        arrays = {key: _array(entry, buffer, others.get(key)) for key, entry in header.items()}
        data = _with_arrays(json.loads(notes["data"]), arrays)
    except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        rule = "the file must be the state of a training, and whole"
        raise FileFormatError(message(f"'{name}'", rule, f"{error}")) from None
    return {key: array for key, array in arrays.items() if not key.startswith("data/")}, data


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, data) of a file; see `unpacked`."""
    return unpacked(path.read_bytes(), path.name)


def _array(entry: dict[str, Any], buffer: memoryview, other: str | None) -> np.ndarray:
    dtype, shape = safetensors.DTYPES[entry["dtype"]], entry["shape"]
    begin, end = entry["data_offsets"]
    if other is not None:
        name, shape = json.loads(other)
        dtype = jax.numpy.dtype(name)
    if dtype.hasobject or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("the sizes in its header do not fit")
    return np.frombuffer(buffer[begin:end], dtype).reshape(shape).copy()


# Plain data as JSON. Where it is more than JSON has, a dict with one of these keys stands for it.
_ARRAY, _BYTES, _PAIRS, _TUPLE = "__array__", "__bytes__", "__pairs__", "__tuple__"
_NUMBER = "__number__"  # of NumPy's: [dtype, its bytes in hexadecimal digits]
_MARKS = frozenset((_ARRAY, _BYTES, _PAIRS, _TUPLE, _NUMBER))


def _without_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The same, with the arrays in it put into `arrays`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_numpy_scalar(value):
        return {_NUMBER: [value.dtype.name, value.tobytes().hex()]}
    if is_mapping(value):
        if all(isinstance(key, str) for key in value) and not _MARKS & value.keys():
            return {k: _without_arrays(v, f"{path}/{k}", arrays) for k, v in value.items()}
        pairs = [[k, v] for k, v in value.items()]
        return {_PAIRS: [_without_arrays(p, f"{path}/{i}", arrays) for i, p in enumerate(pairs)]}
    if is_list(value):
        items = [_without_arrays(v, f"{path}/{i}", arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {_TUPLE: items}
    mark = _ARRAY
    if isinstance(value, bytes):
        mark, value = _BYTES, np.frombuffer(value, np.uint8)
    if not is_numpy_array(value) or value.dtype.hasobject:
        rule = "what is remembered must be numbers, strings, lists, dicts and arrays"
        got = f"{type(value).__name__} at {path.removeprefix('data/')}"
        raise SerializationError(message("the state of a training", rule, got))
    name = free_name(path, arrays)  # there may be both a/b and, in a, b
    arrays[name] = value
    return {mark: name}


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if is_list(value):
        return [_with_arrays(item, arrays) for item in value]
    if not is_dict(value):
        return value
    for mark, content in value.items() if len(value) == 1 else ():
        if mark == _ARRAY:
            return arrays[content]
        if mark == _BYTES:
            return arrays[content].tobytes()
        if mark == _NUMBER:
            dtype, digits = content
            return np.frombuffer(bytes.fromhex(digits), jax.numpy.dtype(dtype))[0]
        if mark == _TUPLE:
            return tuple(_with_arrays(content, arrays))
        if mark == _PAIRS:
            return dict(_with_arrays(content, arrays))
    return {key: _with_arrays(item, arrays) for key, item in value.items()}


__all__ = ["ENDING", "packed", "read", "unpacked"]
