"""`tf.train.Example` and the messages it is made of, as protocol buffers behave.

They can be written to after they are made, are compared by what they hold, and print as text.

Source: tensorflow/core/example/feature.proto and example.proto; protobuf.dev, *Python Generated
Code Guide* and *Text Format Language Specification*.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, SupportsIndex

import numpy as np

from nacre import data
from nacre.core.errors import ArgumentError, message
from nacre.tf.record_descriptors import Described, descriptor_of, entry_name


class _Repeated(list[Any]):
    """The values of a field that repeats; each is checked, and whose field it is told of changes.

    Args:
        values: The values.
        check: Makes of a value what the field holds, or raises.
        told: Called when values are added.
    """

    def __init__(
        self, values: Iterable[Any], check: Callable[[Any], Any], told: Callable[[], None]
    ) -> None:
        super().__init__(map(check, values))
        self._check, self._told = check, told

    def append(self, value: Any) -> None:
        super().append(self._check(value))
        self._told()

    def extend(self, values: Iterable[Any]) -> None:
        super().extend(list(map(self._check, values)))
        self._told()

    def insert(self, index: SupportsIndex, value: Any) -> None:
        super().insert(index, self._check(value))
        self._told()

    def __setitem__(self, index: Any, value: Any) -> None:
        fits = list(map(self._check, value)) if isinstance(index, slice) else self._check(value)
        super().__setitem__(index, fits)
        self._told()

    def __iadd__(self, values: Iterable[Any]) -> Self:  # type: ignore[override,misc]
        self.extend(values)
        return self

    MergeFrom = extend


class _Message:
    """What all of them do."""

    def _lines(self) -> list[str]:
        raise NotImplementedError  # each has its own

    def __repr__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._lines() == self._lines()

    __hash__ = None  # type: ignore[assignment]  # it may change

    DESCRIPTOR = Described()

    def ListFields(self) -> list[tuple[Any, Any]]:
        """What it holds, by the descriptors of the fields."""
        fields = self.DESCRIPTOR.fields_by_name
        return [(fields[name], value) for name, value in self._held().items()]

    def _held(self) -> dict[str, Any]:
        """The fields that hold something, in their order."""
        raise NotImplementedError  # each has its own

    def HasField(self, field_name: str) -> bool:
        """Whether it holds a message in a field."""
        return field_name in self._held()

    def ClearField(self, field_name: str) -> None:
        """Hold nothing in a field."""
        field = getattr(self, field_name)
        field.Clear() if isinstance(field, _Message) else field.clear()

    def Clear(self) -> None:
        """Hold nothing."""
        for name in list(self._held()):
            self.ClearField(name)

    def SetInParent(self) -> None:
        """Nothing: what a message is in holds it."""

    def IsInitialized(self) -> bool:
        """True: no field is required."""
        return True


def _block(name: str, inner: list[str]) -> list[str]:
    return [f"{name} {{", *(f"  {line}" for line in inner), "}"]


class _Values(_Message):
    _check: ClassVar[Callable[[Any], Any]]
    _shown: ClassVar[Callable[[Any], str]]

    def __init__(self, value: Any = ()) -> None:
        self._told: Callable[[], None] = lambda: None
        self._value = _Repeated(_listed(value), type(self)._check, lambda: self._told())

    @property
    def value(self) -> _Repeated:
        """The values, a list that may be added to."""
        return self._value

    def _held(self) -> dict[str, Any]:
        return {"value": self._value} if self._value else {}

    def SetInParent(self) -> None:
        """Be the list that the feature around it has."""
        self._told()

    def CopyFrom(self, other: Self) -> None:
        """Take what another one holds."""
        self._value[:] = list(other.value)

    def _lines(self) -> list[str]:
        return [f"value: {type(self)._shown(value)}" for value in self._value]


def _listed(value: Any) -> list[Any]:
    """What is given for a field that repeats."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        fix = "Put it into a list: value=[x]."
        raise ArgumentError(message("tf.train", "value must be a list", repr(value)[:60], fix))
    return list(value)


def _as_int(value: Any) -> int:
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iub":
        fix = "Convert it: int(x)."
        rule = "values must be whole numbers"
        raise ArgumentError(message("tf.train.Int64List", rule, repr(value)[:60], fix))
    found = int(number)
    if not -(2**63) <= found < 2**63:
        rule = "values must fit into 64 bits"
        raise ArgumentError(message("tf.train.Int64List", rule, str(found)))
    return found


def _as_float(value: Any) -> float:
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iubf":
        rule = "values must be numbers"
        raise ArgumentError(message("tf.train.FloatList", rule, repr(value)[:60], "float(x)."))
    return float(np.float32(number))


def _as_bytes(value: Any) -> bytes:
    found = np.asarray(value).item() if hasattr(value, "dtype") else value
    if not isinstance(found, bytes):
        fix = "Encode it: text.encode()."
        raise ArgumentError(
            message("tf.train.BytesList", "values must be bytes", repr(value)[:60], fix)
        )
    return found


def _float_shown(value: float) -> str:
    """The fewest digits that are the same float of 32 bits."""
    found = [f"{value:.{digits}g}" for digits in range(6, 10)]
    return next((text for text in found if np.float32(text) == np.float32(value)), found[-1])


_ESCAPED = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\"}


def _bytes_shown(value: bytes) -> str:
    parts = [_ESCAPED.get(n) or (chr(n) if 32 <= n < 127 else f"\\{n:03o}") for n in value]
    return f'"{"".join(parts)}"'


class Int64List(_Values):
    """Whole numbers.

    Args:
        value: They.
    """

    _check, _shown = _as_int, str


class FloatList(_Values):
    """Floats of 32 bits.

    Args:
        value: They.
    """

    _check, _shown = _as_float, _float_shown


class BytesList(_Values):
    """Strings, as `bytes`.

    Args:
        value: They.
    """

    _check, _shown = _as_bytes, _bytes_shown


_KINDS = {"bytes_list": BytesList, "float_list": FloatList, "int64_list": Int64List}


class Feature(_Message):
    """One list of values: whole numbers, floats or strings.

    Args:
        bytes_list, float_list, int64_list: At most one of them.
    """

    def __init__(
        self,
        int64_list: Int64List | None = None,
        float_list: FloatList | None = None,
        bytes_list: BytesList | None = None,
    ) -> None:
        self._kind: str | None = None
        self._lists: dict[str, _Values] = {}
        given = {"int64_list": int64_list, "float_list": float_list, "bytes_list": bytes_list}
        told = {name: value for name, value in given.items() if value is not None}
        if len(told) > 1:
            rule = "one list is taken"
            raise ArgumentError(message("tf.train.Feature", rule, " and ".join(told)))
        for name, values in told.items():
            wanted = _KINDS[name]
            if not isinstance(values, wanted):
                rule, fix = f"{name} must be a {wanted.__name__}", f"{wanted.__name__}(value=[x])."
                raise ArgumentError(message("tf.train.Feature", rule, type(values).__name__, fix))
            self._lists[name] = wanted(values.value)
            self._listen(name)
            self._kind = name

    def _listen(self, name: str) -> None:
        def told() -> None:
            self._kind = name

        self._lists[name]._told = told

    def _list(self, name: str) -> Any:
        if name != self._kind:  # values of another kind are not its own; adding some makes them so
            self._lists[name] = _KINDS[name]()
            self._listen(name)
        return self._lists[name]

    @property
    def int64_list(self) -> Int64List:
        """Whole numbers."""
        return self._list("int64_list")

    @property
    def float_list(self) -> FloatList:
        """Floats."""
        return self._list("float_list")

    @property
    def bytes_list(self) -> BytesList:
        """Strings."""
        return self._list("bytes_list")

    def WhichOneof(self, oneof_group: str) -> str | None:
        """The name of the list that it has: `WhichOneof("kind")`."""
        return self._kind

    def _held(self) -> dict[str, Any]:
        return {} if self._kind is None else {self._kind: self._lists[self._kind]}

    def ClearField(self, field_name: str) -> None:
        """Hold nothing in a field; 'kind' is the one that it has."""
        if field_name in (self._kind, "kind"):
            self._kind, self._lists = None, {}

    def CopyFrom(self, other: Feature) -> None:
        """Take what another one holds."""
        self._kind, self._lists = None, {}
        for name, values in other._held().items():
            self._list(name).CopyFrom(values)
            self._kind = name

    def SerializeToString(self) -> bytes:
        """The feature as bytes."""
        # A map of one entry: its field 1, the entry, has the name as 1 and the feature as 2.
        whole = data.Example({"": self._plain()}).SerializeToString()
        _, features = _next_field(whole)
        _, entry = _next_field(features)
        rest = entry
        while rest:
            number, inner, rest = _split_field(rest)
            if number == 2:
                return inner
        return b""

    def _plain(self) -> Any:
        """The values as `nacre.data.Example` takes them."""
        if self._kind is None:
            return []
        values = list(self._lists[self._kind].value)
        if self._kind == "int64_list":
            return np.asarray(values, np.int64)
        return np.asarray(values, np.float32) if self._kind == "float_list" else values

    @classmethod
    def _of(cls, values: Any) -> Feature:
        """The feature of values as `nacre.data.Example` gives them."""
        if isinstance(values, Feature):
            return values
        found = next(iter(data.Example({"": values}).features.values()))
        name = {"i": "int64_list", "f": "float_list", "O": "bytes_list"}.get(found.dtype.kind)
        return cls() if name is None else cls(**{name: _KINDS[name](found.tolist())})

    def _lines(self) -> list[str]:
        return [] if self._kind is None else _block(self._kind, self._lists[self._kind]._lines())


def _split_field(raw: bytes) -> tuple[int, bytes, bytes]:
    """A field that has a length: its number, what it holds, and what comes after it."""
    from nacre.core.wire.protobuf import read_varint

    tag, at = read_varint(raw, 0)
    size, at = read_varint(raw, at)
    return tag >> 3, raw[at : at + size], raw[at + size :]


def _next_field(raw: bytes) -> tuple[int, bytes]:
    number, inner, _ = _split_field(raw)
    return number, inner


class _Entry(_Message):
    """What protobuf reads and writes an entry of a map by.

    Args:
        whose: The descriptor of the message.
        made: What makes a value.
        key, value: The entry.
    """

    def __init__(
        self, whose: str, made: Callable[[], Any], key: str = "", value: Any = None
    ) -> None:
        self._whose = whose
        self.key, self.value = key, made() if value is None else value

    @property
    def DESCRIPTOR(self) -> Any:  # type: ignore[override]
        """The descriptor of the entry."""
        return descriptor_of(self._whose)

    def _held(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value}

    def HasField(self, field_name: str) -> bool:
        """False: an entry that is read is filled once."""
        return False

    def _lines(self) -> list[str]:
        return [f"key: {_bytes_shown(self.key.encode())}", *_block("value", self.value._lines())]


class _Map(dict[str, Any]):
    """Messages by name; one that is asked for and is not there is made, as in protobuf."""

    def __init__(self, made: Callable[[], Any], given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self._made = made

    def GetEntryClass(self) -> Callable[..., _Entry]:
        """What makes an entry, as protobuf asks a map for."""
        within, field = ("Features", "feature") if self._made is Feature else _OF_LISTS
        return functools.partial(_Entry, f"{within}.{entry_name(field)}", self._made)

    def __missing__(self, name: str) -> Any:
        if not isinstance(name, str):
            rule = "names of features must be str"
            raise ArgumentError(message("tf.train.Features", rule, repr(name)[:60]))
        self[name] = found = self._made()
        return found

    def get_or_create(self, name: str) -> Any:
        """The one of a name, made where it is not there."""
        return self[name]


_OF_LISTS = ("FeatureLists", "feature_list")


class Features(_Message):
    """Features by name.

    Args:
        feature: They.
    """

    def __init__(self, feature: Mapping[str, Any] | None = None) -> None:
        given = {name: Feature._of(value) for name, value in (feature or {}).items()}
        self.feature = _Map(Feature, given)

    def _held(self) -> dict[str, Any]:
        return {"feature": self.feature} if self.feature else {}

    def CopyFrom(self, other: Features) -> None:
        """Take what another one holds."""
        copies = Features(other.feature)
        self.feature.clear()
        for name, value in copies.feature.items():
            self.feature[name].CopyFrom(value)

    def _plain(self) -> dict[str, Any]:
        return {name: value._plain() for name, value in self.feature.items()}

    def _lines(self) -> list[str]:
        return _map_lines("feature", self.feature)


def _map_lines(field: str, found: Mapping[str, _Message]) -> list[str]:
    lines: list[str] = []
    for name, value in found.items():
        key = f"key: {_bytes_shown(name.encode())}"
        lines += _block(field, [key, *_block("value", value._lines())])
    return lines


def _as_features(features: Any) -> Features:
    if features is None or isinstance(features, Features):
        return Features() if features is None else Features(features.feature)
    if not isinstance(features, Mapping):
        rule, got = "features must be a tf.train.Features, or map names to values", type(features)
        raise ArgumentError(message("tf.train", rule, got.__name__))
    return Features(features)


class FeatureList(_Message):
    """Features of the steps of a sequence.

    Args:
        feature: They.
    """

    def __init__(self, feature: Iterable[Any] = ()) -> None:
        self.feature = _Steps(feature, Feature._of, lambda: None)

    def _held(self) -> dict[str, Any]:
        return {"feature": self.feature} if self.feature else {}

    def CopyFrom(self, other: FeatureList) -> None:
        """Take what another one holds."""
        steps = list(other.feature)
        self.feature.clear()
        for step in steps:
            self.feature.add().CopyFrom(step)

    def _lines(self) -> list[str]:
        return [line for step in self.feature for line in _block("feature", step._lines())]


class _Steps(_Repeated):
    def add(self) -> Feature:
        """A new feature at the end."""
        self.append(Feature())
        found: Feature = self[-1]
        return found


class FeatureLists(_Message):
    """Such lists by name.

    Args:
        feature_list: They.
    """

    def __init__(self, feature_list: Mapping[str, Any] | None = None) -> None:
        given = {
            name: value if isinstance(value, FeatureList) else FeatureList(value)
            for name, value in (feature_list or {}).items()
        }
        self.feature_list = _Map(FeatureList, given)

    def _held(self) -> dict[str, Any]:
        return {"feature_list": self.feature_list} if self.feature_list else {}

    def CopyFrom(self, other: FeatureLists) -> None:
        """Take what another one holds."""
        lists = dict(other.feature_list)
        self.feature_list.clear()
        for name, steps in lists.items():
            self.feature_list[name].CopyFrom(steps)

    def _lines(self) -> list[str]:
        return _map_lines("feature_list", self.feature_list)


class _Written(_Message):
    """What is written into files."""

    def SerializeToString(self) -> bytes:
        """It as bytes."""
        raise NotImplementedError  # each has its own

    def ParseFromString(self, serialized: bytes) -> int:
        """Take what bytes say, in place of what it holds; how many bytes they were."""
        raise NotImplementedError  # each has its own

    @classmethod
    def FromString(cls, serialized: bytes) -> Self:
        """The one of bytes."""
        made = cls()
        made.ParseFromString(serialized)
        return made

    def CopyFrom(self, other: Self) -> None:
        """Take what another one holds."""
        self.ParseFromString(other.SerializeToString())

    def Clear(self) -> None:
        """Hold nothing."""
        self.ParseFromString(b"")

    def ByteSize(self) -> int:
        """How many bytes it is."""
        return len(self.SerializeToString())


class Example(_Written):
    """`tf.train.Example`: features by name, as TFRecord files hold them.

    Args:
        features: A `Features`; or name -> values, as for `nacre.data.Example`.

    Example:
        >>> from nacre.tf import train
        >>> written = train.Example({"label": 3}).SerializeToString()
        >>> made = train.Example()
        >>> size = made.ParseFromString(written)
        >>> made.features.feature["label"].int64_list.value
        [3]
    """

    def __init__(self, features: Any = None) -> None:
        self.features = _as_features(features)

    def SerializeToString(self) -> bytes:
        """The example as bytes."""
        return data.Example(self.features._plain()).SerializeToString()

    def _held(self) -> dict[str, Any]:
        return {"features": self.features} if self.features.feature else {}

    def ParseFromString(self, serialized: bytes) -> int:
        """Take the features of bytes; how many bytes they were."""
        self.features = Features(data.Example.FromString(serialized).features)
        return len(serialized)

    def _lines(self) -> list[str]:
        return _block("features", self.features._lines()) if self.features.feature else []


class SequenceExample(_Written):
    """`tf.train.SequenceExample`: features of the whole, and lists of them step by step.

    Args:
        context: A `Features`; or name -> values.
        feature_lists: A `FeatureLists`; or name -> values of each step.
    """

    def __init__(self, context: Any = None, feature_lists: Any = None) -> None:
        self.context = _as_features(context)
        is_made = isinstance(feature_lists, FeatureLists)
        self.feature_lists = FeatureLists(feature_lists.feature_list if is_made else feature_lists)

    def SerializeToString(self) -> bytes:
        """The example as bytes."""
        steps = {
            name: [step._plain() for step in found.feature]
            for name, found in self.feature_lists.feature_list.items()
        }
        return data.SequenceExample(self.context._plain(), steps).SerializeToString()

    def _held(self) -> dict[str, Any]:
        context, lists = self.context, self.feature_lists
        found = {"context": context} if context.feature else {}
        return found | ({"feature_lists": lists} if lists.feature_list else {})

    def ParseFromString(self, serialized: bytes) -> int:
        """Take what bytes say; how many bytes they were."""
        found = data.SequenceExample.FromString(serialized)
        self.context = Features(found.context)
        self.feature_lists = FeatureLists(found.feature_lists)
        return len(serialized)

    def _lines(self) -> list[str]:
        context, lists = self.context, self.feature_lists
        found = _block("context", context._lines()) if context.feature else []
        return found + (_block("feature_lists", lists._lines()) if lists.feature_list else [])


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
