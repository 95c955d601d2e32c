"""Attention layers: masks, causality, windows, shared heads."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


def make_layers():
    return [
        layers.MultiHeadAttention(2, 4),
        layers.GroupQueryAttention(4, num_query_heads=4, num_key_value_heads=2),
    ]


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
def test_padded_values_are_not_looked_at(layer):
    query, value = random(2, 3, 8), random(2, 6, 8, seed=1)
    mask = np.zeros((2, 6), bool)
    mask[:, :4] = True
    close(layer(query, value, value_mask=mask), layer(query, value[:, :4]))


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
def test_mask_of_an_embedding_is_used_and_handed_on_without_a_warning(layer):
    words = np.array([[3, 1, 2, 0, 0], [1, 4, 2, 2, 0]])
    embedded = layers.Embedding(5, 8, mask_zero=True)(words)  # warnings are errors here
    outputs = layer(embedded, embedded)
    short = np.asarray(embedded)[:1, :3]
    close(outputs[:1, :3], layer(short, short))
    np.testing.assert_array_equal(outputs._keras_mask, words != 0)


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
def test_fast_sum_equals_the_one_that_returns_scores(layer):
    x = random(2, 5, 8)
    masks = {"use_causal_mask": True, "value_mask": np.array([[1, 1, 1, 1, 0]] * 2, bool)}
    output, scores = layer(x, x, return_attention_scores=True, **masks)
    close(layer(x, x, **masks), output)
    heads = 2 if isinstance(layer, layers.MultiHeadAttention) else 4
    assert scores.shape == (2, heads, 5, 5)
    close(np.asarray(scores).sum(-1), np.ones((2, heads, 5)))
    assert not np.triu(np.asarray(scores)[0, 0], 1).any()


def test_causal_output_does_not_depend_on_later_steps():
    layer = layers.MultiHeadAttention(2, 4)
    x = random(1, 6, 8)
    before = np.asarray(layer(x, x, use_causal_mask=True))
    x[:, 4:] += 1.0
    after = np.asarray(layer(x, x, use_causal_mask=True))
    close(before[:, :4], after[:, :4])


def test_sliding_window_reaches_both_sides():
    layer = layers.MultiHeadAttention(1, 4, sliding_window=2)
    x = random(1, 5, 8)
    _, scores = layer(x, x, return_attention_scores=True)
    near = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) < 2
    np.testing.assert_array_equal(np.asarray(scores)[0, 0] > 0, near)


def test_gate_multiplies_each_head():
    layer = layers.MultiHeadAttention(2, 4, use_gate=True)
    x = random(1, 5, 8)
    layer(x, x)
    names = [w.path.split("/")[1] for w in layer.weights[::2]]
    assert names == ["query", "key", "gate", "value", "attention_output"]
    weights = layer.get_weights()
    weights[4][:], weights[5][:] = 0.0, -100.0  # a closed gate
    layer.set_weights(weights)
    assert np.abs(np.asarray(layer(x, x))).max() < 1e-6


def test_one_shared_head_each_is_multi_head_attention():
    shared = layers.GroupQueryAttention(4, num_query_heads=2, num_key_value_heads=2)
    plain = layers.MultiHeadAttention(2, 4)
    x = random(2, 5, 8)
    shared(x, x)
    plain(x, x)
    plain.set_weights(shared.get_weights())
    close(shared(x, x), plain(x, x))


def test_attention_over_two_axes_equals_attention_over_them_flattened():
    grid, flat = layers.MultiHeadAttention(2, 4, attention_axes=(1, 2)), None
    x = random(2, 3, 2, 8)
    y = np.asarray(grid(x, x))
    flat = layers.MultiHeadAttention(2, 4)
    rows = x.reshape(2, 6, 8)
    flat(rows, rows)
    flat.set_weights(grid.get_weights())
    close(y.reshape(2, 6, 8), flat(rows, rows))


def test_mask_of_the_query_travels_on():
    embedding = layers.Embedding(5, 8, mask_zero=True)
    tokens = np.array([[1, 2, 0]])
    x = layers.Input((3,), dtype="int32")
    embedded = embedding(x)
    output = layers.MultiHeadAttention(2, 4)(embedded, embedded)
    assert output._keras_mask is not None
    assert embedding(tokens).shape == (1, 3, 8)


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_masked_queries_give_zeros_and_masked_values_nothing(name):
    layer = getattr(layers, name)()
    query, value = random(1, 3, 4), random(1, 5, 4, seed=1)
    masks = [np.array([[1, 1, 0]], bool), np.array([[1, 1, 1, 0, 0]], bool)]
    output = np.asarray(layer([query, value], mask=masks))
    close(output[:, :2], np.asarray(layer([query, value[:, :3]]))[:, :2])
    assert not output[:, 2].any()


def test_dropout_acts_in_training_only():
    x = random(2, 5, 8)
    for layer in (layers.MultiHeadAttention(2, 4, dropout=0.5), layers.Attention(dropout=0.5)):
        arguments = (x, x) if isinstance(layer, layers.MultiHeadAttention) else ([x, x],)
        close(layer(*arguments), layer(*arguments))
        a, b = (np.asarray(layer(*arguments, training=True)) for _ in range(2))
        assert np.abs(a - b).max() > 1e-3


def test_unknown_lengths_stay_unknown():
    query, value = layers.Input((None, 8)), layers.Input((None, 6))
    assert layers.MultiHeadAttention(2, 4)(query, value).shape == (None, None, 8)
    assert layers.Attention()([query, query]).shape == (None, None, 8)


def test_projections_begin_differently():
    layer = layers.MultiHeadAttention(2, 4, kernel_initializer="glorot_uniform")
    x = random(1, 5, 8)
    layer(x, x)
    assert np.abs(layer.get_weights()[0] - layer.get_weights()[2]).max() > 1e-3


def test_errors_name_the_argument():
    x = random(1, 5, 8)
    with pytest.raises(ArgumentError, match=r"list \[query, value\].*one tensor"):
        layers.Attention()(x)
    with pytest.raises(ArgumentError, match="score_mode must be one of"):
        layers.Attention(score_mode="cosine")
    with pytest.raises(ShapeError, match=r"list \[query mask, value mask\]"):
        layers.Attention()([x, x], mask=[np.ones((1, 5), bool)])
    with pytest.raises(ArgumentError, match="num_heads must be a positive int"):
        layers.MultiHeadAttention(0, 4)
    with pytest.raises(ArgumentError, match="must be a multiple of num_key_value_heads"):
        layers.GroupQueryAttention(4, 5, 2)
    with pytest.raises(ArgumentError, match="sliding_window"):
        layers.MultiHeadAttention(2, 4, sliding_window=0)
    with pytest.raises(ShapeError, match=r"agree on all axes.*layer\(query, value, key\)"):
        layers.MultiHeadAttention(2, 4)(x, random(1, 6, 8), random(1, 7, 8))


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
@pytest.mark.parametrize("shapes", [((2, 5, 6), (3, 4, 6)), ((5, 6), (5, 6))])
def test_query_and_value_that_do_not_fit_are_refused(name, shapes):
    layer = layers.MultiHeadAttention(2, 3)
    if name == "GroupQueryAttention":
        layer = layers.GroupQueryAttention(3, 2, 1)
    query, value = (np.zeros(shape, "float32") for shape in shapes)
    with pytest.raises(ShapeError, match="query and value must have shapes"):
        layer(query, value)


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
def test_attention_mask_may_leave_out_batch_or_tell_heads_apart(layer):
    x = random(2, 3, 8)
    allowed = np.tril(np.ones((3, 3), bool))
    seen = np.array([[True, True, False], [True, False, True]])
    heads = getattr(layer, "num_heads", 4)
    expected = layer(x, x, use_causal_mask=True, value_mask=seen)
    for shape in [(3, 3), (2, 3, 3), (1, 1, 3, 3), (2, heads, 3, 3)]:
        mask = np.broadcast_to(allowed, shape)
        close(layer(x, x, attention_mask=mask, value_mask=seen), expected)
        outputs, scores = layer(
            x, x, attention_mask=mask, value_mask=seen, return_attention_scores=True
        )
        close(outputs, expected)
        assert not np.asarray(scores)[0, :, :, 2].any()


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"attention_mask": np.ones((2, 4), bool)}, r"\(2, 3, 4\). Got \(2, 4\)"),
        ({"attention_mask": np.ones((2, 4, 3), bool)}, "attention_mask must broadcast"),
        ({"attention_mask": np.ones(4, bool)}, "attention_mask must be of shape"),
        ({"value_mask": np.ones((2, 3), bool)}, r"value_mask must broadcast .*\(2, 4\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(layer, kwargs, words):
    with pytest.raises(ShapeError, match=words):
        layer(random(2, 3, 8), random(2, 4, 8), **kwargs)


@pytest.mark.parametrize("layer", make_layers(), ids=["multi_head", "group_query"])
@pytest.mark.parametrize("inputs", [random(2, 3, 8), layers.Input((3, 8))], ids=["array", "symbol"])
def test_a_missing_value_is_told_with_the_fix(layer, inputs):
    with pytest.raises(ArgumentError, match=r"a query and a value.*layer\(x, x\)"):
        layer(inputs)


def test_output_shape_is_found_from_the_shapes_of_all_inputs():
    shape = layers.MultiHeadAttention(2, 3, output_shape=(5, 6)).compute_output_shape
    assert shape((None, 3, 4), (None, 5, 4), (None, 5, 2)) == (None, 3, 5, 6)
    grouped = layers.GroupQueryAttention(2, 4, 2)
    found = grouped.compute_output_shape(query_shape=(2, 3, 4), value_shape=(2, 5, 4))
    assert found == (2, 3, 4)


@pytest.mark.parametrize("axes", [0, -1, 7, (1, 1), (), "a", 1.5])
def test_attention_axes_lie_between_batch_and_features(axes):
    with pytest.raises((ArgumentError, ShapeError), match="attention_axes"):
        layers.MultiHeadAttention(2, 2, attention_axes=axes)(random(1, 3, 4), random(1, 3, 4))


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize(
    ("value", "key"), [((2, 5, 3), (2, 5, 3)), ((2, 5, 4), (2, 6, 4)), ((3, 5, 4), (3, 5, 4))]
)
def test_shapes_of_one_head_that_do_not_fit_are_refused(name, value, key):
    with pytest.raises(ShapeError, match="same features"):
        getattr(layers, name)()([random(2, 3, 4), random(*value), random(*key)])


def drop_layers(rate):
    return {
        "multi-head": (layers.MultiHeadAttention(2, 6, dropout=rate, seed=1), (10, 12)),
        "grouped": (layers.GroupQueryAttention(6, 4, 2, dropout=rate, seed=1), (10, 12)),
        "over two axes": (
            layers.MultiHeadAttention(2, 6, dropout=rate, seed=1, attention_axes=(1, 2)),
            (3, 4, 12),
        ),
        "single": (layers.Attention(dropout=rate, seed=1), (10, 12)),
    }


@pytest.mark.parametrize("kind", drop_layers(0.5))
def test_dropout_keeps_the_mean_is_fresh_each_call_and_drops_all_at_one(kind):
    (layer, shape), (none, _) = drop_layers(0.25)[kind], drop_layers(1.0)[kind]
    x = np.repeat(random(1, *shape), 400, 0)  # samples of their own masks
    call = lambda layer, x, **o: layer([x, x], **o) if kind == "single" else layer(x, x, **o)
    exact = np.asarray(call(layer, x))
    drawn, again = (np.asarray(call(layer, x, training=True)) for _ in range(2))
    for one, other in [(drawn, again), (drawn[:200], drawn[200:])]:
        assert np.abs(one - other).max() > 1e-3
    error = np.abs(drawn.mean(0) - exact[0]) / (drawn.std(0) / 20 + 1e-6)
    assert error.mean() < 1.0 and error.max() < 6.0  # 0.8 and about 4 of a normal distribution
    total = lambda x: (call(none, x, training=True) ** 2).sum()
    call(none, x)  # builds it
    assert float(total(jnp.asarray(x))) == 0.0
    assert np.isfinite(jax.grad(total)(jnp.asarray(x))).all()


@pytest.mark.parametrize("heads_apart", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_targets_that_see_nothing_are_zeros_beside_dropout_as_where_scores_are_returned(
    causal, heads_apart
):
    x = random(3, 6, 8)
    mask = np.ones((3, 6, 6), bool)
    mask[0], mask[1, 3], mask[2, :, :2] = False, False, False  # causal: two more rows see nothing
    mask = mask[:, None].repeat(2, 1) if heads_apart else mask
    layer = layers.MultiHeadAttention(2, 4, dropout=0.3)
    given = {"attention_mask": mask, "use_causal_mask": causal}
    scored, weights = layer(x, x, return_attention_scores=True, **given)
    close(layer(x, x, **given), np.asarray(scored))
    inputs, masks = layers.Input((6, 8)), layers.Input(mask.shape[1:], dtype="bool")
    outputs = layer(inputs, inputs, attention_mask=masks, use_causal_mask=causal)
    model = nacre.Model([inputs, masks], outputs)
    close(model.predict([x, mask], verbose=0), np.asarray(scored))
    blind = ~np.asarray(weights).any((1, 3))
    assert blind.sum() == (9 if causal else 7)
    nothing = np.zeros(8) + np.asarray(layer.weights[-1])  # the last bias
    drawn = np.asarray(layer(x, x, training=True, **given))
    close(drawn[blind], np.broadcast_to(nothing, drawn[blind].shape))
    bare = layers.MultiHeadAttention(2, 4)  # without dropout the mean of all, as in Keras
    bare(x, x)
    bare.set_weights(layer.get_weights()[: len(bare.get_weights())])
    assert np.abs(np.asarray(bare(x, x, **given))[blind]).max() > 1e-3


@pytest.mark.parametrize("rate", [0.5, 1.0])
@pytest.mark.parametrize("layer", [layers.MultiHeadAttention, layers.GroupedQueryAttention])
def test_one_query_for_a_batch_of_values_has_their_batch_with_dropout(layer, rate):
    sizes_of_heads = (2, 3) if layer is layers.MultiHeadAttention else (3, 4, 2)
    attend = layer(*sizes_of_heads, dropout=rate)
    for sizes in [(1, 4), (4, 1)]:
        query, value = (np.ones((n, 5, 6), "float32") for n in sizes)
        assert attend(query, value, training=True).shape == (4, 5, 6)


@pytest.mark.parametrize("causal", [False, True])
def test_dropout_of_attention_trains_the_same_with_and_without_compiled_kernels(
    causal, monkeypatch
):
    def trained():
        nacre.utils.set_random_seed(0)
        inputs = nacre.Input((24, 16))
        masked = layers.Masking()(inputs)
        attention = layers.MultiHeadAttention(4, 8, dropout=0.3, seed=5)
        outputs = attention(masked, masked, use_causal_mask=causal)
        model = nacre.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(outputs)))
        model.compile("sgd", "mse")
        generator = np.random.default_rng(0)
        x = generator.standard_normal((16, 24, 16)).astype("float32")
        x[3, 20:], x[5] = 0.0, 0.0  # padded steps, and a row of nothing else
        y = generator.standard_normal((16, 3)).astype("float32")
        losses = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
        return [*losses, *model.get_weights()]

    compiled = trained()
    monkeypatch.setenv("NACRE_NATIVE", "0")
    for ours, plain in zip(compiled, trained(), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-5)
