"""Damage to files: bytes, values of JSON, fields of protocol buffers, members of archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from nacre.core.wire.protobuf import block, fields, varint
from nacre.core.wire.table import read_table, write_table


def mutate(content: bytes, random: Random) -> bytes:
    """Damage bytes in one to four places, the way disks, networks and people do."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        at = random.randrange(len(data))
        kind = random.randrange(9)
        if kind in (0, 1):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 3:
            length = random.choice((2, 4, 8, 64))
            data[at : at + length] = bytes([random.choice((0, 0xFF))]) * length
        elif kind == 4:
            length = random.choice((4, 8))
            data[at : at + length] = random.randbytes(length)
        elif kind == 5:
            del data[at : at + random.randrange(1, 9)]
        elif kind == 6:
            data[at:at] = random.randbytes(random.randrange(1, 9))
        elif kind == 7:
            source = random.randrange(len(data))
            length = random.choice((8, 16, 64))
            data[at : at + length] = data[source : source + length]
        elif random.random() < 0.3:
            del data[at:]
        else:  # where structures are: not among zeros
            places = [i for i in range(at, min(at + 4000, len(data))) if data[i]]
            if places:
                data[random.choice(places)] ^= 1 << random.randrange(8)
    return bytes(data)


_STRANGE = (
    None, True, -1, 0, 1.5, 2**70, float("nan"), "", "x", "\x1b]0;x\x07", [], [[]], {}, {"a": 1},
    {"class_name": "Dense", "config": {}}, {"class_name": "__tensor__", "config": {}}, "\ud800",
)  # fmt: skip


def mutate_json(text: str, random: Random) -> str:
    """Replace, delete or double a value somewhere in a tree of JSON."""
    tree = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in keys:
            places.append((node, key))
            visit(node[key])

    visit(tree)
    for _ in range(random.choice((1, 1, 2))):
        node, key = random.choice(places)
        try:
            kind = random.randrange(4)
            if kind == 0:
                del node[key]
            elif kind == 1 and isinstance(node, dict):
                node[f"{key}x"] = node.pop(key)
            else:
                node[key] = random.choice(_STRANGE)
        except (KeyError, IndexError):
            continue
    return json.dumps(tree)


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A zip archive with changed members, whose checksums fit them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


# -------------------------------------------------------------------- protocol buffers

_STRANGE_NUMBERS = (0, 1, 2, 7, 127, 1 << 20, (1 << 31) - 1, 1 << 40, (1 << 63) - 1, -1, -(1 << 63))
_DEEPEST = 12


def mutate_message(content: bytes, random: Random) -> bytes:
    """Change, delete, double or move a field somewhere in a message; all lengths stay right."""
    data = memoryview(content)
    places: list[tuple[int, ...]] = []
    _places(data, (), places)
    if not places:
        return mutate(content, random)
    for _ in range(random.choice((1, 1, 2))):
        content = _changed(memoryview(content), random.choice(places), random)
    return content


def _parts(data: memoryview) -> list[tuple[int, int | memoryview, memoryview]] | None:
    """(number, value, all bytes) of the fields; None of what is no message."""
    found: list[tuple[int, int | memoryview, memoryview]] = []
    begin = 0
    try:
        for number, value in fields(data):
            size = len(varint(number << 3))
            if isinstance(value, int):
                size += len(varint(value))
            else:
                is_fixed = data[begin] & 7 in (1, 5)
                size += len(value) + (0 if is_fixed else len(varint(len(value))))
            found.append((number, value, data[begin : begin + size]))
            begin += size
    except ValueError:
        return None
    return found if found and begin == len(data) else None


def _places(data: memoryview, path: tuple[int, ...], places: list[tuple[int, ...]]) -> None:
    if len(path) > _DEEPEST:
        return
    for index, (_, value, _) in enumerate(_parts(data) or ()):
        places.append((*path, index))
        if not isinstance(value, int) and len(value) > 1:
            _places(value, (*path, index), places)


def _changed(data: memoryview, path: tuple[int, ...], random: Random) -> bytes:
    parts = _parts(data)
    if parts is None or path[0] >= len(parts):
        return bytes(data)
    wholes = [bytes(whole) for _, _, whole in parts]
    at = path[0]
    number, value, whole = parts[at]
    kind = random.randrange(6)
    if len(path) > 1 and not isinstance(value, int):
        wholes[at] = block(number, _changed(value, path[1:], random))
    elif kind == 0:
        del wholes[at]
    elif kind == 1:
        wholes.insert(random.randrange(len(wholes) + 1), bytes(whole))
    elif kind == 2:
        wholes[at] = varint(random.randrange(1, 20) << 3 | whole[0] & 7) + bytes(whole[1:])
    elif isinstance(value, int):
        wholes[at] = varint(number << 3) + varint(random.choice(_STRANGE_NUMBERS))
    else:
        other = random.choice(parts)[1]
        wholes[at] = block(
            number,
            random.choice(
                (
                    lambda: mutate(bytes(value), random),
                    lambda: b"" if isinstance(other, int) else bytes(other),
                    lambda: bytes(value)[: random.randrange(len(value) + 1)],
                )
            )(),
        )
    return b"".join(wholes)


def mutate_table(content: bytes, random: Random) -> bytes:
    """Change an entry of a table, whose checksums fit it."""
    entries = {bytes(key): bytes(value) for key, value in read_table(content)}
    key = random.choice(list(entries))
    if random.random() < 0.2:
        entries[mutate(key, random)] = entries.pop(key)
    else:
        entries[key] = mutate_message(entries[key], random)
    return write_table(entries)
