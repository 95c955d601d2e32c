"""Splits of `tensorflow_datasets` and their slices, as places of examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nacre.core.errors import ArgumentError, listed, message

_PART = re.compile(r"([\w.\-]+)(?:\[([^\]:]*):([^\]:]*)\])?")
_END = re.compile(r"(-?\d+(?:\.\d+)?)(%|shard)?")


class Piece(NamedTuple):
    """Examples of a split, from a place to another."""

    split: str
    start: int
    stop: int


class ReadInstruction:
    """A slice of a split, or several put together with `+`.

    Args:
        split_name: The split.
        from_, to: Where it begins and ends; None for the ends of the split.
        unit: 'abs' for examples, '%' or 'shard' for files.
        rounding: 'closest', or 'pct1_dropremainder': per cent as whole parts of equal size.

    Example:
        >>> str(ReadInstruction("train", to=10, unit="%") + ReadInstruction("test"))
        "ReadInstruction('train[:10%]', rounding='closest')+ReadInstruction('test')"
    """

    def __init__(
        self,
        split_name: str,
        from_: float | None = None,
        to: float | None = None,
        unit: str = "abs",
        rounding: str = "closest",
    ) -> None:
        who = "tfds.core.ReadInstruction"
        if unit not in ("abs", "%", "shard"):
            raise ArgumentError(message(who, "unit must be 'abs', '%' or 'shard'", repr(unit)))
        if rounding not in ("closest", "pct1_dropremainder"):
            rule = "rounding must be 'closest' or 'pct1_dropremainder'"
            raise ArgumentError(message(who, rule, repr(rounding)))
        if unit == "%" and any(end is not None and abs(end) > 100 for end in (from_, to)):
            raise ArgumentError(message(who, "per cent go up to 100", f"{from_} and {to}"))
        self.parts = [_Slice(split_name, from_, to, unit, rounding)]

    @classmethod
    def from_spec(cls, spec: str) -> ReadInstruction:
        """That of a text such as 'train[:80%]+test[10:20]'."""
        made = cls("all")
        made.parts = _slices(spec)
        return made

    def __add__(self, other: ReadInstruction) -> ReadInstruction:
        made = ReadInstruction("all")
        made.parts = [*self.parts, *other.parts]
        return made

    def __repr__(self) -> str:
        return "+".join(map(str, self.parts))


@dataclass(frozen=True)
class EvenSplit:
    """One of several slices of equal size; the first ones have one more where that does not go."""

    split: Any
    index: int
    count: int
    drop_remainder: bool


def even_splits(split: Any, n: int, *, drop_remainder: bool = False) -> list[EvenSplit]:
    """A split in parts of equal size, such as one for each of several hosts.

    Args:
        split: The split.
        n: How many parts.
        drop_remainder: Whether what is left over is left out, else the first parts have one more.
    """
    if n <= 0:
        raise ArgumentError(message("tfds.even_splits", "n must be 1 or more", f"{n}"))
    return [EvenSplit(split, index, n, drop_remainder) for index in range(n)]


@dataclass(frozen=True)
class _Slice:
    split: str
    start: float | None = None
    stop: float | None = None
    unit: str = "abs"
    rounding: str = "closest"

    def __str__(self) -> str:
        if self.start is None and self.stop is None:
            return f"ReadInstruction('{self.split}')"
        sign = "" if self.unit == "abs" else self.unit
        ends = [("" if end is None else f"{end}{sign}") for end in (self.start, self.stop)]
        how = f", rounding='{self.rounding}'" if self.unit == "%" else ""
        return f"ReadInstruction('{self.split}[{':'.join(ends)}]'{how})"


def _slices(text: str) -> list[_Slice]:
    return [_slice(part.strip()) for part in text.split("+")]


def _slice(text: str) -> _Slice:
    found = _PART.fullmatch(text)
    if found is None:
        fix = "Write it like 'train[:80%]' or 'train[100:200]'."
        rule = "a split must be a name, or a slice of one"
        raise ArgumentError(message("tfds.load", rule, repr(text), fix))
    ends = [_end(end, text) for end in (found[2], found[3])]
    units = {unit for number, unit in ends if number is not None}
    if len(units) > 1:
        rule = "both ends of a slice must be numbers, per cent, or shards"
        raise ArgumentError(message("tfds.load", rule, repr(text)))
    return _Slice(found[1], ends[0][0], ends[1][0], next(iter(units), "abs"))


def _end(text: str | None, part: str) -> tuple[float | None, str]:
    """An end of a slice, and what it counts."""
    if not text or not text.strip():
        return None, "abs"
    found = _END.fullmatch(text.strip())
    if found is None or (found[2] != "%" and "." in found[1]):
        rule = "ends of a slice must be numbers, or per cent"
        raise ArgumentError(message("tfds.load", rule, f"'{part}'"))
    number = float(found[1]) if "." in found[1] else int(found[1])
    if found[2] == "%" and abs(number) > 100:
        raise ArgumentError(message("tfds.load", "per cent go up to 100", f"'{part}'"))
    return number, found[2] or "abs"


def pieces_of(split: Any, shards: Mapping[str, Sequence[int]], who: str) -> list[Piece]:
    """The examples of a split, one piece after another.

    Args:
        split: A text, a `ReadInstruction`, or what `even_splits` gives.
        shards: How many examples the files of each split have.
        who: What errors call the set.
    """
    if isinstance(split, EvenSplit):
        return _share(pieces_of(split.split, shards, who), split)
    parts = split.parts if isinstance(split, ReadInstruction) else _slices(str(split))
    found: list[Piece] = []
    for part in parts:
        names = list(shards) if part.split == "all" else [part.split]
        for name in names:
            if name not in shards:
                rule = f"a split must be one of {listed(list(shards))}, or a slice of one"
                fix = "Write it like 'train[:80%]' or 'train[100:200]'."
                raise ArgumentError(message(who, rule, f"'{name}'", fix))
            found.append(_piece(part, name, list(shards[name]), who))
    return found


def _piece(part: _Slice, name: str, shards: list[int], who: str) -> Piece:
    count = sum(shards)
    ends = []
    for end, default in ((part.start, 0), (part.stop, count)):
        ends.append(default if end is None else _place(part, end, count, shards, who))
    start, stop = ends
    return Piece(name, start, max(start, stop))


def _place(part: _Slice, end: float, count: int, shards: list[int], who: str) -> int:
    if part.unit == "shard":
        number = int(end) + (len(shards) if end < 0 else 0)
        return sum(shards[: min(max(number, 0), len(shards))])
    if part.unit == "%" and part.rounding == "closest":
        place = round(end * count / 100)
    elif part.unit == "%":
        if count < 100:
            rule = "rounding='pct1_dropremainder' needs 100 examples or more: it would give none"
            raise ArgumentError(message(who, rule, f"{count} in '{part.split}'"))
        place = int(end) * (count // 100)
    else:
        place = int(end)
    return min(max(place + count if end < 0 else place, 0), count)


def _share(pieces: list[Piece], even: EvenSplit) -> list[Piece]:
    """The part of one of several hosts: its part of each piece."""
    found = []
    for split, first, last in pieces:
        size, left = divmod(last - first, even.count)
        left = 0 if even.drop_remainder else left
        start = first + even.index * size + min(even.index, left)
        found.append(Piece(split, start, start + size + (even.index < left)))
    return found


__all__ = ["EvenSplit", "Piece", "ReadInstruction", "even_splits", "pieces_of"]
