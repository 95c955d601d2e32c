"""Which array of a layer's group in an older file is which variable of the layer.

A file of the older layout lists a layer's arrays by what was trainable when it was written:
`trainable_weights + non_trainable_weights`, with those of the layers within (read off files of
tf.keras 2.15 and Keras 3.15). So the order of two layers within changes when one is frozen, and
position alone exchanges them without a word where their shapes agree. The names tell: each array's
name ends in its layer's name and its own, `block/dense_1/kernel:0`. Automatic names count up
through a process, so `dense_4` and `dense_5` in the file are `dense` and `dense_1` in the model:
the numbers differ, their order does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nacre.core.errors import WeightsMismatchError, listed, message
from nacre.core.variable import Variable

Shape = tuple[int, ...]
_NUMBER = re.compile(r"^(.*?)(?:_(\d+))?$", re.DOTALL)


@dataclass
class _Owner:
    """The arrays that one layer owns, wherever they stand in the list of its holder.

    Attributes:
        parts: The layer's path, split: `["block", "dense_1"]`.
        members: Places in the list, in order.
    """

    parts: tuple[str, ...]
    members: list[int] = field(default_factory=list)

    def end(self, count: int) -> tuple[str, ...]:
        return self.parts[-count:]

    def base(self, count: int) -> tuple[str, ...]:
        """The end of the path without the numbers of automatic names."""
        return tuple(base_name(part) for part in self.end(count))

    def numbers(self) -> tuple[int, ...]:
        """What automatic names sort by, the order in which layers were made: the last counts."""
        return tuple(_split_number(part)[1] for part in reversed(self.parts))


def _split_number(name: str) -> tuple[str, int]:
    found = _NUMBER.match(name)
    assert found is not None
    return found[1], int(found[2] or 0)


def base_name(name: str) -> str:
    """A name without the number of an automatic one.

    Example:
        >>> base_name("dense_12")
        'dense'
    """
    return _split_number(name)[0]


def order_of(
    layer: Any, variables: Sequence[Variable], names: Sequence[str], shapes: Sequence[Shape]
) -> list[int] | None:
    """For each variable the place of its array in the file, or None when the shapes do not fit.

    Args:
        layer: The layer, or model, whose group it is; errors name it.
        variables: Its variables, in the order the file would have if it were written now.
        names, shapes: Of the arrays in the file, in its order.

    Raises:
        WeightsMismatchError: Names do not tell, and which array belongs where depends on what was
            frozen when the file was written.
    """
    wanted = [v.shape for v in variables]
    if sorted(wanted) != sorted(shapes):
        return None
    paths = [v.path for v in variables]
    by_name = _by_names(paths, wanted, names, shapes)
    if by_name is not None:
        return by_name
    in_order = list(range(len(variables)))
    now = in_order if wanted == list(shapes) else None
    if len({path.rpartition("/")[0] for path in paths}) == 1:
        return now  # of one layer alone: what is frozen changes nothing
    place = {id(v): i for i, v in enumerate(variables)}
    unfrozen = [v for v in layer.weights if v.trainable and id(v) in place]
    unfrozen += [v for v in layer.weights if not v.trainable and id(v) in place]
    if [v.shape for v in unfrozen] != list(shapes):
        return now
    source = {id(v): i for i, v in enumerate(unfrozen)}
    before = [source[id(v)] for v in variables]
    if now is None or now == before:
        return before
    raise WeightsMismatchError(
        message(
            f"layer '{layer.name}'",
            "the names in the file must tell which array is which, as parts of the layer are "
            "frozen now and the order in the file is that of what was trainable when it was saved",
            f"{listed(names, 6)} for {listed(paths, 6)}",
            "Give the layers within it the names they have in the file; or, if nothing was frozen "
            f"when it was saved, set trainable = True on '{layer.name}', load, and freeze again.",
        )
    )


def _by_names(
    paths: Sequence[str], wanted: Sequence[Shape], names: Sequence[str], shapes: Sequence[Shape]
) -> list[int] | None:
    pairs = pairs_by_names(paths, wanted, names, shapes)
    if pairs is None or any(wanted[i] != shapes[j] for i, j in pairs):
        return None
    order = dict(pairs)
    return [order[i] for i in range(len(paths))]


def pairs_by_names(
    paths: Sequence[str], wanted: Sequence[Shape], names: Sequence[str], shapes: Sequence[Shape]
) -> list[tuple[int, int]] | None:
    """Places of variables with places of arrays in a file; None where names do not tell all.

    Args:
        paths, wanted: Paths and shapes of the variables.
        names, shapes: Of the arrays in the file.
    """
    owners = _pair_owners(_owners(paths), _owners(names), wanted, shapes)
    if owners is None:
        return None
    found: list[tuple[int, int]] = []
    for own, other in owners:
        found += _pair_members(own.members, other.members, paths, names)
    return found


def is_renumbered(path: str, name: str) -> bool:
    """Whether a variable and an array, and the layers they are of, differ in numbers alone."""
    ends = [text.split(":")[0].split("/")[-2:] for text in (path, name)]
    bases = [[base_name(part) for part in end[:-1]] for end in ends]
    return ends[0][-1] == ends[1][-1] and bases[0] == bases[1]


def _owners(names: Sequence[str]) -> list[_Owner]:
    found: dict[str, _Owner] = {}
    for index, name in enumerate(names):
        path = name.split(":")[0].rpartition("/")[0]
        found.setdefault(path, _Owner(tuple(path.split("/")))).members.append(index)
    return list(found.values())


def _pair_owners(
    ours: list[_Owner], theirs: list[_Owner], wanted: Sequence[Shape], shapes: Sequence[Shape]
) -> list[tuple[_Owner, _Owner]] | None:
    """Layers of the model with layers of the file: by name, by order of number, by what is left."""
    if len(ours) != len(theirs):
        return None
    if not ours:
        return []  # a layer without arrays
    depth = max(len(owner.parts) for owner in (*ours, *theirs))
    for count in range(1, depth + 1):
        exact = _paired(ours, theirs, lambda owner, n=count: owner.end(n))
        if exact is not None and len({own.end(count) for own in ours}) == len(ours):
            return exact
    for count in range(1, depth + 1):
        alike = _paired(ours, theirs, lambda owner, n=count: owner.base(n))
        if alike is not None:
            return alike
    # A wrapper may stand in a path in place of what it wraps: compare the kinds of arrays.
    kinds = {id(o): sorted(wanted[i] for i in o.members) for o in ours}
    kinds |= {id(o): sorted(shapes[i] for i in o.members) for o in theirs}
    ends = [owner.base(1) for owner in theirs]
    known = {end for end in ends if ends.count(end) == [o.base(1) for o in ours].count(end)}
    by_kind = _paired(
        ours,
        theirs,
        lambda o: (o.base(1), ()) if o.base(1) in known else ((), tuple(kinds[id(o)])),
    )
    if by_kind is None:
        return None
    rest = [tuple(kinds[id(o)]) for o in ours if o.base(1) not in known]
    return by_kind if len(set(rest)) == len(rest) else None


def _paired(
    ours: list[_Owner], theirs: list[_Owner], key: Callable[[_Owner], Hashable]
) -> list[tuple[_Owner, _Owner]] | None:
    """Pairs of equal keys, several of one key in the order of their numbers; None unless all."""
    groups: dict[Hashable, tuple[list[_Owner], list[_Owner]]] = {}
    for side, owners in enumerate((ours, theirs)):
        for owner in owners:
            groups.setdefault(key(owner), ([], []))[side].append(owner)
    pairs: list[tuple[_Owner, _Owner]] = []
    for own, other in groups.values():
        if len(own) != len(other) or not (_numbered(own) and _numbered(other)):
            return None
        by_number = (sorted(side, key=_Owner.numbers) for side in (own, other))
        pairs += zip(*by_number, strict=True)
    if any(len(own.members) != len(other.members) for own, other in pairs):
        return None
    return pairs


def _numbered(owners: list[_Owner]) -> bool:
    """Whether numbers alone put layers of one name in order."""
    if len(owners) == 1 or len({owner.numbers()[0] for owner in owners}) == len(owners):
        return True
    depth = len(owners[0].parts)
    only_numbers = len({(len(o.parts), o.base(depth)) for o in owners}) == 1
    return only_numbers and len({owner.numbers() for owner in owners}) == len(owners)


def _pair_members(
    own: list[int], other: list[int], paths: Sequence[str], names: Sequence[str]
) -> list[tuple[int, int]]:
    """Arrays of one layer: by their own names, or in order, which freezing leaves as it is."""
    ends = [paths[i].rpartition("/")[2] for i in own]
    others = [names[j].split(":")[0].rpartition("/")[2] for j in other]
    if len(set(ends)) == len(ends) and sorted(ends) == sorted(others):
        return [(i, other[others.index(end)]) for i, end in zip(own, ends, strict=True)]
    return list(zip(own, other, strict=True))


__all__ = ["base_name", "is_renumbered", "order_of", "pairs_by_names"]
