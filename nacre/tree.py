"""`keras.tree`: nested structures. A face; the functions live in `nacre.core.tree`."""

from nacre.core.tree import MAP_TO_NONE as MAP_TO_NONE
from nacre.core.tree import assert_same_paths as assert_same_paths
from nacre.core.tree import assert_same_structure as assert_same_structure
from nacre.core.tree import flatten as flatten
from nacre.core.tree import flatten_with_path as flatten_with_path
from nacre.core.tree import is_nested as is_nested
from nacre.core.tree import lists_to_tuples as lists_to_tuples
from nacre.core.tree import map_shape_structure as map_shape_structure
from nacre.core.tree import map_structure as map_structure
from nacre.core.tree import map_structure_up_to as map_structure_up_to
from nacre.core.tree import pack_sequence_as as pack_sequence_as
from nacre.core.tree import traverse as traverse

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
