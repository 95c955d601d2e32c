"""Positions, transformer blocks and the choice of tokens."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, ShapeError
from nacre.layers import (
    RotaryEmbedding,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
)
from nacre.layers.transformer import beam_step, keep_top_k, keep_top_p, sample_tokens

rng = np.random.default_rng(0)
X = rng.normal(size=(2, 5, 8)).astype("float32")
SOURCE = rng.normal(size=(2, 4, 6)).astype("float32")
TOKENS = np.array([[3, 1, 2, 0, 0], [4, 4, 1, 2, 3]])


def close(a, b, tolerance=2e-5):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance / 4)


# ------------------------------------------------------------------------------- positions


def test_token_and_position_embedding_adds_two_rows():
    layer = TokenAndPositionEmbedding(6, 7, 4, mask_zero=True)
    out = layer(TOKENS)
    positions, table = layer.get_weights()
    close(out, table[TOKENS] + positions[:5])
    close(layer(TOKENS[:, :2], start_index=3), table[TOKENS[:, :2]] + positions[3:5])
    close(layer(np.asarray(out), reverse=True), np.asarray(out) @ table.T)
    np.testing.assert_array_equal(out._keras_mask, TOKENS != 0)
    with pytest.raises(ShapeError, match="at most sequence_length=7"):
        layer(np.ones((1, 8), int))


def test_sine_encoding_is_the_formula():
    encoding = np.asarray(SinePositionEncoding(max_wavelength=100.0)(X))
    for t in range(5):
        for i in range(4):
            angle = t / 100.0 ** (2 * i / 8)
            close(encoding[1, t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)])
    close(SinePositionEncoding(100.0)(X[:, :2], start_index=3), encoding[:, 3:])
    with pytest.raises(ShapeError, match="even size"):
        SinePositionEncoding()(X[..., :3])


@pytest.mark.parametrize(
    ("layer", "shape", "rule"),
    [
        (SinePositionEncoding, (2, 3, 3, 4), "must have 3 axes"),
        (SinePositionEncoding, (4, 4), "must have 3 axes"),
        (lambda: nacre.layers.RelativePositionBias(2), (4,), "must have at least 2 axes"),
        (lambda: TokenAndPositionEmbedding(5, 6, 4), (2, 3, 3), r"\(batch, time\)"),
        (lambda: TokenAndPositionEmbedding(5, 6, 4), (3,), r"\(batch, time\)"),
    ],
)
def test_positions_are_counted_on_the_time_axis_alone(layer, shape, rule):
    with pytest.raises(ShapeError, match=rule):
        layer()(nacre.ops.ones(shape))
    with pytest.raises(ShapeError, match=rule):
        layer()(nacre.Input(batch_shape=shape))


def test_rotation_makes_products_depend_on_distance_alone():
    layer = RotaryEmbedding()
    q, k = rng.normal(size=(2, 1, 1, 2, 6)).astype("float32")
    products = [
        (np.asarray(layer(q, start_index=t)) * layer(k, start_index=t - 2)).sum(-1)
        for t in (2, 5, 11)
    ]
    close(products[1], products[0], 1e-4)
    close(products[2], products[0], 1e-4)
    close(np.linalg.norm(layer(q, start_index=9)), np.linalg.norm(q))
    # One pair: the rotation of the plane by the position.
    close(
        layer(np.ones((1, 3, 2), "float32"))[0, 2], [np.cos(2) - np.sin(2), np.cos(2) + np.sin(2)]
    )


# ------------------------------------------------------------------------------- blocks


def norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def attention(part, x, y, allowed):
    w = {v.path.split("/")[-2] + "/" + v.path.split("/")[-1]: v.numpy() for v in part.weights}
    q, k, v = (
        np.einsum("btf,fhd->bthd", s, w[f"{n}/kernel"]) + w[f"{n}/bias"]
        for n, s in (("query", x), ("key", y), ("value", y))
    )
    scores = np.einsum("bthd,bshd->bhts", q, k) / np.sqrt(q.shape[-1])
    scores = np.exp(np.where(allowed, scores, -1e30))
    weights = scores / scores.sum(-1, keepdims=True)
    heads = np.einsum("bhts,bshd->bthd", weights, v)
    out = "attention_output"
    return np.einsum("bthd,hdf->btf", heads, w[f"{out}/kernel"]) + w[f"{out}/bias"]


def dense(part, x):
    kernel, bias = part.get_weights()
    return x @ kernel + bias


def reference(layer, x, allowed, encoded=None, pre=False):
    branches = [lambda h: attention(layer.self_attention, h, h, allowed)]
    if encoded is not None:
        everything = np.ones((1, 1, 1, encoded.shape[1]), bool)
        branches.append(lambda h: attention(layer.cross_attention, h, encoded, everything))
    branches.append(
        lambda h: dense(layer.feedforward_out, np.maximum(dense(layer.feedforward_in, h), 0))
    )
    for branch in branches:
        x = x + branch(norm(x)) if pre else norm(x + branch(x))
    return x


@pytest.mark.parametrize("pre", [False, True])
def test_encoder_is_attention_and_two_dense_layers(pre):
    layer = TransformerEncoder(16, 2, normalize_first=pre, bias_initializer="random_normal")
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    out = layer(X, padding_mask=mask)
    close(out, reference(layer, X, mask[:, None, None], pre=pre))


@pytest.mark.parametrize("pre", [False, True])
def test_decoder_is_causal_and_looks_at_the_encoder(pre):
    causal = np.tril(np.ones((5, 5), bool))[None, None]
    alone = TransformerDecoder(16, 2, normalize_first=pre)
    out = alone(X)
    close(out, reference(alone, X, causal, pre=pre))
    both = TransformerDecoder(16, 2, normalize_first=pre)
    close(both(X, SOURCE), reference(both, X, causal, SOURCE, pre))
    with pytest.raises(ArgumentError, match="built with an encoder sequence"):
        both(X)


@pytest.mark.parametrize("use_rotary", [False, True])
def test_padding_changes_nothing(use_rotary):
    embed = TokenAndPositionEmbedding(6, 9, 8, mask_zero=True)
    for block in (
        TransformerEncoder(16, 2, use_rotary=use_rotary),
        TransformerDecoder(16, 2, use_rotary=use_rotary),
    ):
        model = nacre.Sequential([nacre.Input((None,), dtype="int32"), embed, block])
        short, long = model(TOKENS[:1, :3]), model(np.pad(TOKENS[:1], ((0, 0), (0, 3))))
        close(long[:, :3], short)
        assert model.output_shape == (None, None, 8)


@pytest.mark.parametrize(
    "layer",
    [
        TransformerEncoder(16, 2, dropout=0.1, activation="gelu", normalize_first=True),
        TransformerDecoder(16, 2, use_rotary=True),
        TokenAndPositionEmbedding(6, 7, 8),
        SinePositionEncoding(50.0),
        RotaryEmbedding(50.0),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_and_weights_round_trip(layer):
    inputs = TOKENS if isinstance(layer, TokenAndPositionEmbedding) else X
    out = layer(inputs)
    again = nacre.layers.deserialize(nacre.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    again(inputs)
    again.set_weights(layer.get_weights())
    close(again(inputs), out)


def test_dropout_gradients_and_seeds():
    layer = TransformerDecoder(16, 2, dropout=0.5)
    calm = layer(X)
    close(layer(X, training=False), calm)
    assert not np.allclose(layer(X, training=True), calm)
    state = [v.value for v in layer.trainable_variables]
    rest = [v.value for v in layer.non_trainable_variables]

    def loss(values):
        return (layer.stateless_call(values, rest, X, training=True)[0] ** 2).sum()

    assert all(np.isfinite(g).all() for g in jax.jit(jax.grad(loss))(state))


def test_heads_must_divide_the_features():
    with pytest.raises(ShapeError, match="multiple of num_heads=3"):
        TransformerEncoder(16, 3)(X)
    with pytest.raises(ShapeError, match="even quotient"):
        TransformerEncoder(16, 8, use_rotary=True)(X)


# ------------------------------------------------------------------------------- sampling


def kept_by_sorting(logits, k=None, p=None):
    """Which tokens stay, one row at a time; equal ones in the order of their numbers."""
    rows = np.zeros(logits.shape, bool)
    for row, values in zip(rows, logits.astype("float64"), strict=True):
        order = np.argsort(-values, kind="stable")
        if k is not None:
            row[:] = values >= values[order[min(k, values.size) - 1]]
            continue
        powers = np.exp(values[order] - values.max())
        before = np.cumsum(powers) / powers.sum() - powers / powers.sum()
        row[order] = before < p
        row[order[0]] = True
    return rows


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int32"])
@pytest.mark.parametrize("size", [1, 300])
def test_top_k_and_top_p_keep_what_sorting_keeps(size, dtype):
    values = 3 * np.random.default_rng(0).standard_normal((20, size))
    values[5:10] = np.round(values[5:10])  # many are equal
    values[10], values[11], values[12, ::2], values[13] = 0.0, -0.0, -0.0, 7.0
    values = jnp.asarray(values, dtype)
    if dtype != "int32":
        values = values.at[14:16, 1:].set(-jnp.inf)
    exact = np.asarray(values.astype("float32"))
    for k in (1, size // 2 + 1, size + 5):
        kept = jax.jit(lambda x: keep_top_k(x, k))(values)  # noqa: B023
        wanted = kept_by_sorting(exact, k=k)
        np.testing.assert_array_equal(kept, np.where(wanted, exact, -np.inf))
    keep = jax.jit(keep_top_p)
    for p in (1e-6, 0.3137, 0.8713, 0.0):
        kept = keep(values, p)
        wanted = kept_by_sorting(exact, p=p)
        np.testing.assert_array_equal(kept, np.where(wanted, exact, -np.inf))
    if dtype == "float32":
        slopes = jax.grad(lambda x: jnp.where(jnp.isfinite(keep_top_p(x, 0.487)), x, 0.0).sum())
        wanted = kept_by_sorting(exact, p=0.487) & np.isfinite(exact)
        np.testing.assert_array_equal(slopes(values), wanted)


def test_top_k_and_top_p_keep_the_right_tokens():
    p = np.array([[0.1, 0.4, 0.2, 0.3], [0.97, 0.01, 0.01, 0.01]], "float32")
    logits = jnp.log(p)
    np.testing.assert_array_equal(np.isfinite(keep_top_k(logits, 2))[0], [0, 1, 0, 1])
    np.testing.assert_array_equal(
        np.isfinite(keep_top_p(logits, 0.6)), [[0, 1, 0, 1], [1, 0, 0, 0]]
    )
    assert np.isfinite(keep_top_k(logits, 99)).all() and np.isfinite(keep_top_p(logits, 1.0)).all()


def test_drawn_tokens_have_the_probabilities():
    p = np.array([0.1, 0.4, 0.2, 0.3])
    logits = jnp.broadcast_to(jnp.log(p), (20000, 4))
    key = jax.random.key(0)
    for temperature in (1.0, 2.0):
        drawn = np.bincount(sample_tokens(logits, key, temperature), minlength=4) / 20000
        wanted = p ** (1 / temperature)
        np.testing.assert_allclose(drawn, wanted / wanted.sum(), atol=0.02)
    drawn = np.bincount(sample_tokens(logits, key, top_k=3, top_p=0.5), minlength=4) / 20000
    np.testing.assert_allclose(drawn, [0, 4 / 7, 0, 3 / 7], atol=0.02)
    np.testing.assert_array_equal(sample_tokens(logits[:3], temperature=0.0), [1, 1, 1])


def test_a_finished_beam_goes_on_with_padding():
    logits = jnp.log(jnp.array([[[0.5, 0.5], [0.5, 0.5]]]))
    beams = beam_step(jnp.array([[-0.1, -5.0]]), logits, jnp.array([[True, False]]))
    close(beams.scores, [[-0.1, -5.0 + np.log(0.5)]])
    np.testing.assert_array_equal(beams.parents, [[0, 1]])
    assert int(beams.tokens[0, 0]) == 0


def test_a_finished_beam_stays_whatever_token_pads():
    logits = jnp.log(jnp.array([[[0.5, 0.5], [0.5, 0.5]]]))
    for pad_token in (0, 1, 2, -1, -100):
        beams = beam_step(jnp.array([[-0.1, -5.0]]), logits, jnp.array([[True, False]]), pad_token)
        close(beams.scores, [[-0.1, -5.0 + np.log(0.5)]])
        np.testing.assert_array_equal(beams.parents, [[0, 1]])
        np.testing.assert_array_equal(beams.tokens, [[pad_token, 0]])


# ------------------------------------------------------------------- relative positions


def bucket_of(distance, num_buckets, max_distance, bidirectional):
    """The bucket of one distance, by the words of the paper, in plain Python."""
    offset = 0
    if bidirectional:
        num_buckets //= 2
        offset = num_buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = num_buckets // 2
    if distance < exact:
        return offset + distance
    share = math.log(distance / exact) / math.log(max_distance / exact)
    return offset + min(exact + int(share * (num_buckets - exact)), num_buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_relative_positions_share_buckets_as_t5_does(bidirectional):
    layer = nacre.layers.RelativePositionBias(
        2, num_buckets=12, max_distance=30, bidirectional=bidirectional
    )
    bias = np.asarray(layer(np.zeros((1, 41, 3), "float32")))
    table = layer.embeddings.numpy()
    for t, s in itertools.product(range(0, 41, 3), range(0, 41, 2)):
        expected = table[bucket_of(s - t, 12, 30, bidirectional)]
        np.testing.assert_array_equal(bias[0, :, t, s], expected)


@pytest.mark.parametrize("dropout", [0.0, 1e-6])
@pytest.mark.parametrize("cls", ["TransformerEncoder", "TransformerDecoder"])
def test_blocks_add_the_position_bias_to_the_scores(cls, dropout):
    """A very negative number is a mask; the way with dropout is another one."""
    x = np.random.default_rng(1).normal(size=(2, 6, 8)).astype("float32")
    block = getattr(nacre.layers, cls)(16, 2, dropout=dropout)
    window = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) < 2
    bias = np.where(window, 0.0, -1e9).astype("float32")[None, None].repeat(2, 1)
    name = "attention_mask" if cls == "TransformerEncoder" else "decoder_attention_mask"
    masked = block(x, **{name: window[None].repeat(2, 0)}, training=True)
    np.testing.assert_allclose(block(x, position_bias=bias, training=True), masked, atol=1e-4)
    assert np.abs(np.asarray(block(x, training=True)) - np.asarray(masked)).max() > 1e-3


def test_blocks_without_biases_and_means():
    block = nacre.layers.TransformerDecoder(16, 2, use_rms_norm=True, use_bias=False)
    block(np.ones((1, 3, 8), "float32"), np.ones((1, 4, 8), "float32"))
    assert {w.name for w in block.weights} == {"kernel", "scale"}
    again = type(block).from_config(block.get_config())
    assert again.use_rms_norm and not again.use_bias


def test_relative_positions_refuse_too_few_buckets():
    with pytest.raises(ArgumentError, match="num_buckets=2"):
        nacre.layers.RelativePositionBias(2, num_buckets=2)
