"""FlatBuffers by schema: plain dicts to bytes, and back.

A schema is text, one table a line, fields in the order of their numbers:

    Schema({"Model": "version:uint name:string parts:[Part] choice:Choice"}, {"Choice": ("One",)})

    bool byte ubyte ushort int uint long ulong float     numbers; `int=1` has another default than 0
    string, Table, [number], [string], [Table]           as it says; `[ubyte:16]` begins at a
                                                         multiple of 16
    Union                                                takes two numbers: which one, and the table
    -                                                    a number that is no longer used

A table is a dict by name of field; what is absent or its default is not written. A union is a pair
of the name and the dict. Vectors of numbers may be arrays, and are arrays when read.

Why not the package of that name: it builds from the end, call by call, with a module of generated
code for each schema, which a project that only writes one format would have to carry; a table of
fields says the same.

Source: https://flatbuffers.dev/internals: a table begins with the distance back to its vtable
(int32); a vtable has its size, the table's size, and for each field its place in the table or 0
(uint16 each); a reference is the distance forward from where it stands (uint32); vectors begin with
their count (uint32), strings end with a zero byte besides; numbers stand at multiples of their
size.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nacre.core.errors import FileFormatError

Fields: TypeAlias = Mapping[str, Any]

_NUMBERS = {
    "bool": "?", "byte": "b", "ubyte": "B", "ushort": "H", "int": "i", "uint": "I", "long": "q",
    "ulong": "Q", "float": "f",
}  # fmt: skip
_ARRAYS = {"bool": "?", "byte": "i1", "ubyte": "u1", "ushort": "<u2", "int": "<i4", "uint": "<u4",
           "long": "<i8", "ulong": "<u8", "float": "<f4"}  # fmt: skip


class _Field(NamedTuple):
    """A field: its number among those of the table, its kind, its default, and where it begins."""

    number: int
    kind: str
    default: float = 0
    alignment: int = 4


def _default(field: _Field) -> float:
    kinds: dict[str, type[float]] = {"float": float, "bool": bool}
    return kinds.get(field.kind, int)(field.default)


class Schema:
    """Tables and unions, by name.

    Args:
        tables: The fields of each table, as the file's beginning says.
        unions: The tables of each union, from number 1 on.

    Example:
        >>> schema = Schema({"Point": "x:int y:int name:string"})
        >>> schema.unpack("Point", schema.pack("Point", {"x": 7, "name": "a"}, "TEST"))
        {'x': 7, 'y': 0, 'name': 'a'}
    """

    def __init__(
        self, tables: Mapping[str, str], unions: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.unions: dict[str, tuple[str, ...]] = {k: tuple(v) for k, v in (unions or {}).items()}
        self.tables: dict[str, dict[str, _Field]] = {
            name: self._fields(text) for name, text in tables.items()
        }

    def _fields(self, text: str) -> dict[str, _Field]:
        found: dict[str, _Field] = {}
        number = 0
        for part in text.split():
            name, _, kind = part.partition(":")
            kind, _, default = kind.partition("=")
            alignment = 4
            if kind.startswith("[") and ":" in kind:
                kind, _, least = kind[:-1].partition(":")
                kind, alignment = f"{kind}]", int(least)
            if kind in self.unions:
                number += 1  # the number before is that of its type
            if name != "-":
                found[name] = _Field(number, kind, float(default or 0), alignment)
            number += 1
        return found

    def pack(self, root: str, fields: Fields, identifier: str) -> bytes:
        """A table as the root of a buffer, with an identifier of four letters."""
        return _Packing(self).root(root, fields, identifier)

    def unpack(self, root: str, data: bytes) -> dict[str, Any]:
        """The root table of a buffer, all its fields there.

        Raises:
            FileFormatError: A reference leads outside.
        """
        try:
            (start,) = struct.unpack_from("<I", data, 0)
            return _Reading(self, data).table(root, start)
        except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
            raise FileFormatError(f"the FlatBuffer cannot be read: {error}.") from None


class _Packing:
    """A buffer in the making, written from its beginning: references lead forward."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.data = bytearray()
        self._vtables: dict[bytes, int] = {}

    def root(self, name: str, fields: Fields, identifier: str) -> bytes:
        self.data += bytes(4) + identifier.encode("ascii")
        self._refer(0, self._table(name, fields))
        return bytes(self.data)

    def _align(self, size: int) -> int:
        self.data += bytes(-len(self.data) % size)
        return len(self.data)

    def _refer(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.data, place, target - place)

    def _table(self, name: str, fields: Fields) -> int:
        known = self.schema.tables[name]
        assert fields.keys() <= known.keys(), f"{name}: {sorted(fields.keys() - known.keys())}"
        inline: list[tuple[int, str, Any]] = []  # number, how it is packed, value
        outside: list[tuple[int, _Field, Any]] = []
        for key, value in fields.items():
            field = known[key]
            if value is None or (field.kind in _NUMBERS and value == field.default):
                continue
            if field.kind in _NUMBERS:
                inline.append((field.number, _NUMBERS[field.kind], value))
                continue
            if field.kind in self.schema.unions:
                kind, value = value
                which = self.schema.unions[field.kind].index(kind) + 1
                inline.append((field.number - 1, "B", which))
                field = field._replace(kind=kind)
            inline.append((field.number, "I", 0))
            outside.append((field.number, field, value))
        places, size = self._layout(inline)
        start = self._with_vtable(places, size, any(how in "qQ" for _, how, _ in inline))
        self.data += bytes(size - 4)
        for number, how, value in inline:
            struct.pack_into("<" + how, self.data, start + places[number], value)
        for number, field, value in outside:
            self._refer(start + places[number], self._object(field, value))
        return start

    @staticmethod
    def _layout(inline: Sequence[tuple[int, str, Any]]) -> tuple[dict[int, int], int]:
        """Where each field is in its table, the widest first, and the table's size."""
        places: dict[int, int] = {}
        place = 4
        for number, how, _ in sorted(inline, key=lambda part: -struct.calcsize(part[1])):
            width = struct.calcsize(how)
            place += -place % width
            places[number] = place
            place += width
        return places, place

    def _with_vtable(self, places: Mapping[int, int], size: int, is_wide: bool) -> int:
        """Begin a table: its vtable, unless such a one is there, and the distance back to it."""
        slots = [places.get(number, 0) for number in range(max(places, default=-1) + 1)]
        vtable = struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), size, *slots)
        place = self._vtables.get(vtable)
        if place is None:
            place = self._vtables[vtable] = self._align(2)
            self.data += vtable
        start = self._align(8 if is_wide else 4)
        self.data += struct.pack("<i", start - place)
        return start

    def _object(self, field: _Field, value: Any) -> int:
        """What stands outside of its table: a string, a table, or a vector."""
        if field.kind == "string":
            text = value.encode("utf-8")
            return self._bytes(text + b"\0", len(text), 4)
        if not field.kind.startswith("["):
            return self._table(field.kind, value)
        kind = field.kind[1:-1]
        if kind in _ARRAYS:
            array = np.ascontiguousarray(value, _ARRAYS[kind]).reshape(-1)
            alignment = max(field.alignment, array.itemsize)
            return self._bytes(array.view("u1").data, array.size, alignment)
        start = self._align(4)
        self.data += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, part in enumerate(value):
            self._refer(start + 4 + 4 * index, self._object(field._replace(kind=kind), part))
        return start

    def _bytes(self, content: bytes | memoryview, count: int, alignment: int) -> int:
        """A count and what follows it, which begins at a multiple of `alignment`."""
        self.data += bytes(-(len(self.data) + 4) % alignment)
        start = len(self.data)
        self.data += struct.pack("<I", count)
        self.data += content
        return start


class _Reading:
    """A buffer that is read."""

    def __init__(self, schema: Schema, data: bytes) -> None:
        self.schema, self.data = schema, data

    def table(self, name: str, start: int) -> dict[str, Any]:
        back = self._number("i", start)
        vtable = start - back
        count = self._number("H", vtable) // 2 - 2

        def slot(number: int) -> int:
            return self._number("H", vtable + 4 + 2 * number) if number < count else 0

        found: dict[str, Any] = {}
        for key, field in self.schema.tables[name].items():
            place = slot(field.number)
            if field.kind in _NUMBERS:
                how = _NUMBERS[field.kind]
                found[key] = self._number(how, start + place) if place else _default(field)
            elif not place:
                found[key] = None
            elif field.kind in self.schema.unions:
                which = self._number("B", start + slot(field.number - 1))
                known: tuple[str, ...] = self.schema.unions[field.kind]
                kind = str(known[int(which) - 1]) if which <= len(known) else ""
                if kind in self.schema.tables:
                    found[key] = (kind, self._object(kind, start + place))
                else:  # of a newer schema
                    found[key] = (f"{field.kind} {which}", {})
            else:
                found[key] = self._object(field.kind, start + place)
        return found

    def _number(self, how: str, place: int) -> Any:
        if place < 0:
            raise ValueError("a reference leads before its beginning")
        return struct.unpack_from("<" + how, self.data, place)[0]

    def _object(self, kind: str, place: int) -> Any:
        start = place + self._number("I", place)
        if not kind.startswith("[") and kind != "string":
            return self.table(kind, start)
        count = self._number("I", start)
        if kind == "string":
            return bytes(self.data[start + 4 : start + 4 + count]).decode("utf-8")
        kind = kind[1:-1]
        if kind in _ARRAYS:
            return np.frombuffer(self.data, _ARRAYS[kind], count, start + 4)
        if count * 4 > len(self.data) - start:
            raise ValueError("a vector reaches beyond its end")
        return [self._object(kind, start + 4 + 4 * index) for index in range(count)]


__all__ = ["Fields", "Schema"]
