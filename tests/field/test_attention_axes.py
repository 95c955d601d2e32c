"""Attention over several axes: what each mask covers, against the formula in NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core import scope

HEADS, SIZE, FEATURES = 2, 3, 4


def by_formula(layer: Any, query: Any, value: Any, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and weights, with `allowed(free place, target, source)` for each pair of places."""
    project = lambda dense, x: (
        np.einsum("...f,fnh->...nh", x, dense.kernel.numpy()) + np.asarray(dense.bias)
    )
    q, k, v = (
        project(dense, x)
        for dense, x in (
            (layer.query_dense, query),
            (layer.key_dense, value),
            (layer.value_dense, value),
        )
    )
    axes, rank = layer.attention_axes, query.ndim
    free = [a for a in range(rank - 1) if a not in axes]
    places = lambda shape, which: itertools.product(*(range(shape[a]) for a in which))
    outputs = np.zeros((*query.shape[:-1], HEADS, SIZE))
    sizes = [[x.shape[a] for a in axes] for x in (query, value)]
    weights = np.zeros((*(query.shape[a] for a in free), HEADS, *sizes[0], *sizes[1]))

    def at(outer: Any, inner: Any) -> tuple[int, ...]:
        index = [0] * (rank - 1)
        for a, i in (*zip(free, outer), *zip(axes, inner)):
            index[a] = i
        return tuple(index)

    for outer in places(query.shape, free):
        for head in range(HEADS):
            for target in places(query.shape, axes):
                sources = [s for s in places(value.shape, axes) if allowed(outer, target, s)]
                if not sources:
                    continue
                scores = np.array(
                    [q[at(outer, target)][head] @ k[at(outer, s)][head] for s in sources]
                ) / np.sqrt(SIZE)
                shares = np.exp(scores - scores.max())
                shares /= shares.sum()
                for s, share in zip(sources, shares):
                    weights[(*outer, head, *target, *s)] = share
                    outputs[at(outer, target)][head] += share * v[at(outer, s)][head]
    kernel, bias = (w.numpy() for w in (layer.output_dense.kernel, layer.output_dense.bias))
    return np.einsum("...nh,nhf->...f", outputs, kernel) + bias, weights


def made(axes: Any, query_shape: Any, value_shape: Any = None, **kwargs: Any) -> Any:
    """A layer with biases drawn too, a query and a value."""
    random = np.random.default_rng(1)
    draw = lambda shape: random.normal(size=shape).astype("float32")
    query = draw(query_shape)
    value = query if value_shape is None else draw(value_shape)
    layer = layers.MultiHeadAttention(HEADS, SIZE, attention_axes=axes, **kwargs)
    layer.build(query.shape, value.shape)
    layer.set_weights([draw(w.shape) for w in layer.weights])
    return layer, query, value


def agree(layer: Any, query: Any, value: Any, allowed: Any, **kwargs: Any) -> None:
    expected, expected_weights = by_formula(layer, query, value, allowed)
    outputs, weights = layer(query, value, return_attention_scores=True, **kwargs)
    np.testing.assert_allclose(weights, expected_weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer(query, value, **kwargs), expected, rtol=1e-4, atol=1e-4)


def place(sizes: Any, index: Any) -> int:
    """The place of an index in the flattened axes."""
    return int(np.ravel_multi_index(index, sizes))


@pytest.mark.parametrize("batch", [1, 2])
def test_a_padding_mask_covers_the_places_of_both_axes(batch: int) -> None:
    layer, x, _ = made((1, 2), (batch, 2, 2, FEATURES))
    mask = np.ones((batch, 2, 2), bool)
    mask[0, 1, 0] = mask[-1, 0, 1] = False
    for name in ("value_mask", "key_mask"):
        agree(layer, x, x, lambda o, t, s: mask[(*o, *s)], **{name: mask})


@pytest.mark.parametrize("batch", [1, 2])
def test_a_mask_that_travels_with_the_first_axis_covers_its_rows(batch: int) -> None:
    layer, x, _ = made((1, 2), (batch, 2, 3, FEATURES))
    mask = np.array([[True, False], [True, True]])[:batch]
    agree(layer, x, x, lambda o, t, s: mask[(*o, s[0])], value_mask=mask)
    tensor = nacre.ops.convert_to_tensor(x)
    scope.set_mask(tensor, nacre.ops.convert_to_tensor(mask))
    outputs = layer(tensor, tensor)
    expected, _ = by_formula(layer, x, x, lambda o, t, s: mask[(*o, s[0])])
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(scope.get_mask(outputs), mask)


@pytest.mark.parametrize(("targets", "sources"), [((2, 2), (2, 2)), ((2, 3), (3, 2))])
def test_causal_means_not_later_in_the_flattened_axes(targets: Any, sources: Any) -> None:
    layer, query, value = made((1, 2), (1, *targets, FEATURES), (1, *sources, FEATURES))
    not_later = lambda o, t, s: place(targets, t) >= place(sources, s)
    agree(layer, query, value, not_later, use_causal_mask=True)


def test_causal_goes_along_the_attention_axis_whichever_it_is() -> None:
    layer, x, _ = made(2, (2, 2, 3, FEATURES))
    agree(layer, x, x, lambda o, t, s: t >= s, use_causal_mask=True)
    layer, x, _ = made((-2,), (1, 3, 3, FEATURES))
    agree(layer, x, x, lambda o, t, s: t >= s, use_causal_mask=True)


def test_a_window_is_counted_in_the_flattened_axes() -> None:
    layer, x, _ = made((1, 2), (1, 2, 3, FEATURES), sliding_window=2)
    near = lambda o, t, s: abs(place((2, 3), t) - place((2, 3), s)) < 2
    agree(layer, x, x, near)


def test_an_attention_mask_has_all_axes_of_both_or_the_flattened_ones() -> None:
    layer, x, _ = made((1, 2), (2, 2, 2, FEATURES))
    mask = np.random.default_rng(2).uniform(size=(2, 2, 2, 2, 2)) < 0.6
    allowed = lambda o, t, s: mask[(*o, *t, *s)]
    agree(layer, x, x, allowed, attention_mask=mask)
    agree(layer, x, x, allowed, attention_mask=mask.reshape(2, 4, 4))
    agree(layer, x, x, allowed, attention_mask=np.repeat(mask[:, None], HEADS, axis=1))
    shared = lambda o, t, s: mask[(0, *t, *s)]
    agree(layer, x, x, shared, attention_mask=mask[0])
    agree(layer, x, x, shared, attention_mask=mask[0].reshape(4, 4))


def test_masks_of_all_kinds_are_joined() -> None:
    layer, x, _ = made((1, 2), (2, 2, 2, FEATURES))
    value_mask = np.array([[[1, 1], [1, 0]], [[0, 1], [1, 1]]], bool)
    mask = np.random.default_rng(3).uniform(size=(2, 4, 4)) < 0.7

    def allowed(o: Any, t: Any, s: Any) -> bool:
        target, source = place((2, 2), t), place((2, 2), s)
        return bool(value_mask[(*o, *s)] and target >= source and mask[o[0], target, source])

    given = {"value_mask": value_mask, "attention_mask": mask, "use_causal_mask": True}
    agree(layer, x, x, allowed, **given)


def test_free_axes_are_attended_to_each_alone() -> None:
    layer, x, _ = made(2, (2, 3, 2, FEATURES))
    full = np.random.default_rng(4).uniform(size=(2, 3, 2)) < 0.7
    agree(layer, x, x, lambda o, t, s: full[(*o, *s)], value_mask=full)
    steps = np.array([[True, False], [True, True]])  # (batch, sources), as Keras reads it
    agree(layer, x, x, lambda o, t, s: steps[o[0], s[0]], value_mask=steps)
    rows = np.array([[True, False, True], [True, True, True]])  # the first axes
    agree(layer, x, x, lambda o, t, s: rows[o], value_mask=rows)
    pairs = np.random.default_rng(5).uniform(size=(2, 3, 2, 2)) < 0.7
    agree(layer, x, x, lambda o, t, s: pairs[(*o, *t, *s)], attention_mask=pairs)
    agree(layer, x, x, lambda o, t, s: pairs[(o[0], 0, *t, *s)], attention_mask=pairs[:, 0])


def test_a_mask_that_may_cover_either_axis_is_refused() -> None:
    layer, x, _ = made(2, (2, 3, 3, FEATURES))
    with pytest.raises(ValueError, match="the axes it covers must be clear") as error:
        layer(x, x, value_mask=np.ones((2, 3), bool))
    assert "(2, 3)" in str(error.value) and "(2, 3, 3)" in str(error.value)


def test_a_mask_that_fits_nowhere_is_told_in_the_shape_it_came_in() -> None:
    layer, x, _ = made((1, 2), (2, 2, 3, FEATURES))
    with pytest.raises(ValueError, match=r"value_mask: it must have the shape \(2, 2, 3\)") as told:
        layer(x, x, value_mask=np.ones((2, 5), bool))
    assert "(2, 5)" in str(told.value)
    with pytest.raises(ValueError, match=r"attention_mask must broadcast to .*\(2, 6, 6\)"):
        layer(x, x, attention_mask=np.ones((2, 5, 6), bool))


def test_a_model_knows_the_shape_of_its_attention_over_images() -> None:
    inputs = nacre.Input((None, 3, FEATURES))
    layer = layers.MultiHeadAttention(HEADS, SIZE, attention_axes=(1, 2))
    model = nacre.Model(inputs, layer(inputs, inputs, use_causal_mask=True))
    assert model.output_shape == (None, None, 3, FEATURES)
    x = np.random.default_rng(6).normal(size=(2, 2, 3, FEATURES)).astype("float32")
    expected, _ = by_formula(layer, x, x, lambda o, t, s: place((2, 3), t) >= place((2, 3), s))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-4)


def test_attention_of_one_head_reads_a_mask_of_the_first_axes() -> None:
    x = np.random.default_rng(7).normal(size=(2, 2, 3, 2)).astype("float32")
    rows = np.array([[True, False], [True, True]])
    found = np.asarray(layers.Attention()([x, x], mask=[rows, rows]))
    alone = np.asarray(layers.Attention()([x, x]))
    np.testing.assert_allclose(found[rows], alone[rows], rtol=1e-5)
    assert not found[~rows].any()
