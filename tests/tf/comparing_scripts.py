"""Whether lines that a script printed are those that TensorFlow printed."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
TOLERANCE = 1.01e-4  # of numbers printed in four places: of one unit, and of their size


def differences(found: list[str], wanted: list[str]) -> list[str]:
    """The lines that differ: other words, or numbers further apart than they were rounded."""
    if len(found) != len(wanted):
        return [f"{len(found)} lines, not {len(wanted)}", *found[-3:]]
    return [f"{a!r}, not {b!r}" for a, b in zip(found, wanted) if not _alike(a, b)]


def _alike(one: str, other: str) -> bool:
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other))
    return all(abs(float(a) - float(b)) <= _allowed(b) for a, b in pairs)


def _allowed(text: str) -> float:
    """A unit of the last place that is printed, for numbers that are not whole."""
    mantissa = text.partition("e")[0]
    places = len(mantissa.partition(".")[2])
    unit = 1.01 * 10.0**-places if places else 0.0
    return max(unit, TOLERANCE * abs(float(text)) if places else 0.0)
