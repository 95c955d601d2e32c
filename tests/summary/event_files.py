"""Reads event files with code of its own, which checks every checksum bit by bit."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 9: "<i8", 10: "?"}


class Written(NamedTuple):
    """One value of a summary."""

    run: str
    plugin: str
    tag: str
    step: int
    value: Any


def slow_crc32c(data: bytes) -> int:
    """By its definition, a bit at a time."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    value = slow_crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> list[bytes]:
    """The whole records of a file; a part of one at its end is left out."""
    data, found = path.read_bytes(), []
    while len(data) >= 12:
        (length,), (check,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        assert masked(data[:8]) == check
        content, end = data[12 : 12 + length], data[12 + length : 16 + length]
        if len(end) < 4:
            break
        assert masked(content) == struct.unpack("<I", end)[0]
        found.append(content)
        data = data[16 + length :]
    return found


def fields(data: bytes) -> list[tuple[int, Any]]:
    """(number, value) of each field of a message."""
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        elif key & 7 == 1:
            found.append((key >> 3, struct.unpack("<d", data[at : at + 8])[0]))
            at += 8
        else:
            assert key & 7 == 2
            length = varint()
            found.append((key >> 3, data[at : at + length]))
            at += length
    return found


def one(data: bytes, number: int, default: Any = b"") -> Any:
    return next((value for key, value in fields(data) if key == number), default)


def tensor(data: bytes) -> Any:
    """A tensor as an array, strings as a list of bytes."""
    shape = [one(d, 1, 0) for key, d in fields(one(data, 2)) if key == 2]
    if one(data, 1) == 7:
        return [value for key, value in fields(data) if key == 8]
    return np.frombuffer(one(data, 4), DTYPES[one(data, 1)]).reshape(shape)


def signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def event_files(folder: Path) -> list[Path]:
    """All in a folder and below it, in the order they were made."""
    found = folder.rglob("events.out.tfevents.*")
    return sorted(found, key=lambda path: int(path.name.split(".")[6]))


def read(folder: Path) -> list[Written]:
    """All values of summaries in a folder and below it, file by file."""
    found = []
    for path in event_files(Path(folder)):
        first, *rest = records(path)
        assert one(first, 3) == b"brain.Event:2"
        for event in rest:
            for _, value in fields(one(event, 5)):
                told = one(one(value, 9), 1)
                found.append(
                    Written(
                        path.parent.relative_to(folder).as_posix(),
                        one(told, 1).decode(),
                        one(value, 1).decode(),
                        signed(one(event, 2, 0)),
                        tensor(one(value, 8)),
                    )
                )
    return found


def scalars(folder: Path, run: str = ".") -> dict[str, list[tuple[int, float]]]:
    """(step, value) by tag of a run."""
    found: dict[str, list[tuple[int, float]]] = {}
    for written in read(folder):
        if written.run == run and written.plugin == "scalars":
            found.setdefault(written.tag, []).append((written.step, float(written.value)))
    return found
