"""`tf.summary.experimental.write_raw_pb`: summaries that other packages have made, as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.wire.protobuf import block, fields, fixed32
from nacre.summary.recording import get_step, recording

# tensorflow/core/framework/summary.proto: Summary.value; tag, simple_value, tensor and metadata of
# Summary.Value.
_VALUE = 1
_TAG, _NUMBER, _TENSOR, _METADATA = 1, 2, 8, 9


class SummaryMetadata:
    """What tells a plugin of TensorBoard's that a value is its own.

    Args:
        data: The message, as bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    @classmethod
    def FromString(cls, data: bytes) -> SummaryMetadata:
        """That of some bytes."""
        return cls(data)

    def SerializeToString(self) -> bytes:
        """Its bytes."""
        return self._data


class SummaryValue:
    """`tf.compat.v1.Summary.Value`: one value of a summary.

    Args:
        tag: Its name.
        simple_value: A number.
        metadata: Which plugin it is of, a `SummaryMetadata`.
        tensor: What `tf.make_tensor_proto` gives.
    """

    def __init__(
        self,
        tag: str = "",
        simple_value: float | None = None,
        metadata: Any = None,
        tensor: Any = None,
    ) -> None:
        self.tag, self.simple_value = tag, simple_value
        self.metadata, self.tensor = metadata, tensor

    def SerializeToString(self) -> bytes:
        """Its bytes."""
        found = block(_TAG, self.tag)
        if self.simple_value is not None:
            found += fixed32(_NUMBER, np.float32(self.simple_value).astype("<f4").tobytes())
        for number, part in ((_TENSOR, self.tensor), (_METADATA, self.metadata)):
            found += b"" if part is None else block(number, part.SerializeToString())
        return found


class _Values(list[SummaryValue]):
    def add(self, **parts: Any) -> SummaryValue:
        """One more."""
        self.append(SummaryValue(**parts))
        return self[-1]


class Summary:
    """`tf.compat.v1.Summary`: values by name, for `write_raw_pb`.

    Args:
        value: The values.

    Example:
        >>> summary = Summary(value=[Summary.Value(tag="loss", simple_value=0.5)])
        >>> summary.value[0].tag, len(summary.SerializeToString())
        ('loss', 13)
    """

    Value = SummaryValue

    def __init__(self, value: Iterable[SummaryValue] = ()) -> None:
        self.value = _Values(value)

    def SerializeToString(self) -> bytes:
        """Its bytes."""
        return b"".join(block(_VALUE, value.SerializeToString()) for value in self.value)


def write_raw_pb(tensor: Any, step: Any = None, name: Any = None) -> bool:
    """Write a message `Summary`, as TensorBoard's plugin of hyperparameters makes it.

    Args:
        tensor: Its bytes.
        step: The step; by default that of `tf.summary.experimental.set_step`.
        name: Accepted for compatibility.

    Returns:
        Whether it was written: False where no writer is the default.
    Raises:
        ArgumentError: There is no step.
    """
    writer = recording().writer
    if writer is None:
        return False
    step = get_step() if step is None else step
    if step is None:
        rule, fix = "a step must be known", "Pass step=0."
        raise ArgumentError(message("tf.summary.experimental.write_raw_pb", rule, "None", fix))
    data = np.asarray(tensor).item() if not isinstance(tensor, bytes) else tensor
    for number, value in fields(memoryview(data)):
        if number == _VALUE:
            writer.add(int(np.asarray(step)), bytes(value))
    return True


__all__ = ["Summary", "SummaryMetadata", "SummaryValue", "write_raw_pb"]
