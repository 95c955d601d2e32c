"""Scaled dot-product attention: in plain JAX, and by one compiled call each way on the CPU.

XLA's CPU backend writes the scores of all heads to memory, three times over with their gradients,
and spends as long on moving axes as on products. The compiled kernel (`native/attention.cc`) keeps
a few rows of scores in cache and computes them again on the way back. A token that is new looks at
those before it by a call of its own, which reads keys and values where they lie.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.derivatives import (
    align,
    define_derivatives,
    derived_by_hand,
    derived_from,
    push,
)
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library, table


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool = False,
    soft_cap: float | None = None,
    placement: places.Placement = "plain",
) -> Array:
    """softmax(scale · query · keyᵀ + bias) · value, for each head.

    Args:
        mask: True where a target may look at a source.
        soft_cap: Scores are bent to stay below this.
        placement: Not `'plain'` in a program of nacre's own, which runs on this machine: results
            without gradients may then come from the compiled kernel too. Others may be exported.
    Shapes:
        query       (batch, targets, heads, head_dim)
        key, value  (batch, sources, heads or a divisor, head_dim)
        bias, mask  broadcast to (batch, heads, targets, sources)
        returns     (batch, targets, heads, head_dim)
    """
    work = table.AttentionWork(query, key, value, bias, mask, soft_cap)
    when_used = table.ATTENTION.when_used(work, placement)
    if when_used != "never":
        is_always, mask = when_used == "always", _with_four_axes(mask)
        return _run(float(scale), is_causal, is_always, query, key, value, mask)
    if table.FEW_QUERIES.when_used(work, placement) == "always":
        return _look(float(scale), is_causal, query, key, value, _with_four_axes(mask))
    return plain_attention(
        query, key, value, bias, mask, scale=scale, is_causal=is_causal, soft_cap=soft_cap
    )


def _with_four_axes(mask: Array | None) -> Array | None:
    return None if mask is None else jnp.expand_dims(mask, tuple(range(4 - mask.ndim)))


def plain_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None = None,
) -> Array:
    """As `attention`, in plain JAX."""
    repeats = query.shape[2] // key.shape[2]
    if repeats > 1:  # several heads of the query share one of the key
        key, value = jnp.repeat(key, repeats, axis=2), jnp.repeat(value, repeats, axis=2)
    exact = query.dtype.itemsize >= 4  # then the smaller array takes the factor
    query = query * scale if exact else query
    scores = jnp.einsum("btnh,bsnh->bnts", query, key, preferred_element_type=jnp.float32)
    scores = scores if exact else scores * scale  # (batch, heads, targets, sources)
    if soft_cap is not None:
        scores = jnp.tanh(scores / soft_cap) * soft_cap
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    lowest = -0.7 * float(jnp.finfo(scores.dtype).max)  # finite: a row of -inf would give NaN
    if mask is not None:
        scores = jnp.where(mask, scores, lowest)
    if is_causal:
        shape = scores.shape[-2:]
        rows, columns = (lax.broadcasted_iota("int32", shape, axis) for axis in (0, 1))
        scores = jnp.where(rows >= columns, scores, lowest)
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    return jnp.einsum("bnts,bsnh->btnh", weights, value)


# --- the compiled kernel --------------------------------------------------------------------------


@derived_by_hand(nondiff_argnums=(0, 1, 2))
def _run(scale, causal, always, query, key, value, mask):
    if not always:
        return _by_xla(scale, causal, mask, query, key, value)
    return _kept_forward(scale, causal, mask, query, key, value)[0]


def _run_forward(scale, causal, always, query, key, value, mask):
    outputs, norms = _kept_forward(scale, causal, mask, query, key, value)
    return outputs, (mask, query, key, value, outputs, norms)


def _run_backward(scale, causal, always, kept, d_outputs):
    mask, query, key, value, outputs, norms = kept
    slopes = _gradients(scale, causal, mask, query, key, value, outputs, norms, d_outputs)
    return *slopes, None


def _run_tangent(scale, causal, always, kept, tangents):
    mask, *arrays = kept[:4]
    return push(functools.partial(_by_xla, scale, causal, mask), arrays, tangents[:3])


define_derivatives(_run, _run_forward, _run_backward, _run_tangent)


def _by_xla(scale, causal, mask, query, key, value):
    return plain_attention(query, key, value, None, mask, scale=scale, is_causal=causal)


def _kept_by_xla(scale, causal, mask, query, key, value):
    batch, length, heads, _ = query.shape
    # The derivatives of the gradients read no norms, so these need none of their own.
    norms = jnp.zeros((batch, heads, length, 2), jnp.float32)
    return _by_xla(scale, causal, mask, query, key, value), norms


@derived_from(_kept_by_xla, static=2)
def _kept_forward(scale, causal, mask, query, key, value):
    """Outputs, and each row's largest score and inverse sum: (batch, heads, targets, 2)."""
    batch, length, heads, _ = query.shape
    outputs, norms = _call(
        "attention_forward",
        [(batch, length, heads, value.shape[-1]), (batch, heads, length, 2)],
        [query, key, value, jnp.float32(scale), mask],
        causal,
    )
    return outputs, norms


def _gradients_by_xla(scale, causal, mask, query, key, value, outputs, norms, d_outputs):
    del outputs, norms
    by_xla = functools.partial(_by_xla, scale, causal, mask)
    return jax.vjp(by_xla, query, key, value)[1](d_outputs)


@derived_from(_gradients_by_xla, static=2)
def _gradients(scale, causal, mask, query, key, value, outputs, norms, d_outputs):
    return tuple(
        _call(
            "attention_backward",
            [query.shape, key.shape, value.shape],
            [query, key, value, jnp.float32(scale), mask, outputs, norms, d_outputs],
            causal,
        )
    )


# --- few queries ----------------------------------------------------------------------------------


@derived_by_hand(nondiff_argnums=(0, 1))
def _look(scale, causal, query, key, value, mask):
    return _look_once(scale, causal, mask, query, key, value)


@_look.defjvp
def _look_jvp(scale, causal, primals, tangents):
    """Where there is a derivative, all of it is XLA's: nothing is computed twice."""
    *arrays, mask = primals
    by_xla = functools.partial(_by_xla, scale, causal, mask)
    outputs, moved = jax.jvp(by_xla, tuple(arrays), tuple(tangents[:3]))
    return align(outputs, primals), align(moved, primals)


@derived_from(_by_xla, static=2)
def _look_once(scale, causal, mask, query, key, value):
    shape = (*query.shape[:-1], value.shape[-1])
    arguments = [query, key, value, jnp.float32(scale), mask]
    return _call("attention_look", [shape], arguments, causal)[0]


def _call(handler: str, shapes: list[Any], arguments: list[Any], causal: bool) -> Any:
    is_masked = arguments[4] is not None
    arguments[4] = arguments[4] if is_masked else jnp.zeros((0,), bool)
    is_rows = [i != 3 and (i != 4 or is_masked) for i in range(len(arguments))]

    def run(*arguments):
        sizes = [(arguments[0].shape[0], *shape[1:]) for shape in shapes]
        results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in sizes]
        call = library.ATTENTION.call(handler, results)
        return call(*arguments, causal=np.int64(causal), masked=np.int64(is_masked))

    return over_rows(run, is_rows, *arguments)
