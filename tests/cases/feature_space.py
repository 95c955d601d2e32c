"""Tables: columns of a table, spaces over them, and layers that take strings.

Used by the tests and by the script that asks real Keras.
"""

from __future__ import annotations

from typing import Any

COLUMNS: dict[str, list[Any]] = {
    "age": [20.0, 35.0, 61.0, 44.0, 29.0, 50.0],
    "height": [1.6, 1.8, 1.75, 1.9, 1.66, 1.7],
    "income": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
    "rooms": [1, 4, 2, 2, 1, 2],
    "code": [7, 8, 7, 100, -3, 12],
    "city": ["Rome", "Oslo", "Rome", "Bern", "Oslo", "Rome"],
    "street": ["a way", "b way", "c", "a way", "", "é"],
}

# A feature is a kind, or (name of the static method, its arguments); a cross likewise.
SPACES: dict[str, dict[str, Any]] = {
    "every_kind": {
        "features": {
            "street": "string_hashed",
            "age": "float_normalized",
            "height": "float",
            "income": "float_discretized",
            "rooms": "integer_categorical",
            "code": "integer_hashed",
            "city": "string_categorical",
        },
        "num_discretization_bins": 3,
        "hashing_dim": 5,
    },
    "crosses": {
        "features": {
            "street": ("string_hashed", {"num_bins": 6}),
            "rooms": "integer_categorical",
            "city": "string_categorical",
        },
        "crosses": [("street", "rooms"), ("city", "rooms")],
        "crossing_dim": 7,
    },
    "dict_of_ints": {
        "features": {
            "city": ("string_categorical", {"output_mode": "int", "num_oov_indices": 2}),
            "rooms": ("integer_categorical", {"output_mode": "int", "max_tokens": 3}),
            "code": ("integer_hashed", {"num_bins": 4, "output_mode": "int"}),
            "income": ("float_discretized", {"num_bins": 3, "output_mode": "int"}),
        },
        "crosses": [
            ("cross", {"feature_names": ("rooms", "city"), "crossing_dim": 9, "output_mode": "int"})
        ],
        "output_mode": "dict",
    },
    "dict_of_vectors": {
        "features": {
            "height": ("float_rescaled", {"scale": 2.0, "offset": -1.0}),
            "city": ("string_categorical", {"max_tokens": 3}),
            "age": ("float_normalized", {}),
        },
        "crosses": [("city", "height")][:0],
        "output_mode": "dict",
    },
}
# Rows that `adapt` did not see.
NEW_ROWS: dict[str, list[Any]] = {
    "age": [30.0, -4.0],
    "height": [1.5, 2.0],
    "income": [25.0, 1000.0],
    "rooms": [9, 4],
    "code": [1, 8],
    "city": ["Paris", "Bern"],
    "street": ["unknown", "c"],
}


def make_space(space_class: Any, spec: dict[str, Any]) -> Any:
    """A space of real Keras or of ours."""

    def made(value: Any) -> Any:
        is_call = isinstance(value, tuple) and isinstance(value[1], dict)
        return getattr(space_class, value[0])(**value[1]) if is_call else value

    arguments = dict(spec)
    arguments["features"] = {name: made(value) for name, value in spec["features"].items()}
    arguments["crosses"] = [made(value) for value in spec.get("crosses", ())]
    return space_class(**arguments)


def columns_of(spec: dict[str, Any], table: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns a space asks for."""
    return {name: table[name] for name in spec["features"]}


TEXTS = ["The cat, sat.", "the dog! sat the", "Ein Käse; a cat"]
NEW_TEXTS = ["the bird sat", "cat", "", "a Käse the the"]
TOKENS = ["a", "b", "a", "c", "a", "b"]
NEW_TOKENS = ["b", "zebra", "yak", "", "xenon", "a", "é"]
NUMBERS = [3, 9, 3, 12, 3, 9]
NEW_NUMBERS = [9, 5, 6, 7, -4, 3, 100]

# id -> (layer, arguments, what it adapts to, what it is called on)
STRING_LAYERS: dict[str, tuple[str, dict[str, Any], list[Any], list[Any]]] = {
    **{
        f"text_{name}": ("TextVectorization", arguments, TEXTS, NEW_TEXTS)
        for name, arguments in {
            "int": {},
            "length": {"output_sequence_length": 2},
            "multi_hot": {"output_mode": "multi_hot"},
            "count": {"output_mode": "count", "ngrams": 2},
            "tf_idf": {"output_mode": "tf_idf"},
            "tf_idf_padded": {"output_mode": "tf_idf", "max_tokens": 20, "pad_to_max_tokens": True},
            "bigrams": {"ngrams": (2,)},
            "characters": {"split": "character", "standardize": "lower"},
            "whole": {"split": None, "standardize": None},
            "strip": {"standardize": "strip_punctuation", "max_tokens": 4},
        }.items()
    },
    **{
        f"string_{name}": ("StringLookup", arguments, TOKENS, NEW_TOKENS)
        for name, arguments in {
            "int": {},
            "three_unknown": {"num_oov_indices": 3},
            "three_unknown_masked": {"num_oov_indices": 3, "mask_token": ""},
            "salted": {"num_oov_indices": 5, "salt": [11, 12]},
            "one_hot": {"num_oov_indices": 2, "output_mode": "one_hot"},
            "count": {"num_oov_indices": 3, "output_mode": "count"},
            "multi_hot": {"output_mode": "multi_hot", "max_tokens": 3},
        }.items()
    },
    **{
        f"integer_{name}": ("IntegerLookup", arguments, NUMBERS, NEW_NUMBERS)
        for name, arguments in {
            "three_unknown": {"num_oov_indices": 3},
            "fingerprints": {"num_oov_indices": 3, "oov_method": "farmhash"},
            "salted": {"num_oov_indices": 3, "oov_method": "farmhash", "salt": 5},
        }.items()
    },
}
