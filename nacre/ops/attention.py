"""Scaled dot-product attention."""

from __future__ import annotations

import math

import jax

from nacre.core.config import is_flash_attention_enabled
from nacre.core.errors import ShapeError, message
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating
from nacre.ops._define import Family, composite
from nacre.ops.kernels import attention
from nacre.ops.kernels.placement import Placement, current_placement

op = Family("nn")


@composite(name="dot_product_attention", lowering=("placement",))
def _dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    mask: Tensor,
    scale: float,
    is_causal: bool,
    attn_logits_soft_cap: float | None,
    placement: Placement,
) -> jax.Array:
    return attention.attention(
        floating(query),
        floating(key),
        floating(value),
        None if bias is None else array(bias),
        None if mask is None else array(mask).astype(bool),
        scale=scale,
        is_causal=is_causal,
        soft_cap=attn_logits_soft_cap,
        placement=placement,
    )


@op(masks=masks.of("query"))
def dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor = None,
    mask: Tensor = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """softmax(scale · query · keyᵀ + bias) · value, for each head.

    Args:
        mask: True where a target may look at a source.
        scale: 1 / sqrt(head_dim) by default.
        is_causal: True lets no target look at a later source.
        flash_attention: True asks for cuDNN's fused kernel (GPU, 16-bit floats); None and False
            leave the choice to XLA.
        attn_logits_soft_cap: Scores are bent to stay below this.

    Shapes:
        query       (batch, targets, heads, head_dim)
        key, value  (batch, sources, heads, head_dim); heads may be a divisor of the query's
        bias, mask  broadcast to (batch, heads, targets, sources)
        returns     (batch, targets, heads, head_dim)
    Precision:
        Scores and softmax are float32 for 16-bit inputs.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """
    query, key, value = array(query), array(key), array(value)
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ShapeError(
            message(
                "dot_product_attention",
                "query, key and value must have axes (batch, length, heads, head_dim)",
                f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}",
            )
        )
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    if flash_attention is None:
        flash_attention = is_flash_attention_enabled()
    if flash_attention and attn_logits_soft_cap is None and jax.default_backend() == "gpu":
        return jax.nn.dot_product_attention(
            query, key, value, bias, mask, scale=scale, is_causal=is_causal, implementation="cudnn"
        )
    return _dot_product_attention(
        query,
        key,
        value,
        bias,
        mask,
        scale=scale,
        is_causal=bool(is_causal),
        attn_logits_soft_cap=attn_logits_soft_cap,
        placement=current_placement(),
    )


__all__, __dir__ = op.shown()
