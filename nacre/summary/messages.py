"""What event files hold, as bytes: events, summaries, their metadata, tensors.

Sources of the numbers: tensorflow/core/util/event.proto, tensorflow/core/framework/{summary,tensor,
tensor_shape}.proto. Keras writes the same messages through tf.summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import DTypeError, message
from nacre.core.wire.protobuf import block, double, whole
from nacre.core.wire.tensorflow.dtypes import NUMBERS, STRING


def file_version() -> bytes:
    """The event that a file begins with, but for its time."""
    writer = block(10, block(1, "nacre"))  # source_metadata { writer }
    return block(3, "brain.Event:2") + writer


def summary_event(step: int, value: bytes) -> bytes:
    """An event with one value of a summary, but for its time.

    Args:
        step: The step it belongs to.
        value: Of `summary_value`.
    """
    return whole(2, step) + block(5, block(1, value))


def graph_event(graph: bytes) -> bytes:
    """An event with a `GraphDef`, but for its time."""
    return block(4, graph)


def timed(wall_time: float, event: bytes) -> bytes:
    """An event with its time, in seconds since 1970."""
    return double(1, wall_time) + event


def summary_value(tag: str, tensor: bytes, metadata: bytes = b"") -> bytes:
    """A tensor under a name, with metadata that say which page shows it."""
    return block(1, tag) + block(8, tensor) + (block(9, metadata) if metadata else b"")


def metadata(plugin: str, content: bytes = b"", description: str | None = None) -> bytes:
    """Which plugin of the viewer a value is for.

    Args:
        plugin: Its name.
        content: What it wants to be told, a message of its own.
        description: Shown with it, as Markdown.
    """
    found = block(1, block(1, plugin) + (block(2, content) if content else b""))
    return found + (block(3, description) if description else b"")


def numbers(array: np.ndarray[Any, Any]) -> bytes:
    """An array of numbers.

    Raises:
        DTypeError: Of a dtype that the format has no number for.
    """
    code = NUMBERS.get(array.dtype.name)
    if code is None:
        rule = f"a tensor must be of a dtype that event files know: {', '.join(NUMBERS)}"
        raise DTypeError(message("nacre.summary", rule, array.dtype.name))
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    content = block(4, little.tobytes()) if array.size else b""
    return whole(1, code) + _shape(array.shape) + content


def strings(values: Sequence[bytes], shape: tuple[int, ...]) -> bytes:
    """An array of strings of bytes, given in order, the last axis fastest."""
    return whole(1, STRING) + _shape(shape) + b"".join(block(8, value) for value in values)


def empty() -> bytes:
    """A tensor that holds nothing, for values that are all in the metadata."""
    return whole(1, NUMBERS["float32"]) + _shape((0,))


def _shape(sizes: tuple[int, ...]) -> bytes:
    # A size of 0 is the default of its field, and left out.
    return block(2, b"".join(block(2, whole(1, size) if size else b"") for size in sizes))


__all__ = [
    "empty",
    "file_version",
    "graph_event",
    "metadata",
    "numbers",
    "strings",
    "summary_event",
    "summary_value",
    "timed",
]
