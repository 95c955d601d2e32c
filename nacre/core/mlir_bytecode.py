"""Counts in MLIR bytecode, looked at before MLIR reads it.

MLIR takes memory for as many strings, types, values and operands as a file declares before it has
seen one. Each takes at least a byte of the file, so that more than are left are a fault of the
file's. Format: mlir/Bytecode/Encoding.h and https://mlir.llvm.org/docs/BytecodeFormat, versions 0
to 6.
"""

from __future__ import annotations

from dataclasses import dataclass

_MAGIC = b"ML\xefR"
_STRINGS, _DIALECTS, _OFFSETS, _IR, _PROPERTIES = 0, 1, 3, 4, 8
_LAZY, _USE_LISTS, _ELIDED_LOCATIONS, _NATIVE_PROPERTIES = 2, 3, 4, 5  # versions that brought them
# What an operation has, as bits of a byte.
_ATTRIBUTES, _RESULTS, _OPERANDS, _SUCCESSORS, _REGIONS, _ORDERS, _NATIVE = (
    1 << bit for bit in range(7)
)


def check_counts(data: bytes) -> None:
    """See that no count is larger than what is left of its section.

    Args:
        data: A module in MLIR bytecode.

    Raises:
        ValueError: One is, or the file ends too soon, or it is no such module.

    Example:
        >>> check_counts(b"ML")
        Traceback (most recent call last):
            ...
        ValueError: it is no MLIR bytecode
    """
    if not data.startswith(_MAGIC):
        raise ValueError("it is no MLIR bytecode")
    whole = _Section(data, len(_MAGIC), len(data))
    version = whole.varint()
    whole.skip(data.find(b"\0", whole.at) + 1 - whole.at)  # who made it
    while whole.at < whole.end:
        kind, section = whole.section()
        if kind in (_STRINGS, _DIALECTS, _PROPERTIES):
            section.count()
        elif kind == _OFFSETS:  # of attributes, and of types
            section.count(section.count())
        elif kind == _IR:
            _check_operations(section, version)


class _Section:
    """Bytes, read from `at` on."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def skip(self, size: int) -> None:
        """Go on by that many bytes."""
        if not 0 <= size <= self.end - self.at:
            raise ValueError("its bytes end too soon, or say so")
        self.at += size

    def byte(self) -> int:
        """The next byte."""
        self.skip(1)
        return self.data[self.at - 1]

    def varint(self) -> int:
        """A whole number: the zeros at the low end of its first byte are how many follow."""
        start, first = self.at, self.byte()
        size = (first & -first).bit_length() if first else 9
        self.skip(size - 1)
        if not first:
            return int.from_bytes(self.data[start + 1 : self.at], "little")
        return int.from_bytes(self.data[start : self.at], "little") >> size

    def count(self, beside: int = 0) -> int:
        """How many follow, each of a byte at least, with those of another count."""
        found = self.varint()
        self.at_most(found + beside)
        return found

    def at_most(self, count: int) -> None:
        """Refuse more things than there are bytes left."""
        if count > self.end - self.at:
            raise ValueError(f"it declares {count} parts where {self.end - self.at} bytes are left")

    def varints(self, count: int) -> None:
        """Pass that many numbers."""
        self.at_most(count)
        for _ in range(count):
            self.varint()

    def section(self) -> tuple[int, _Section]:
        """A section that lies here, with its kind; this one goes on behind it."""
        head = self.byte()
        size = self.varint()
        if head & 0x80:
            alignment = self.varint()
            self.skip(-self.at % alignment if alignment else 0)
        self.skip(size)
        return head & 0x7F, _Section(self.data, self.at - size, self.at)


@dataclass
class _Level:
    """What is still to come within an operation."""

    here: _Section
    regions: int = 0
    blocks: int = 0  # of the region that is read
    operations: int = 0  # of the block that is read


def _check_operations(section: _Section, version: int) -> None:
    """Walk through operations and what lies within them.

    Args:
        section: A module, which begins as a block does.
        version: The bytecode's.
    """
    levels = [_Level(section, operations=_block(section, version))]
    while levels:  # no recursion: files say how deep it is
        level = levels[-1]
        if level.operations:
            level.operations -= 1
            inside = _operation(level.here, version)
            if inside is not None:
                levels.append(inside)
        elif level.blocks:
            level.blocks, level.operations = level.blocks - 1, _block(level.here, version)
        elif level.regions:
            level.regions, level.blocks = level.regions - 1, _region(level.here)
        else:
            levels.pop()


def _operation(here: _Section, version: int) -> _Level | None:
    """Pass an operation; the regions within it, if there are any."""
    here.varint()  # its name
    has = here.byte()
    here.varint()  # where it was written
    if has & _ATTRIBUTES:
        here.varint()
    if has & _NATIVE and version >= _NATIVE_PROPERTIES:
        here.varint()
    results = 0
    for bit in (_RESULTS, _OPERANDS, _SUCCESSORS):
        if has & bit:
            count = here.count()
            here.varints(count)
            results = count if bit == _RESULTS else results
    if has & _ORDERS and version >= _USE_LISTS:
        _orders(here, results)
    if not has & _REGIONS:
        return None
    count = here.varint()
    if count & 1 and version >= _LAZY:  # isolated ones have a section of their own
        kind, here = here.section()
        if kind != _IR:
            raise ValueError(f"a section of operations is of kind {kind}")
    here.at_most(count >> 1)
    return _Level(here, regions=count >> 1)


def _region(here: _Section) -> int:
    """Pass a region's head; its blocks."""
    blocks = here.count()
    if blocks:
        here.count()  # values
    return blocks


def _block(here: _Section, version: int) -> int:
    """Pass a block's head; its operations."""
    head = here.varint()
    if head & 1:
        count = here.count()
        for _ in range(count):
            kind = here.varint()
            if version < _ELIDED_LOCATIONS or kind & 1:
                here.varint()
        if version >= _USE_LISTS and here.byte():
            _orders(here, count)
    here.at_most(head >> 1)
    return head >> 1


def _orders(here: _Section, values: int) -> None:
    """Pass the order in which values are used, where it is not that of reading."""
    for _ in range(1 if values == 1 else here.count()):
        if values != 1:
            here.varint()
        count = here.varint() >> 1
        here.varints(count)


__all__ = ["check_counts"]
