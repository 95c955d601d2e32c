"""Layers that work on texts as graphs: what NumPy computes is what the host computes in the layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.core.errors import UnsupportedOpError
from nacre.core.symbolic import KerasTensor
from nacre.export.capture import capture
from nacre.export.graph.evaluate import evaluate
from tests.cases.spec import LayerCase
from tests.contracts import layer_rows
from tests.contracts.layer_rows import ROWS, is_on_host

ON_HOST = [row for row in ROWS if is_on_host(row) or row.layer in ("Hashing", "HashedCrossing")]
WIDE = {"hashing_wide_ints", "crossing_wide_ints"}  # of 64 bits, which no model takes


def symbolic(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        leaf = np.asarray(leaf)
    dtype = "string" if leaf.dtype.kind in "OUS" else str(leaf.dtype)
    return KerasTensor((None, *leaf.shape[1:]), dtype)


@pytest.mark.parametrize(
    "row",
    [row for row in ON_HOST if row.id not in WIDE],
    ids=lambda row: row.id,
)
def test_the_graph_of_a_layer_for_texts_gives_what_the_layer_gives(row: LayerCase) -> None:
    layer = layer_rows.built(row)
    positional, _ = layer_rows.call_of(row)
    expected = [np.asarray(x) for x in layer_rows.leaves(layer(*positional))]
    captured = capture(layer, *tree.map_structure(symbolic, list(positional)), training=None)
    found = list(evaluate(captured.graph, tree.flatten(list(positional))).outputs.values())
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"ngrams": 2}, {"ngrams": (2, 3), "output_sequence_length": 4}, {"split": "character"},
        {"split": None}, {"standardize": None}, {"standardize": "lower"}, {"split": None, "ngrams": 2},
        {"output_mode": "count"}, {"output_mode": "multi_hot", "pad_to_max_tokens": True, "max_tokens": 9},
        {"output_mode": "tf_idf"}, {"standardize": "strip_punctuation", "output_sequence_length": 2},
    ],
    ids=str,
)  # fmt: skip
def test_every_way_to_vectorize_texts(options: dict[str, Any]) -> None:
    layer = nacre.layers.TextVectorization(**options)
    layer.adapt(["The cat sat on the mat.", "A dog, Äpfel & a cat!", "cat"])
    graph = capture(layer, KerasTensor((None,), "string"), training=None).graph
    for texts in (["the CAT  sat", "Äpfel, ÄPFEL\n cat?", "", "dog " * 9], ["cat"]):
        (found,) = evaluate(graph, [np.array(texts, object)]).outputs.values()
        np.testing.assert_allclose(found, np.asarray(layer(texts)), rtol=1e-6)


def test_a_model_from_texts_to_numbers_is_one_graph() -> None:
    layers = nacre.layers
    vectorize = layers.TextVectorization()
    vectorize.adapt(["the cat sat", "the dog"])
    text = nacre.Input((1,), dtype="string", name="text")
    kind = nacre.Input((1,), dtype="string", name="kind")
    y = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3, mask_zero=True)(vectorize(text)))
    one_hot = layers.StringLookup(vocabulary=["x", "y"], num_oov_indices=3, output_mode="one_hot")
    y = layers.Concatenate()([y, one_hot(kind), layers.Hashing(4, output_mode="one_hot")(kind)])
    model = nacre.Model([text, kind], layers.Dense(2)(y))
    graph = capture(model).graph
    assert [(v.name, v.dtype) for v in graph.inputs] == [("text", "string"), ("kind", "string")]
    for batch in ([["the cat"], ["a dog sat down"]], [["cat"]]):
        given = [np.array(batch, object), np.array([["y"], ["other"]][: len(batch)], object)]
        (found,) = evaluate(graph, given).outputs.values()
        np.testing.assert_allclose(found, model.predict(given, verbose=0), rtol=1e-5, atol=1e-6)


def test_indices_become_texts() -> None:
    lookup = nacre.layers.StringLookup(vocabulary=["a", "b"], invert=True)
    graph = capture(lookup, KerasTensor((None,), "int32"), training=None).graph
    (found,) = evaluate(graph, [[2, 0, 7, -1]]).outputs.values()
    assert found.tolist() == lookup(np.array([2, 0, 7, -1])).tolist() == ["b", *["[UNK]"] * 3]


def test_texts_that_no_input_decides_are_computed_in_the_graph() -> None:
    lookup = nacre.layers.StringLookup(vocabulary=["a", "b"], invert=True)
    graph = capture(lambda x: lookup(nacre.ops.arange(3) + 1), KerasTensor((2,), "float32")).graph
    (found,) = evaluate(graph, [[0, 0]]).outputs.values()
    assert found.tolist() == ["a", "b", "[UNK]"]


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (lambda: nacre.layers.TextVectorization(vocabulary=["a"], standardize=str.lower), "standardize"),
        (lambda: nacre.layers.TextVectorization(vocabulary=["a"], split=str.split), "split"),
        (lambda: nacre.layers.StringLookup(vocabulary=["a"], encoding="latin-1"), "latin-1"),
        (lambda: nacre.layers.HashedCrossing(5), "a feature of dtype float32"),
    ],
)  # fmt: skip
def test_a_layer_without_a_form_says_why(layer: Any, why: str) -> None:
    given: Any = KerasTensor((None,), "string")
    made = layer()
    if isinstance(made, nacre.layers.HashedCrossing):
        given = (given, KerasTensor((None,), "float32"))
    made.built = True
    with pytest.raises(UnsupportedOpError, match=why):
        capture(made, given, training=None)
