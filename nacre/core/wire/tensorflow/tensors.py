"""Arrays as messages of TensorFlow, and back.

Source: tensorflow/core/framework/tensor.proto: an array whose numbers stand in a list may leave out
the last ones, which are then equal to the last that stands there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.wire.tensorflow.dtypes import NUMBERS, STRING, dtype_of, name_of
from nacre.core.wire.tensorflow.graph import Dim, TensorProto, TensorShapeProto

_LARGEST_RANK = 254
_MOST_REPEATED = 1 << 31  # bytes of an array that stands in a file as one number


def shape_message(shape: Sequence[int | None] | None) -> TensorShapeProto:
    """A shape as a message: None for an unknown size, or for an unknown rank.

    Example:
        >>> shape_of(shape_message((None, 3)))
        (None, 3)
    """
    if shape is None:
        return TensorShapeProto(unknown_rank=True)
    return TensorShapeProto(dim=[Dim(size=-1 if size is None else int(size)) for size in shape])


def shape_of(message: TensorShapeProto | None) -> tuple[int | None, ...] | None:
    """The shape that a message tells: None for unknown sizes, and for an unknown rank.

    Raises:
        ValueError: No array has it.
    """
    if message is None or message.unknown_rank:
        return None
    sizes = tuple(None if dim.size == -1 else dim.size for dim in message.dim)
    if len(sizes) > _LARGEST_RANK or any(size is not None and size < 0 for size in sizes):
        raise ValueError(f"a shape of {len(sizes)} sizes that no array has")
    return sizes


def to_message(value: np.ndarray[Any, Any] | bytes | str) -> TensorProto:
    """An array, or a single string, as a message; arrays of objects hold `bytes`.

    Raises:
        ValueError: TensorFlow has no dtype for it.

    Example:
        >>> to_array(to_message(np.float32([1, 2]))), to_array(to_message("a")).item()
        (array([1., 2.], dtype=float32), b'a')
    """
    if isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        return TensorProto(dtype=STRING, tensor_shape=shape_message(()), string_val=[text])
    shape = shape_message(value.shape)
    if value.dtype.kind in "OSU":
        items = [item.encode() if isinstance(item, str) else bytes(item) for item in value.flat]
        return TensorProto(dtype=STRING, tensor_shape=shape, string_val=items)
    number = NUMBERS.get(value.dtype.name)
    if number is None:
        raise ValueError(f"an array of {value.dtype}, for which TensorFlow has no dtype")
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    return TensorProto(dtype=number, tensor_shape=shape, tensor_content=little.tobytes())


def to_array(tensor: TensorProto) -> np.ndarray[Any, Any]:
    """The array that a message holds; strings as an array of `bytes` objects.

    Raises:
        ValueError: It holds none, or not the values its shape has.
    """
    sizes = shape_of(tensor.tensor_shape) or ()
    if any(size is None for size in sizes):
        raise ValueError(f"an array of shape {sizes}")
    shape = tuple(size or 0 for size in sizes)
    count = math.prod(shape)
    if tensor.dtype == STRING:
        return _strings(tensor.string_val, shape, count)
    kind = dtype_of(tensor.dtype)
    if kind is None:
        raise ValueError(f"a tensor of {name_of(tensor.dtype)}, which is no array")
    if len(tensor.tensor_content):
        if len(tensor.tensor_content) != count * kind.itemsize:
            got = len(tensor.tensor_content)
            raise ValueError(f"an array {shape} of {kind} in {got} bytes")
        return np.frombuffer(tensor.tensor_content, kind.newbyteorder("<")).reshape(shape)
    values = _listed(tensor, kind)
    if values.size > count:
        raise ValueError(f"an array {shape} of {values.size} values")
    if values.size < count:
        if count * kind.itemsize > _MOST_REPEATED:
            raise ValueError(f"an array {shape} of {kind} of {values.size} values")
        last = values[-1] if values.size else np.zeros((), kind)
        if values.size <= 1:  # takes no memory, however large it is said to be
            return np.broadcast_to(np.asarray(last, kind), shape)
        values = np.concatenate([values, np.full(count - values.size, last, kind)])
    return values.reshape(shape)


def _strings(items: list[bytes], shape: tuple[int, ...], count: int) -> np.ndarray[Any, Any]:
    if len(items) > count or count > 1 << 28:
        raise ValueError(f"an array {shape} of {len(items)} strings")
    found = np.empty(count, object)
    found[: len(items)] = items
    found[len(items) :] = items[-1] if items else b""
    return found.reshape(shape)


def _listed(tensor: TensorProto, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The numbers that stand in the list of their kind."""
    name = kind.name
    if name in ("float16", "bfloat16"):  # their bits, as whole numbers
        return np.asarray(tensor.half_val, np.int64).astype(np.uint16).view(kind)
    if name.startswith("float8"):
        return np.frombuffer(tensor.float8_val, kind)
    if name in ("complex64", "complex128"):
        parts = tensor.scomplex_val if name == "complex64" else tensor.dcomplex_val
        if len(parts) % 2:
            raise ValueError("complex numbers of an odd number of parts")
        return np.asarray(parts, f"float{kind.itemsize * 4}").view(kind)
    lists = {
        "float32": tensor.float_val,
        "float64": tensor.double_val,
        "int64": tensor.int64_val,
        "bool": tensor.bool_val,
        "uint32": tensor.uint32_val,
        "uint64": tensor.uint64_val,
    }
    return np.asarray(lists.get(name, tensor.int_val)).astype(kind)


__all__ = ["shape_message", "shape_of", "to_array", "to_message"]
