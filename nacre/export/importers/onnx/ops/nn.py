"""Products of matrices, normalization, attention, losses, dropout."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core.random import draw_key
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import axis_of, known


@op("MatMul")
def _matmul(node: Node, a: Any, b: Any) -> Any:
    return jnp.matmul(a, b).astype(a.dtype)


@op("Gemm")
def _gemm(node: Node, a: Any, b: Any, c: Any = None) -> Any:
    a = a.T if node.number("transA", 0) else a
    b = b.T if node.number("transB", 0) else b
    product = a @ b
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    product = product if alpha == 1 else (alpha * product).astype(a.dtype)
    if c is None:
        return product
    return product + (c if beta == 1 else (beta * c).astype(a.dtype))


@op("Einsum")
def _einsum(node: Node, *arrays: Any) -> Any:
    return jnp.einsum(node.text("equation").replace(" ", ""), *arrays)


@op("Det")
def _det(node: Node, x: Any) -> Any:
    return jnp.linalg.det(x)


# --- normalization --------------------------------------------------------------------------------


def channels(values: Any, rank: int) -> Any:
    """Numbers of channels, over the axes behind them."""
    return values.reshape((1, -1) + (1,) * (rank - 2)) if rank > 1 else values


@op("BatchNormalization")
def _batch_normalization(
    node: Node, x: Any, scale: Any, offset: Any, mean: Any, variance: Any
) -> Any:
    """With the stored statistics; in training mode with those of the batch."""
    rank = len(x.shape)
    outputs: tuple[Any, ...] = ()
    if node.number("training_mode", 0):
        axes = tuple(i for i in range(rank) if i != 1)
        momentum = node.number("momentum", 0.9)
        batch_mean, batch_variance = jnp.mean(x, axes), jnp.var(x, axes)
        outputs = tuple(
            (old * momentum + new.astype(old.dtype) * (1 - momentum)).astype(old.dtype)
            for old, new in ((mean, batch_mean), (variance, batch_variance))
        )
        mean, variance = batch_mean, batch_variance
    kind = jnp.result_type(mean.dtype, x.dtype)
    factor = scale.astype(kind) / jnp.sqrt(variance.astype(kind) + node.number("epsilon", 1e-5))
    centred = x.astype(kind) - channels(mean.astype(kind), rank)
    y = centred * channels(factor, rank) + channels(offset.astype(kind), rank)
    y = y.astype(x.dtype)
    return (y, *outputs) if outputs else y


def _normalized(x: Any, axes: tuple[int, ...], epsilon: float) -> Any:
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + epsilon)


@op("InstanceNormalization")
def _instance_normalization(node: Node, x: Any, scale: Any, offset: Any) -> Any:
    rank = len(x.shape)
    y = _normalized(x, tuple(range(2, rank)), node.number("epsilon", 1e-5))
    return (y * channels(scale, rank) + channels(offset, rank)).astype(x.dtype)


@op("GroupNormalization")
def _group_normalization(node: Node, x: Any, scale: Any, offset: Any) -> Any:
    """Scale and offset are one a group until operator set 20, then one a channel."""
    groups, rank = node.number("num_groups", 1), len(x.shape)
    n, c = x.shape[:2]
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    parts = wide.reshape((n, groups, c // groups, *x.shape[2:]))
    y = _normalized(parts, tuple(range(2, rank + 1)), node.number("epsilon", 1e-5))
    y = y.reshape(x.shape)
    if scale.shape[0] != c:
        scale, offset = (jnp.repeat(v, c // groups) for v in (scale, offset))
    return (y * channels(scale, rank) + channels(offset, rank)).astype(x.dtype)


@op("LayerNormalization")
def _layer_normalization(node: Node, x: Any, scale: Any, offset: Any = None) -> Any:
    axes = tuple(range(axis_of(node.number("axis", -1), len(x.shape)), len(x.shape)))
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    mean = jnp.mean(wide, axes, keepdims=True)
    variance = jnp.mean(jnp.square(wide - mean), axes, keepdims=True)
    inverse = lax.rsqrt(variance + node.number("epsilon", 1e-5))
    y = ((wide - mean) * inverse).astype(x.dtype) * scale
    y = y if offset is None else y + offset
    return y.astype(x.dtype), mean, inverse


@op("RMSNormalization")
def _rms_normalization(node: Node, x: Any, scale: Any) -> Any:
    axes = tuple(range(axis_of(node.number("axis", -1), len(x.shape)), len(x.shape)))
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    inverse = lax.rsqrt(
        jnp.mean(jnp.square(wide), axes, keepdims=True) + node.number("epsilon", 1e-5)
    )
    return ((wide * inverse).astype(x.dtype) * scale).astype(x.dtype)


@op("MeanVarianceNormalization")
def _mean_variance_normalization(node: Node, x: Any) -> Any:
    axes = tuple(axis_of(axis, len(x.shape)) for axis in node.numbers("axes", [0, 2, 3]))
    mean = jnp.mean(x, axes, keepdims=True)
    deviation = jnp.sqrt(jnp.mean(jnp.square(x - mean), axes, keepdims=True))
    return ((x - mean) / (deviation + 1e-9)).astype(x.dtype)


@op("LpNormalization")
def _lp_normalization(node: Node, x: Any) -> Any:
    axis = axis_of(node.number("axis", -1), len(x.shape))
    if node.number("p", 2) == 1:
        size = jnp.sum(jnp.abs(x), axis, keepdims=True)
    else:
        squares = jnp.sum(x * x, axis, keepdims=True)
        size = jnp.sqrt(jnp.where(squares == 0, 1, squares))
        size = jnp.where(squares == 0, 0, size)
    return jnp.where(size == 0, 0, x / jnp.where(size == 0, 1, size)).astype(x.dtype)


@op("LRN")
def _lrn(node: Node, x: Any) -> Any:
    size = node.number("size", 1)
    before = (size - 1) // 2
    pads = [(0, 0, 0)] * len(x.shape)
    pads[1] = (before, size - 1 - before, 0)
    squares = lax.pad(x * x, jnp.zeros((), x.dtype), pads)
    total = sum(lax.slice_in_dim(squares, i, i + x.shape[1], axis=1) for i in range(size))
    alpha, beta, bias = (
        node.number("alpha", 1e-4),
        node.number("beta", 0.75),
        node.number("bias", 1.0),
    )
    return (x / (bias + alpha / size * total) ** beta).astype(x.dtype)


# --- dropout, losses ------------------------------------------------------------------------------


@op("Dropout", kept=(1, 2), draws=True)
def _dropout(node: Node, x: Any, ratio: Any = None, training: Any = None) -> Any:
    """Leaves all as it is, but where the graph itself says that this is training."""
    whole = jnp.ones(x.shape, bool)
    if training is None or not bool(known(training).reshape(())):
        return x, whole
    share = 0.5 if ratio is None else float(known(ratio).reshape(()))
    if share == 0:
        return x, whole
    kept = jax.random.bernoulli(draw_key(), 1 - share, x.shape)
    return jnp.where(kept, x / (1 - share), 0).astype(x.dtype), kept


@op("SoftmaxCrossEntropyLoss")
def _softmax_cross_entropy_loss(node: Node, scores: Any, labels: Any, weights: Any = None) -> Any:
    logs = jax.nn.log_softmax(scores, axis=1)
    return _likelihood(node, logs, labels, weights), logs


@op("NegativeLogLikelihoodLoss")
def _negative_log_likelihood_loss(node: Node, logs: Any, labels: Any, weights: Any = None) -> Any:
    return _likelihood(node, logs, labels, weights)


def _likelihood(node: Node, logs: Any, labels: Any, weights: Any) -> Any:
    ignored = node.get("ignore_index")
    is_counted = jnp.ones(labels.shape, bool) if ignored is None else labels != ignored
    safe = jnp.where(is_counted, labels, 0)
    picked = jnp.take_along_axis(logs, jnp.expand_dims(safe, 1), 1)
    losses = -jnp.squeeze(picked, 1)
    share = jnp.ones(labels.shape, logs.dtype) if weights is None else jnp.take(weights, safe)
    share = jnp.where(is_counted, share, 0).astype(logs.dtype)
    losses = losses * share
    match node.text("reduction", "mean"):
        case "none":
            return losses
        case "sum":
            return jnp.sum(losses)
    return jnp.sum(losses) / jnp.sum(share)


# --- attention ------------------------------------------------------------------------------------


@op("RotaryEmbedding")
def _rotary_embedding(node: Node, x: Any, cosine: Any, sine: Any, positions: Any = None) -> Any:
    shape = x.shape
    if len(shape) == 3:
        heads = node.number("num_heads", 0)
        x = jnp.swapaxes(x.reshape((*shape[:2], heads, shape[2] // heads)), 1, 2)
    count = node.number("rotary_embedding_dim", 0) or x.shape[-1]
    turned, rest = x[..., :count], x[..., count:]
    if positions is not None:
        cosine, sine = cosine[positions], sine[positions]
    cosine, sine = (v[:, None, :, : count // 2] for v in (cosine, sine))
    if node.number("interleaved", 0):
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = jnp.split(turned, 2, axis=-1)
    real, imaginary = a * cosine - b * sine, a * sine + b * cosine
    if node.number("interleaved", 0):
        turned = jnp.stack([real, imaginary], -1).reshape(turned.shape)
    else:
        turned = jnp.concatenate([real, imaginary], -1)
    y = jnp.concatenate([turned, rest], -1).astype(x.dtype)
    return jnp.swapaxes(y, 1, 2).reshape(shape) if len(shape) == 3 else y


@op("Attention")
def _attention(
    node: Node, query: Any, key: Any, value: Any, mask: Any = None, past_key: Any = None,
    past_value: Any = None, lengths: Any = None,
) -> Any:  # fmt: skip
    """Softmax of products of queries and keys, of values; rows that see nothing are zeros."""
    is_flat, shape = len(query.shape) == 3, query.shape
    if is_flat:
        heads = node.number("q_num_heads", 0), node.number("kv_num_heads", 0)
        query, key, value = (
            jnp.swapaxes(x.reshape((*x.shape[:2], n, x.shape[2] // n)), 1, 2)
            for x, n in ((query, heads[0]), (key, heads[1]), (value, heads[1]))
        )
    past = 0 if past_key is None else past_key.shape[2]
    if past_key is not None:
        key = jnp.concatenate([past_key, key], 2)
        value = jnp.concatenate([past_value, value], 2)
    groups = query.shape[1] // key.shape[1]
    keys, values = (jnp.repeat(v, groups, axis=1) if groups != 1 else v for v in (key, value))
    root = math.sqrt(node.number("scale", 1 / math.sqrt(query.shape[-1])))
    scores = (query * root).astype(query.dtype) @ jnp.swapaxes(
        (keys * root).astype(keys.dtype), -1, -2
    )
    cap = node.number("softcap", 0.0)
    capped = (jnp.tanh(scores / cap) * cap).astype(scores.dtype) if cap else scores
    begin = (lengths - scores.shape[-2]).reshape((-1, 1, 1, 1)) if (
        lengths is not None and past_key is None
    ) else past  # fmt: skip
    biased = capped + _hidden(node, scores, mask, begin, lengths)
    chances = _chances(biased)
    y = (chances @ values).astype(query.dtype)
    if is_flat:
        y = jnp.swapaxes(y, 1, 2).reshape((shape[0], shape[1], -1))
    shown = (scores, capped, biased, chances)
    return y, key, value, shown[node.number("qk_matmul_output_mode", 0)]


def _hidden(node: Node, scores: Any, mask: Any, begin: Any, lengths: Any) -> Any:
    """What is added to scores: -inf where a query does not see a key.

    Args:
        begin: The place among the keys of the first query.
        lengths: How many keys there are, in each sample.
    """
    rows, columns = scores.shape[-2:]
    steps = jnp.arange(columns)[None, :]
    ahead = steps - (jnp.arange(rows)[:, None] + begin)  # of the query's own place
    left, right = node.number("left_window_size", -1), node.number("right_window_size", -1)
    is_seen: Any = jnp.ones((rows, columns), bool)
    if node.number("is_causal", 0):
        is_seen = is_seen & (ahead <= 0)
    if left >= 0:
        is_seen = is_seen & (ahead >= -left)
    if right >= 0:
        is_seen = is_seen & (ahead <= right)
    if lengths is not None:
        is_seen = is_seen & (steps < lengths.reshape((-1, 1, 1, 1)))
    hidden = jnp.where(is_seen, 0, -jnp.inf).astype(scores.dtype)
    if mask is None:
        return hidden
    if mask.dtype == bool:
        mask = jnp.where(mask, 0, -jnp.inf)
    mask, missing = mask.astype(scores.dtype), columns - mask.shape[-1]
    if not (isinstance(missing, int) and missing == 0):  # what is not told is not seen
        pads = [(0, 0, 0)] * (mask.ndim - 1) + [(0, missing, 0)]
        mask = lax.pad(mask, jnp.asarray(-jnp.inf, mask.dtype), pads)
    return hidden + mask


def _chances(scores: Any) -> Any:
    """Softmax, in float32 for 16 bits; zeros where all is -inf."""
    wide = scores.astype(jnp.float32) if scores.dtype.itemsize < 4 else scores
    largest = jnp.max(wide, -1, keepdims=True)
    exponents = jnp.exp(wide - jnp.where(jnp.isfinite(largest), largest, 0))
    total = jnp.sum(exponents, -1, keepdims=True)
    return (exponents / jnp.where(total == 0, 1, total)).astype(scores.dtype)


__all__ = ["channels"]
