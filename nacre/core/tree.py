"""Nested structures: lists, tuples, named tuples and dicts of leaves.

Dictionaries are walked in the order of their sorted keys when the keys can be sorted, so that two
equal dicts made in another order flatten alike; an OrderedDict keeps its own order. Everything that
pairs two dicts does it by key.
"""

# Values are anything; isinstance() leaves what they hold unknown, and asking in another way would
# cost time at each of them.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message


def is_nested(structure: Any) -> bool:
    """True for a list, tuple or dict.

    Example:
        >>> is_nested([1, 2]), is_nested(3)
        (True, False)
    """
    kind = type(structure)
    if kind in _CONTAINERS or kind in _LEAVES:
        return kind in _CONTAINERS
    return isinstance(structure, _ANY_CONTAINER)


# What nearly every node is of, as asking for Mapping takes longer than everything else.
_CONTAINERS = frozenset((tuple, list, dict))
_LEAVES = frozenset((type(None), int, float, str, bool, np.ndarray))
_SEQUENCE = (list, tuple)
_ANY_CONTAINER = (list, tuple, Mapping)


def _is_namedtuple(structure: Any) -> bool:
    return isinstance(structure, tuple) and hasattr(structure, "_fields")


def _keys(mapping: Mapping[Any, Any]) -> list[Any]:
    if isinstance(mapping, OrderedDict):
        return list(mapping)
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def _children(structure: Any) -> list[tuple[Any, Any]]:
    if isinstance(structure, _SEQUENCE):
        return list(enumerate(structure))
    return [(key, structure[key]) for key in _keys(structure)]


def _rebuild(structure: Any, values: list[Any]) -> Any:
    """A structure of the same kind with `values` in walking order."""
    if type(structure) is tuple:
        return tuple(values)
    if isinstance(structure, Mapping):
        by_key = dict(zip(_keys(structure), values, strict=True))
        in_order = [(key, by_key[key]) for key in structure]
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, in_order)
        if isinstance(structure, OrderedDict):
            return OrderedDict(in_order)
        return dict(in_order)
    if _is_namedtuple(structure):
        return type(structure)(*values)
    return tuple(values) if isinstance(structure, tuple) else list(values)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves with their paths.

    Example:
        >>> flatten_with_path({"a": [1, 2]})
        [(('a', 0), 1), (('a', 1), 2)]
    """
    return list(_walk(structure, ()))


def _walk(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(node):
        yield path, node
        return
    for key, child in _children(node):
        if is_nested(child):
            yield from _walk(child, (*path, key))
        else:
            yield (*path, key), child


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order.

    Example:
        >>> flatten({"b": 1, "a": (2, 3)})
        [2, 3, 1]
    """
    if type(structure) not in _CONTAINERS and not is_nested(structure):
        return [structure]
    leaves: list[Any] = []
    _add_leaves(structure, leaves)
    return leaves


def _add_leaves(node: Any, leaves: list[Any]) -> None:
    children = node if type(node) in (tuple, list) else [child for _, child in _children(node)]
    for child in children:
        if type(child) not in _LEAVES and is_nested(child):
            _add_leaves(child, leaves)
        else:
            leaves.append(child)


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """Put a flat list of leaves into the shape of `structure`.

    Raises:
        ArgumentError: The number of leaves differs.
    Example:
        >>> pack_sequence_as({"a": 0, "b": [0]}, [1, 2])
        {'a': 1, 'b': [2]}
    """
    values = list(flat_sequence)
    if type(structure) is tuple and len(structure) == len(values):
        if _LEAVES.issuperset(map(type, structure)) or not any(map(is_nested, structure)):
            return tuple(values)
    count = len(flatten(structure))
    if count != len(values):
        raise ArgumentError(
            message(
                "pack_sequence_as",
                f"the flat sequence must have one value a leaf ({count})",
                f"{len(values)} values",
            )
        )
    return _pack(structure, iter(values))


def _pack(node: Any, values: Iterator[Any]) -> Any:
    # Not a function within the other one: that would be a cycle, which keeps arrays for a while.
    if not is_nested(node):
        return next(values)
    if type(node) is tuple:
        return tuple([_pack(child, values) for child in node])
    return _rebuild(node, [_pack(child, values) for _, child in _children(node)])


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply `func` to the leaves of structures of the same shape.

    Example:
        >>> map_structure(lambda a, b: a + b, [1, {"k": 2}], [10, {"k": 20}])
        [11, {'k': 22}]
    """
    if not structures:
        raise ArgumentError(message("map_structure", "at least one structure must be given"))
    first = structures[0]
    if type(first) is tuple and len(structures) == 1 and none_is_leaf:
        if _LEAVES.issuperset(map(type, first)) or not any(map(is_nested, first)):
            return tuple([func(leaf) for leaf in first])  # as most batches are
    for other in structures[1:]:
        assert_same_structure(first, other, check_types=False)
    return _map(func, structures, none_is_leaf)


def _map(func: Callable[..., Any], structures: tuple[Any, ...], none_is_leaf: bool = True) -> Any:
    first = structures[0]
    if not is_nested(first):
        return None if first is None and not none_is_leaf else func(*structures)
    if len(structures) == 1:
        children = [_map(func, (child,), none_is_leaf) for _, child in _children(first)]
    else:
        children = [
            _map(func, tuple([s[key] for s in structures]), none_is_leaf)
            for key, _ in _children(first)
        ]
    return _rebuild(first, children)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to the parts of `structures` that stand where `shallow_structure` has leaves.

    Example:
        >>> map_structure_up_to([0, 0], len, [[1, 2], [3]])
        [2, 1]
    """
    if not is_nested(shallow_structure):
        return func(*structures)
    wanted = {key for key, _ in _children(shallow_structure)}
    for other in structures:
        if not is_nested(other) or {key for key, _ in _children(other)} != wanted:
            raise ArgumentError(
                message(
                    "map_structure_up_to", "structures must nest as the shallow one does",
                    f"{other!r} where the shallow one has {shallow_structure!r}",
                )
            )  # fmt: skip
    children = [
        map_structure_up_to(child, func, *(s[key] for s in structures))
        for key, child in _children(shallow_structure)
    ]
    return _rebuild(shallow_structure, children)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise unless `a` and `b` nest alike, in containers of the same types.

    Args:
        check_types: False lets a list stand where the other has a tuple.

    Raises:
        ArgumentError: With the path where they first differ.
    Example:
        >>> assert_same_structure([1, (2,)], [3, (4,)])
    """
    _assert_same(a, b, check_types is not False, ())


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise unless the leaves of `a` and `b` stand at the same paths, whatever the containers.

    Raises:
        ArgumentError: With the paths that only one of them has.
    Example:
        >>> assert_same_paths([0, 1], (2, 3))
    """
    first, second = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if first != second:
        raise ArgumentError(
            message(
                "structures",
                "both must have leaves at the same paths",
                f"only in the first {sorted(first - second, key=str)}, only in the second "
                f"{sorted(second - first, key=str)}",
            )
        )


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with `func` of each shape: of each tuple of ints and None.

    Example:
        >>> map_shape_structure(len, {"a": (None, 3), "b": [(1, 2, 3)]})
        {'a': 2, 'b': [3]}
    """
    if isinstance(structure, tuple) and all(n is None or type(n) is int for n in structure):
        return func(structure)
    if not is_nested(structure):
        raise ArgumentError(
            message("map_shape_structure", "every leaf must be a shape", repr(structure))
        )
    return _rebuild(
        structure, [map_shape_structure(func, child) for _, child in _children(structure)]
    )


def _assert_same(a: Any, b: Any, check_types: bool, path: tuple[Any, ...]) -> None:
    where = "/".join(str(p) for p in path) or "the top"
    if is_nested(a) != is_nested(b):
        raise ArgumentError(
            message("structures", f"both must nest alike at {where}", f"{a!r}, {b!r}")
        )
    if not is_nested(a):
        return
    different = isinstance(a, Mapping) != isinstance(b, Mapping) or (
        check_types and type(a) is not type(b)
    )
    keys_a, keys_b = ([k for k, _ in _children(s)] for s in (a, b))
    alike = set(keys_a) == set(keys_b) if isinstance(a, Mapping) else keys_a == keys_b
    if different or not alike:
        raise ArgumentError(
            message("structures", f"both must nest alike at {where}", f"{a!r} and {b!r}")
        )
    for key in keys_a:
        _assert_same(a[key], b[key], check_types, (*path, key))


class MAP_TO_NONE:
    """Return this from a `traverse` function to put None at that place."""


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Visit every node; where `func` returns something other than None it replaces the node.

    Example:
        >>> traverse(lambda x: tuple(x) if isinstance(x, list) else None, [1, [2]], top_down=False)
        (1, (2,))
    """
    if top_down:
        result = func(structure)
        if result is not None:
            return None if result is MAP_TO_NONE else result
        if not is_nested(structure):
            return structure
    if is_nested(structure):
        structure = _rebuild(
            structure, [traverse(func, child, top_down) for _, child in _children(structure)]
        )
        if top_down:
            return structure
    result = func(structure)
    if result is None:
        return structure
    return None if result is MAP_TO_NONE else result


def structure_key(structure: Any) -> Hashable:
    """What is equal for structures of the same containers and keys whose leaves print alike.

    A container counts by its class: two named tuples may have one name and do different things.

    Example:
        >>> structure_key({"a": [1]}) == structure_key({"a": [1]})
        True
        >>> structure_key([1]) == structure_key((1,))
        False
    """
    if not is_nested(structure):
        return repr(structure)
    if isinstance(structure, Mapping):
        parts = tuple((repr(key), structure_key(part)) for key, part in structure.items())
    else:
        parts = tuple(map(structure_key, structure))
    return type(structure), parts


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with each list turned into a tuple.

    Example:
        >>> lists_to_tuples([1, [2, 3]])
        (1, (2, 3))
    """
    return traverse(_list_to_tuple, structure, top_down=False)


def _list_to_tuple(node: Any) -> Any:
    return tuple(node) if isinstance(node, list) else None
