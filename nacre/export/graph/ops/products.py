"""Sums of products."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ops.activation import softmax
from nacre.export.graph.opset import Array, Bool, Float, Str, Type, op
from nacre.export.graph.rules import broadcast_shapes, common_dtype, require, same_size
from nacre.export.graph.sizes import Size


def _dense_type(types: Any, _: Any) -> Type:
    x, kernel, bias = types
    require(len(kernel.shape) == 2, f"the kernel must be (features, units), not {kernel}")
    require(len(x.shape) >= 1 and same_size(x.shape[-1], kernel.shape[0]),
            f"the last axis of {x} must be the first of {kernel}")  # fmt: skip
    require(
        bias is None or bias.shape == kernel.shape[1:], f"the bias must be (units,), not {bias}"
    )
    return Type(common_dtype(types), (*x.shape[:-1], kernel.shape[1]))


@op(shapes=_dense_type)
def dense(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x · kernel + bias over the last axis: (*batch, features), (features, units), (units,)."""
    product = np.matmul(x, kernel)
    return product if bias is None else product + bias


def _product_type(types: Any, _: Any) -> Type:
    x, y = types
    require(len(x.shape) >= 2 and len(y.shape) >= 2, "both must be matrices")
    require(same_size(x.shape[-1], y.shape[-2]), f"{x} and {y} do not fit one another")
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2]) if len(x.shape) + len(y.shape) > 4 else ()
    return Type(common_dtype(types), (*batch, x.shape[-2], y.shape[-1]))


@op(shapes=_product_type)
def matmul(x: Array, y: Array) -> Array:
    """Products of matrices in the last two axes; axes before them broadcast."""
    return np.matmul(x, y)


def _einsum_type(types: Any, attributes: Any) -> Type:
    left, arrow, result = attributes["subscripts"].partition("->")
    require(bool(arrow) and "." not in left, "subscripts must be letters, with an arrow")
    letters = left.split(",")
    require(len(letters) == len(types), f"subscripts {left!r} are not those of {len(types)} inputs")
    sizes: dict[str, Size] = {}
    for names, x in zip(letters, types):
        require(len(names) == len(x.shape), f"{x} must have axes {names!r}")
        for name, size in zip(names, x.shape):
            known = sizes.setdefault(name, size)
            require(same_size(known, size), f"axis {name!r} has sizes {known} and {size}")
    return Type(common_dtype(types), tuple(sizes[name] for name in result))


@op(shapes=_einsum_type)
def einsum(*xs: Array, subscripts: Str) -> Array:
    """Sums of products, one letter an axis, with an arrow, without dots: 'bij,bjk->bik'. No letter
    occurs twice in one input."""
    return np.einsum(subscripts, *xs)


def _attention_type(types: Any, _: Any) -> Type:
    query, key, value, bias, mask = types
    for x in (query, key, value):
        require(len(x.shape) == 4, f"(batch, length, heads, features) is needed, not {x}")
    require(mask is None or mask.dtype == "bool", "the mask must be of bool")
    common_dtype((query, key, value))
    scores = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
    for x in (bias, mask):
        if x is not None:
            broadcast_shapes(x.shape, scores)
    return Type(query.dtype, (*query.shape[:3], value.shape[3]))


@op(shapes=_attention_type)
def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    scale: Float,
    is_causal: Bool,
    soft_cap: Float | None,
) -> Array:
    """softmax(scale · query · keyᵀ + bias) · value, for each head. query (batch, targets, heads,
    features); key, value (batch, sources, heads or a divisor, features); bias, mask broadcast to
    (batch, heads, targets, sources). Where the mask is False, and where a source comes after its
    target if `is_causal`, the score is very low, though finite. With `soft_cap` the scores before
    the bias become tanh(score / cap) · cap. Scores are float32 for 16-bit inputs."""
    wide = (
        np.promote_types(query.dtype, "float32") if query.dtype.kind == "f" else np.dtype("float32")
    )
    repeats = query.shape[2] // key.shape[2]
    key, value = np.repeat(key, repeats, 2), np.repeat(value, repeats, 2)
    scores = np.einsum("btnh,bsnh->bnts", query.astype(wide), key.astype(wide)) * wide.type(scale)
    if soft_cap is not None:
        scores = np.tanh(scores / soft_cap) * soft_cap
    if bias is not None:
        scores = scores + bias.astype(wide)
    lowest = wide.type(-0.7 * float(np.finfo(wide).max))
    if mask is not None:
        scores = np.where(mask, scores, lowest)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, lowest)
    weights = softmax(scores, axes=(-1,)).astype(value.dtype)
    return np.einsum("bnts,bsnh->btnh", weights, value)
