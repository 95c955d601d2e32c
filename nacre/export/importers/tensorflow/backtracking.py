"""Regular expressions that Python may take forever for; RE2, which graphs have, does not.

Python tries one way after the other to split a text among repetitions. Where one repetition stands
in another, `(a+)*`, and nothing says where each turn begins, a text of thirty letters has a
thousand million ways. A turn is told apart by letters that it must begin with and that what is
repeated in it cannot take, `(,[0-9]+)*`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

# What Python's own compiler reads an expression with: nodes are (operation, arguments).
_parser: Any = importlib.import_module("re._parser")

_LETTERS = [chr(i) for i in range(128)] + ["é", "中", " "]  # which stand for all there are
_MANY = 16  # turns from which on a repetition counts as one without end
_IN_ROW = 3  # repetitions one after the other that take the same letters: time of that power


def may_take_forever(pattern: str) -> bool:
    """Whether some text takes Python time that grows beyond the square of its length.

    Example:
        >>> may_take_forever("(a+)*b"), may_take_forever("a+(,a+)*b"), may_take_forever("(a|ab)*c")
        (True, False, True)
    """
    return _is_slow(_parser.parse(pattern, re.ASCII))


def _is_slow(nodes: Any) -> bool:
    in_row: list[frozenset[str]] = []
    for node in nodes:
        inner = _repeated(node)
        if inner is not None:
            if _is_ambiguous(inner):
                return True
            in_row.append(_letters(inner))
        elif not _may_be_empty(node):
            in_row = [letters & _letters([node]) for letters in in_row]
        in_row = [letters for letters in in_row if letters]
        if len(in_row) >= _IN_ROW and frozenset.intersection(*in_row[-_IN_ROW:]):
            return True
        if any(_is_slow(part) for part in _parts(node)):
            return True
    return False


def _is_ambiguous(turn: Any) -> bool:
    """Whether a text may be split into turns of a repetition in several ways."""
    nodes = list(turn)
    while len(nodes) == 1 and str(nodes[0][0]) == "SUBPATTERN":
        nodes = list(nodes[0][1][-1])
    if len(nodes) == 1 and str(nodes[0][0]) == "BRANCH":
        ways = [list(way) for way in nodes[0][1][1]]
        firsts = [_first(way) for way in ways]
        overlap = any(a & b for i, a in enumerate(firsts) for b in firsts[:i])
        return overlap or any(_is_ambiguous(way) for way in ways)
    within = frozenset[str]().union(*(_letters(inner) for inner in _repetitions(nodes)))
    if not within:
        return any(str(node[0]) == "BRANCH" for node in _all_nodes(nodes))
    if _may_be_empty(nodes[0]) or _repeated(nodes[0]) is not None:
        return True
    return bool(_first(nodes) & within)


def _repetitions(nodes: Any) -> Iterator[Any]:
    """What is repeated without end within."""
    return (inner for node in _all_nodes(nodes) if (inner := _repeated(node)) is not None)


def _all_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        for part in _parts(node):
            yield from _all_nodes(part)


def _repeated(node: Any) -> Any:
    """What a node repeats without end; None where it does not."""
    kind, arguments = node
    if str(kind) not in ("MAX_REPEAT", "MIN_REPEAT"):
        return None
    most, inner = int(arguments[1]), arguments[2]
    is_endless = most >= _MANY or (most >= _IN_ROW and any(True for _ in _repetitions(inner)))
    return inner if is_endless else None


def _parts(node: Any) -> Sequence[Any]:
    """The expressions within a node."""
    kind, arguments = str(node[0]), node[1]
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [arguments[2]]
    if kind == "SUBPATTERN":
        return [arguments[-1]]
    if kind == "BRANCH":
        return arguments[1]
    return [arguments[1]] if kind in ("ASSERT", "ASSERT_NOT") else []


def _may_be_empty(node: Any) -> bool:
    return _parser.SubPattern(_parser.State(), [node]).getwidth()[0] == 0


def _first(nodes: Any) -> frozenset[str]:
    """Letters that it may begin with."""
    found: frozenset[str] = frozenset()
    for node in nodes:
        parts = _parts(node)
        found |= frozenset().union(*map(_first, parts)) if parts else _letters([node])
        if not _may_be_empty(node):
            break
    return found


def _letters(nodes: Any) -> frozenset[str]:
    """Letters that it may take somewhere."""
    found: set[str] = set()
    for node in nodes:
        kind = str(node[0])
        for part in _parts(node):
            found |= _letters(part)
        if kind in ("LITERAL", "NOT_LITERAL", "IN", "ANY"):
            found |= _one(kind, node[1])
    return frozenset(found)


def _one(kind: str, told: Any) -> set[str]:
    """Letters that a single place takes."""
    if kind == "ANY":
        return set(_LETTERS)
    if kind == "LITERAL":
        return {chr(told)}
    if kind == "NOT_LITERAL":
        return {letter for letter in _LETTERS if ord(letter) != told}
    found: set[str] = set()
    is_other = False
    for item, value in told:
        if str(item) == "NEGATE":
            is_other = True
        elif str(item) == "LITERAL":
            found.add(chr(value))
        elif str(item) == "RANGE":
            low, high = value
            found |= {letter for letter in _LETTERS if low <= ord(letter) <= high}
            found.add(chr(low))
        else:
            found |= {letter for letter in _LETTERS if _CATEGORIES[str(value)].match(letter)}
    return {letter for letter in _LETTERS if letter not in found} if is_other else found


_CATEGORIES = {
    f"CATEGORY_{name}": re.compile(f"\\{letter}", re.ASCII)
    for name, letter in [
        ("DIGIT", "d"), ("NOT_DIGIT", "D"), ("SPACE", "s"), ("NOT_SPACE", "S"), ("WORD", "w"),
        ("NOT_WORD", "W"),
    ]
}  # fmt: skip

__all__ = ["may_take_forever"]
