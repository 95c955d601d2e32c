"""`Example` and `SequenceExample`: named lists of numbers or strings, as TFRecord files hold them.

Source: tensorflow/core/example/feature.proto and example.proto, whose numbers of fields stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.wire.protobuf import block, fields, read_varint, varint
from nacre.data.dataset import elements as el
from nacre.data.files.records import as_bytes

_BYTES, _FLOATS, _INTS = 1, 2, 3  # Feature: bytes_list, float_list, int64_list
_NO_INTS = np.empty(0, np.int64)
_NOTHING = np.empty(0, np.bool_)  # a feature of no kind, which fits every dtype

# A feature: bytes in an array of objects, float32, or int64; None where it has no kind.
Values: TypeAlias = np.ndarray | None


class Example:
    """Named lists of numbers or strings: one example for training, as TFRecord files hold them.

    Args:
        features: Name -> values: an array, list or single one of whole numbers or booleans (written
            as int64), of floats (written as float32, as the format has no other), or of bytes and
            str. Arrays are written as one list; their shape is not written. An empty list has no
            kind, and is read as a feature that is not there.

    Attributes:
        features: Name -> array of one axis: int64, float32, or `bytes` in an array of objects.

    Raises:
        ArgumentError: Values are of another kind, or do not fit into 64 bits.
    Source:
        tf.train.Example of TensorFlow 2.21: the same bytes, with names in the order they are given.
    Example:
        >>> data = Example({"label": 3, "size": [1.5, 2.0], "name": "a"}).SerializeToString()
        >>> found = Example.FromString(data).features
        >>> found["label"].tolist(), found["size"].tolist(), found["name"].tolist()
        ([3], [1.5, 2.0], [b'a'])
    """

    def __init__(self, features: Mapping[str, Any] | None = None) -> None:
        self.features = _as_features(features, "Example")

    def SerializeToString(self) -> bytes:
        """The example as bytes."""
        return block(1, _features_bytes(self.features))

    @staticmethod
    def FromString(serialized: bytes) -> Example:
        """The example of bytes.

        Raises:
            DataError: They are no example.
        """
        made = Example()
        made.features = parsed_example(as_bytes(serialized, "Example.FromString"), "Example")
        return made

    def __repr__(self) -> str:
        return f"Example({_shown(self.features)})"


class SequenceExample:
    """An example whose features may be sequences: for each step of time a list of values.

    Args:
        context: Name -> values of the whole example, as for `Example`.
        feature_lists: Name -> sequence of such values, one for each step.

    Attributes:
        context: As `Example.features`.
        feature_lists: Name -> list of such arrays.

    Source:
        tf.train.SequenceExample of TensorFlow 2.21.
    Example:
        >>> made = SequenceExample({"id": 7}, {"words": [["a", "b"], ["c"]]})
        >>> found = SequenceExample.FromString(made.SerializeToString())
        >>> [step.tolist() for step in found.feature_lists["words"]]
        [[b'a', b'b'], [b'c']]
    """

    def __init__(
        self,
        context: Mapping[str, Any] | None = None,
        feature_lists: Mapping[str, Any] | None = None,
    ) -> None:
        who = "SequenceExample"
        self.context = _as_features(context, who)
        self.feature_lists: dict[str, list[np.ndarray]] = {
            _name(name, who): [_as_values(step, name, who) for step in steps]
            for name, steps in (feature_lists or {}).items()
        }

    def SerializeToString(self) -> bytes:
        """The example as bytes."""
        lists = b"".join(
            block(1, block(1, name) + block(2, b"".join(block(1, _feature(s)) for s in steps)))
            for name, steps in self.feature_lists.items()
        )
        return block(1, _features_bytes(self.context)) + block(2, lists)

    @staticmethod
    def FromString(serialized: bytes) -> SequenceExample:
        """The example of bytes.

        Raises:
            DataError: They are no example.
        """
        who = "SequenceExample"
        made = SequenceExample()
        context, lists = parsed_sequence_example(as_bytes(serialized, who), who)
        made.context = context
        made.feature_lists = {
            name: [_NOTHING if step is None else step for step in steps]
            for name, steps in lists.items()
        }
        return made

    def __repr__(self) -> str:
        lists = {name: [s.tolist() for s in steps] for name, steps in self.feature_lists.items()}
        return f"SequenceExample({_shown(self.context)}, {lists})"


def _shown(features: Mapping[str, np.ndarray]) -> str:
    return str({name: values.tolist() for name, values in features.items()})


# ------------------------------------------------------------------------ writing


def _as_features(features: Any, who: str) -> dict[str, np.ndarray]:
    if features is None:
        return {}
    if not isinstance(features, Mapping):
        got = type(features).__name__
        fix = "Pass a dict: Example({'label': 3, 'image': image_bytes})."
        raise ArgumentError(message(who, "features must map names to values", got, fix))
    return {_name(n, who): _as_values(v, n, who) for n, v in features.items()}


def _name(name: Any, who: str) -> str:
    if not isinstance(name, str):
        raise ArgumentError(message(who, "names of features must be str", repr(name)[:60]))
    return name


def _as_values(value: Any, name: Any, who: str) -> np.ndarray:
    where = f"{who}, feature {name!r}"
    if isinstance(value, list | tuple) and not value:
        return _NOTHING
    try:
        if isinstance(value, list | tuple) and value and not isinstance(value[0], str | bytes):
            array = np.asarray(value)  # not by way of float32 and int32, as elements go
            whole_numbers = array.dtype.kind in "iub"
            value = array.astype(np.int64, casting="safe") if whole_numbers else array
        array = el.to_element(value, where)
    except (TypeError, ValueError, OverflowError) as error:
        rule = "values must be whole numbers of 64 bits, floats or strings"
        got = f"{type(value).__name__} {str(value)[:60]} ({str(error)[:120]})"
        raise ArgumentError(message(where, rule, got)) from None
    plain = array.view(np.ndarray).reshape(-1) if isinstance(array, np.ndarray) else None
    if plain is not None and plain.dtype.kind == "O":
        return plain
    if plain is not None and plain.dtype.kind in "iub":
        if plain.dtype == np.uint64 and plain.size and int(plain.max()) >= 1 << 63:
            rule = "whole numbers must be below 2**63"
            raise ArgumentError(message(where, rule, str(int(plain.max()))))
        return plain.astype(np.int64)
    if plain is not None and plain.dtype.kind in "fV":
        with np.errstate(over="ignore"):
            return plain.astype(np.float32)
    rule = "values must be whole numbers, floats or strings"
    fix = "Write an array of another kind as bytes: array.tobytes()."
    raise ArgumentError(message(where, rule, f"{type(value).__name__} {str(value)[:60]}", fix))


def _features_bytes(features: Mapping[str, np.ndarray]) -> bytes:
    return b"".join(
        block(1, block(1, name) + block(2, _feature(values))) for name, values in features.items()
    )


def _feature(values: np.ndarray) -> bytes:
    if values is _NOTHING:
        return b""
    if values.dtype.kind == "O":
        return block(_BYTES, b"".join(block(1, item) for item in values.tolist()))
    if values.dtype.kind == "f":
        content = values.astype("<f4").tobytes()
        return block(_FLOATS, block(1, content) if content else b"")
    if values.size and 0 <= values.min() and values.max() < 128:
        packed = values.astype(np.uint8).tobytes()
    else:
        packed = b"".join(map(varint, values.tolist()))
    return block(_INTS, block(1, packed) if packed else b"")


# ------------------------------------------------------------------------ reading


def parsed_example(data: bytes, who: str) -> dict[str, np.ndarray]:
    """The features of an example that have a kind.

    Raises:
        DataError: It is none.
    """
    try:
        found: dict[str, np.ndarray] = {}
        for number, content in fields(memoryview(data)):
            if number == 1:
                _add_features(found, _message(content))
        return found
    except ValueError as error:
        raise _damaged(who, "Example", data, error) from None


def parsed_sequence_example(
    data: bytes, who: str
) -> tuple[dict[str, np.ndarray], dict[str, list[Values]]]:
    """(the context, the sequences) of a sequence example.

    Raises:
        DataError: It is none.
    """
    context: dict[str, np.ndarray] = {}
    lists: dict[str, list[Values]] = {}
    try:
        for number, content in fields(memoryview(data)):
            if number == 1:
                _add_features(context, _message(content))
            elif number == 2:
                for inner, entry in fields(_message(content)):
                    if inner == 1:
                        name, value = _entry(_message(entry))
                        steps = fields(_message(value))
                        lists[name] = [_values(_message(step)) for n, step in steps if n == 1]
        return context, lists
    except ValueError as error:
        raise _damaged(who, "SequenceExample", data, error) from None


def _damaged(who: str, kind: str, data: bytes, error: ValueError) -> DataError:
    return DataError(
        message(
            who,
            f"it must be a serialized {kind}",
            f"{len(data)} bytes, {data[:20]!r}, with {error}",
            f"Write {kind}(...).SerializeToString(); other bytes are read with np.frombuffer.",
        )
    )


def _message(content: int | memoryview) -> memoryview:
    if isinstance(content, int):
        raise ValueError("a number where a message is due")
    return content


def _add_features(found: dict[str, np.ndarray], features: memoryview) -> None:
    for number, entry in fields(features):
        if number == 1:
            name, value = _entry(_message(entry))
            values = _values(_message(value))
            if values is None:
                found.pop(name, None)
            else:
                found[name] = values  # the last of one name is what counts, as in every map


def _entry(entry: memoryview) -> tuple[str, memoryview]:
    """Name and value of an entry of a map."""
    name, value = "", memoryview(b"")
    for number, content in fields(entry):
        if number == 1:
            name = str(_message(content), "utf-8", "surrogateescape")
        elif number == 2:
            value = _message(content)
    return name, value


def _values(feature: memoryview) -> Values:
    """The values of a feature; of several kinds the last counts."""
    kind, parts = 0, []
    for number, content in fields(feature):
        if number in (_BYTES, _FLOATS, _INTS):
            if number != kind:
                kind, parts = number, []
            parts.append(_LISTS[number](_message(content)))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _bytes_list(content: memoryview) -> np.ndarray:
    items = [bytes(_message(value)) for number, value in fields(content) if number == 1]
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _float_list(content: memoryview) -> np.ndarray:
    parts: list[np.ndarray] = []
    for number, value in fields(content):
        if number == 1:
            packed = _message(value)
            if len(packed) % 4:
                raise ValueError("floats that are cut off")
            parts.append(np.frombuffer(packed, "<f4"))
    # A copy of its own: the record is not kept for a number of it.
    return np.concatenate(parts).astype(np.float32) if parts else np.empty(0, np.float32)


def _int_list(content: memoryview) -> np.ndarray:
    parts: list[np.ndarray] = []
    for number, value in fields(content):
        if number == 1:
            if isinstance(value, int):
                signed = value - (1 << 64) if value >> 63 else value
                parts.append(np.array([signed], np.int64))
            else:
                parts.append(_unpacked_ints(value))
    return np.concatenate(parts) if parts else _NO_INTS


def _unpacked_ints(packed: memoryview) -> np.ndarray:
    """Whole numbers one after another, in groups of seven bits each."""
    if len(packed) <= 2:
        numbers: list[int] = []
        at = 0
        while at < len(packed):
            value, at = read_varint(packed, at)
            numbers.append(value)
        return np.array(numbers, np.uint64).astype(np.int64)
    data = np.frombuffer(packed, np.uint8)
    if data.max() < 128:
        return data.astype(np.int64)
    ends = np.flatnonzero(data < 128)
    if data[-1] >= 128:
        raise ValueError("whole numbers that do not end")
    begins = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - begins + 1
    if lengths.max() > 10:
        raise ValueError("a whole number of more than 64 bits")
    places = np.arange(len(data)) - np.repeat(begins, lengths)
    groups = (data & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(groups, begins).view(np.int64)


_LISTS = {_BYTES: _bytes_list, _FLOATS: _float_list, _INTS: _int_list}

__all__ = ["Example", "SequenceExample", "parsed_example", "parsed_sequence_example"]
