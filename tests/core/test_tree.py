"""Nested structures: walking, mapping, packing, comparing."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.core import tree
from nacre.core.errors import ArgumentError

Point = namedtuple("Point", "x y")

LEAVES = st.one_of(st.integers(), st.none(), st.text(max_size=3))
STRUCTURES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.dictionaries(st.integers(), inner, max_size=3).map(OrderedDict),
        st.tuples(inner, inner).map(lambda pair: Point(*pair)),
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@given(STRUCTURES)
def test_packing_what_was_flattened_gives_the_structure_back(structure: Any) -> None:
    assert same(tree.pack_sequence_as(structure, tree.flatten(structure)), structure)


@given(STRUCTURES)
def test_mapping_identity_changes_nothing_and_order_of_keys_stays(structure: Any) -> None:
    mapped = tree.map_structure(lambda leaf: leaf, structure)
    assert same(mapped, structure) and repr(mapped) == repr(structure)


@given(STRUCTURES)
def test_paths_lead_to_their_leaves(structure: Any) -> None:
    found = tree.flatten_with_path(structure)
    assert [leaf for _, leaf in found] == tree.flatten(structure)
    for path, leaf in found:
        node = structure
        for key in path:
            node = node[key]
        assert node is leaf


@given(STRUCTURES)
@settings(max_examples=50)
def test_mapping_two_pairs_leaves(structure: Any) -> None:
    pairs = tree.map_structure(lambda a, b: [(a, b)], structure, structure)
    assert tree.flatten(pairs) == [leaf for leaf in tree.flatten(structure) for _ in (0, 1)]


def test_sorted_dicts_and_ordered_dicts() -> None:
    assert tree.flatten({"b": 1, "a": 2}) == [2, 1]
    assert tree.flatten(OrderedDict([("b", 1), ("a", 2)])) == [1, 2]
    assert tree.flatten({1: "x", "a": "y"}) == ["x", "y"]  # keys of kinds that cannot be sorted


def test_dicts_are_paired_by_key() -> None:
    first, second = OrderedDict([("b", 1), ("a", 2)]), {"a": 20, "b": 10}
    assert tree.map_structure(lambda x, y: x + y, first, second) == {"b": 11, "a": 22}


def test_kinds_of_containers_stay() -> None:
    given = defaultdict(list, a=[1])
    result = tree.map_structure(lambda x: x + 1, given)
    assert type(result) is defaultdict and result.default_factory is list and result["a"] == [2]
    assert tree.map_structure(str, Point(1, 2)) == Point("1", "2")


def test_what_is_nested() -> None:
    assert [tree.is_nested(x) for x in ([], (), {}, {1}, "ab", None)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_packing_refuses_another_number_of_leaves(values: list[int]) -> None:
    with pytest.raises(ArgumentError, match=f"one value a leaf .2..*Got {len(values)} values"):
        tree.pack_sequence_as({"a": 0, "b": 0}, values)


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [([1], 1, "the top"), ([1, 2], [1], "the top"), ({"a": 1}, {"b": 1}, "the top"),
     ({"a": [1]}, {"a": {"0": 1}}, "a"), ([1, [2]], [1, [2, 3]], "1")],
)  # fmt: skip
def test_structures_that_differ_are_told_with_the_place(a: Any, b: Any, where: str) -> None:
    with pytest.raises(ArgumentError, match=f"nest alike at {where}"):
        tree.assert_same_structure(a, b)


def test_types_of_containers_matter_only_when_asked() -> None:
    tree.assert_same_structure([1], (2,), check_types=False)
    with pytest.raises(ArgumentError):
        tree.assert_same_structure([1], (2,))
    with pytest.raises(ArgumentError):
        tree.assert_same_structure([1], (2,), check_types=True)


def test_traverse_top_down_stops_where_it_replaced() -> None:
    visited: list[Any] = []

    def visit(node: Any) -> Any:
        visited.append(node)
        return "cut" if node == [2] else tree.MAP_TO_NONE if node == 3 else None

    assert tree.traverse(visit, [1, [2], 3]) == [1, "cut", None]
    assert 2 not in visited


def test_traverse_bottom_up_sees_replaced_children() -> None:
    total = lambda node: sum(node) if isinstance(node, list) else None
    assert tree.traverse(total, [1, [2, [3]]], top_down=False) == 6


def test_map_up_to_stops_at_the_shallow_leaves() -> None:
    assert tree.map_structure_up_to({"a": 0}, sum, {"a": [1, 2]}) == {"a": 3}
    assert tree.lists_to_tuples({"k": [1, [2]]}) == {"k": (1, (2,))}
    assert tree.map_structure(lambda x: 1, [None, 0], none_is_leaf=False) == [None, 1]
    with pytest.raises(ArgumentError, match="at least one structure"):
        tree.map_structure(len)


def test_map_structure_up_to_wants_structures_of_the_shallow_form() -> None:
    for other in ([], 2, [1, 2, 3]):
        with pytest.raises(ArgumentError, match="map_structure_up_to: structures must nest"):
            tree.map_structure_up_to([0, 0], str, other)
