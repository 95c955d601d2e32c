"""Messages of protocol buffers as classes: a class body is the table, a line is a field.

    class VersionDef(Message):
        producer: int = integer(1)
        bad_consumers: list[int] = integers(3)

`VersionDef.read(data)` and `value.write()` follow that table; a field that is not set reads as its
default, None for messages and for what `optional=True` marks (a part of a `oneof`, which is
written also where it is 0), a new list, dict or array for repeated ones. A field twice: the last
counts. Fields that a table does not have are passed over, and are not written again.

Files come from strangers. Messages may stand 100 deep in one another, as in protobuf, and only so
many in a file that their objects fit into memory; sizes are compared with what the file has
before anything is taken. Strings, blobs and arrays take a few times the bytes they have there.

Source: protobuf.dev, *Encoding*.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypeVar, cast

from nacre.core.wire.protobuf import block, read_varint, varint, whole

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # kinds ("wire types") of the encoding
_DEEPEST = 100
_MOST = 3_000_000  # messages and repeated values of a file: large models have some 500,000


class Message:
    """A message: its fields as attributes, given to `__init__` by name.

    Raises:
        TypeError: There is no field of a name.

    Example:
        >>> class Point(Message):
        ...     x: int = integer(1)
        ...     names: list[str] = texts(2)
        >>> point = Point(x=3, names=["a"])
        >>> Point.read(point.write()) == point, Point().x, point
        (True, 0, Point(x=3, names=['a']))
    """

    _fields: ClassVar[tuple[Field, ...]] = ()
    _table: ClassVar[dict[int, Field]] = {}
    _numbers: ClassVar[frozenset[int]] = frozenset()
    _makers: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self, **values: Any) -> None:  # Any: one type a field
        for name in values:
            if not any(field.name == name for field in self._fields):
                raise TypeError(f"{type(self).__name__} has no field '{name}'")
        self.__dict__.update(values)

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        for name, field in own.items():
            field.name, field.module = name, cls.__module__
            if field.makes is None:
                setattr(cls, name, field.default)
            else:
                delattr(cls, name)
        cls._fields = tuple(sorted(own.values(), key=lambda field: field.number))
        cls._table = {
            field.number << 3 | kind: field for field in cls._fields for kind in field.kinds
        }
        cls._numbers = frozenset(field.number for field in cls._fields)
        cls._makers = {name: field.makes for name, field in own.items() if field.makes is not None}

    def __getattr__(self, name: str) -> Any:  # Any: of the field's type
        """A repeated field that is not set: its new list, dict or array, which is kept."""
        maker = type(self)._makers.get(name)
        if maker is None:
            raise AttributeError(f"{type(self).__name__} has no field '{name}'")
        value = self.__dict__[name] = maker()
        return value

    @classmethod
    def read(cls, data: bytes | memoryview) -> Self:
        """The message that bytes hold. Blobs are views of them.

        Raises:
            ValueError: They are no such message; says where, or what is too much.
        """
        data = data if isinstance(data, bytes) else bytes(data)
        try:
            return _read(cls, data, 0, len(data), 0, [_MOST])
        except IndexError:
            raise ValueError("a message that ends within a field") from None

    def write(self) -> bytes:
        """Its bytes: fields in the order of their numbers, entries of dicts in that of keys."""
        values = self.__dict__
        return b"".join(
            field.put(values[field.name]) for field in self._fields if field.name in values
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.write() == cast("Message", other).write()

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it can be changed

    def __repr__(self) -> str:
        names = [field.name for field in self._fields if field.name in self.__dict__]
        return f"{type(self).__name__}({', '.join(f'{n}={self.__dict__[n]!r}' for n in names)})"


class Field:
    """A field of a table: how its values are read and written.

    Attributes:
        kinds: Of the encoding, that it is read from.
        makes: What gives a repeated field's new value.
    """

    name: str
    module: str
    kinds: tuple[int, ...] = (_LENGTH,)

    def __init__(
        self, number: int, default: Any = None, makes: Callable[[], Any] | None = None
    ) -> None:  # Any: of the field's type
        self.number, self.default, self.makes = number, default, makes

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        """Put into `values` what stands in bytes `at` to `end`."""
        raise NotImplementedError

    def take_number(self, values: dict[str, Any], number: int, left: list[int]) -> None:
        """Put a whole number into `values`."""
        raise NotImplementedError

    def put(self, value: Any) -> bytes:  # Any: of the field's type
        raise NotImplementedError


M = TypeVar("M", bound=Message)


def _read(cls: type[M], data: bytes, at: int, end: int, depth: int, left: list[int]) -> M:
    """A message in bytes `at` to `end`; `left` counts down what may still be made."""
    if depth > _DEEPEST:
        raise ValueError(f"messages within messages, more than {_DEEPEST} deep")
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"more than {_MOST} messages")
    made = cls.__new__(cls)
    values, table = made.__dict__, cls._table  # pyright: ignore[reportPrivateUsage]
    while at < end:
        begin = at
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = read_varint(data, begin)
        field, kind = table.get(tag), tag & 7
        if field is None and (tag >> 3) in cls._numbers:  # pyright: ignore[reportPrivateUsage]
            raise ValueError(f"a field of {cls.__name__} at byte {begin} of the wrong kind")
        if kind == _LENGTH:
            size = data[at]
            at += 1
            if size > 127:
                size, at = read_varint(data, at - 1)
            stop = at + size
            if stop > end:
                raise ValueError(f"a field at byte {begin} that goes beyond the end")
            if field is not None:
                field.take(values, data, at, stop, depth, left)
            at = stop
        elif kind == _VARINT:
            number = data[at]
            at += 1
            if number > 127:
                number, at = read_varint(data, at - 1)
            if field is not None:
                field.take_number(values, number, left)
        elif kind in (_FIXED32, _FIXED64):
            stop = at + (4 if kind == _FIXED32 else 8)
            if stop > end:
                raise ValueError(f"a field at byte {begin} that goes beyond the end")
            if field is not None:
                field.take(values, data, at, stop, depth, left)
            at = stop
        else:
            raise ValueError(f"a field of unknown kind {kind} at byte {begin}")
        if tag < 8:
            raise ValueError(f"a field of number 0 at byte {begin}")
    if at > end:
        raise ValueError(f"a field that goes beyond the end, at byte {end}")
    return made


def _counted(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"more than {_MOST} values")


# --- kinds of numbers -----------------------------------------------------------------------------


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


class _Number(Field):
    """int32, int64, enum, bool, uint32, uint64, sint64."""

    kinds = (_VARINT,)

    def __init__(
        self, number: int, default: Any, of: Callable[[int], Any], to: Callable[[Any], int]
    ) -> None:
        super().__init__(number, default)
        self._of, self._to = of, to

    def take_number(self, values: dict[str, Any], number: int, left: list[int]) -> None:
        values[self.name] = self._of(number)

    def put(self, value: Any) -> bytes:
        return b"" if value == self.default else whole(self.number, self._to(value))


class _Numbers(Field):
    """Repeated whole numbers, packed or one by one."""

    kinds = (_LENGTH, _VARINT)

    def __init__(self, number: int, makes: Callable[[], Any], of: Callable[[int], Any]) -> None:
        super().__init__(number, None, makes)
        self._of = of

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        held = self._held(values)
        of, add = self._of, held.append
        if isinstance(held, list):  # objects; an array takes no more than 8 bytes for each
            left[0] -= end - at
            if left[0] < 0:
                raise ValueError(f"more than {_MOST} values")
        while at < end:
            number = data[at]
            at += 1
            if number > 127:
                number, at = read_varint(data, at - 1)
            add(of(number))
        if at > end:
            raise ValueError(f"a number that goes beyond the end of its field, at byte {end}")

    def take_number(self, values: dict[str, Any], number: int, left: list[int]) -> None:
        _counted(left)
        self._held(values).append(self._of(number))

    def _held(self, values: dict[str, Any]) -> Any:
        held = values.get(self.name)
        if held is None:
            assert self.makes is not None
            held = values[self.name] = self.makes()
        return held

    def put(self, value: Any) -> bytes:
        if not len(value):
            return b""
        return block(self.number, b"".join(varint(int(number)) for number in value))


class _Fixed(Field):
    """float or double."""

    def __init__(self, number: int, default: float | None, form: str) -> None:
        super().__init__(number, default)
        self._form = struct.Struct(form)
        self._kind = _FIXED32 if self._form.size == 4 else _FIXED64
        self.kinds = (self._kind,)
        self._left_out = None if default is None else self._form.pack(default)

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        values[self.name] = self._form.unpack_from(data, at)[0]

    def put(self, value: Any) -> bytes:
        data = None if value is None else self._form.pack(value)
        if data is None or data == self._left_out:  # as bytes: -0.0 is none that is left out
            return b""
        return varint(self.number << 3 | self._kind) + data


class _Fixeds(Field):
    """Repeated floats or doubles, packed or one by one."""

    def __init__(self, number: int, code: str) -> None:
        super().__init__(number, None, partial(array, code))
        self._code, self._size = code, array(code).itemsize
        self.kinds = (_LENGTH, _FIXED32 if self._size == 4 else _FIXED64)

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        if (end - at) % self._size:
            raise ValueError(f"numbers of {self._size} bytes each in {end - at} bytes")
        held = values.setdefault(self.name, array(self._code))
        found = array(self._code, data[at:end])
        if sys.byteorder == "big":
            found.byteswap()
        held.extend(found)

    def put(self, value: Any) -> bytes:
        if not len(value):
            return b""
        numbers = array(self._code, value)
        if sys.byteorder == "big":
            numbers.byteswap()
        return block(self.number, numbers.tobytes())


# --- kinds of bytes -------------------------------------------------------------------------------


class _Bytes(Field):
    """string, bytes, or bytes as a view of the file's."""

    def __init__(self, number: int, default: Any, of: Callable[[bytes, int, int], Any]) -> None:
        super().__init__(number, default)
        self._of = of

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        values[self.name] = self._of(data, at, end)

    def put(self, value: Any) -> bytes:
        return b"" if value == self.default else block(self.number, value)


class _ManyBytes(Field):
    """Repeated strings or bytes."""

    def __init__(self, number: int, of: Callable[[bytes, int, int], Any]) -> None:
        super().__init__(number, None, list)
        self._of = of

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        _counted(left)
        values.setdefault(self.name, []).append(self._of(data, at, end))

    def put(self, value: Any) -> bytes:
        return b"".join(block(self.number, item) for item in value)


def _text(data: bytes, at: int, end: int) -> str:
    return data[at:end].decode()


def _raw(data: bytes, at: int, end: int) -> bytes:
    return data[at:end]


def _view(data: bytes, at: int, end: int) -> memoryview:
    return memoryview(data)[at:end]


# --- messages within messages ---------------------------------------------------------------------


class _Inner(Field):
    """A message, or repeated ones, of a class that may be told by its name."""

    def __init__(self, number: int, of: type[Message] | str, is_repeated: bool) -> None:
        super().__init__(number, None, list if is_repeated else None)
        self._of: type[Message] | str = of
        self._is_repeated = is_repeated

    def _class(self) -> type[Message]:
        if isinstance(self._of, str):
            self._of = cast("type[Message]", getattr(sys.modules[self.module], self._of))
        return self._of

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        found = _read(self._class(), data, at, end, depth + 1, left)
        if self._is_repeated:
            values.setdefault(self.name, []).append(found)
        else:
            values[self.name] = found

    def put(self, value: Any) -> bytes:
        if value is None:
            return b""
        items = value if self._is_repeated else (value,)
        return b"".join(block(self.number, item.write()) for item in items)


class _Map(Field):
    """A dict: repeated messages of a key, field 1, and a value, field 2."""

    def __init__(self, number: int, key: Field, value: Field) -> None:
        super().__init__(number, None, dict)
        key.name, value.name = "key", "value"
        self._entry: type[Message] | None = None
        self._pair = key, value

    def _class(self) -> type[Message]:
        if self._entry is None:
            key, value = self._pair
            made = type("Entry", (Message,), {"key": key, "value": value})
            key.module = value.module = self.module
            self._entry = made
        return self._entry

    def take(
        self, values: dict[str, Any], data: bytes, at: int, end: int, depth: int, left: list[int]
    ) -> None:
        entry = _read(self._class(), data, at, end, depth, left)
        value: Any = getattr(entry, "value")  # noqa: B009 - no field that a type tells of
        field = self._pair[1]
        if value is None and isinstance(field, _Inner):  # an empty message is left out
            value = field._class()()  # pyright: ignore[reportPrivateUsage]
        values.setdefault(self.name, {})[getattr(entry, "key")] = value  # noqa: B009

    def put(self, value: Mapping[Any, Any]) -> bytes:
        key_field, value_field = self._pair
        return b"".join(
            block(self.number, key_field.put(key) + value_field.put(value[key]))
            for key in sorted(value)
        )


# --- what a table is written with -----------------------------------------------------------------
# All give Any, so that a line of a table reads `name: str = text(1)`.


def text(number: int, optional: bool = False) -> Any:
    """A `string`."""
    return _Bytes(number, None if optional else "", _text)


def raw(number: int, optional: bool = False) -> Any:
    """A `bytes`."""
    return _Bytes(number, None if optional else b"", _raw)


def blob(number: int) -> Any:
    """A `bytes` that may be large: read as a view of the bytes of the file."""
    return _Bytes(number, b"", _view)


def integer(number: int, optional: bool = False) -> Any:
    """An `int32`, `int64` or `enum`."""
    return _Number(number, None if optional else 0, _signed, int)


def unsigned(number: int) -> Any:
    """A `uint32` or `uint64`."""
    return _Number(number, 0, int, int)


def zigzag(number: int, optional: bool = False) -> Any:
    """A `sint64`."""
    default = None if optional else 0
    return _Number(number, default, _zigzag, lambda value: value << 1 ^ value >> 63)


def boolean(number: int, optional: bool = False) -> Any:
    """A `bool`."""
    return _Number(number, None if optional else False, bool, int)


def single(number: int, optional: bool = False) -> Any:
    """A `float`."""
    return _Fixed(number, None if optional else 0.0, "<f")


def double(number: int, optional: bool = False) -> Any:
    """A `double`."""
    return _Fixed(number, None if optional else 0.0, "<d")


def texts(number: int) -> Any:
    """A `repeated string`: a list."""
    return _ManyBytes(number, _text)


def raws(number: int) -> Any:
    """A `repeated bytes`: a list."""
    return _ManyBytes(number, _raw)


def integers(number: int) -> Any:
    """A `repeated int32`, `int64` or `enum`: a list."""
    return _Numbers(number, list, _signed)


def booleans(number: int) -> Any:
    """A `repeated bool`: a list."""
    return _Numbers(number, list, bool)


def long_integers(number: int) -> Any:
    """A `repeated int32`, `int64` or `bool` that may be long: an `array` of 8 bytes each."""
    return _Numbers(number, partial(array, "q"), _signed)


def long_unsigned(number: int) -> Any:
    """A `repeated uint32` or `uint64` that may be long: an `array` of 8 bytes each."""
    return _Numbers(number, partial(array, "Q"), int)


def singles(number: int) -> Any:
    """A `repeated float`: an `array`."""
    return _Fixeds(number, "f")


def doubles(number: int) -> Any:
    """A `repeated double`: an `array`."""
    return _Fixeds(number, "d")


def inner(number: int, of: type[Message] | str) -> Any:
    """A message of a class, or of one further down in the same file: None where it is not set."""
    return _Inner(number, of, False)


def inners(number: int, of: type[Message] | str) -> Any:
    """Repeated messages: a list."""
    return _Inner(number, of, True)


def text_map(number: int, of: type[Message] | str | None = None) -> Any:
    """A `map<string, ...>` to messages, or to strings: a dict."""
    return _Map(number, text(1), text(2) if of is None else inner(2, of))


def number_map(number: int, of: type[Message] | str | None = None) -> Any:
    """A `map<uint32, ...>` to messages, or to numbers: a dict."""
    return _Map(number, unsigned(1), unsigned(2) if of is None else inner(2, of))


__all__ = [
    "Field",
    "Message",
    "blob",
    "boolean",
    "booleans",
    "double",
    "doubles",
    "inner",
    "inners",
    "integer",
    "integers",
    "long_integers",
    "long_unsigned",
    "number_map",
    "raw",
    "raws",
    "single",
    "singles",
    "text",
    "text_map",
    "texts",
    "unsigned",
    "zigzag",
]
