"""What a folder is called with before it takes its place, and what is said where nothing fits."""

from __future__ import annotations

import os

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import FileFormatError
from nacre.export.capture import capture
from nacre.export.targets.graphdef.body import Kind
from nacre.export.targets.graphdef.rules import FORMS
from nacre.export.trials import Tries, limits_of_indices, words_in


def embedded(size, **kwargs):
    return nacre.Sequential([nacre.Input((5,), **kwargs), layers.Embedding(size, 2)])


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_numbers_are_drawn_below_the_size_of_the_table_that_they_pick_from(dtype):
    captured = capture(embedded(90, dtype=dtype))
    (limit,) = limits_of_indices(captured.graph).values()
    assert limit == 90
    (drawn,) = Tries(captured).values[0]({"batch": 50}).values()
    assert 0 <= drawn.min() < 9 and 81 <= drawn.max() < 90


def test_of_two_tables_the_smaller_counts_and_what_was_picked_is_another_number():
    inputs = nacre.Input((5,), dtype="int32")
    picked = nacre.ops.take(np.arange(30, dtype="int32"), inputs)
    both = [layers.Embedding(7, 2)(inputs), layers.Embedding(31, 2)(picked)]
    found = limits_of_indices(capture(nacre.Model(inputs, both)).graph)
    assert list(found.values()) == [7]


def test_words_are_those_of_the_vocabulary_and_one_more():
    inputs = nacre.Input((2,), dtype="string")
    model = nacre.Model(inputs, layers.StringLookup(vocabulary=["red", "blue"])(inputs))
    assert set(words_in(capture(model).graph)) == {"red", "blue", "nacre"}


@pytest.mark.parametrize(
    ("op", "build"),
    [
        ("gather", lambda: embedded(9, dtype="int32")),
        (
            "text_lower",
            lambda: nacre.Sequential(
                [
                    nacre.Input((1,), dtype="string"),
                    layers.TextVectorization(vocabulary=["Red"], standardize="lower"),
                ]
            ),
        ),
    ],
)
def test_what_picks_elements_or_reads_texts_is_compared(op, build, tmp_path, monkeypatch):
    right = FORMS.by_op[op]

    def wrong(make, node, inputs):
        if op == "text_lower":
            return inputs[0]
        return make.add("Neg", [right(make, node, inputs)], T=Kind("float32"))

    model = build()
    monkeypatch.setitem(FORMS.by_op, op, wrong)
    with pytest.raises(FileFormatError, match="what was written must be what is in memory"):
        model.save(tmp_path / "folder")
    assert os.listdir(tmp_path) == []


def test_a_model_that_takes_none_of_the_sizes_tried_is_saved_with_a_word(tmp_path):
    model = nacre.Sequential([nacre.Input((None, 1)), layers.Conv1D(1, 300)])
    with pytest.warns(UserWarning, match="takes none of the inputs tried") as told:
        model.save(tmp_path / "folder")
    assert "verify=False" in str(told[0].message)
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    x = np.linspace(0, 1, 301, dtype="float32")[None, :, None]
    np.testing.assert_allclose(program(x), model(x), rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "folder", verify=False)


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_of_rows_are_saved_with_the_size_that_predict_gives(tmp_path, weighted):
    """At hand, values make the result as long as the largest of them; the file has `minlength`."""
    inputs = nacre.Input((5,), dtype="int32")
    weights = nacre.ops.cast(inputs, "float32") if weighted else None
    model = nacre.Model(inputs, nacre.ops.bincount(inputs, weights=weights, minlength=3))
    model.save(tmp_path / "folder")
    x = np.array([[0, 1, 2, 2, 7], [1, 1, 1, 0, 0]], "int32")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    np.testing.assert_array_equal(program(x), model.predict(x, verbose=0))
