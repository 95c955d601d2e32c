"""Every layer as a graph: what NumPy computes from it is what the layer gives.

Numbers come from the references the layers themselves are tested with, so nothing is compiled here;
for layers without one, from the layer.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.core.errors import DTypeError
from nacre.core.symbolic import KerasTensor
from nacre.export.capture import Captured, capture
from nacre.export.graph.evaluate import evaluate
from tests.cases.named_ops import LAYERS
from tests.cases.spec import LayerCase
from tests.contracts import layer_rows
from tests.contracts.layer_rows import ROWS, first_of_class, is_on_host
from tests.tiers import first_of_each_is_quick

# No sample has an axis of its own there.
WITHOUT_BATCH = {"concatenate_axis0", "mel_short_window"}
# Only whole numbers or texts that the host works on.
ON_HOST = {row.id for row in ROWS if is_on_host(row) or row.layer in ("Hashing", "HashedCrossing")}
# One row of each class, and those that have whole ops in their traces.
FIRST = {row.id for row in first_of_class(ROWS)} | LAYERS.keys()
LEFT_OUT = ON_HOST | WITHOUT_BATCH
CAPTURED = [row for row in ROWS if row.id in FIRST - LEFT_OUT]


def is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def symbolic(leaf: Any) -> Any:
    """A tensor of any batch size in the place of an array."""
    if not is_array(leaf) or not leaf.ndim:
        return leaf
    return KerasTensor((None, *leaf.shape[1:]), str(leaf.dtype))


def graph_of(row: LayerCase) -> tuple[Any, Captured, Any, Any]:
    """The layer, its graph, and the arguments of the call."""
    layer = layer_rows.built(row)
    layer.set_weights(layer_rows.weights_of(row, layer))
    positional, keywords = layer_rows.call_of(row)
    training = keywords.get("training")
    args, kwargs = tree.map_structure(symbolic, (list(positional), dict(keywords)))
    kwargs.pop("training", None)
    return layer, capture(layer, *args, training=training, **kwargs), positional, keywords


def expected_of(row: LayerCase, layer: Any, positional: Any, keywords: Any) -> list[np.ndarray]:
    """What the layer gives: as it is stored, where it is."""
    arrays = layer_rows.arrays_of(row)
    stored = [arrays[name] for name in sorted(arrays) if name.startswith("output")]
    is_stored = layer_rows.is_stored(row) and len(stored) == len(layer_rows.output_shapes(row))
    if is_stored and all(isinstance(x, np.ndarray) for x in stored) and len(stored) == 1:
        return stored
    return [np.asarray(x) for x in layer_rows.leaves(layer(*positional, **keywords))]


def arrays_among(positional: Any, keywords: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in tree.flatten((list(positional), keywords)) if is_array(x)]


def has_draws(captured: Captured) -> bool:
    return any(node.op.startswith("random_") for node in captured.graph.all_nodes())


@pytest.mark.parametrize(
    "row",
    first_of_each_is_quick(
        [pytest.param(row, id=row.id) for row in CAPTURED], lambda p: p.values[0].layer
    ),
)
def test_the_graph_of_a_layer_gives_what_the_layer_gives(row: LayerCase) -> None:
    layer, captured, positional, keywords = graph_of(row)
    arrays = arrays_among(positional, keywords)
    found = list(evaluate(captured.graph, arrays).outputs.values())
    if has_draws(captured):
        return
    expected = expected_of(row, layer, positional, keywords)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype or layer_rows.is_stored(row)
        np.testing.assert_allclose(ours, theirs, rtol=row.tolerance, atol=row.tolerance)


def test_one_sample_more_than_traced_changes_nothing_for_the_others() -> None:
    for name in ("conv2d_valid", "lstm", "layer_normalization", "average_pooling2d_same"):
        row = next(row for row in ROWS if row.id.startswith(name))
        _, captured, positional, keywords = graph_of(row)
        arrays = arrays_among(positional, keywords)
        longer = [np.concatenate([x, x[:1]]) for x in arrays]
        few, many = (list(evaluate(captured.graph, a).outputs.values()) for a in (arrays, longer))
        for one, other in zip(few, many, strict=True):
            np.testing.assert_allclose(one, other[:-1], rtol=1e-6, atol=1e-6)


def test_the_path_of_a_layer_stands_at_its_nodes() -> None:
    import nacre

    block = nacre.Sequential([nacre.layers.Dense(3, name="wide")], name="block")
    model = nacre.Sequential([nacre.Input((2,)), block, nacre.layers.ReLU(name="bent")], name="net")
    layers = {node.op: node.layer for node in capture(model).graph.nodes}
    assert layers == {"dense": "net/block/wide", "relu": "net/bent"}


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "uint16"])
def test_integers_are_looked_up_by_one_search_of_any_dtype(dtype: str) -> None:
    lookup = nacre.layers.IntegerLookup(vocabulary=[9, 3, 5])
    graph = capture(nacre.Sequential([nacre.Input((3,), dtype=dtype), lookup])).graph
    assert "searchsorted" in {node.op for node in graph.nodes}
    assert "uint32" not in {v.dtype for node in graph.all_nodes() for v in node.outputs}
    given = np.array([[3, 9, 5], [0, 7, 9]], dtype)
    (found,) = evaluate(graph, [given]).outputs.values()
    np.testing.assert_array_equal(found, [[2, 1, 3], [0, 0, 1]])


@pytest.mark.parametrize("arguments", [{}, {"mask_token": 0}, {"num_oov_indices": 3}])
def test_integers_of_indices_are_those_that_the_layer_gives_alone(arguments: Any) -> None:
    lookup = nacre.layers.IntegerLookup(
        vocabulary=[9, -3, 5], invert=True, oov_token=-7, **arguments
    )
    model = nacre.Sequential([nacre.Input((3,), dtype="int32"), lookup])
    given = np.array([[0, 1, 2], [3, 4, 5], [6, -1, 2**31 - 1]], "int32")
    (found,) = evaluate(capture(model).graph, [given]).outputs.values()
    np.testing.assert_array_equal(found, lookup(given))
    np.testing.assert_array_equal(model.predict(given, verbose=0), found)


def test_integers_of_indices_wider_than_32_bits_have_no_form_in_a_graph() -> None:
    lookup = nacre.layers.IntegerLookup(vocabulary=[2**40, 3], invert=True)
    with pytest.raises(DTypeError, match="vocabulary, inside a compiled model"):
        capture(nacre.Sequential([nacre.Input((3,), dtype="int32"), lookup]))


def test_all_that_has_no_form_is_told_at_once_with_its_layer() -> None:
    import nacre
    from nacre.core.errors import UnsupportedOpError

    class Odd(nacre.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return jax.lax.population_count(inputs) + jax.lax.igamma(1.5, 2.0).astype("int32")

    class Even(nacre.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return jax.scipy.special.betainc(1.0, 2.0, inputs * 0.5)

    model = nacre.Sequential([nacre.Input((2,), dtype="int32"), Odd(name="odd"), Even(name="even")])
    with pytest.raises(UnsupportedOpError) as caught:
        capture(model)
    text = str(caught.value)
    assert "population_count in 'sequential" in text and "/odd' (int32[batch, 2])" in text
    assert "regularized_incomplete_beta" in text and "/even'" in text


def test_positions_of_any_length_are_captured_and_too_many_are_nan() -> None:
    tokens = nacre.Input((None,), dtype="int32")
    model = nacre.Model(tokens, nacre.layers.TokenAndPositionEmbedding(9, 5, 3)(tokens))
    graph = capture(model).graph
    for count in (1, 3, 5):
        x = np.arange(2 * count).reshape(2, count).astype("int32") % 9
        (found,) = evaluate(graph, [x]).outputs.values()
        np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-6)
    (found,) = evaluate(graph, [np.zeros((1, 7), "int32")]).outputs.values()
    assert np.isnan(found[:, 5:]).all() and not np.isnan(found[:, :5]).any()
