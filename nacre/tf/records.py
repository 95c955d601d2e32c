"""`tf.train.Feature` and its kin: values of an `Example`, as TensorFlow's classes spell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre import data
from nacre.core.errors import ArgumentError, message


def Int64List(value: Any = ()) -> np.ndarray:
    """Whole numbers."""
    return np.asarray(list(value), np.int64)


def FloatList(value: Any = ()) -> np.ndarray:
    """Floats of 32 bits."""
    return np.asarray([float(x) for x in value], np.float32)


def BytesList(value: Any = ()) -> list[bytes]:
    """Strings, as `bytes`."""
    found = [bytes(np.asarray(x).item()) if hasattr(x, "dtype") else x for x in value]
    wrong = next((x for x in found if not isinstance(x, bytes)), None)
    if wrong is not None:
        fix = "Encode it: text.encode()."
        raise ArgumentError(message("tf.train.BytesList", "values must be bytes", repr(wrong), fix))
    return found


def Feature(int64_list: Any = None, float_list: Any = None, bytes_list: Any = None) -> Any:
    """The one list that is given.

    Args:
        int64_list, float_list, bytes_list: One of them.
    """
    given = [x for x in (int64_list, float_list, bytes_list) if x is not None]
    if len(given) != 1:
        raise ArgumentError(message("tf.train.Feature", "one list is taken", f"{len(given)}"))
    return given[0]


def Features(feature: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Features by name."""
    return dict(feature or {})


def FeatureList(feature: Sequence[Any] = ()) -> list[Any]:
    """Features of the steps of a sequence."""
    return list(feature)


def FeatureLists(feature_list: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Such lists by name."""
    return dict(feature_list or {})


class Values:
    """The values of a list of numbers or strings, as `value`.

    Args:
        value: They.
    """

    def __init__(self, value: Sequence[Any]) -> None:
        self.value = list(value)


class FeatureOf:
    """A feature that was read: one of its three lists has values.

    Args:
        values: They.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def WhichOneof(self, oneof: str) -> str | None:
        """The name of the list that has values: `WhichOneof("kind")`."""
        names = {"i": "int64_list", "f": "float_list", "O": "bytes_list"}
        return names[self._values.dtype.kind] if self._values.size else None

    def _list(self, kind: str) -> Values:
        return Values(self._values.tolist() if self._values.dtype.kind == kind else ())

    @property
    def int64_list(self) -> Values:
        """Whole numbers."""
        return self._list("i")

    @property
    def float_list(self) -> Values:
        """Floats."""
        return self._list("f")

    @property
    def bytes_list(self) -> Values:
        """Strings."""
        return self._list("O")


class _Read(dict[str, Any]):
    @property
    def feature(self) -> dict[str, FeatureOf]:
        """The features by name, as TensorFlow's messages spell them."""
        return {name: FeatureOf(values) for name, values in self.items()}


class Example(data.Example):
    """`tf.train.Example`: a `nacre.data.Example` that is read as TensorFlow's message is.

    Args:
        features: See `nacre.data.Example`.

    Example:
        >>> from nacre.tf import train
        >>> written = train.Example({"label": 3}).SerializeToString()
        >>> made = train.Example()
        >>> made.ParseFromString(written)
        >>> made.features.feature["label"].int64_list.value
        [3]
    """

    def __init__(self, features: Mapping[str, Any] | None = None) -> None:
        super().__init__(features)
        self.features = _Read(self.features)

    def ParseFromString(self, serialized: bytes) -> None:
        """Take the features of bytes."""
        self.features = _Read(data.Example.FromString(serialized).features)

    @classmethod
    def FromString(cls, serialized: bytes) -> Example:
        """The example of bytes."""
        made = cls()
        made.ParseFromString(serialized)
        return made


@dataclass
class TFRecordOptions:
    """How a `tf.io.TFRecordWriter` packs what it writes.

    Args:
        compression_type: 'GZIP', 'ZLIB', '' or None.
        compression_level: 0 to 9; None for zlib's own.
        flush_mode, input_buffer_size, output_buffer_size, window_bits, compression_method,
            mem_level, compression_strategy: Accepted for compatibility; files are read as well.
    """

    compression_type: str | None = None
    flush_mode: int | None = None
    input_buffer_size: int | None = None
    output_buffer_size: int | None = None
    window_bits: int | None = None
    compression_level: int | None = None
    compression_method: int | None = None
    mem_level: int | None = None
    compression_strategy: int | None = None
