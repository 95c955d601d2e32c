"""Sizes that a signature leaves open and that weights determine, read off why a trace failed.

`tf.TensorSpec([None, None])` before a product with a kernel of (30, 1): no other second size than
30 does. JAX proves each step for all sizes, so such a trace fails, and its error shows the two
shapes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nacre.export.capture.signature import Naming, Spec

_NUMBER = re.compile(r"-?\d+")
_LINEAR = re.compile(
    r"(?:(?P<times>\d+)\*)?(?P<name>[A-Za-z_]\w*)(?: (?P<sign>[+-]) (?P<plus>\d+))?"
)
_LEAST = re.compile(r"min\((?:(\d+), ([A-Za-z_]\w*)|([A-Za-z_]\w*), (\d+))\)")
_TOLD = re.compile(r"must be (\d+)")


def equations(error: Exception) -> Iterator[tuple[str, int]]:
    """Sizes by their names, and the numbers that would let the step that failed pass.

    Args:
        error: Of an operation on two shapes, or of a layer that says what a size must be.

    Example:
        >>> list(equations(ValueError("Got (batch, x_1) and (4, 3).")))
        [('x_1', 4), ('x_1', 3), ('batch', 4)]
        >>> list(equations(ValueError("shapes for broadcasting: (batch, 2*x_1 + 1), (7,)")))
        [('x_1', 3)]
    """
    text = str(error).partition("\n")[0]
    shapes = _shapes(text)
    found: list[tuple[str, int]] = []
    for one, other in itertools.pairwise(shapes):
        if "-1" in other and len(one) != len(other):  # of a reshape: not axis by axis
            continue
        if len(one) >= 2 and len(other) >= 2:  # of a product: its inner sizes
            found += _solved(one[-1], other[-2])
        for pair in zip(reversed(one), reversed(other), strict=False):
            found += _solved(*pair)
    for number in _TOLD.findall(text):
        for shape in shapes:
            for size in reversed(shape):
                found += _solved(size, number)
    yield from dict.fromkeys(found)


def bounds(error: Exception) -> list[str]:
    """What must hold for sizes that a slice of a table cut off: `table[:length]` is as long as both
    allow, and where the step that failed needs all of `length`, the table is long enough.

    Example:
        >>> bounds(ValueError("Got (1, x_1, 8) and (1, min(512, x_1), 8)."))
        ['x_1 <= 512']
    """
    pairs = (match.groups() for match in _LEAST.finditer(str(error).partition("\n")[0]))
    return [f"{one or other} <= {number or most}" for number, one, other, most in pairs]


def with_size(specs: Sequence[Spec], naming: Naming, name: str, number: int) -> tuple[Spec, ...]:
    """Specs with a number in the place of each open size of a name.

    Args:
        specs: Of the inputs.
        naming: How their open sizes are named.
        name: The size's.
        number: What it is.
    """

    def told(spec: Spec) -> Spec:
        shape = tuple(
            number if size is None and naming(spec, axis) == name else size
            for axis, size in enumerate(spec.shape)
        )
        return replace(spec, shape=shape)

    return tuple(map(told, specs))


def _shapes(text: str) -> list[list[str]]:
    """What stands in parentheses, as shapes do, in its order."""
    found: list[list[str]] = []
    depth, start = 0, 0
    for at, character in enumerate(text):
        if character == "(":
            depth, start = depth + 1, at + 1 if depth == 0 else start
        elif character == ")" and depth:
            depth -= 1
            if depth == 0:
                found.append(_split(text[start:at]))
    return [shape for shape in found if shape]


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _solved(one: str, other: str) -> Iterator[tuple[str, int]]:
    """What a size is where it must equal another, one of the two being a number."""
    if _NUMBER.fullmatch(one):
        one, other = other, one
    match = _LINEAR.fullmatch(one)
    if match is None or not _NUMBER.fullmatch(other):
        return
    plus = int(match["plus"] or 0) * (-1 if match["sign"] == "-" else 1)
    number, rest = divmod(int(other) - plus, int(match["times"] or 1))
    if rest == 0 and number > 0:
        yield match["name"], number


__all__ = ["bounds", "equations", "with_size"]
