"""Inputs in dicts and lists within dicts and lists reach the input they are meant for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers


def of_levels() -> Any:
    inputs = {
        "z": nacre.Input((2,), name="z"),
        "more": {"b": nacre.Input((2,), name="b"), "a": nacre.Input((2,), name="a")},
        "rest": [nacre.Input((2,)), {"k": nacre.Input((), dtype="int32")}],
    }
    found = layers.Embedding(3, 2)(inputs["rest"][1]["k"])
    outputs = inputs["z"] + 10 * inputs["more"]["a"] + 100 * inputs["more"]["b"]
    return nacre.Model(inputs, {"sum": outputs + 1000 * inputs["rest"][0], "found": found})


def data(rows: int = 2) -> Any:
    one = np.ones((rows, 2), "float32")
    return {
        "more": {"a": 2 * one, "b": 3 * one, "unused": one},
        "rest": [4 * one, {"k": np.zeros((rows,), "int32")}],
        "z": one,
    }


@pytest.mark.parametrize("way", ["predict", "call", "file", "clone"])
def test_dicts_within_dicts_are_matched_by_their_keys(way, tmp_path):
    model = of_levels()
    if way == "file":
        model.save(tmp_path / "m.keras")
        model = nacre.models.load_model(tmp_path / "m.keras")
    elif way == "clone":
        model = nacre.models.clone_model(model)
    result = model(data()) if way == "call" else model.predict(data(), verbose=0)
    np.testing.assert_allclose(result["sum"], np.full((2, 2), 4321.0))


def test_training_and_a_model_around_it_take_the_same_levels():
    inner = of_levels()
    outer_inputs = {
        "z": nacre.Input((2,)),
        "more": {"a": nacre.Input((2,)), "b": nacre.Input((2,))},
        "rest": [nacre.Input((2,)), {"k": nacre.Input((), dtype="int32")}],
    }
    model = nacre.Model(outer_inputs, inner(outer_inputs)["found"])
    model.compile("sgd", "mse")
    before = inner.get_weights()[0].copy()
    given = data(4)
    del given["more"]["unused"]
    model.fit(given, np.ones((4, 2), "float32"), verbose=0)
    assert (inner.get_weights()[0] != before).any(axis=1).tolist() == [True, False, False]


def test_what_is_missing_at_a_level_is_named_with_its_place():
    model, given = of_levels(), data()
    given["more"] = {"a": given["z"], "bb": given["z"]}
    with pytest.raises(ValueError, match=r"input 'more'.*\['b', 'a'\].*'bb' -> 'b'"):
        model.predict(given, verbose=0)
    with pytest.raises(ValueError, match=r"input 'rest'.*a list of 2.*a list of 1"):
        model.predict({**data(), "rest": data()["rest"][:1]}, verbose=0)
    with pytest.raises(ValueError, match="input 'z'.*one array.*a list of 2"):
        model.predict({**data(), "z": [data()["z"]] * 2}, verbose=0)


def test_an_index_outside_a_table_is_found_at_any_level():
    given = data()
    given["rest"][1]["k"][1] = 7
    with pytest.raises(ValueError, match="7"):
        of_levels()(given)
